//! The stages of a connection, each with the facts that are true in it.

use serde::{Deserialize, Serialize};

use super::{Remark, Side};
use crate::Time;
use crate::code::ProofKey;
use crate::reason::Reason;

/// How far a connection has come, seen from this side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The invite code is out. Only the originator is ever here.
    Requested {
        /// When the code ends.
        until: Time,
        /// What checks the proof of who approves.
        key: ProofKey,
    },
    /// The importer approved; the originator has not activated yet.
    Approved {
        /// When the approval was given, or arrived.
        at: Time,
    },
    /// Data flows.
    Active {
        /// Since it was activated.
        since: Time,
    },
    /// A side halted it; cursors are kept.
    Disabled {
        /// Since it was activated.
        since: Time,
        /// Who halted it.
        halt: Halt,
    },
    /// Ended after an approval.
    Closed {
        /// When.
        at: Time,
        /// Who ended it.
        by: Side,
        /// What became of the data imported here.
        imported: Imported,
        /// Whether an operator ended it here without waiting for streams to drain.
        #[serde(default)]
        forced: bool,
    },
    /// The request, or the approval, was turned down.
    Rejected {
        /// When.
        at: Time,
        /// Who turned it down.
        by: Side,
        /// Why.
        why: Rejection,
    },
    /// The invite code was not used in time.
    Expired {
        /// When this was noticed.
        at: Time,
    },
    /// The originator took the request back.
    Revoked {
        /// When.
        at: Time,
    },
}

impl Stage {
    /// The word of the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Stage::Requested { .. } => "requested",
            Stage::Approved { .. } => "approved",
            Stage::Active { .. } => "active",
            Stage::Disabled { .. } => "disabled",
            Stage::Closed { .. } => "closed",
            Stage::Rejected { .. } => "rejected",
            Stage::Expired { .. } => "expired",
            Stage::Revoked { .. } => "revoked",
        }
    }

    /// Whether nothing moves the connection any more.
    pub const fn is_final(&self) -> bool {
        match self {
            Stage::Requested { .. }
            | Stage::Approved { .. }
            | Stage::Active { .. }
            | Stage::Disabled { .. } => false,
            Stage::Closed { .. } | Stage::Rejected { .. } | Stage::Expired { .. } | Stage::Revoked { .. } => {
                true
            }
        }
    }
}

/// Who halted a connection, and when. Each side lifts only its own halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// This side.
    Here(Time),
    /// The other side.
    There(Time),
    /// Both sides.
    Both {
        /// When this side did.
        here: Time,
        /// When the other side did.
        there: Time,
    },
}

impl Halt {
    /// A halt by one side.
    pub const fn by(side: Side, at: Time) -> Halt {
        match side {
            Side::Here => Halt::Here(at),
            Side::There => Halt::There(at),
        }
    }

    /// Whether this side is among those who halted it.
    pub const fn holds(self, side: Side) -> bool {
        match self {
            Halt::Here(_) => matches!(side, Side::Here),
            Halt::There(_) => matches!(side, Side::There),
            Halt::Both { .. } => true,
        }
    }

    /// With this side's halt too. A halt that holds keeps its time.
    pub const fn and(self, side: Side, at: Time) -> Halt {
        match (self, side) {
            (Halt::Here(here), Side::There) => Halt::Both { here, there: at },
            (Halt::There(there), Side::Here) => Halt::Both { here: at, there },
            (held, _) => held,
        }
    }

    /// Without this side's halt; `None` when none is left.
    pub const fn without(self, side: Side) -> Option<Halt> {
        match (self, side) {
            (Halt::Both { there, .. }, Side::Here) => Some(Halt::There(there)),
            (Halt::Both { here, .. }, Side::There) => Some(Halt::Here(here)),
            (Halt::Here(_), Side::Here) | (Halt::There(_), Side::There) => None,
            (held, _) => Some(held),
        }
    }
}

/// What becomes of the data that was imported here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Imported {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Purge,
}

/// Why a request or an approval was turned down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// An operator said no, and why.
    Remark(Remark),
    /// The other side's rules said no.
    Refused(Reason),
}
