//! The backend of tests and demos: everything in memory, durable only as long as the value lives.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::copy::{self, Copied, Copying};
use crate::engine::{Group, Heads, Writes};
use crate::notify::Notifier;
use crate::read::{self, Keys, View};
use crate::{
    AuditEntry, Batch, Change, Committed, Entry, Error, FeedId, Range, Revision, Sequence, Store, Table,
    Topic,
};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Arc<RwLock<Tables>>,
    notifier: Notifier,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Tables {
    heads: Heads,
    records: BTreeMap<Table, BTreeMap<Bytes, Entry>>,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// A store over the same records, as a restarted daemon would open it. Watchers stay with the store they asked.
    pub fn reopen(&self) -> Memory {
        Memory {
            tables: Arc::clone(&self.tables),
            ..Memory::default()
        }
    }

    /// Overwrites a value behind the store's back, keeping its revision: damage, for tests.
    #[cfg(any(test, feature = "conformance"))]
    pub fn danger_overwrite_for_tests(&self, table: Table, key: &[u8], value: Bytes) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = tables.records.get_mut(&table).and_then(|t| t.get_mut(key)) {
            entry.value = value;
        }
    }

    /// The lock guards no step that could stop half way: a group is staged aside and then only moved in.
    fn tables(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, batch: Batch) -> Result<(Committed, Writes), Error> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        // Asked under the lock: whoever closes then waits for the batch, or the batch is refused.
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Unavailable("the store was closed".into()));
        }
        let mut group = Group::new(&*tables, tables.heads, None);
        let committed = group.stage(batch)?;
        let (writes, heads) = group.finish();
        tables.heads = heads;
        tables.apply(&writes);
        Ok((committed, writes))
    }
}

impl Tables {
    fn apply(&mut self, writes: &Writes) {
        for (table, changed) in &writes.tables {
            let records = self.records.entry(*table).or_default();
            for (key, entry) in changed {
                match entry {
                    Some(entry) => records.insert(key.clone(), entry.clone()),
                    None => records.remove(key),
                };
            }
        }
    }

    fn within(&self, table: Table, keys: &Keys) -> impl DoubleEndedIterator<Item = (&Bytes, &Entry)> {
        let records = self.records.get(&table);
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = keys.bounds();
        records
            .into_iter()
            .flat_map(move |records| records.range::<[u8], _>(bounds))
    }
}

impl View for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        Ok(self
            .records
            .get(&table)
            .and_then(|records| records.get(key))
            .cloned())
    }

    fn scan(&self, table: Table, keys: &Keys, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        let within = self.within(table, keys).take(limit);
        Ok(within.map(|(key, entry)| (key.clone(), entry.clone())).collect())
    }

    fn count(&self, table: Table, keys: &Keys) -> Result<u64, Error> {
        Ok(self.within(table, keys).count() as u64)
    }

    fn last(&self, table: Table, keys: &Keys) -> Result<Option<Bytes>, Error> {
        Ok(self.within(table, keys).next_back().map(|(key, _)| key.clone()))
    }
}

#[async_trait]
impl Store for Memory {
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.tables().get(table, key)
    }

    async fn read_many(&self, table: Table, keys: &[Bytes]) -> Result<Vec<Option<Entry>>, Error> {
        let tables = self.tables();
        keys.iter().map(|key| tables.get(table, key)).collect()
    }

    async fn range(&self, range: Range) -> Result<Vec<(Bytes, Entry)>, Error> {
        read::range(&*self.tables(), &range)
    }

    async fn count(&self, table: Table, prefix: &[u8]) -> Result<u64, Error> {
        read::count(&*self.tables(), table, prefix)
    }

    async fn changes(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<Change>, Error> {
        read::changes(&*self.tables(), feed, after, limit)
    }

    async fn tail(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        read::tail(&*self.tables(), feed, after, limit)
    }

    /// Every condition is looked up all the same: it costs nothing here.
    fn horizon(&self) -> Option<Revision> {
        Some(Revision(self.tables().heads.revision))
    }

    async fn head(&self, feed: &FeedId) -> Result<Sequence, Error> {
        read::head(&*self.tables(), feed)
    }

    async fn audit(&self, number: u64, limit: usize) -> Result<Vec<AuditEntry>, Error> {
        read::audit(&*self.tables(), number, limit)
    }

    /// All of it is there when this returns: records share their bytes.
    fn copy(&self) -> Copying {
        let tables = self.tables();
        let mut parts = vec![Ok(Copied::Heads(Revision(tables.heads.revision)))];
        let take = |part| {
            parts.push(Ok(part));
            true
        };
        if let Err(error) = copy::read_all(&*tables, take) {
            parts.push(Err(error));
        }
        stream::iter(parts).boxed()
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let (committed, writes) = self.write(batch)?;
        self.notifier.bump(writes.topics());
        Ok(committed)
    }

    fn watch(&self, topic: &Topic) -> watch::Receiver<u64> {
        self.notifier.watch(topic)
    }

    async fn close(&self) {
        let _writing = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
