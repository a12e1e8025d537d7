//! An enrollment with people in it: title, space, manager, and policies that tests put in force and take back.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerd_core::authz::{Role, Token};
use peerd_core::link::{Link, Stage};
use peerd_core::peering::Connection;
use peerd_core::policy::{Enrollments, Rule, Side, Standing};
use peerd_core::signature::OwnIdentity as _;
use peerd_core::{ConnectionId, EnrollmentId};
use peerd_node::peer::Presented;
use peerd_node::policy::PolicyDecision;
use peerd_node::{Caller, Node};
use peerd_store::{Memory, MemoryBlobs, Range, Records as _, Store as _, Table};

use crate::{Room, TestClock, TestNode};

/// More rows than any test writes.
const EVERYTHING: usize = 100_000;

/// An enrollment whose operators are ready to act.
#[derive(Debug)]
pub struct Party {
    /// Always there; taken only within [`Party::restart`].
    kit: Option<TestNode>,
    /// Enrollment admin.
    pub admin: Caller,
    /// Manages the space `main`.
    pub manager: Caller,
    /// Manages the space `other`, and so nothing that happens in `main`.
    pub other_manager: Caller,
    /// Reads the space `main`.
    pub viewer: Caller,
    ip: IpAddr,
}

impl Party {
    /// An enrollment with a title, the spaces `main` and `other`, and no policy. `number` tells addresses apart.
    ///
    /// # Panics
    /// When it cannot be set up.
    pub async fn founded(name: &str, number: u8, clock: Arc<TestClock>) -> Party {
        let party = Party::untitled(name, number, clock).await;
        let title = format!("{name} ltd").parse().expect("a title");
        let set = party.node().set_title(&party.admin, title).await;
        set.expect("a title is set");
        party
    }

    /// The same without a platform title.
    ///
    /// # Panics
    /// When it cannot be set up.
    pub async fn untitled(name: &str, number: u8, clock: Arc<TestClock>) -> Party {
        let kit = TestNode::with(name, clock, Memory::new()).await;
        let node = &kit.node;
        let token = Token::from_bytes([number; 32]);
        node.bootstrap_admin(&token).await.expect("an admin");
        let admin = node.authenticate(&token.expose()).await.expect("the admin");
        for space in ["main", "other"] {
            let space = space.parse().expect("a name");
            let made = node.create_space(&admin, space, None).await;
            made.expect("a space");
        }
        let manager = hired(node, &admin, "manager", Role::SpaceManager, "main").await;
        let other_manager = hired(node, &admin, "other-manager", Role::SpaceManager, "other").await;
        let viewer = hired(node, &admin, "viewer", Role::Viewer, "main").await;
        Party {
            kit: Some(kit),
            admin,
            manager,
            other_manager,
            viewer,
            ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
        }
    }

    fn kit(&self) -> &TestNode {
        self.kit.as_ref().expect("a party has its node")
    }

    /// The node.
    pub fn node(&self) -> &Arc<Node> {
        &self.kit().node
    }

    /// The node, for a task of its own.
    pub fn shared(&self) -> Arc<Node> {
        Arc::clone(&self.kit().node)
    }

    /// Its clock.
    pub fn clock(&self) -> &TestClock {
        &self.kit().clock
    }

    /// Its content.
    pub fn blobs(&self) -> &MemoryBlobs {
        &self.kit().blobs
    }

    /// Its disk.
    pub fn room(&self) -> &Room {
        &self.kit().room
    }

    /// Who it is.
    pub fn id(&self) -> EnrollmentId {
        self.node().enrollment_id()
    }

    /// Where its sessions come from.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// What it shows in a TLS handshake.
    pub fn presented(&self) -> Presented {
        Presented {
            lineage: self.kit().identity.lineage(),
            certificate: self.kit().identity.certificate(),
            from: self.ip,
        }
    }

    /// Ends the process and starts it again on what it had committed.
    ///
    /// # Panics
    /// When the node does not open.
    pub async fn restart(&mut self) {
        // Chance begins anew with the node, so the time must not: ids are made of both.
        self.clock().advance(Duration::from_millis(1));
        let kit = self.kit.take().expect("a party has its node");
        self.kit = Some(kit.restarted().await);
    }

    /// Puts a policy for the other party in force, on one side.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn permit(&self, side: Side, other: EnrollmentId) {
        self.permit_for(side, other, None).await;
    }

    /// The same for this long.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn permit_for(&self, side: Side, other: EnrollmentId, lifetime: Option<Duration>) {
        let enrollments = Enrollments::Only(BTreeSet::from([other]));
        let rule = match side {
            Side::Egress => Rule::Egress {
                destination: "*.example".parse().expect("a destination"),
                ports: "7443".parse().expect("ports"),
                enrollments,
            },
            Side::Ingress => Rule::Ingress {
                sources: BTreeSet::from(["192.0.2.0/24".parse().expect("a network")]),
                enrollments,
            },
        };
        let why = "they are partners in a test".parse().expect("a justification");
        let put = self
            .node()
            .propose_policy(&self.admin, rule, why, lifetime, true)
            .await;
        put.expect("a policy in force");
    }

    /// Revokes every policy for the other party on one side.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn forbid(&self, side: Side, other: EnrollmentId) {
        let policies = self
            .node()
            .list_policies(&self.admin, Some(side), None, 1_000)
            .await;
        for view in policies.expect("the policies").0 {
            let named = view.policy.rule().enrollments().contain(&other);
            if named && view.standing == Standing::Active {
                let id = view.policy.id();
                let revoked = self
                    .node()
                    .decide_policy(&self.admin, id, PolicyDecision::Revoke)
                    .await;
                revoked.expect("a revoked policy");
            }
        }
    }

    /// Its record of a connection.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn connection(&self, id: ConnectionId) -> Option<Connection> {
        let found = self.node().store().find::<Connection>(id.as_bytes()).await;
        found.expect("the store").map(|found| found.record)
    }

    /// Its records of all connections.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn connections(&self) -> Vec<Connection> {
        let found = self.node().store().all::<Connection>(&[]).await;
        found
            .expect("the store")
            .into_iter()
            .map(|found| found.record)
            .collect()
    }

    /// Its links that are not over.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn links(&self) -> Vec<Link> {
        let found = self.node().store().all::<Link>(&[]).await.expect("the store");
        let live = |link: &Link| !matches!(link.stage, Stage::Removed { .. });
        found.into_iter().map(|found| found.record).filter(live).collect()
    }

    /// Its link to the other party, whatever the link's stage.
    pub async fn link_to(&self, other: EnrollmentId) -> Option<Link> {
        let links = self.links().await;
        links.into_iter().find(|link| link.enrollment() == Some(other))
    }

    /// Every key and value of these tables, as they are stored.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn contents(&self, tables: &[Table]) -> Vec<(Table, Bytes, Bytes)> {
        let mut rows = Vec::new();
        for table in tables {
            let range = Range::prefix(*table, Bytes::new(), EVERYTHING);
            let found = self.kit().store.range(range).await.expect("the store");
            rows.extend(found.into_iter().map(|(key, entry)| (*table, key, entry.value)));
        }
        rows
    }
}

async fn hired(node: &Node, admin: &Caller, name: &str, role: Role, space: &str) -> Caller {
    let name = name.parse().expect("a name");
    let (_, token) = node
        .create_principal(admin, name, role, Some(space))
        .await
        .expect("a principal");
    node.authenticate(&token.expose()).await.expect("a caller")
}
