//! The importing end of one type over a data relay: bundles come in any order, and nothing but they tells how far the
//! exporter has come.
//!
//! An item is the whole state of its object, so of two items of one object the later one holds. While a bundle is
//! missing, it is noted for each object of the bundles after it which one it came in last; an item that comes late counts
//! only where nothing later was heard. The notes become durable with the items.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::LinkId;
use peerd_core::Reason;
use peerd_core::object::ObjectKey;
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_core::relay::{Heard, Ledger};
use peerd_core::security::Security;
use peerd_store::records::{Cause, ImportCursor, RelayImport, decode_heard, encode_heard, heard_key};
use peerd_store::{Batch as Writes, Range, RecordBatch as _, Records as _, Table, Topic};

use super::import::Advance;
use super::jobs::Beginning;
use super::progress::Ending;
use super::terms::ImportTerms;
use super::{Change, Flow, Item, Refusal, item};
use crate::object::stored::{StoredRef, key_in, primary_key_of};
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// So many objects are looked at together.
const LOOK_MAX: usize = 256;
/// So many items are applied in one commit.
const ITEMS_MAX: usize = 1_000;

/// Objects of one type that came in a bundle.
#[derive(Debug)]
pub struct Bundled<'a> {
    /// When they were said.
    pub heard: Heard,
    /// The objects.
    pub items: &'a [Item],
    /// Whether nothing more was waiting when the bundle was made.
    pub caught_up: bool,
    /// After the first key, up to and including the second, the items are all that is offered.
    pub cover: Option<(Option<&'a str>, Option<&'a str>)>,
    /// What has come once this has.
    pub ledger: &'a Ledger,
    /// Whether something that was said before may still come.
    pub gap_before: bool,
    /// Whether something that was said later came already.
    pub late: bool,
}

/// What becomes of a bundle whose type does not come in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It is kept: what stands against it may pass.
    Waits,
    /// It is let go. Should the type come in later, all of it is asked for.
    LetGo,
}

/// Applies the bundles of one type from one peer.
#[derive(Debug)]
pub struct RelayImporter {
    node: Arc<Node>,
    link: LinkId,
    flow: Flow,
    terms: ImportTerms,
    state: RelayImport,
    /// The terms may be others by now.
    stale: bool,
    world: Work,
    ending: Ending,
}

impl RelayImporter {
    /// Begins to take a type. Where what came before does not count any more, all of it is asked for.
    pub async fn open(node: &Arc<Node>, peer: &Peer, flow: Flow) -> Result<RelayImporter, Error> {
        node.connection_of(peer, flow.connection).await?;
        let world = node.work().and(node.store.watch(&Topic::Table(Table::Meta)));
        let (permit, terms) = node.may_import(&flow).await?;
        node.take_parked(&permit, &flow, &terms).await?;
        let cursor = node.import_cursor(&flow).await?.map(|found| found.record);
        let state = node
            .retrying(|| node.begin_relay_import(peer.link(), &flow, &terms, cursor.as_ref()))
            .await?;
        let cause = match (&cursor, state.begun) {
            (Some(_), true) => Cause::Resume,
            (Some(_), false) => Cause::Terms,
            (None, _) => Cause::Bootstrap,
        };
        let beginning = Beginning {
            cause,
            object_type: terms.local.name.as_str(),
        };
        Ok(RelayImporter {
            ending: node.progress.opened(node, &flow, Direction::Import, beginning),
            node: Arc::clone(node),
            link: peer.link(),
            flow,
            terms,
            state,
            stale: false,
            world,
        })
    }

    /// How often all of it was asked for: the exporter is told, and begins anew when it is told a higher number.
    pub fn generation(&self) -> u64 {
        self.state.generation
    }

    /// Takes a bundle, durably. [`Reason::ConcurrentChange`] says that the terms changed: open the importer again.
    pub async fn take(&mut self, bundle: Bundled<'_>) -> Result<Vec<Refusal>, Error> {
        self.refresh().await?;
        let mut items = bundle.items.to_vec();
        if let Some(cover) = bundle.cover {
            items.extend(self.uncovered(&items, cover).await?);
        }
        let counting = self.counting(&bundle, items).await?;
        let mut refusals = Vec::new();
        let mut parts = counting.chunks(ITEMS_MAX).peekable();
        if parts.peek().is_none() {
            self.take_part(&bundle, &[], true).await?;
        }
        while let Some(part) = parts.next() {
            refusals.extend(self.take_part(&bundle, part, parts.peek().is_none()).await?);
        }
        let caught_up = bundle.caught_up && !bundle.gap_before && !bundle.late;
        self.node
            .progress
            .imported(&self.flow, caught_up, self.node.now());
        Ok(refusals)
    }

    /// Says why it ends, unless somebody ends it from outside.
    pub fn broke(&mut self, reason: Reason, told: &str) {
        self.ending.broke(reason, told);
    }

    /// The items that still count.
    async fn counting(&self, bundle: &Bundled<'_>, items: Vec<Item>) -> Result<Vec<Item>, Error> {
        if !bundle.gap_before && !bundle.late {
            return Ok(items);
        }
        let keys: Vec<Bytes> = items.iter().map(|item| self.place(&item.key)).collect();
        let found = self.node.store.read_many(Table::Heard, &keys).await?;
        let mut counting = Vec::with_capacity(items.len());
        for (item, entry) in items.into_iter().zip(found) {
            let known = entry.map(|entry| decode_heard(&entry.value)).transpose()?;
            if bundle.heard.counts(known) {
                counting.push(item);
            }
        }
        Ok(counting)
    }

    /// Copies here that came over this connection, lie in the range, and are not among the items: they go.
    async fn uncovered(
        &self,
        items: &[Item],
        (after, through): (Option<&str>, Option<&str>),
    ) -> Result<Vec<Item>, Error> {
        let offered: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let (feed, via) = (&self.terms.feed, Some(self.flow.connection));
        let (prefix, mut gone) = (feed.prefix(), Vec::new());
        let mut last = after.map(|key| key_in(feed, key));
        loop {
            let range = Range::prefix(Table::Objects, prefix.clone(), LOOK_MAX);
            let range = match &last {
                Some(last) => range.after(last.clone()),
                None => range,
            };
            let page = self.node.store.range(range).await?;
            for (place, entry) in &page {
                let key = primary_key_of(&prefix, place)?;
                if through.is_some_and(|through| key > through) {
                    return Ok(gone);
                }
                let came = StoredRef::read(&entry.value)?.provenance.via == via;
                if came && !offered.contains(key) {
                    gone.push(Item {
                        key: key.to_owned(),
                        change: Change::Retraction,
                    });
                }
            }
            if page.len() < LOOK_MAX {
                return Ok(gone);
            }
            last = page.last().map(|(place, _)| place.clone());
        }
    }

    async fn take_part(
        &mut self,
        bundle: &Bundled<'_>,
        items: &[Item],
        last: bool,
    ) -> Result<Vec<Refusal>, Error> {
        let mut also = Writes::read_at(self.node.store.horizon());
        if bundle.gap_before {
            for item in items.iter().filter(|item| ObjectKey::check(&item.key).is_ok()) {
                also.put(Table::Heard, self.place(&item.key), encode_heard(bundle.heard));
            }
        }
        if last {
            self.node.note_ledger(&mut also, self.link, bundle.ledger)?;
        }
        if !self.state.begun {
            self.state.begun = true;
            also.upsert(&self.state)?;
        }
        let permit = self.node.permit_import(&self.terms)?;
        let advance = Advance::Relayed {
            caught_up: bundle.caught_up && last,
            also: &also,
        };
        self.node
            .take_items(&permit, &self.flow, &self.terms, items, Some(advance))
            .await
    }

    fn place(&self, key: &str) -> Bytes {
        heard_key(self.link, self.flow.connection, &self.flow.object_type, key).into()
    }

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
}

impl Node {
    /// What of an object bundle waits, and what does not. `None`: nothing stands against it but that no importer is open.
    pub async fn relay_unready(
        &self,
        peer: &Peer,
        flow: &Flow,
        sharing_revision: u64,
    ) -> Result<Option<Unready>, Error> {
        let connection = match self.connection_of(peer, flow.connection).await {
            Ok(connection) => connection,
            Err(error) if error.reason() == Reason::NotFound => return Ok(Some(Unready::LetGo)),
            Err(error) => return Err(error),
        };
        if connection.stage.is_final() {
            return Ok(Some(Unready::LetGo));
        }
        let told = self.shared(flow.connection).await?.record.theirs.revision;
        if told < sharing_revision || !connection.is_flowing() {
            return Ok(Some(Unready::Waits));
        }
        if self
            .permit_flow(connection.remote, Direction::Import, flow.data())
            .is_err()
        {
            return Ok(Some(Unready::Waits));
        }
        self.unready_type(peer, &connection, flow).await
    }

    async fn unready_type(
        &self,
        peer: &Peer,
        connection: &Connection,
        flow: &Flow,
    ) -> Result<Option<Unready>, Error> {
        if self.import_terms(flow).await?.is_some() {
            return Ok(None);
        }
        let key = RelayImport::key_of(peer.link(), connection.id, &flow.object_type);
        self.retrying(async || {
            let found = self.store.find::<RelayImport>(&key).await?;
            let mut batch = Writes::new();
            match found {
                Some(found) if found.record.lost => return Ok(()),
                Some(found) => {
                    let lost = RelayImport {
                        lost: true,
                        ..found.record
                    };
                    batch.replace(&lost, found.revision)?;
                }
                None => {
                    batch.insert(&RelayImport {
                        link: peer.link(),
                        connection: connection.id,
                        object_type: flow.object_type.clone(),
                        generation: 0,
                        begun: false,
                        lost: true,
                    })?;
                }
            }
            self.commit(batch).await
        })
        .await?;
        Ok(Some(Unready::LetGo))
    }

    /// The highest classification and all markings of these items.
    pub async fn security_of_items(&self, items: &[Item]) -> Result<Security, Error> {
        let levels = self.levels().await?;
        let mut highest = Security::default();
        for item in items {
            let Change::State(bytes) = &item.change else {
                continue;
            };
            // A plain state has no security.
            if item::plain(bytes).is_some() {
                continue;
            }
            if let Ok((_, state)) = item::decode(bytes) {
                highest = highest.join(state.security(&levels), &levels);
            }
        }
        Ok(highest)
    }

    /// Where the import of a type stands. What came under other terms, or was let go, does not count: all is asked for.
    async fn begin_relay_import(
        &self,
        link: LinkId,
        flow: &Flow,
        terms: &ImportTerms,
        cursor: Option<&ImportCursor>,
    ) -> Result<RelayImport, Error> {
        let key = RelayImport::key_of(link, flow.connection, &flow.object_type);
        let found = self.store.find::<RelayImport>(&key).await?;
        let counts = cursor.is_some_and(|cursor| cursor.terms == terms.digest && !cursor.withdrawn);
        let known = found.as_ref().map(|found| &found.record);
        if let Some(known) = known.filter(|known| !known.lost && (counts || !known.begun)) {
            return Ok(known.clone());
        }
        let next = RelayImport {
            link,
            connection: flow.connection,
            object_type: flow.object_type.clone(),
            generation: known.map_or(0, |known| known.generation.saturating_add(1)),
            begun: false,
            lost: false,
        };
        let mut batch = Writes::new();
        match &found {
            Some(found) => batch.replace(&next, found.revision)?,
            None => batch.insert(&next)?,
        };
        self.commit(batch).await?;
        Ok(next)
    }
}
