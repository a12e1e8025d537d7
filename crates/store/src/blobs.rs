//! Where an enrollment keeps content: bytes known by their hash.
//!
//! Content comes in two ways. An [`Upload`] takes bytes in order whose hash nobody knows yet. A [`Partial`] takes the
//! groups of content whose hash is known, in any order, each checked as it comes. Either way content is visible under
//! its hash when it is whole and durable, and never before; the same content is kept once.

mod depot;
mod disk;
mod memory;
mod outline;
mod shelf;
mod spool;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use peerd_core::{Blob, ContentHash, Time, UploadId};

pub use depot::{Depot, DepotOptions, S3};
pub use memory::MemoryBlobs;
pub use outline::{GROUP_BYTES, Outline, Outliner, SIZE_MAX, group_bytes, groups_of};

use crate::Error;

/// Content as it is read: pieces of at most [`GROUP_BYTES`], each checked before it is handed out. An error ends it.
pub type Content = BoxStream<'static, Result<Bytes, Error>>;

/// A blob that is here, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub blob: Blob,
    /// When it last came in, by the clock of whatever keeps it.
    pub kept_at: Time,
}

/// Something begun and not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Begun {
    /// An upload.
    Upload(UploadId),
    /// Groups of content with this hash.
    Partial(ContentHash),
}

/// Something begun and not finished, with its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub begun: Begun,
    /// When it last grew.
    pub touched_at: Time,
}

/// A store of content.
///
/// Every method may be remote and slow. Acknowledged means durable, as in [`Store`](crate::Store).
#[async_trait]
pub trait Blobs: fmt::Debug + Send + Sync + 'static {
    /// Whether a blob is here, whole.
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error>;

    /// The outline of a blob that is here.
    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error>;

    /// Reads a part of a blob; `None` when it is not here. A range that ends beyond the content ends with it. Bytes that
    /// are not what they were when they were kept give [`Error::Corrupt`], which names the blob, and nothing else.
    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error>;

    /// Begins an upload, or goes on with one that was begun before, also before a restart. While one is open, a second
    /// with the same id is [`Error::Unavailable`].
    async fn upload(&self, id: UploadId) -> Result<Box<dyn Upload>, Error>;

    /// Goes on with what is here of content of this outline, also from before a restart. All who ask while one of them
    /// still has it share it.
    async fn partial(&self, outline: &Outline) -> Result<Arc<dyn Partial>, Error>;

    /// Keeps contents that are whole, each at most [`GROUP_BYTES`], at the cost of about one wait for the disk. Answers
    /// which are not what they are said to be: they are not kept.
    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<Vec<ContentHash>, Error>;

    /// Throws away what was begun; nothing happens when it is not there, or is in use.
    async fn abandon(&self, begun: Begun) -> Result<(), Error>;

    /// Blobs that are here, in the order of their hashes, after `after`, at most `limit`.
    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error>;

    /// What was begun and not finished.
    async fn leftovers(&self) -> Result<Vec<Leftover>, Error>;

    /// Removes a blob, unless it came in at `kept_before` or later, which is seen in one step with the removal: content
    /// that comes in again meanwhile stays. Answers whether it is gone because of this call.
    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error>;
}

/// Content whose hash nobody knows yet, in order.
#[async_trait]
pub trait Upload: fmt::Debug + Send {
    /// How many bytes were taken so far. Right after [`Blobs::upload`] all of them are durable.
    fn offset(&self) -> u64;

    /// Takes the next bytes. Not durable yet.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// Makes durable what was taken, and answers how much of it would be there after a restart: a multiple of
    /// [`GROUP_BYTES`].
    async fn sync(&mut self) -> Result<u64, Error>;

    /// All bytes were taken: the blob is kept, durably, under its hash.
    async fn finish(self: Box<Self>) -> Result<Blob, Error>;
}

/// Groups of content whose hash is known, in any order.
#[async_trait]
pub trait Partial: fmt::Debug + Send + Sync {
    /// The outline of the whole.
    fn outline(&self) -> &Outline;

    /// The groups that are not here yet, in order.
    fn missing(&self) -> Vec<u64>;

    /// How many bytes are here.
    fn bytes(&self) -> u64;

    /// Takes a group, given in pieces. `false`: it is not that group's content, and nothing was taken.
    async fn write(&self, group: u64, pieces: Vec<Bytes>) -> Result<bool, Error>;

    /// When nothing is missing, the blob is kept, durably, under its hash. Once is enough, more does no harm.
    async fn complete(&self) -> Result<(), Error>;
}

/// The error of content that is not what it was.
pub(crate) fn corrupt(hash: &ContentHash) -> Error {
    Error::Corrupt {
        what: format!("blob {hash}"),
        source: None,
    }
}
