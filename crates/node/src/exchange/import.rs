//! The importing end of one type's stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::artifact;
use peerd_core::object::{Hlc, ObjectKey};
use peerd_core::policy::{self, Direction, Permit};
use peerd_core::{ConnectionId, Reason};
use peerd_store::records::{Cause, ImportCursor, Mark, Parked};
use peerd_store::{Batch as Writes, Expect, Found, RecordBatch as _, Records as _, Table, Topic};

use super::intake::{Arrival, Intake, Refused, Taken};
use super::jobs::{self, Beginning};
use super::marks;
use super::park::{self, Poison};
use super::progress::Ending;
use super::terms::ImportTerms;
use super::touched::{Touched, Written};
use super::{Ack, Batch, Change, Flow, Item, Position, Refusal};
use crate::object::stored::key_in;
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// The most items a batch may have.
const ITEMS_MAX: usize = 1_000;
/// The most bytes a batch may have.
const BYTES_MAX: usize = 5 << 20;
/// The longest position that is stored.
pub(super) const POSITION_MAX: usize = 1_024;

/// Applies the batches of one type from one peer.
#[derive(Debug)]
pub struct Importer {
    node: Arc<Node>,
    flow: Flow,
    position: Position,
    terms: ImportTerms,
    /// The terms may be others by now.
    stale: bool,
    world: Work,
    last: Option<Ack>,
    ending: Ending,
}

/// How the position moves with a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advance<'a> {
    from: &'a Position,
    to: &'a Position,
    caught_up: bool,
}

impl Importer {
    /// Opens the stream where this side stands. Where arrivals are translated otherwise than before, that is the
    /// beginning: all of it comes again, and what did not change is not written.
    pub async fn open(node: &Arc<Node>, peer: &Peer, flow: Flow) -> Result<Importer, Error> {
        node.connection_of(peer, flow.connection).await?;
        let world = node.work().and(node.store.watch(&Topic::Table(Table::Meta)));
        let (permit, terms) = node.may_import(&flow).await?;
        node.take_parked(&permit, &flow, &terms).await?;
        let cursor = node.import_cursor(&flow).await?;
        let begun = cursor.as_ref().filter(|found| !found.record.withdrawn);
        let other_terms = begun.is_some_and(|found| found.record.terms != terms.digest);
        let position = cursor
            .filter(|found| found.record.terms == terms.digest && !found.record.withdrawn)
            .map(|found| Position(found.record.position.into()));
        let beginning = Beginning {
            cause: match &position {
                Some(_) => Cause::Resume,
                None if other_terms => Cause::Terms,
                None => Cause::Bootstrap,
            },
            object_type: terms.local.name.as_str(),
        };
        Ok(Importer {
            ending: node.progress.opened(node, &flow, Direction::Import, beginning),
            node: Arc::clone(node),
            flow,
            position: position.unwrap_or_default(),
            terms,
            stale: false,
            world,
            last: None,
        })
    }

    /// Where this side stands: what the exporter is told.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Commits a batch, and the position with it. A batch that does not continue from the position is refused with
    /// [`Reason::PeerMisbehaved`], and one that came after the translation changed with [`Reason::ConcurrentChange`]:
    /// open the stream again.
    pub async fn apply(&mut self, batch: Batch) -> Result<Ack, Error> {
        self.refresh().await?;
        let permit = self.node.permit_import(&self.terms)?;
        if let Some(last) = self.last.as_ref().filter(|last| is_repeated(last, &batch)) {
            return Ok(last.clone());
        }
        self.check(&batch)?;
        let Batch {
            number,
            cursor,
            items,
            caught_up,
            ..
        } = batch;
        let advance = Advance {
            from: &self.position,
            to: &cursor,
            caught_up,
        };
        let refusals = self
            .node
            .take_items(&permit, &self.flow, &self.terms, &items, Some(advance))
            .await?;
        self.position = cursor.clone();
        self.node
            .progress
            .imported(&self.flow, caught_up, self.node.now());
        let ack = Ack {
            number,
            cursor,
            refusals,
        };
        self.last = Some(ack.clone());
        Ok(ack)
    }

    /// Says why the stream ends, unless somebody ends it from outside.
    pub fn broke(&mut self, reason: Reason, told: &str) {
        self.ending.broke(reason, told);
    }

    /// Resolves when this side may no longer import as it did: policy, halt, close, unshared, mapped otherwise.
    pub async fn until_denied(&mut self) {
        while self.refresh().await.is_ok() && self.node.permit_import(&self.terms).is_ok() {
            self.world.changed().await;
            self.stale = true;
        }
    }

    /// Reads the terms again when they may have changed. Others end the stream.
    async fn refresh(&mut self) -> Result<(), Error> {
        self.stale |= self.world.take_changed();
        if self.stale {
            let (_, terms) = self.node.may_import(&self.flow).await?;
            if terms.digest != self.terms.digest {
                return Err(Error::of(Reason::ConcurrentChange));
            }
            self.terms = terms;
            self.stale = false;
        }
        Ok(())
    }

    fn check(&self, batch: &Batch) -> Result<(), Error> {
        let misbehaved = |told: &str| Err(Error::new(Reason::PeerMisbehaved, told));
        let bytes: usize = batch
            .items
            .iter()
            .map(|item| match &item.change {
                Change::State(bytes) => bytes.len() + item.key.len(),
                Change::Retraction => item.key.len(),
            })
            .sum();
        if batch.items.len() > ITEMS_MAX || bytes > BYTES_MAX || batch.cursor.0.len() > POSITION_MAX {
            return misbehaved("the batch is larger than a batch may be");
        }
        if batch.previous != self.position {
            let (connection, object_type) = (self.flow.connection, &self.flow.object_type);
            tracing::warn!(%connection, object_type, "gap: a batch does not continue from the position here");
            return misbehaved("the batch does not continue from the position here");
        }
        Ok(())
    }
}

/// A batch that was committed and comes once more is answered as before.
fn is_repeated(last: &Ack, batch: &Batch) -> bool {
    last.number == batch.number && last.cursor == batch.cursor
}

impl Node {
    /// The permit and the terms to import.
    pub(super) async fn may_import(&self, flow: &Flow) -> Result<(Permit<policy::Flow>, ImportTerms), Error> {
        let stopped = || Error::new(Reason::WrongStage, "the type does not come in now");
        let terms = self.import_terms(flow).await?.ok_or_else(stopped)?;
        Ok((self.permit_import(&terms)?, terms))
    }

    fn permit_import(&self, terms: &ImportTerms) -> Result<Permit<policy::Flow>, Error> {
        let data = artifact::data_of(terms.import.mapping.remote_type.as_str());
        self.permit_flow(terms.connection.remote, Direction::Import, data)
            .map_err(|denial| Error::of(denial.reason))
    }

    pub(super) async fn import_cursor(&self, flow: &Flow) -> Result<Option<Found<ImportCursor>>, Error> {
        let key = ImportCursor::key_of(flow.connection, &flow.object_type);
        Ok(self.store.find(&key).await?)
    }

    /// Applies items, with what they need and the position, in one commit. Items that cannot be applied are parked.
    pub(super) async fn take_items(
        &self,
        permit: &Permit<policy::Flow>,
        flow: &Flow,
        terms: &ImportTerms,
        items: &[Item],
        advance: Option<Advance<'_>>,
    ) -> Result<Vec<Refusal>, Error> {
        self.retrying(|| self.take_items_once(permit, flow, terms, items, advance))
            .await
    }

    async fn take_items_once(
        &self,
        permit: &Permit<policy::Flow>,
        flow: &Flow,
        terms: &ImportTerms,
        items: &[Item],
        advance: Option<Advance<'_>>,
    ) -> Result<Vec<Refusal>, Error> {
        let mut writes = Writes::read_at(self.store.horizon());
        let mut touched = self.touched(terms, items).await?;
        let succeeded = self.succeeded(terms, &touched).await?;
        let intake = Intake {
            permit,
            terms,
            me: self.enrollment_id(),
            succeeded: &succeeded,
        };
        let (mut poison, mut newest) = (Vec::new(), Hlc::ZERO);
        let mut applied = BTreeSet::new();
        for item in items {
            let taken = match touched.get_mut(item.key.as_str()) {
                Some(one) => self.take_item(&intake, item, one, &mut newest)?,
                None => Err(Refused::new(Reason::ObjectInvalid, "no object can have this key")),
            };
            match taken {
                Ok(()) => drop(applied.insert(item.key.as_str())),
                Err(refused) => poison.push(poisoned(flow, terms, item, refused)),
            }
        }
        self.observe(newest).await;
        let refusals = poison.iter().map(|one| Refusal {
            key: one.key.clone(),
            reason: one.reason,
        });
        let refusals: Vec<Refusal> = refusals.collect();
        self.mark_met(&mut writes, terms, &mut touched).await?;
        let removed = touched.values().filter(|one| one.goes()).count() as u64;
        let taken = jobs::Taken {
            written: touched.values().filter(|one| one.changes()).count() as u64 - removed,
            removed,
            parked: refusals.len() as u64,
        };
        self.write_objects(&mut writes, terms, touched).await?;
        self.unpark_applied(&mut writes, flow, &applied).await?;
        self.park(&mut writes, flow.connection, poison).await?;
        if let Some(advance) = advance {
            let count = items.len() as u64;
            self.advance(&mut writes, flow, terms, advance, count).await?;
        }
        if !writes.is_empty() {
            self.commit(writes).await?;
        }
        if advance.is_some() {
            self.progress.jobs.took(flow, items, taken, self.now());
            self.progress.tally.took(items, taken.parked);
        }
        Ok(refusals)
    }

    /// The objects that a batch is about, as they are here. A key that no object can have is about none.
    async fn touched<'a>(
        &self,
        terms: &ImportTerms,
        items: &'a [Item],
    ) -> Result<BTreeMap<&'a str, Touched>, Error> {
        let keys = items.iter().map(|item| item.key.as_str());
        let keys: BTreeSet<&str> = keys.filter(|key| ObjectKey::check(key).is_ok()).collect();
        let places: Vec<Bytes> = keys.iter().map(|key| key_in(&terms.feed, key)).collect();
        let found = self.store.read_many(Table::Objects, &places).await?;
        let touched = places.into_iter().zip(found);
        let touched = touched.map(|(place, entry)| Touched::new(place, entry));
        Ok(keys.into_iter().zip(touched).collect())
    }

    /// Of the connections that touched objects came over, those that this one follows.
    async fn succeeded(
        &self,
        terms: &ImportTerms,
        touched: &BTreeMap<&str, Touched>,
    ) -> Result<BTreeSet<ConnectionId>, Error> {
        let mut others = BTreeSet::new();
        for one in touched.values() {
            let via = one.provenance()?.and_then(|provenance| provenance.via);
            others.extend(via.filter(|via| *via != terms.connection.id));
        }
        let mut succeeded = BTreeSet::new();
        for id in others {
            let other = self.store_connection(id).await?;
            let remote = terms.connection.remote;
            if other.is_some_and(|other| other.stage.is_final() && other.remote == remote) {
                succeeded.insert(id);
            }
        }
        Ok(succeeded)
    }

    /// Works out what becomes of one object. `newest` becomes the latest clock of all that is taken.
    fn take_item(
        &self,
        intake: &Intake<'_>,
        item: &Item,
        touched: &mut Touched,
        newest: &mut Hlc,
    ) -> Result<Result<(), Refused>, Error> {
        let Change::State(bytes) = &item.change else {
            let outcome = intake.retract(touched.now()?.as_ref());
            touched.becomes(outcome);
            return Ok(Ok(()));
        };
        if let Some(taken) = intake.take_plain(item, bytes, touched.known()?) {
            return Ok(taken.and_then(|Taken { outcome, clock }| {
                self.check_clock(clock)?;
                *newest = clock.max(*newest);
                touched.becomes_plain(outcome);
                Ok(())
            }));
        }
        let arrival = match Arrival::read(bytes) {
            Ok(arrival) => arrival,
            Err(refused) => return Ok(Err(refused)),
        };
        let clock = arrival.state.newest();
        if let Err(refused) = self.check_clock(clock) {
            return Ok(Err(refused));
        }
        *newest = clock.max(*newest);
        let known = touched.now()?;
        match intake.take(&item.key, &arrival, known.as_ref()) {
            Ok(outcome) => touched.becomes(outcome),
            Err(refused) => return Ok(Err(refused)),
        }
        touched.met = touched.now()?.is_some_and(|now| intake.is_met(&arrival, &now));
        Ok(Ok(()))
    }

    fn check_clock(&self, clock: Hlc) -> Result<(), Refused> {
        self.believable(clock)
            .map_err(|error| Refused::new(error.reason(), &error))
    }

    /// Marks what the other side has by itself: a deletion goes to those only who have the object. One that is here
    /// already was passed over so far and moves to the end of its feed.
    async fn mark_met(
        &self,
        writes: &mut Writes,
        terms: &ImportTerms,
        touched: &mut BTreeMap<&str, Touched>,
    ) -> Result<(), Error> {
        // Our exports bear our name of the type.
        let flow = Flow {
            connection: terms.connection.id,
            object_type: terms.local.name.as_str().to_owned(),
        };
        let met = touched.iter_mut().filter(|(_, one)| one.met);
        let (places, met): (Vec<_>, Vec<_>) = met.map(|(key, one)| (marks::key_of(&flow, key), one)).unzip();
        let marks = self.store.read_many(Table::Exported, &places).await?;
        for ((place, one), _) in places
            .into_iter()
            .zip(met)
            .zip(marks)
            .filter(|(_, mark)| mark.is_none())
        {
            writes.expect(Table::Exported, place.clone(), Expect::Absent);
            writes.put(Table::Exported, place, Mark::THEIRS.to_bytes());
            if one.now()?.is_some_and(|now| now.state.is_deleted()) {
                one.moves();
            }
        }
        Ok(())
    }

    async fn write_objects(
        &self,
        writes: &mut Writes,
        terms: &ImportTerms,
        touched: BTreeMap<&str, Touched>,
    ) -> Result<(), Error> {
        let mut markings = BTreeSet::new();
        let onward = if touched.values().any(Touched::goes) {
            self.onward(terms.feed.space, terms.connection.id).await?
        } else {
            Vec::new()
        };
        for (primary_key, one) in touched {
            match one.write(writes, &terms.feed, &terms.local.name, primary_key)? {
                Written::Plain => {}
                Written::Stored(stored) => markings.extend(stored.state.security(&terms.levels).markings),
                Written::Goes(key, before) => {
                    self.withdraw(writes, terms.feed.space, &key, &before, &onward)
                        .await?;
                }
            }
        }
        self.ensure_markings(writes, &markings).await
    }

    /// What was parked and came well now is parked no more. Mostly nothing is parked: then nothing is looked up.
    async fn unpark_applied(
        &self,
        writes: &mut Writes,
        flow: &Flow,
        applied: &BTreeSet<&str>,
    ) -> Result<(), Error> {
        let page = self.store.all::<Parked>(&Parked::prefix(flow.connection)).await?;
        for parked in page.into_iter().map(|found| found.record) {
            let here = !parked.outgoing && parked.remote_type == flow.object_type;
            if here && applied.contains(parked.key.as_str()) {
                park::unpark(writes, parked.id);
            }
        }
        Ok(())
    }

    /// Moves the position, if it still is where this stream found it: of two streams of one type only one goes on.
    async fn advance(
        &self,
        writes: &mut Writes,
        flow: &Flow,
        terms: &ImportTerms,
        advance: Advance<'_>,
        items: u64,
    ) -> Result<(), Error> {
        let found = self.import_cursor(flow).await?;
        let known = found.as_ref().map(|found| &found.record);
        let begins = advance.from.0.is_empty();
        let continues = known.is_some_and(|known| known.position == advance.from.0);
        if !begins && !continues {
            return Err(Error::new(
                Reason::PeerMisbehaved,
                "another stream of this type went on",
            ));
        }
        let applied = known.map_or(0, |known| known.applied).saturating_add(items);
        let next = ImportCursor {
            connection: flow.connection,
            remote_type: flow.object_type.clone(),
            local_type: terms.local.name.as_str().to_owned(),
            position: advance.to.0.to_vec(),
            terms: terms.digest,
            applied,
            caught_up: advance.caught_up,
            withdrawn: false,
            at: self.now(),
            doubted: known.is_some_and(|known| known.doubted),
        };
        match &found {
            Some(found) => writes.replace(&next, found.revision)?,
            None => writes.insert(&next)?,
        };
        Ok(())
    }
}

fn poisoned(flow: &Flow, terms: &ImportTerms, item: &Item, refused: Refused) -> Poison {
    Poison {
        outgoing: false,
        remote_type: flow.object_type.clone(),
        object_type: terms.local.name.as_str().to_owned(),
        key: item.key.clone(),
        reason: refused.reason,
        message: refused.message,
        bytes: match &item.change {
            Change::State(bytes) => Some(bytes.clone()),
            Change::Retraction => None,
        },
    }
}
