//! One object while a batch is worked out: as it was read, and as it will be.

use bytes::Bytes;
use peerd_core::object::{ObjectKey, Provenance};
use peerd_core::ontology::ApiName;
use peerd_core::security::{Levels, Security};
use peerd_store::{Batch, Entry, Expect, FeedId, Table};

use super::intake::Outcome;
use crate::Error;
use crate::object::stored::{PlainOutcome, Stored, StoredRef, found, put_in_feed, remove_from_feed};

/// An object that a batch is about.
#[derive(Debug)]
pub(super) struct Touched {
    place: Bytes,
    before: Option<Entry>,
    now: Now,
    /// The other side has it as well, by itself.
    pub(super) met: bool,
}

/// What the object is now.
#[derive(Debug)]
enum Now {
    /// As it was read.
    AsRead,
    /// As it was read, at the end of its feed.
    Moved,
    /// Other bytes, of a plain state in place of a plain one or of none.
    Plain(Bytes),
    /// Another state, or none.
    Other(Option<Box<Stored>>),
}

/// What is known of an object before anything becomes of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'a> {
    /// It is not here.
    New,
    /// It is here.
    Stored(StoredRef<'a>),
    /// Something became of it already, earlier in the batch.
    WorkedOut,
}

impl Touched {
    pub(super) fn new(place: Bytes, before: Option<Entry>) -> Touched {
        Touched {
            place,
            before,
            now: Now::AsRead,
            met: false,
        }
    }

    /// Which way the object came that was read.
    pub(super) fn provenance(&self) -> Result<Option<Provenance>, Error> {
        let stored = self.before.as_ref().map(|entry| StoredRef::read(&entry.value));
        Ok(stored.transpose()?.map(|stored| stored.provenance))
    }

    /// The object where its bytes lie, if it still is as it was read.
    pub(super) fn known(&self) -> Result<Known<'_>, Error> {
        match (&self.now, &self.before) {
            (Now::AsRead, None) => Ok(Known::New),
            (Now::AsRead, Some(entry)) => StoredRef::read(&entry.value).map(Known::Stored),
            _ => Ok(Known::WorkedOut),
        }
    }

    /// The object as it is now.
    pub(super) fn now(&self) -> Result<Option<Stored>, Error> {
        match &self.now {
            Now::AsRead | Now::Moved => {
                let stored = self.before.as_ref().map(|entry| Stored::decode(&entry.value));
                stored.transpose()
            }
            Now::Plain(bytes) => Stored::decode(bytes).map(Some),
            Now::Other(stored) => Ok(stored.as_deref().cloned()),
        }
    }

    pub(super) fn becomes(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Unchanged => {}
            Outcome::Remove => self.now = Now::Other(None),
            Outcome::Write(stored) => self.now = Now::Other(Some(stored)),
        }
    }

    pub(super) fn becomes_plain(&mut self, outcome: PlainOutcome) {
        match outcome {
            PlainOutcome::Unchanged => {}
            PlainOutcome::Write(bytes) => self.now = Now::Plain(bytes),
        }
    }

    /// The object goes to the end of its feed, even where nothing else changes.
    pub(super) fn moves(&mut self) {
        if matches!(self.now, Now::AsRead) {
            self.now = Now::Moved;
        }
    }

    /// Adds to a batch what became of it, and answers the security of what is written where it has any.
    pub(super) fn write(
        self,
        writes: &mut Batch,
        feed: &FeedId,
        object_type: &ApiName,
        primary_key: &str,
        levels: &Levels,
    ) -> Result<Option<Security>, Error> {
        let as_read = self.before.as_ref();
        let as_read = as_read.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
        let now = match self.now {
            // What changes nothing holds only as long as the object is as it was read.
            Now::AsRead => {
                writes.expect(Table::Objects, self.place, as_read);
                return Ok(None);
            }
            Now::Plain(bytes) => {
                writes.expect(Table::Objects, self.place.clone(), as_read);
                writes.put_in_feed(feed.clone(), self.place, bytes);
                return Ok(None);
            }
            Now::Moved => {
                let stored = self.before.as_ref().map(|entry| Stored::decode(&entry.value));
                stored.transpose()?.map(Box::new)
            }
            Now::Other(stored) => stored,
        };
        let key = ObjectKey::new(object_type.clone(), primary_key);
        let key = key.map_err(|error| Error::of(peerd_core::Reason::Internal).because(error))?;
        let before = self.before.as_ref().map(found).transpose()?;
        match (now, before) {
            (Some(stored), before) => {
                put_in_feed(writes, feed.space, &key, &stored, before.as_ref())?;
                Ok(Some(stored.state.security(levels)))
            }
            (None, Some(before)) => {
                remove_from_feed(writes, feed.space, &key, &before)?;
                Ok(None)
            }
            (None, None) => {
                writes.expect(Table::Objects, self.place, as_read);
                Ok(None)
            }
        }
    }
}
