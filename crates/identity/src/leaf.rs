//! Leaf certificates: short-lived, in memory only.

use std::sync::Arc;
use std::time::Duration;

use peerd_core::Time;
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::chain::{self, Usage};
use crate::identity::certificate_date;
use crate::key::Key;
use crate::{Error, Identity};

/// How far into the past a leaf is valid: peers whose clock is behind must accept it.
const BACKDATED: Duration = Duration::from_hours(2);
/// How long a leaf is valid.
const LIFETIME: Duration = Duration::from_hours(24);

/// A leaf certificate with its key and the identity certificate that issued it.
#[derive(Clone, Debug)]
pub struct Leaf {
    certified: Arc<CertifiedKey>,
    issued_at: Time,
}

impl Leaf {
    /// What is sent in a handshake: the leaf, then the identity certificate.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub(crate) fn not_before(&self) -> Time {
        self.issued_at.minus(BACKDATED)
    }

    pub(crate) fn not_after(&self) -> Time {
        self.issued_at.plus(LIFETIME)
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// When to issue the next: at half of its life, or at once if the clock was set to where it is not valid.
    pub(crate) fn renew_due(&self, now: Time) -> Time {
        if now < self.not_before() {
            return now;
        }
        self.issued_at.plus(LIFETIME / 2)
    }

    /// Whether a peer with our clock would accept it, in either role.
    pub(crate) fn check(&self, identity: &Identity, now: Time) -> Result<(), Error> {
        let [leaf, rest @ ..] = self.chain() else {
            return Err(Error::Leaf(crate::Refusal::NoChain));
        };
        let expected = identity.enrollment_id().into();
        for usage in [Usage::Server, Usage::Client] {
            chain::check(leaf, rest, usage, Some(&expected), chain::unix_time(now)).map_err(Error::Leaf)?;
        }
        self.certified.keys_match().map_err(Error::Tls)
    }
}

impl Identity {
    /// Issues a leaf certificate for a fresh key that exists in memory only: valid from two hours ago, for 24 hours.
    pub fn issue_leaf(&self, now: Time) -> Result<Leaf, Error> {
        let generate = || {
            let (key, pkcs8) = Key::generate()?;
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            let name = chain::dns_name(self.enrollment_id());
            params.subject_alt_names = vec![SanType::DnsName(name.try_into().ok()?)];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            params.use_authority_key_identifier_extension = true;
            params.not_before = certificate_date(now.minus(BACKDATED))?;
            params.not_after = certificate_date(now.plus(LIFETIME))?;
            let chain = vec![self.issue(&params, &key)?, self.certificate_der().clone()];
            let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.as_ref()));
            Some(CertifiedKey::new(chain, any_ecdsa_type(&pkcs8).ok()?))
        };
        let certified = generate().ok_or(Error::Generate {
            what: "a leaf certificate",
        })?;
        Ok(Leaf {
            certified: Arc::new(certified),
            issued_at: now,
        })
    }
}
