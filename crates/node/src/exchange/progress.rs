//! How far each type's stream has come: what views show and what waiters wait for.
//!
//! An import's cursor is stored; the rest is what this process saw and starts anew with it. A stream that is not open is
//! never called in sync.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerd_core::artifact;
use peerd_core::object::Lanes;
use peerd_core::peering::Connection;
use peerd_core::policy::{DataType, Direction};
use peerd_core::{ConnectionId, Reason, Time};
use peerd_store::records::{ImportCursor, JobFailure, Parked};
use peerd_store::{Records as _, Sequence};
use tokio::sync::watch;

use super::jobs::bytes_of;
use super::jobs::{Beginning, Jobs, failure};
use super::position::Digest;
use super::tally::Tally;
use super::{Ack, Batch, Flow};
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
    /// How many properties, since this process started, came and were left out because they are not mapped.
    pub dropped: u64,
    /// What stopped it, in words; empty while it flows as agreed.
    pub reason: String,
}

/// How many objects are parked, by whether they were to go out, and the exporting side's name of their type.
pub(super) type ParkedCounts = BTreeMap<(bool, String), u64>;

type Key = (ConnectionId, String, Direction);

/// One stream, as this process saw it. Its type has the exporting side's name.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    open: u32,
    pub(super) reached: u64,
    settled: bool,
    acknowledged_at: Option<Time>,
    resyncs: u64,
    dropped: Arc<AtomicU64>,
    /// The last place that everything handed out was acknowledged up to, and the terms it went under.
    acknowledged: Option<(Digest, u64)>,
}

/// The progress of every stream of this process.
#[derive(Debug)]
pub struct Progress {
    streams: Mutex<BTreeMap<Key, Stream>>,
    /// What the policies said last.
    decisions: Mutex<BTreeMap<(ConnectionId, Direction, DataType), bool>>,
    changes: watch::Sender<u64>,
    pub(crate) jobs: Jobs,
    pub(crate) tally: Tally,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress {
            streams: Mutex::default(),
            decisions: Mutex::default(),
            changes: watch::Sender::new(0),
            jobs: Jobs::default(),
            tally: Tally::default(),
        }
    }
}

/// Says, when it is dropped, that a stream ended.
#[derive(Debug)]
pub(super) struct Ending {
    node: Arc<Node>,
    flow: Flow,
    direction: Direction,
    number: u64,
    failure: Option<JobFailure>,
}

impl Ending {
    /// The stream broke; otherwise it was ended from outside.
    pub(super) fn broke(&mut self, reason: Reason, told: &str) {
        self.failure = Some(failure(reason, told));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (stream, failure) = ((self.direction, self.number), self.failure.take());
        if failure.is_some() {
            self.node.progress.tally.of(self.direction).failures.add(1);
        }
        let (jobs, now) = (&self.node.progress.jobs, self.node.now());
        jobs.ended(&self.flow, stream, failure, now);
        self.node.progress.update(&self.flow, self.direction, |stream| {
            stream.open = stream.open.saturating_sub(1);
            stream.settled &= stream.open > 0;
        });
    }
}

impl Progress {
    pub(super) fn opened(
        &self,
        node: &Arc<Node>,
        flow: &Flow,
        direction: Direction,
        beginning: Beginning<'_>,
    ) -> Ending {
        self.update(flow, direction, |stream| {
            stream.open += 1;
            stream.settled = false;
        });
        Ending {
            node: Arc::clone(node),
            flow: flow.clone(),
            direction,
            number: self.jobs.opened(flow, direction, beginning, node.now()),
            failure: None,
        }
    }

    /// An exporter looked at so many places of its feed.
    pub(super) fn walked(&self, flow: &Flow, places: u64) {
        self.jobs.walked(flow, places);
    }

    /// An exporter hands a batch out.
    pub(super) fn sent(&self, flow: &Flow, batch: &Batch, now: Time) {
        self.jobs.sent(flow, batch, now);
        if !batch.items.is_empty() {
            self.tally.export.batches.add(1);
            self.tally.export.objects.add(batch.items.len() as u64);
            self.tally.export.bytes.add(bytes_of(&batch.items));
        }
    }

    /// An exporter walked and was acknowledged up to here; settled when nothing else was waiting. `acknowledged` says,
    /// when no batch is without an answer, under which terms it came how far.
    pub(super) fn exported(
        &self,
        flow: &Flow,
        reached: u64,
        settled: bool,
        acknowledged: Option<(Digest, u64)>,
    ) {
        if settled {
            self.jobs.settled(flow, Direction::Export);
        }
        self.update(flow, Direction::Export, |stream| {
            stream.reached = reached;
            stream.settled = settled;
            stream.acknowledged = acknowledged.or(stream.acknowledged);
        });
    }

    pub(super) fn acknowledged(&self, flow: &Flow, ack: &Ack, now: Time) {
        self.jobs.answered(flow, ack, now);
        self.tally.export.parked.add(ack.refusals.len() as u64);
        self.update(flow, Direction::Export, |stream| {
            stream.acknowledged_at = Some(now);
        });
    }

    /// The terms of an exporter changed while it ran.
    pub(super) fn terms_changed(&self, flow: &Flow, now: Time) {
        self.jobs.terms_changed(flow, now);
    }

    /// An importer committed a batch.
    pub(super) fn imported(&self, flow: &Flow, caught_up: bool, now: Time) {
        if caught_up {
            self.jobs.settled(flow, Direction::Import);
        }
        self.update(flow, Direction::Import, |stream| {
            stream.settled = caught_up;
            stream.acknowledged_at = Some(now);
        });
    }

    /// Counts what an import leaves out.
    pub(super) fn dropped(&self, flow: &Flow) -> Arc<AtomicU64> {
        let key = (flow.connection, flow.object_type.clone(), Direction::Import);
        Arc::clone(&self.lock().entry(key).or_default().dropped)
    }

    /// A position meant nothing here.
    pub(super) fn resynced(&self, flow: &Flow) {
        self.tally.resyncs.add(1);
        self.update(flow, Direction::Export, |stream| stream.resyncs += 1);
    }

    /// Takes note of what the policies say of a connection; answers whether that is news. A first yes is none: nothing
    /// had stopped.
    pub(crate) fn decided(
        &self,
        connection: ConnectionId,
        (direction, data): (Direction, DataType),
        allowed: bool,
    ) -> bool {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let before = decisions.insert((connection, direction, data), allowed);
        before.unwrap_or(true) != allowed
    }

    /// Whether an export was acknowledged, as this process saw it.
    pub(super) fn has_acknowledged(&self, flow: &Flow) -> bool {
        let stream = self.of(flow.connection, &flow.object_type, Direction::Export);
        stream.acknowledged_at.is_some() || stream.acknowledged.is_some_and(|(_, place)| place > 0)
    }

    /// How far each export was acknowledged, as this process saw it, and the terms it went under.
    pub(crate) fn acknowledgements(&self) -> Vec<(ConnectionId, String, Digest, u64)> {
        let streams = self.lock();
        let exports = streams.iter().filter(|((.., way), _)| *way == Direction::Export);
        let known = exports.filter_map(|((connection, name, _), stream)| {
            let (terms, place) = stream.acknowledged?;
            Some((*connection, name.clone(), terms, place))
        });
        known.collect()
    }

    /// Whether a stream is open and nothing is waiting in it.
    pub(super) fn is_settled(
        &self,
        connection: ConnectionId,
        object_type: &str,
        direction: Direction,
    ) -> bool {
        let stream = self.of(connection, object_type, direction);
        stream.open > 0 && stream.settled
    }

    /// How far an exporter has come in its feed: all up to there was acknowledged.
    pub(super) fn reached(&self, flow: &Flow) -> u64 {
        self.of(flow.connection, &flow.object_type, Direction::Export)
            .reached
    }

    pub(super) fn of(&self, connection: ConnectionId, object_type: &str, direction: Direction) -> Stream {
        let key = (connection, object_type.to_owned(), direction);
        self.lock().get(&key).cloned().unwrap_or_default()
    }

    fn update(&self, flow: &Flow, direction: Direction, change: impl FnOnce(&mut Stream)) {
        let key = (flow.connection, flow.object_type.clone(), direction);
        change(self.lock().entry(key).or_default());
        self.moved();
    }

    /// Wakes whoever watches how far streams have come.
    pub(super) fn moved(&self) {
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
        let flows = standing.agreed_flows();
        let mut feeds = Vec::new();
        for (name, export) in &flows.exports {
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
                dropped: 0,
                reason: String::new(),
            });
        }
        for (name, import) in &flows.imports {
            let key = ImportCursor::key_of(id, name.as_str());
            let cursor = self
                .store
                .find::<ImportCursor>(&key)
                .await?
                .map(|found| found.record);
            let stream = self.progress.of(id, name.as_str(), Direction::Import);
            let applied = cursor.as_ref().map_or(0, |cursor| cursor.applied);
            let local = feed_of(standing.space, &import.mapping.local_type);
            let missing = match artifact::data_of(name.as_str()) {
                DataType::Objects => Some(0),
                DataType::Artifacts => self.content_missing(id, self.store.head(&local).await?.0).await,
            };
            feeds.push(FeedProgress {
                object_type: import.mapping.local_type.as_str().to_owned(),
                direction: Direction::Import,
                lane: lane(import.lanes),
                cursor: applied,
                // What is still to come, the other side does not tell; of artifacts that came, their content may be.
                head: applied,
                lag: missing.unwrap_or(0),
                parked: count(name.as_str(), false).unwrap_or(0),
                in_sync: stream.settled && missing == Some(0),
                last_acknowledged_at: cursor.map(|cursor| cursor.at),
                resyncs: 0,
                dropped: stream.dropped.load(Ordering::Relaxed),
                reason: String::new(),
            });
        }
        feeds.extend(self.stopped_feeds(&standing, &flows, &parked).await?);
        Ok(feeds)
    }

    async fn parked_by_type(&self, connection: ConnectionId) -> Result<ParkedCounts, Error> {
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

/// The lanes that flow, in words.
pub(super) fn lane(lanes: Lanes) -> String {
    let text = match (lanes.source, lanes.actions) {
        (true, true) => "source and actions",
        (true, false) => "source",
        (false, true) => "actions",
        (false, false) => "off",
    };
    text.to_owned()
}
