//! What is signed, and the two ports through which the domain signs and verifies.
//!
//! Keys live in the `identity` crate. Here is only the rule that keeps signatures apart: the purpose and the protocol
//! version are part of what is signed, so that a signature made for one thing never passes for another.

use std::fmt;

use crate::lineage::{CannotHandOver, Lineage};
use crate::{EnrollmentId, Time};

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A link code.
    LinkCode,
    /// A peer invite code.
    InviteCode,
    /// A lifecycle message of a connection.
    Lifecycle,
    /// A key that names the one which follows it: see [`crate::lineage`].
    IdentityRotation,
    /// The header of a data relay's bundle.
    Bundle,
    /// A sealing key, which the identity key certifies.
    SealingKey,
}

impl Purpose {
    /// The domain-separation prefix, with the version of the signed format.
    pub const fn context(self) -> &'static str {
        match self {
            Purpose::LinkCode => "peerd/v1/link-code",
            Purpose::InviteCode => "peerd/v1/invite-code",
            Purpose::Lifecycle => "peerd/v1/lifecycle",
            Purpose::IdentityRotation => "peerd/v1/identity-rotation",
            Purpose::Bundle => "peerd/v1/bundle",
            Purpose::SealingKey => "peerd/v1/sealing-key",
        }
    }

    /// The bytes that are really signed for a message of this purpose.
    pub fn input(self, message: &[u8]) -> Vec<u8> {
        [self.context().as_bytes(), &[0], message].concat()
    }
}

/// A public identity key: DER `SubjectPublicKeyInfo` of an ECDSA P-256 key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PublicKey(#[serde(with = "serde_bytes")] Vec<u8>);

impl PublicKey {
    /// A key from its DER `SubjectPublicKeyInfo`. Whether it is one shows when it verifies something.
    pub fn from_spki(der: impl Into<Vec<u8>>) -> PublicKey {
        PublicKey(der.into())
    }

    /// The DER `SubjectPublicKeyInfo`.
    pub fn as_spki(&self) -> &[u8] {
        &self.0
    }

    /// The id of the enrollment whose first identity key this is: see [`Lineage::enrollment`].
    pub fn enrollment_id(&self) -> EnrollmentId {
        EnrollmentId::of_spki(&self.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.enrollment_id().short())
    }
}

/// A key that was announced as unusable, or an operation of the key store that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity key could not sign")]
pub struct CannotSign;

/// Signs with the enrollment's identity key.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half of the key that signs.
    fn public_key(&self) -> PublicKey;

    /// Signs [`Purpose::input`] of the message: ECDSA P-256 with SHA-256, fixed 64-byte form.
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<[u8; 64], CannotSign>;
}

/// This enrollment's own identity, which may be replaced while it is used.
pub trait OwnIdentity: Signer {
    /// Its keys up to the one that signs.
    fn lineage(&self) -> Lineage;

    /// The certificate of the key that signs, DER; it shows the lineage.
    fn certificate(&self) -> Vec<u8>;

    /// Makes a new key that the present one names, keeps it durably, and then signs with it and no other. If that fails,
    /// the present one stays. Blocks.
    fn rotate(&self, now: Time) -> Result<(), CannotRotate>;
}

/// Why the identity was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum CannotRotate {
    /// The present key does not name another.
    #[error(transparent)]
    CannotHandOver(#[from] CannotHandOver),
    /// The new identity could not be made, kept or used.
    #[error("the new identity could not be put in use")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Verifies signatures of any enrollment.
pub trait Verifier: fmt::Debug + Send + Sync {
    /// Whether `signature` over the message was made for this purpose by the holder of `key`. An unreadable key or a
    /// signature of the wrong form is `false`.
    fn verify(&self, key: &PublicKey, purpose: Purpose, message: &[u8], signature: &[u8]) -> bool;

    /// The lineage that this DER certificate shows, every signature in it verified, if it is a well-formed identity
    /// certificate of that key, signed by itself.
    fn lineage(&self, key: &PublicKey, certificate: &[u8]) -> Option<Lineage>;
}
