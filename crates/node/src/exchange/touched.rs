//! One object while a batch is worked out: as it was read, and as it will be.

use bytes::Bytes;
use peerd_core::object::{ObjectKey, Provenance};
use peerd_core::ontology::ApiName;
use peerd_store::{Batch, Entry, Expect, FeedId, Found, Table};

use super::intake::Outcome;
use crate::Error;
use crate::object::stored::{PlainOutcome, Stored, StoredRef, found, put_in_feed};

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

/// What was added to a batch.
#[derive(Debug)]
pub(super) enum Written {
    /// A plain object, or nothing but the condition that it stays as it is.
    Plain,
    /// This object.
    Stored(Box<Stored>),
    /// Nothing: the copy here goes.
    Goes(ObjectKey, Box<Found<Stored>>),
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

    /// The object as it is now. What keeps the place of a copy that went is nothing.
    pub(super) fn now(&self) -> Result<Option<Stored>, Error> {
        let now = match &self.now {
            Now::AsRead | Now::Moved => {
                let stored = self.before.as_ref().map(|entry| Stored::decode(&entry.value));
                stored.transpose()?
            }
            Now::Plain(bytes) => Some(Stored::decode(bytes)?),
            Now::Other(stored) => stored.as_deref().cloned(),
        };
        Ok(now.filter(|stored| !stored.state.is_hollow()))
    }

    /// Whether something became of it.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.now, Now::AsRead)
    }

    /// Whether the copy that was here goes.
    pub(super) fn goes(&self) -> bool {
        matches!(self.now, Now::Other(None))
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

    /// Adds to a batch what became of it. That a copy goes is for the caller to write.
    pub(super) fn write(
        self,
        writes: &mut Batch,
        feed: &FeedId,
        object_type: &ApiName,
        primary_key: &str,
    ) -> Result<Written, Error> {
        let as_read = self.before.as_ref();
        let as_read = as_read.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
        let now = match self.now {
            // What changes nothing holds only as long as the object is as it was read.
            Now::AsRead => {
                writes.expect(Table::Objects, self.place, as_read);
                return Ok(Written::Plain);
            }
            Now::Plain(bytes) => {
                writes.expect(Table::Objects, self.place.clone(), as_read);
                writes.put_in_feed(feed.clone(), self.place, bytes);
                return Ok(Written::Plain);
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
                Ok(Written::Stored(stored))
            }
            (None, Some(before)) => Ok(Written::Goes(key, Box::new(before))),
            (None, None) => {
                writes.expect(Table::Objects, self.place, as_read);
                Ok(Written::Plain)
            }
        }
    }
}
