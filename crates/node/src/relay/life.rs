//! How relay links are right now. In memory: after a restart it fills again from the files and the records.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerd_core::{LinkId, Reason, Time};

/// The last thing that went wrong on a relay link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The stable reason.
    pub reason: Reason,
    /// In words, for the local operator.
    pub message: String,
    /// When.
    pub at: Time,
}

/// How a relay link is right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayLife {
    /// How often each side writes something at least.
    pub interval: Duration,
    /// The number of the last bundle that went out.
    pub last_out: u64,
    /// How many bundles wait for an acknowledgement, or for their repetitions.
    pub kept: u64,
    /// How many bytes these have.
    pub kept_bytes: u64,
    /// Since when the oldest of them waits.
    pub kept_since: Option<Time>,
    /// All bundles of the other side up to this one came.
    pub last_in: u64,
    /// The highest number that is known to have been given.
    pub highest_in: u64,
    /// How many of them did not come yet.
    pub gaps: u64,
    /// How many did not come in time.
    pub lost: u64,
    /// When the last bundle came.
    pub heard_at: Option<Time>,
    /// How many came and wait for something before them.
    pub waiting: u64,
    /// How many bytes lie in the outbox.
    pub outbox_bytes: u64,
    /// Since when the oldest bundle lies in the outbox.
    pub uncollected_since: Option<Time>,
    /// Whether as much waits as may.
    pub full: bool,
    /// How many files were put aside, and still are there.
    pub quarantined: u64,
    /// How many bundles were refused since the start.
    pub refused: u64,
    /// How many bundles came that had come before.
    pub repeated: u64,
    /// How many bundles were written again because they did not come.
    pub resent: u64,
    /// Of a one-way link, whether what is here equals what the other side said last.
    pub equal: Option<bool>,
    /// What went wrong last, until something goes well.
    pub trouble: Option<Trouble>,
}

/// The lives of all relay links of this process.
#[derive(Debug, Default)]
pub(crate) struct Lives(Mutex<BTreeMap<LinkId, RelayLife>>);

impl Lives {
    pub(crate) fn of(&self, link: LinkId) -> Option<RelayLife> {
        self.lock().get(&link).cloned()
    }

    pub(crate) fn update(&self, link: LinkId, change: impl FnOnce(&mut RelayLife)) {
        change(self.lock().entry(link).or_default());
    }

    pub(crate) fn forget(&self, link: LinkId) {
        self.lock().remove(&link);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, RelayLife>> {
        // Nothing in the critical sections can panic half-way, so a poisoned map is still a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl crate::Node {
    /// Takes note of how a relay link is.
    pub fn relay_is(&self, link: LinkId, change: impl FnOnce(&mut RelayLife)) {
        self.relays.update(link, change);
    }
}
