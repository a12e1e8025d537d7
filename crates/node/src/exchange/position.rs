//! Positions: where an importer stands, in bytes that mean nothing to it.
//!
//! A sequence number tells how much was written on the exporting side, also of what is withheld from this peer. So a
//! position is sealed: equal positions are equal bytes, which is how gaps are seen, and nothing else can be told from
//! them. The seal is bound to the feed's epoch, the connection and the type; a position of another one does not open.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use peerd_core::EpochId;
use peerd_store::{Batch, Record as _, RecordBatch as _, Records as _, meta_record};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Flow, Position};
use crate::{Error, Node};

const SEAL: usize = 16;
const NUMBERS: usize = 24;
/// Follows the numbers while a scan is under way; the key it has come to comes after it.
const SCANNING: u8 = 1;

/// The first bytes of a SHA-256 over everything that decides what goes out, and in which words.
pub(super) type Digest = [u8; 8];

/// The contents of a position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standpoint {
    /// The terms of the walk.
    pub(super) terms: Digest,
    /// How far it has come.
    pub(super) walk: Walk,
    /// Of the changes up to here the other side was told under earlier terms, or by the scan: of these, only what is not
    /// known to be there in the same words is new.
    pub(super) floor: u64,
}

/// A walk starts with a scan of all objects in the order of their keys, which is how they lie on disk, and then follows
/// the feed from where it stood when the scan began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// All objects up to this key were looked at; none yet, when it is empty. The feed is followed from `from` on.
    Scan { from: u64, after: String },
    /// All changes up to this one were looked at.
    Follow(u64),
}

impl Default for Walk {
    fn default() -> Walk {
        Walk::Follow(0)
    }
}

impl Walk {
    /// Up to which change the other side is told everything; zero during a scan.
    pub(super) fn reached(&self) -> u64 {
        match self {
            Walk::Scan { .. } => 0,
            Walk::Follow(sequence) => *sequence,
        }
    }

    fn number(&self) -> u64 {
        match self {
            Walk::Scan { from, .. } => *from,
            Walk::Follow(sequence) => *sequence,
        }
    }
}

impl Standpoint {
    /// Whether the walk is at its very beginning, or still in the scan that it began with: all is said.
    pub(super) fn says_all(&self) -> bool {
        self.floor == 0 && (matches!(self.walk, Walk::Scan { .. }) || *self == Standpoint::default())
    }

    /// Whether it can have been made by a store whose last revision is this one.
    pub(super) fn is_within(&self, revision: u64) -> bool {
        self.walk.number() <= revision
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.terms.to_vec();
        bytes.extend(self.walk.number().to_be_bytes());
        bytes.extend(self.floor.to_be_bytes());
        if let Walk::Scan { after, .. } = &self.walk {
            bytes.push(SCANNING);
            bytes.extend(after.as_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Standpoint> {
        let (numbers, scan) = bytes.split_first_chunk::<NUMBERS>()?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let sequence = number(numbers.get(8..16)?)?;
        Some(Standpoint {
            terms: numbers.get(..8)?.try_into().ok()?,
            walk: match scan {
                [] => Walk::Follow(sequence),
                [SCANNING, after @ ..] => Walk::Scan {
                    from: sequence,
                    after: String::from_utf8(after.to_vec()).ok()?,
                },
                _ => return None,
            },
            floor: number(numbers.get(16..)?)?,
        })
    }
}

/// What seals the positions of this enrollment.
#[derive(Clone, Serialize, Deserialize)]
struct FeedSecret {
    epoch: EpochId,
    key: [u8; 32],
}

meta_record!(FeedSecret, b"feed_secret", 1);

/// Makes positions and opens them. It never prints its key.
#[derive(Clone)]
pub(crate) struct Sealer(FeedSecret);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer")
            .field("epoch", &self.0.epoch)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// The position of a standpoint in a stream. The same for the same. Its length tells that of the key in it.
    pub(super) fn seal(&self, flow: &Flow, at: &Standpoint) -> Position {
        let body = at.to_bytes();
        let seal = self.mac(flow, &body);
        let mut bytes = seal.to_vec();
        bytes.extend(self.masked(&seal, body));
        Position(Bytes::from(bytes))
    }

    /// What a position says; `None` for one that this enrollment did not make for this stream in this epoch.
    pub(super) fn open(&self, flow: &Flow, position: &Position) -> Option<Standpoint> {
        let (seal, body) = position.0.split_first_chunk::<SEAL>()?;
        if body.len() > super::import::POSITION_MAX {
            return None;
        }
        let body = self.masked(seal, body.to_vec());
        let genuine = self.mac(flow, &body) == *seal;
        genuine.then(|| Standpoint::from_bytes(&body)).flatten()
    }

    /// Seals bytes that are not a position of a stream; what they are for goes into the seal.
    pub(crate) fn seal_bytes(&self, purpose: &[u8], body: &[u8]) -> Vec<u8> {
        let seal = self.mac_bytes(purpose, body);
        let mut bytes = seal.to_vec();
        bytes.extend(self.masked_bytes(&seal, body));
        bytes
    }

    /// What [`Sealer::seal_bytes`] sealed for this purpose in this epoch; `None` for anything else.
    pub(crate) fn open_bytes(&self, purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (seal, body) = sealed.split_first_chunk::<SEAL>()?;
        let body = self.masked_bytes(seal, body);
        (self.mac_bytes(purpose, &body) == *seal).then_some(body)
    }

    fn mac_bytes(&self, purpose: &[u8], body: &[u8]) -> [u8; SEAL] {
        let mac = self
            .keyed(b"peerd/v1/sealed\0")
            .chain_update(self.0.epoch.as_bytes())
            .chain_update((purpose.len() as u64).to_be_bytes())
            .chain_update(purpose)
            .chain_update(body);
        first(&mac.finalize().into_bytes())
    }

    fn masked_bytes(&self, seal: &[u8; SEAL], body: &[u8]) -> Vec<u8> {
        let blocks = (0_u64..).zip(body.chunks(32)).flat_map(|(number, block)| {
            let mask = self.keyed(b"peerd/v1/sealed-mask\0").chain_update(seal);
            let mask = mask.chain_update(number.to_be_bytes()).finalize().into_bytes();
            block
                .iter()
                .zip(mask)
                .map(|(byte, mask)| byte ^ mask)
                .collect::<Vec<u8>>()
        });
        blocks.collect()
    }

    /// The seal is also the nonce: derived from what it protects, it repeats only where all repeats.
    fn mac(&self, flow: &Flow, body: &[u8]) -> [u8; SEAL] {
        let mac = self
            .keyed(b"peerd/v1/position\0")
            .chain_update(self.0.epoch.as_bytes())
            .chain_update(flow.connection.as_bytes())
            .chain_update((body.len() as u64).to_be_bytes())
            .chain_update(body)
            .chain_update(&flow.object_type);
        first(&mac.finalize().into_bytes())
    }

    fn masked(&self, seal: &[u8; SEAL], mut body: Vec<u8>) -> Vec<u8> {
        for (number, block) in (0_u64..).zip(body.chunks_mut(32)) {
            let mask = self.keyed(b"peerd/v1/position-mask\0").chain_update(seal);
            let mask = mask.chain_update(number.to_be_bytes()).finalize().into_bytes();
            block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        body
    }

    fn keyed(&self, context: &[u8]) -> Hmac<Sha256> {
        // HMAC pads a short key with zeros to the block; the array spares an error that cannot happen.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0.key);
        Hmac::<Sha256>::new(&block.into()).chain_update(context)
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// Ends the epoch, in a batch: the positions that were given out mean nothing from then on, and what seals the next ones
/// is made at first use.
pub(crate) fn end_epoch(batch: &mut Batch) {
    batch.delete(FeedSecret::TABLE, b"feed_secret".as_slice());
}

impl Node {
    /// What seals positions here; made at first use.
    pub(crate) async fn sealer(&self) -> Result<Sealer, Error> {
        self.retrying(async || {
            if let Some(found) = self.store.find::<FeedSecret>(b"feed_secret").await? {
                return Ok(Sealer(found.record));
            }
            let secret = FeedSecret {
                epoch: self.mint(EpochId::from_uuid),
                key: *self.secret().expose(),
            };
            let mut batch = Batch::new();
            batch.insert(&secret)?;
            self.commit(batch).await?;
            Ok(Sealer(secret))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use peerd_core::ConnectionId;

    use super::*;

    fn sealer(epoch: u8) -> Sealer {
        Sealer(FeedSecret {
            epoch: EpochId::from_bytes([epoch; 16]),
            key: [7; 32],
        })
    }

    fn flow(object_type: &str) -> Flow {
        Flow {
            connection: ConnectionId::from_bytes([1; 16]),
            object_type: object_type.to_owned(),
        }
    }

    #[test]
    fn a_position_opens_only_where_it_was_made() {
        let scan = Walk::Scan {
            from: 41,
            after: "2013|UA|1545|EWR".to_owned(),
        };
        for walk in [
            Walk::Follow(41),
            scan,
            Walk::Scan {
                from: 0,
                after: String::new(),
            },
        ] {
            let at = Standpoint {
                terms: [3; 8],
                walk,
                floor: 7,
            };
            let position = sealer(1).seal(&flow("airport"), &at);
            assert_eq!(position, sealer(1).seal(&flow("airport"), &at));
            assert_eq!(sealer(1).open(&flow("airport"), &position), Some(at));
            assert_eq!(sealer(1).open(&flow("airline"), &position), None);
            assert_eq!(sealer(2).open(&flow("airport"), &position), None, "another epoch");
            for place in 0..position.0.len() {
                let mut altered = position.0.to_vec();
                altered[place] ^= 1;
                assert_eq!(sealer(1).open(&flow("airport"), &Position(altered.into())), None);
            }
            for short in [position.0.slice(1..), position.0.slice(..position.0.len() - 1)] {
                assert_eq!(sealer(1).open(&flow("airport"), &Position(short)), None);
            }
        }
    }

    #[test]
    fn sealed_bytes_open_for_their_purpose_only() {
        let body: Vec<u8> = (0..100).collect();
        let sealed = sealer(1).seal_bytes(b"one", &body);
        assert_eq!(sealer(1).open_bytes(b"one", &sealed), Some(body));
        assert_eq!(sealer(1).open_bytes(b"two", &sealed), None);
        assert_eq!(sealer(2).open_bytes(b"one", &sealed), None, "another epoch");
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(sealer(1).open_bytes(b"one", &altered), None, "{place}");
        }
        assert_eq!(sealer(1).open_bytes(b"one", &sealed[..15]), None);
    }

    #[test]
    fn b101_a_position_tells_nothing_of_its_numbers() {
        let at = |sequence| Standpoint {
            walk: Walk::Follow(sequence),
            ..Standpoint::default()
        };
        let (one, two) = (
            sealer(1).seal(&flow("a"), &at(1)).0,
            sealer(1).seal(&flow("a"), &at(2)).0,
        );
        let same = one.iter().zip(&two).filter(|(a, b)| a == b).count();
        assert!(same < 8, "{same} of 40 bytes are equal");
    }
}
