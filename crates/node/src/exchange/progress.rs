//! How far each type's stream has come: what views show and what waiters wait for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, Time};
use tokio::sync::watch;

use crate::{Error, Node};

/// One type's stream in one direction, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedProgress {
    /// The object type, as this side calls it.
    pub object_type: String,
    /// Which way.
    pub direction: Direction,
    /// The lanes that flow, in words.
    pub lane: String,
    /// How far it has come; on an import, how much was applied.
    pub cursor: u64,
    /// How far it could come.
    pub head: u64,
    /// How many changes are still to go, as far as this side knows.
    pub lag: u64,
    /// How many objects are parked.
    pub parked: u64,
    /// Whether nothing is waiting, as far as this side knows.
    pub in_sync: bool,
    /// When progress was last acknowledged.
    pub last_acknowledged_at: Option<Time>,
}

type Key = (ConnectionId, String, Direction);

/// The progress of every stream of this process.
#[derive(Debug)]
pub struct Progress {
    streams: Mutex<BTreeMap<Key, FeedProgress>>,
    changes: watch::Sender<u64>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            streams: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Progress {
    /// The streams of a connection.
    pub(crate) fn of(&self, connection: ConnectionId) -> Vec<FeedProgress> {
        let streams = self.lock();
        streams
            .iter()
            .filter(|((id, ..), _)| *id == connection)
            .map(|(_, it)| it.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, FeedProgress>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// What flows on a connection.
    #[expect(clippy::unused_async, reason = "cursors will be read from the store")]
    pub(crate) async fn feeds(&self, connection: &Connection) -> Result<Vec<FeedProgress>, Error> {
        Ok(self.progress.of(connection.id))
    }

    /// Marked changed whenever a stream has come further.
    pub(crate) fn progress_changes(&self) -> watch::Receiver<u64> {
        self.progress.changes.subscribe()
    }
}
