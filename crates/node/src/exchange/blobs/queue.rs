//! What of a connection's artifacts has no content here: what waits, what is being fetched, and what comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use peerd_core::backoff::{Backoff, Failure, Origin};
use peerd_core::{Blob, ContentHash, Reason, Time};
use peerd_store::blobs::{GROUP_BYTES, Partial};
use tokio::time::Instant;

use super::ASKS_MAX;

/// So many contents wait at most; which come after them is found when there is room.
const WAITING_MAX: usize = 4_096;

/// With fewer that wait and could be fetched, more are looked for.
const WAITING_MIN: usize = 256;

/// So many bytes of small contents are fetched and kept together.
const SMALL_BYTES: u64 = 4 << 20;

/// So many groups are fetched in one turn.
const GROUPS_PER_TURN: usize = 8;

/// An artifact without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) artifact: String,
    pub(super) blob: Blob,
}

/// Why something was not fetched, and when it is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setback {
    pub(super) reason: Reason,
    pub(super) until: Instant,
    backoff: Backoff,
}

/// Content that is waited for.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) wanted: Wanted,
    pub(super) setback: Option<Setback>,
    pub(super) since: Instant,
    /// Somebody fetches it.
    pub(super) busy: bool,
    pub(super) large: Option<Large>,
}

/// Content of several groups, whose outline is here.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) partial: Arc<dyn Partial>,
    /// Groups that nobody has asked for.
    todo: VecDeque<u64>,
    /// How many turns are at it.
    turns: usize,
    /// What was here when it began.
    pub(super) before: u64,
}

/// What one turn is about.
#[derive(Debug)]
pub(super) enum Next {
    Small(Vec<Wanted>),
    Outline(Wanted),
    Groups(Wanted, Arc<dyn Partial>, Range<u64>),
}

/// What waits, by content: of two artifacts with the same content one is enough.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiting: BTreeMap<ContentHash, Waiting>,
    /// Nothing is fetched until then, since there is no room.
    pub(super) full: Option<Instant>,
    full_for: Duration,
}

impl Queue {
    /// Whether more should be looked for: little waits that nothing stands in the way of.
    pub(super) fn is_low(&self) -> bool {
        let ready = self.waiting.values().filter(|one| one.setback.is_none());
        self.waiting.len() < WAITING_MAX && ready.count() < WAITING_MIN
    }

    pub(super) fn add(&mut self, wanted: Wanted) {
        let hash = wanted.blob.hash;
        let fresh = |wanted| Waiting {
            wanted,
            setback: None,
            since: Instant::now(),
            busy: false,
            large: None,
        };
        match self.waiting.get_mut(&hash) {
            // Another artifact with the same content may be offered where the one before is not any more.
            Some(waiting) if !waiting.busy => waiting.wanted = wanted,
            Some(_) => {}
            None => drop(self.waiting.insert(hash, fresh(wanted))),
        }
    }

    /// What to fetch now, small contents first. Of what is not `free` somebody else takes care.
    pub(super) fn next(&mut self, free: impl Fn(&ContentHash) -> bool) -> Option<Next> {
        let now = Instant::now();
        if self.full.is_some_and(|until| until > now) {
            return None;
        }
        let due = |one: &Waiting| one.setback.is_none_or(|setback| setback.until <= now);
        let mut small: Vec<Wanted> = Vec::new();
        let mut bytes = 0;
        for one in self.waiting.values_mut() {
            let blob = one.wanted.blob;
            if one.busy || blob.size > GROUP_BYTES || !due(one) || !free(&blob.hash) {
                continue;
            }
            if small.len() == ASKS_MAX || !small.is_empty() && bytes + blob.size > SMALL_BYTES {
                break;
            }
            bytes += blob.size;
            one.busy = true;
            small.push(one.wanted.clone());
        }
        if !small.is_empty() {
            return Some(Next::Small(small));
        }
        let begun = self.waiting.values_mut().filter(|one| due(one));
        let mut begun = begun.filter_map(|one| one.large.as_mut().map(|large| (&one.wanted, large)));
        if let Some(next) = begun.find_map(|(wanted, large)| large.next(wanted)) {
            return Some(next);
        }
        // One after the other: each is fetched in parallel by itself.
        if self
            .waiting
            .values()
            .any(|one| one.busy && one.wanted.blob.size > GROUP_BYTES)
        {
            return None;
        }
        let large = self.waiting.values_mut().filter(|one| !one.busy && due(one));
        let next = large
            .filter(|one| free(&one.wanted.blob.hash))
            .min_by_key(|one| one.wanted.blob.size)?;
        next.busy = true;
        Some(Next::Outline(next.wanted.clone()))
    }

    /// The outline came.
    pub(super) fn outlined(&mut self, hash: &ContentHash, partial: Arc<dyn Partial>) {
        if let Some(waiting) = self.waiting.get_mut(hash) {
            waiting.since = Instant::now();
            waiting.large = Some(Large {
                todo: partial.missing().into(),
                before: partial.bytes(),
                turns: 0,
                partial,
            });
        }
    }

    /// A turn with some groups is over, and these of them did not come. Answers whether it was the last.
    pub(super) fn left(&mut self, hash: &ContentHash, missing: impl IntoIterator<Item = u64>) -> bool {
        let large = self.waiting.get_mut(hash).and_then(|one| one.large.as_mut());
        large.is_some_and(|large| {
            large.turns = large.turns.saturating_sub(1);
            large.todo.extend(missing);
            large.turns == 0 && large.todo.is_empty()
        })
    }

    /// It is here, or not wanted any more.
    pub(super) fn done(&mut self, hash: &ContentHash) {
        self.waiting.remove(hash);
        (self.full, self.full_for) = (None, Duration::ZERO);
    }

    /// Nobody fetches it now; it is as wanted as before.
    pub(super) fn give_back(&mut self, hash: &ContentHash) {
        if let Some(waiting) = self.waiting.get_mut(hash) {
            (waiting.busy, waiting.large) = (false, None);
        }
    }

    /// It could not be fetched, and is tried again later.
    pub(super) fn failed(&mut self, hash: &ContentHash, reason: Reason, chance: u64) {
        self.give_back(hash);
        let Some(waiting) = self.waiting.get_mut(hash) else {
            return;
        };
        let before = waiting.setback.map(|setback| setback.backoff).unwrap_or_default();
        let backoff = before.failed(Failure::Unreachable, Origin::Schedule, Time::EPOCH, chance);
        let pause = backoff
            .due_at()
            .map(|due| due.since(Time::EPOCH))
            .unwrap_or_default();
        waiting.setback = Some(Setback {
            reason,
            until: Instant::now() + pause,
            backoff,
        });
    }

    /// There is no room: everything waits a while.
    pub(super) fn is_full(&mut self) {
        const FIRST: Duration = Duration::from_millis(500);
        const LAST: Duration = Duration::from_secs(15);
        let now = Instant::now();
        if self.full.is_none_or(|until| until <= now) {
            self.full_for = (self.full_for * 2).clamp(FIRST, LAST);
            self.full = Some(now + self.full_for);
        }
    }

    /// What failed before and is due: whether it is still wanted is asked first.
    pub(super) fn doubtful(&self) -> Vec<Wanted> {
        let now = Instant::now();
        let due = |one: &&Waiting| !one.busy && one.setback.is_some_and(|setback| setback.until <= now);
        self.waiting
            .values()
            .filter(due)
            .map(|one| one.wanted.clone())
            .collect()
    }

    /// When the next of what cannot be fetched now may be.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let setbacks = self.waiting.values().filter(|one| !one.busy);
        let first = setbacks
            .filter_map(|one| one.setback.map(|setback| setback.until))
            .min();
        match self.full {
            Some(full) => Some(first.map_or(full, |first| first.max(full))),
            None => first,
        }
    }

    /// What is being fetched.
    pub(super) fn busy(&self) -> BTreeSet<ContentHash> {
        let busy = self.waiting.iter().filter(|(_, one)| one.busy);
        busy.map(|(hash, _)| *hash).collect()
    }
}

impl Large {
    /// Groups that lie together, for one turn.
    fn next(&mut self, wanted: &Wanted) -> Option<Next> {
        let first = self.todo.pop_front()?;
        let mut end = first + 1;
        while self.todo.front() == Some(&end) && end - first < GROUPS_PER_TURN as u64 {
            self.todo.pop_front();
            end += 1;
        }
        self.turns += 1;
        Some(Next::Groups(
            wanted.clone(),
            Arc::clone(&self.partial),
            first..end,
        ))
    }
}
