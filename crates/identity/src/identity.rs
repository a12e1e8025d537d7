use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::pkcs8::Document;
use peerd_core::lineage::Lineage;
use peerd_core::signature::{CannotRotate, CannotSign, PublicKey, Purpose, Signer};
use peerd_core::{EnrollmentId, Fingerprint, Time};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, KeyUsagePurpose,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::key::Key;
use crate::{Error, chain, files};

/// The file of the first private identity key, PKCS#8 PEM. Those that follow are `identity-2.key` and so on.
pub const KEY_FILE: &str = "identity.key";
/// The file of the first identity certificate, PEM. Those that follow are `identity-2.crt` and so on.
pub const CERTIFICATE_FILE: &str = "identity.crt";

const DAY: Duration = Duration::from_hours(24);
/// An identity ends by rotation, not by its date.
const LIFETIME: Duration = Duration::from_hours(20 * 365 * 24);

/// This enrollment's identity: its private key and the self-signed certificate that shows the public half.
pub struct Identity {
    key: Key,
    certificate: CertificateDer<'static>,
    lineage: Lineage,
    dir: PathBuf,
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
        let (key, pkcs8) = generate()?;
        let lineage = Lineage::first(key.public_key());
        let identity = Identity {
            certificate: self_signed(&key, &lineage, now)?,
            lineage,
            key,
            dir: dir.to_owned(),
        };
        identity.write(&pkcs8)?;
        Ok(identity)
    }

    /// Makes the identity that follows this one, which names it. Nothing is written yet.
    pub(crate) fn successor(&self, now: Time) -> Result<Successor, CannotRotate> {
        let failed = |error: Error| CannotRotate::Failed(error.into());
        let (key, pkcs8) = generate().map_err(failed)?;
        let lineage = self.lineage.handed_to(key.public_key(), self)?;
        let identity = Identity {
            certificate: self_signed(&key, &lineage, now).map_err(failed)?,
            lineage,
            key,
            dir: self.dir.clone(),
        };
        Ok(Successor { identity, pkcs8 })
    }

    /// Writes both files. The key is written last: where there is a key, there is its certificate.
    fn write(&self, pkcs8: &Document) -> Result<(), Error> {
        let (key_file, certificate_file) = names(self.lineage.handovers().len());
        let certificate = files::pem("CERTIFICATE", &self.certificate);
        let path = self.dir.join(&key_file);
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path });
        }
        // A certificate without its key is what an interrupted replacement left; nobody ever saw it.
        if !self.lineage.handovers().is_empty() {
            files::remove(&self.dir, &certificate_file)?;
        }
        files::write_new(&self.dir, &certificate_file, certificate.as_bytes())?;
        let key = files::pem("PRIVATE KEY", pkcs8.as_ref());
        files::write_new(&self.dir, &key_file, key.as_bytes())
    }

    /// Loads the identity from the directory. Refuses a key that others may access, and a certificate that is not an
    /// identity certificate of that very key.
    pub fn load(dir: &Path) -> Result<Identity, Error> {
        let present = (0..=Lineage::HANDOVERS_MAX).rev();
        let mut present = present.filter(|number| dir.join(names(*number).0).symlink_metadata().is_ok());
        let (key_file, certificate_file) = names(present.next().unwrap_or(0));
        present.for_each(|earlier| discard(dir, earlier));
        let path = dir.join(key_file);
        let pem = files::read_secret(&path)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&pem)
            .ok()
            .map(Zeroizing::new)
            .and_then(|der| Key::from_pkcs8(der.secret_pkcs8_der()))
            .ok_or(Error::KeyUnreadable { path })?;

        let path = dir.join(certificate_file);
        let pem = files::read(&path)?;
        let read = CertificateDer::from_pem_slice(&pem)
            .map_err(|_| crate::Refusal::Malformed)
            .and_then(|der| Ok((chain::read_identity(&der)?.lineage, der)));
        let (lineage, certificate) = match read {
            Ok(read) => read,
            Err(source) => return Err(Error::CertificateUnreadable { path, source }),
        };
        if *lineage.key() != key.public_key() {
            return Err(Error::Mismatch { path });
        }
        Ok(Identity {
            key,
            certificate,
            lineage,
            dir: dir.to_owned(),
        })
    }

    /// This enrollment's id.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.lineage.enrollment()
    }

    /// The identity keys up to this one.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The identity certificate, DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The public identity key.
    pub fn public_key(&self) -> &PublicKey {
        self.lineage.key()
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
        self.lineage.key().clone()
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<[u8; 64], CannotSign> {
        self.key.sign_fixed(&purpose.input(message)).ok_or(CannotSign)
    }
}

/// The moment in the type of certificate dates, in whole seconds; `None` beyond the year 9999.
pub(crate) fn certificate_date(time: Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(time.as_micros().div_euclid(1_000_000)).ok()
}

/// An identity that is to follow another.
pub(crate) struct Successor {
    pub(crate) identity: Identity,
    pkcs8: Document,
}

impl Successor {
    /// Keeps it durably: from then on it is the one that is loaded.
    pub(crate) fn keep(self) -> Result<Identity, Error> {
        self.identity.write(&self.pkcs8)?;
        let earlier = self.identity.lineage.handovers().len().saturating_sub(1);
        discard(&self.identity.dir, earlier);
        Ok(self.identity)
    }
}

/// Removes a key that was replaced: it speaks for nobody, and need not be there to be stolen. That it is still there
/// keeps nothing from working, and the next start tries again.
fn discard(dir: &Path, earlier: usize) {
    files::remove(dir, &names(earlier).0).unwrap_or_default();
}

/// The names of an identity's two files, by how many came before it: the key, the certificate.
fn names(earlier: usize) -> (String, String) {
    if earlier == 0 {
        return (KEY_FILE.to_owned(), CERTIFICATE_FILE.to_owned());
    }
    let number = earlier + 1;
    (format!("identity-{number}.key"), format!("identity-{number}.crt"))
}

fn generate() -> Result<(Key, Document), Error> {
    Key::generate().ok_or(Error::Generate {
        what: "an identity key",
    })
}

fn self_signed(key: &Key, lineage: &Lineage, now: Time) -> Result<CertificateDer<'static>, Error> {
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
        if !lineage.handovers().is_empty() {
            let handovers = CustomExtension::from_oid_content(chain::HANDOVERS, lineage.encode());
            params.custom_extensions = vec![handovers];
        }
        Some(params.self_signed(key).ok()?.into())
    };
    generate().ok_or(Error::Generate {
        what: "an identity certificate",
    })
}

#[cfg(test)]
mod tests;
