//! Leaf certificates: short-lived, in memory only, swapped while connections go on.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use peerd_core::Time;
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::server::{ClientHello, ResolvesServerCert};
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

    fn not_before(&self) -> Time {
        self.issued_at.minus(BACKDATED)
    }

    fn not_after(&self) -> Time {
        self.issued_at.plus(LIFETIME)
    }

    /// Whether a peer with our clock would accept it, in either role.
    fn check(&self, identity: &Identity, now: Time) -> Result<(), Error> {
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

/// The leaf in use, shared by every TLS configuration. A renewal is seen by the next handshake and disturbs nothing that is
/// already connected.
#[derive(Debug)]
pub struct LiveLeaf {
    identity: Arc<Identity>,
    current: ArcSwap<Leaf>,
}

impl LiveLeaf {
    /// Issues the first leaf. Nothing can be served or dialled before there is one.
    pub fn new(identity: Arc<Identity>, now: Time) -> Result<LiveLeaf, Error> {
        let leaf = identity.issue_leaf(now)?;
        leaf.check(&identity, now)?;
        Ok(LiveLeaf {
            identity,
            current: ArcSwap::from_pointee(leaf),
        })
    }

    /// The identity that issues the leaves.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Issues a new leaf and puts it in use. If that fails, the present one stays.
    pub fn renew(&self, now: Time) -> Result<(), Error> {
        self.install(self.identity.issue_leaf(now)?, now)
    }

    /// When to renew: at half of the leaf's life, or at once if the clock was set to where the leaf is not valid.
    pub fn renew_due(&self, now: Time) -> Time {
        let leaf = self.current.load();
        if now < leaf.not_before() {
            return now;
        }
        leaf.issued_at.plus(LIFETIME / 2)
    }

    /// When the leaf in use expires.
    pub fn expires_at(&self) -> Time {
        self.current.load().not_after()
    }

    fn install(&self, leaf: Leaf, now: Time) -> Result<(), Error> {
        leaf.check(&self.identity, now)?;
        self.current.store(Arc::new(leaf));
        Ok(())
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.load().certified)
    }
}

impl ResolvesServerCert for LiveLeaf {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for LiveLeaf {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn live(dir: &tempfile::TempDir) -> LiveLeaf {
        let identity = Identity::create(dir.path(), NOW).unwrap();
        LiveLeaf::new(Arc::new(identity), NOW).unwrap()
    }

    #[test]
    fn a_leaf_is_due_at_half_life_or_at_once_when_the_clock_went_back() {
        let dir = tempfile::tempdir().unwrap();
        let live = live(&dir);
        assert_eq!(live.expires_at(), NOW.plus(24 * HOUR));
        assert_eq!(live.renew_due(NOW), NOW.plus(12 * HOUR));
        assert_eq!(live.renew_due(NOW.minus(HOUR)), NOW.plus(12 * HOUR));
        let earlier = NOW.minus(3 * HOUR);
        assert_eq!(live.renew_due(earlier), earlier);
        live.renew(NOW.plus(12 * HOUR)).unwrap();
        assert_eq!(live.expires_at(), NOW.plus(36 * HOUR));
    }

    #[test]
    fn b028_a_bad_new_leaf_is_refused_and_the_last_good_one_stays() {
        let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (live, other) = (live(&dir), Identity::create(other_dir.path(), NOW).unwrap());
        let before = live.certified().cert.clone();

        let stale = live.identity.issue_leaf(NOW.minus(48 * HOUR)).unwrap();
        assert!(matches!(
            live.install(stale, NOW),
            Err(Error::Leaf(crate::Refusal::Expired { .. }))
        ));
        let foreign = other.issue_leaf(NOW).unwrap();
        assert!(matches!(
            live.install(foreign, NOW),
            Err(Error::Leaf(crate::Refusal::WrongIdentity { .. }))
        ));
        let after_the_identity = NOW.plus(21 * 365 * 24 * HOUR);
        assert!(live.renew(after_the_identity).is_err());
        assert!(live.renew(Time::from_micros(i64::MAX)).is_err());
        assert_eq!(live.certified().cert, before);
    }

    #[test]
    fn a_leaf_shows_no_key_material_and_every_leaf_has_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let live = live(&dir);
        let (a, b) = (
            live.identity.issue_leaf(NOW).unwrap(),
            live.identity.issue_leaf(NOW).unwrap(),
        );
        let public = |leaf: &Leaf| leaf.certified.key.public_key().unwrap().to_vec();
        assert_ne!(public(&a), public(&b));
        assert_ne!(a.chain()[0], b.chain()[0]);
        assert_eq!(a.chain()[1], b.chain()[1]);
    }
}
