//! What is known of links right now: who is connected, heard and refused. In memory only; after a restart it fills
//! again from what really happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerd_core::{LinkId, Reason, Time};
use tokio::sync::watch;

/// What is known of one link right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkLife {
    /// The session that carries it, while there is one.
    pub session: Option<Session>,
    /// When the other side was last heard.
    pub last_heard_at: Option<Time>,
    /// When it last acknowledged something of ours.
    pub last_acknowledged_at: Option<Time>,
    /// How far its clock is from ours.
    pub skew: Option<Duration>,
    /// Why the last attempt failed; cleared by success.
    pub failure: Option<Failure>,
    /// When the next dial is due.
    pub next_dial_at: Option<Time>,
    /// An operator wants it dialled now.
    pub dial_requested: bool,
}

/// A live session of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Tells sessions of one process apart; larger is newer.
    pub number: u64,
    /// Whether this side dialled it.
    pub dialled_here: bool,
    /// Since when.
    pub since: Time,
}

/// Why an attempt to reach the other side failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stable reason.
    pub reason: Reason,
    /// In words, for the local operator.
    pub message: String,
    /// When.
    pub at: Time,
    /// Whether policy refused it, here or there.
    pub refused: bool,
}

/// What is known of every link right now.
#[derive(Debug)]
pub struct Presence {
    links: Mutex<BTreeMap<LinkId, LinkLife>>,
    changes: watch::Sender<u64>,
}

impl Default for Presence {
    fn default() -> Presence {
        Presence {
            links: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Presence {
    /// What is known of this link.
    pub fn of(&self, link: LinkId) -> LinkLife {
        self.lock().get(&link).cloned().unwrap_or_default()
    }

    /// Marked changed whenever a session begins or ends, or an attempt fails. Heartbeats do not mark it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A session began: whatever failed before no longer counts.
    pub fn connected(&self, link: LinkId, session: Session) {
        self.update(link, |life| {
            life.session = Some(session);
            life.last_heard_at = Some(session.since);
            life.failure = None;
            life.next_dial_at = None;
        });
    }

    /// A session ended; an older one's end does not touch its successor.
    pub fn disconnected(&self, link: LinkId, number: u64, failure: Option<Failure>) {
        self.update(link, |life| {
            if life.session.is_some_and(|session| session.number == number) {
                life.session = None;
                life.failure = failure;
            }
        });
    }

    /// An attempt failed before there was a session.
    pub fn failed(&self, link: LinkId, failure: Failure, next_dial_at: Option<Time>) {
        self.update(link, |life| {
            life.failure = Some(failure);
            life.next_dial_at = next_dial_at;
        });
    }

    /// The other side was heard.
    pub fn heard(&self, link: LinkId, at: Time, its_clock: Option<Time>) {
        if let Some(life) = self.lock().get_mut(&link) {
            life.last_heard_at = Some(at);
            life.skew = its_clock.map(|its| its.distance(at)).or(life.skew);
        }
    }

    /// The other side acknowledged something of ours.
    pub fn acknowledged(&self, link: LinkId, at: Time) {
        if let Some(life) = self.lock().get_mut(&link) {
            life.last_acknowledged_at = Some(at);
        }
    }

    /// An operator wants the link dialled now.
    pub fn request_dial(&self, link: LinkId) {
        self.update(link, |life| life.dial_requested = true);
    }

    /// Whether an operator wants the link dialled now; asking takes the wish.
    pub fn take_dial_request(&self, link: LinkId) -> bool {
        self.lock()
            .get_mut(&link)
            .is_some_and(|life| std::mem::take(&mut life.dial_requested))
    }

    /// The link is gone.
    pub fn forget(&self, link: LinkId) {
        self.lock().remove(&link);
        self.changes.send_modify(|count| *count += 1);
    }

    fn update(&self, link: LinkId, change: impl FnOnce(&mut LinkLife)) {
        change(self.lock().entry(link).or_default());
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LinkId, LinkLife>> {
        // Nothing in the critical sections can panic half-way, so a poisoned map is still a whole one.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
