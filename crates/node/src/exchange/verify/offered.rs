//! The exporting side: what it would send if a stream began now.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::object::ObjectKey;
use peerd_core::policy::{self, Direction, Permit};
use peerd_store::{FeedId, Range, Sequence, Table};
use tokio::time::timeout;

use super::digest::{Digests, ItemHash, bucket_of};
use super::{ANSWER_BYTES_FULL, Answer, ENTRIES_MAX, Entry, Offered};
use crate::exchange::offer::{Knows, Offer, offer};
use crate::exchange::position::Digest;
use crate::exchange::terms::ExportTerms;
use crate::exchange::{Flow, item, marks};
use crate::object::stored::{StoredRef, as_if_changed, key_in, primary_key_of};
use crate::{Error, Node};

/// How many objects are read at once: they are large at worst.
const PAGE: usize = 64;
/// How long the stream may stand still before it is no longer waited for.
const STANDSTILL_MAX: Duration = Duration::from_secs(10);
/// How long it is waited for at all.
const SETTLING_MAX: Duration = Duration::from_mins(1);

/// Goes through everything that is offered, in the order of keys. The policies are asked for every page, and terms that
/// change end it with [`Reason::ConcurrentChange`].
pub(super) struct OfferedWalk<'a> {
    node: &'a Node,
    flow: &'a Flow,
    terms: Option<Digest>,
    after: Option<Bytes>,
}

impl<'a> OfferedWalk<'a> {
    /// Begins after this key.
    fn after(node: &'a Node, flow: &'a Flow, terms: &ExportTerms, key: Option<&str>) -> OfferedWalk<'a> {
        OfferedWalk {
            node,
            flow,
            terms: Some(terms.digest),
            after: key.map(|key| key_in(&terms.feed, key)),
        }
    }

    /// The live objects of the next page; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let Some((permit, terms)) = self.node.may_export(self.flow).await? else {
            return Err(Error::of(Reason::ConcurrentChange));
        };
        if *self.terms.get_or_insert(terms.digest) != terms.digest {
            return Err(Error::of(Reason::ConcurrentChange));
        }
        let range = Range::prefix(Table::Objects, terms.feed.prefix(), PAGE);
        let range = match &self.after {
            Some(after) => range.after(after.clone()),
            None => range,
        };
        let page = self.node.store.range(range).await?;
        let Some((last, _)) = page.last() else {
            return Ok(None);
        };
        self.after = Some(last.clone());
        let prefix = terms.feed.prefix();
        let mut objects = Vec::with_capacity(page.len());
        for (key, entry) in &page {
            objects.push((primary_key_of(&prefix, key)?, &entry.value));
        }
        let offered = objects.iter().map(|(key, bytes)| (*key, Some(*bytes)));
        let offered = self.node.offers(&permit, &terms, self.flow, offered).await?;
        let mut entries = Vec::new();
        for ((key, bytes), offered) in objects.iter().zip(offered) {
            if let Some(hash) = live_hash(key, &offered)? {
                let provenance = StoredRef::read(bytes)?.provenance;
                entries.push(Entry {
                    key: (*key).to_owned(),
                    hash,
                    home: provenance.via != Some(self.flow.connection),
                });
            }
        }
        Ok(Some(entries))
    }
}

/// The hash of what is offered, if that is a live object.
fn live_hash(key: &str, offered: &Offered) -> Result<Option<ItemHash>, Error> {
    Ok(match offered {
        Offered::Nothing => None,
        Offered::TooLarge => Some(ItemHash::too_large(key)),
        Offered::Item(bytes) => {
            // A row and nothing else is always live.
            let is_live = item::plain(bytes).is_some() || item::decode(bytes).map_err(damaged)?.1.is_live();
            is_live.then(|| ItemHash::of(key, bytes.get(1..).unwrap_or_default()))
        }
    })
}

fn damaged(error: peerd_core::value::Malformed) -> Error {
    Error::of(Reason::StoreCorrupt).because(error)
}

impl Node {
    /// The permit and the terms to export; `None` when the connection is at work and nothing of this type goes out,
    /// whether there is such a type or not.
    async fn may_export(&self, flow: &Flow) -> Result<Option<(Permit<policy::Flow>, ExportTerms)>, Error> {
        let connection = self.at_work(flow).await?;
        let permit = self
            .permit_flow(connection.remote, Direction::Export, flow.data())
            .map_err(|denial| Error::of(denial.reason))?;
        Ok(self.export_terms(flow).await?.map(|terms| (permit, terms)))
    }

    /// What is offered of these objects: what the stream decides, decided by the same function.
    async fn offers(
        &self,
        permit: &Permit<policy::Flow>,
        terms: &ExportTerms,
        flow: &Flow,
        objects: impl Iterator<Item = (&str, Option<&Bytes>)>,
    ) -> Result<Vec<Offered>, Error> {
        let me = self.enrollment_id();
        let (mut offers, mut places) = (Vec::new(), Vec::new());
        for (key, bytes) in objects {
            let decided = match bytes {
                Some(bytes) => offer(permit, terms, bytes, me, Knows::WhatItSent)?,
                None => Offer::Nothing,
            };
            if let Offer::SendToHolders(_) = decided {
                places.push(marks::key_of(flow, key));
            }
            offers.push(decided);
        }
        let found = self.store.read_many(Table::Exported, &places).await?;
        let mut marked: VecDeque<bool> = found.into_iter().map(|mark| mark.is_some()).collect();
        let offered = |offer| match offer {
            Offer::Send(bytes) | Offer::SendBack(bytes) => Offered::Item(bytes),
            Offer::SendToHolders(bytes) if marked.pop_front() == Some(true) => Offered::Item(bytes),
            Offer::TooLarge => Offered::TooLarge,
            Offer::SendToHolders(_) | Offer::Withhold | Offer::Nothing => Offered::Nothing,
        };
        Ok(offers.into_iter().map(offered).collect())
    }

    /// The digests of all that is offered.
    pub(super) async fn offered_digests(&self, flow: &Flow) -> Result<Digests, Error> {
        let mut digests = Digests::default();
        let Some((_, terms)) = self.may_export(flow).await? else {
            return Ok(digests);
        };
        let mut walk = OfferedWalk::after(self, flow, &terms, None);
        while let Some(entries) = walk.next().await? {
            for Entry { key, hash, home } in entries {
                digests.add(&key, hash, home);
            }
        }
        Ok(digests)
    }

    /// What is offered in these buckets after a key. The walk goes on until there is something to say or nothing is
    /// left: an answer never ends at an object that is withheld.
    pub(super) async fn offered_entries(
        &self,
        flow: &Flow,
        buckets: &BTreeSet<u16>,
        after: Option<String>,
    ) -> Result<Answer, Error> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let Some((_, terms)) = self.may_export(flow).await? else {
            return Ok(Answer::Entries { entries, more: false });
        };
        let mut walk = OfferedWalk::after(self, flow, &terms, after.as_deref());
        while let Some(page) = walk.next().await? {
            for entry in page
                .into_iter()
                .filter(|entry| buckets.contains(&bucket_of(&entry.key)))
            {
                bytes += entry.key.len() + size_of::<ItemHash>();
                entries.push(entry);
            }
            if entries.len() > ENTRIES_MAX - PAGE || bytes > ANSWER_BYTES_FULL {
                return Ok(Answer::Entries { entries, more: true });
            }
        }
        Ok(Answer::Entries { entries, more: false })
    }

    /// What is offered of these objects. A patient question is answered once the stream has brought this side's changes
    /// up to now, so that what differs then is no change on its way.
    pub(super) async fn offered_items(
        &self,
        flow: &Flow,
        keys: &[String],
        patient: bool,
    ) -> Result<Answer, Error> {
        let Some((permit, terms)) = self.may_export(flow).await? else {
            let items = vec![Offered::Nothing; keys.len()];
            return Ok(Answer::Items { items, settled: true });
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        for key in keys {
            // A stream does not bring back what it brought. Whoever asks has a copy that this side may have from there,
            // since it gave the object away, forgot it, and got it again: it is not a copy that should be gone.
            let stored = self.stored_at(&terms.feed, key).await?;
            let stored = stored.as_ref().map(as_if_changed);
            let one = [(key.as_str(), stored.as_ref())].into_iter();
            for offered in self.offers(&permit, &terms, flow, one).await? {
                if let Offered::Item(item) = &offered {
                    bytes += item.len();
                }
                if bytes <= ANSWER_BYTES_FULL || items.is_empty() {
                    items.push(offered);
                }
            }
            if bytes > ANSWER_BYTES_FULL {
                break;
            }
        }
        let settled = patient && self.has_brought(flow, &terms).await?;
        // It may have been denied meanwhile.
        let now = self.may_export(flow).await?;
        if now.is_none_or(|(_, now)| now.digest != terms.digest) {
            return Err(Error::of(Reason::ConcurrentChange));
        }
        Ok(Answer::Items { items, settled })
    }

    /// The object with this key, which a peer chose: not every text is one.
    async fn stored_at(&self, feed: &FeedId, key: &str) -> Result<Option<Bytes>, Error> {
        if ObjectKey::check(key).is_err() {
            return Ok(None);
        }
        let entry = self.store.read(Table::Objects, &key_in(feed, key)).await?;
        Ok(entry.map(|entry| entry.value))
    }

    /// Waits until all that is in the feed now was brought to the other side, or until that stands still.
    async fn has_brought(&self, flow: &Flow, terms: &ExportTerms) -> Result<bool, Error> {
        let head = self.store.head(&terms.feed).await?;
        let mut moved = self.progress_changes();
        let brought = async {
            loop {
                let reached = self.progress.reached(flow);
                // The end of the feed falls when its last object is removed.
                if Sequence(reached) >= head.min(self.store.head(&terms.feed).await?) {
                    return Ok(true);
                }
                let further = async {
                    while self.progress.reached(flow) == reached && moved.changed().await.is_ok() {}
                };
                if timeout(STANDSTILL_MAX, further).await.is_err() {
                    return Ok(false);
                }
            }
        };
        timeout(SETTLING_MAX, brought).await.unwrap_or(Ok(false))
    }
}
