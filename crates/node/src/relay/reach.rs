//! May anything be written for, or taken from, the other side of a relay link?
//!
//! There is no address to ask about. A session would be there if either side may reach the other; so here it is enough
//! that policy lets data flow one way. Which data, and which way, is asked as on every link, for every bundle of it.

use peerd_core::audit::{Actor, Fact};
use peerd_core::link::{Link, Stage};
use peerd_core::policy::{self, DataType, Direction, Permit};
use peerd_core::{ConnectionId, EnrollmentId, LinkId, Reason};
use peerd_store::{Batch, Records as _};

use crate::peer::Peer;
use crate::{Error, Node, audit, peer};

impl Node {
    /// The permit to have anything to do with this enrollment where it has no address.
    pub(crate) fn permit_relay(&self, enrollment: EnrollmentId) -> Result<Permit<policy::Flow>, Error> {
        let (policies, now) = (self.policies.load(), self.now());
        let ways = [Direction::Export, Direction::Import];
        let questions = ways
            .into_iter()
            .flat_map(|way| [(way, DataType::Objects), (way, DataType::Artifacts)]);
        let mut first = None;
        for (way, data) in questions {
            match policies.decide_flow(enrollment, way, data, now).into_result() {
                Ok(permit) => return Ok(permit),
                Err(denial) => first = first.or(Some(denial)),
            }
        }
        match first {
            Some(denial) => Err(peer::explained(&denial)),
            None => Err(Error::of(Reason::EgressDenied)),
        }
    }

    /// The other side of a relay link, if policy lets anything be written for it or taken from it now. Bundles prove
    /// who made them by their signature; the link says which keys count.
    pub async fn relay_peer(&self, link: LinkId) -> Result<(Peer, Permit<policy::Flow>), Error> {
        let found = self.store.find::<Link>(link.as_bytes()).await?;
        let live = found.map(|found| found.record);
        let live = live.filter(|link| matches!(link.stage, Stage::Established { .. }) && !link.is_dialled());
        let peer = live.as_ref().and_then(Peer::over_relay);
        let peer = peer.ok_or_else(|| Error::of(Reason::LinkMissing))?;
        Ok((peer, self.permit_relay(peer.enrollment())?))
    }

    /// The other side of a relay link, whatever policy says. Nothing may be written or taken without
    /// [`Node::relay_peer`].
    pub async fn relay_side(&self, link: LinkId) -> Result<Peer, Error> {
        let found = self.store.find::<Link>(link.as_bytes()).await?;
        let peer = found.and_then(|found| Peer::over_relay(&found.record));
        peer.ok_or_else(|| Error::of(Reason::LinkMissing))
    }

    /// Whether a connection of this peer may still become one that data flows on.
    pub async fn may_still_join(&self, peer: &Peer, connection: ConnectionId) -> Result<bool, Error> {
        match self.connection_of(peer, connection).await {
            Ok(connection) => Ok(!connection.stage.is_final()),
            Err(error) if error.reason() == Reason::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// 16 random bytes.
    pub fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.rng.fill(&mut salt);
        salt
    }

    /// The relay links that are not over.
    pub async fn relay_links(&self) -> Result<Vec<Link>, Error> {
        let links = self.store.all::<Link>(&[]).await?;
        let live = |link: &Link| !link.is_dialled() && link.is_established();
        Ok(links.into_iter().map(|found| found.record).filter(live).collect())
    }

    /// Audits that a file of a relay link was not taken.
    pub async fn audit_bundle_refused(
        &self,
        link: &Link,
        file: &str,
        reason: Reason,
        detail: &str,
    ) -> Result<(), Error> {
        let actor = link.enrollment().map_or(Actor::System, Actor::Peer);
        let fact = Fact::new(self.now(), actor, "refuse bundle").on(link.id);
        let fact = fact.detail("file", file).detail("why", detail).refused(reason);
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await
    }
}
