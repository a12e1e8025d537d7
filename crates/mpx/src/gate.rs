//! How many connections others may hold open.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections, in all and by source address.
#[derive(Debug)]
pub(crate) struct Gate {
    all_max: usize,
    per_source_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_source: BTreeMap<IpAddr, usize>,
}

/// A place that one connection takes until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gate: Arc<Gate>,
    source: IpAddr,
}

impl Gate {
    pub(crate) fn new(all_max: usize, per_source_max: usize) -> Arc<Gate> {
        Arc::new(Gate {
            all_max,
            per_source_max,
            held: Mutex::default(),
        })
    }

    /// A place for a connection from there, while there is one.
    pub(crate) fn enter(self: &Arc<Gate>, source: IpAddr) -> Option<Place> {
        let mut held = self.lock();
        let from_source = held.by_source.get(&source).copied().unwrap_or(0);
        if held.all >= self.all_max || from_source >= self.per_source_max {
            return None;
        }
        held.all += 1;
        held.by_source.insert(source, from_source + 1);
        Some(Place {
            gate: Arc::clone(self),
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.gate.lock();
        held.all = held.all.saturating_sub(1);
        let left = held
            .by_source
            .get(&self.source)
            .map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            held.by_source.remove(&self.source);
        } else {
            held.by_source.insert(self.source, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_by_source_and_come_back() {
        let [a, b] = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
        let gate = Gate::new(3, 2);
        let first = gate.enter(a).unwrap();
        let _second = gate.enter(a).unwrap();
        assert!(gate.enter(a).is_none(), "two from one source");
        let _third = gate.enter(b).unwrap();
        assert!(gate.enter(b).is_none(), "three in all");
        drop(first);
        assert!(gate.enter(a).is_some());
        assert_eq!(gate.lock().by_source.len(), 2);
    }
}
