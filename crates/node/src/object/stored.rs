//! The stored form of an object, and the one way it is read and written.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | version of the form: 1 |
//! | 1 | flags: 1 = imported, 2 = clean |
//! | 1 | hops |
//! | 16 | the connection it came over, when imported |
//! | rest | the state in its canonical encoding |
//!
//! The key is the feed's prefix (space, length of the type's name, the name) and the bytes of the primary key, so the
//! objects of a type lie together, in the order of their keys. With each write goes the index of its conflicts.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::object::{InvalidKey, ObjectKey, ObjectState, PlainState, Provenance};
use peerd_core::ontology::ApiName;
use peerd_core::{ConflictId, ConnectionId, SpaceId};
use peerd_store::records::ConflictEntry;
use peerd_store::{Batch, Entry, Expect, FeedId, Found, RecordBatch as _, Revision, Table};

use crate::{Error, Node};

const VERSION: u8 = 1;
const IMPORTED: u8 = 1;
const CLEAN: u8 = 2;

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// What is known of it.
    pub(crate) state: ObjectState,
    /// Which way it came.
    pub(crate) provenance: Provenance,
    /// The state is what the connection it came over last sent, so that it need not be sent back. A change that is made
    /// here takes this away.
    pub(crate) clean: bool,
}

impl Stored {
    /// An object of our own.
    pub(crate) fn own(state: ObjectState) -> Stored {
        Stored {
            state,
            provenance: Provenance::OWN,
            clean: false,
        }
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Bytes {
        let state = self.state.encode();
        let mut bytes = head(self.provenance, self.clean, state.len());
        bytes.extend(state);
        bytes.into()
    }

    /// Reads what [`Stored::encode`] made.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Stored, Error> {
        let stored = StoredRef::read(bytes)?;
        Ok(Stored {
            state: stored.state()?,
            provenance: stored.provenance,
            clean: stored.clean,
        })
    }
}

/// An object where its stored bytes lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredRef<'a> {
    /// Which way it came.
    pub(crate) provenance: Provenance,
    /// See [`Stored::clean`].
    pub(crate) clean: bool,
    /// The state's bytes.
    pub(crate) state: &'a [u8],
}

impl<'a> StoredRef<'a> {
    /// Reads what is before the state.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<StoredRef<'a>, Error> {
        let ([version, flags, hops], mut rest) = bytes.split_first_chunk().ok_or_else(|| damaged(None))?;
        if *version != VERSION || flags & !(IMPORTED | CLEAN) != 0 {
            return Err(damaged(None));
        }
        let mut via = None;
        if flags & IMPORTED != 0 {
            let (id, after) = rest.split_first_chunk().ok_or_else(|| damaged(None))?;
            via = Some(ConnectionId::from_bytes(*id));
            rest = after;
        }
        Ok(StoredRef {
            provenance: Provenance { hops: *hops, via },
            clean: flags & CLEAN != 0,
            state: rest,
        })
    }

    /// The state, if it is a plain one.
    pub(crate) fn plain(&self) -> Option<PlainState<'a>> {
        PlainState::read(self.state)
    }

    /// The state.
    pub(crate) fn state(&self) -> Result<ObjectState, Error> {
        ObjectState::decode(self.state).map_err(|error| damaged(Some(error.into())))
    }
}

/// The same object as if it had been changed here since it came.
pub(crate) fn as_if_changed(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(flags) = bytes.get_mut(1) {
        *flags &= !CLEAN;
    }
    bytes.into()
}

/// What becomes of an object with a plain state.
#[derive(Debug)]
pub(crate) enum PlainOutcome {
    /// It is now this, as it is stored.
    Write(Bytes),
    /// Nothing changes.
    Unchanged,
}

/// The bytes of an object with a plain state.
pub(crate) fn encode_plain(provenance: Provenance, clean: bool, state: &PlainState<'_>) -> Bytes {
    let length = state.row.as_bytes().len() + PlainState::OVERHEAD_MAX;
    state.write(head(provenance, clean, length)).into()
}

/// What is stored before a state, with room for so many bytes behind it.
fn head(provenance: Provenance, clean: bool, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room + 19);
    let clean = if clean { CLEAN } else { 0 };
    let imported = if provenance.via.is_some() { IMPORTED } else { 0 };
    bytes.extend([VERSION, clean | imported, provenance.hops]);
    if let Some(via) = &provenance.via {
        bytes.extend(via.as_bytes());
    }
    bytes
}

/// Stored bytes that are no object.
pub(crate) fn damaged(source: Option<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let what = String::from("an object");
    peerd_store::Error::Corrupt { what, source }.into()
}

/// The feed of the objects of this type in this space.
pub(crate) fn feed_of(space: SpaceId, object_type: &ApiName) -> FeedId {
    FeedId {
        space,
        object_type: object_type.as_str().to_owned(),
    }
}

/// The key of an object in [`Table::Objects`].
pub(crate) fn key_in(feed: &FeedId, primary_key: &str) -> Bytes {
    let mut key = feed.prefix();
    key.extend(primary_key.as_bytes());
    key.into()
}

/// The object that a key of this feed is for.
pub(crate) fn object_of(feed: &FeedId, key: &[u8]) -> Result<ObjectKey, Error> {
    let primary_key = primary_key_of(feed.prefix().as_slice(), key)?;
    let object_type: ApiName = feed
        .object_type
        .parse()
        .map_err(|error: peerd_core::ontology::InvalidApiName| damaged(Some(error.into())))?;
    ObjectKey::new(object_type, primary_key).map_err(|error: InvalidKey| damaged(Some(error.into())))
}

/// The primary key in a key of the feed whose keys start with this.
pub(crate) fn primary_key_of<'a>(prefix: &[u8], key: &'a [u8]) -> Result<&'a str, Error> {
    let primary_key = key.strip_prefix(prefix);
    let primary_key = primary_key.and_then(|bytes| std::str::from_utf8(bytes).ok());
    primary_key.ok_or_else(|| damaged(None))
}

/// Reads an entry of [`Table::Objects`].
pub(crate) fn found(entry: &Entry) -> Result<Found<Stored>, Error> {
    Ok(Found {
        record: Stored::decode(&entry.value)?,
        revision: entry.revision,
    })
}

impl Node {
    /// The stored form of an object.
    pub(crate) async fn stored(
        &self,
        space: SpaceId,
        key: &ObjectKey,
    ) -> Result<Option<Found<Stored>>, Error> {
        let place = key_in(&feed_of(space, key.object_type()), key.primary_key());
        let entry = self.store.read(Table::Objects, &place).await?;
        entry.as_ref().map(found).transpose()
    }

    /// The stored forms of the objects of a feed with these primary keys, in the same order. What keeps the place of a
    /// copy that went is nothing.
    pub(crate) async fn stored_many(
        &self,
        feed: &FeedId,
        primary_keys: impl IntoIterator<Item = &str>,
    ) -> Result<Vec<Option<Found<Stored>>>, Error> {
        let keys: Vec<Bytes> = primary_keys.into_iter().map(|key| key_in(feed, key)).collect();
        let entries = self.store.read_many(Table::Objects, &keys).await?.into_iter();
        let found = entries.map(|entry| entry.as_ref().map(found).transpose());
        let here = |found: Option<Found<Stored>>| found.filter(|found| !found.record.state.is_hollow());
        found.map(|found| found.map(here)).collect()
    }
}

/// Writes an object and moves it to the end of its feed, if it is still as `before` has it, and keeps the index of its
/// conflicts in step.
pub(crate) fn put_in_feed(
    batch: &mut Batch,
    space: SpaceId,
    key: &ObjectKey,
    stored: &Stored,
    before: Option<&Found<Stored>>,
) -> Result<(), Error> {
    let feed = feed_of(space, key.object_type());
    let place = key_in(&feed, key.primary_key());
    batch.expect(Table::Objects, place.clone(), expectation(before));
    index_conflicts(batch, space, key, Some(&stored.state), before)?;
    batch.put_in_feed(feed, place, stored.encode());
    Ok(())
}

/// Removes an object, its entry in its feed and its conflicts, if it is still as `before` has it. Nothing tells the
/// other sides: a deletion that travels is a state of its own.
pub(crate) fn remove_from_feed(
    batch: &mut Batch,
    space: SpaceId,
    key: &ObjectKey,
    before: &Found<Stored>,
) -> Result<(), Error> {
    let feed = feed_of(space, key.object_type());
    let place = key_in(&feed, key.primary_key());
    batch.expect(Table::Objects, place.clone(), expectation(Some(before)));
    index_conflicts(batch, space, key, None, Some(before))?;
    super::removal::note(batch, &feed, key, before)?;
    batch.delete_from_feed(feed, place);
    Ok(())
}

fn expectation(before: Option<&Found<Stored>>) -> Expect {
    let at = |revision: Revision| Expect::At(revision);
    before.map_or(Expect::Absent, |found| at(found.revision))
}

fn index_conflicts(
    batch: &mut Batch,
    space: SpaceId,
    key: &ObjectKey,
    after: Option<&ObjectState>,
    before: Option<&Found<Stored>>,
) -> Result<(), Error> {
    let conflicts = |state: Option<&ObjectState>| -> BTreeSet<ConflictId> {
        let all = state.map(|state| state.conflicts(key)).unwrap_or_default();
        all.into_iter().map(|conflict| conflict.id).collect()
    };
    let old = conflicts(before.map(|found| &found.record.state));
    let new = conflicts(after);
    for gone in old.difference(&new) {
        batch.delete(Table::Conflicts, ConflictEntry::key_of(space, *gone));
    }
    for conflict in new.difference(&old) {
        batch.upsert(&ConflictEntry {
            space,
            conflict: *conflict,
            object: key.clone(),
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use peerd_core::EnrollmentId;
    use peerd_core::object::Hlc;

    use super::*;

    fn state() -> ObjectState {
        let hlc = Hlc::new(7, 1).unwrap();
        ObjectState::blank(hlc, EnrollmentId::from_bytes([9; 32]))
    }

    #[test]
    fn a_stored_object_reads_back_with_the_way_it_came() {
        let via = ConnectionId::from_bytes([3; 16]);
        for provenance in [Provenance::OWN, Provenance::received(via, 4).unwrap()] {
            for clean in [false, true] {
                let stored = Stored {
                    state: state(),
                    provenance,
                    clean,
                };
                assert_eq!(Stored::decode(&stored.encode()).unwrap(), stored);
            }
        }
        let bytes = Stored::own(state()).encode();
        assert_eq!(bytes[..3], [1, 0, 0], "the form of version 1");
        assert_eq!(bytes[3..], state().encode());
    }

    #[test]
    fn bytes_of_another_form_are_refused_wherever_they_end() {
        let via = ConnectionId::from_bytes([3; 16]);
        let stored = Stored {
            state: state(),
            provenance: Provenance::received(via, 0).unwrap(),
            clean: true,
        };
        let bytes = stored.encode();
        for end in 0..bytes.len() {
            let error = Stored::decode(&bytes[..end]).unwrap_err();
            assert_eq!(error.reason(), peerd_core::Reason::StoreCorrupt, "{end}");
        }
        for (place, byte) in [(0, 2), (1, 4), (1, 0x83)] {
            let mut other = bytes.to_vec();
            other[place] = byte;
            assert!(Stored::decode(&other).is_err(), "{place} {byte}");
        }
    }

    #[test]
    fn a_key_names_its_object_within_its_feed_only() {
        let of: ApiName = "airport".parse().unwrap();
        let feed = feed_of(SpaceId::from_bytes([1; 16]), &of);
        let key = key_in(&feed, "EWR");
        assert_eq!(object_of(&feed, &key).unwrap().primary_key(), "EWR");
        let other = feed_of(SpaceId::from_bytes([2; 16]), &of);
        assert!(object_of(&other, &key).is_err());
        assert!(object_of(&feed, &feed.prefix()).is_err(), "no key at all");
    }
}
