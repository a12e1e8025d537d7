//! What replication remembers.

use peerd_core::artifact::Selection;
use peerd_core::mapping::{Mapping, Sharing};
use peerd_core::{ConnectionId, ParkedId, Reason, Time};
use serde::{Deserialize, Serialize};

use crate::{Error, Record, Table};

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
    /// Which artifacts go out; none when nobody said so. Not told to the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Selection>,
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
    /// This side was restored from a backup since: copies may be here that the other side took back meanwhile. It is
    /// found out once all has come again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
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

/// How far an importer has acknowledged the export of one type. The importer's own cursor is the truth; this copy tells
/// which deletions it has, also while it is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportCursor {
    /// The connection.
    pub connection: ConnectionId,
    /// The type, as this side calls it.
    pub object_type: String,
    /// The place in the feed up to which everything that goes was acknowledged.
    pub acknowledged: u64,
    /// The digest of the terms it went under: under other terms something else goes.
    pub terms: [u8; 8],
    /// When that was noted.
    pub at: Time,
}

impl ExportCursor {
    const EXPORT: u8 = 2;

    /// The key of this type's cursor.
    pub fn key_of(connection: ConnectionId, object_type: &str) -> Vec<u8> {
        [
            connection.as_bytes().as_slice(),
            &[ExportCursor::EXPORT],
            object_type.as_bytes(),
        ]
        .concat()
    }
}

impl Record for ExportCursor {
    const TABLE: Table = Table::Cursors;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        ExportCursor::key_of(self.connection, &self.object_type)
    }
}

/// That an object was sent over a connection, and what of it. There is one for each object the other side may have, so
/// it is kept in 18 bytes and not as a named record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The object's place in its feed when it was sent.
    pub sequence: u64,
    /// The digest of the lanes and properties that were sent.
    pub vocabulary: [u8; 8],
    /// Whether the other side has just that, once its position is past the place. Not so between a retraction, or a
    /// repetition, and its acknowledgement.
    pub sure: bool,
}

impl Mark {
    const VERSION: u8 = 1;

    /// That the other side has the object by itself and was never told of the one here. No place in a feed is zero.
    pub const THEIRS: Mark = Mark {
        sequence: 0,
        vocabulary: [0; 8],
        sure: false,
    };

    /// What the keys of the marks of this type start with.
    pub fn prefix(connection: ConnectionId, object_type: &str) -> Vec<u8> {
        let length = u16::try_from(object_type.len()).unwrap_or(u16::MAX).to_be_bytes();
        [connection.as_bytes(), length.as_slice(), object_type.as_bytes()].concat()
    }

    /// The bytes that are kept.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![Mark::VERSION, u8::from(self.sure)];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.vocabulary);
        bytes
    }

    /// Reads them back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Mark, Error> {
        let parts = bytes
            .split_first_chunk::<2>()
            .and_then(|([version, sure], rest)| {
                let (sequence, vocabulary) = rest.split_first_chunk::<8>()?;
                let vocabulary = vocabulary.try_into().ok()?;
                (*version == Mark::VERSION && *sure <= 1).then_some(Mark {
                    sequence: u64::from_be_bytes(*sequence),
                    vocabulary,
                    sure: *sure == 1,
                })
            });
        parts.ok_or_else(|| Error::Corrupt {
            what: "a mark of what was exported".into(),
            source: None,
        })
    }
}

/// An object that could not be sent or applied. Its bytes, when they are kept, lie under a key of their own, so that
/// lists stay small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// Its id: the random half of the connection's id, then a digest of the object's.
    pub id: ParkedId,
    /// The connection.
    pub connection: ConnectionId,
    /// Whether it was to go out; otherwise it came in.
    pub outgoing: bool,
    /// The type, as the exporting side calls it.
    pub remote_type: String,
    /// The type, as this side calls it.
    pub object_type: String,
    /// The primary key.
    pub key: String,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was parked first.
    pub at: Time,
}

impl Parked {
    /// What the keys of a connection's parked objects start with.
    pub fn prefix(connection: ConnectionId) -> Vec<u8> {
        [&[0], &connection.as_bytes()[8..]].concat()
    }

    /// What all keys of a connection's parked objects start with: those of the records, and those of their bytes.
    pub fn prefixes(connection: ConnectionId) -> [Vec<u8>; 2] {
        [0, 1].map(|kind| [&[kind], &connection.as_bytes()[8..]].concat())
    }

    /// The id of an object's parking place.
    pub fn id_of(connection: ConnectionId, digest: [u8; 8]) -> ParkedId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&connection.as_bytes()[8..]);
        id[8..].copy_from_slice(&digest);
        ParkedId::from_bytes(id)
    }

    /// The key of the record.
    pub fn key_of(id: ParkedId) -> Vec<u8> {
        [&[0], id.as_bytes().as_slice()].concat()
    }

    /// The key of the item's bytes.
    pub fn bytes_key_of(id: ParkedId) -> Vec<u8> {
        [&[1], id.as_bytes().as_slice()].concat()
    }
}

impl Record for Parked {
    const TABLE: Table = Table::Parked;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        Parked::key_of(self.id)
    }
}
