//! The sessions of this process: at most one for each link.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerd_core::link::{Dialler, Keep, keep};
use peerd_core::{EnrollmentId, LinkId};
use tokio_util::sync::CancellationToken;

/// The live session of each link.
#[derive(Debug)]
pub(crate) struct Registry {
    us: EnrollmentId,
    last: AtomicU64,
    live: Mutex<BTreeMap<LinkId, Live>>,
}

#[derive(Debug)]
struct Live {
    number: u64,
    dialler: Dialler,
    replaced: CancellationToken,
    over: CancellationToken,
}

/// The place of a link's one session, until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    registry: Arc<Registry>,
    link: LinkId,
    /// Tells sessions apart; larger is newer.
    pub(crate) number: u64,
    /// Cancelled when another session takes the place.
    pub(crate) replaced: CancellationToken,
}

impl Registry {
    pub(crate) fn new(us: EnrollmentId) -> Arc<Registry> {
        Arc::new(Registry {
            us,
            last: AtomicU64::new(0),
            live: Mutex::default(),
        })
    }

    /// Takes the place of a link's session, whose end cancels `over`. It ends the one that has it; `None` when that one stays.
    pub(crate) fn enter(
        self: &Arc<Registry>,
        link: LinkId,
        them: EnrollmentId,
        dialler: Dialler,
        over: CancellationToken,
    ) -> Option<Entry> {
        let mut live = self.lock();
        if let Some(held) = live.get(&link) {
            if keep(self.us, them, held.dialler, dialler) == Keep::Held {
                return None;
            }
            held.replaced.cancel();
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let replaced = CancellationToken::new();
        let fresh = Live {
            number,
            dialler,
            replaced: replaced.clone(),
            over,
        };
        live.insert(link, fresh);
        Some(Entry {
            registry: Arc::clone(self),
            link,
            number,
            replaced,
        })
    }

    /// Whether a link has a session.
    pub(crate) fn is_live(&self, link: LinkId) -> bool {
        self.lock().contains_key(&link)
    }

    /// Cancelled when the link's session is over; `None` when there is none.
    pub(crate) fn over(&self, link: LinkId) -> Option<CancellationToken> {
        self.lock().get(&link).map(|live| live.over.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut live = self.registry.lock();
        if live
            .get(&self.link)
            .is_some_and(|held| held.number == self.number)
        {
            live.remove(&self.link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LinkId = LinkId::from_bytes([1; 16]);
    const SMALL: EnrollmentId = EnrollmentId::from_bytes([1; 32]);
    const LARGE: EnrollmentId = EnrollmentId::from_bytes([2; 32]);

    #[test]
    fn b068_the_newest_session_of_one_dialler_takes_the_place() {
        let registry = Registry::new(SMALL);
        let old = registry
            .enter(LINK, LARGE, Dialler::Them, CancellationToken::new())
            .unwrap();
        let new = registry
            .enter(LINK, LARGE, Dialler::Them, CancellationToken::new())
            .unwrap();
        assert!(old.replaced.is_cancelled());
        assert!(!new.replaced.is_cancelled());
        assert!(new.number > old.number);
        drop(old);
        assert!(
            registry.is_live(LINK),
            "the end of the old one does not touch the new one"
        );
        drop(new);
        assert!(!registry.is_live(LINK));
    }

    #[test]
    fn dials_that_cross_leave_the_same_one_on_both_sides() {
        for first in [Dialler::Us, Dialler::Them] {
            let here = Registry::new(SMALL);
            let second = if first == Dialler::Us {
                Dialler::Them
            } else {
                Dialler::Us
            };
            let entries = [first, second].map(|dialler| {
                (
                    dialler,
                    here.enter(LINK, LARGE, dialler, CancellationToken::new()),
                )
            });
            let stays: Vec<_> = entries
                .iter()
                .filter_map(|(dialler, entry)| Some((dialler, entry.as_ref()?)))
                .filter(|(_, entry)| !entry.replaced.is_cancelled())
                .map(|(dialler, _)| *dialler)
                .collect();
            assert_eq!(stays, [Dialler::Us], "the one the smaller id dialled");
        }
    }
}
