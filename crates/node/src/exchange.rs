//! What goes over a stream of one type in one direction, whatever carries it.

use bytes::Bytes;
use peerd_core::policy::DataType;
use peerd_core::{ConnectionId, Reason, artifact};

mod again;
pub mod blobs;
mod collect;
mod doubts;
mod draft;
mod export;
mod import;
mod intake;
mod item;
mod jobs;
mod marks;
mod offer;
mod park;
mod planned;
mod position;
mod progress;
mod purge;
pub mod rates;
mod stopped;
mod tally;
mod terms;
mod touched;
pub mod verify;
mod walk;
mod withdraw;

pub use collect::Collected;
pub use export::Exporter;
pub use import::Importer;
pub(crate) use jobs::Recorded;
pub use park::Retried;
pub use peerd_store::records::{Cause, Job, JobCounts, JobFailure, JobStatus, Parked, Payload};
pub(crate) use position::{Sealer, end_epoch};
pub use progress::{FeedProgress, Progress};
pub use tally::{Count, Tally, Way};

/// One type's stream on a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The connection.
    pub connection: ConnectionId,
    /// The object type, by its name at the exporting side.
    pub object_type: String,
}

impl Flow {
    /// Which data it carries: what policies are asked about.
    pub fn data(&self) -> DataType {
        artifact::data_of(&self.object_type)
    }
}

/// The streams that this side would run with a peer now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// What it would send.
    pub exports: Vec<Flow>,
    /// What it would take.
    pub imports: Vec<Flow>,
}

/// Where an importer stands. It came with the last batch committed and means something to the exporter alone; empty
/// is before the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub Bytes);

/// What becomes of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its state in the exporter's vocabulary: one byte of hops, then the canonical encoding.
    State(Bytes),
    /// It is no longer offered: the imported copy goes. Why is not told.
    Retraction,
}

/// One object of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The object's primary key.
    pub key: String,
    /// What becomes of it.
    pub change: Change,
}

/// Changes of one type, in the order of the exporter's feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Counts up within one stream, from 1.
    pub number: u64,
    /// The position this batch continues from.
    pub previous: Position,
    /// The position after it.
    pub cursor: Position,
    /// The exporter's sharing revision that the items are in the vocabulary of.
    pub sharing_revision: u64,
    /// The changes.
    pub items: Vec<Item>,
    /// Whether nothing more was waiting when the batch was made.
    pub caught_up: bool,
}

/// An item that could not be applied and was parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The object's primary key.
    pub key: String,
    /// Why.
    pub reason: Reason,
}

/// A batch was committed, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The batch's number.
    pub number: u64,
    /// The position committed with it.
    pub cursor: Position,
    /// Items that were parked instead of applied.
    pub refusals: Vec<Refusal>,
}
