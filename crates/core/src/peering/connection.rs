//! The record of a connection, as one side keeps it.

use serde::{Deserialize, Serialize};

use super::{Body, Effect, Flow, Permit, Refused, Role, Side, Stage};
use crate::name::Name;
use crate::reason::Reason;
use crate::security::Security;
use crate::{ChangeRequestId, ConnectionId, EnrollmentId, LinkId, MessageId, SpaceId, Time};

/// A space of this side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSpace {
    /// Its id.
    pub id: SpaceId,
    /// Its name, which the other side is told.
    pub name: Name,
}

/// A change of the security that waits for a decision. There is one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its id, the same on both sides.
    pub id: ChangeRequestId,
    /// Who proposed it; the other side decides.
    pub by: Side,
    /// What is proposed.
    pub security: Security,
    /// When it was proposed here, or arrived.
    pub at: Time,
}

/// A connection. Its fields are for reading and storing; only the steps of this module change them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, the same on both sides and for ever.
    pub id: ConnectionId,
    /// Which side this one is, for ever.
    pub role: Role,
    /// The link it goes over.
    pub link: LinkId,
    /// This enrollment.
    pub local: EnrollmentId,
    /// The other enrollment.
    pub remote: EnrollmentId,
    /// The space here; absent only where a request was rejected without choosing one.
    pub space: Option<LocalSpace>,
    /// The name of the space there, once known.
    pub remote_space: Option<Name>,
    /// What this side allows to flow, seen from here.
    pub ours: Flow,
    /// What the other side allows to flow, seen from here.
    pub theirs: Flow,
    /// The security that was asked for.
    pub asked: Security,
    /// The security that was agreed: what was asked until the approval, which may narrow it.
    pub security: Security,
    /// How far it has come.
    pub stage: Stage,
    /// The message that approved it: a second, different approval is refused.
    #[serde(default)]
    pub approval: Option<MessageId>,
    /// The change of the security that waits for a decision.
    #[serde(default)]
    pub change: Option<Change>,
    /// Whether data imported over other connections may be exported over this one.
    #[serde(default)]
    pub re_export: bool,
    /// How many messages this side has made for the other.
    pub sent: u64,
    /// The number of the last message that was taken from the other side.
    pub received: u64,
    /// When the record was made.
    pub created_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

impl Connection {
    /// What both sides agreed to, seen from here: what both allow. Whether it flows is [`Connection::is_flowing`].
    pub const fn flow(&self) -> Flow {
        self.ours.and(self.theirs)
    }

    /// Whether data may move now, as far as the stage goes: activated, and halted by neither side.
    pub const fn is_flowing(&self) -> bool {
        matches!(self.stage, Stage::Active { .. })
    }

    /// What the other side would also allow if this side did: its request to widen, waiting for an operator here.
    pub const fn widening_asked(&self) -> Flow {
        self.theirs.without(self.ours)
    }

    /// The originator's enrollment.
    pub const fn originator(&self) -> EnrollmentId {
        match self.role {
            Role::Originator => self.local,
            Role::Importer => self.remote,
        }
    }

    /// The importer's enrollment.
    pub const fn importer(&self) -> EnrollmentId {
        match self.role {
            Role::Originator => self.remote,
            Role::Importer => self.local,
        }
    }

    /// The answer to a peer that still speaks on a connection that is over here, so that it learns so too. It is not
    /// part of the record: sending it any number of times is the same.
    pub fn ending(&self) -> Option<Effect> {
        let body = match self.stage {
            Stage::Requested { .. }
            | Stage::Approved { .. }
            | Stage::Active { .. }
            | Stage::Disabled { .. } => {
                return None;
            }
            Stage::Revoked { .. } => Body::Revoked,
            Stage::Expired { .. } => Body::Expired,
            Stage::Closed { .. } | Stage::Rejected { .. } => Body::Closed,
        };
        let sequence = self.sent.saturating_add(1);
        Some(Effect::Send { sequence, body })
    }

    pub(super) fn at(&self, stage: Stage, now: Time) -> Connection {
        Connection {
            stage,
            changed_at: now,
            ..self.clone()
        }
    }

    /// Numbers a message of this side.
    pub(super) fn send(&mut self, body: Body) -> Effect {
        self.sent = self.sent.saturating_add(1);
        Effect::Send {
            sequence: self.sent,
            body,
        }
    }

    pub(super) fn refused(&self, event: &'static str, reason: Reason) -> Refused {
        Refused {
            stage: self.stage.name(),
            event,
            reason,
        }
    }

    /// A permit for somebody else is none.
    pub(super) fn permitted(&self, permit: &dyn Permit, event: &'static str) -> Result<(), Refused> {
        if permit.connection_peer() == self.remote {
            Ok(())
        } else {
            Err(self.refused(event, Reason::IdentityMismatch))
        }
    }
}
