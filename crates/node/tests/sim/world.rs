//! The parties, what is known of them, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use peerd_core::ConnectionId;
use peerd_core::link::Direction;
use peerd_core::peering::{Connection, Decision};
use peerd_core::policy::Side;
use peerd_core::security::{Levels, Security};
use peerd_node::Error;
use peerd_node::connection::{Ask, ConnectionView};
use peerd_node::link::Enrolled;
use peerd_testkit::{Party, TestClock, carry};

use crate::event::{Event, Ways, Which, Who};
use crate::invariant::{INVARIANTS, Sight};
use crate::wire::{Wire, pair};

/// The classification levels everybody knows, lowest first.
pub(crate) const LEVELS: [&str; 2] = ["internal", "secret"];

/// An invite code that was given out.
#[derive(Debug)]
pub(crate) struct Invite {
    pub(crate) id: ConnectionId,
    pub(crate) from: Who,
    pub(crate) to: Who,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) parties: Vec<Party>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) wire: Wire,
    pub(crate) invites: Vec<Invite>,
    /// What the invariants look at.
    pub(crate) sight: Sight,
    log: Vec<String>,
}

impl World {
    /// Parties that allow each other everything and have no links.
    pub(crate) async fn new(count: usize) -> World {
        let clock = Arc::new(TestClock::default());
        let mut parties = Vec::new();
        for (name, number) in ["a", "b", "c", "d", "e"].into_iter().zip(1..).take(count) {
            let party = Party::founded(name, number, Arc::clone(&clock)).await;
            let levels = LEVELS.map(|level| level.parse().expect("a level"));
            let levels = Levels::new(levels.to_vec()).expect("levels");
            let set = party.node().set_levels(&party.admin, levels).await;
            set.expect("levels");
            parties.push(party);
        }
        let mut world = World {
            sight: Sight::new(&parties),
            parties,
            clock,
            wire: Wire::default(),
            invites: Vec::new(),
            log: Vec::new(),
        };
        world.permit_all().await;
        world
    }

    /// Puts every policy in force that is not.
    pub(crate) async fn permit_all(&mut self) {
        for who in 0..self.parties.len() {
            for other in (0..self.parties.len()).filter(|other| *other != who) {
                for side in [Side::Egress, Side::Ingress] {
                    self.permit(who, other, side).await;
                }
            }
        }
    }

    async fn permit(&mut self, who: Who, other: Who, side: Side) {
        if self.sight.allowed.insert((who, other, side)) {
            self.parties[who].permit(side, self.parties[other].id()).await;
        }
    }

    /// Every event so far, with what came of it.
    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    /// Logs an event, lets it happen, and looks at the world.
    pub(crate) async fn happen(&mut self, event: Event) -> Result<(), String> {
        self.clock.advance(Duration::from_millis(1));
        self.log.push(format!("{:>3} {event:?}", self.log.len()));
        let came = self.apply(event).await?;
        if let Some(line) = self.log.last_mut() {
            line.push_str(" -> ");
            line.push_str(&came);
        }
        self.look().await
    }

    /// Checks every invariant on what is stored now.
    pub(crate) async fn look(&mut self) -> Result<(), String> {
        self.sight.look(&self.parties).await;
        for (name, holds) in INVARIANTS {
            holds(&self.sight).map_err(|broken| format!("{name}: {broken}"))?;
        }
        self.sight.remember();
        Ok(())
    }

    async fn apply(&mut self, event: Event) -> Result<String, String> {
        Ok(match event {
            Event::Link { by, to } => said(self.link(by, to).await),
            Event::Enroll { by, to, answer_lost } => said(self.enroll(by, to, answer_lost).await),
            Event::Request { by, to, flow, level } => said(self.request(by, to, flow, level).await),
            Event::Send { from, to } => self.send(from, to).await,
            Event::Deliver { place, again } => self.deliver(place, again).await,
            Event::Lose { place } => {
                self.wire.in_flight.remove(place);
                "lost".into()
            }
            Event::Forge { place, by } => self.forge(place, by).await?,
            Event::Cut { a, b } => said(Ok(self.wire.cut.insert(pair(a, b)))),
            Event::Heal { a, b } => said(Ok(self.wire.cut.remove(&pair(a, b)))),
            Event::Restart { who } => {
                self.parties[who].restart().await;
                "up again".into()
            }
            Event::Wait { hours } => {
                self.clock.advance(Duration::from_hours(hours));
                "later".into()
            }
            Event::Expire { who } => said(self.parties[who].node().expire_connections().await),
            Event::Permit { who, other, side } => {
                self.permit(who, other, side).await;
                "in force".into()
            }
            Event::Forbid { who, other, side } => {
                self.parties[who].forbid(side, self.parties[other].id()).await;
                self.sight.allowed.remove(&(who, other, side));
                "revoked".into()
            }
            operators => said(self.operate(operators).await),
        })
    }

    async fn link(&self, by: Who, to: Who) -> Result<(), Error> {
        let (issuer, acceptor) = (&self.parties[by], &self.parties[to]);
        let invite = issuer
            .node()
            .invite_link(&issuer.admin, Direction::Bidirectional, None);
        let code = invite.await?.code;
        let name = format!("to-{by}").parse().expect("a name");
        acceptor
            .node()
            .accept_link(&acceptor.admin, &code, &name)
            .await
            .map(drop)
    }

    async fn enroll(&self, by: Who, to: Who, answer_lost: bool) -> Result<&'static str, Error> {
        let (dialler, acceptor) = (&self.parties[by], &self.parties[to]);
        if self.wire.cut.contains(&pair(by, to)) || !carry::may_dial(dialler, acceptor).await {
            return Ok("no session");
        }
        let Some((link, answer)) = carry::show_proof(dialler, acceptor, [7; 32]).await else {
            return Ok("not due");
        };
        let Enrolled { title, your_link } = answer?;
        if answer_lost {
            return Ok("answer lost");
        }
        dialler.node().enrolled(link, title, your_link).await?;
        Ok("complete")
    }

    async fn request(&mut self, by: Who, to: Who, flow: Ways, level: Option<&str>) -> Result<String, Error> {
        let (originator, importer) = (&self.parties[by], &self.parties[to]);
        let link = originator.link_to(importer.id()).await;
        let ask = Ask {
            space: "main".into(),
            link: link.map(|link| link.id.to_string()).unwrap_or_default(),
            flow: flow.flow(),
            security: up_to(level),
            lifetime: None,
        };
        let invitation = originator
            .node()
            .request_connection(&originator.manager, ask)
            .await?;
        self.invites.push(Invite {
            id: invitation.id,
            from: by,
            to,
            text: invitation.code,
        });
        Ok(format!("which: {}", self.invites.len() - 1))
    }

    /// An operator answers an invite code, or acts on a connection.
    async fn operate(&self, event: Event) -> Result<&'static str, Error> {
        let stage = |view: ConnectionView| view.connection.stage.name();
        let at = |who: Who, which: Which| {
            let party = &self.parties[who];
            (party.node(), &party.manager, &self.invites[which].text)
        };
        match event {
            Event::Approve { by, which, level } => {
                let (node, caller, text) = at(by, which);
                let narrower = level.map(|level| up_to(Some(level)));
                let approved = node.approve_connection(caller, text, "main", narrower).await;
                approved.map(stage)
            }
            Event::Reject { by, which } => {
                let (node, caller, text) = at(by, which);
                let why = "not now".parse().expect("a remark");
                node.reject_connection(caller, text, &why).await.map(stage)
            }
            changes => self.change(changes).await,
        }
    }

    /// An operator changes a connection.
    async fn change(&self, event: Event) -> Result<&'static str, Error> {
        let stage = |view: ConnectionView| view.connection.stage.name();
        let at = |who: Who, which: Which| {
            (
                self.parties[who].node(),
                &self.parties[who].manager,
                self.invites[which].id,
            )
        };
        let why = || "not now".parse().expect("a remark");
        match event {
            Event::Revoke { by, which } => {
                let (node, caller, id) = at(by, which);
                node.revoke_connection(caller, id).await.map(stage)
            }
            Event::Activate { by, which } => {
                let (node, caller, id) = at(by, which);
                node.activate_connection(caller, id).await.map(stage)
            }
            Event::Disable { by, which } => {
                let (node, caller, id) = at(by, which);
                node.disable_connection(caller, id).await.map(stage)
            }
            Event::Enable { by, which } => {
                let (node, caller, id) = at(by, which);
                node.enable_connection(caller, id).await.map(stage)
            }
            Event::SetDataTypes { by, which, flow } => {
                let (node, caller, id) = at(by, which);
                node.set_data_types(caller, id, move |_| flow.flow())
                    .await
                    .map(stage)
            }
            Event::Propose { by, which, level } => {
                let (node, caller, id) = at(by, which);
                let proposed = node.propose_security(caller, id, up_to(level)).await;
                proposed.map(|_| "proposed")
            }
            Event::Decide { by, which, approve } => {
                let (node, caller, id) = at(by, which);
                let record = self.parties[by].connection(id).await;
                let Some(change) = record.and_then(|record| record.change) else {
                    return Ok("nothing to decide");
                };
                let decision = if approve {
                    Decision::Approve
                } else {
                    Decision::Reject { remark: why() }
                };
                node.decide_security(caller, change.id, decision).await.map(stage)
            }
            Event::Close {
                by,
                which,
                imported,
                force,
            } => {
                let (node, caller, id) = at(by, which);
                node.close_connection(caller, id, imported, force)
                    .await
                    .map(stage)
            }
            other => unreachable!("not an operator's: {other:?}"),
        }
    }
}

fn up_to(level: Option<&str>) -> Security {
    Security {
        classification: level.map(|level| level.parse().expect("a level")),
        ..Security::unrestricted()
    }
}

/// What came of a use-case, for the log: a refusal is no failure of the simulation, a fault of ours is.
fn said<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => {
            let reason = error.reason();
            assert_ne!(reason.code(), peerd_core::reason::Code::Internal, "{error}");
            reason.word().into()
        }
    }
}

/// How far the runs came, all together: the stages that both sides of a connection were seen in.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    stages: BTreeMap<&'static str, usize>,
    refusals: BTreeSet<&'static str>,
}

impl Reached {
    pub(crate) fn add(&mut self, world: &World) {
        for stages in world.sight.seen.values() {
            for stage in stages {
                *self.stages.entry(*stage).or_default() += 1;
            }
        }
        let refused = world.wire.arrived.iter().filter_map(|arrival| arrival.refused);
        self.refusals.extend(refused.map(peerd_core::Reason::word));
    }

    /// Every stage was reached often, and every way a message is refused for now or for good came up.
    pub(crate) fn assert_wide(&self) {
        for stage in [
            "requested",
            "approved",
            "active",
            "disabled",
            "closed",
            "rejected",
            "expired",
            "revoked",
        ] {
            let count = self.stages.get(stage).copied().unwrap_or(0);
            assert!(count >= 10, "only {count} sides were ever {stage}: {self:?}");
        }
        for word in ["MESSAGE_EARLY", "REMOTE_REFUSED", "CODE_REVOKED", "WRONG_STAGE"] {
            assert!(self.refusals.contains(word), "{word} never came up: {self:?}");
        }
    }
}

/// A connection's two records.
pub(crate) type Sides = (Option<Connection>, Option<Connection>);

impl World {
    /// What the originator and the importer of a request keep of it.
    pub(crate) fn sides(&self, which: Which) -> Sides {
        let Invite { id, from, to, .. } = &self.invites[which];
        let side = |who: Who| self.sight.before.get(&(who, *id)).cloned();
        (side(*from), side(*to))
    }
}
