//! Two joined parties with airports, and the pump between them.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use peerd_core::ConnectionId;
use peerd_core::peering;
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_node::exchange::{Ack, Batch, Change, Exporter, Flow, Importer};
use peerd_node::object::{Edits, ObjectAt};
use peerd_node::peer::{Peer, Recognised};
use peerd_node::sharing::Ways;
use peerd_testkit::Party;

use crate::pair::{OBJECTS, Pair};

pub(crate) const BOTH: Ways = Ways {
    export: true,
    import: true,
};

/// Airports, which may have a name.
pub(crate) const AIRPORTS: &str = r#"{"object_types": [{"name": "airport", "primary_key": "faa",
    "properties": {"faa": "string", "name": {"type": "string", "nullable": true}}}]}"#;
/// Airports, which must have one.
pub(crate) const NAMED: &str = r#"{"object_types": [{"name": "airport", "primary_key": "faa",
    "properties": {"faa": "string", "name": "string"}}]}"#;

pub(crate) struct World {
    pub(crate) pair: Pair,
    pub(crate) connection: ConnectionId,
}

pub(crate) async fn peer(party: &Party, other: &Party) -> Peer {
    match party.node().recognise(&other.presented()).await.unwrap() {
        Recognised::Peer(peer) => peer,
        Recognised::Stranger => panic!("no peer"),
    }
}

pub(crate) fn at(key: &str) -> ObjectAt {
    ObjectAt {
        space: "main".into(),
        object_type: "airport".into(),
        key: key.into(),
    }
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()
}

pub(crate) async fn create(party: &Party, key: &str, name: &str) {
    let values = texts(&[("faa", key), ("name", name)]);
    let made = party
        .node()
        .create_object(&party.admin, "main", "airport", &values)
        .await;
    made.unwrap();
}

pub(crate) async fn edit(party: &Party, key: &str, name: &str) {
    let edits = Edits {
        set: texts(&[("name", name)]),
        clear: Vec::new(),
    };
    let edited = party.node().edit_object(&party.admin, &at(key), &edits).await;
    edited.unwrap();
}

/// Sets the level of an airport; nothing is marked.
pub(crate) async fn classify(party: &Party, key: &str, level: Option<&str>) {
    let security = Security {
        classification: level.map(|level| level.parse().unwrap()),
        ..Security::unrestricted()
    };
    let set = party
        .node()
        .set_object_security(&party.admin, &at(key), &security)
        .await;
    set.unwrap();
}

/// The name of an airport as a reader sees it; `None` when there is no such airport.
pub(crate) async fn name(party: &Party, key: &str) -> Option<String> {
    let found = party.node().object(&party.admin, &at(key)).await.ok()?;
    Some(format!("{:?}", found.properties.get("name")?))
}

pub(crate) async fn count(party: &Party) -> u64 {
    let count = party.node().count_objects(&party.admin, "main", "airport").await;
    count.unwrap()
}

pub(crate) async fn apply(party: &Party, ontology: &str) {
    let file = serde_json::from_str(ontology).unwrap();
    let applied = party.node().apply_ontology(&party.admin, "main", &file).await;
    applied.unwrap();
}

impl World {
    /// Joined, with airports on both sides, nothing shared.
    pub(crate) async fn joined(security: Security) -> World {
        World::joined_with(security, AIRPORTS).await
    }

    /// Joined, with this ontology on both sides, nothing shared.
    pub(crate) async fn joined_with(security: Security, ontology: &str) -> World {
        World::joined_for(OBJECTS, security, ontology).await
    }

    /// The same for this flow, as a sees it.
    pub(crate) async fn joined_for(flow: peering::Flow, security: Security, ontology: &str) -> World {
        let pair = Pair::linked().await;
        for party in [&pair.a, &pair.b] {
            apply(party, ontology).await;
        }
        let mut ask = pair.ask(flow).await;
        ask.security = security;
        let asked = pair.a.node().request_connection(&pair.a.manager, ask).await;
        let invitation = asked.unwrap();
        pair.approve(&invitation.code).await.unwrap();
        pair.carry().await;
        let connection = invitation.id;
        let activated = pair
            .a
            .node()
            .activate_connection(&pair.a.manager, connection)
            .await;
        activated.unwrap();
        pair.carry().await;
        World { pair, connection }
    }

    /// The same with airports shared both ways.
    pub(crate) async fn shared() -> World {
        World::shared_with(Security::unrestricted()).await
    }

    /// The same with this security.
    pub(crate) async fn shared_with(security: Security) -> World {
        let world = World::joined(security).await;
        world.share(&world.pair.a, BOTH).await;
        world.share(&world.pair.b, BOTH).await;
        world.tell().await;
        world
    }

    /// The same with airports shared from a to b alone: source rows go one way.
    pub(crate) async fn one_way() -> World {
        World::one_way_with(AIRPORTS).await
    }

    /// The same with this ontology.
    pub(crate) async fn one_way_with(ontology: &str) -> World {
        let world = World::joined_with(Security::unrestricted(), ontology).await;
        let ways = |export| Ways {
            export,
            import: !export,
        };
        world.share(&world.pair.a, ways(true)).await;
        world.share(&world.pair.b, ways(false)).await;
        world.tell().await;
        world
    }

    pub(crate) async fn share(&self, party: &Party, ways: Ways) {
        self.share_types(party, &["airport"], ways).await;
    }

    pub(crate) async fn share_types(&self, party: &Party, types: &[&str], ways: Ways) {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        let shared = party
            .node()
            .share_types(&party.manager, self.connection, &types, ways)
            .await;
        shared.unwrap();
    }

    /// Each side tells the other what it shares.
    pub(crate) async fn tell(&self) {
        let (a, b) = (&self.pair.a, &self.pair.b);
        for (from, to) in [(a, b), (b, a)] {
            let told = from.node().sharings(&peer(from, to).await).await.unwrap();
            let teller = peer(to, from).await;
            for one in told {
                let taken = to
                    .node()
                    .receive_sharing(&teller, one.connection, one.revision, one.content);
                taken.await.unwrap();
            }
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow {
            connection: self.connection,
            object_type: "airport".into(),
        }
    }

    /// One stream of objects of this type, by its name at the sender.
    pub(crate) async fn pump_type(&self, from: &Party, to: &Party, object_type: &str) -> (usize, usize) {
        let flow = Flow {
            connection: self.connection,
            object_type: object_type.into(),
        };
        let opened = Importer::open(to.node(), &peer(to, from).await, flow.clone()).await;
        let mut importer = opened.unwrap();
        let position = importer.position().clone();
        let opened = Exporter::open(from.node(), &peer(from, to).await, flow, position).await;
        drain(&mut opened.unwrap(), &mut importer).await
    }

    pub(crate) async fn importer(&self, from: &Party, to: &Party) -> Importer {
        let opened = Importer::open(to.node(), &peer(to, from).await, self.flow()).await;
        opened.unwrap()
    }

    pub(crate) async fn exporter(&self, from: &Party, to: &Party, importer: &Importer) -> Exporter {
        let position = importer.position().clone();
        let opened = Exporter::open(from.node(), &peer(from, to).await, self.flow(), position).await;
        opened.unwrap()
    }

    /// One stream from where the importer stands to its end: how many states and how many retractions went.
    pub(crate) async fn pump(&self, from: &Party, to: &Party) -> (usize, usize) {
        let mut importer = self.importer(from, to).await;
        let mut exporter = self.exporter(from, to, &importer).await;
        drain(&mut exporter, &mut importer).await
    }

    /// a to b.
    pub(crate) async fn forth(&self) -> (usize, usize) {
        self.pump(&self.pair.a, &self.pair.b).await
    }

    /// b to a.
    pub(crate) async fn back(&self) -> (usize, usize) {
        self.pump(&self.pair.b, &self.pair.a).await
    }

    pub(crate) async fn forbid(&self, party: &Party, side: Side) {
        let other = if party.id() == self.pair.a.id() {
            self.pair.b.id()
        } else {
            self.pair.a.id()
        };
        party.forbid(side, other).await;
    }
}

/// The next batch, if there is one without anything else happening: the in-memory store never makes anyone wait.
pub(crate) fn ready(exporter: &mut Exporter) -> Option<Batch> {
    exporter.next().now_or_never().map(Result::unwrap)
}

/// Moves every batch that is ready, with its acknowledgement.
pub(crate) async fn drain(exporter: &mut Exporter, importer: &mut Importer) -> (usize, usize) {
    let mut moved = (0, 0);
    while let Some(batch) = ready(exporter) {
        for item in &batch.items {
            match item.change {
                Change::State(_) => moved.0 += 1,
                Change::Retraction => moved.1 += 1,
            }
        }
        let ack: Ack = importer.apply(batch).await.unwrap();
        exporter.acknowledged(ack).await.unwrap();
    }
    moved
}
