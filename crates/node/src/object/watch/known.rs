//! Which objects a stream has told of, so that one that becomes invisible can be taken back.

use std::collections::{BTreeSet, VecDeque};

use peerd_core::object::ObjectKey;

/// So many are remembered. Of an object that was told before them, nothing is said when it becomes invisible.
const KNOWN_MAX: usize = 16_384;

/// The objects told last.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: BTreeSet<ObjectKey>,
    order: VecDeque<ObjectKey>,
}

impl Known {
    pub(super) fn remember(&mut self, key: ObjectKey) {
        if !self.keys.insert(key.clone()) {
            return;
        }
        if self.order.len() == KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.order.push_back(key);
    }

    /// Answers whether it was known.
    pub(super) fn forget(&mut self, key: &ObjectKey) -> bool {
        self.keys.remove(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_memory_is_bounded() {
        let key = |n: usize| ObjectKey::new("airport".parse().unwrap(), format!("K{n}")).unwrap();
        let mut known = Known::default();
        for n in 0..KNOWN_MAX * 2 {
            known.remember(key(n));
            if n % 2 == 0 {
                assert!(known.forget(&key(n)));
                known.remember(key(n));
            }
        }
        assert!(known.order.len() <= KNOWN_MAX && known.keys.len() <= KNOWN_MAX);
        assert!(!known.forget(&key(0)));
        assert!(known.forget(&key(KNOWN_MAX * 2 - 1)));
    }
}
