//! The commit: the one serialised place of a store, the same for every local backend.
//!
//! A backend stages one or more batches in a [`Group`] over its committed state, makes the [`Writes`] that come out
//! durable in one step, and keeps the [`Heads`] for the next group. A batch that is refused leaves no trace in its
//! group, so its neighbours never notice.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::once;
use std::ops::Bound;

use bytes::Bytes;

use crate::read::{View, feed_key};
use crate::recent::Recent;
use crate::{Batch, Committed, Entry, Error, Expect, FeedId, Op, Revision, Table, Topic, audit};

/// The longest key a record may have, in bytes. No key may be empty.
pub const KEY_BYTES_MAX: usize = 32 * 1024;

/// Where the counters of a store stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heads {
    /// The last revision that was given out.
    pub(crate) revision: u64,
    /// The end of the audit chain.
    pub(crate) audit: audit::Head,
}

/// What a group changes: per table and key the record as it will be, or its absence.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pub(crate) tables: BTreeMap<Table, BTreeMap<Bytes, Option<Entry>>>,
    feeds: BTreeSet<FeedId>,
}

/// What happened at one place of a feed.
#[derive(Debug)]
pub(crate) enum Moved<'a> {
    /// The object with this key came here, as this record.
    Here(&'a Bytes, &'a Entry),
    /// The object that was here left.
    Gone,
}

impl Writes {
    /// What watchers are to be told, once the group is visible.
    pub(crate) fn topics(self) -> impl Iterator<Item = Topic> {
        let tables = self.tables.into_iter().flat_map(|(table, rows)| {
            let mut ids: Vec<[u8; 16]> = rows.keys().filter_map(|key| key.first_chunk().copied()).collect();
            // In the order of the keys, so equal ones are neighbours.
            ids.dedup();
            let ids = ids.into_iter().map(move |id| Topic::Of(table, id));
            once(Topic::Table(table)).chain(ids)
        });
        tables.chain(self.feeds.into_iter().map(Topic::Feed))
    }

    /// Every record that is written or removed.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (Table, &Bytes)> {
        let tables = self.tables.iter();
        tables.flat_map(|(table, rows)| rows.keys().map(|key| (*table, key)))
    }

    /// The feeds that changed, and within each what happened at which place: an object came to it, or left it.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (&FeedId, Vec<(u64, Moved<'_>)>)> {
        self.feeds.iter().map(|feed| {
            let prefix = feed.prefix();
            let places = self.tables.get(&Table::Feed).into_iter();
            let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
            let places = places.flat_map(|places| places.range::<[u8], _>(from));
            let moves = places.map_while(|(place, change)| {
                let sequence = place.strip_prefix(prefix.as_slice())?.try_into().ok()?;
                Some((u64::from_be_bytes(sequence), self.moved(change.as_ref())))
            });
            (feed, moves.collect())
        })
    }

    fn moved(&self, change: Option<&Entry>) -> Moved<'_> {
        let object = change.and_then(|change| {
            let (key, object) = self.tables.get(&Table::Objects)?.get_key_value(&change.value)?;
            Some((key, object.as_ref()?))
        });
        object.map_or(Moved::Gone, |(key, object)| Moved::Here(key, object))
    }

    fn set(&mut self, table: Table, key: Bytes, entry: Option<Entry>) {
        self.tables.entry(table).or_default().insert(key, entry);
    }

    /// What a record is after these writes; `None` when they do not touch it.
    fn get(&self, table: Table, key: &[u8]) -> Option<&Option<Entry>> {
        self.tables.get(&table)?.get(key)
    }
}

/// Batches that will become durable together.
#[derive(Debug)]
pub(crate) struct Group<'a, V> {
    before: &'a V,
    recent: Option<&'a Recent>,
    heads: Heads,
    writes: Writes,
}

impl<'a, V: View> Group<'a, V> {
    /// Over what is committed; with what was written lately, where the backend keeps track of it.
    pub(crate) fn new(before: &'a V, heads: Heads, recent: Option<&'a Recent>) -> Group<'a, V> {
        Group {
            before,
            recent,
            heads,
            writes: Writes::default(),
        }
    }

    /// Adds a batch, which sees the batches before it. Everything that can fail comes before the first write.
    pub(crate) fn stage(&mut self, batch: Batch) -> Result<Committed, Error> {
        let earlier = self.check(&batch)?;
        let mut earlier = earlier.into_iter();
        for op in batch.into_ops() {
            self.apply(op, &mut earlier);
        }
        Ok(Committed {
            revision: Revision(self.heads.revision),
        })
    }

    pub(crate) fn finish(self) -> (Writes, Heads) {
        (self.writes, self.heads)
    }

    /// Checks every operation and condition. Answers the revisions the objects of feed operations have so far, in the
    /// order of the operations.
    fn check(&self, batch: &Batch) -> Result<Vec<Option<Revision>>, Error> {
        let mut earlier = Vec::new();
        // A batch mostly asks about an object and then writes it: one lookup serves both.
        let mut last: Option<(Table, &[u8], Option<Revision>)> = None;
        let mut look_up = |table, key, claimed: Option<&Expect>| match last {
            Some((t, k, revision)) if t == table && k == key => Ok(revision),
            _ => {
                let revision = match claimed {
                    Some(expect) if self.is_untouched(batch, table, key) => expect.revision(),
                    _ => self.revision(table, key)?,
                };
                debug_assert_eq!(
                    revision,
                    self.revision(table, key)?,
                    "what a batch read was not there"
                );
                last = Some((table, key, revision));
                Ok::<_, Error>(revision)
            }
        };
        for op in batch.ops() {
            match op {
                Op::Expect(table, key, expect) => {
                    let holds = match (expect, look_up(*table, key, Some(expect))?) {
                        (Expect::Absent, found) => found.is_none(),
                        (Expect::At(revision), found) => found == Some(*revision),
                    };
                    if !holds {
                        return Err(Error::Conflict);
                    }
                }
                Op::Put(table, key, _) | Op::Delete(table, key) => check_plain(*table, key)?,
                Op::PutInFeed(feed, key, _) | Op::DeleteFromFeed(feed, key) => {
                    check_key(Table::Objects, key.len())?;
                    check_key(Table::Feed, feed.prefix().len())?;
                    earlier.push(look_up(Table::Objects, key, None)?);
                }
                Op::Audit(_) => {}
            }
        }
        Ok(earlier)
    }

    fn apply(&mut self, op: Op, earlier: &mut impl Iterator<Item = Option<Revision>>) {
        match op {
            Op::Expect(..) => {}
            Op::Put(table, key, value) => {
                let revision = self.next_revision();
                self.writes.set(table, key, Some(Entry { revision, value }));
            }
            Op::Delete(table, key) => self.writes.set(table, key, None),
            Op::PutInFeed(feed, key, value) => {
                let prefix = self.leave_feed(feed, &key, earlier.next().flatten());
                let revision = self.next_revision();
                let change = Entry {
                    revision,
                    value: key.clone(),
                };
                self.writes
                    .set(Table::Feed, feed_key(&prefix, revision.0), Some(change));
                self.writes
                    .set(Table::Objects, key, Some(Entry { revision, value }));
            }
            Op::DeleteFromFeed(feed, key) => {
                self.leave_feed(feed, &key, earlier.next().flatten());
                self.writes.set(Table::Objects, key, None);
            }
            Op::Audit(body) => {
                let revision = self.next_revision();
                let (head, value) = self.heads.audit.append(&body);
                self.heads.audit = head;
                let key = Bytes::copy_from_slice(&audit::key(head.number));
                self.writes
                    .set(Table::Audit, key, Some(Entry { revision, value }));
            }
        }
    }

    /// Takes an object's entry out of its feed. Its revision names the entry: `earlier` is the one before the batch,
    /// and the batch itself may have moved the object meanwhile. Answers the feed's key prefix.
    fn leave_feed(&mut self, feed: FeedId, key: &[u8], earlier: Option<Revision>) -> Vec<u8> {
        let prefix = feed.prefix();
        let now = match self.writes.get(Table::Objects, key) {
            Some(moved) => moved.as_ref().map(|entry| entry.revision),
            None => earlier,
        };
        if let Some(Revision(sequence)) = now {
            self.writes.set(Table::Feed, feed_key(&prefix, sequence), None);
        }
        self.writes.feeds.insert(feed);
        prefix
    }

    /// Whether a record is as the batch read it, known without looking.
    fn is_untouched(&self, batch: &Batch, table: Table, key: &[u8]) -> bool {
        let (Some(recent), Some(horizon)) = (self.recent, batch.horizon()) else {
            return false;
        };
        recent.is_untouched(table, key, horizon) && self.writes.get(table, key).is_none()
    }

    fn revision(&self, table: Table, key: &[u8]) -> Result<Option<Revision>, Error> {
        match self.writes.get(table, key) {
            Some(entry) => Ok(entry.as_ref().map(|entry| entry.revision)),
            None => self.before.revision(table, key),
        }
    }

    fn next_revision(&mut self) -> Revision {
        self.heads.revision += 1;
        Revision(self.heads.revision)
    }
}

/// A plain write must stay away from what the commit keeps in step: an object written without its feed would keep a
/// stale place in it, and a rewritten feed or audit record would be a lie.
fn check_plain(table: Table, key: &Bytes) -> Result<(), Error> {
    let what = match table {
        Table::Objects => "an object is written together with its feed",
        Table::Feed | Table::Audit => "feeds and the audit chain are written by the commit alone",
        _ => return check_key(table, key.len()),
    };
    Err(Error::Corrupt {
        what: what.to_owned(),
        source: None,
    })
}

fn check_key(table: Table, length: usize) -> Result<(), Error> {
    if (1..=KEY_BYTES_MAX).contains(&length) {
        return Ok(());
    }
    Err(Error::Corrupt {
        what: format!(
            "a key of {length} bytes for {}: 1 to {KEY_BYTES_MAX} are allowed",
            table.name()
        ),
        source: None,
    })
}

#[cfg(test)]
mod tests;
