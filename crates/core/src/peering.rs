//! Peer connections: space to space, over a link.
//!
//! Each side keeps a [`Connection`] and moves it by pure steps: an operator's [`Command`], a peer's [`Message`], or time.
//! A step gives the next record, the effects to carry out once it is stored, and the fact for the audit log. A step
//! that the stage does not allow is [`Refused`] and changes nothing.
//!
//! Messages of one side are numbered per connection and taken in that order, each once: what was taken before is a
//! no-op, what comes too early is told so and comes again. Only an ending overtakes, since nothing follows it. Every
//! fact is owned by one side (its own halt, its own data types), or decided by one side at a time (a change request),
//! so both records agree once all messages have arrived, whatever crossed on the way.

use serde::{Deserialize, Serialize};

use crate::EnrollmentId;
use crate::security::Levels;

mod agreement;
mod command;
mod connection;
mod event;
mod flow;
mod handshake;
mod message;
mod remark;
mod stage;
mod step;
#[cfg(test)]
mod tests;

pub use agreement::{Agreement, TermsDigest, View};
pub use command::Command;
pub use connection::{Change, Connection, LocalSpace};
pub use flow::{DataTypes, Flow};
pub use handshake::{Approval, Request};
pub use message::{Body, Decision, Message};
pub use remark::{InvalidRemark, Remark};
pub use stage::{Halt, Imported, Rejection, Stage};
pub use step::{Effect, Fact, Refused, Step};

/// Which side of a connection an enrollment is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It asked for the connection, and activates it.
    Originator,
    /// It was asked, and approves it.
    Importer,
}

/// Who did something, seen from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// This side.
    Here,
    /// The other side.
    There,
}

/// The proof that policy allows peering with an enrollment. The policy module makes it, and nobody else.
pub trait Permit {
    /// The enrollment it is for.
    fn connection_peer(&self) -> EnrollmentId;
}

/// What this side allows when a peer's message arrives.
#[derive(Clone, Copy)]
pub struct Allowed<'a> {
    /// The permit for the sender, if policy gave one. Only [`Body::needs_permit`] messages ask for it.
    pub permit: Option<&'a dyn Permit>,
    /// The classification levels known here.
    pub levels: &'a Levels,
}

impl std::fmt::Debug for Allowed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Allowed")
            .field("permit", &self.permit.map(Permit::connection_peer))
            .field("levels", self.levels)
            .finish()
    }
}
