//! What a step gives.

use serde::{Deserialize, Serialize};

use super::{Body, Connection, Flow, Imported, Rejection, Side};
use crate::ChangeRequestId;
use crate::reason::Reason;
use crate::security::Security;

/// A step that was taken. `next` is stored with a compare-and-set, together with what `effects` sends and with `fact`,
/// before any effect is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The record from now on.
    pub next: Connection,
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// What the audit log says; `None` when the step changed nothing worth telling.
    pub fact: Option<Fact>,
}

impl Step {
    /// The answer to what was done before, or to what makes no difference.
    pub(super) fn unchanged(connection: &Connection) -> Step {
        Step {
            next: connection.clone(),
            effects: Vec::new(),
            fact: None,
        }
    }

    /// Whether it says nothing new: the answer is the same as the first time, and nothing is to be done.
    pub fn is_noop(&self) -> bool {
        self.fact.is_none() && self.effects.is_empty()
    }
}

/// What is to be done once the step is stored. Each is safe to repeat after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this to the other side; see [`super::Message::of`].
    Send {
        /// The message's number.
        sequence: u64,
        /// What it says.
        body: Body,
    },
    /// Start the streams of the connection.
    StartStreams,
    /// Stop the streams now; keep the cursors.
    StopStreams,
    /// Let the streams finish what is on its way, then stop them for good.
    DrainStreams,
    /// The terms changed: streams start a new policy generation under the new ones.
    ReviseStreams,
    /// Remove what was imported here, in batches.
    PurgeImported,
}

/// What happened, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A request was made and its code given out.
    Requested,
    /// A new code took the place of the earlier one.
    Reissued,
    /// The importer approved.
    Approved {
        /// Who that is.
        by: Side,
    },
    /// The request or the approval was turned down.
    Rejected {
        /// By whom.
        by: Side,
        /// Why.
        why: Rejection,
    },
    /// The originator took the request back.
    Revoked {
        /// Who that is.
        by: Side,
    },
    /// The code came to its end unused.
    Expired,
    /// The originator activated.
    Activated {
        /// Who that is.
        by: Side,
    },
    /// A side halted the connection.
    Disabled {
        /// Which.
        by: Side,
    },
    /// A side lifted its halt.
    Enabled {
        /// Which.
        by: Side,
    },
    /// A side set what it allows to flow.
    DataTypesSet {
        /// Which.
        by: Side,
        /// What flows now, seen from here.
        now: Flow,
        /// What the side would also allow, if the other did.
        asked: Flow,
    },
    /// Re-exporting was allowed or forbidden here.
    ReExportSet {
        /// Whether it is allowed now.
        allowed: bool,
    },
    /// A side proposed another security.
    SecurityProposed {
        /// Which.
        by: Side,
        /// The change request.
        id: ChangeRequestId,
        /// What it proposes.
        security: Security,
    },
    /// Two proposals crossed; the originator's stays and this one is void.
    ProposalVoid {
        /// The change request that is void.
        id: ChangeRequestId,
    },
    /// A side decided on the other's proposal.
    SecurityDecided {
        /// Which.
        by: Side,
        /// The change request.
        id: ChangeRequestId,
        /// Whether it takes effect.
        approved: bool,
    },
    /// A side ended the connection.
    Closed {
        /// Which.
        by: Side,
        /// What becomes of the data imported here.
        imported: Imported,
        /// Whether it was ended here without draining.
        forced: bool,
    },
    /// The operator had the imported data of a closed connection removed after all.
    Purged,
}

/// The step is not possible; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a connection that is {stage} does not take \"{event}\": {reason}")]
pub struct Refused {
    /// The stage the connection is in; `new` where there is none yet.
    pub stage: &'static str,
    /// What was tried.
    pub event: &'static str,
    /// The stable word.
    pub reason: Reason,
}
