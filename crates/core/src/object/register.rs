//! A register that several enrollments write without asking each other.

use std::collections::BTreeMap;

use super::{Dot, Hlc, VersionVector};

/// The writes of one register that no writer who saw them has replaced, and the vector of writes seen.
///
/// A write that follows another replaces it; concurrent ones stand side by side until somebody who saw them decides.
/// The one with the greatest dot wins meanwhile.
///
/// Each register has its own vector, not the object one for all: an export that leaves a property out then says nothing
/// about that property, instead of saying it was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register<T> {
    seen: VersionVector,
    writes: BTreeMap<Dot, T>,
}

impl<T> Default for Register<T> {
    fn default() -> Register<T> {
        Register {
            seen: VersionVector::default(),
            writes: BTreeMap::new(),
        }
    }
}

impl<T: Clone + Ord> Register<T> {
    /// A register from its parts, each write being one that was seen.
    pub(super) fn from_parts(mut seen: VersionVector, writes: BTreeMap<Dot, T>) -> Register<T> {
        for dot in writes.keys() {
            seen.record(*dot);
        }
        Register { seen, writes }
    }

    /// What has been seen.
    pub fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// The writes that stand, in ascending order of their dots.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = (Dot, &T)> + ExactSizeIterator {
        self.writes.iter().map(|(dot, value)| (*dot, value))
    }

    /// One of the writes that stand.
    pub fn write(&self, dot: &Dot) -> Option<&T> {
        self.writes.get(dot)
    }

    /// Whether nobody ever wrote it.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The latest clock seen.
    pub fn newest(&self) -> Hlc {
        self.seen.newest()
    }

    /// Writes a value that replaces every write that stands, except those to keep.
    ///
    /// The dot must be later than all that was seen, so that "later" never contradicts "after".
    pub(super) fn put(&mut self, dot: Dot, value: T, keep: impl Fn(Dot, &T) -> bool) {
        self.writes.retain(|known, value| keep(*known, value));
        self.writes.insert(dot, value);
        self.seen.record(dot);
    }

    /// Takes a write away; its dot stays seen, so it never comes back.
    pub(super) fn remove(&mut self, dot: &Dot) {
        self.writes.remove(dot);
    }

    /// Takes all writes away.
    pub(super) fn clear(&mut self) {
        self.writes.clear();
    }

    /// Joins another copy of this register into this one.
    ///
    /// Seen one dot at a time, a copy is in one of the states *unseen* < *stands with a value* < *seen and replaced*, and
    /// the join is the greater one. (Two values under one dot, which only a broken or lying writer makes, are ordered
    /// by the values.) A product of chains is a lattice: the join is commutative, associative and idempotent.
    pub(super) fn join(&mut self, other: &Register<T>) {
        self.writes
            .retain(|dot, _| other.writes.contains_key(dot) || !other.seen.covers(dot));
        for (dot, value) in &other.writes {
            match self.writes.get_mut(dot) {
                Some(known) if *known < *value => *known = value.clone(),
                Some(_) => {}
                None if self.seen.covers(dot) => {}
                None => {
                    self.writes.insert(*dot, value.clone());
                }
            }
        }
        self.seen.join(&other.seen);
    }
}
