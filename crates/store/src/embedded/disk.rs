//! Tables as the storage engine keeps them.
//!
//! The three large tables have a keyspace each: they differ in size and in how they are written. All others share
//! one, under the table's name and a zero byte, so that an idle store is small and opens quickly. A stored value is
//! its revision (8 bytes, big endian) and the record's bytes.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use fjall::compaction::Leveled;
use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode, Readable as _, Slice};

use crate::embedded::Options;
use crate::engine::{Heads, KEY_BYTES_MAX, Writes};
use crate::read::{self, Keys, View};
use crate::{Entry, Error, Revision, Table};

/// Where the last given revision is kept, among the small tables. No table's name starts with a zero byte.
const REVISION: &[u8] = b"\0revision";

/// The engine's journals together; the rest is moved to its place by then. Bounds how long opening takes.
const JOURNAL_BYTES_MAX: u64 = 128 << 20;

const OPEN_FILES_MAX: usize = 256;

/// The tables of small records keep so many times less of what was written lately in memory than that of the objects.
const SMALL_MEMTABLES: u64 = 4;

/// The engine's threads that move recent writes to their place. One: of several, the engine keeps one free for the most
/// urgent work, and that one spins while the others are busy.
const WORKERS: usize = 1;

/// The engine's files have so many bytes: what is written again moves those it overlaps, each as a whole. Objects, and what
/// is small: a file of it holds more records.
const OBJECT_FILE_BYTES: u64 = 8 << 20;
const SMALL_FILE_BYTES: u64 = 4 << 20;

/// Recent writes in memory are at most so many times what is kept of the objects,
const RECENT_MEMTABLES: u64 = 3;

/// and while there are more, this is how often to look.
const PACE: Duration = Duration::from_millis(1);

/// Nobody waits longer than this for the engine: if it has stopped, the next write says so.
const PATIENCE: Duration = Duration::from_secs(2);

/// The engine, open. Dropping it closes it; the directory is free after that.
pub(super) struct Disk {
    engine: Database,
    small: Keyspace,
    objects: Keyspace,
    feed: Keyspace,
    audit: Keyspace,
    recent_bytes_max: u64,
    /// Last, so that the directory is free only when the engine is down.
    lock: Option<File>,
}

impl Disk {
    pub(super) fn open(path: &Path, options: &Options, lock: File) -> Result<Disk, Error> {
        Disk::with(path, options, Some(lock)).map_err(store_error)
    }

    /// Makes the engine's files, whole when this returns.
    pub(super) fn create(path: &Path, options: &Options) -> Result<(), Error> {
        Disk::with(path, options, None).map(drop).map_err(store_error)
    }

    fn with(path: &Path, options: &Options, lock: Option<File>) -> fjall::Result<Disk> {
        let engine = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .worker_threads(WORKERS)
            .open()?;
        // A small record takes several times its bytes in memory.
        let small_bytes = options.memtable_bytes / SMALL_MEMTABLES;
        let keyspace = |name| engine.keyspace(name, || of_size(small_bytes, SMALL_FILE_BYTES));
        Ok(Disk {
            small: keyspace("small")?,
            objects: engine.keyspace(Table::Objects.name(), || {
                of_size(options.memtable_bytes, OBJECT_FILE_BYTES)
            })?,
            feed: keyspace(Table::Feed.name())?,
            audit: keyspace(Table::Audit.name())?,
            recent_bytes_max: options.memtable_bytes * RECENT_MEMTABLES,
            engine,
            lock,
        })
    }

    /// What is committed now.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            disk: self,
            at: self.engine.snapshot(),
        }
    }

    /// Where the counters stood at the last commit.
    pub(super) fn heads(&self) -> Result<Heads, Error> {
        self.snapshot().heads()
    }

    /// Closes the engine and hands out the lock of its directory.
    pub(super) fn close(mut self) -> Option<File> {
        self.lock.take()
    }

    /// Says that no revision after this one was given out.
    pub(super) fn set_revision(&self, revision: u64) -> fjall::Result<()> {
        let mut batch =
            OwnedWriteBatch::with_capacity(self.engine.clone(), 1).durability(Some(PersistMode::SyncAll));
        batch.insert(&self.small, REVISION, revision.to_be_bytes());
        batch.commit()
    }

    /// Waits while the engine keeps too much of what was written lately in memory. It sets itself no limit that holds:
    /// it moves nothing to its place while it is busy with what lies there, and takes writes meanwhile. It tells nobody
    /// when it has moved something, so this looks now and then.
    pub(super) fn pace(&self) {
        let steps = PATIENCE.as_millis() / PACE.as_millis();
        for _ in 0..steps {
            if self.engine.write_buffer_size() <= self.recent_bytes_max {
                return;
            }
            thread::sleep(PACE);
        }
    }

    /// Makes these writes durable and visible, all at once.
    pub(super) fn write(&self, writes: &Writes, heads: &Heads) -> fjall::Result<()> {
        let records: usize = writes.tables.values().map(BTreeMap::len).sum();
        if records == 0 {
            return Ok(());
        }
        // The engine's own default does not sync.
        let mut batch = OwnedWriteBatch::with_capacity(self.engine.clone(), records + 1)
            .durability(Some(PersistMode::SyncAll));
        for (table, records) in &writes.tables {
            let (keyspace, tag) = self.place(*table);
            for (key, entry) in records {
                let key = stored_key(tag, key);
                match entry {
                    Some(entry) => batch.insert(keyspace, key, stored_value(entry)),
                    None => batch.remove(keyspace, key),
                }
            }
        }
        batch.insert(&self.small, REVISION, heads.revision.to_be_bytes());
        batch.commit()
    }

    #[cfg(any(test, feature = "conformance"))]
    pub(super) fn overwrite(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let Some(mut entry) = self.snapshot().get(table, key)? else {
            return Ok(());
        };
        entry.value = Bytes::copy_from_slice(value);
        let (keyspace, tag) = self.place(table);
        let key = stored_key(tag, &Bytes::copy_from_slice(key));
        keyspace.insert(key, stored_value(&entry)).map_err(store_error)
    }

    /// The keyspace of a table, and the tag its keys start with there.
    fn place(&self, table: Table) -> (&Keyspace, &'static str) {
        match table {
            Table::Objects => (&self.objects, ""),
            Table::Feed => (&self.feed, ""),
            Table::Audit => (&self.audit, ""),
            small => (&self.small, small.name()),
        }
    }
}

/// Keyspaces with so many bytes of recent writes in memory, and in each file on disk. What helps to find a key in a large file comes in small
/// parts: whole, it is a megabyte to read for one key, and too much to be kept.
fn of_size(memtable_bytes: u64, file_bytes: u64) -> KeyspaceCreateOptions {
    let compaction = Leveled::default().with_table_target_size(file_bytes);
    KeyspaceCreateOptions::default()
        .max_memtable_size(memtable_bytes)
        .compaction_strategy(Arc::new(compaction))
        .index_block_partitioning_policy(PartitioningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(true))
}

/// The bytes in front of every key: the tag and a zero byte, or nothing.
fn tag_bytes(tag: &str) -> Vec<u8> {
    let end: &[u8] = if tag.is_empty() { b"" } else { b"\0" };
    [tag.as_bytes(), end].concat()
}

fn stored_key(tag: &str, key: &Bytes) -> Slice {
    if tag.is_empty() {
        return key.clone().into();
    }
    [tag.as_bytes(), b"\0", key].concat().into()
}

fn stored_value(entry: &Entry) -> Slice {
    let mut stored = Vec::with_capacity(8 + entry.value.len());
    stored.extend_from_slice(&entry.revision.0.to_be_bytes());
    stored.extend_from_slice(&entry.value);
    stored.into()
}

fn entry(table: Table, stored: Slice) -> Result<Entry, Error> {
    let mut value = Bytes::from(stored);
    let revision = value.try_get_u64().map_err(|_| damaged(table.name()))?;
    Ok(Entry {
        revision: Revision(revision),
        value,
    })
}

/// Committed state at one moment.
pub(super) struct Snapshot<'a> {
    disk: &'a Disk,
    at: fjall::Snapshot,
}

impl Snapshot<'_> {
    /// Where the counters stood.
    pub(super) fn heads(&self) -> Result<Heads, Error> {
        let stored = self.at.get(&self.disk.small, REVISION).map_err(store_error)?;
        let revision = match stored.as_deref().map(<[u8; 8]>::try_from) {
            None => 0,
            Some(Ok(bytes)) => u64::from_be_bytes(bytes),
            Some(Err(_)) => return Err(damaged("the revision counter")),
        };
        Ok(Heads {
            revision,
            audit: read::audit_head(self)?,
        })
    }

    fn within(&self, table: Table, keys: &Keys) -> (fjall::Iter, usize) {
        let (keyspace, tag) = self.disk.place(table);
        let tag = tag_bytes(tag);
        let Keys { from, to } = keys.tagged(&tag);
        (self.at.range(keyspace, (from, to)), tag.len())
    }
}

impl View for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        // No such key can have been written, and the engine answers it with a panic.
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let (keyspace, tag) = self.disk.place(table);
        let stored = if tag.is_empty() {
            self.at.get(keyspace, key)
        } else {
            self.at.get(keyspace, [tag.as_bytes(), b"\0", key].concat())
        };
        let stored = stored.map_err(store_error)?;
        stored.map(|stored| entry(table, stored)).transpose()
    }

    fn scan(&self, table: Table, keys: &Keys, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        let (iter, tag) = self.within(table, keys);
        let record = |guard: fjall::Guard| {
            let (key, stored) = guard.into_inner().map_err(store_error)?;
            Ok((Bytes::from(key).slice(tag..), entry(table, stored)?))
        };
        iter.take(limit).map(record).collect()
    }

    fn count(&self, table: Table, keys: &Keys) -> Result<u64, Error> {
        let (iter, _) = self.within(table, keys);
        let mut count = 0;
        for guard in iter {
            guard.key().map_err(store_error)?;
            count += 1;
        }
        Ok(count)
    }

    fn last(&self, table: Table, keys: &Keys) -> Result<Option<Bytes>, Error> {
        let (mut iter, tag) = self.within(table, keys);
        let last = iter.next_back().map(fjall::Guard::key).transpose();
        Ok(last
            .map_err(store_error)?
            .map(|key| Bytes::from(key).slice(tag..)))
    }
}

fn damaged(what: &str) -> Error {
    Error::Corrupt {
        what: what.to_owned(),
        source: None,
    }
}

/// What the engine's failure means to a caller.
pub(super) fn store_error(error: impl Into<Arc<fjall::Error>>) -> Error {
    let error: Arc<fjall::Error> = error.into();
    match &*error {
        fjall::Error::Io(_)
        | fjall::Error::Storage(fjall::LsmError::Io(_))
        | fjall::Error::Poisoned
        | fjall::Error::Locked => {}
        _ => {
            return Error::Corrupt {
                what: "the storage engine's files".to_owned(),
                source: Some(error.into()),
            };
        }
    }
    if no_room(&error) {
        return Error::Full(error.into());
    }
    if matches!(*error, fjall::Error::Poisoned) {
        return Error::Unavailable(Box::new(Stopped(error)));
    }
    Error::Unavailable(error.into())
}

/// The engine failed to write earlier and takes no more. It does not go on by itself, because only a recovery from its
/// journal tells what of that write there is.
#[derive(Debug, thiserror::Error)]
#[error("the storage engine stopped after a failed write: restart to recover")]
struct Stopped(#[source] Arc<fjall::Error>);

fn no_room(error: &fjall::Error) -> bool {
    let io = error.source().and_then(|error| {
        let io = error.downcast_ref::<io::Error>();
        io.or_else(|| error.source()?.downcast_ref())
    });
    io.is_some_and(|io| matches!(io.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_failures_are_told_apart() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let lost = || io::Error::from(ErrorKind::PermissionDenied);
        let storage = |error| fjall::Error::Storage(fjall::LsmError::Io(error));
        assert!(matches!(store_error(fjall::Error::Io(full())), Error::Full(_)));
        assert!(matches!(store_error(storage(full())), Error::Full(_)));
        assert!(matches!(
            store_error(fjall::Error::Io(lost())),
            Error::Unavailable(_)
        ));
        assert!(matches!(store_error(storage(lost())), Error::Unavailable(_)));
        assert!(matches!(
            store_error(fjall::Error::InvalidTrailer),
            Error::Corrupt { .. }
        ));
        let Error::Unavailable(stopped) = store_error(fjall::Error::Poisoned) else {
            panic!("a stopped engine is not available");
        };
        assert!(stopped.to_string().contains("restart"));
    }
}
