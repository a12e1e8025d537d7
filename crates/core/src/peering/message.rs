//! What the two sides of a connection tell each other.

use serde::{Deserialize, Serialize};

use super::{Connection, Flow, Remark, TermsDigest};
use crate::code::Proof;
use crate::name::{Name, Title};
use crate::security::Security;
use crate::{ChangeRequestId, ConnectionId, EnrollmentId, MessageId, Time};

/// A lifecycle message. It is signed by the sender's identity key as a whole, delivered at least once, and means the
/// same however it travelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its idempotency key.
    pub id: MessageId,
    /// The connection.
    pub connection: ConnectionId,
    /// The sender.
    pub from: EnrollmentId,
    /// The recipient.
    pub to: EnrollmentId,
    /// Its number among the messages of this sender on this connection, from 1, without holes.
    pub sequence: u64,
    /// When it was made, by the sender's clock.
    pub sent_at: Time,
    /// What happened.
    pub body: Body,
}

impl Message {
    /// The message that carries a [`super::Effect::Send`] of this connection.
    pub fn of(connection: &Connection, id: MessageId, sequence: u64, body: Body, now: Time) -> Message {
        Message {
            id,
            connection: connection.id,
            from: connection.local,
            to: connection.remote,
            sequence,
            sent_at: now,
            body,
        }
    }
}

/// What happened at the sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The importer approved the request.
    Approved {
        /// The importer's space.
        space: Name,
        /// The importer's platform title, if it has set one.
        title: Option<Title>,
        /// The security it allows: at most what was asked.
        security: Security,
        /// Shows that it holds the invite code.
        proof: Proof,
    },
    /// The importer turned the request down.
    Rejected {
        /// Why.
        remark: Remark,
        /// Shows that it holds the invite code.
        proof: Proof,
    },
    /// The originator took the request back.
    Revoked,
    /// The approval came after the code's end.
    Expired,
    /// The originator activated.
    Activated {
        /// What it activated; it has to be what the importer approved.
        terms: TermsDigest,
    },
    /// The sender halted the connection.
    Disabled,
    /// The sender lifted its halt.
    Enabled,
    /// The sender set what it allows to flow.
    DataTypesSet {
        /// Seen from the sender.
        flow: Flow,
    },
    /// The sender proposes another security.
    SecurityProposed {
        /// The change request.
        id: ChangeRequestId,
        /// What it proposes.
        security: Security,
    },
    /// The sender decided on the recipient's proposal.
    SecurityDecided {
        /// The change request.
        id: ChangeRequestId,
        /// The decision.
        decision: Decision,
    },
    /// The sender ended the connection.
    Closed,
}

/// The decision on a change request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It takes effect.
    Approve,
    /// It does not.
    Reject {
        /// Why.
        remark: Remark,
    },
}

impl Body {
    /// The event in one word, for refusals, metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Body::Approved { .. } => "approved",
            Body::Rejected { .. } => "rejected",
            Body::Revoked => "revoked",
            Body::Expired => "expired",
            Body::Activated { .. } => "activated",
            Body::Disabled => "disabled",
            Body::Enabled => "enabled",
            Body::DataTypesSet { .. } => "data types set",
            Body::SecurityProposed { .. } => "security proposed",
            Body::SecurityDecided { .. } => "security decided",
            Body::Closed => "closed",
        }
    }

    /// Whether it ends the connection, and so may overtake what was sent before it.
    pub const fn is_ending(&self) -> bool {
        matches!(
            self,
            Body::Rejected { .. } | Body::Revoked | Body::Expired | Body::Closed
        )
    }

    /// Whether it is only sent and taken where policy permits peering with the other side.
    pub const fn needs_permit(&self) -> bool {
        matches!(self, Body::Approved { .. } | Body::Activated { .. })
    }
}
