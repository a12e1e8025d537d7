//! How a link is doing: the record, what was heard, and the rule of `core` over both.

use peerd_core::link::{Address, Direction, Health, Link, Stage, Vitals};
use peerd_core::policy::Direction as Way;
use peerd_core::relay::RelayVitals;
use peerd_core::{EnrollmentId, Reason, Time};
use peerd_store::records::Queued;
use peerd_store::{Records as _, records};

use crate::presence::LinkLife;
use crate::relay::RelayLife;
use crate::{Error, Node, peer};

/// A link as an operator sees it.
#[derive(Clone, Debug)]
pub struct LinkView {
    /// The record.
    pub link: Link,
    /// How it is, and why.
    pub health: Health,
    /// The last failure in words, where health does not say it all.
    pub failure: Option<String>,
    /// What is known of it right now.
    pub life: LinkLife,
    /// How a relay link is right now.
    pub relay: Option<RelayLife>,
}

impl Node {
    /// The link with its health.
    pub(crate) async fn view_link(&self, link: Link) -> Result<LinkView, Error> {
        if !link.is_dialled() {
            return Ok(self.view_relay(link));
        }
        let life = self.presence.of(link.id);
        let queued = self
            .store
            .page::<Queued>(&records::outbox_prefix(link.id), None, 1)
            .await?;
        let backlog_since = queued.records.first().map(|found| found.record.queued_at);
        let vitals = Vitals {
            established_since: match link.stage {
                Stage::Established { since } => Some(since),
                _ => None,
            },
            last_heard_at: life.last_heard_at,
            last_acknowledged_at: life.last_acknowledged_at,
            backlog_since,
            blocked: self.blocked(&link, &life),
            skew: life.skew,
        };
        let health = vitals.health(self.now());
        let failure = life.failure.as_ref().map(|failure| failure.message.clone());
        Ok(LinkView {
            link,
            health,
            failure,
            life,
            relay: None,
        })
    }

    /// A relay link with its health.
    fn view_relay(&self, link: Link) -> LinkView {
        let relay = self.relays.of(link.id).unwrap_or_default();
        let blocked = link.enrollment().map(|remote| self.permit_relay(remote));
        let blocked = blocked.and_then(|permit| permit.err().map(|error| error.reason()));
        let vitals = RelayVitals {
            since: link.created_at,
            blocked,
            interval: relay.interval,
            one_way: link.relay.as_ref().is_some_and(|relay| relay.one_way),
            heard_at: relay.heard_at,
            uncollected_since: relay.uncollected_since,
            full: relay.full,
            gaps: relay.gaps,
            backlog_since: relay.kept_since,
        };
        let mut life = self.presence.of(link.id);
        life.last_heard_at = relay.heard_at;
        LinkView {
            health: vitals.health(self.now()),
            failure: relay.trouble.as_ref().map(|trouble| trouble.message.clone()),
            life,
            relay: Some(relay),
            link,
        }
    }

    /// The refusal that keeps this link from working: our policies now, or what the last attempt met.
    fn blocked(&self, link: &Link, life: &LinkLife) -> Option<Reason> {
        if life.session.is_some() {
            return None;
        }
        let met = life
            .failure
            .as_ref()
            .filter(|failure| failure.refused)
            .map(|failure| failure.reason);
        let enrollment = link.enrollment()?;
        let addresses: Vec<Address> = link.addresses.iter().cloned().collect();
        let dial = link.direction.we_may_dial() && self.may_reach(enrollment, &addresses);
        let accept = link.direction.they_may_dial() && self.may_be_reached(enrollment);
        match (dial || accept, link.direction) {
            (true, _) => met,
            (false, Direction::IngressOnly) => Some(Reason::IngressDenied),
            (false, _) => Some(met.unwrap_or(Reason::EgressDenied)),
        }
    }

    /// Whether an egress policy lets this side dial any of these addresses, as far as can be told without resolving
    /// names. The dial itself asks again for the very address.
    pub(crate) fn may_reach(&self, enrollment: EnrollmentId, addresses: &[Address]) -> bool {
        let (policies, now) = (self.policies.load(), self.now());
        addresses.iter().any(|address| {
            peer::target(&address.host, address.port.get())
                .is_ok_and(|target| policies.decide_dial(target, enrollment, now).is_allowed())
        })
    }

    /// Whether an ingress policy names this enrollment, from whichever source address.
    pub(crate) fn may_be_reached(&self, enrollment: EnrollmentId) -> bool {
        use peerd_core::policy::DataType;
        let decision =
            self.policies
                .load()
                .decide_flow(enrollment, Way::Import, DataType::Objects, self.now());
        decision.is_allowed()
    }

    /// When the other side of this link was last heard.
    pub fn last_heard_at(&self, link: peerd_core::LinkId) -> Option<Time> {
        self.presence.of(link).last_heard_at
    }
}
