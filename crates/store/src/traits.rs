//! What every backend offers.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::copy::Copying;
use crate::{Batch, Error, FeedId, Table, Topic};

/// When a record was last written: larger is later, within one record. Two writes never share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A position in one change feed: larger is later. Zero is before the first change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was last written.
    pub revision: Revision,
    /// Its bytes.
    pub value: Bytes,
}

/// One place in a change feed. The feed holds each object once, at its latest change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where in the feed.
    pub sequence: Sequence,
    /// The object's key in [`Table::Objects`].
    pub key: Bytes,
}

/// A record of the audit chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place: 1, 2, 3 …
    pub number: u64,
    /// The hash of the record before it; zeros for the first.
    pub previous: [u8; 32],
    /// SHA-256 over `peerd audit v1`, number (8 bytes, big endian), previous and body.
    pub hash: [u8; 32],
    /// What was recorded.
    pub body: Bytes,
}

/// A part of a table, in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which table.
    pub table: Table,
    /// Only keys that start with these bytes.
    pub prefix: Bytes,
    /// Only keys strictly after this one, when given: the last key of the page before.
    pub after: Option<Bytes>,
    /// At most so many records.
    pub limit: usize,
}

impl Range {
    /// The first `limit` records whose keys start with `prefix`.
    pub fn prefix(table: Table, prefix: impl Into<Bytes>, limit: usize) -> Range {
        Range {
            table,
            prefix: prefix.into(),
            after: None,
            limit,
        }
    }

    /// The same range, from strictly after this key.
    pub fn after(self, key: impl Into<Bytes>) -> Range {
        Range {
            after: Some(key.into()),
            ..self
        }
    }
}

/// What a commit answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision of the batch's last write; every write of the batch has a revision at most this.
    pub revision: Revision,
}

/// A store of records, feeds and the audit chain.
///
/// Every method may be remote and slow; none holds anything open after it returns.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The record with this key.
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error>;

    /// The records with these keys, in the same order. Not one snapshot: a batch's conditions make it safe.
    async fn read_many(&self, table: Table, keys: &[Bytes]) -> Result<Vec<Option<Entry>>, Error>;

    /// Records in key order.
    async fn range(&self, range: Range) -> Result<Vec<(Bytes, Entry)>, Error>;

    /// How many records have keys that start with `prefix`. May scan.
    async fn count(&self, table: Table, prefix: &[u8]) -> Result<u64, Error>;

    /// The changes of a feed after `after`, oldest first, at most `limit`.
    async fn changes(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<Change>, Error>;

    /// The objects of a feed that changed after `after`, in the order of their changes, at most `limit`: keys and
    /// records, all of one moment. A record's revision is its sequence in the feed.
    async fn tail(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error>;

    /// A revision that every read which starts after this call has seen, with all before it; `None` where the store
    /// cannot say. For [`Batch::read_at`](crate::Batch::read_at).
    fn horizon(&self) -> Option<Revision>;

    /// The sequence of a feed's latest change; zero when it has none.
    async fn head(&self, feed: &FeedId) -> Result<Sequence, Error>;

    /// Records of the audit chain from `number` on, at most `limit`.
    async fn audit(&self, number: u64, limit: usize) -> Result<Vec<AuditEntry>, Error>;

    /// Everything that is here, as it is at this moment, whatever is written while it is read.
    fn copy(&self) -> Copying;

    /// Writes a batch, whole and durable, or answers why not.
    async fn commit(&self, batch: Batch) -> Result<Committed, Error>;

    /// A receiver that is marked changed after every commit that touched the topic.
    fn watch(&self, topic: &Topic) -> watch::Receiver<u64>;

    /// Waits for what is being written and refuses whatever comes after.
    async fn close(&self);
}
