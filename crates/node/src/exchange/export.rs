//! The exporting end of one type's stream.
//!
//! A walk scans all objects once and then follows the feed; at its end it waits for more. When the terms change it
//! starts anew and says only what differs: an object that did not change and is known to be there in the same words is
//! left out. So bootstrap, tail and change of terms are one path.
//!
//! Some batches are made ahead: the marks of one are on their way to the disk while the next is put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::policy::{self, Direction, Permit};
use peerd_store::records::{Cause, ExportCursor, Mark};
use peerd_store::{Entry, Range, Records as _, Table, Topic};
use tokio::sync::watch;

use super::draft::{Candidate, Draft};
use super::jobs::Beginning;
use super::marks::{self, Renewed, Unsettled};
use super::offer::{Knows, offer};
use super::planned::{Plan, Planned};
use super::position::{Sealer, Standpoint, Walk};
use super::progress::Ending;
use super::terms::ExportTerms;
use super::walk::{Page, Pages};
use super::{Ack, Batch, Flow, Position};
use crate::object::stored::{feed_of, primary_key_of};
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// The marks of so many objects are looked up although they do not decide: for a few it is quicker to know that a mark
/// is there than to wait for one to be written.
const LOOK_UP_MAX: usize = 32;

/// Makes the batches of one type for one peer.
#[derive(Debug)]
pub struct Exporter {
    node: Arc<Node>,
    peer: Peer,
    flow: Flow,
    sealer: Sealer,
    /// How far the walk has come, also where there was nothing to say, and whether the last batch that was made said
    /// that nothing more was waiting.
    at: (Standpoint, bool),
    /// The same of the last batch that was handed out: where the walk goes on when others are given up.
    handed: (Standpoint, bool),
    /// The position that the importer knows or will know: that of the last batch handed out.
    told: Position,
    number: u64,
    /// The places after which the batches begin that are not acknowledged.
    outstanding: BTreeMap<u64, u64>,
    unsettled: Unsettled,
    renewed: Renewed,
    pages: Pages,
    draft: Option<Draft>,
    page: Option<Page>,
    planned: Planned,
    terms: Option<Arc<ExportTerms>>,
    /// The importer stands further back than it did: it is also told what it once told us.
    lost: bool,
    /// The terms may be others by now.
    stale: bool,
    world: Work,
    feed: watch::Receiver<u64>,
    ending: Ending,
}

/// What came of a look at one more page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// There is more to look at.
    More,
    /// It waits until what is planned is written.
    Written,
    /// There is nothing more.
    Quiet,
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
        let revision = match node.store.horizon() {
            Some(revision) => revision.0,
            None => node.store.head(&feed).await?.0,
        };
        let (at, cause) = match sealer.open(&flow, &position) {
            Some(at) if at.is_within(revision) => (at, Cause::Resume),
            None if position.0.is_empty() => (Standpoint::default(), Cause::Bootstrap),
            _ => {
                let (connection, object_type) = (flow.connection, &flow.object_type);
                tracing::warn!(%connection, object_type, "foreign position: sending everything again");
                node.progress.resynced(&flow);
                (Standpoint::default(), Cause::Resync)
            }
        };
        let lost = at.says_all() && cause != Cause::Resync && node.has_heard(&flow).await?;
        let object_type = &flow.object_type;
        let beginning = Beginning { cause, object_type };
        let exporter = Exporter {
            world: node.work().and(node.store.watch(&Topic::Table(Table::Meta))),
            feed: node.store.watch(&Topic::Feed(feed)),
            ending: node.progress.opened(node, &flow, Direction::Export, beginning),
            node: Arc::clone(node),
            peer: *peer,
            flow,
            sealer,
            handed: (at.clone(), false),
            at: (at, false),
            told: position,
            number: 0,
            outstanding: BTreeMap::new(),
            unsettled: Unsettled::default(),
            renewed: Renewed::default(),
            pages: Pages::new(),
            draft: None,
            page: None,
            planned: Planned::default(),
            terms: None,
            lost,
            stale: true,
        };
        // An importer that stands further back than it did has lost what it acknowledged since.
        exporter.report();
        Ok(exporter)
    }

    /// The next batch. Waits until there is something to send and it may be sent. May be cancelled and called again.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            self.refresh().await?;
            let permit = self
                .node
                .permit_flow(self.peer.enrollment(), Direction::Export, self.flow.data());
            let (Some(terms), Ok(permit)) = (self.terms.clone(), permit) else {
                self.rewind();
                self.wait_for_terms().await;
                continue;
            };
            let mut look = Look::More;
            while look == Look::More && self.planned.has_room() {
                look = self.plan(&permit, &terms).await?;
            }
            if let Some(plan) = self.planned.written().await? {
                if let Some(batch) = self.hand_out(plan, terms.revision) {
                    return Ok(batch);
                }
            } else if look == Look::Quiet {
                // All that was made was handed out, and of what came after it there was nothing to say.
                self.handed = self.at.clone();
                self.report();
                self.wait().await;
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
        self.renewed.forget(&self.flow, &ack.refusals);
        self.node.doubt(&self.flow, &ack.refusals).await?;
        self.outstanding.retain(|number, _| *number > ack.number);
        self.node.progress.acknowledged(&self.flow, &ack, self.node.now());
        self.report();
        Ok(())
    }

    /// Says why the stream ends, unless somebody ends it from outside.
    pub fn broke(&mut self, reason: Reason, told: &str) {
        self.ending.broke(reason, told);
    }

    async fn refresh(&mut self) -> Result<(), Error> {
        self.stale |= self.world.take_changed();
        if !self.stale {
            return Ok(());
        }
        let terms = self.node.export_terms(&self.flow).await?;
        let digest = terms.as_ref().map(|terms| terms.digest);
        if digest != self.terms.as_ref().map(|terms| terms.digest) {
            self.rewind();
        }
        if let Some(terms) = terms.as_ref().filter(|terms| terms.digest != self.at.0.terms) {
            if self.at.0.terms != Standpoint::default().terms {
                self.node.progress.terms_changed(&self.flow, self.node.now());
            }
            let walk = Walk::Scan {
                from: self.node.store.head(&terms.feed).await?.0,
                after: String::new(),
            };
            let floor = match self.at.0.walk {
                Walk::Follow(sequence) => sequence,
                // A scan that did not end told of some objects only, and which these are its end does not say.
                Walk::Scan { .. } => self.at.0.floor,
            };
            let at = Standpoint {
                terms: terms.digest,
                walk,
                floor,
            };
            self.at = (at, false);
            self.handed = self.at.clone();
        }
        self.terms = terms.map(Arc::new);
        self.stale = false;
        Ok(())
    }

    /// Gives up what was made and not handed out.
    fn rewind(&mut self) {
        self.planned.give_up();
        self.pages.forget();
        (self.draft, self.page) = (None, None);
        self.at = self.handed.clone();
    }

    /// Looks at one more page, and plans what comes of it when a batch is full or when there is nothing more. May be
    /// cancelled: what was read is not read again.
    async fn plan(&mut self, permit: &Permit<policy::Flow>, terms: &ExportTerms) -> Result<Look, Error> {
        let at = &self.at.0;
        let draft = self.draft.get_or_insert_with(|| Draft::new(at.clone()));
        if self.page.is_none() {
            // A read that is under way since an earlier call may not have seen what changed meanwhile: only one that
            // begins now sees all changes up to now.
            if !self.pages.is_reading() {
                self.feed.mark_unchanged();
            }
            let page = self.pages.next(&self.node, &terms.feed, &draft.at.walk).await?;
            self.page = Some(page);
        }
        let Some((page, draft)) = self.page.as_ref().zip(self.draft.take()) else {
            return Ok(Look::More);
        };
        let candidates = self.candidates(permit, terms, page)?;
        let decisive = candidates.iter().any(|one| draft.needs_mark(one));
        if decisive && !(self.planned.is_empty() && draft.marks.is_empty()) {
            // The marks that decide may be among those that are not written yet.
            self.keep(draft, false).await;
            return Ok(Look::Written);
        }
        let (last, head) = (page.last, page.head);
        let few = candidates.len() <= LOOK_UP_MAX;
        let matters = candidates.iter().filter(|one| few || draft.needs_mark(one));
        let places: Vec<Bytes> = matters.map(|one| one.place.clone()).collect();
        self.draft = Some(draft);
        let found = self.node.store.read_many(Table::Exported, &places).await?;
        let marks = looked_up(&candidates, &places, found)?;
        self.page = None;
        let Some(mut draft) = self.draft.take() else {
            return Ok(Look::More);
        };
        for (candidate, mark) in candidates.into_iter().zip(marks) {
            if !draft.add(terms, candidate, mark) {
                // It and the rest are looked at again, for the next batch.
                self.keep(draft, false).await;
                return Ok(Look::More);
            }
        }
        let is_scan = matches!(draft.at.walk, Walk::Scan { .. });
        if last && is_scan {
            draft.follow(head);
        }
        let is_quiet = last && !is_scan;
        if is_quiet || draft.is_worth_sending() {
            self.keep(draft, is_quiet).await;
        } else {
            self.draft = Some(draft);
        }
        Ok(if is_quiet { Look::Quiet } else { Look::More })
    }

    /// What is decided about each object of a page.
    fn candidates(
        &self,
        permit: &Permit<policy::Flow>,
        terms: &ExportTerms,
        page: &Page,
    ) -> Result<Vec<Candidate>, Error> {
        let (prefix, me) = (terms.feed.prefix(), self.node.enrollment_id());
        let knows = if self.lost && self.at.0.says_all() {
            Knows::Less
        } else {
            Knows::WhatItSent
        };
        let candidate = |(key, entry): &(Bytes, Entry)| {
            let key = primary_key_of(&prefix, key)?;
            Ok(Candidate {
                sequence: entry.revision.0,
                key: key.to_owned(),
                place: marks::key_of(&self.flow, key),
                offer: offer(permit, terms, &entry.value, me, knows)?,
            })
        };
        page.rows.iter().map(candidate).collect()
    }

    /// Plans a batch, unless it says nothing.
    async fn keep(&mut self, mut draft: Draft, last: bool) {
        self.node.progress.walked(&self.flow, draft.looked_at);
        let speaks = !draft.items.is_empty() || last && !self.at.1;
        self.at = (draft.at.clone(), last || !speaks && self.at.1);
        let mut batch = peerd_store::Batch::new();
        self.renewed.write(&mut batch, &draft.marks);
        let poison = std::mem::take(&mut draft.poison);
        if !speaks && batch.is_empty() && poison.is_empty() {
            return;
        }
        let (node, connection) = (Arc::clone(&self.node), self.flow.connection);
        let writing = async move {
            node.park(&mut batch, connection, poison).await?;
            if batch.is_empty() {
                return Ok(());
            }
            node.commit(batch).await
        };
        let plan = Plan { draft, last, speaks };
        self.planned.add(plan, writing.boxed()).await;
    }

    /// Everything from here on is in memory: a batch whose marks are written is handed out.
    fn hand_out(&mut self, plan: Plan, sharing_revision: u64) -> Option<Batch> {
        let Plan { draft, last, speaks } = plan;
        let handed = (draft.at, last || !speaks && self.handed.1);
        let (began, _) = std::mem::replace(&mut self.handed, handed);
        if !speaks {
            return None;
        }
        self.number += 1;
        self.outstanding.insert(self.number, began.walk.reached());
        self.unsettled.wait(self.number, draft.marks);
        let cursor = self.sealer.seal(&self.flow, &draft.told);
        let batch = Batch {
            number: self.number,
            previous: std::mem::replace(&mut self.told, cursor.clone()),
            cursor,
            sharing_revision,
            items: draft.items,
            caught_up: last,
        };
        self.node.progress.sent(&self.flow, &batch, self.node.now());
        self.report();
        Some(batch)
    }

    /// Without terms or a permit the feed does not matter.
    async fn wait_for_terms(&mut self) {
        self.world.changed().await;
        self.stale = true;
    }

    /// Waits for the feed or the terms to move.
    async fn wait(&mut self) {
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
        let (handed, told_end) = &self.handed;
        let walked = handed.walk.reached().max(handed.floor);
        let reached = match self.outstanding.first_key_value() {
            // Everything before the oldest batch without an answer was answered.
            Some((_, began)) => (*began).min(walked),
            None => handed.walk.reached(),
        };
        let settled = self.outstanding.is_empty() && self.planned.is_empty() && *told_end;
        let all = self.outstanding.is_empty();
        let acknowledged = all.then(|| (handed.terms, handed.walk.reached()));
        let progress = &self.node.progress;
        progress.exported(&self.flow, reached, settled, acknowledged);
    }
}

impl Node {
    /// Whether the other side has acknowledged this stream before, or was sent something on it.
    async fn has_heard(&self, flow: &Flow) -> Result<bool, Error> {
        if self.progress.has_acknowledged(flow) {
            return Ok(true);
        }
        let key = ExportCursor::key_of(flow.connection, &flow.object_type);
        let noted = self.store.find::<ExportCursor>(&key).await?;
        if noted.is_some_and(|noted| noted.record.acknowledged > 0) {
            return Ok(true);
        }
        let marks = Mark::prefix(flow.connection, &flow.object_type);
        let marks = Range::prefix(Table::Exported, marks, 1);
        Ok(!self.store.range(marks).await?.is_empty())
    }
}

/// The marks of candidates, from what was found at these places, which are in the same order.
fn looked_up(
    candidates: &[Candidate],
    places: &[Bytes],
    found: Vec<Option<Entry>>,
) -> Result<Vec<Option<Mark>>, Error> {
    let mut found = places.iter().zip(found).peekable();
    let mark = |one: &Candidate| match found.next_if(|(place, _)| **place == one.place) {
        Some((_, entry)) => marks::read(entry.as_ref()),
        None => Ok(None),
    };
    candidates.iter().map(mark).collect()
}
