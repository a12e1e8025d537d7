//! What ties a one-time secret to one TLS session.

use aws_lc_rs::hmac;
use peerd_core::{EnrollmentId, Secret};
use rustls::ConnectionCommon;

use crate::Error;

/// The exporter's label; the version is part of it.
const BINDING_LABEL: &[u8] = b"EXPORTER-peerd-channel-binding-v1";
/// Keeps this use of a link secret apart from any other.
const PROOF_CONTEXT: &[u8] = b"peerd/v1/enroll-proof\0";

/// 32 bytes that both ends of this TLS session, and nobody else, can compute (RFC 8446 §7.5). Works for client and server
/// connections; an error before the handshake is done.
pub fn channel_binding<Side>(connection: &ConnectionCommon<Side>) -> Result<[u8; 32], Error> {
    connection
        .export_keying_material([0; 32], BINDING_LABEL, None)
        .map_err(Error::Tls)
}

/// The dialer's proof that it holds a link's one-time secret, good for this session and these two enrollments only.
pub fn enroll_proof(
    secret: &Secret,
    binding: &[u8; 32],
    dialer: EnrollmentId,
    acceptor: EnrollmentId,
) -> [u8; 32] {
    let tag = hmac::sign(&proof_key(secret), &proof_input(binding, dialer, acceptor));
    let mut proof = [0; 32];
    proof.copy_from_slice(tag.as_ref());
    proof
}

/// Whether this is the [`enroll_proof`] of that secret, session and pair. Takes the same time wherever it differs.
pub fn enroll_proof_is_valid(
    secret: &Secret,
    binding: &[u8; 32],
    dialer: EnrollmentId,
    acceptor: EnrollmentId,
    proof: &[u8],
) -> bool {
    hmac::verify(&proof_key(secret), &proof_input(binding, dialer, acceptor), proof).is_ok()
}

fn proof_key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose())
}

/// Every part has a fixed length, so no two inputs run into each other.
fn proof_input(binding: &[u8; 32], dialer: EnrollmentId, acceptor: EnrollmentId) -> Vec<u8> {
    [PROOF_CONTEXT, binding, dialer.as_bytes(), acceptor.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b021_b022_a_proof_holds_for_its_own_secret_session_and_roles_only() {
        let (a, b) = (
            EnrollmentId::from_bytes([1; 32]),
            EnrollmentId::from_bytes([2; 32]),
        );
        let secret = Secret::from_bytes([3; 32]);
        let proof = enroll_proof(&secret, &[4; 32], a, b);
        let valid = |secret: u8, binding: u8, dialer, acceptor, proof: &[u8]| {
            let secret = Secret::from_bytes([secret; 32]);
            enroll_proof_is_valid(&secret, &[binding; 32], dialer, acceptor, proof)
        };
        assert!(valid(3, 4, a, b, &proof));
        assert!(!valid(9, 4, a, b, &proof));
        assert!(!valid(3, 9, a, b, &proof));
        assert!(!valid(3, 4, b, a, &proof));
        assert!(!valid(3, 4, a, b, &proof[..31]));
        assert!(!valid(3, 4, a, b, &[]));
    }
}
