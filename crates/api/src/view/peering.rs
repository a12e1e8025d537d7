//! Links and connections as operators read them.

use peerd_core::code::Problem;
use peerd_core::link::{Direction, Form, Knock, LinkKind, Relay, RelayLimits, Status};
use peerd_core::peering::{self, Connection, Flow, Role, Side, Stage};
use peerd_core::policy;
use peerd_core::security::Security;
use peerd_core::{Fingerprint, Reason};
use peerd_node::connection::{ConnectionView, FeedProgress};
use peerd_node::link::LinkView;
use peerd_node::relay::RelayLife;
use peerd_wire::peering::v1 as pb;

use super::timestamp;

/// A link.
pub(crate) fn link(view: &LinkView) -> pb::Link {
    let LinkView {
        link,
        health,
        failure,
        life,
        relay,
    } = view;
    let remote = link.remote.as_ref();
    let cause = health.cause.to_string();
    pb::Link {
        link_id: link.id.to_string(),
        name: link.name.to_string(),
        kind: match link.kind {
            LinkKind::Mpx => pb::LinkKind::Mpx,
            LinkKind::Relay => pb::LinkKind::Relay,
        }
        .into(),
        direction: direction(link.direction).into(),
        remote_enrollment_id: remote.map(|it| it.enrollment.to_string()).unwrap_or_default(),
        remote_title: remote
            .and_then(|it| it.title.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        status: link_status(health.status).into(),
        reason: match failure {
            Some(failure) if health.status != Status::Healthy => format!("{cause} ({failure})"),
            _ => cause,
        },
        last_seen_at: life.last_heard_at.map(timestamp),
        addresses: link.addresses.iter().map(ToString::to_string).collect(),
        remote_fingerprint: remote
            .map(|it| Fingerprint::of(&it.certificate).to_string())
            .unwrap_or_default(),
        created_at: Some(timestamp(link.created_at)),
        next_dial_at: life.next_dial_at.map(timestamp),
        relay: link
            .relay
            .as_ref()
            .zip(relay.as_ref())
            .map(|(set, life)| relay_of(set, life)),
    }
}

/// How the files of a link are.
fn relay_of(set: &Relay, life: &RelayLife) -> pb::Relay {
    let RelayLimits {
        bundle_bytes_max,
        outbox_bytes_max,
        inbox_bytes_max,
        ..
    } = set.limits;
    pb::Relay {
        outbox: set.outbox.clone(),
        inbox: set.inbox.clone(),
        form: match set.form {
            Form::Sealed => pb::RelayForm::Sealed,
            Form::Xml => pb::RelayForm::Xml,
        }
        .into(),
        one_way: set.one_way,
        bundle_bytes_max,
        outbox_bytes_max,
        inbox_bytes_max,
        last_sequence_out: life.last_out,
        unacknowledged: life.kept,
        last_sequence_in: life.last_in,
        highest_sequence_in: life.highest_in,
        gaps: life.gaps,
        lost: life.lost,
        last_bundle_at: life.heard_at.map(timestamp),
        waiting: life.waiting,
        outbox_bytes: life.outbox_bytes,
        uncollected_since: life.uncollected_since.map(timestamp),
        quarantined: life.quarantined,
        refused: life.refused,
        repeated: life.repeated,
        resent: life.resent,
        equal: life.equal,
    }
}

/// Who may dial.
pub(crate) fn direction(direction: Direction) -> pb::Direction {
    match direction {
        Direction::Bidirectional => pb::Direction::Bidirectional,
        Direction::EgressOnly => pb::Direction::EgressOnly,
        Direction::IngressOnly => pb::Direction::IngressOnly,
    }
}

fn link_status(status: Status) -> pb::LinkStatus {
    match status {
        Status::Pending => pb::LinkStatus::Pending,
        Status::Healthy => pb::LinkStatus::Healthy,
        Status::Degraded => pb::LinkStatus::Degraded,
        Status::Down => pb::LinkStatus::Down,
        Status::Blocked => pb::LinkStatus::Blocked,
    }
}

/// A refused attempt.
pub(crate) fn knock(knock: &Knock) -> pb::Knock {
    pb::Knock {
        knock_id: knock.id.to_string(),
        fingerprint: knock.fingerprint.map(|it| it.to_string()).unwrap_or_default(),
        enrollment_id: knock.enrollment.map(|it| it.to_string()).unwrap_or_default(),
        claimed_title: knock
            .claimed_title
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        address: knock.address.to_string(),
        count: knock.count,
        reason: knock.reason.to_string(),
        missing: missing(knock.reason).to_owned(),
        first_at: Some(timestamp(knock.first_seen_at)),
        last_at: Some(timestamp(knock.last_seen_at)),
    }
}

/// What would have let a refused attempt in.
fn missing(reason: Reason) -> &'static str {
    match reason {
        Reason::IngressDenied => "an active ingress policy that admits its address and its enrollment",
        Reason::ProofInvalid => "a valid link code of this enrollment",
        reason => reason.explanation().trim_ascii(),
    }
}

/// What stands against using a code.
pub(crate) fn problem(problem: &Problem) -> pb::Problem {
    pb::Problem {
        code: problem.reason.to_string(),
        message: problem.message.clone(),
    }
}

/// Kinds of data.
pub(crate) fn data_types(types: peering::DataTypes) -> pb::DataTypes {
    pb::DataTypes {
        objects: types.objects,
        artifacts: types.artifacts,
    }
}

/// A classification and markings.
pub(crate) fn security(security: &Security) -> pb::Security {
    pb::Security {
        classification: security
            .classification
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        markings: security.markings.iter().map(ToString::to_string).collect(),
    }
}

/// A connection.
pub(crate) fn connection(view: &ConnectionView) -> pb::Connection {
    let connection = &view.connection;
    // Before the approval there is no agreement: what was asked for is shown.
    let Flow { exports, imports } = connection.flow();
    pb::Connection {
        connection_id: connection.id.to_string(),
        stage: stage(&connection.stage).into(),
        role: match connection.role {
            Role::Originator => pb::ConnectionRole::Originator,
            Role::Importer => pb::ConnectionRole::Importer,
        }
        .into(),
        link_id: connection.link.to_string(),
        local_space: connection
            .space
            .as_ref()
            .map(|it| it.name.to_string())
            .unwrap_or_default(),
        remote_space: connection
            .remote_space
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        remote_enrollment_id: connection.remote.to_string(),
        remote_title: view.remote_title.clone().unwrap_or_default(),
        exports: Some(data_types(exports)),
        imports: Some(data_types(imports)),
        security: Some(security(&connection.security)),
        health: Some(pb::ConnectionHealth {
            status: health_status(view.status).into(),
            reason: view.reason.clone(),
            last_acknowledged_at: view.last_acknowledged_at.map(timestamp),
        }),
        feeds: view.feeds.iter().map(feed).collect(),
        stage_reason: view.stage_reason(),
        created_at: Some(timestamp(connection.created_at)),
        changed_at: Some(timestamp(connection.changed_at)),
        expires_at: match connection.stage {
            Stage::Requested { until, .. } => Some(timestamp(until)),
            _ => None,
        },
        re_export: connection.re_export,
        shared_artifacts: view.shared_artifacts.clone(),
    }
}

fn stage(stage: &Stage) -> pb::Stage {
    match stage {
        Stage::Requested { .. } => pb::Stage::Requested,
        Stage::Approved { .. } => pb::Stage::Approved,
        Stage::Active { .. } => pb::Stage::Active,
        Stage::Disabled { .. } => pb::Stage::Disabled,
        Stage::Closed { .. } => pb::Stage::Closed,
        Stage::Rejected { .. } => pb::Stage::Rejected,
        Stage::Expired { .. } => pb::Stage::Expired,
        Stage::Revoked { .. } => pb::Stage::Revoked,
    }
}

fn health_status(status: Status) -> pb::HealthStatus {
    match status {
        Status::Healthy => pb::HealthStatus::Healthy,
        Status::Pending | Status::Degraded => pb::HealthStatus::Degraded,
        Status::Down => pb::HealthStatus::Down,
        Status::Blocked => pb::HealthStatus::Blocked,
    }
}

fn feed(progress: &FeedProgress) -> pb::Feed {
    pb::Feed {
        r#type: progress.object_type.clone(),
        direction: match progress.direction {
            policy::Direction::Export => "export",
            policy::Direction::Import => "import",
        }
        .to_owned(),
        lane: progress.lane.clone(),
        cursor: progress.cursor,
        head: progress.head,
        lag: progress.lag,
        parked: progress.parked,
        in_sync: progress.in_sync,
        dropped: progress.dropped,
        reason: progress.reason.clone(),
    }
}

/// The change of security of a connection that waits for a decision.
pub(crate) fn change_request(connection: &Connection) -> Option<pb::ChangeRequest> {
    let change = connection.change.as_ref()?;
    Some(pb::ChangeRequest {
        change_request_id: change.id.to_string(),
        connection_id: connection.id.to_string(),
        ours: change.by == Side::Here,
        security: Some(security(&change.security)),
        proposed_at: Some(timestamp(change.at)),
    })
}
