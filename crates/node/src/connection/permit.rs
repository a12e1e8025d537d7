//! Policy before peering: both questions, asked before an invite, an approval or an activation is sent or taken.

use peerd_core::audit::{Actor, Fact};
use peerd_core::link::{Address, Link};
use peerd_core::peering::{self, DataTypes};
use peerd_core::policy::{DataType, Direction, Flow, Permit};
use peerd_core::{EnrollmentId, Reason};
use peerd_store::Batch;

use crate::{Caller, Error, Node, audit, peer};

/// On whose behalf a question is asked.
impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Actor {
        Actor::from(caller.principal())
    }
}

impl Node {
    /// The permit to peer with this enrollment over this link, for this flow seen from here. A denial is audited and
    /// says which rule is missing.
    pub(super) async fn permit_peering(
        &self,
        actor: Actor,
        link: &Link,
        remote: EnrollmentId,
        flow: peering::Flow,
    ) -> Result<Permit<Flow>, Error> {
        let denied = match self.decide_peering(link, remote, flow) {
            Ok(permit) => return Ok(permit),
            Err(denied) => denied,
        };
        let fact = Fact::new(self.now(), actor, "decide peering")
            .on(remote)
            .on(link.id);
        let fact = fact.detail("missing", denied.told()).denied(denied.reason());
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await?;
        Err(denied)
    }

    /// The same without a trace: for dry runs.
    pub(super) fn decide_peering(
        &self,
        link: &Link,
        remote: EnrollmentId,
        flow: peering::Flow,
    ) -> Result<Permit<Flow>, Error> {
        self.check_reach(link, remote)?;
        let mut permit = None;
        for (direction, data) in asked(flow) {
            let decision = self
                .policies
                .load()
                .decide_flow(remote, direction, data, self.now());
            let given = decision
                .into_result()
                .map_err(|denial| peer::explained(&denial))?;
            permit = permit.or(Some(given));
        }
        permit.ok_or_else(|| Error::field("exports", "ask for at least one kind of data, either way"))
    }

    /// May this side reach, or be reached by, the other? A session that is up proves it. Files have no address: policy is
    /// asked about the enrollment alone.
    fn check_reach(&self, link: &Link, remote: EnrollmentId) -> Result<(), Error> {
        if !link.is_dialled() {
            return self.permit_relay(remote).map(drop);
        }
        let addresses: Vec<Address> = link.addresses.iter().cloned().collect();
        let dial = link.direction.we_may_dial() && self.may_reach(remote, &addresses);
        let accept = link.direction.they_may_dial() && self.may_be_reached(remote);
        if dial || accept || self.presence.of(link.id).session.is_some() {
            return Ok(());
        }
        let (reason, missing) = if link.direction.we_may_dial() {
            (
                Reason::EgressDenied,
                "no active egress policy lets this side dial the link",
            )
        } else {
            (
                Reason::IngressDenied,
                "no active ingress policy admits the other side",
            )
        };
        Err(Error::new(reason, missing))
    }
}

/// The questions a flow asks.
fn asked(flow: peering::Flow) -> impl Iterator<Item = (Direction, DataType)> {
    let kinds = |direction, types: DataTypes| {
        let objects = types.objects.then_some((direction, DataType::Objects));
        let artifacts = types.artifacts.then_some((direction, DataType::Artifacts));
        objects.into_iter().chain(artifacts)
    };
    kinds(Direction::Export, flow.exports).chain(kinds(Direction::Import, flow.imports))
}
