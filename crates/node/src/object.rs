//! Objects: how they are stored here, and what operators do with them.
//!
//! Whoever may not see one of an object's markings does not see the object at all: it is in no list, in no count, and to
//! name it is answered as if nothing were there. Nobody is exempt. Two things show through, because a key is taken or
//! not: to create an object under the key of an unseen one is refused, and a load writes the row of an unseen one.

mod conflict;
mod edit;
mod hlc;
mod links;
mod load;
mod markings;
mod read;
pub(crate) mod removal;
mod sight;
pub(crate) mod stored;
mod view;
mod watch;

pub use conflict::ConflictView;
pub use edit::Edits;
pub use links::{End, InvalidPlace, LinkAt, LinkPage, LinkPlace, LinkView, LinksOf};
pub use load::{Content, Line, Load, LoadHeader, LoadProgress, Rejection};
pub use read::ObjectPage;
pub use view::{Named, ObjectView, SourceView};
pub use watch::{ObjectWatch, Since, Told, WatchEvent, WatchRequest};

pub(crate) use edit::Subject;
pub(crate) use hlc::WriteClock;

use peerd_core::Reason;
use peerd_core::object::{ObjectInvalid, ObjectKey, Refused};
use peerd_core::ontology::ObjectType;

use crate::Error;

/// Which object a call is about, in the words of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectAt {
    /// Name or id of the space.
    pub space: String,
    /// The object type.
    pub object_type: String,
    /// The primary key.
    pub key: String,
}

impl ObjectAt {
    /// The key in its one spelling: a number as its digits.
    fn key_of(&self, of: &ObjectType) -> Result<ObjectKey, Error> {
        let key = of.key_value(&self.key).and_then(|value| of.key_of(&value));
        key.map_err(|error| Error::field("key", error))
    }
}

pub(crate) fn no_such_object() -> Error {
    Error::not_found("object")
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        let reason = match refused {
            Refused::NotLive => return no_such_object(),
            Refused::NoSuchConflict => return Error::not_found("conflict"),
            Refused::Exists => Reason::ObjectExists,
            Refused::Purged => Reason::ObjectPurged,
            Refused::SourceOwned(_) => Reason::SourceOwned,
            Refused::ClockExhausted => Reason::ClockSkew,
            Refused::TooLarge(_) => Reason::TooLarge,
        };
        Error::new(reason, refused.to_string())
    }
}

impl From<ObjectInvalid> for Error {
    fn from(error: ObjectInvalid) -> Error {
        Error::new(Reason::ObjectInvalid, error.to_string())
    }
}
