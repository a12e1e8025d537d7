//! The public half of a sealing key: what an enrollment gives to those who send it files that nobody else may read.
//!
//! It is not the identity key, which only signs. The identity key certifies it, so whoever has pinned an enrollment can
//! tell that a sealing key is that enrollment's.

use std::fmt;

use crate::signature::{CannotSign, PublicKey, Purpose, Signer, Verifier};

/// The length of an uncompressed P-256 point.
const POINT_BYTES: usize = 65;

/// A sealing key as its owner certified it: for DHKEM(P-256, HKDF-SHA256) of RFC 9180.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    generation: u64,
    point: [u8; POINT_BYTES],
    signature: [u8; 64],
}

/// Bytes that are no certified sealing key of the enrollment they are said to be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sealing key that this identity certified")]
pub struct InvalidSealingKey;

impl SealingKey {
    /// The length of [`SealingKey::to_bytes`].
    pub const BYTES: usize = 8 + POINT_BYTES + 64;

    /// Certifies a key: an uncompressed P-256 point. Generations of one enrollment count up from 1.
    pub fn certify(
        generation: u64,
        point: [u8; POINT_BYTES],
        signer: &dyn Signer,
    ) -> Result<SealingKey, CannotSign> {
        let signature = signer.sign(Purpose::SealingKey, &signed(generation, &point))?;
        Ok(SealingKey {
            generation,
            point,
            signature,
        })
    }

    /// Reads a key, if the holder of `identity` certified it.
    pub fn read(
        bytes: &[u8],
        identity: &PublicKey,
        verifier: &dyn Verifier,
    ) -> Result<SealingKey, InvalidSealingKey> {
        let (generation, rest) = bytes.split_first_chunk().ok_or(InvalidSealingKey)?;
        let (point, rest) = rest.split_first_chunk().ok_or(InvalidSealingKey)?;
        let key = SealingKey {
            generation: u64::from_be_bytes(*generation),
            point: *point,
            signature: rest.try_into().map_err(|_| InvalidSealingKey)?,
        };
        let message = signed(key.generation, &key.point);
        if verifier.verify(identity, Purpose::SealingKey, &message, &key.signature) {
            Ok(key)
        } else {
            Err(InvalidSealingKey)
        }
    }

    /// The key as it is carried.
    pub fn to_bytes(&self) -> [u8; SealingKey::BYTES] {
        let mut bytes = [0; SealingKey::BYTES];
        let parts = self.generation.to_be_bytes().into_iter();
        let parts = parts.chain(self.point).chain(self.signature);
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        bytes
    }

    /// Which of its owner's keys it is, from 1.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The uncompressed P-256 point.
    pub fn point(&self) -> &[u8; POINT_BYTES] {
        &self.point
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.generation)
    }
}

fn signed(generation: u64, point: &[u8; POINT_BYTES]) -> Vec<u8> {
    [&generation.to_be_bytes()[..], point].concat()
}
