use std::io;
use std::path::PathBuf;

use crate::Refusal;

/// Why this enrollment's own identity could not be made, loaded or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is an identity, or a part of one, and it is never overwritten.
    #[error("{} exists already; an identity is never overwritten", path.display())]
    Exists {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// A file of the identity is not there.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// Others than the owner may read or write the key file.
    #[error("{} has mode {mode:04o}; it must be accessible to its owner only (chmod 600)", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file could not be read or written.
    #[error("{} could not be {action}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What was tried: `read`, `written`, `removed`.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The key file holds no PKCS#8 PEM of an ECDSA P-256 key.
    #[error("{} is not an ECDSA P-256 key in PKCS#8 PEM", path.display())]
    KeyUnreadable {
        /// The key file.
        path: PathBuf,
    },
    /// The file of the sealing keys holds none, or some that this identity did not certify.
    #[error("{} holds no sealing keys of this identity", path.display())]
    SealingKeyUnreadable {
        /// The file.
        path: PathBuf,
    },
    /// The certificate file holds no identity certificate.
    #[error("{} is not an identity certificate", path.display())]
    CertificateUnreadable {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong with it.
        source: Refusal,
    },
    /// The certificate is for another key.
    #[error("{} does not belong to the key beside it", path.display())]
    Mismatch {
        /// The certificate file.
        path: PathBuf,
    },
    /// The cryptographic library could not make a key or a certificate.
    #[error("could not generate {what}")]
    Generate {
        /// What was to be made.
        what: &'static str,
    },
    /// A leaf certificate that this enrollment issued to itself would be refused by its peers.
    #[error("the new leaf certificate is not usable")]
    Leaf(#[source] Refusal),
    /// The TLS library rejected the configuration.
    #[error("TLS could not be configured")]
    Tls(#[source] rustls::Error),
}
