//! Enrolling: how a code that one side entered makes both sides pin each other.

use peerd_core::audit::{Actor, Fact};
use peerd_core::code::{LinkCode, Proof};
use peerd_core::link::{Address, IssuedCode, Link, Proven, Remote, Stage};
use peerd_core::name::Title;
use peerd_core::{EnrollmentId, LinkId, Reason, Time};
use peerd_store::records::NameKind;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::peer::Presented;
use crate::{Error, Node, audit, names};

/// What an identity shows to enroll here.
#[derive(Clone, Debug)]
pub struct EnrollAttempt {
    /// Our link, whose code it holds.
    pub link: LinkId,
    /// The proof that it does, in this session.
    pub proof: Proof,
    /// The exporter value of this TLS session.
    pub binding: [u8; 32],
    /// What it calls itself.
    pub title: Option<Title>,
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
}

/// What it is told.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// Our platform title.
    pub title: Option<Title>,
    /// Its own link, whose code we had entered: the same link under another id.
    pub your_link: Option<LinkId>,
}

/// What this side has to show to enroll at the other.
#[derive(Clone, Debug)]
pub struct EnrollmentDue {
    /// The other side's link.
    pub link: LinkId,
    /// The proof, for one session.
    pub proof: Proof,
}

impl Node {
    /// An identity, known or not, shows a code of ours. Whatever is wrong with it, the answer is the same.
    pub async fn enroll(&self, who: &Presented, attempt: EnrollAttempt) -> Result<Enrolled, Error> {
        let outcome = self.retrying(|| self.enroll_once(who, &attempt)).await;
        if let Err(error) = &outcome
            && error.reason() == Reason::ProofInvalid
        {
            let mut knock = who.attempt(Reason::ProofInvalid);
            knock.claimed_title = attempt.title;
            self.knocked(knock).await?;
        }
        outcome
    }

    async fn enroll_once(&self, who: &Presented, attempt: &EnrollAttempt) -> Result<Enrolled, Error> {
        // One answer for "no such code", "used", "expired", "revoked" and "wrong proof": a stranger learns nothing.
        let refused = || Error::of(Reason::ProofInvalid);
        let now = self.now();
        let issued = self
            .store
            .find::<IssuedCode>(attempt.link.as_bytes())
            .await?
            .ok_or_else(refused)?;
        let claim = issued
            .record
            .claim(who.enrollment(), attempt.proof, &attempt.binding, now);
        let (claimed, proven) = claim.map_err(|reason| refused().because(Error::of(reason)))?;
        let invited = self
            .store
            .find::<Link>(attempt.link.as_bytes())
            .await?
            .ok_or_else(refused)?;
        let remote = Remote::new(&who.lineage, who.certificate.clone(), attempt.title.clone());
        let mut batch = Batch::new();
        let (link, your_link) = match self.link_to(who.enrollment()).await? {
            // We had entered its code: this is the second of a pair, and its link is the one that stays.
            Some(known) if known.id != attempt.link => {
                self.merge(&mut batch, &invited, known.id, (remote, &proven), now)
                    .await?
            }
            _ => {
                let link = invited
                    .record
                    .enrolled(remote, &proven, now)
                    .map_err(|_| refused())?;
                let link = learned(link, attempt);
                batch.replace(&link, invited.revision)?;
                if !invited.record.is_established() {
                    names::take_remote(&mut batch, who.enrollment(), link.id)?;
                }
                (link, None)
            }
        };
        batch.replace(&claimed, issued.revision)?;
        let fact = Fact::new(now, Actor::Peer(who.enrollment()), "enroll").on(link.id);
        audit::record(&mut batch, &fact.detail("from", who.from))?;
        self.commit(batch).await?;
        Ok(Enrolled {
            title: self.title().await?,
            your_link,
        })
    }

    /// The link that an enrolling peer was known by takes the code's link into itself.
    async fn merge(
        &self,
        batch: &mut Batch,
        invited: &Found<Link>,
        known: LinkId,
        (remote, proven): (Remote, &Proven),
        now: Time,
    ) -> Result<(Link, Option<LinkId>), Error> {
        let refused = || Error::of(Reason::ProofInvalid);
        let known = self
            .store
            .find::<Link>(known.as_bytes())
            .await?
            .ok_or_else(refused)?;
        let their_link = match known.record.stage {
            Stage::Accepted { their_link, .. } => Some(their_link),
            _ => None,
        };
        let link = known
            .record
            .enrolled(remote, proven, now)
            .map_err(|_| refused())?;
        batch.replace(&link, known.revision)?;
        if let Ok(alias) = invited.record.merged_into(link.id, now) {
            names::free(batch, NameKind::Link, &invited.record.name);
            batch.replace(&alias, invited.revision)?;
        }
        Ok((link, their_link))
    }

    /// What this side has to show before it may use a link that it dialled, in the session with this exporter value;
    /// `None` when the other side knows it already.
    pub async fn enrollment_due(
        &self,
        link: LinkId,
        binding: &[u8; 32],
    ) -> Result<Option<EnrollmentDue>, Error> {
        let found = self.store.find::<Link>(link.as_bytes()).await?;
        let link = found.ok_or_else(|| Error::not_found("link"))?.record;
        Ok(match &link.stage {
            Stage::Accepted { their_link, key, .. } => Some(EnrollmentDue {
                link: *their_link,
                proof: key.enrollment(*their_link, self.enrollment_id(), binding),
            }),
            _ => None,
        })
    }

    /// The other side accepted our proof.
    pub async fn enrolled(
        &self,
        link: LinkId,
        title: Option<Title>,
        our_link: Option<LinkId>,
    ) -> Result<(), Error> {
        self.retrying(|| self.enrolled_once(link, title.clone(), our_link))
            .await
    }

    async fn enrolled_once(
        &self,
        link: LinkId,
        title: Option<Title>,
        our_link: Option<LinkId>,
    ) -> Result<(), Error> {
        let now = self.now();
        let missing = || Error::not_found("link");
        let found = self
            .store
            .find::<Link>(link.as_bytes())
            .await?
            .ok_or_else(missing)?;
        let mut next = found
            .record
            .confirmed(now)
            .map_err(|refused| Error::new(refused.reason, refused.to_string()))?;
        if let (Some(remote), Some(title)) = (next.remote.as_mut(), title) {
            remote.title = Some(title);
        }
        let mut batch = Batch::new();
        batch.replace(&next, found.revision)?;
        if let Some(ours) = our_link.filter(|ours| *ours != link) {
            self.retire_pair(&mut batch, ours, link, now).await?;
        }
        let fact = Fact::new(now, Actor::System, "enrolled").on(link);
        audit::record(&mut batch, &next.enrollment().into_iter().fold(fact, Fact::on))?;
        self.commit(batch).await
    }

    /// Our own invitation that the other side had entered, when we completed the link with its code instead.
    async fn retire_pair(
        &self,
        batch: &mut Batch,
        ours: LinkId,
        stays: LinkId,
        now: Time,
    ) -> Result<(), Error> {
        let Some(invited) = self.store.find::<Link>(ours.as_bytes()).await? else {
            return Ok(());
        };
        if !matches!(invited.record.stage, Stage::Invited { .. }) {
            return Ok(());
        }
        if let Ok(alias) = invited.record.merged_into(stays, now) {
            names::free(batch, NameKind::Link, &invited.record.name);
            batch.replace(&alias, invited.revision)?;
        }
        if let Some(code) = self.store.find::<IssuedCode>(ours.as_bytes()).await?
            && let Ok(revoked) = code.record.revoke(now)
        {
            batch.replace(&revoked, code.revision)?;
        }
        Ok(())
    }

    /// A further code of an enrollment that a link leads to already. A link that is not complete starts over with
    /// it; a complete one has no use for it.
    pub(super) async fn second_code(
        &self,
        known: &Link,
        code: &LinkCode,
        now: Time,
    ) -> Result<Option<Link>, Error> {
        if known.is_established() {
            return Ok(None);
        }
        let Some(found) = self.store.find::<Link>(known.id.as_bytes()).await? else {
            return Ok(None);
        };
        let link = Link::accept(known.id, known.name.clone(), code, now);
        let mut batch = Batch::new();
        batch.replace(&link, found.revision)?;
        let fact = Fact::new(now, Actor::System, "enter further link code").on(link.id);
        audit::record(&mut batch, &fact.on(code.enrollment()))?;
        self.commit(batch).await?;
        Ok(Some(link))
    }

    /// A peer told its title and addresses. Pinned addresses stay.
    pub(crate) async fn learn(
        &self,
        enrollment: EnrollmentId,
        title: Option<Title>,
        addresses: Vec<Address>,
    ) -> Result<(), Error> {
        let Some(link) = self.link_to(enrollment).await? else {
            return Ok(());
        };
        let Some(found) = self.store.find::<Link>(link.id.as_bytes()).await? else {
            return Ok(());
        };
        let mut next = found.record.clone();
        next.addresses.learn(addresses);
        if let (Some(remote), Some(title)) = (next.remote.as_mut(), title) {
            remote.title = Some(title);
        }
        if next == found.record {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.replace(&next, found.revision)?;
        self.commit(batch).await
    }
}

fn learned(mut link: Link, attempt: &EnrollAttempt) -> Link {
    link.addresses.learn(attempt.addresses.clone());
    link
}
