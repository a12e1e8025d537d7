//! The importing end of one type's stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peerd_core::policy::{self, Direction, Permit};
use peerd_core::{ConnectionId, Reason};
use peerd_store::records::{ImportCursor, Mark, Parked};
use peerd_store::{Batch as Writes, Expect, Found, RecordBatch as _, Records as _, Table};

use super::intake::{Arrival, Intake, Outcome, Refused};
use super::marks;
use super::park::{self, Poison};
use super::position::Digest;
use super::progress::Ending;
use super::terms::ImportTerms;
use super::{Ack, Batch, Change, Flow, Item, Position, Refusal};
use crate::object::stored::{Stored, key_in, put_in_feed, remove_from_feed};
use crate::peer::Peer;
use crate::{Error, Node};

/// The most items a batch may have.
const ITEMS_MAX: usize = 1_000;
/// The most bytes a batch may have.
const BYTES_MAX: usize = 5 << 20;
/// The longest position that is stored.
const POSITION_MAX: usize = 1_024;

/// Applies the batches of one type from one peer.
#[derive(Debug)]
pub struct Importer {
    node: Arc<Node>,
    flow: Flow,
    position: Position,
    terms: Digest,
    last: Option<Ack>,
    _ending: Ending,
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
        let (_, terms) = node.may_import(&flow).await?;
        let cursor = node.import_cursor(&flow).await?;
        let position = cursor
            .filter(|found| found.record.terms == terms.digest && !found.record.withdrawn)
            .map(|found| Position(found.record.position.into()));
        Ok(Importer {
            _ending: node.progress.opened(node, &flow, Direction::Import),
            node: Arc::clone(node),
            flow,
            position: position.unwrap_or_default(),
            terms: terms.digest,
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
        let (permit, terms) = self.node.may_import(&self.flow).await?;
        if terms.digest != self.terms {
            return Err(Error::of(Reason::ConcurrentChange));
        }
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
            .take_items(&permit, &self.flow, &terms, &items, Some(advance))
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

    /// Resolves when this side may no longer import as it did: policy, halt, close, unshared, mapped otherwise.
    pub async fn until_denied(&self) {
        let mut work = self.node.work();
        while let Ok((_, terms)) = self.node.may_import(&self.flow).await {
            if terms.digest != self.terms {
                return;
            }
            work.changed().await;
        }
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

/// One object while a batch is worked out: as it was read, and as it will be.
#[derive(Debug)]
struct Touched {
    before: Option<Found<Stored>>,
    now: Option<Stored>,
    changed: bool,
    /// The other side has it as well, by itself.
    met: bool,
}

impl Node {
    /// The permit and the terms to import.
    pub(super) async fn may_import(&self, flow: &Flow) -> Result<(Permit<policy::Flow>, ImportTerms), Error> {
        let stopped = || Error::new(Reason::WrongStage, "the type does not come in now");
        let terms = self.import_terms(flow).await?.ok_or_else(stopped)?;
        let permit = self
            .permit_flow(terms.connection.remote, Direction::Import)
            .map_err(|denial| Error::of(denial.reason))?;
        Ok((permit, terms))
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
        let mut touched = self.touched(terms, items).await?;
        let succeeded = self.succeeded(terms, &touched).await?;
        let intake = Intake {
            permit,
            terms,
            me: self.enrollment_id(),
            succeeded: &succeeded,
        };
        let mut poison = Vec::new();
        let mut applied = BTreeSet::new();
        for item in items {
            match self.take_item(&intake, item, touched.get_mut(&item.key)).await? {
                Ok(()) => drop(applied.insert(item.key.as_str())),
                Err(refused) => poison.push(poisoned(flow, terms, item, refused)),
            }
        }
        let refusals = poison.iter().map(|one| Refusal {
            key: one.key.clone(),
            reason: one.reason,
        });
        let refusals = refusals.collect();
        let mut writes = Writes::new();
        self.mark_met(&mut writes, terms, &mut touched).await?;
        self.write_objects(&mut writes, terms, &touched).await?;
        self.unpark_applied(&mut writes, flow, &applied).await?;
        self.park(&mut writes, flow.connection, poison).await?;
        if let Some(advance) = advance {
            let count = items.len() as u64;
            self.advance(&mut writes, flow, terms, advance, count).await?;
        }
        if !writes.is_empty() {
            self.commit(writes).await?;
        }
        Ok(refusals)
    }

    /// The objects that a batch is about, as they are here. A key that no object can have is about none.
    async fn touched(&self, terms: &ImportTerms, items: &[Item]) -> Result<BTreeMap<String, Touched>, Error> {
        let name = terms.local.name.clone();
        let is_key = |key: &str| peerd_core::object::ObjectKey::new(name.clone(), key).is_ok();
        let keys: BTreeSet<&str> = items
            .iter()
            .map(|item| item.key.as_str())
            .filter(|key| is_key(key))
            .collect();
        let found = self.stored_many(&terms.feed, keys.iter().copied()).await?;
        let touched = keys.into_iter().zip(found).map(|(key, before)| {
            let now = before.as_ref().map(|found| found.record.clone());
            let touched = Touched {
                before,
                now,
                changed: false,
                met: false,
            };
            (key.to_owned(), touched)
        });
        Ok(touched.collect())
    }

    /// Of the connections that touched objects came over, those that this one follows.
    async fn succeeded(
        &self,
        terms: &ImportTerms,
        touched: &BTreeMap<String, Touched>,
    ) -> Result<BTreeSet<ConnectionId>, Error> {
        let via = touched
            .values()
            .filter_map(|one| one.now.as_ref()?.provenance.via);
        let others: BTreeSet<ConnectionId> = via.filter(|via| *via != terms.connection.id).collect();
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

    async fn take_item(
        &self,
        intake: &Intake<'_>,
        item: &Item,
        touched: Option<&mut Touched>,
    ) -> Result<Result<(), Refused>, Error> {
        let Some(touched) = touched else {
            return Ok(Err(Refused::new(
                Reason::ObjectInvalid,
                "no object can have this key",
            )));
        };
        let known = touched.now.as_ref();
        let mut read = None;
        let outcome = match &item.change {
            Change::Retraction => intake.retract(known),
            Change::State(bytes) => {
                let arrival = match Arrival::read(bytes) {
                    Ok(arrival) => arrival,
                    Err(refused) => return Ok(Err(refused)),
                };
                match self.observe(&arrival.state).await {
                    Err(error) if error.reason() == Reason::ClockSkew => {
                        return Ok(Err(Refused::new(Reason::ClockSkew, &error)));
                    }
                    observed => observed?,
                }
                match intake.take(&item.key, read.insert(arrival), known) {
                    Ok(outcome) => outcome,
                    Err(refused) => return Ok(Err(refused)),
                }
            }
        };
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Remove => (touched.now, touched.changed) = (None, true),
            Outcome::Write(stored) => (touched.now, touched.changed) = (Some(*stored), true),
        }
        let met = read.zip(touched.now.as_ref());
        touched.met = met.is_some_and(|(arrival, now)| intake.is_met(&arrival, now));
        Ok(Ok(()))
    }

    /// Marks what the other side has by itself: a deletion goes to those only who have the object. One that is here
    /// already was passed over so far and moves to the end of its feed.
    async fn mark_met(
        &self,
        writes: &mut Writes,
        terms: &ImportTerms,
        touched: &mut BTreeMap<String, Touched>,
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
            one.changed |= one.now.as_ref().is_some_and(|now| now.state.is_deleted());
        }
        Ok(())
    }

    async fn write_objects(
        &self,
        writes: &mut Writes,
        terms: &ImportTerms,
        touched: &BTreeMap<String, Touched>,
    ) -> Result<(), Error> {
        let space = terms.feed.space;
        let mut markings = BTreeSet::new();
        for (primary_key, one) in touched {
            let key = peerd_core::object::ObjectKey::new(terms.local.name.clone(), primary_key.as_str());
            let key = key.map_err(|error| Error::of(Reason::Internal).because(error))?;
            match (&one.now, &one.before) {
                (Some(stored), before) if one.changed => {
                    markings.extend(stored.state.security(&terms.levels).markings);
                    put_in_feed(writes, space, &key, stored, before.as_ref())?;
                }
                (None, Some(before)) if one.changed => remove_from_feed(writes, space, &key, before)?,
                // What changes nothing holds only as long as the object is as it was read.
                (_, before) => {
                    let place = key_in(&terms.feed, primary_key);
                    let as_read = before
                        .as_ref()
                        .map_or(Expect::Absent, |found| Expect::At(found.revision));
                    writes.expect(Table::Objects, place, as_read);
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
