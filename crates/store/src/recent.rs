//! Which records were written lately, so that most conditions of a batch need no look at the disk.
//!
//! A writer reads its objects, decides, and hands in a batch that says what it read. By then only few records have
//! changed. Whoever knows all that were written since the reads can tell the conditions that hold as a matter of course
//! from those that must be looked up.

#![expect(
    clippy::disallowed_types,
    reason = "only ever asked for one key; no order depends on it"
)]

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::{Revision, Table};

/// So many writes are known in each of two halves; then the older half is forgotten.
const HALF_MAX: usize = 32_768;

/// The writes of the last commits, by the hash of table and key. Two keys with one hash cost a look at the disk.
#[derive(Debug)]
pub(crate) struct Recent {
    hasher: RandomState,
    young: HashMap<u64, Revision>,
    old: HashMap<u64, Revision>,
    /// All writes after this revision are in one of the halves, and all after the second one in the young half.
    since: (Revision, Revision),
}

impl Recent {
    /// Knows of all writes after `revision`.
    pub(crate) fn since(revision: Revision) -> Recent {
        Recent {
            hasher: RandomState::new(),
            young: HashMap::new(),
            old: HashMap::new(),
            since: (revision, revision),
        }
    }

    /// Whether nothing was written to this record after `horizon`; `false` also where that is not known any more.
    pub(crate) fn is_untouched(&self, table: Table, key: &[u8], horizon: Revision) -> bool {
        if horizon < self.since.0 {
            return false;
        }
        let hash = self.hash(table, key);
        let after = |half: &HashMap<u64, Revision>| half.get(&hash).is_some_and(|at| *at > horizon);
        !after(&self.young) && !after(&self.old)
    }

    /// Takes note of a commit that ends at `revision`.
    pub(crate) fn record<'a>(
        &mut self,
        revision: Revision,
        touched: impl Iterator<Item = (Table, &'a [u8])>,
    ) {
        for (table, key) in touched {
            self.young.insert(self.hash(table, key), revision);
        }
        if self.young.len() >= HALF_MAX {
            self.old = std::mem::take(&mut self.young);
            self.since = (self.since.1, revision);
        }
    }

    fn hash(&self, table: Table, key: &[u8]) -> u64 {
        self.hasher.hash_one((table, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Vec<u8> {
        format!("key {n}").into_bytes()
    }

    #[test]
    fn what_was_written_after_the_horizon_is_touched() {
        let mut recent = Recent::since(Revision(10));
        let is_untouched =
            |recent: &Recent, n, at| recent.is_untouched(Table::Objects, &key(n), Revision(at));
        assert!(is_untouched(&recent, 1, 10));
        assert!(!is_untouched(&recent, 1, 9), "what was before is not known");
        recent.record(Revision(20), [(Table::Objects, key(1).as_slice())].into_iter());
        assert!(!is_untouched(&recent, 1, 19));
        assert!(is_untouched(&recent, 1, 20));
        assert!(is_untouched(&recent, 2, 10));
        assert!(
            recent.is_untouched(Table::Feed, &key(1), Revision(10)),
            "another table"
        );
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_not_claimed() {
        let mut recent = Recent::since(Revision(0));
        for n in 1..=5 * HALF_MAX as u64 {
            recent.record(Revision(n), [(Table::Objects, key(n).as_slice())].into_iter());
            assert!(recent.young.len() + recent.old.len() <= 2 * HALF_MAX);
        }
        let last = 5 * HALF_MAX as u64;
        assert!(!recent.is_untouched(Table::Objects, &key(last), Revision(last - 1)));
        assert!(!recent.is_untouched(Table::Objects, &key(1), Revision(0)));
        assert!(
            !recent.is_untouched(Table::Objects, &key(0), Revision(0)),
            "too long ago"
        );
    }
}
