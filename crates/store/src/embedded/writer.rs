//! The one thread that writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::embedded::disk::{Disk, store_error};
use crate::engine::{Group, Heads, Writes};
use crate::notify::Notifier;
use crate::recent::Recent;
use crate::tails::Tails;
use crate::{Batch, Committed, Error, FeedId, Revision, Topic};

/// At most so many batches share one sync,
const GROUP_BATCHES_MAX: usize = 256;

/// and no further one joins once a group holds so many bytes.
const GROUP_BYTES_MAX: usize = 8 << 20;

type Answer = Result<Committed, Error>;

/// A batch, and who waits for it.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// What the writer shows of its commits, beside what is on disk.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// The last revision that readers see.
    horizon: AtomicU64,
    pub(super) tails: Tails,
}

impl Published {
    pub(super) fn horizon(&self) -> Revision {
        Revision(self.horizon.load(Ordering::Acquire))
    }
}

pub(super) struct Writer {
    disk: Arc<Disk>,
    heads: Heads,
    recent: Recent,
    notifier: Arc<Notifier>,
    published: Arc<Published>,
    room: Arc<Room>,
}

impl Writer {
    pub(super) fn new(
        disk: Arc<Disk>,
        notifier: Arc<Notifier>,
        published: Arc<Published>,
        room: Arc<Room>,
    ) -> Result<Writer, Error> {
        let heads = disk.heads()?;
        published.horizon.store(heads.revision, Ordering::Release);
        Ok(Writer {
            disk,
            heads,
            recent: Recent::since(Revision(heads.revision)),
            notifier,
            published,
            room,
        })
    }

    /// Writes until nobody can send any more.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let group = gather(first, &mut commands);
            self.write(group);
            // After the answers: only what comes next has to wait.
            self.disk.pace();
        }
    }

    /// Writes a group with one sync, then answers everyone in it. Refusals too come after the sync: who is told of a
    /// conflict reads again, and must then see what it conflicted with.
    fn write(&mut self, commands: Vec<Command>) {
        if let Err(refusal) = self.room.check() {
            return refuse(commands, &refusal);
        }
        let disk = Arc::clone(&self.disk);
        let snapshot = disk.snapshot();
        let mut group = Group::new(&snapshot, self.heads, Some(&self.recent));
        let stage = |Command { batch, reply }| (reply, group.stage(batch));
        let answers: Vec<_> = commands.into_iter().map(stage).collect();
        let (writes, heads) = group.finish();
        let before = Revision(self.heads.revision);
        // A revision is never given twice, not even when nobody learned of it.
        self.heads.revision = heads.revision;
        let failed = disk.write(&writes, &heads).err().map(Arc::new);
        match &failed {
            None => self.publish(before, heads, writes),
            Some(error) => tracing::error!(%error, "a commit failed"),
        }
        for (reply, answer) in answers {
            let answer = match &failed {
                Some(error) => answer.and(Err(store_error(Arc::clone(error)))),
                None => answer,
            };
            // Who stopped waiting does not want to know.
            let _ = reply.send(answer);
        }
    }

    /// Makes what is on disk known: first to those who ask, then to those who wait.
    fn publish(&mut self, before: Revision, heads: Heads, writes: Writes) {
        self.heads = heads;
        let touched = writes.touched().map(|(table, key)| (table, key.as_ref()));
        self.recent.record(Revision(heads.revision), touched);
        let is_followed = |feed: &FeedId| self.notifier.is_watched(&Topic::Feed(feed.clone()));
        self.published.tails.record(before, &writes, is_followed);
        self.published.horizon.store(heads.revision, Ordering::Release);
        self.notifier.bump(writes.topics());
    }
}

/// Takes what waits already, within the bounds of a group.
fn gather(first: Command, commands: &mut mpsc::Receiver<Command>) -> Vec<Command> {
    let mut bytes = first.batch.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_BATCHES_MAX
        && bytes < GROUP_BYTES_MAX
        && let Ok(next) = commands.try_recv()
    {
        bytes += next.batch.bytes();
        group.push(next);
    }
    group
}

fn refuse(commands: Vec<Command>, refusal: &Refusal) {
    tracing::warn!(%refusal, "commits are refused");
    for Command { reply, .. } in commands {
        let _ = reply.send(Err(refusal.clone().into()));
    }
}

/// What must stay free on the file system of a store.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    reserve_bytes: AtomicU64,
}

impl Room {
    pub(super) fn new(path: &Path, reserve_bytes: u64) -> Room {
        Room {
            path: path.to_owned(),
            reserve_bytes: AtomicU64::new(reserve_bytes),
        }
    }

    /// Makes the disk look fuller or emptier than it is.
    #[cfg(test)]
    pub(super) fn reserve_for_tests(&self, bytes: u64) {
        self.reserve_bytes.store(bytes, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), Refusal> {
        let reserve = self.reserve_bytes.load(Ordering::Relaxed);
        let stat = rustix::fs::statvfs(&self.path).map_err(Refusal::Unknown)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < reserve {
            return Err(Refusal::Full { free, reserve });
        }
        Ok(())
    }
}

/// Why the writer did not even try.
#[derive(Clone, Debug, thiserror::Error)]
enum Refusal {
    #[error("{free} bytes are free and {reserve} must stay free")]
    Full { free: u64, reserve: u64 },
    #[error("how much is free cannot be told")]
    Unknown(#[source] rustix::io::Errno),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Full { .. } => Error::Full(refusal.into()),
            Refusal::Unknown(_) => Error::Unavailable(refusal.into()),
        }
    }
}
