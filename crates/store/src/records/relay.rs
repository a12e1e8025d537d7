//! What a relay link remembers: what went out and is not known to have come, and what came.

use peerd_core::relay::{Heard, Kept, Ledger};
use peerd_core::{ConnectionId, EnrollmentId, EpochId, LinkId, Time};
use serde::{Deserialize, Serialize};

use crate::{Error, Record, Table};

/// The kinds of records of a link, in their keys.
const OUT: u8 = 0;
const SENT: u8 = 1;
const EXPORT: u8 = 2;
const IN: u8 = 3;
const IMPORT: u8 = 4;
const CONTENT: u8 = 5;

fn key(link: LinkId, kind: u8, rest: &[u8]) -> Vec<u8> {
    [link.as_bytes().as_slice(), &[kind], rest].concat()
}

fn flow_key(link: LinkId, kind: u8, connection: ConnectionId, rest: &str) -> Vec<u8> {
    key(
        link,
        kind,
        &[connection.as_bytes().as_slice(), rest.as_bytes()].concat(),
    )
}

/// What the keys of all records of a link start with.
pub fn relay_prefix(link: LinkId) -> Vec<u8> {
    link.as_bytes().to_vec()
}

/// Where the numbering of what goes out stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayOut {
    /// The link.
    pub link: LinkId,
    /// The epoch of the numbers: another one begins when what was kept to be sent again is lost.
    pub epoch: EpochId,
    /// The epoch of the feeds when this one began: a store that was restored has another.
    pub feeds: EpochId,
    /// What the identity key that signs this epoch's bundles is called: with another key, another epoch begins, since the
    /// other side takes nothing more that an earlier key signed.
    pub signed_by: EnrollmentId,
    /// The number of the last bundle that is to be acknowledged; 0 before the first.
    pub last: u64,
    /// The digest of that bundle.
    pub previous: [u8; 32],
    /// The number of the last bundle that is not.
    pub passing: u64,
}

impl RelayOut {
    /// The key of this link's.
    pub fn key_of(link: LinkId) -> Vec<u8> {
        key(link, OUT, &[])
    }
}

impl Record for RelayOut {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelayOut::key_of(self.link)
    }
}

/// A bundle that went out and is kept until it need not be written again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelaySent {
    /// The link.
    pub link: LinkId,
    /// Its number.
    pub sequence: u64,
    /// The type whose objects it holds, with the connection; absent for other bundles.
    pub flow: Option<(ConnectionId, String)>,
    /// The lifecycle messages in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<peerd_core::MessageId>,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was made.
    pub at: Time,
    /// Until when the other side takes it.
    pub until: Time,
    /// How often it was written to the outbox.
    pub copies: u32,
    /// When it was written there last; absent before the first time.
    pub put_at: Option<Time>,
}

impl RelaySent {
    /// What the keys of this link's start with.
    pub fn prefix(link: LinkId) -> Vec<u8> {
        key(link, SENT, &[])
    }

    /// What counts when it is decided whether it is written again.
    pub fn kept(&self) -> Kept {
        Kept {
            sequence: self.sequence,
            copies: self.copies,
            put_at: self.put_at,
        }
    }

    /// The key of this bundle.
    pub fn key_of(link: LinkId, sequence: u64) -> Vec<u8> {
        key(link, SENT, &sequence.to_be_bytes())
    }
}

impl Record for RelaySent {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelaySent::key_of(self.link, self.sequence)
    }
}

/// How far the objects of one type were written to bundles. The importer of a relay cannot tell, so this side knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayExport {
    /// The link.
    pub link: LinkId,
    /// The connection.
    pub connection: ConnectionId,
    /// The type, as this side calls it.
    pub object_type: String,
    /// The position after the last batch.
    #[serde(with = "serde_bytes")]
    pub position: Vec<u8>,
    /// How often the importer asked for all of it.
    pub generation: u64,
}

impl RelayExport {
    /// What the keys of this link's start with.
    pub fn prefix(link: LinkId) -> Vec<u8> {
        key(link, EXPORT, &[])
    }

    /// The key of this type's.
    pub fn key_of(link: LinkId, connection: ConnectionId, object_type: &str) -> Vec<u8> {
        flow_key(link, EXPORT, connection, object_type)
    }
}

impl Record for RelayExport {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelayExport::key_of(self.link, self.connection, &self.object_type)
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayIn {
    /// The link.
    pub link: LinkId,
    /// Which of them.
    pub ledger: Ledger,
    /// When the last one came.
    pub at: Time,
}

impl RelayIn {
    /// The key of this link's.
    pub fn key_of(link: LinkId) -> Vec<u8> {
        key(link, IN, &[])
    }
}

impl Record for RelayIn {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelayIn::key_of(self.link)
    }
}

/// What the import of one type knows beside its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayImport {
    /// The link.
    pub link: LinkId,
    /// The connection.
    pub connection: ConnectionId,
    /// The type, as the other side calls it.
    pub object_type: String,
    /// How often all of it was asked for.
    pub generation: u64,
    /// Whether something came since it was asked for last.
    pub begun: bool,
    /// Whether something came that could not be taken: all of it has to come again.
    pub lost: bool,
}

impl RelayImport {
    /// What the keys of this link's start with.
    pub fn prefix(link: LinkId) -> Vec<u8> {
        key(link, IMPORT, &[])
    }

    /// The key of this type's.
    pub fn key_of(link: LinkId, connection: ConnectionId, object_type: &str) -> Vec<u8> {
        flow_key(link, IMPORT, connection, object_type)
    }
}

impl Record for RelayImport {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelayImport::key_of(self.link, self.connection, &self.object_type)
    }
}

/// Content that is still to be written to bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayContent {
    /// The link.
    pub link: LinkId,
    /// The connection.
    pub connection: ConnectionId,
    /// The artifact's key.
    pub artifact: String,
    /// Its content.
    pub content: peerd_core::Blob,
    /// The next group.
    pub next: u64,
}

impl RelayContent {
    /// What the keys of this link's start with.
    pub fn prefix(link: LinkId) -> Vec<u8> {
        key(link, CONTENT, &[])
    }

    /// The key of this artifact's.
    pub fn key_of(link: LinkId, connection: ConnectionId, artifact: &str) -> Vec<u8> {
        flow_key(link, CONTENT, connection, artifact)
    }
}

impl Record for RelayContent {
    const TABLE: Table = Table::Relays;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        RelayContent::key_of(self.link, self.connection, &self.artifact)
    }
}

/// What the keys start with under which a link's [`Heard`] are kept.
pub fn heard_prefix(link: LinkId) -> Vec<u8> {
    link.as_bytes().to_vec()
}

/// The key of what was heard of an object.
pub fn heard_key(link: LinkId, connection: ConnectionId, object_type: &str, primary_key: &str) -> Vec<u8> {
    let length = u16::try_from(object_type.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut key = heard_prefix(link);
    key.extend(connection.as_bytes());
    key.extend(length);
    key.extend(object_type.as_bytes());
    key.extend(primary_key.as_bytes());
    key
}

const HEARD_VERSION: u8 = 1;

/// The bytes of what was heard of an object. There may be many, so it is kept in 25 bytes and not as a named record.
pub fn encode_heard(heard: Heard) -> Vec<u8> {
    let mut bytes = vec![HEARD_VERSION];
    bytes.extend(heard.epoch.as_bytes());
    bytes.extend(heard.sequence.to_be_bytes());
    bytes
}

/// Reads them back.
pub fn decode_heard(bytes: &[u8]) -> Result<Heard, Error> {
    let parts = bytes.split_first_chunk::<17>().and_then(|(head, rest)| {
        let (version, epoch) = head.split_first()?;
        (*version == HEARD_VERSION).then_some(Heard {
            epoch: EpochId::from_bytes(epoch.try_into().ok()?),
            sequence: u64::from_be_bytes(rest.try_into().ok()?),
        })
    });
    parts.ok_or_else(|| Error::Corrupt {
        what: "a note of what was heard".into(),
        source: None,
    })
}
