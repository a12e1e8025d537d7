//! The schemas that the objects of one bundle are written and read by.

use std::borrow::Cow;

use peerd_core::ConnectionId;
use peerd_core::ontology::Schema;
use peerd_node::sharing::Published;

use crate::Schemas;

/// What one side published on one connection. A bundle has objects of one connection, so it takes no more.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    of: Option<ConnectionId>,
    published: Published,
}

impl Vocabulary {
    pub(super) fn of(connection: ConnectionId, published: Published) -> Vocabulary {
        Vocabulary {
            of: Some(connection),
            published,
        }
    }

    /// The revision that what is written under it names.
    pub(super) fn revision(&self) -> u64 {
        self.published.revision
    }
}

impl Schemas for Vocabulary {
    fn schema(&self, connection: ConnectionId, object_type: &str, revision: u64) -> Option<Cow<'_, Schema>> {
        let known = self.published.schema(object_type, revision);
        known.filter(|_| self.of == Some(connection)).map(Cow::Borrowed)
    }
}
