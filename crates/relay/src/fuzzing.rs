//! Doors for the fuzz targets to the parsers that stand behind a signature. Not part of what the crate offers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use peerd_core::lineage::Lineage;
use peerd_core::ontology::{Property, PropertyId, PropertyType, Schema};
use peerd_core::signature::{PublicKey, Purpose, Verifier};
use peerd_core::{ConnectionId, Time};

use crate::hash::Leaves;
use crate::record::{Member, Shard};
use crate::{Digest, Kind, Limits, OpenForm, Opening, Schemas, parity, sealed};

/// Reads what came out of a sealed body of so many records. What was read is written and read again to the same.
///
/// # Panics
///
/// When it is not the same: a fault was found.
pub fn body(kind: u8, count: u8, plain: Bytes) {
    let kind = Kind::from_number(kind % 9);
    let read = kind.and_then(|kind| sealed::read_and_rewrite(kind, count.into(), plain));
    if let Some([(scope, records), again]) = read {
        assert_eq!((&scope, &records), (&again.0, &again.1));
        assert_eq!(
            Leaves::of(&scope, &records).root(),
            Leaves::of(&again.0, &again.1).root()
        );
    }
}

/// Reads a whole file as if its signature held.
///
/// # Panics
///
/// When what was read contradicts its header: a fault was found.
pub fn xml(bytes: &[u8]) {
    let Ok(header) = crate::peek(bytes) else {
        return;
    };
    let (limits, known) = (Limits::default(), Known(schema()));
    let opening = Opening {
        me: header.recipient,
        from: header.sender,
        keys: std::slice::from_ref(&header.key),
        verifier: &Credulous,
        now: Time::EPOCH,
        form: OpenForm::Xml(&known),
        limits: &limits,
    };
    if let Ok(opened) = crate::read(Bytes::copy_from_slice(bytes), &opening) {
        assert_eq!(opened.numbers.len(), opened.records.len());
        assert_eq!(
            opened.numbers.len() + opened.dropped.len(),
            header.records as usize
        );
    }
}

/// Rebuilds from a shard that anybody made up.
pub fn parity(bytes: &[u8]) {
    let (shard, there) = bytes.split_at(bytes.len() / 2);
    let members = there.chunks(7).map(|chunk| Member {
        bytes: chunk.iter().map(|byte| u32::from(*byte)).sum(),
        digest: Digest::of(chunk),
    });
    let shard = Shard {
        first: u64::from(bytes.first().copied().unwrap_or_default()),
        members: members.collect(),
        shard_bytes: u32::try_from(shard.len()).unwrap_or_default(),
        recovery_shards: u32::from(bytes.last().copied().unwrap_or_default()),
        index: u32::from(shard.last().copied().unwrap_or_default()),
        bytes: Bytes::copy_from_slice(shard),
    };
    let files: BTreeMap<u64, Bytes> = (shard.first..)
        .zip(there.chunks(7).map(Bytes::copy_from_slice))
        .skip(1)
        .collect();
    // Whatever it says, it is said and not died of.
    let _ = parity::rebuild(&[shard], &files, 1 << 24);
}

/// Believes every signature.
#[derive(Debug)]
struct Credulous;

impl Verifier for Credulous {
    fn verify(&self, _: &PublicKey, _: Purpose, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn lineage(&self, _: &PublicKey, _: &[u8]) -> Option<Lineage> {
        None
    }
}

#[derive(Debug)]
struct Known(Option<Schema>);

impl Schemas for Known {
    fn schema(&self, _: ConnectionId, _: &str, _: u64) -> Option<Cow<'_, Schema>> {
        self.0.as_ref().map(Cow::Borrowed)
    }
}

/// The type of the corpus, as far as its properties' names and numbers go.
fn schema() -> Option<Schema> {
    use PropertyType::{
        Array, Artifact, Boolean, Date, Decimal, Double, Geopoint, Integer, Long, Reference, String,
        Timestamp,
    };
    let types = [
        ("key", String),
        ("signature", String),
        ("flag", Boolean),
        ("small", Integer),
        ("large", Long),
        ("real", Double),
        ("exact", Decimal),
        ("day", Date),
        ("at", Timestamp),
        ("place", Geopoint),
        (
            "plane",
            Reference {
                to: "plane".parse().ok()?,
            },
        ),
        ("file", Artifact),
        ("list", Array(Box::new(String))),
    ];
    let properties = types.into_iter().zip(1_u16..).map(|((name, of), id)| {
        Some(Property {
            id: PropertyId(id * 3),
            name: name.parse().ok()?,
            of,
            nullable: name != "key",
        })
    });
    let properties = properties.collect::<Option<Vec<_>>>()?;
    Schema::new("flight".parse().ok()?, PropertyId(3), properties).ok()
}

#[cfg(test)]
mod tests;
