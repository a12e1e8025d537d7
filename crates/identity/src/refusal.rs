use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use peerd_core::{EnrollmentId, Time};
use rustls::{CertificateError, OtherError};

use crate::ExpectedIdentities;

/// Why a peer's certificates were refused. Each cause has its own value, so that the operator is told which it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not exactly a leaf certificate followed by an identity certificate; also when there was none at all.
    #[error("the peer did not present a leaf and an identity certificate")]
    NoChain,
    /// A certificate is too large, or is not one.
    #[error("the peer presented a malformed certificate")]
    Malformed,
    /// A certificate's key is not ECDSA P-256 in its one accepted encoding.
    #[error("the peer presented a certificate whose key is not ECDSA P-256")]
    WrongKey,
    /// The second certificate is not a self-signed certificate that may issue leaf certificates.
    #[error("the peer's second certificate is not an identity certificate")]
    NotAnIdentity,
    /// The identity certificate names earlier keys that did not lead to its own.
    #[error("the peer's identity certificate names earlier keys that did not hand over to it")]
    NotHandedOver,
    /// The leaf certificate is not signed by the identity that came with it.
    #[error("the peer's leaf certificate was not issued by its identity")]
    NotIssuedByIdentity,
    /// A certificate's time is over, by the clock here.
    #[error("the peer's certificate expired at {not_after}; it is {now} here")]
    Expired {
        /// The last moment it was valid.
        not_after: Time,
        /// The time it was checked for.
        now: Time,
    },
    /// A certificate's time has not come: usually one of the two clocks is wrong.
    #[error("the peer's certificate is valid from {not_before}, but it is {now} here; compare the clocks")]
    NotYetValid {
        /// The first moment it is valid.
        not_before: Time,
        /// The time it was checked for.
        now: Time,
    },
    /// The leaf certificate is not for this side of a TLS connection.
    #[error("the peer's leaf certificate is not meant for this use")]
    WrongUsage,
    /// The leaf certificate names another enrollment than its identity is, or several.
    #[error("the peer's leaf certificate does not name its enrollment")]
    NameMismatch,
    /// A sound identity, but not the one that is pinned here.
    #[error("the peer is {presented}, expected {expected}")]
    WrongIdentity {
        /// Whom the dialer wanted.
        expected: ExpectedIdentities,
        /// Who answered.
        presented: EnrollmentId,
    },
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

/// The refusal at the bottom of an error of a TLS handshake (`rustls::Error`, the `io::Error` of `tokio-rustls`, or one
/// that wraps them), if it failed here for that reason. What the *other* side refused arrives as an alert only.
pub fn refusal_of(error: &(dyn StdError + 'static)) -> Option<Refusal> {
    // Sources of foreign errors could form any shape; a handshake error is never deep.
    const DEPTH_MAX: usize = 16;
    let mut next = Some(error);
    for _ in 0..DEPTH_MAX {
        let error = next?;
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        next = match (
            error.downcast_ref::<rustls::Error>(),
            error.downcast_ref::<io::Error>(),
        ) {
            (Some(rustls::Error::NoCertificatesPresented), _) => return Some(Refusal::NoChain),
            (Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))), _) => {
                Some(&**cause)
            }
            (_, Some(outer)) => outer.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            _ => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_through_the_layers_that_carry_it() {
        let tls = rustls::Error::from(Refusal::NameMismatch);
        assert_eq!(refusal_of(&tls), Some(Refusal::NameMismatch));
        let io = io::Error::new(io::ErrorKind::InvalidData, tls);
        assert_eq!(refusal_of(&io), Some(Refusal::NameMismatch));
        let twice = io::Error::other(io);
        assert_eq!(refusal_of(&twice), Some(Refusal::NameMismatch));
        assert_eq!(
            refusal_of(&rustls::Error::NoCertificatesPresented),
            Some(Refusal::NoChain)
        );
    }

    #[test]
    fn another_failure_is_not_a_refusal() {
        assert_eq!(refusal_of(&rustls::Error::DecryptError), None);
        assert_eq!(refusal_of(&io::Error::from(io::ErrorKind::BrokenPipe)), None);
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(refusal_of(&expired), None);
    }
}
