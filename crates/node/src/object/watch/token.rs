//! Resume tokens: how far each feed was told, sealed. A place in a feed tells how much was written, also of what the
//! caller may not see; so a token is as opaque as a position of a stream, and bound to the feeds' epoch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peerd_core::SpaceId;
use peerd_core::name::Name;
use peerd_core::ontology::ApiName;
use sha2::{Digest as _, Sha256};

use crate::exchange::Sealer;

/// How a feed is named in a token: the first bytes of the hash of its type's name.
type FeedTag = [u8; 8];

const TAG: usize = 8;
const ROW: usize = TAG + 16;
const HEADER: usize = 1;

/// The most feeds of a token that is read.
const FEEDS_MAX: usize = 10_000;

/// How far one feed was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// In the feed itself.
    pub(super) at: u64,
    /// In the feed of its removals.
    pub(super) removals: u64,
}

/// Where a stream goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resumption {
    /// The stream was of all types: one it does not name is new since.
    all_types: bool,
    places: BTreeMap<FeedTag, Place>,
}

impl Resumption {
    pub(super) fn new<'a>(all_types: bool, places: impl Iterator<Item = (&'a ApiName, Place)>) -> Resumption {
        Resumption {
            all_types,
            places: places.map(|(name, place)| (tag(name), place)).collect(),
        }
    }

    /// Where to go on with a type; `None` when the stream did not cover it.
    pub(super) fn place_of(&self, name: &ApiName) -> Option<Place> {
        let new = self.all_types.then(Place::default);
        self.places.get(&tag(name)).copied().or(new)
    }

    pub(super) fn seal(&self, sealer: &Sealer, space: SpaceId, open: &BTreeSet<Name>) -> Bytes {
        let mut body = vec![u8::from(self.all_types)];
        for (tag, place) in &self.places {
            body.extend(tag);
            body.extend(place.at.to_be_bytes());
            body.extend(place.removals.to_be_bytes());
        }
        sealer.seal_bytes(&purpose(space, open), &body).into()
    }

    /// Reads a token of this space that was made when the same markings were open to its holder.
    pub(super) fn open(
        sealer: &Sealer,
        space: SpaceId,
        open: &BTreeSet<Name>,
        token: &[u8],
    ) -> Option<Resumption> {
        if token.len() > FEEDS_MAX * ROW {
            return None;
        }
        let body = sealer.open_bytes(&purpose(space, open), token)?;
        let (header, rows) = body.split_first_chunk::<HEADER>()?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let rows = rows.chunks(ROW).map(|row| {
            let (tag, places) = row.split_first_chunk::<TAG>()?;
            let place = Place {
                at: number(places.get(..8)?)?,
                removals: number(places.get(8..)?)?,
            };
            Some((*tag, place))
        });
        Some(Resumption {
            all_types: *header == [1],
            places: rows.collect::<Option<_>>()?,
        })
    }
}

fn tag(name: &ApiName) -> FeedTag {
    let hash: [u8; 32] = Sha256::digest(name.as_str()).into();
    *hash.first_chunk().unwrap_or(&[0; TAG])
}

fn purpose(space: SpaceId, open: &BTreeSet<Name>) -> Vec<u8> {
    let mut purpose = b"watch objects\0".to_vec();
    purpose.extend(space.as_bytes());
    for name in open {
        purpose.extend(name.as_str().as_bytes());
        purpose.push(0);
    }
    purpose
}
