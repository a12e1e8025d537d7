//! What this process counted, for whoever watches it from outside.

use std::sync::atomic::{AtomicU64, Ordering};

use peerd_core::policy::Direction;

use super::Item;
use super::jobs::bytes_of;

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What was counted of one direction.
#[derive(Debug, Default)]
pub struct Way {
    /// Batches with something in them: handed out, or committed.
    pub batches: Count,
    /// Objects in them, retractions among them.
    pub objects: Count,
    /// Their bytes.
    pub bytes: Count,
    /// Objects that were parked, here on an import and at the other side on an export.
    pub parked: Count,
    /// Streams that broke.
    pub failures: Count,
    /// Decisions of the policies on data that let it pass.
    pub allowed: Count,
    /// Those that did not.
    pub denied: Count,
}

/// What this process counted.
#[derive(Debug, Default)]
pub struct Tally {
    /// What went out.
    pub export: Way,
    /// What came in.
    pub import: Way,
    /// How often everything was sent again, since a position meant nothing here.
    pub resyncs: Count,
    /// Attempts of others that policy or a code refused.
    pub knocks: Count,
}

impl Tally {
    /// An importer committed a batch of these items.
    pub(super) fn took(&self, items: &[Item], parked: u64) {
        if !items.is_empty() {
            self.import.batches.add(1);
            self.import.objects.add(items.len() as u64);
            self.import.bytes.add(bytes_of(items));
            self.import.parked.add(parked);
        }
    }

    /// The counts of a direction.
    pub fn of(&self, direction: Direction) -> &Way {
        match direction {
            Direction::Export => &self.export,
            Direction::Import => &self.import,
        }
    }
}
