//! Where whole blobs are kept.

mod directory;
mod objects;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use peerd_core::{ContentHash, Time};

pub(super) use directory::Directory;
pub(super) use objects::Objects;

use super::{Content, Held, Outline};
use crate::Error;

/// A file of the spool with the whole of some content. Whoever has it gives it away or removes it.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) path: PathBuf,
    pub(super) outline: Outline,
}

/// A place for whole blobs; what its methods mean is said in [`Blobs`](super::Blobs).
#[async_trait]
pub(super) trait Shelf: fmt::Debug + Send + Sync + 'static {
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error>;
    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error>;
    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error>;
    /// Keeps what is staged. The file is gone afterwards, unless this fails.
    async fn place(&self, staged: Staged) -> Result<(), Error>;
    /// Keeps contents that were checked.
    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<(), Error>;
    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error>;
    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error>;
}
