//! ECDSA P-256 keys: the private half of an identity or a leaf, and the one form of public key that is accepted.

use std::fmt;

use aws_lc_rs::pkcs8::Document;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    KeyPair as _, UnparsedPublicKey,
};
use peerd_core::lineage::Lineage;
use peerd_core::signature::{PublicKey, Purpose, Verifier};

/// What a DER `SubjectPublicKeyInfo` of an uncompressed P-256 point starts with; the 64 bytes of the point follow.
///
/// An enrollment's id is a digest of these bytes, so one key must have one spelling: any other encoding is refused.
const SPKI_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const SPKI_BYTES: usize = SPKI_PREFIX.len() + 64;

/// The uncompressed point of a P-256 `SubjectPublicKeyInfo`, or `None` when it is anything else.
pub(crate) fn p256_point(spki: &[u8]) -> Option<&[u8]> {
    (spki.len() == SPKI_BYTES && spki.starts_with(&SPKI_PREFIX)).then(|| &spki[SPKI_PREFIX.len() - 1..])
}

/// A private key that signs certificates (ASN.1 form) and messages (fixed form).
pub(crate) struct Key {
    asn1: EcdsaKeyPair,
    fixed: EcdsaKeyPair,
}

impl Key {
    /// A fresh key and its PKCS#8 form. Private keys come from the operating system's randomness alone.
    pub(crate) fn generate() -> Option<(Key, Document)> {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).ok()?;
        Some((Key::from_pkcs8(pkcs8.as_ref())?, pkcs8))
    }

    /// The key in this PKCS#8 DER, or `None` when it is not a P-256 key.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Key> {
        Some(Key {
            asn1: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?,
            fixed: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?,
        })
    }

    /// The public half.
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::from_spki(rcgen::PublicKeyData::subject_public_key_info(self))
    }

    /// Signs the bytes as they are: ECDSA P-256 with SHA-256, fixed form.
    pub(crate) fn sign_fixed(&self, bytes: &[u8]) -> Option<[u8; 64]> {
        let signature = self.fixed.sign(&SystemRandom::new(), bytes).ok()?;
        signature.as_ref().try_into().ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[private key]")
    }
}

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.asn1.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self
            .asn1
            .sign(&SystemRandom::new(), message)
            .map_err(|_| rcgen::Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Verifies signatures of identity keys: P-256 in the one accepted encoding, fixed 64-byte signatures.
#[derive(Clone, Copy, Debug, Default)]
pub struct EcdsaVerifier;

impl Verifier for EcdsaVerifier {
    fn verify(&self, key: &PublicKey, purpose: Purpose, message: &[u8], signature: &[u8]) -> bool {
        let Some(point) = p256_point(key.as_spki()) else {
            return false;
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(&purpose.input(message), signature)
            .is_ok()
    }

    fn lineage(&self, key: &PublicKey, certificate: &[u8]) -> Option<Lineage> {
        let read = crate::chain::read_identity(&certificate.into()).ok()?;
        (read.lineage.key() == key).then_some(read.lineage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(purpose: Purpose, message: &[u8]) -> (PublicKey, [u8; 64]) {
        let (key, _) = Key::generate().unwrap();
        let signature = key.sign_fixed(&purpose.input(message)).unwrap();
        (key.public_key(), signature)
    }

    #[test]
    fn a_signature_holds_for_its_key_its_purpose_and_its_message_only() {
        let (key, signature) = signed(Purpose::LinkCode, b"hello");
        let (other, _) = signed(Purpose::LinkCode, b"hello");
        let verify = |key: &PublicKey, purpose, message: &[u8]| {
            EcdsaVerifier.verify(key, purpose, message, &signature)
        };
        assert!(verify(&key, Purpose::LinkCode, b"hello"));
        assert!(!verify(&key, Purpose::InviteCode, b"hello"));
        assert!(!verify(&key, Purpose::LinkCode, b"hellO"));
        assert!(!verify(&other, Purpose::LinkCode, b"hello"));
    }

    #[test]
    fn a_key_or_signature_of_another_form_verifies_nothing() {
        let (key, signature) = signed(Purpose::Lifecycle, b"m");
        let spki = key.as_spki();
        let longer = PublicKey::from_spki([spki, &[0]].concat());
        let mut off_curve = spki.to_vec();
        off_curve[SPKI_BYTES - 1] ^= 1;
        for bad in [longer, PublicKey::from_spki(off_curve), PublicKey::from_spki([])] {
            assert!(!EcdsaVerifier.verify(&bad, Purpose::Lifecycle, b"m", &signature));
        }
        for bad in [&signature[..63], &[], &[0; 64], &[signature, signature].concat()] {
            assert!(!EcdsaVerifier.verify(&key, Purpose::Lifecycle, b"m", bad));
        }
    }

    #[test]
    fn the_point_is_found_only_in_an_uncompressed_p256_key() {
        let (key, _) = Key::generate().unwrap();
        let spki = key.public_key().as_spki().to_vec();
        assert_eq!(p256_point(&spki).unwrap(), rcgen::PublicKeyData::der_bytes(&key));
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert_eq!(
            p256_point(&rcgen::PublicKeyData::subject_public_key_info(&p384)),
            None
        );
        assert!(Key::from_pkcs8(p384.serialized_der()).is_none());
    }
}
