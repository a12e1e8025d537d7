//! A store whose disk is full whenever a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use peerd_store::{
    AuditEntry, Batch, Change, Committed, Copying, Entry, Error, FeedId, Memory, Range, Revision, Sequence,
    Store, Table, Topic,
};
use tokio::sync::watch;

/// A disk that tests fill and empty, and slow down.
#[derive(Clone, Debug, Default)]
pub struct Room {
    full: Arc<AtomicBool>,
    slow: watch::Sender<bool>,
}

impl Room {
    /// From now on nothing more can be written.
    pub fn fill(&self) {
        self.full.store(true, Ordering::Relaxed);
    }

    /// There is room again.
    pub fn clear(&self) {
        self.full.store(false, Ordering::Relaxed);
    }

    /// From now on what is read of the end of a feed does not arrive.
    pub fn hold_tails(&self) {
        self.slow.send_replace(true);
    }

    /// What was read arrives, as it was when it was read.
    pub fn release_tails(&self) {
        self.slow.send_replace(false);
    }
}

/// A store in memory on such a disk: when it is full commits are refused and reads go on, as with a real one.
#[derive(Debug)]
pub struct Scarce {
    store: Memory,
    room: Room,
}

impl Scarce {
    /// This store on this disk.
    pub fn new(store: Memory, room: Room) -> Scarce {
        Scarce { store, room }
    }
}

#[async_trait]
impl Store for Scarce {
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
        let read = self.store.tail(feed, after, limit).await;
        // Not waited for otherwise: the runtime would now and then make even that wait a turn.
        if *self.room.slow.borrow() {
            let _ = self.room.slow.subscribe().wait_for(|slow| !slow).await;
        }
        read
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
        if self.room.full.load(Ordering::Relaxed) {
            return Err(Error::Full("the test filled the disk".into()));
        }
        self.store.commit(batch).await
    }

    fn watch(&self, topic: &Topic) -> watch::Receiver<u64> {
        self.store.watch(topic)
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
