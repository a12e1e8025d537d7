//! A store whose commits are counted and timed.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use peerd_node::exchange::Count;
use peerd_store::{
    AuditEntry, Batch, Change, Committed, Copying, Entry, Error, FeedId, Range, Revision, Sequence, Store,
    Table, Topic,
};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::watch;

/// The upper bounds of the buckets, in seconds: one wait for a disk, good or bad.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0,
];

/// What was counted of commits.
#[derive(Debug)]
pub(crate) struct Commits {
    /// How long those that were written took.
    pub(crate) seconds: Histogram,
    /// Those that found something changed meanwhile, and are decided again.
    pub(crate) conflicts: Count,
    /// Those that failed.
    pub(crate) failures: Count,
}

impl Default for Commits {
    fn default() -> Commits {
        Commits {
            seconds: Histogram::new(BUCKETS),
            conflicts: Count::default(),
            failures: Count::default(),
        }
    }
}

/// A store, with its commits counted.
pub(crate) struct Metered {
    store: Arc<dyn Store>,
    commits: Arc<Commits>,
}

impl Metered {
    /// Counts the commits of this store.
    pub(crate) fn new(store: Arc<dyn Store>, commits: Arc<Commits>) -> Metered {
        Metered { store, commits }
    }
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl Store for Metered {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.store.read(table, key).await
    }

    async fn read_many(&self, table: Table, keys: &[Bytes]) -> Result<Vec<Option<Entry>>, Error> {
        self.store.read_many(table, keys).await
    }

    async fn range(&self, range: Range) -> Result<Vec<(Bytes, Entry)>, Error> {
        self.store.range(range).await
    }

    async fn count(&self, table: Table, prefix: &[u8]) -> Result<u64, Error> {
        self.store.count(table, prefix).await
    }

    async fn changes(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<Change>, Error> {
        self.store.changes(feed, after, limit).await
    }

    async fn tail(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        self.store.tail(feed, after, limit).await
    }

    fn horizon(&self) -> Option<Revision> {
        self.store.horizon()
    }

    async fn head(&self, feed: &FeedId) -> Result<Sequence, Error> {
        self.store.head(feed).await
    }

    async fn audit(&self, number: u64, limit: usize) -> Result<Vec<AuditEntry>, Error> {
        self.store.audit(number, limit).await
    }

    fn copy(&self) -> Copying {
        self.store.copy()
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let began = Instant::now();
        let committed = self.store.commit(batch).await;
        match &committed {
            Ok(_) => self.commits.seconds.observe(began.elapsed().as_secs_f64()),
            Err(Error::Conflict) => self.commits.conflicts.add(1),
            Err(_) => self.commits.failures.add(1),
        }
        committed
    }

    fn watch(&self, topic: &Topic) -> watch::Receiver<u64> {
        self.store.watch(topic)
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
