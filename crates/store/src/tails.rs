//! The latest changes of the feeds that somebody follows, kept in memory.
//!
//! Who follows a feed reads each change a moment after it was written: from here, without a look at the disk. Who is
//! further behind reads from the disk, and so does everybody when memory is short: nothing is ever only here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::engine::{Moved, Writes};
use crate::{Entry, FeedId, Revision, Sequence};

/// All tails together hold at most so many bytes of keys and records.
const BYTES_MAX: usize = 6 << 20;

/// The tails of the feeds that are followed.
#[derive(Debug, Default)]
pub(crate) struct Tails(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tails: BTreeMap<FeedId, Tail>,
    bytes: usize,
}

#[derive(Debug)]
struct Tail {
    /// Every change after this one is here.
    since: u64,
    /// By ascending sequence; `None` where the object has left its place again.
    changes: VecDeque<(u64, Option<(Bytes, Entry)>)>,
}

impl Tails {
    /// Takes in a commit, before anybody is told of it. `before` is the last revision before the commit; feeds that
    /// nobody follows are forgotten.
    pub(crate) fn record(&self, before: Revision, writes: &Writes, is_followed: impl Fn(&FeedId) -> bool) {
        let mut inner = self.lock();
        for (feed, moves) in writes.moves() {
            if is_followed(feed) {
                inner.record(before, feed, moves);
            } else {
                inner.forget(feed);
            }
        }
    }

    /// The objects that changed after `after`, at most `limit`; `None` when this has to be read from the disk.
    pub(crate) fn read(&self, feed: &FeedId, after: Sequence, limit: usize) -> Option<Vec<(Bytes, Entry)>> {
        let inner = self.lock();
        let tail = inner.tails.get(feed).filter(|tail| tail.since <= after.0)?;
        let from = tail.changes.partition_point(|(sequence, _)| *sequence <= after.0);
        let here = tail
            .changes
            .range(from..)
            .filter_map(|(_, object)| object.clone());
        Some(here.take(limit).collect())
    }

    /// Nothing here can be left half done, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn record(&mut self, before: Revision, feed: &FeedId, moves: Vec<(u64, Moved<'_>)>) {
        if !self.tails.contains_key(feed) {
            let tail = Tail {
                since: before.0,
                changes: VecDeque::new(),
            };
            self.tails.insert(feed.clone(), tail);
        }
        let Some(tail) = self.tails.get_mut(feed) else {
            return;
        };
        for (sequence, moved) in moves {
            match moved {
                Moved::Here(key, object) => {
                    let object = (key.clone(), object.clone());
                    self.bytes += size(&object);
                    tail.changes.push_back((sequence, Some(object)));
                }
                Moved::Gone => self.bytes -= tail.leave(sequence),
            }
        }
        while self.bytes > BYTES_MAX
            && let Some((sequence, object)) = tail.changes.pop_front()
        {
            tail.since = sequence;
            self.bytes -= object.as_ref().map_or(0, size);
        }
    }

    fn forget(&mut self, feed: &FeedId) {
        if let Some(tail) = self.tails.remove(feed) {
            let objects = tail.changes.iter().filter_map(|(_, object)| object.as_ref());
            self.bytes -= objects.map(size).sum::<usize>();
        }
    }
}

impl Tail {
    /// An object leaves its place. Answers how many bytes that frees.
    fn leave(&mut self, sequence: u64) -> usize {
        let place = self.changes.binary_search_by_key(&sequence, |(at, _)| *at);
        let left = place.ok().and_then(|place| self.changes.get_mut(place)?.1.take());
        left.as_ref().map_or(0, size)
    }
}

fn size((key, object): &(Bytes, Entry)) -> usize {
    key.len() + object.value.len()
}
