//! Who is at the other end of an authenticated session, and what it may do at all.

use std::net::IpAddr;

use peerd_core::address::Host;
use peerd_core::audit::{Actor, Fact};
use peerd_core::lineage::Lineage;
use peerd_core::link::{Attempt, Link, Meeting, Remote};
use peerd_core::policy::{Accept, Decision, Denial, Dial, Permit, Target};
use peerd_core::{EnrollmentId, Fingerprint, LinkId, Reason};
use peerd_store::records::NameKind;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::{Error, Node, audit};

/// The other side of a link, proven by its certificate. Only [`Node::recognise`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    link: LinkId,
    enrollment: EnrollmentId,
}

impl Peer {
    /// The link it is the other side of.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// Who it is.
    pub fn enrollment(&self) -> EnrollmentId {
        self.enrollment
    }
}

/// An identity that showed a valid certificate chain and proved to hold its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its identity keys; it holds the last.
    pub lineage: Lineage,
    /// Its identity certificate, DER.
    pub certificate: Vec<u8>,
    /// Where it came from.
    pub from: IpAddr,
}

impl Presented {
    /// The enrollment whose identity this is.
    pub fn enrollment(&self) -> EnrollmentId {
        self.lineage.enrollment()
    }

    /// This identity's attempt, refused for this reason.
    pub(crate) fn attempt(&self, reason: Reason) -> Attempt {
        Attempt {
            enrollment: Some(self.enrollment()),
            fingerprint: Some(Fingerprint::of(&self.certificate)),
            claimed_title: None,
            address: self.from,
            reason,
        }
    }
}

/// What an authenticated identity is to this enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// The pinned other side of a link.
    Peer(Peer),
    /// Nobody we know: it may enroll with a code, and nothing else.
    Stranger,
}

impl Node {
    /// Who this identity is. A lookup that fails is an error, never a stranger. An identity that follows the pinned one is
    /// pinned in its place.
    pub async fn recognise(&self, presented: &Presented) -> Result<Recognised, Error> {
        self.retrying(|| self.recognise_once(presented)).await
    }

    async fn recognise_once(&self, presented: &Presented) -> Result<Recognised, Error> {
        let Some(link) = self.link_to(presented.enrollment()).await? else {
            return Ok(Recognised::Stranger);
        };
        let Some(found) = self.store.find::<Link>(link.id.as_bytes()).await? else {
            return Ok(Recognised::Stranger);
        };
        let remote = found.record.remote.as_ref();
        let meeting = remote.map(|remote| remote.meet(&presented.lineage, &presented.certificate));
        match meeting {
            Some(Meeting::Pinned) => {}
            Some(Meeting::Successor(next)) => self.follow(found, next).await?,
            Some(Meeting::Stranger) | None => return Ok(Recognised::Stranger),
        }
        Ok(Recognised::Peer(Peer {
            link: link.id,
            enrollment: presented.enrollment(),
        }))
    }

    /// Pins the identity that followed. No operator is asked: the one that is pinned named it.
    async fn follow(&self, found: Found<Link>, next: Remote) -> Result<(), Error> {
        let (link, now) = (found.record.id, self.now());
        let actor = Actor::Peer(next.enrollment);
        let fact = Fact::new(now, actor, "replace identity").on(link);
        let earlier = found.record.remote.as_ref();
        let earlier = earlier.map(|remote| Fingerprint::of(&remote.certificate).to_string());
        let fact = fact.detail("earlier", earlier.unwrap_or_default());
        let fact = fact.detail("fingerprint", Fingerprint::of(&next.certificate));
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact)?;
        let followed = Link {
            remote: Some(next),
            changed_at: now,
            ..found.record
        };
        batch.replace(&followed, found.revision)?;
        self.commit(batch).await?;
        tracing::info!(%link, "the other side has a new identity, named by the one before it");
        Ok(())
    }

    /// The peer at the far end of a link that this side dialled: its identity was pinned for the handshake.
    pub async fn dialled(&self, link: LinkId, presented: &Presented) -> Result<Peer, Error> {
        match self.recognise(presented).await? {
            Recognised::Peer(peer) if peer.link == link => Ok(peer),
            _ => Err(Error::of(Reason::IdentityMismatch)),
        }
    }

    /// Whether any ingress policy admits this source address at all: asked before the TLS handshake.
    pub async fn admit_source(&self, from: IpAddr) -> Result<(), Error> {
        let Err(denial) = self.policies.load().admits_source(from, self.now()) else {
            return Ok(());
        };
        let attempt = Attempt {
            enrollment: None,
            fingerprint: None,
            claimed_title: None,
            address: from,
            reason: denial.reason,
        };
        self.knocked(attempt).await?;
        Err(told(&denial))
    }

    /// The permit to accept this identity's session. A denial is kept as a knock and told without detail.
    pub async fn admit(&self, presented: &Presented) -> Result<Permit<Accept>, Error> {
        let policies = self.policies.load();
        match policies.decide_accept(presented.from, presented.enrollment(), self.now()) {
            Decision::Allowed(permit) => Ok(permit),
            Decision::Denied(denial) => {
                self.knocked(presented.attempt(denial.reason)).await?;
                Err(told(&denial))
            }
        }
    }

    /// The permit to dial this concrete address of a link, or the denial with the rule that is missing, for the
    /// local operator.
    pub fn permit_dial(
        &self,
        enrollment: EnrollmentId,
        host: &Host,
        ip: IpAddr,
        port: u16,
    ) -> Result<Permit<Dial>, Error> {
        let target = target(host, port)?.at(ip);
        match self.policies.load().decide_dial(target, enrollment, self.now()) {
            Decision::Allowed(permit) => Ok(permit),
            Decision::Denied(denial) => Err(explained(&denial)),
        }
    }

    /// Audits a policy denial that keeps a link from being dialled, once per change of mind.
    pub async fn audit_dial_denied(&self, link: LinkId, error: &Error) -> Result<(), Error> {
        let fact = Fact::new(self.now(), Actor::System, "dial link")
            .on(link)
            .detail("missing", error.told())
            .denied(error.reason());
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await
    }

    /// The live link to this enrollment, if there is one.
    pub(crate) async fn link_to(&self, enrollment: EnrollmentId) -> Result<Option<Link>, Error> {
        let name = crate::names::remote_name(enrollment)?;
        let Some(id) = self.holder(NameKind::Remote, &name).await? else {
            return Ok(None);
        };
        Ok(self.store.find::<Link>(&id).await?.map(|found| found.record))
    }
}

/// A host and port as the policies look at it.
pub(crate) fn target(host: &Host, port: u16) -> Result<Target, Error> {
    Target::to(host.clone(), port).map_err(|error| Error::field("address", error))
}

/// A denial as a peer may read it: the reason word, and nothing of the rules.
fn told(denial: &Denial) -> Error {
    Error::of(denial.reason)
}

/// A denial as the local operator may read it, with the rule that was missing.
pub(crate) fn explained(denial: &Denial) -> Error {
    let error = Error::new(denial.reason, denial.missing.clone());
    denial
        .nearest
        .into_iter()
        .fold(error, |error, policy| error.with("policy_id", policy.to_string()))
}
