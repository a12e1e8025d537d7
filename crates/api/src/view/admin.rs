//! The messages of `peerd.admin.v1`.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use peerd_core::audit::{Actor, Outcome};
use peerd_core::authz::{Marking, Principal, Role, Space};
use peerd_core::name::Name;
use peerd_core::policy::{Enrollments, Policy, Rule, Standing};
use peerd_core::security::Levels;
use peerd_core::{PrincipalId, SpaceId, Time};
use peerd_node::audit::AuditRecord;
use peerd_node::enrollment::EnrollmentView;
use peerd_node::policy::PolicyView;
use peerd_wire::admin::v1 as pb;

use super::timestamp;
use crate::server::About;

pub(crate) fn enrollment(view: EnrollmentView, about: &About) -> pb::Enrollment {
    let EnrollmentView {
        id,
        name,
        title,
        fingerprint,
        addresses,
    } = view;
    pb::Enrollment {
        enrollment_id: id.to_string(),
        name,
        title: title.map(String::from).unwrap_or_default(),
        identity_fingerprint: fingerprint.to_string(),
        leaf_expires_at: Some(timestamp(*about.leaf_expires_at.borrow())),
        protocol_versions: about.protocol_versions.clone(),
        addresses,
    }
}

pub(crate) fn counts(counts: BTreeMap<&'static str, u32>) -> BTreeMap<String, u32> {
    let owned = |(word, count): (&str, u32)| (word.to_owned(), count);
    counts.into_iter().map(owned).collect()
}

pub(crate) fn principal(principal: &Principal) -> pb::Principal {
    pb::Principal {
        principal_id: principal.id.to_string(),
        name: principal.name.to_string(),
        role: role(principal.role).into(),
        space_id: principal.space.map(|id| id.to_string()).unwrap_or_default(),
        created_at: Some(timestamp(principal.created_at)),
        revoked_at: principal.revoked_at.map(timestamp),
    }
}

fn role(role: Role) -> pb::Role {
    match role {
        Role::EnrollmentAdmin => pb::Role::EnrollmentAdmin,
        Role::SecurityOfficer => pb::Role::SecurityOfficer,
        Role::SpaceManager => pb::Role::SpaceManager,
        Role::Editor => pb::Role::Editor,
        Role::Viewer => pb::Role::Viewer,
    }
}

/// The role of a message's number; `None` when it was not given or is none.
pub(crate) fn role_of(number: i32) -> Option<Role> {
    Role::ALL
        .into_iter()
        .find(|known| i32::from(role(*known)) == number)
}

pub(crate) fn space(space: &Space) -> pb::Space {
    pb::Space {
        space_id: space.id.to_string(),
        name: space.name.to_string(),
        title: space.title.as_ref().map(ToString::to_string).unwrap_or_default(),
        manager_ids: space.managers.iter().map(PrincipalId::to_string).collect(),
        created_at: Some(timestamp(made_at(space.id))),
    }
}

/// When a space was made: its id is a UUID of version 7, which starts with that time in milliseconds.
fn made_at(id: SpaceId) -> Time {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    Time::from_micros(millis.saturating_mul(1_000))
}

pub(crate) fn marking(marking: &Marking) -> pb::Marking {
    pb::Marking {
        name: marking.name.to_string(),
        member_ids: marking.members.iter().map(PrincipalId::to_string).collect(),
    }
}

pub(crate) fn levels(levels: &Levels) -> Vec<String> {
    levels.as_slice().iter().map(Name::to_string).collect()
}

pub(crate) fn policy(view: &PolicyView) -> pb::Policy {
    let policy = &view.policy;
    let state = match view.standing {
        Standing::Pending => pb::PolicyState::Pending,
        Standing::Active => pb::PolicyState::Active,
        Standing::Paused => pb::PolicyState::Paused,
        Standing::Revoked => pb::PolicyState::Revoked,
        Standing::Expired => pb::PolicyState::Expired,
    };
    pb::Policy {
        policy_id: policy.id().to_string(),
        rule: Some(rule(policy)),
        state: state.into(),
        justification: policy.justification().to_string(),
        proposed_by: view.proposed_by.clone(),
        proposed_at: Some(timestamp(policy.proposed().at)),
        decided_by: view.decided_by.clone().unwrap_or_default(),
        decided_at: policy.decided().map(|decided| timestamp(decided.at)),
        expires_at: policy.expires_at().map(timestamp),
    }
}

fn rule(policy: &Policy) -> pb::policy::Rule {
    let enrollments = |enrollments: &Enrollments| match enrollments {
        Enrollments::Any => vec!["any".to_owned()],
        Enrollments::Only(ids) => ids.iter().map(ToString::to_string).collect(),
    };
    match policy.rule() {
        Rule::Egress {
            destination,
            ports,
            enrollments: named,
        } => pb::policy::Rule::Egress(pb::EgressRule {
            destination: destination.to_string(),
            ports: ports.to_string(),
            enrollments: enrollments(named),
        }),
        Rule::Ingress {
            sources,
            enrollments: named,
        } => pb::policy::Rule::Ingress(pb::IngressRule {
            sources: sources.iter().map(ToString::to_string).collect(),
            enrollments: enrollments(named),
        }),
    }
}

pub(crate) fn audit_record(record: &AuditRecord) -> pb::AuditRecord {
    let AuditRecord { number, fact, hash } = record;
    let actor = match fact.actor() {
        Actor::Principal { name, .. } => format!("principal:{name}"),
        Actor::Peer(enrollment) => format!("peer:{enrollment}"),
        Actor::System => "system".to_owned(),
    };
    let (outcome, reason) = match fact.outcome() {
        Outcome::Done => ("done", None),
        Outcome::Refused { reason } => ("refused", Some(reason)),
        Outcome::Denied { reason } => ("denied", Some(reason)),
    };
    pb::AuditRecord {
        number: *number,
        at: Some(timestamp(fact.at())),
        actor,
        action: fact.action().to_owned(),
        subject: fact.subjects().join(" "),
        outcome: outcome.to_owned(),
        reason: reason.map(|reason| reason.word().to_owned()).unwrap_or_default(),
        policy_id: fact.policy().map(|id| id.to_string()).unwrap_or_default(),
        details: fact.details().clone(),
        hash: HEXLOWER.encode(hash),
    }
}

/// The hash of a chain's last record; empty while there is none.
pub(crate) fn head(records: u64, hash: &[u8; 32]) -> String {
    match records {
        0 => String::new(),
        _ => HEXLOWER.encode(hash),
    }
}
