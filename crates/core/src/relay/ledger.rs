//! Which bundles of the other side came. Each is taken once, in any order.

use serde::{Deserialize, Serialize};

use crate::{EpochId, Time};

/// So many spans beyond a gap are remembered. A bundle that would make one more waits.
pub const SPANS_MAX: usize = 4_096;

/// Numbers of bundles that came although one before them did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Until when the first was good. What was made before it is good no longer than that.
    pub until: Time,
}

/// What came of one epoch of the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The other side's epoch.
    pub epoch: EpochId,
    /// All up to here were taken, or cannot come any more.
    pub below: u64,
    /// What was taken beyond, in order and apart.
    pub taken: Vec<Span>,
    /// The highest number that is known to have been given.
    pub highest: u64,
    /// How many did not come in time.
    pub lost: u64,
}

impl Ledger {
    /// Nothing came yet.
    pub fn new(epoch: EpochId) -> Ledger {
        Ledger {
            epoch,
            below: 0,
            taken: Vec::new(),
            highest: 0,
            lost: 0,
        }
    }

    /// Whether this bundle was taken already.
    pub fn has(&self, sequence: u64) -> bool {
        let at = self.taken.partition_point(|span| span.last < sequence);
        sequence <= self.below || self.taken.get(at).is_some_and(|span| span.first <= sequence)
    }

    /// Whether all that were made before this bundle were taken.
    pub fn is_next(&self, sequence: u64) -> bool {
        sequence == self.below.saturating_add(1)
    }

    /// Whether taking this bundle can be remembered.
    pub fn has_room(&self, sequence: u64) -> bool {
        self.is_next(sequence) || self.taken.len() < SPANS_MAX
    }

    /// This bundle exists.
    pub fn saw(&mut self, sequence: u64) {
        self.highest = self.highest.max(sequence);
    }

    /// This bundle, good until then, was taken.
    pub fn take(&mut self, sequence: u64, until: Time) {
        self.saw(sequence);
        if self.has(sequence) {
            return;
        }
        let at = self.taken.partition_point(|span| span.last < sequence);
        let (first, last) = (sequence, sequence);
        self.taken.insert(at, Span { first, last, until });
        self.join();
    }

    /// Gives up what is missing and cannot be good any more. Answers how many that were.
    pub fn expire(&mut self, now: Time) -> u64 {
        let before = self.lost;
        while let Some(span) = self.taken.first().copied().filter(|span| span.until < now) {
            self.lost = self.lost.saturating_add(span.first - self.below - 1);
            self.below = span.last;
            self.taken.remove(0);
        }
        self.join();
        self.lost - before
    }

    /// The numbers that were given and did not come, without those that are `held` here and wait; at most `limit` ranges.
    pub fn missing(&self, held: impl Fn(u64) -> bool, limit: usize) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut from = self.below.saturating_add(1);
        let spans = self.taken.iter().map(|span| (span.first, span.last));
        let end = self.highest.saturating_add(1);
        for (first, last) in spans.chain([(end, end)]) {
            split(&mut missing, from..first, &held, limit);
            if missing.len() >= limit {
                break;
            }
            from = last.saturating_add(1);
        }
        missing.truncate(limit);
        missing
    }

    /// How many were given and did not come.
    pub fn gaps(&self) -> u64 {
        let taken: u64 = self.taken.iter().map(|span| span.last - span.first + 1).sum();
        self.highest.saturating_sub(self.below).saturating_sub(taken)
    }

    /// Spans that touch become one, and what follows directly on what is whole becomes part of it.
    fn join(&mut self) {
        let mut joined: Vec<Span> = Vec::with_capacity(self.taken.len());
        for span in self.taken.drain(..) {
            match joined.last_mut() {
                Some(before) if before.last.saturating_add(1) >= span.first => {
                    before.last = before.last.max(span.last);
                }
                _ if span.first <= self.below.saturating_add(1) => self.below = self.below.max(span.last),
                _ => joined.push(span),
            }
        }
        self.taken = joined;
        self.highest = self.highest.max(self.below);
    }
}

/// Adds what of a range is not held.
fn split(
    missing: &mut Vec<(u64, u64)>,
    range: std::ops::Range<u64>,
    held: &impl Fn(u64) -> bool,
    limit: usize,
) {
    let mut open: Option<(u64, u64)> = None;
    // What is held is few, what is missing may be much: but a range as long as the numbers go is no list.
    for number in range.take(LOOK_MAX) {
        if held(number) {
            missing.extend(open.take());
        } else {
            open = Some(open.map_or((number, number), |(first, _)| (first, number)));
        }
        if missing.len() >= limit {
            return;
        }
    }
    missing.extend(open);
}

/// So many numbers of one gap are looked at for one list.
const LOOK_MAX: usize = 65_536;

/// The newest bundle in which an object came, while one before it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The other side's epoch; a later one is greater.
    pub epoch: EpochId,
    /// The bundle's number.
    pub sequence: u64,
}

impl Heard {
    /// Whether what a bundle says of an object still counts, when this was heard of it already: what is said later holds.
    pub fn counts(self, known: Option<Heard>) -> bool {
        known.is_none_or(|known| known <= self)
    }
}

#[cfg(test)]
mod tests;
