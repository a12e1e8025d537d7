//! The data relay: peering by files that something else carries.
//!
//! A [`bundle`](mod@bundle) is one file. It has a signed header and records of one kind, in one of two forms: sealed, for carriers that
//! must not read it, and XML, for guards that must. What the records mean, and what becomes of them, is decided where it
//! is decided for MPX: in `peerd-node`. Here is only how they are written, read and carried.
//!
//! Every file is a stranger's until its signature was verified, and its size is bounded before memory is spent on it.
#![warn(missing_docs)]

pub mod bundle;
pub mod carry;
pub mod directory;
pub mod engine;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod hash;
pub mod header;
pub mod inbox;
mod limits;
pub mod outbox;
pub mod parity;
pub mod record;
mod refused;
mod sealed;
mod xml;

pub use bundle::{
    Facts, OpenForm, Opened, Opening, WriteForm, Writing, Written, peek, peek_flow, read, write,
};
pub use header::{Digest, Form, Header, Kind, LinkEpoch};
pub use inbox::{Inbox, InboxLimits};
pub use limits::Limits;
pub use outbox::Outbox;
pub use record::Records;
pub use refused::{CannotWrite, Refused};
pub use xml::{Schemas, xsd};
