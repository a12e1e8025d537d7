//! The canonical bytes of records, their hashes, and the Merkle tree over these.
//!
//! A record's hash is over its place, its kind and its fields, each with its length before it: not over any form's
//! bytes. So a record verifies by itself however a guard wrote it anew, and what is missing is seen by its place. The
//! tree is that of RFC 6962: leaves and nodes are hashed with different first bytes, an odd node goes up as it is.

use bytes::Bytes;
use peerd_node::exchange::{Change, Flow, Item};
use peerd_wire::frame::{Ask, Piece, Receipt, Sharing, Signed};
use sha2::{Digest as _, Sha256};

use crate::header::Digest;
use crate::record::{
    Ack, Anew, ContentPart, Heartbeat, Lifecycle, Member, PartOf, Query, Records, Refusal, Scope, Shard,
};

const LEAF: u8 = 0;
const NODE: u8 = 1;

/// The hashes of the scope and of each record, in order, and the length of all canonical bytes together.
pub(crate) struct Leaves {
    /// The scope's hash first, then those of the records.
    pub(crate) hashes: Vec<Digest>,
    /// How many bytes were hashed.
    pub(crate) bytes: u64,
}

impl Leaves {
    /// Of these records, numbered from 1.
    pub(crate) fn of(scope: &Scope, records: &Records) -> Leaves {
        Leaves::numbered(scope, records, |place| place.saturating_add(1))
    }

    /// Of these records, whose numbers `number` knows by their place.
    pub(crate) fn numbered(scope: &Scope, records: &Records, number: impl Fn(u32) -> u32) -> Leaves {
        let mut leaves = Leaves {
            hashes: Vec::with_capacity(records.len() + 1),
            bytes: 0,
        };
        let mut leaf = Leaf::new(&scope.salt, 0);
        scope_fields(&mut leaf, scope);
        leaves.take(leaf);
        for place in 0..u32::try_from(records.len()).unwrap_or(u32::MAX) {
            let mut leaf = Leaf::new(&scope.salt, number(place));
            record_fields(&mut leaf, records, place as usize);
            leaves.take(leaf);
        }
        leaves
    }

    fn take(&mut self, leaf: Leaf) {
        self.bytes += leaf.bytes;
        self.hashes.push(Digest(leaf.hash.finalize().into()));
    }

    /// The root of the tree over all of them.
    pub(crate) fn root(&self) -> Digest {
        root(&self.hashes)
    }
}

/// The root of the tree over these leaves; zeros over none.
pub(crate) fn root(leaves: &[Digest]) -> Digest {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(node).collect();
    }
    level.first().copied().unwrap_or_default()
}

fn node(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => {
            let hash = Sha256::new_with_prefix([NODE]);
            Digest(hash.chain_update(left.0).chain_update(right.0).finalize().into())
        }
        _ => pair.first().copied().unwrap_or_default(),
    }
}

/// One record on its way into a hash.
struct Leaf {
    hash: Sha256,
    bytes: u64,
}

impl Leaf {
    fn new(salt: &[u8; 16], number: u32) -> Leaf {
        let mut leaf = Leaf {
            hash: Sha256::new_with_prefix([LEAF]),
            bytes: 0,
        };
        leaf.raw(salt);
        leaf.raw(&number.to_be_bytes());
        leaf
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn tag(&mut self, tag: u8) {
        self.raw(&[tag]);
    }

    fn number(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.tag(u8::from(text.is_some()));
        self.field(text.unwrap_or_default().as_bytes());
    }

    fn flow(&mut self, flow: &Flow) {
        self.raw(flow.connection.as_bytes());
        self.field(flow.object_type.as_bytes());
    }
}

fn scope_fields(leaf: &mut Leaf, scope: &Scope) {
    let Scope {
        salt: _,
        flow,
        cover,
        caught_up,
    } = scope;
    leaf.tag(u8::from(flow.is_some()));
    if let Some(flow) = flow {
        leaf.flow(flow);
    }
    leaf.tag(u8::from(cover.is_some()));
    if let Some(cover) = cover {
        leaf.optional(cover.after.as_deref());
        leaf.optional(cover.through.as_deref());
    }
    leaf.tag(u8::from(*caught_up));
}

/// Adds the record at this place. The kind is part of it, so that no record passes for one of another kind.
fn record_fields(leaf: &mut Leaf, records: &Records, place: usize) {
    leaf.tag(records.kind().number());
    match records {
        Records::Lifecycle(records) => records.get(place).map(|one| lifecycle(leaf, one)),
        Records::Sharing(records) => records.get(place).map(|one| sharing(leaf, one)),
        Records::Objects(objects) => objects.items.get(place).map(|one| item(leaf, one)),
        Records::Content(records) => records.get(place).map(|one| content(leaf, one)),
        Records::Ack(records) => records.get(place).map(|one| ack(leaf, one)),
        Records::Query(records) => records.get(place).map(|one| query(leaf, one)),
        Records::Heartbeat(records) => records.get(place).map(|one| heartbeat(leaf, one)),
        Records::Parity(records) => records.get(place).map(|one| shard(leaf, one)),
    };
}

fn lifecycle(leaf: &mut Leaf, record: &Lifecycle) {
    match record {
        Lifecycle::Message(Signed { payload, signature }) => {
            leaf.tag(1);
            leaf.field(payload);
            leaf.field(signature);
        }
        Lifecycle::Receipt(Receipt {
            message,
            refused,
            retry,
        }) => {
            leaf.tag(2);
            leaf.raw(message.as_bytes());
            leaf.optional(refused.map(peerd_core::Reason::word));
            leaf.tag(u8::from(*retry));
        }
    }
}

fn sharing(leaf: &mut Leaf, record: &Sharing) {
    let Sharing {
        connection,
        revision,
        content,
    } = record;
    leaf.raw(connection.as_bytes());
    leaf.number(*revision);
    leaf.field(content);
}

fn item(leaf: &mut Leaf, record: &Item) {
    let Item { key, change } = record;
    leaf.field(key.as_bytes());
    match change {
        Change::State(state) => {
            leaf.tag(1);
            leaf.field(state);
        }
        Change::Retraction => leaf.tag(2),
    }
}

fn content(leaf: &mut Leaf, record: &ContentPart) {
    let ContentPart {
        connection,
        artifact,
        blob,
        of,
        offset,
        bytes,
        last,
    } = record;
    leaf.raw(connection.as_bytes());
    leaf.field(artifact.as_bytes());
    leaf.raw(blob.hash.as_bytes());
    leaf.number(blob.size);
    match of {
        PartOf::Outline => leaf.tag(1),
        PartOf::Group(group) => {
            leaf.tag(2);
            leaf.number(*group);
        }
    }
    leaf.number(*offset);
    leaf.field(bytes);
    leaf.tag(u8::from(*last));
}

fn ack(leaf: &mut Leaf, record: &Ack) {
    let Ack {
        epoch,
        below,
        taken,
        wanted,
        refusals,
        anew,
    } = record;
    leaf.raw(epoch.as_bytes());
    leaf.number(*below);
    for ranges in [taken, wanted] {
        leaf.number(ranges.len() as u64);
        for range in ranges {
            leaf.number(*range.start());
            leaf.number(*range.end());
        }
    }
    leaf.number(refusals.len() as u64);
    for Refusal {
        sequence,
        record,
        key,
        reason,
    } in refusals
    {
        leaf.number(*sequence);
        leaf.number((*record).into());
        leaf.raw(&key.0.0);
        leaf.field(reason.word().as_bytes());
    }
    leaf.number(anew.len() as u64);
    for Anew { flow, generation } in anew {
        leaf.flow(flow);
        leaf.number(*generation);
    }
}

fn query(leaf: &mut Leaf, record: &Query) {
    match record {
        Query::Ask(Ask { number, question }) => {
            leaf.tag(1);
            leaf.number(*number);
            leaf.field(question);
        }
        Query::Answer(Piece::Part { number, bytes, last }) => {
            leaf.tag(2);
            leaf.number(*number);
            leaf.field(bytes);
            leaf.tag(u8::from(*last));
        }
        Query::Answer(Piece::Refused { number, reason }) => {
            leaf.tag(3);
            leaf.number(*number);
            leaf.field(reason.word().as_bytes());
        }
    }
}

fn heartbeat(leaf: &mut Leaf, record: &Heartbeat) {
    match record {
        Heartbeat::Highest(highest) => {
            leaf.tag(1);
            leaf.number(*highest);
        }
        Heartbeat::Digest { flow, digests } => {
            leaf.tag(2);
            leaf.flow(flow);
            leaf.field(&sum_bytes(digests.sums()));
            leaf.number(digests.count());
            leaf.number(digests.home());
        }
    }
}

/// The table of sums as it travels.
pub(crate) fn sum_bytes(sums: &[u128]) -> Bytes {
    sums.iter().flat_map(|sum| sum.to_be_bytes()).collect()
}

fn shard(leaf: &mut Leaf, record: &Shard) {
    let Shard {
        first,
        members,
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    } = record;
    leaf.number(*first);
    leaf.number(members.len() as u64);
    for Member { bytes, digest } in members {
        leaf.number((*bytes).into());
        leaf.raw(&digest.0);
    }
    for number in [shard_bytes, recovery_shards, index] {
        leaf.number((*number).into());
    }
    leaf.field(bytes);
}
