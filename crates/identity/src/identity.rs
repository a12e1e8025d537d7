use std::fmt;
use std::path::Path;
use std::time::Duration;

use peerd_core::signature::{CannotSign, PublicKey, Purpose, Signer};
use peerd_core::{EnrollmentId, Fingerprint, Time};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyUsagePurpose};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::key::Key;
use crate::{Error, chain, files};

/// The file of the private identity key, PKCS#8 PEM. Files of a later identity get names beside these two.
pub const KEY_FILE: &str = "identity.key";
/// The file of the identity certificate, PEM.
pub const CERTIFICATE_FILE: &str = "identity.crt";

const DAY: Duration = Duration::from_hours(24);
/// An identity ends by rotation, not by its date.
const LIFETIME: Duration = Duration::from_hours(20 * 365 * 24);

/// This enrollment's identity: its private key and the self-signed certificate that shows the public half.
pub struct Identity {
    key: Key,
    certificate: CertificateDer<'static>,
    public_key: PublicKey,
}

impl Identity {
    /// Makes a new identity and writes it to the directory, which is made if need be. Both files are complete, on stable
    /// storage and for their owner only before this returns.
    ///
    /// An existing identity, or a part of one, is never overwritten. The key is written last: where there is a key, there
    /// is its certificate.
    pub fn create(dir: &Path, now: Time) -> Result<Identity, Error> {
        files::ensure_dir(dir)?;
        for name in [CERTIFICATE_FILE, KEY_FILE] {
            let path = dir.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(Error::Exists { path });
            }
        }
        let (key, pkcs8) = Key::generate().ok_or(Error::Generate {
            what: "an identity key",
        })?;
        let certificate = self_signed(&key, now)?;
        let identity = Identity {
            public_key: key.public_key(),
            certificate,
            key,
        };
        let certificate_pem = files::pem("CERTIFICATE", &identity.certificate);
        files::write_new(dir, CERTIFICATE_FILE, certificate_pem.as_bytes())?;
        files::write_new(
            dir,
            KEY_FILE,
            files::pem("PRIVATE KEY", pkcs8.as_ref()).as_bytes(),
        )?;
        Ok(identity)
    }

    /// Loads the identity from the directory. Refuses a key that others may access, and a certificate that is not an
    /// identity certificate of that very key.
    pub fn load(dir: &Path) -> Result<Identity, Error> {
        let path = dir.join(KEY_FILE);
        let pem = files::read_secret(&path)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .ok()
            .map(Zeroizing::new)
            .and_then(|der| Key::from_pkcs8(der.secret_pkcs8_der()))
            .ok_or(Error::KeyUnreadable { path })?;

        let path = dir.join(CERTIFICATE_FILE);
        let pem = files::read(&path)?;
        let read = CertificateDer::from_pem_slice(&pem)
            .map_err(|_| crate::Refusal::Malformed)
            .and_then(|der| Ok((chain::read_identity(&der)?.public_key, der)));
        let (public_key, certificate) = match read {
            Ok(read) => read,
            Err(source) => return Err(Error::CertificateUnreadable { path, source }),
        };
        if public_key != key.public_key() {
            return Err(Error::Mismatch { path });
        }
        Ok(Identity {
            key,
            certificate,
            public_key,
        })
    }

    /// This enrollment's id.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.public_key.enrollment_id()
    }

    /// The identity certificate, DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The public identity key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The SHA-256 of the identity certificate, for people to compare.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Signs a certificate for another key with the identity key.
    pub(crate) fn issue(&self, params: &CertificateParams, subject: &Key) -> Option<CertificateDer<'static>> {
        let issuer = rcgen::Issuer::from_ca_cert_der(&self.certificate, &self.key).ok()?;
        Some(params.signed_by(subject, &issuer).ok()?.into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.enrollment_id())
    }
}

impl Signer for Identity {
    fn public_key(&self) -> PublicKey {
        self.public_key.clone()
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<[u8; 64], CannotSign> {
        self.key.sign_fixed(&purpose.input(message)).ok_or(CannotSign)
    }
}

/// The moment in the type of certificate dates, in whole seconds; `None` beyond the year 9999.
pub(crate) fn certificate_date(time: Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.as_micros().div_euclid(1_000_000)).ok()
}

fn self_signed(key: &Key, now: Time) -> Result<CertificateDer<'static>, Error> {
    let generate = || {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "peerd enrollment");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        // A peer's clock may be behind ours.
        params.not_before = certificate_date(now.minus(DAY))?;
        params.not_after = certificate_date(now.plus(LIFETIME))?;
        Some(params.self_signed(key).ok()?.into())
    };
    generate().ok_or(Error::Generate {
        what: "an identity certificate",
    })
}

#[cfg(test)]
mod tests;
