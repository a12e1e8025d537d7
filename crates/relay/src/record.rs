//! What bundles hold.

use std::ops::RangeInclusive;

use bytes::Bytes;
use peerd_core::{Blob, ConnectionId, Reason};
use peerd_node::exchange::verify::Digests;
use peerd_node::exchange::{Flow, Item};
use peerd_wire::frame::{Ask, Piece, Receipt, Sharing, Signed};

use crate::header::{Digest, Kind, LinkEpoch};

/// The records of a bundle: all of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// Lifecycle messages and their receipts.
    Lifecycle(Vec<Lifecycle>),
    /// What the sender makes available.
    Sharing(Vec<Sharing>),
    /// Objects of one type.
    Objects(Objects),
    /// Parts of artifacts' content.
    Content(Vec<ContentPart>),
    /// What the other side's bundles have come to.
    Ack(Vec<Ack>),
    /// Questions of a verification and their answers.
    Query(Vec<Query>),
    /// Proof of life and digests.
    Heartbeat(Vec<Heartbeat>),
    /// Redundancy over earlier bundles.
    Parity(Vec<Shard>),
}

impl Records {
    /// The most records of one bundle.
    pub const MAX: usize = 65_536;

    /// What they are.
    pub fn kind(&self) -> Kind {
        match self {
            Records::Lifecycle(_) => Kind::Lifecycle,
            Records::Sharing(_) => Kind::Sharing,
            Records::Objects(_) => Kind::Objects,
            Records::Content(_) => Kind::Content,
            Records::Ack(_) => Kind::Ack,
            Records::Query(_) => Kind::Query,
            Records::Heartbeat(_) => Kind::Heartbeat,
            Records::Parity(_) => Kind::Parity,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Records::Lifecycle(records) => records.len(),
            Records::Sharing(records) => records.len(),
            Records::Objects(objects) => objects.items.len(),
            Records::Content(records) => records.len(),
            Records::Ack(records) => records.len(),
            Records::Query(records) => records.len(),
            Records::Heartbeat(records) => records.len(),
            Records::Parity(records) => records.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// None of this kind yet, in this scope.
    pub(crate) fn none(kind: Kind, scope: &Scope) -> Option<Records> {
        Some(match kind {
            Kind::Lifecycle => Records::Lifecycle(Vec::new()),
            Kind::Sharing => Records::Sharing(Vec::new()),
            Kind::Objects => Records::Objects(Objects {
                flow: scope.flow.clone()?,
                cover: scope.cover.clone(),
                caught_up: scope.caught_up,
                items: Vec::new(),
            }),
            Kind::Content => Records::Content(Vec::new()),
            Kind::Ack => Records::Ack(Vec::new()),
            Kind::Query => Records::Query(Vec::new()),
            Kind::Heartbeat => Records::Heartbeat(Vec::new()),
            Kind::Parity => Records::Parity(Vec::new()),
        })
    }
}

/// A lifecycle message, or the answer to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// A message as it is signed.
    Message(Signed),
    /// The answer to one.
    Receipt(Receipt),
}

/// Objects of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects {
    /// Of which stream.
    pub flow: Flow,
    /// What they say of the keys between them. `None` when a record was dropped on the way.
    pub cover: Option<Cover>,
    /// Whether nothing more was waiting when the bundle was made. False when a record was dropped on the way.
    pub caught_up: bool,
    /// The objects.
    pub items: Vec<Item>,
}

/// After the first key, up to and including the last, the items with a state are all live objects that are offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The key that the range begins after; `None` from the beginning.
    pub after: Option<String>,
    /// The last key of the range; `None` for up to the end.
    pub through: Option<String>,
}

/// A piece of an artifact's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentPart {
    /// The connection.
    pub connection: ConnectionId,
    /// The artifact's primary key at the exporting side.
    pub artifact: String,
    /// The content.
    pub blob: Blob,
    /// Of what of it this is a piece.
    pub of: PartOf,
    /// Where in that the piece begins.
    pub offset: u64,
    /// The piece; at most [`ContentPart::BYTES_MAX`].
    pub bytes: Bytes,
    /// Whether it is the last one of that.
    pub last: bool,
}

impl ContentPart {
    /// The longest piece.
    pub const BYTES_MAX: usize = 1 << 20;
}

/// What a piece of content is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartOf {
    /// The hashes of its groups.
    Outline,
    /// A group of 1 MiB, by its number from 0.
    Group(u64),
}

/// What the other side's bundles of one epoch have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The other side's epoch.
    pub epoch: LinkEpoch,
    /// All bundles below this number were taken.
    pub below: u64,
    /// What else was taken; ascending, apart.
    pub taken: Vec<RangeInclusive<u64>>,
    /// What should be sent again; ascending, apart.
    pub wanted: Vec<RangeInclusive<u64>>,
    /// What was parked.
    pub refusals: Vec<Refusal>,
    /// Types of which all is asked for.
    pub anew: Vec<Anew>,
}

/// All of a type is asked for: the importer takes it otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anew {
    /// The type.
    pub flow: Flow,
    /// How often it was asked for; what was asked for once is not asked for again by the same number.
    pub generation: u64,
}

impl Ack {
    /// The most ranges of one list, and the most refusals.
    pub const ENTRIES_MAX: usize = 1_024;
}

/// A record that was parked instead of applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The bundle's number.
    pub sequence: u64,
    /// The record's number in it, from 1.
    pub record: u32,
    /// The object.
    pub key: KeyHash,
    /// Why.
    pub reason: Reason,
}

/// The SHA-256 of an object's primary key: what goes back names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(pub Digest);

impl KeyHash {
    /// Of this key.
    pub fn of(key: &str) -> KeyHash {
        KeyHash(Digest::of(key.as_bytes()))
    }
}

/// A question of a verification, or a part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A question.
    Ask(Ask),
    /// A part of an answer.
    Answer(Piece),
}

/// Proof of life, and what the other side should have by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// The highest number of a lasting bundle of the epoch so far.
    Highest(u64),
    /// What is offered of one type.
    Digest {
        /// The type.
        flow: Flow,
        /// The table.
        digests: Digests,
    },
}

/// A piece of redundancy over a group of earlier bundles of the same epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the group's first bundle.
    pub first: u64,
    /// The bundles of the group, in order.
    pub members: Vec<Member>,
    /// How many bytes each shard has.
    pub shard_bytes: u32,
    /// How many shards of redundancy the group has.
    pub recovery_shards: u32,
    /// Which of them this is, from 0.
    pub index: u32,
    /// The shard.
    pub bytes: Bytes,
}

/// One bundle of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The length of its file.
    pub bytes: u32,
    /// The digest of its file.
    pub digest: Digest,
}

impl Member {
    pub(crate) const BYTES: usize = 4 + 32;

    pub(crate) fn to_bytes(self) -> impl Iterator<Item = u8> {
        self.bytes.to_be_bytes().into_iter().chain(self.digest.0)
    }

    pub(crate) fn from_bytes(bytes: &[u8; Member::BYTES]) -> Member {
        let (length, digest) = bytes.split_at(4);
        Member {
            bytes: u32::from_be_bytes(length.try_into().unwrap_or_default()),
            digest: Digest(digest.try_into().unwrap_or_default()),
        }
    }
}

/// What holds for all records of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Makes the hashes of known records unpredictable.
    pub(crate) salt: [u8; 16],
    /// The stream of the items.
    pub(crate) flow: Option<Flow>,
    /// What they say of the keys between them.
    pub(crate) cover: Option<Cover>,
    /// Whether nothing more was waiting; false for what are no items.
    pub(crate) caught_up: bool,
}

impl Scope {
    pub(crate) fn of(records: &Records, salt: [u8; 16]) -> Scope {
        let (flow, cover, caught_up) = match records {
            Records::Objects(objects) => (
                Some(objects.flow.clone()),
                objects.cover.clone(),
                objects.caught_up,
            ),
            _ => (None, None, false),
        };
        Scope {
            salt,
            flow,
            cover,
            caught_up,
        }
    }
}
