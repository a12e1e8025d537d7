//! The exporting end of one type's stream.
//!
//! A walk goes through the feed once, in order; at its end it waits for more. When the terms change it starts anew and
//! says only what differs: an object that did not change and is known to be there in the same words is left out. So
//! bootstrap, tail and change of terms are one path.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerd_core::Reason;
use peerd_core::policy::{self, Direction, Permit};
use peerd_store::{Sequence, Table, Topic};
use tokio::sync::watch;

use super::draft::Draft;
use super::marks::{self, Unsettled};
use super::position::{Sealer, Standpoint};
use super::progress::Ending;
use super::terms::ExportTerms;
use super::{Ack, Batch, Flow, Position};
use crate::object::stored::{feed_of, object_of};
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// How many places of the feed are read at once: objects are large at worst, so not many.
const READ_MAX: usize = 64;
/// How many places are looked at before the policies are asked again, when nothing of them goes.
const LOOK_MAX: usize = 4_096;

/// Makes the batches of one type for one peer.
#[derive(Debug)]
pub struct Exporter {
    node: Arc<Node>,
    peer: Peer,
    flow: Flow,
    sealer: Sealer,
    /// How far the walk has come, also where there was nothing to say.
    at: Standpoint,
    /// The position that the importer knows or will know: that of the last batch.
    told: Position,
    number: u64,
    /// Whether the last batch said that nothing more was waiting.
    told_end: bool,
    /// The places after which the batches begin that are not acknowledged.
    outstanding: BTreeMap<u64, u64>,
    unsettled: Unsettled,
    terms: Option<ExportTerms>,
    /// The terms may be others by now.
    stale: bool,
    world: Work,
    feed: watch::Receiver<u64>,
    _ending: Ending,
}

enum Step {
    Ready(Batch),
    More,
    Wait,
}

impl Exporter {
    /// Opens the stream where the importer stands. A position that means nothing here is not an error: the walk starts
    /// from the beginning, and says everything again.
    pub async fn open(
        node: &Arc<Node>,
        peer: &Peer,
        flow: Flow,
        position: Position,
    ) -> Result<Exporter, Error> {
        let connection = node.connection_of(peer, flow.connection).await?;
        let space = connection.space.ok_or_else(|| Error::not_found("stream"))?.id;
        let name = flow.object_type.parse();
        let feed = feed_of(space, &name.map_err(|error| Error::field("type", error))?);
        let sealer = node.sealer().await?;
        let head = node.store.head(&feed).await?;
        let at = match sealer.open(&flow, &position) {
            Some(at) if at.sequence <= head.0 => at,
            None if position.0.is_empty() => Standpoint::default(),
            _ => {
                let (connection, object_type) = (flow.connection, &flow.object_type);
                tracing::warn!(%connection, object_type, "foreign position: sending everything again");
                node.progress.resynced(&flow);
                Standpoint::default()
            }
        };
        Ok(Exporter {
            world: node.work().and(node.store.watch(&Topic::Table(Table::Meta))),
            feed: node.store.watch(&Topic::Feed(feed)),
            _ending: node.progress.opened(node, &flow, Direction::Export),
            node: Arc::clone(node),
            peer: *peer,
            flow,
            sealer,
            at,
            told: position,
            number: 0,
            told_end: false,
            outstanding: BTreeMap::new(),
            unsettled: Unsettled::default(),
            terms: None,
            stale: true,
        })
    }

    /// The next batch. Waits until there is something to send and it may be sent. May be cancelled and called again.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            self.refresh().await?;
            match self.step().await? {
                Step::Ready(batch) => return Ok(batch),
                Step::More => {}
                Step::Wait => self.wait().await,
            }
        }
    }

    /// The importer committed a batch. An answer to an earlier batch says nothing new and is ignored.
    pub async fn acknowledged(&mut self, ack: Ack) -> Result<(), Error> {
        if ack.number > self.number {
            let told = "a batch was acknowledged that was never sent";
            return Err(Error::new(Reason::PeerMisbehaved, told));
        }
        for refusal in &ack.refusals {
            let (connection, reason) = (self.flow.connection, refusal.reason);
            tracing::info!(%connection, %reason, "the other side parked an object");
        }
        self.node.settle(&mut self.unsettled, ack.number).await?;
        self.outstanding.retain(|number, _| *number > ack.number);
        self.node.progress.acknowledged(&self.flow, self.node.now());
        self.report();
        Ok(())
    }

    async fn refresh(&mut self) -> Result<(), Error> {
        self.stale |= self.world.take_changed();
        if !self.stale {
            return Ok(());
        }
        self.terms = self.node.export_terms(&self.flow).await?;
        self.stale = false;
        let digest = self.terms.as_ref().map(|terms| terms.digest);
        if let Some(digest) = digest.filter(|digest| *digest != self.at.terms) {
            self.at = Standpoint {
                terms: digest,
                sequence: 0,
                floor: self.at.sequence,
            };
            self.told_end = false;
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<Step, Error> {
        let Some(terms) = &self.terms else {
            return Ok(Step::Wait);
        };
        let Ok(permit) = self.node.permit_flow(self.peer.enrollment(), Direction::Export) else {
            return Ok(Step::Wait);
        };
        self.feed.mark_unchanged();
        let mut draft = Draft::new(self.at);
        let end = self.fill(&permit, terms, &mut draft).await?;
        let revision = terms.revision;
        self.node.commit_draft(&self.flow, &mut draft).await?;
        let began = std::mem::replace(&mut self.at, draft.at).sequence;
        if draft.items.is_empty() && (!end || self.told_end) {
            self.report();
            return Ok(if end { Step::Wait } else { Step::More });
        }
        Ok(Step::Ready(self.hand_out(draft, end, revision, began)))
    }

    /// Everything from here on is in memory: a batch whose marks are written is handed out.
    fn hand_out(&mut self, draft: Draft, end: bool, sharing_revision: u64, began: u64) -> Batch {
        self.number += 1;
        self.outstanding.insert(self.number, began);
        self.unsettled.wait(self.number, draft.marks);
        self.told_end = end;
        let cursor = self.sealer.seal(&self.flow, &self.at);
        self.report();
        Batch {
            number: self.number,
            previous: std::mem::replace(&mut self.told, cursor.clone()),
            cursor,
            sharing_revision,
            items: draft.items,
            caught_up: end,
        }
    }

    /// Walks on until the draft is full; answers whether it came to the end of the feed.
    async fn fill(
        &self,
        permit: &Permit<policy::Flow>,
        terms: &ExportTerms,
        draft: &mut Draft,
    ) -> Result<bool, Error> {
        let me = self.node.enrollment_id();
        let mut looked_at = 0;
        while looked_at < LOOK_MAX {
            let after = Sequence(draft.at.sequence);
            let changes = self.node.store.changes(&terms.feed, after, READ_MAX).await?;
            let keys: Vec<_> = changes.iter().map(|change| change.key.clone()).collect();
            let mut names = Vec::with_capacity(keys.len());
            for key in &keys {
                names.push(object_of(&terms.feed, key)?.primary_key().to_owned());
            }
            let places: Vec<_> = names.iter().map(|name| marks::key_of(&self.flow, name)).collect();
            let objects = self.node.store.read_many(Table::Objects, &keys).await?;
            let found = self.node.store.read_many(Table::Exported, &places).await?;
            let rows = changes
                .iter()
                .zip(names)
                .zip(objects)
                .zip(places.into_iter().zip(found));
            for (((change, key), object), (place, mark)) in rows {
                let mark = (place, marks::read(mark.as_ref())?);
                if !draft.add(permit, terms, me, (change.sequence.0, key, object), mark)? {
                    return Ok(false);
                }
            }
            if changes.len() < READ_MAX {
                return Ok(true);
            }
            looked_at += changes.len();
        }
        Ok(false)
    }

    /// Waits for the feed or the terms to move. Without terms or a permit the feed does not matter.
    async fn wait(&mut self) {
        let denied = self.terms.is_none()
            || self
                .node
                .permit_flow(self.peer.enrollment(), Direction::Export)
                .is_err();
        if denied {
            self.world.changed().await;
            self.stale = true;
            return;
        }
        tokio::select! {
            () = self.world.changed() => self.stale = true,
            moved = self.feed.changed() => {
                if moved.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    fn report(&self) {
        let walked = self.at.sequence.max(self.at.floor);
        let reached = match self.outstanding.first_key_value() {
            // Everything before the oldest batch without an answer was answered.
            Some((_, began)) => (*began).min(walked),
            None => self.at.sequence,
        };
        let settled = self.outstanding.is_empty() && self.told_end;
        self.node.progress.exported(&self.flow, reached, settled);
    }
}
