//! Two parties and the way they go together.

use std::sync::Arc;

use peerd_core::link::Direction;
use peerd_core::peering::{Connection, DataTypes, Flow};
use peerd_core::policy::Side;
use peerd_core::security::{Levels, Security};
use peerd_core::{ConnectionId, Reason};
use peerd_node::Error;
use peerd_node::connection::Ask;
use peerd_node::link::Invitation;
use peerd_testkit::{Party, TestClock, carry};

/// Objects both ways.
pub(crate) const OBJECTS: Flow = Flow {
    exports: objects(true),
    imports: objects(true),
};

pub(crate) const fn objects(objects: bool) -> DataTypes {
    DataTypes {
        objects,
        artifacts: false,
    }
}

/// The reason of a refusal; a success is shown instead.
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    outcome.map_err(|error| error.reason()).expect_err("a refusal")
}

/// Two parties on one clock.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: Party,
    pub(crate) b: Party,
    pub(crate) clock: Arc<TestClock>,
}

impl Pair {
    /// Two parties that never heard of each other.
    pub(crate) async fn strangers() -> Pair {
        let clock = Arc::new(TestClock::default());
        let a = Party::founded("a", 1, Arc::clone(&clock)).await;
        let b = Party::founded("b", 2, Arc::clone(&clock)).await;
        Pair { a, b, clock }
    }

    /// Two parties whose policies allow everything between them.
    pub(crate) async fn permitted() -> Pair {
        let pair = Pair::strangers().await;
        for side in [Side::Egress, Side::Ingress] {
            pair.a.permit(side, pair.b.id()).await;
            pair.b.permit(side, pair.a.id()).await;
        }
        pair
    }

    /// The same with a complete link, and two classification levels on both sides.
    pub(crate) async fn linked() -> Pair {
        let pair = Pair::permitted().await;
        let levels = ["internal", "secret"].map(|level| level.parse().expect("a level"));
        let levels = Levels::new(levels.to_vec()).expect("levels");
        for party in [&pair.a, &pair.b] {
            let set = party.node().set_levels(&party.admin, levels.clone()).await;
            set.expect("levels");
        }
        pair.link().await;
        pair
    }

    /// One code, entered by b, completes a link.
    pub(crate) async fn link(&self) {
        let code = self.code(Direction::Bidirectional).await;
        let name = "to-a".parse().expect("a name");
        let accepted = self.b.node().accept_link(&self.b.admin, &code, &name).await;
        accepted.expect("a link");
        carry::enroll(&self.b, &self.a).await.expect("an enrollment");
    }

    /// A link code of a.
    pub(crate) async fn code(&self, direction: Direction) -> String {
        let a = &self.a;
        let invitation = a.node().invite_link(&a.admin, direction, None).await;
        invitation.expect("a code").code
    }

    /// What a asks b for.
    pub(crate) async fn ask(&self, flow: Flow) -> Ask {
        let link = self.a.link_to(self.b.id()).await.expect("a link");
        ask_over(&link.id.to_string(), flow)
    }

    /// a asks for this flow.
    pub(crate) async fn request_for(&self, flow: Flow) -> Result<Invitation<ConnectionId>, Error> {
        let ask = self.ask(flow).await;
        self.a.node().request_connection(&self.a.manager, ask).await
    }

    /// a's request, seen as an invitation.
    pub(crate) async fn request(&self) -> Invitation<ConnectionId> {
        self.request_with(Security::unrestricted()).await
    }

    /// The same with this security.
    pub(crate) async fn request_with(&self, security: Security) -> Invitation<ConnectionId> {
        let mut ask = self.ask(OBJECTS).await;
        ask.security = security;
        let invitation = self.a.node().request_connection(&self.a.manager, ask).await;
        invitation.expect("an invite code")
    }

    /// b approves the code.
    pub(crate) async fn approve(&self, code: &str) -> Result<Connection, Error> {
        let b = &self.b;
        let view = b
            .node()
            .approve_connection(&b.manager, code, "main", None)
            .await?;
        Ok(view.connection)
    }

    /// An approved connection, which both sides know of.
    pub(crate) async fn approved(&self) -> ConnectionId {
        let invitation = self.request().await;
        self.approve(&invitation.code).await.expect("an approval");
        self.carry().await;
        assert_eq!(self.stages(invitation.id).await, ("approved", "approved"));
        invitation.id
    }

    /// A connection that is active on both sides.
    pub(crate) async fn active(&self) -> ConnectionId {
        let id = self.approved().await;
        let activated = self.a.node().activate_connection(&self.a.manager, id).await;
        activated.expect("an activation");
        self.carry().await;
        assert_eq!(self.stages(id).await, ("active", "active"));
        id
    }

    /// Carries every message both ways.
    pub(crate) async fn carry(&self) {
        carry::carry_all(&self.a, &self.b).await;
    }

    /// The stages at a and b; `none` where there is no record.
    pub(crate) async fn stages(&self, id: ConnectionId) -> (&'static str, &'static str) {
        let stage = |it: Option<Connection>| it.map_or("none", |it| it.stage.name());
        (
            stage(self.a.connection(id).await),
            stage(self.b.connection(id).await),
        )
    }

    /// Both records, which must be there.
    pub(crate) async fn records(&self, id: ConnectionId) -> (Connection, Connection) {
        let a = self.a.connection(id).await.expect("a record at a");
        (a, self.b.connection(id).await.expect("a record at b"))
    }
}

/// Up to this level, nothing marked.
pub(crate) fn up_to(level: &str) -> Security {
    Security {
        classification: Some(level.parse().expect("a level")),
        ..Security::unrestricted()
    }
}

/// What an operator asks for over this link.
pub(crate) fn ask_over(link: &str, flow: Flow) -> Ask {
    Ask {
        space: "main".into(),
        link: link.into(),
        flow,
        security: Security::unrestricted(),
        lifetime: None,
    }
}
