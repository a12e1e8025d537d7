//! Who is at the other end of a handshake, and whether that is someone we know.

use std::collections::BTreeSet;
use std::fmt;

use peerd_core::lineage::Lineage;
use peerd_core::{EnrollmentId, Fingerprint};
use rustls_pki_types::CertificateDer;

use crate::{Refusal, chain};

/// Whom a dialer accepts as the one it wants: the ids of the keys that are pinned for it. An identity that follows one of
/// them is accepted as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedIdentities(BTreeSet<EnrollmentId>);

impl ExpectedIdentities {
    /// Whether this id is among them. An empty set contains nobody.
    pub fn contains(&self, enrollment: EnrollmentId) -> bool {
        self.0.contains(&enrollment)
    }
}

impl From<EnrollmentId> for ExpectedIdentities {
    fn from(enrollment: EnrollmentId) -> ExpectedIdentities {
        ExpectedIdentities(BTreeSet::from([enrollment]))
    }
}

impl FromIterator<EnrollmentId> for ExpectedIdentities {
    fn from_iter<I: IntoIterator<Item = EnrollmentId>>(enrollments: I) -> ExpectedIdentities {
        ExpectedIdentities(enrollments.into_iter().collect())
    }
}

impl fmt::Display for ExpectedIdentities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, enrollment) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { " or " };
            write!(f, "{separator}{enrollment}")?;
        }
        Ok(())
    }
}

/// The identity that a peer proved in a handshake: it holds this key. Nothing is said about who that is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    lineage: Lineage,
    certificate: CertificateDer<'static>,
}

impl Presented {
    /// The enrollment's id.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.lineage.enrollment()
    }

    /// The identity keys up to the one it holds.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The identity certificate, DER.
    pub fn identity_certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The SHA-256 of the identity certificate, for people to compare.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Asks `is_pinned` whether a complete link pins this enrollment; the answer decides what the peer is to us. If the
    /// answer cannot be found out, the caller must not call this but end the connection.
    pub fn identify(self, is_pinned: impl FnOnce(EnrollmentId) -> bool) -> PeerIdentity {
        if is_pinned(self.enrollment_id()) {
            PeerIdentity::Known(Pinned(self))
        } else {
            PeerIdentity::Unknown(self)
        }
    }
}

/// The identity in the certificates of a finished handshake, as `peer_certificates()` gives them.
///
/// It reads them only: that the peer holds the keys, and that they are valid now, is what the handshake of
/// [`server_config`](crate::server_config) and [`client_config`](crate::client_config) made sure of.
pub fn presented(peer_certificates: &[CertificateDer<'_>]) -> Result<Presented, Refusal> {
    let [_leaf, certificate] = peer_certificates else {
        return Err(Refusal::NoChain);
    };
    Ok(Presented {
        lineage: chain::read_identity(certificate)?.lineage,
        certificate: certificate.clone().into_owned(),
    })
}

/// An identity that a link of ours pins. Only [`Presented::identify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned(Presented);

impl Pinned {
    /// The identity itself.
    pub fn presented(&self) -> &Presented {
        &self.0
    }

    /// The enrollment it is.
    pub fn enrollment_id(&self) -> EnrollmentId {
        self.0.enrollment_id()
    }
}

/// What the peer of a connection is to this enrollment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerIdentity {
    /// A link pins it.
    Known(Pinned),
    /// Well-formed but a stranger: it may enroll and do nothing else.
    Unknown(Presented),
}

impl PeerIdentity {
    /// The identity, whichever it is.
    pub fn presented(&self) -> &Presented {
        match self {
            PeerIdentity::Known(Pinned(presented)) | PeerIdentity::Unknown(presented) => presented,
        }
    }

    /// The pinned identity, or `None` for a stranger.
    pub fn known(&self) -> Option<&Pinned> {
        match self {
            PeerIdentity::Known(pinned) => Some(pinned),
            PeerIdentity::Unknown(_) => None,
        }
    }
}
