//! The records of an enrollment: which domain type is kept in which table, under which key.
//!
//! Formats are for ever: what a version of peerd wrote, every later one reads. The fixtures beside the tests hold that.

use bytes::Bytes;
use peerd_core::audit::Fact;
use serde::{Deserialize, Serialize};

use crate::Error;

mod admin;
mod collection;
mod data;
mod exchange;
mod job;
mod peering;
mod restored;

pub use admin::{NameKind, NamedThing, TokenOwner};
pub use collection::{Collection, Milestone, Removal};
pub use data::{ConflictEntry, SpaceOntology};
pub use exchange::{ExportCursor, ImportCursor, Mark, Parked, PurgeDue, Shared};
pub use job::{Cause, Job, JobCounts, JobFailure, JobStatus, Payload};
pub use peering::{DialState, Queued, outbox_prefix};
pub use restored::Restored;

/// An audit fact as the chain keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded<F> {
    /// The version of the fact's form.
    v: u8,
    fact: F,
}

/// The bytes of an audit fact: JSON, so that an auditor needs no tool of ours to read the chain.
pub fn encode_fact(fact: &Fact) -> Result<Bytes, Error> {
    let damaged = |error| Error::Corrupt {
        what: "an audit fact".into(),
        source: Some(Box::new(error)),
    };
    serde_json::to_vec(&Recorded { v: 1, fact })
        .map(Bytes::from)
        .map_err(damaged)
}

/// Reads what [`encode_fact`] made.
pub fn decode_fact(bytes: &[u8]) -> Result<Fact, Error> {
    let damaged = |error| Error::Corrupt {
        what: "an audit fact".into(),
        source: Some(Box::new(error)),
    };
    let recorded: Recorded<Fact> = serde_json::from_slice(bytes).map_err(damaged)?;
    Ok(recorded.fact)
}
