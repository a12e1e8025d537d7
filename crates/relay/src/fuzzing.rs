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
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::record::{Ack, ContentPart, PartOf, Scope};
    use crate::{LinkEpoch, Records};

    /// Chance that is the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 += 1;
            let hash: [u8; 32] = Sha256::digest(self.0.to_be_bytes()).into();
            let number = u64::from_be_bytes(*hash.first_chunk().unwrap());
            usize::try_from(number % (end.max(1) as u64)).unwrap()
        }

        /// The bytes with a few pieces changed, taken out, doubled, or put in from elsewhere.
        fn mangled(&mut self, seed: &[u8], other: &[u8]) -> Vec<u8> {
            let mut bytes = seed.to_vec();
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len() + 1);
                let end = (at + self.below(64)).min(bytes.len());
                match self.below(5) {
                    0 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                    1 => drop(bytes.drain(at..end)),
                    2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                    3 => bytes.truncate(at),
                    _ => {
                        let from = self.below(other.len());
                        let piece = other[from..(from + self.below(200)).min(other.len())].to_vec();
                        drop(bytes.splice(at..end, piece));
                    }
                }
            }
            bytes
        }
    }

    fn corpus() -> Vec<Vec<u8>> {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/relay-guard/corpus");
        let dirs = ["good", "bad"].map(|name| corpus.join(name));
        let files = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
        let mut paths = files.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        paths.sort();
        let bytes = paths.iter().map(|path| std::fs::read(path).unwrap());
        bytes.filter(|bytes| bytes.len() < 20_000).collect()
    }

    #[test]
    fn mangled_files_of_the_corpus_are_read_or_refused() {
        let (mut dice, seeds) = (Dice(0), corpus());
        for _ in 0..1_500 {
            let (one, other) = (dice.below(seeds.len()), dice.below(seeds.len()));
            let bytes = dice.mangled(&seeds[one], &seeds[other]);
            xml(&bytes);
            parity(&bytes);
        }
        // What is not mangled is read to its end, so the doors lead where they should.
        assert!(seeds.iter().filter(|bytes| crate::peek(bytes).is_ok()).count() > 10);
    }

    #[test]
    fn mangled_bodies_are_read_or_refused() {
        let scope = Scope {
            salt: [1; 16],
            flow: None,
            cover: None,
            caught_up: false,
        };
        let ack = Records::Ack(vec![Ack {
            epoch: LinkEpoch::from_bytes([1; 16]),
            below: 300,
            taken: vec![302..=400, 500..=500],
            wanted: vec![301..=301],
            refusals: Vec::new(),
            anew: Vec::new(),
        }]);
        let content = Records::Content(vec![ContentPart {
            connection: ConnectionId::from_bytes([1; 16]),
            artifact: "art".to_owned(),
            blob: peerd_core::Blob {
                hash: peerd_core::ContentHash::from_bytes([1; 32]),
                size: 1,
            },
            of: PartOf::Group(1),
            offset: 0,
            bytes: Bytes::from_static(b"piece"),
            last: true,
        }]);
        let seeds = [&ack, &content].map(|records| sealed::plain_for_tests(&scope, records));
        let (mut dice, kinds) = (Dice(1), [Kind::Ack, Kind::Content]);
        for _ in 0..20_000 {
            let which = dice.below(2);
            let bytes = dice.mangled(&seeds[which], &seeds[1 - which]);
            let kind = if dice.below(4) == 0 {
                u8::try_from(dice.below(9)).unwrap()
            } else {
                kinds[which].number()
            };
            body(kind, u8::try_from(dice.below(3)).unwrap(), bytes.into());
        }
        for (seed, kind) in seeds.into_iter().zip(kinds) {
            assert!(sealed::read_and_rewrite(kind, 1, seed.into()).is_some());
        }
    }
}
