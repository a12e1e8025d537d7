//! What a writer hands in.

use bytes::Bytes;

use crate::{FeedId, Revision, Table};

/// What must be true of a record for the batch to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The record does not exist.
    Absent,
    /// The record exists and was last written at this revision.
    At(Revision),
}

impl Expect {
    /// The revision that the record is to have.
    pub(crate) fn revision(self) -> Option<Revision> {
        match self {
            Expect::Absent => None,
            Expect::At(revision) => Some(revision),
        }
    }
}

/// One part of a batch.
///
/// A key has 1 to [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX) bytes. [`Table::Objects`], [`Table::Feed`] and
/// [`Table::Audit`] are written through their own operations only: a plain [`Op::Put`] or [`Op::Delete`] there would
/// put them out of step. What breaks these rules refuses the whole batch with [`Error::Corrupt`](crate::Error).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A condition. All conditions are checked, against the state before the batch, before any write.
    Expect(Table, Bytes, Expect),
    /// Write a record, whether it exists or not.
    Put(Table, Bytes, Bytes),
    /// Remove a record, whether it exists or not.
    Delete(Table, Bytes),
    /// Write a record of [`Table::Objects`] and move it to the end of its feed: its revision becomes its sequence in
    /// that feed, and its earlier entry goes. An object belongs to one feed for its life.
    PutInFeed(FeedId, Bytes, Bytes),
    /// Remove a record of [`Table::Objects`] and its entry in its feed (tombstone collection, purge).
    DeleteFromFeed(FeedId, Bytes),
    /// Append a record to the audit chain.
    Audit(Bytes),
}

/// Conditions and writes that become durable together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: Vec<Op>,
    read_at: Option<Revision>,
}

impl Batch {
    /// A batch that asks for nothing yet.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// A batch whose conditions say what was read from the store after it answered this
    /// [`horizon`](crate::Store::horizon). Where nothing was written to a record since, the store takes the condition
    /// at its word and does not look again.
    pub fn read_at(horizon: Option<Revision>) -> Batch {
        Batch {
            ops: Vec::new(),
            read_at: horizon,
        }
    }

    /// Adds a condition.
    pub fn expect(&mut self, table: Table, key: impl Into<Bytes>, expect: Expect) -> &mut Batch {
        self.push(Op::Expect(table, key.into(), expect))
    }

    /// Adds a write.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> &mut Batch {
        self.push(Op::Put(table, key.into(), value.into()))
    }

    /// Adds a removal.
    pub fn delete(&mut self, table: Table, key: impl Into<Bytes>) -> &mut Batch {
        self.push(Op::Delete(table, key.into()))
    }

    /// Adds an object write that moves the object to the end of its feed.
    pub fn put_in_feed(
        &mut self,
        feed: FeedId,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> &mut Batch {
        self.push(Op::PutInFeed(feed, key.into(), value.into()))
    }

    /// Adds an object removal that also leaves the feed.
    pub fn delete_from_feed(&mut self, feed: FeedId, key: impl Into<Bytes>) -> &mut Batch {
        self.push(Op::DeleteFromFeed(feed, key.into()))
    }

    /// Adds an audit record.
    pub fn audit(&mut self, body: impl Into<Bytes>) -> &mut Batch {
        self.push(Op::Audit(body.into()))
    }

    /// Adds everything of another batch.
    pub fn append(&mut self, mut other: Batch) -> &mut Batch {
        // What holds for both is the earlier horizon, and none where one of them has none.
        self.read_at = self.read_at.min(other.read_at);
        self.ops.append(&mut other.ops);
        self
    }

    /// As of when the conditions were read.
    pub(crate) fn horizon(&self) -> Option<Revision> {
        self.read_at
    }

    /// The parts in the order they were added.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The parts, taken out.
    pub(crate) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// A batch of these parts.
    #[cfg(test)]
    pub(crate) fn from_ops(ops: Vec<Op>) -> Batch {
        Batch { ops, read_at: None }
    }

    /// About how many bytes the batch holds, for those who bound what they gather.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |op: &Op| match op {
            Op::Expect(_, key, _) | Op::Delete(_, key) | Op::DeleteFromFeed(_, key) => key.len(),
            Op::Put(_, key, value) | Op::PutInFeed(_, key, value) => key.len() + value.len(),
            Op::Audit(body) => body.len(),
        };
        self.ops.iter().map(bytes).sum()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    fn push(&mut self, op: Op) -> &mut Batch {
        self.ops.push(op);
        self
    }
}
