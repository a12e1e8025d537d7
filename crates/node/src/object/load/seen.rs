//! Which keys a load has had, in little memory: a large load has millions.

use std::hash::{BuildHasher as _, RandomState};

/// So many groups, by the first bits of a hash. With the most rows a load may have, a group stays small enough to be
/// kept in order by moving it.
const GROUPS: usize = 1 << 16;

/// Hashes of keys, 8 bytes each. Two keys of one load share a hash once in millions of loads; the second is then taken
/// for a repetition. Nobody outside can tell which two do.
#[derive(Debug)]
pub(super) struct Seen {
    hasher: RandomState,
    groups: Vec<Vec<u64>>,
    count: usize,
}

impl Seen {
    pub(super) fn new() -> Seen {
        Seen {
            hasher: RandomState::new(),
            groups: vec![Vec::new(); GROUPS],
            count: 0,
        }
    }

    /// How many keys there were.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Takes note of a key; `false` when it was there before.
    pub(super) fn insert(&mut self, key: &str) -> bool {
        let hash = self.hasher.hash_one(key);
        let Some(group) = usize::try_from(hash >> 48)
            .ok()
            .and_then(|group| self.groups.get_mut(group))
        else {
            return false;
        };
        let Err(place) = group.binary_search(&hash) else {
            return false;
        };
        if group.len() == group.capacity() {
            // Doubling would leave a third of it empty.
            group.reserve_exact(4 + group.len() / 4);
        }
        group.insert(place, hash);
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once() {
        let mut seen = Seen::new();
        let keys = || (0..100_000).map(|number| format!("key {number}"));
        assert!(keys().all(|key| seen.insert(&key)));
        assert_eq!(seen.count(), 100_000);
        assert!(!keys().any(|key| seen.insert(&key)));
        assert_eq!(seen.count(), 100_000);
    }
}
