//! The content of artifacts, on its way from the side that offers them to the side that has them since.
//!
//! What an artifact is comes with the objects; its content is asked for by the importer, part by part, and each part is
//! checked by itself. What is missing is never written down: it is what artifacts refer to and is not here. So whatever
//! crashed, a look at both says what remains to be done.

use std::ops::Range;

use bytes::Bytes;
use peerd_core::{Blob, ConnectionId, Reason};

mod fetching;
mod garbage;
mod importer;
mod queue;
mod relayed;
mod source;
mod turn;
mod view;

pub use garbage::RemovedContent;
pub use importer::BlobImporter;
pub use peerd_store::blobs::groups_of;
pub use relayed::{CarriedContent, ContentTaken};
pub use source::BlobExporter;
pub use turn::Turn;
pub use view::{Transfer, TransferStanding};

pub(crate) use view::Transfers;

/// The most bytes of one part.
pub const PIECE_BYTES_MAX: usize = 256 << 10;
/// The most groups of one ask.
pub const GROUPS_MAX: u64 = 64;
/// The most asks that wait for their answers on one stream.
pub const ASKS_MAX: usize = 64;

/// Asks for a part of an artifact's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Counts up within one stream, from 1.
    pub number: u64,
    /// The connection the artifact is offered on.
    pub connection: ConnectionId,
    /// The artifact's key.
    pub artifact: String,
    /// Its content.
    pub blob: Blob,
    /// What of it.
    pub what: What,
}

/// What of some content is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The outline's bytes.
    Outline,
    /// These groups: at least one, at most [`GROUPS_MAX`].
    Groups(Range<u64>),
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The number of the ask.
    pub number: u64,
    /// The next bytes, at most [`PIECE_BYTES_MAX`] and of one group.
    pub piece: Bytes,
    /// Whether this is the last part.
    pub last: bool,
    /// Why there is no answer, or no more of it.
    pub reason: Option<Reason>,
}
