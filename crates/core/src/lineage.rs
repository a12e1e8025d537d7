//! The keys an enrollment has had: its first, and each that followed, named by the one before it.
//!
//! An enrollment's id is the digest of its first key and stays when the key is replaced. What proves that a later key
//! speaks for it is the chain of signatures from the first key on, which travels in the identity certificate: whoever
//! pinned any key of the chain can follow it to its end, however long it was away.

use crate::EnrollmentId;
use crate::signature::{CannotSign, PublicKey, Purpose, Signer, Verifier};

const SIGNATURE: usize = 64;
/// The longest key that is read, in bytes; a P-256 key has 91.
const KEY_BYTES_MAX: usize = 512;

/// A key that is used no longer, and its signature over the one that followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The earlier key.
    pub key: PublicKey,
    /// What it signed: see [`Purpose::IdentityRotation`].
    pub signature: [u8; SIGNATURE],
}

/// An enrollment's keys from the first to the present one. Every signature in it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    handovers: Vec<Handover>,
    key: PublicKey,
}

/// Why there is no further key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotHandOver {
    /// The chain would become too long for a certificate.
    #[error(
        "an identity is replaced at most {} times; make a new enrollment",
        Lineage::HANDOVERS_MAX
    )]
    TooOften,
    /// A key cannot follow itself or come back.
    #[error("the new key was in use before")]
    Repeated,
    /// The signature could not be made.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
}

impl Lineage {
    /// The most keys before the present one.
    pub const HANDOVERS_MAX: usize = 16;

    /// That of an enrollment that has its first key.
    pub fn first(key: PublicKey) -> Lineage {
        Lineage {
            handovers: Vec::new(),
            key,
        }
    }

    /// That of these handovers, oldest first, to this key; `None` unless every signature holds.
    pub fn verified(handovers: Vec<Handover>, key: PublicKey, verifier: &dyn Verifier) -> Option<Lineage> {
        let lineage = Lineage { handovers, key };
        let sound = lineage.handovers.len() <= Lineage::HANDOVERS_MAX && lineage.is_without_repetition();
        (sound && lineage.holds(verifier)).then_some(lineage)
    }

    /// This one with one more key. The signer is the present key's.
    pub fn handed_to(&self, next: PublicKey, signer: &dyn Signer) -> Result<Lineage, CannotHandOver> {
        if self.handovers.len() == Lineage::HANDOVERS_MAX {
            return Err(CannotHandOver::TooOften);
        }
        let message = handed_over(self.enrollment(), self.handovers.len(), &next);
        let signature = signer.sign(Purpose::IdentityRotation, &message)?;
        let mut handovers = self.handovers.clone();
        handovers.push(Handover {
            key: self.key.clone(),
            signature,
        });
        let lineage = Lineage { handovers, key: next };
        if lineage.is_without_repetition() {
            Ok(lineage)
        } else {
            Err(CannotHandOver::Repeated)
        }
    }

    /// The enrollment's id.
    pub fn enrollment(&self) -> EnrollmentId {
        let first = self.handovers.first().map_or(&self.key, |first| &first.key);
        first.enrollment_id()
    }

    /// The present key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What came before the present key, oldest first.
    pub fn handovers(&self) -> &[Handover] {
        &self.handovers
    }

    /// All keys, the present one last.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.handovers
            .iter()
            .map(|handover| &handover.key)
            .chain([&self.key])
    }

    /// Whether the present key follows this one.
    pub fn follows(&self, key: &PublicKey) -> bool {
        self.handovers.iter().any(|handover| handover.key == *key)
    }

    /// The handovers in bytes: for each the length of the key (2 bytes, big endian), the key, the signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Handover { key, signature } in &self.handovers {
            bytes.extend(length_of(key));
            bytes.extend(key.as_spki());
            bytes.extend(signature);
        }
        bytes
    }

    /// Reads handovers; `None` for what is not their encoding. They are not verified yet.
    pub fn decode(mut bytes: &[u8]) -> Option<Vec<Handover>> {
        let mut handovers = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = usize::from(u16::from_be_bytes(*length));
            if length > KEY_BYTES_MAX || handovers.len() == Lineage::HANDOVERS_MAX {
                return None;
            }
            let (key, rest) = rest.split_at_checked(length)?;
            let (signature, rest) = rest.split_first_chunk()?;
            handovers.push(Handover {
                key: PublicKey::from_spki(key),
                signature: *signature,
            });
            bytes = rest;
        }
        Some(handovers)
    }

    fn holds(&self, verifier: &dyn Verifier) -> bool {
        let (enrollment, followed) = (self.enrollment(), self.handovers.iter().zip(self.keys().skip(1)));
        followed.enumerate().all(|(position, (handover, next))| {
            let message = handed_over(enrollment, position, next);
            let Handover { key, signature } = handover;
            verifier.verify(key, Purpose::IdentityRotation, &message, signature)
        })
    }

    fn is_without_repetition(&self) -> bool {
        let keys: std::collections::BTreeSet<&PublicKey> = self.keys().collect();
        keys.len() == self.handovers.len() + 1
    }
}

fn length_of(key: &PublicKey) -> [u8; 2] {
    // A key that is longer than any there is would not be read again.
    u16::try_from(key.as_spki().len())
        .unwrap_or(u16::MAX)
        .to_be_bytes()
}

/// What a key signs to name its successor: for whom, how many were before it, and the successor.
fn handed_over(enrollment: EnrollmentId, position: usize, next: &PublicKey) -> Vec<u8> {
    let position = u8::try_from(position).unwrap_or(u8::MAX);
    [
        enrollment.as_bytes().as_slice(),
        &[position],
        &length_of(next),
        next.as_spki(),
    ]
    .concat()
}

#[cfg(test)]
mod tests;
