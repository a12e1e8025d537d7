//! The default backend: a data directory of this machine, on the `fjall` storage engine.
//!
//! ```text
//! <directory>/lock           held by the one process that has the store open
//! <directory>/store/format   which layout this is
//! <directory>/store/fjall/   the engine's files
//! ```
//!
//! One thread owns all writes. It takes the batches that wait, stages them in order, and makes them durable with one
//! sync; then it wakes the watchers and answers the callers. Readers take a snapshot of what was committed and never
//! wait for a sync.
//!
//! When less than [`Options::reserve_bytes`] are free, commits answer [`Error::Full`] and reads go on; once there is
//! room, commits go on by themselves. The reserve is what keeps the engine out of trouble: a write that fails inside
//! it leaves its journal in doubt, and from then on it refuses every commit ([`Error::Unavailable`]) until the store
//! is opened again. What was acknowledged is safe either way.

mod directory;
mod disk;
mod restore;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use crate::copy::{self, Copied, Copying};
use crate::notify::Notifier;
use crate::read::{self, View};
use crate::{
    AuditEntry, Batch, Change, Committed, Entry, Error, FeedId, Range, Revision, Sequence, Store, Table,
    Topic,
};
use disk::{Disk, Snapshot};
use writer::{Command, Published, Room, Writer};

pub use restore::Restoring;

/// How many batches may wait for the writer; whoever comes then waits to be let in.
const QUEUE: usize = 256;

/// So many point reads at once move off the async threads.
const INLINE_READS_MAX: usize = 16;

/// So many parts of a copy are read ahead.
const COPY_AHEAD: usize = 4;

/// How much of the machine a store may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of stored blocks kept in memory.
    pub cache_bytes: u64,
    /// Bytes of recently written objects that are kept in memory before they go to their place on disk; the other three
    /// parts of the store keep a quarter of that each. Taken when the directory is first made.
    pub memtable_bytes: u64,
    /// Bytes that stay free on the file system; commits are refused before they would be used.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 16 << 20,
            memtable_bytes: 6 << 20,
            reserve_bytes: 64 << 20,
        }
    }
}

/// A store in a directory of this machine.
pub struct Embedded {
    path: PathBuf,
    /// `None` once closed.
    disk: RwLock<Option<Arc<Disk>>>,
    /// `None` once closing.
    queue: Mutex<Option<mpsc::Sender<Command>>>,
    writer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    notifier: Arc<Notifier>,
    published: Arc<Published>,
    #[cfg(test)]
    room: Arc<Room>,
}

impl Embedded {
    /// Opens the store in this directory, and makes it when there is none. Blocks while the engine replays its journal.
    ///
    /// A directory that another process has open answers [`Error::Unavailable`]; one that a newer version wrote
    /// answers [`Error::Corrupt`] and is left as it is.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Embedded, Error> {
        let path = path.as_ref().to_owned();
        let disk = Arc::new(directory::open(&path, options)?);
        let notifier = Arc::new(Notifier::default());
        let room = Arc::new(Room::new(&path, options.reserve_bytes));
        let published = Arc::new(Published::default());
        let writer = Writer::new(
            Arc::clone(&disk),
            Arc::clone(&notifier),
            Arc::clone(&published),
            Arc::clone(&room),
        )?;
        let (queue, commands) = mpsc::channel(QUEUE);
        let writer = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(commands))
            .map_err(|error| Error::Unavailable(error.into()))?;
        Ok(Embedded {
            path,
            disk: RwLock::new(Some(disk)),
            queue: Mutex::new(Some(queue)),
            writer: tokio::sync::Mutex::new(Some(writer)),
            notifier,
            published,
            #[cfg(test)]
            room,
        })
    }

    /// Overwrites a value behind the store's back, keeping its revision: damage, for tests.
    #[cfg(any(test, feature = "conformance"))]
    pub fn danger_overwrite_for_tests(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.disk()?.overwrite(table, key, value)
    }

    fn disk(&self) -> Result<Arc<Disk>, Error> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        disk.clone().ok_or_else(closed)
    }

    fn queue(&self) -> Result<mpsc::Sender<Command>, Error> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.clone().ok_or_else(closed)
    }

    /// Lets no more batches in; the writer ends when it has written those that are.
    fn stop(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        drop(queue.take());
    }

    /// Reads away from the async threads: a scan may wait for the disk many times.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let disk = self.disk()?;
        match spawn_blocking(move || read(&disk.snapshot())).await {
            Ok(answer) => answer,
            Err(error) => Err(Error::Unavailable(error.into())),
        }
    }
}

#[async_trait]
impl Store for Embedded {
    /// Reads in place: filters and block cache answer most point reads from memory, in less time than a change of
    /// threads takes; a miss costs one small read.
    async fn read(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error> {
        self.disk()?.snapshot().get(table, key)
    }

    async fn read_many(&self, table: Table, keys: &[Bytes]) -> Result<Vec<Option<Entry>>, Error> {
        if keys.len() <= INLINE_READS_MAX {
            let disk = self.disk()?;
            let snapshot = disk.snapshot();
            return keys.iter().map(|key| snapshot.get(table, key)).collect();
        }
        let keys = keys.to_vec();
        self.blocking(move |snapshot| keys.iter().map(|key| snapshot.get(table, key)).collect())
            .await
    }

    async fn range(&self, range: Range) -> Result<Vec<(Bytes, Entry)>, Error> {
        self.blocking(move |snapshot| read::range(snapshot, &range)).await
    }

    async fn count(&self, table: Table, prefix: &[u8]) -> Result<u64, Error> {
        let prefix = prefix.to_vec();
        self.blocking(move |snapshot| read::count(snapshot, table, &prefix))
            .await
    }

    async fn changes(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<Change>, Error> {
        let feed = feed.clone();
        self.blocking(move |snapshot| read::changes(snapshot, &feed, after, limit))
            .await
    }

    /// Who keeps up with a feed reads from memory, in place.
    async fn tail(&self, feed: &FeedId, after: Sequence, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error> {
        if let Some(recent) = self.published.tails.read(feed, after, limit) {
            return Ok(recent);
        }
        let feed = feed.clone();
        self.blocking(move |snapshot| read::tail(snapshot, &feed, after, limit))
            .await
    }

    fn horizon(&self) -> Option<Revision> {
        Some(self.published.horizon())
    }

    async fn head(&self, feed: &FeedId) -> Result<Sequence, Error> {
        let feed = feed.clone();
        self.blocking(move |snapshot| read::head(snapshot, &feed)).await
    }

    async fn audit(&self, number: u64, limit: usize) -> Result<Vec<AuditEntry>, Error> {
        self.blocking(move |snapshot| read::audit(snapshot, number, limit))
            .await
    }

    /// What the snapshot holds stays on disk until the copy is read or dropped.
    fn copy(&self) -> Copying {
        let disk = match self.disk() {
            Ok(disk) => disk,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let (parts, copied) = mpsc::channel(COPY_AHEAD);
        drop(spawn_blocking(move || {
            let snapshot = disk.snapshot();
            let take = |part| parts.blocking_send(Ok(part)).is_ok();
            let read = snapshot.heads().and_then(|heads| {
                if !take(Copied::Heads(Revision(heads.revision))) {
                    return Ok(());
                }
                copy::read_all(&snapshot, take)
            });
            if let Err(error) = read {
                // Who stopped reading does not want to know.
                let _ = parts.blocking_send(Err(error));
            }
        }));
        stream::unfold(copied, |mut copied| async move {
            copied.recv().await.map(|part| (part, copied))
        })
        .boxed()
    }

    /// A caller that stops waiting does not take its batch back.
    async fn commit(&self, batch: Batch) -> Result<Committed, Error> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue()?;
        let sent = queue.send(Command { batch, reply }).await;
        // The writer ends when the last sender is gone, so this one must not outlive its use.
        drop(queue);
        sent.map_err(|_| closed())?;
        answer
            .await
            .map_err(|_| Error::Unavailable("the writer stopped".into()))?
    }

    fn watch(&self, topic: &Topic) -> watch::Receiver<u64> {
        self.notifier.watch(topic)
    }

    async fn close(&self) {
        self.stop();
        // Held until all is over: a second close waits for the first.
        let mut writer = self.writer.lock().await;
        if let Some(writer) = writer.take() {
            // A writer that panicked has told its callers already, by dropping their replies.
            let _ = spawn_blocking(move || writer.join()).await;
        }
        let disk = self.disk.write().unwrap_or_else(PoisonError::into_inner).take();
        // Closing the engine waits for its own threads, and frees the directory.
        let _ = spawn_blocking(move || drop(disk)).await;
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop();
        if let Some(writer) = self.writer.get_mut().take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn closed() -> Error {
    Error::Unavailable("the store was closed".into())
}

#[cfg(test)]
mod tests;
