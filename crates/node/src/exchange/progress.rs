//! How far each type's stream has come: what views show and what waiters wait for.
//!
//! An import's cursor is stored; the rest is what this process saw and starts anew with it. A stream that is not open is
//! never called in sync.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerd_core::object::Lanes;
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, Time};
use peerd_store::records::{ImportCursor, Parked};
use peerd_store::{Records as _, Sequence};
use tokio::sync::watch;

use super::Flow;
use crate::object::stored::feed_of;
use crate::{Error, Node};

/// Up to so many waiting changes are counted.
const LAG_MAX: usize = 10_000;

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
    /// How far it could come, as far as this side knows.
    pub head: u64,
    /// How many changes are still to be looked at, as far as this side knows; at most 10,000 are counted.
    pub lag: u64,
    /// How many objects are parked.
    pub parked: u64,
    /// Whether nothing is waiting, as far as this side knows.
    pub in_sync: bool,
    /// When progress was last acknowledged.
    pub last_acknowledged_at: Option<Time>,
    /// How often, since this process started, all was sent again because a position meant nothing here.
    pub resyncs: u64,
}

type Key = (ConnectionId, String, Direction);

/// One stream, as this process saw it. Its type has the exporting side's name.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    open: u32,
    reached: u64,
    settled: bool,
    acknowledged_at: Option<Time>,
    resyncs: u64,
}

/// The progress of every stream of this process.
#[derive(Debug)]
pub struct Progress {
    streams: Mutex<BTreeMap<Key, Stream>>,
    /// What the policies said last.
    decisions: Mutex<BTreeMap<(ConnectionId, Direction), bool>>,
    changes: watch::Sender<u64>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            streams: Mutex::default(),
            decisions: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

/// Says, when it is dropped, that a stream ended.
#[derive(Debug)]
pub(super) struct Ending {
    node: Arc<Node>,
    flow: Flow,
    direction: Direction,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.node.progress.update(&self.flow, self.direction, |stream| {
            stream.open = stream.open.saturating_sub(1);
            stream.settled &= stream.open > 0;
        });
    }
}

impl Progress {
    pub(super) fn opened(&self, node: &Arc<Node>, flow: &Flow, direction: Direction) -> Ending {
        self.update(flow, direction, |stream| {
            stream.open += 1;
            stream.settled = false;
        });
        Ending {
            node: Arc::clone(node),
            flow: flow.clone(),
            direction,
        }
    }

    /// An exporter walked and was acknowledged up to here; settled when nothing else was waiting.
    pub(super) fn exported(&self, flow: &Flow, reached: u64, settled: bool) {
        self.update(flow, Direction::Export, |stream| {
            stream.reached = reached;
            stream.settled = settled;
        });
    }

    pub(super) fn acknowledged(&self, flow: &Flow, now: Time) {
        self.update(flow, Direction::Export, |stream| {
            stream.acknowledged_at = Some(now);
        });
    }

    /// An importer committed a batch.
    pub(super) fn imported(&self, flow: &Flow, caught_up: bool, now: Time) {
        self.update(flow, Direction::Import, |stream| {
            stream.settled = caught_up;
            stream.acknowledged_at = Some(now);
        });
    }

    /// A position meant nothing here.
    pub(super) fn resynced(&self, flow: &Flow) {
        self.update(flow, Direction::Export, |stream| stream.resyncs += 1);
    }

    /// Takes note of what the policies say of a connection; answers whether that is news. A first yes is none: nothing
    /// had stopped.
    pub(crate) fn decided(&self, connection: ConnectionId, direction: Direction, allowed: bool) -> bool {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let before = decisions.insert((connection, direction), allowed);
        before.unwrap_or(true) != allowed
    }

    /// How far an exporter has come in its feed: all up to there was acknowledged.
    pub(super) fn reached(&self, flow: &Flow) -> u64 {
        self.of(flow.connection, &flow.object_type, Direction::Export)
            .reached
    }

    fn of(&self, connection: ConnectionId, object_type: &str, direction: Direction) -> Stream {
        let key = (connection, object_type.to_owned(), direction);
        self.lock().get(&key).copied().unwrap_or_default()
    }

    fn update(&self, flow: &Flow, direction: Direction, change: impl FnOnce(&mut Stream)) {
        let key = (flow.connection, flow.object_type.clone(), direction);
        change(self.lock().entry(key).or_default());
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// What flows on a connection.
    pub(crate) async fn feeds(&self, connection: &Connection) -> Result<Vec<FeedProgress>, Error> {
        let id = connection.id;
        if connection.stage.is_final() {
            return Ok(Vec::new());
        }
        let Some(standing) = self.standing(connection.clone()).await? else {
            return Ok(Vec::new());
        };
        let parked = self.parked_by_type(id).await?;
        let count = |name: &str, outgoing| parked.get(&(outgoing, name.to_owned())).copied();
        let (flows, agreed) = (standing.flows(), connection.flow());
        let mut feeds = Vec::new();
        for (name, export) in flows.exports.iter().filter(|_| agreed.exports.objects) {
            let feed = feed_of(standing.space, name);
            let stream = self.progress.of(id, name.as_str(), Direction::Export);
            let after = Sequence(stream.reached);
            let lag = self.store.changes(&feed, after, LAG_MAX).await?.len() as u64;
            feeds.push(FeedProgress {
                object_type: name.as_str().to_owned(),
                direction: Direction::Export,
                lane: lane(export.lanes),
                cursor: stream.reached,
                head: self.store.head(&feed).await?.0,
                lag,
                parked: count(name.as_str(), true).unwrap_or(0),
                in_sync: stream.settled && lag == 0,
                last_acknowledged_at: stream.acknowledged_at,
                resyncs: stream.resyncs,
            });
        }
        for (name, import) in flows.imports.iter().filter(|_| agreed.imports.objects) {
            let key = ImportCursor::key_of(id, name.as_str());
            let cursor = self
                .store
                .find::<ImportCursor>(&key)
                .await?
                .map(|found| found.record);
            let stream = self.progress.of(id, name.as_str(), Direction::Import);
            let applied = cursor.as_ref().map_or(0, |cursor| cursor.applied);
            feeds.push(FeedProgress {
                object_type: import.mapping.local_type.as_str().to_owned(),
                direction: Direction::Import,
                lane: lane(import.lanes),
                cursor: applied,
                // What is still to come, the other side does not tell.
                head: applied,
                lag: 0,
                parked: count(name.as_str(), false).unwrap_or(0),
                in_sync: stream.settled,
                last_acknowledged_at: cursor.map(|cursor| cursor.at),
                resyncs: 0,
            });
        }
        Ok(feeds)
    }

    /// How many objects of a connection are parked, by direction and the exporting side's type name.
    async fn parked_by_type(&self, connection: ConnectionId) -> Result<BTreeMap<(bool, String), u64>, Error> {
        let mut counts = BTreeMap::new();
        for found in self.store.all::<Parked>(&Parked::prefix(connection)).await? {
            let parked = found.record;
            *counts.entry((parked.outgoing, parked.remote_type)).or_default() += 1;
        }
        Ok(counts)
    }

    /// Marked changed whenever a stream has come further.
    pub(crate) fn progress_changes(&self) -> watch::Receiver<u64> {
        self.progress.changes.subscribe()
    }
}

fn lane(lanes: Lanes) -> String {
    let text = match (lanes.source, lanes.actions) {
        (true, true) => "source and actions",
        (true, false) => "source",
        (false, true) => "actions",
        (false, false) => "off",
    };
    text.to_owned()
}
