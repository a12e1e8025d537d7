//! What replication remembers.

use peerd_core::mapping::{Mapping, Sharing};
use peerd_core::{ConnectionId, Time};
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

/// Imported data of a closed connection that is still to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeDue {
    /// The connection it came over.
    pub connection: ConnectionId,
    /// Since when.
    pub since: Time,
}

impl Record for PurgeDue {
    const TABLE: Table = Table::Purges;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.connection.as_bytes().to_vec()
    }
}

/// What both sides of a connection said about what flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The connection.
    pub connection: ConnectionId,
    /// What the other side is told.
    pub ours: Sharing,
    /// The mappings somebody made here.
    pub mappings: Vec<Mapping>,
    /// What the other side told; revision zero when it said nothing yet.
    pub theirs: Sharing,
}

impl Record for Shared {
    const TABLE: Table = Table::Sharing;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.connection.as_bytes().to_vec()
    }
}

/// How far the import of one type has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCursor {
    /// The connection.
    pub connection: ConnectionId,
    /// The type as the other side calls it.
    pub remote_type: String,
    /// The type as this side calls it.
    pub local_type: String,
    /// The exporter's position; empty before the beginning.
    #[serde(with = "serde_bytes")]
    pub position: Vec<u8>,
    /// The digest of how arrivals were translated: another translation starts from the beginning.
    pub terms: [u8; 8],
    /// How many items were taken since the beginning.
    pub applied: u64,
    /// Whether the last batch said that nothing more was waiting.
    pub caught_up: bool,
    /// The other side no longer offers the type: what came goes, and then this record.
    pub withdrawn: bool,
    /// When the last batch was committed.
    pub at: Time,
}

impl ImportCursor {
    const IMPORT: u8 = 1;

    /// What the keys of a connection's import cursors start with.
    pub fn prefix(connection: ConnectionId) -> Vec<u8> {
        [connection.as_bytes().as_slice(), &[ImportCursor::IMPORT]].concat()
    }

    /// The key of this type's cursor.
    pub fn key_of(connection: ConnectionId, remote_type: &str) -> Vec<u8> {
        [
            ImportCursor::prefix(connection).as_slice(),
            remote_type.as_bytes(),
        ]
        .concat()
    }
}

impl Record for ImportCursor {
    const TABLE: Table = Table::Cursors;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        ImportCursor::key_of(self.connection, &self.remote_type)
    }
}
