//! What is derived from a code's one-time secret, so that the secret itself is never stored nor sent.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{ConnectionId, EnrollmentId, LinkId, Secret};

/// The key both sides of a code derive from its secret: the issuer checks proofs with it, the acceptor makes them.
///
/// It is what is stored of a code. It does not give the code back, and like the secret it never prints itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct ProofKey(#[serde(with = "serde_bytes")] [u8; 32]);

impl ProofKey {
    /// The key of a secret.
    pub fn of(secret: &Secret) -> ProofKey {
        let digest = Sha256::new()
            .chain_update(b"peerd/v1/code-secret\0")
            .chain_update(secret.expose())
            .finalize();
        ProofKey(digest.into())
    }

    /// The proof that this importer holds the invite code of this connection.
    pub fn approval(&self, connection: ConnectionId, importer: EnrollmentId) -> Proof {
        self.prove(b"peerd/v1/approval\0", connection.as_bytes(), importer, &[])
    }

    /// The proof that this enrollee holds the link code of this link, valid in one TLS session only: `exporter` is
    /// that session's exported keying material (RFC 5705).
    pub fn enrollment(&self, link: LinkId, enrollee: EnrollmentId, exporter: &[u8; 32]) -> Proof {
        self.prove(b"peerd/v1/enrollment\0", link.as_bytes(), enrollee, exporter)
    }

    fn prove(&self, context: &[u8], subject: &[u8; 16], by: EnrollmentId, binding: &[u8]) -> Proof {
        // HMAC pads a short key with zeros to the block; the array spares an error that cannot happen.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mac = Hmac::<Sha256>::new(&block.into())
            .chain_update(context)
            .chain_update(subject)
            .chain_update(by.as_bytes())
            .chain_update(binding);
        Proof(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[proof key]")
    }
}

/// Shows that its maker holds a code's secret. Compared in constant time.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof(#[serde(with = "serde_bytes")] [u8; 32]);

impl Proof {
    /// A proof as it came over the wire.
    pub const fn from_bytes(bytes: [u8; 32]) -> Proof {
        Proof(bytes)
    }

    /// The 32 bytes of the proof.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Proof) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Proof {}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[proof]")
    }
}
