//! Many-to-many links between two sides: in a feed of their own, under the names of whoever reads them.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::peering::Imported;
use peerd_core::security::Security;
use peerd_node::exchange::{Change, Exporter, Flow, Importer};
use peerd_node::object::{LinkAt, LinksOf, ObjectAt};
use peerd_node::sharing::Wish;
use peerd_testkit::Party;

use crate::pair::up_to;
use crate::world::{BOTH, World, apply, drain, peer, ready};

/// Airports, and which are near each other.
const NEAR: &str = r#"{"object_types": [{"name": "airport", "primary_key": "faa",
    "properties": {"faa": "string", "name": {"type": "string", "nullable": true}}}],
    "link_types": [{"name": "near", "kind": "many-to-many", "between": ["airport", "airport"]}]}"#;
/// The same in other words.
const NAHE: &str = r#"{"object_types": [{"name": "flughafen", "primary_key": "kuerzel",
    "properties": {"kuerzel": "string", "name": {"type": "string", "nullable": true}}}],
    "link_types": [{"name": "nahe", "kind": "many-to-many", "between": ["flughafen", "flughafen"]}]}"#;

fn link_at(link_type: &str, (from, to): (&str, &str)) -> LinkAt {
    LinkAt {
        space: "main".into(),
        link_type: link_type.into(),
        from: from.into(),
        to: to.into(),
    }
}

async fn link(party: &Party, link_type: &str, ends: (&str, &str)) {
    let at = link_at(link_type, ends);
    party.node().link_objects(&party.admin, &at).await.unwrap();
}

async fn unlink(party: &Party, link_type: &str, ends: (&str, &str)) {
    let at = link_at(link_type, ends);
    party.node().unlink_objects(&party.admin, &at).await.unwrap();
}

/// What an object is linked to, and whether that is here.
async fn linked(party: &Party, object_type: &str, key: &str) -> Vec<(String, bool)> {
    let asked = LinksOf {
        object: ObjectAt {
            space: "main".into(),
            object_type: object_type.into(),
            key: key.into(),
        },
        link_type: None,
        after: None,
        limit: 100,
    };
    let page = party.node().list_object_links(&party.admin, &asked).await;
    let links = page.unwrap().links.into_iter();
    links.map(|link| (link.other.to_string(), link.present)).collect()
}

async fn count(party: &Party, of: &str) -> u64 {
    let count = party.node().count_objects(&party.admin, "main", of).await;
    count.unwrap()
}

async fn airport(party: &Party, key: &str) {
    crate::world::create(party, key, "an airport").await;
}

/// Airports and links shared both ways, at a: two airports near each other and one that is not here.
async fn near(security: Security) -> World {
    let world = World::joined_with(security, NEAR).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for party in [a, b] {
        world.share_types(party, &["airport", "near"], BOTH).await;
    }
    world.tell().await;
    for key in ["EWR", "JFK"] {
        airport(a, key).await;
    }
    link(a, "near", ("EWR", "JFK")).await;
    link(a, "near", ("EWR", "LGA")).await;
    world
}

#[tokio::test]
async fn links_cross_in_a_feed_of_their_own_and_say_what_is_not_here_yet() {
    let world = near(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let types: Vec<String> = {
        let flows = a.node().flows(&peer(a, b).await).await.unwrap();
        flows.exports.into_iter().map(|flow| flow.object_type).collect()
    };
    assert_eq!(types, ["airport", "near"]);
    assert_eq!(world.pump_type(a, b, "near").await, (2, 0));
    airport(b, "EWR").await;
    let there = |key: &str, present| (format!("airport/{key}"), present);
    assert_eq!(
        linked(b, "airport", "EWR").await,
        [there("JFK", false), there("LGA", false)]
    );
    assert_eq!(world.pump_type(a, b, "airport").await, (2, 0));
    assert_eq!(
        linked(b, "airport", "EWR").await,
        [there("JFK", true), there("LGA", false)]
    );
    // From the other side, and an end of what came from here.
    link(b, "near", ("JFK", "LGA")).await;
    unlink(b, "near", ("EWR", "LGA")).await;
    assert_eq!(world.pump_type(b, a, "near").await, (2, 0));
    assert_eq!(linked(a, "airport", "EWR").await, [there("JFK", true)]);
    assert_eq!(
        linked(a, "airport", "JFK").await,
        [there("LGA", false), there("EWR", true)]
    );
    world.pump_type(a, b, "near").await;
    for (from, to) in [(a, b), (b, a)] {
        assert_eq!(
            world.pump_type(from, to, "near").await,
            (0, 0),
            "it comes to rest"
        );
    }
}

#[tokio::test]
async fn one_link_made_on_both_sides_is_one_link_without_a_conflict() {
    let world = near(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    link(b, "near", ("JFK", "EWR")).await;
    for _ in 0..4 {
        world.pump_type(a, b, "near").await;
        world.pump_type(b, a, "near").await;
    }
    for party in [a, b] {
        assert_eq!(count(party, "near").await, 2);
        let conflicts = party.node().list_conflicts(&party.admin, "main", None, 10).await;
        assert_eq!(conflicts.unwrap().0, []);
    }
}

#[tokio::test]
async fn b084_links_are_read_under_the_readers_names_and_go_back_under_the_senders() {
    let world = World::joined_with(Security::unrestricted(), NEAR).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let both: serde_json::Value = serde_json::from_str(NEAR).unwrap();
    let other: serde_json::Value = serde_json::from_str(NAHE).unwrap();
    let joined = |part: &str| {
        let of = |all: &serde_json::Value| all[part].as_array().unwrap().clone();
        [of(&both), of(&other)].concat()
    };
    let all = serde_json::json!({"object_types": joined("object_types"), "link_types": joined("link_types")});
    apply(b, &all.to_string()).await;
    world.share_types(a, &["airport", "near"], BOTH).await;
    world.share_types(b, &["flughafen", "nahe"], BOTH).await;
    world.tell().await;
    let map = async |local: &str, remote: &str, properties: &[(&str, &str)]| {
        let wish = Wish {
            local_type: local.into(),
            remote_type: remote.into(),
            properties: properties
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
            source: None,
            actions: None,
        };
        b.node().create_mapping(&b.manager, world.connection, &wish).await
    };
    // Until the ends mean the same, the links do not.
    assert!(map("nahe", "near", &[]).await.is_err());
    map("flughafen", "airport", &[("kuerzel", "faa"), ("name", "name")])
        .await
        .unwrap();
    let crossed = [("link", "link"), ("left", "right"), ("right", "left")];
    let refused = map("nahe", "near", &crossed).await.unwrap_err();
    assert!(refused.told().contains("end to end"), "{}", refused.told());
    map("nahe", "near", &[]).await.unwrap();
    world.tell().await;

    for key in ["EWR", "JFK"] {
        airport(a, key).await;
    }
    link(a, "near", ("JFK", "EWR")).await;
    assert_eq!(world.pump_type(a, b, "airport").await, (2, 0));
    assert_eq!(world.pump_type(a, b, "near").await, (1, 0));
    assert_eq!(
        linked(b, "flughafen", "EWR").await,
        [("flughafen/JFK".into(), true)]
    );
    unlink(b, "nahe", ("JFK", "EWR")).await;
    link(b, "nahe", ("JFK", "LGA")).await;
    // b's own exports bear its names; what came from a goes back to a, under a's mapping.
    let wish = Wish {
        local_type: "near".into(),
        remote_type: "nahe".into(),
        properties: Vec::new(),
        source: None,
        actions: None,
    };
    let airports = Wish {
        local_type: "airport".into(),
        remote_type: "flughafen".into(),
        properties: vec![("faa".into(), "kuerzel".into()), ("name".into(), "name".into())],
        ..wish.clone()
    };
    for wish in [&airports, &wish] {
        a.node()
            .create_mapping(&a.manager, world.connection, wish)
            .await
            .unwrap();
    }
    world.tell().await;
    assert_eq!(world.pump_type(b, a, "nahe").await, (2, 0));
    assert_eq!(linked(a, "airport", "EWR").await, []);
    assert_eq!(linked(a, "airport", "JFK").await, [("airport/LGA".into(), false)]);
}

#[tokio::test]
async fn b062_a_link_whose_key_says_something_else_is_parked() {
    let world = near(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let flow = Flow {
        connection: world.connection,
        object_type: "near".into(),
    };
    let opened = Importer::open(b.node(), &peer(b, a).await, flow.clone()).await;
    let mut importer = opened.unwrap();
    let opened = Exporter::open(a.node(), &peer(a, b).await, flow, importer.position().clone()).await;
    let mut batch = ready(&mut opened.unwrap()).unwrap();
    assert_eq!(batch.items.len(), 2);
    // The states are sound; the keys they come under are others, or none.
    batch.items[0].key = "3:JFKSFO".into();
    batch.items[1].key = "JFK-LGA".into();
    let Change::State(bytes) = &batch.items[0].change else {
        panic!("a state");
    };
    assert_ne!(*bytes, Bytes::new());
    let ack = importer.apply(batch).await.unwrap();
    let reasons: Vec<_> = ack.refusals.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::ObjectInvalid; 2]);
    assert_eq!(count(b, "near").await, 0);
}

#[tokio::test]
async fn b106_links_obey_the_security_of_the_connection_and_go_with_it() {
    let world = near(up_to("internal")).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    crate::world::classify(a, "JFK", Some("secret")).await;
    // Born with what its end carries, it does not cross.
    airport(a, "SFO").await;
    link(a, "near", ("JFK", "SFO")).await;
    assert_eq!(world.pump_type(a, b, "near").await, (2, 0));
    let at = ObjectAt {
        space: "main".into(),
        object_type: "near".into(),
        key: "3:EWRJFK".into(),
    };
    let secret = up_to("secret");
    let set = a.node().set_object_security(&a.admin, &at, &secret).await;
    set.unwrap();
    assert_eq!(world.pump_type(a, b, "near").await, (0, 1));
    assert_eq!(count(b, "near").await, 1);
    // What came goes with the connection, links like airports.
    let closed = b
        .node()
        .close_connection(&b.manager, world.connection, Imported::Purge, false);
    closed.await.unwrap();
    b.node().remove_due_imports().await.unwrap();
    assert_eq!(count(b, "near").await, 0);
}

#[tokio::test]
async fn links_that_are_not_shared_do_not_cross() {
    let world = World::joined_with(Security::unrestricted(), NEAR).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    world.share_types(a, &["airport"], BOTH).await;
    world.share_types(b, &["airport", "near"], BOTH).await;
    world.tell().await;
    link(a, "near", ("EWR", "JFK")).await;
    for (party, other) in [(a, b), (b, a)] {
        let flows = party.node().flows(&peer(party, other).await).await.unwrap();
        let types = flows.exports.into_iter().map(|flow| flow.object_type);
        assert_eq!(types.collect::<Vec<_>>(), ["airport"]);
    }
    let unshared = a.node().unshare_type(&a.manager, world.connection, "near").await;
    unshared.unwrap();
    let flow = Flow {
        connection: world.connection,
        object_type: "near".into(),
    };
    assert!(Importer::open(b.node(), &peer(b, a).await, flow).await.is_err());
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (0, 0));
}
