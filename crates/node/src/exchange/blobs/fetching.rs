//! What all who fetch the content of one connection's artifacts share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use peerd_core::artifact::Artifact;
use peerd_core::{ConnectionId, ContentHash, Reason};
use peerd_store::{Entry, FeedId, Range, Sequence, Table};
use tokio::sync::watch;

use super::queue::{Next, Queue, Wanted};
use crate::object::stored::{Stored, StoredRef, key_in, primary_key_of};
use crate::{Error, Node};

/// So many artifacts are looked at together.
const PAGE: usize = 500;
/// So many contents are looked for at once.
const STATS: usize = 16;

/// The fetching of one connection's artifacts. It ends with the last who takes part in it.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) node: Arc<Node>,
    pub(super) connection: ConnectionId,
    queue: Mutex<Queue>,
    /// Held by whoever looks at the next artifacts.
    walk: tokio::sync::Mutex<Walk>,
    /// Marked changed when there may be something to fetch that was not there before.
    moved: watch::Sender<u64>,
}

/// How far the look at all artifacts came.
#[derive(Clone, Debug, Default)]
enum Walk {
    #[default]
    Nowhere,
    /// All are looked at, and then what changed since this sequence.
    Scan(u64, Option<Bytes>),
    Follow(u64),
}

impl Fetching {
    pub(super) fn new(node: &Arc<Node>, connection: ConnectionId) -> Fetching {
        Fetching {
            node: Arc::clone(node),
            connection,
            queue: Mutex::default(),
            walk: tokio::sync::Mutex::default(),
            moved: watch::Sender::new(0),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// How far in the feed of artifacts all were looked at, once they were, and for how much content it waits.
    pub(super) async fn standing(&self) -> (Option<u64>, u64) {
        let looked = match &*self.walk.lock().await {
            Walk::Follow(since) => Some(*since),
            Walk::Nowhere | Walk::Scan(..) => None,
        };
        (looked, self.queue().waiting.len() as u64)
    }

    /// What to fetch now; nobody else fetches it until it is given back.
    pub(super) fn plan(&self) -> Option<Next> {
        let mut claims = self.node.transfers.claims();
        let next = self.queue().next(|hash| !claims.contains(hash))?;
        match &next {
            Next::Small(small) => claims.extend(small.iter().map(|one| one.blob.hash)),
            Next::Outline(wanted) | Next::Groups(wanted, ..) => drop(claims.insert(wanted.blob.hash)),
        }
        Some(next)
    }

    /// Does something with the queue after which some content is not fetched by anybody.
    pub(super) fn release(&self, hash: &ContentHash, change: impl FnOnce(&mut Queue)) {
        change(&mut self.queue());
        self.node.transfers.release([*hash]);
        self.wake();
    }

    /// It could not be fetched, and is tried again later.
    pub(super) fn failed(&self, wanted: &Wanted, reason: Reason) {
        let (connection, artifact) = (self.connection, &wanted.artifact);
        tracing::info!(%connection, artifact, %reason, "content not fetched");
        let chance = self.node.chance();
        self.release(&wanted.blob.hash, |queue| {
            queue.failed(&wanted.blob.hash, reason, chance);
        });
    }

    /// What the store answered, when content could not be kept.
    pub(super) fn not_kept(&self, wanted: &Wanted, error: &Error) {
        if error.reason() != Reason::StoreFull {
            return self.failed(wanted, error.reason());
        }
        tracing::warn!(connection = %self.connection, "no room for content: fetching pauses");
        self.release(&wanted.blob.hash, |queue| {
            queue.give_back(&wanted.blob.hash);
            queue.is_full();
        });
    }

    /// Wakes all who wait for something to fetch.
    pub(super) fn wake(&self) {
        self.moved.send_modify(|count| *count += 1);
    }

    /// Forgets what failed before and is not wanted any more.
    pub(super) async fn forget_unwanted(&self, feed: &FeedId) -> Result<(), Error> {
        let doubtful = self.queue().doubtful();
        for wanted in doubtful {
            let place = key_in(feed, &wanted.artifact);
            let entry = self.node.store.read(Table::Objects, &place).await?;
            let now = entry
                .map(|entry| self.wanted_of(feed, &place, &entry))
                .transpose()?
                .flatten();
            let here = self.node.blobs.stat(&wanted.blob.hash).await?.is_some();
            if here || now.as_ref() != Some(&wanted) {
                self.queue().done(&wanted.blob.hash);
            }
        }
        Ok(())
    }

    /// Looks at more artifacts when few wait. Answers whether it found any, with content or without.
    pub(super) async fn refill(&self, feed: &FeedId) -> Result<bool, Error> {
        let mut walk = self.walk.lock().await;
        if !self.queue().is_low() {
            return Ok(false);
        }
        let (rows, next) = self.page(feed, &walk).await?;
        let mut missing = Vec::new();
        for (key, entry) in &rows {
            missing.extend(self.wanted_of(feed, key, entry)?);
        }
        let stats = stream::iter(missing).map(|wanted| async move {
            let held = self.node.blobs.stat(&wanted.blob.hash).await?;
            Ok::<_, Error>(held.is_none().then_some(wanted))
        });
        let missing: Vec<Option<Wanted>> = stats.buffered(STATS).try_collect().await?;
        let mut queue = self.queue();
        for wanted in missing.into_iter().flatten() {
            queue.add(wanted);
        }
        *walk = next;
        Ok(!rows.is_empty())
    }

    async fn page(&self, feed: &FeedId, walk: &Walk) -> Result<(Vec<(Bytes, Entry)>, Walk), Error> {
        let store = &self.node.store;
        let (from, after) = match walk {
            Walk::Nowhere => (store.head(feed).await?.0, None),
            Walk::Scan(from, after) => (*from, after.clone()),
            Walk::Follow(since) => {
                let rows = store.tail(feed, Sequence(*since), PAGE).await?;
                let last = rows.last().map_or(*since, |(_, entry)| entry.revision.0);
                return Ok((rows, Walk::Follow(last)));
            }
        };
        let range = Range::prefix(Table::Objects, feed.prefix(), PAGE);
        let rows = store.range(Range { after, ..range }).await?;
        let next = match rows.last() {
            Some((key, _)) => Walk::Scan(from, Some(key.clone())),
            None => Walk::Follow(from),
        };
        Ok((rows, next))
    }

    /// The content of an artifact that this connection may have it of.
    fn wanted_of(&self, feed: &FeedId, key: &[u8], entry: &Entry) -> Result<Option<Wanted>, Error> {
        let via = StoredRef::read(&entry.value)?.provenance.via;
        // The content of an artifact of our own is missing when the other side changed it.
        if via.is_some_and(|via| via != self.connection) {
            return Ok(None);
        }
        let state = Stored::decode(&entry.value)?.state;
        // What cannot be understood has no content.
        let artifact = Artifact::of(&state).ok().flatten();
        let key = primary_key_of(&feed.prefix(), key)?;
        Ok(artifact.map(|artifact| Wanted {
            artifact: key.to_owned(),
            blob: artifact.content,
        }))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let busy = self.queue().busy();
        self.node.transfers.release(busy);
    }
}
