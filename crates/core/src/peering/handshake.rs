//! How a connection begins: request, approve or reject, activate.

use super::connection::LocalSpace;
use super::{
    Body, Connection, Effect, Fact, Flow, Permit, Refused, Rejection, Remark, Role, Side, Stage, Step,
};
use crate::code::{InviteCode, ProofKey};
use crate::name::Title;
use crate::reason::Reason;
use crate::security::{Levels, Security};
use crate::{ConnectionId, EnrollmentId, LinkId, Time};

/// What an originator asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The new connection.
    pub id: ConnectionId,
    /// The link it will go over.
    pub link: LinkId,
    /// This enrollment.
    pub local: EnrollmentId,
    /// Who is asked.
    pub remote: EnrollmentId,
    /// The space here.
    pub space: LocalSpace,
    /// The data types, seen from here.
    pub flow: Flow,
    /// The security proposed.
    pub security: Security,
    /// The key of the invite code's secret.
    pub key: ProofKey,
    /// When the code ends.
    pub until: Time,
}

/// How an importer answers an invite code.
#[derive(Clone, Debug)]
pub struct Approval {
    /// This enrollment.
    pub local: EnrollmentId,
    /// This enrollment's platform title.
    pub title: Option<Title>,
    /// The link it will go over.
    pub link: LinkId,
    /// The space here.
    pub space: LocalSpace,
    /// The security allowed, where it is narrower than what is asked.
    pub security: Option<Security>,
}

const fn refused_new(event: &'static str, reason: Reason) -> Refused {
    let stage = "new";
    Refused { stage, event, reason }
}

impl Connection {
    /// The originator asks. The invite code is given out once the step is stored.
    pub fn request(request: Request, permit: &dyn Permit, now: Time) -> Result<Step, Refused> {
        let event = "request";
        if permit.connection_peer() != request.remote || request.remote == request.local {
            return Err(refused_new(event, Reason::IdentityMismatch));
        }
        if request.flow.is_empty() || request.until <= now {
            return Err(refused_new(event, Reason::FieldInvalid));
        }
        let next = Connection {
            id: request.id,
            role: Role::Originator,
            link: request.link,
            local: request.local,
            remote: request.remote,
            space: Some(request.space),
            remote_space: None,
            ours: request.flow,
            theirs: request.flow,
            asked: request.security.clone(),
            security: request.security,
            stage: Stage::Requested {
                until: request.until,
                key: request.key,
            },
            approval: None,
            change: None,
            re_export: false,
            sent: 0,
            received: 0,
            created_at: now,
            changed_at: now,
        };
        Ok(Step {
            next,
            effects: Vec::new(),
            fact: Some(Fact::Requested),
        })
    }

    /// The importer approves what an invite code asks for. Security may be narrowed, never widened. `existing` is the
    /// record this side already has under the code's connection id: a code is answered once.
    pub fn approve(
        invite: &InviteCode,
        approval: Approval,
        existing: Option<&Connection>,
        permit: &dyn Permit,
        levels: &Levels,
        now: Time,
    ) -> Result<Step, Refused> {
        let event = "approve";
        usable(invite, approval.local, existing, event, now)?;
        if permit.connection_peer() != invite.originator {
            return Err(refused_new(event, Reason::IdentityMismatch));
        }
        let security = approval.security.unwrap_or_else(|| invite.security.clone());
        if !security.at_most(&invite.security, levels) {
            return Err(refused_new(event, Reason::SecurityWidened));
        }
        let body = Body::Approved {
            space: approval.space.name.clone(),
            title: approval.title,
            security: security.clone(),
            proof: ProofKey::of(&invite.secret).approval(invite.connection, approval.local),
        };
        let mut next = asked(
            invite,
            approval.local,
            approval.link,
            Stage::Approved { at: now },
            now,
        );
        next.space = Some(approval.space);
        next.security = security;
        let effects = vec![next.send(body)];
        let fact = Some(Fact::Approved { by: Side::Here });
        Ok(Step { next, effects, fact })
    }

    /// The importer turns an invite code down and says why. It needs no permit: a refusal gives nothing away.
    pub fn reject(
        invite: &InviteCode,
        local: EnrollmentId,
        link: LinkId,
        remark: Remark,
        existing: Option<&Connection>,
        now: Time,
    ) -> Result<Step, Refused> {
        usable(invite, local, existing, "reject", now)?;
        let by = Side::Here;
        let why = Rejection::Remark(remark.clone());
        let stage = Stage::Rejected {
            at: now,
            by,
            why: why.clone(),
        };
        let mut next = asked(invite, local, link, stage, now);
        let proof = ProofKey::of(&invite.secret).approval(invite.connection, local);
        let effects = vec![next.send(Body::Rejected { remark, proof })];
        let fact = Some(Fact::Rejected { by, why });
        Ok(Step { next, effects, fact })
    }

    /// The originator activates what the importer approved.
    pub fn activate(&self, permit: &dyn Permit, now: Time) -> Result<Step, Refused> {
        let event = "activate";
        if self.role != Role::Originator {
            return Err(self.refused(event, Reason::NotOriginator));
        }
        if !matches!(self.stage, Stage::Approved { .. }) {
            return Err(self.refused(event, Reason::WrongStage));
        }
        self.permitted(permit, event)?;
        let mut next = self.at(Stage::Active { since: now }, now);
        let terms = next.terms();
        let effects = vec![next.send(Body::Activated { terms }), Effect::StartStreams];
        let fact = Some(Fact::Activated { by: Side::Here });
        Ok(Step { next, effects, fact })
    }

    /// The other side refused this side's approval with this word. Some refusals are final; after the others the
    /// message is sent again, and the step is refused here.
    pub fn approval_refused(&self, reason: Reason, now: Time) -> Result<Step, Refused> {
        let event = "approval refused";
        if self.role != Role::Importer || !matches!(self.stage, Stage::Approved { .. }) {
            return Err(self.refused(event, Reason::WrongStage));
        }
        let by = Side::There;
        let (stage, fact) = match reason {
            Reason::CodeExpired => (Stage::Expired { at: now }, Fact::Expired),
            Reason::CodeRevoked => (Stage::Revoked { at: now }, Fact::Revoked { by }),
            Reason::CodeUsed | Reason::CodeNotForUs | Reason::ProofInvalid | Reason::SecurityWidened => {
                let why = Rejection::Refused(reason);
                let fact = Fact::Rejected { by, why: why.clone() };
                (Stage::Rejected { at: now, by, why }, fact)
            }
            _ => return Err(self.refused(event, reason)),
        };
        Ok(Step {
            next: self.at(stage, now),
            effects: Vec::new(),
            fact: Some(fact),
        })
    }

    /// The time of the invite code is over.
    pub fn expire(&self, now: Time) -> Result<Step, Refused> {
        match self.stage {
            Stage::Requested { until, .. } if now >= until => Ok(Step {
                next: self.at(Stage::Expired { at: now }, now),
                effects: Vec::new(),
                fact: Some(Fact::Expired),
            }),
            _ => Err(self.refused("expire", Reason::WrongStage)),
        }
    }
}

/// An invite code is answered by the one it is for, in time, and once.
fn usable(
    invite: &InviteCode,
    local: EnrollmentId,
    existing: Option<&Connection>,
    event: &'static str,
    now: Time,
) -> Result<(), Refused> {
    if let Some(problem) = invite.inspect(local, now).first() {
        return Err(refused_new(event, problem.reason));
    }
    match existing {
        Some(connection) => Err(connection.refused(event, Reason::CodeUsed)),
        None => Ok(()),
    }
}

/// The importer's record of what an invite code asks for.
fn asked(invite: &InviteCode, local: EnrollmentId, link: LinkId, stage: Stage, now: Time) -> Connection {
    let flow = invite.flow.mirrored();
    Connection {
        id: invite.connection,
        role: Role::Importer,
        link,
        local,
        remote: invite.originator,
        space: None,
        remote_space: Some(invite.space.clone()),
        ours: flow,
        theirs: flow,
        asked: invite.security.clone(),
        security: invite.security.clone(),
        stage,
        approval: None,
        change: None,
        re_export: false,
        sent: 0,
        received: 0,
        created_at: now,
        changed_at: now,
    }
}
