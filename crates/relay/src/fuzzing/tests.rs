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
