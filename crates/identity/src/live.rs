//! The identity in use and its leaf, both swapped while connections go on.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use peerd_core::lineage::Lineage;
use peerd_core::signature::{CannotRotate, CannotSign, OwnIdentity, PublicKey, Purpose, Signer};
use peerd_core::{EnrollmentId, Time};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{Error, Identity, Leaf};

/// What handshakes show now.
#[derive(Debug)]
struct Shown {
    identity: Arc<Identity>,
    leaf: Leaf,
}

/// The identity in use with its leaf, shared by every TLS configuration and by all that signs. A renewal or replacement is
/// seen by the next handshake and disturbs nothing that is already connected.
#[derive(Debug)]
pub struct LiveIdentity {
    shown: ArcSwap<Shown>,
    /// Held by what swaps.
    swapping: Mutex<()>,
}

impl LiveIdentity {
    /// Issues the first leaf. Nothing can be served or dialled before there is one.
    pub fn new(identity: Arc<Identity>, now: Time) -> Result<LiveIdentity, Error> {
        let leaf = checked(&identity, identity.issue_leaf(now)?, now)?;
        Ok(LiveIdentity {
            shown: ArcSwap::from_pointee(Shown { identity, leaf }),
            swapping: Mutex::default(),
        })
    }

    /// This enrollment's id; it stays.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.shown.load().identity.enrollment_id()
    }

    /// The identity that issues the leaves now.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.shown.load().identity)
    }

    /// Issues a new leaf and puts it in use. If that fails, the present one stays.
    pub fn renew(&self, now: Time) -> Result<(), Error> {
        let _alone = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = self.identity();
        let leaf = identity.issue_leaf(now)?;
        self.install(identity, leaf, now)
    }

    /// When to renew: at half of the leaf's life, or at once if the clock was set to where the leaf is not valid.
    pub fn renew_due(&self, now: Time) -> Time {
        self.shown.load().leaf.renew_due(now)
    }

    /// When the leaf in use expires.
    pub fn expires_at(&self) -> Time {
        self.shown.load().leaf.not_after()
    }

    fn install(&self, identity: Arc<Identity>, leaf: Leaf, now: Time) -> Result<(), Error> {
        let leaf = checked(&identity, leaf, now)?;
        self.shown.store(Arc::new(Shown { identity, leaf }));
        Ok(())
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(self.shown.load().leaf.certified())
    }
}

/// A leaf that peers of this clock accept.
fn checked(identity: &Identity, leaf: Leaf, now: Time) -> Result<Leaf, Error> {
    leaf.check(identity, now)?;
    Ok(leaf)
}

impl Signer for LiveIdentity {
    fn public_key(&self) -> PublicKey {
        self.shown.load().identity.public_key().clone()
    }

    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<[u8; 64], CannotSign> {
        self.shown.load().identity.sign(purpose, message)
    }
}

impl OwnIdentity for LiveIdentity {
    fn lineage(&self) -> Lineage {
        self.shown.load().identity.lineage().clone()
    }

    fn certificate(&self) -> Vec<u8> {
        self.shown.load().identity.certificate_der().to_vec()
    }

    fn rotate(&self, now: Time) -> Result<(), CannotRotate> {
        let failed = |error: Error| CannotRotate::Failed(error.into());
        let _alone = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let successor = self.identity().successor(now)?;
        // All that can fail comes before it is kept: what was kept is what is loaded after a crash.
        let leaf = successor.identity.issue_leaf(now).map_err(failed)?;
        let leaf = checked(&successor.identity, leaf, now).map_err(failed)?;
        let identity = Arc::new(successor.keep().map_err(failed)?);
        self.shown.store(Arc::new(Shown { identity, leaf }));
        Ok(())
    }
}

impl ResolvesServerCert for LiveIdentity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

impl ResolvesClientCert for LiveIdentity {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time::from_micros(1_800_000_000_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn live(dir: &tempfile::TempDir) -> LiveIdentity {
        let identity = Identity::create(dir.path(), NOW).unwrap();
        LiveIdentity::new(Arc::new(identity), NOW).unwrap()
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

        let stale = live.identity().issue_leaf(NOW.minus(48 * HOUR)).unwrap();
        assert!(matches!(
            live.install(live.identity(), stale, NOW),
            Err(Error::Leaf(crate::Refusal::Expired { .. }))
        ));
        let foreign = other.issue_leaf(NOW).unwrap();
        assert!(matches!(
            live.install(live.identity(), foreign, NOW),
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
            live.identity().issue_leaf(NOW).unwrap(),
            live.identity().issue_leaf(NOW).unwrap(),
        );
        let public = |leaf: &Leaf| leaf.certified().key.public_key().unwrap().to_vec();
        assert_ne!(public(&a), public(&b));
        assert_ne!(a.chain()[0], b.chain()[0]);
        assert_eq!(a.chain()[1], b.chain()[1]);
    }
}
