//! Mapped schemas that drift apart: that type stops with its place kept, says so, and goes on by itself.

use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::policy::Direction;
use peerd_core::security::Security;
use peerd_node::connection::FeedProgress;
use peerd_node::exchange::Importer;
use peerd_node::sharing::{MappingView, Ways, Wish};
use peerd_testkit::Party;

use crate::refused::load;
use crate::world::{AIRPORTS, BOTH, NAMED, World, apply, count, drain, peer, ready};

async fn feeds(world: &World, party: &Party) -> Vec<FeedProgress> {
    let shown = party
        .node()
        .show_connection(&party.manager, world.connection)
        .await;
    shown.unwrap().feeds
}

async fn mappings(world: &World, party: &Party) -> Vec<MappingView> {
    let listed = party.node().list_mappings(&party.manager, world.connection);
    listed.await.unwrap()
}

async fn exports(from: &Party, to: &Party) -> usize {
    let flows = from.node().flows(&peer(from, to).await).await.unwrap();
    flows.exports.len()
}

#[tokio::test]
async fn a_schema_that_drifts_stops_its_type_with_its_place_kept_until_it_fits_again() {
    let world = World::one_way_with(NAMED).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK", "LGA"] {
        load(a, key, "an airport").await;
    }
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (3, 0));

    // A name may be missing at a now; b cannot take that.
    apply(a, AIRPORTS).await;
    world.tell().await;
    load(a, "NEW", "").await;
    assert_eq!(ready(&mut exporter), None, "an open stream stops");
    importer.until_denied().now_or_never().expect("at both ends");
    assert_eq!(exports(a, b).await, 0);
    assert!(
        b.node()
            .flows(&peer(b, a).await)
            .await
            .unwrap()
            .imports
            .is_empty()
    );
    let opened = Importer::open(b.node(), &peer(b, a).await, world.flow()).await;
    assert_eq!(opened.unwrap_err().reason(), Reason::WrongStage);
    assert_eq!(count(b).await, 3, "what came stays");

    for (party, why) in [(a, "drifted apart"), (b, "name must have a value here")] {
        let [mapping] = &mappings(&world, party).await[..] else {
            panic!("one type");
        };
        assert!(mapping.problem.contains(why), "{}", mapping.problem);
        let [feed] = &feeds(&world, party).await[..] else {
            panic!("one feed");
        };
        assert!(feed.reason.contains(why), "{}", feed.reason);
        assert_eq!((feed.in_sync, feed.lane.as_str()), (false, "off"));
        assert!(feed.cursor > 0, "its place is kept");
    }

    // b follows: only what is new is said.
    apply(b, AIRPORTS).await;
    world.tell().await;
    assert_eq!(exports(a, b).await, 1);
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(count(b).await, 4);
    for party in [a, b] {
        assert!(
            feeds(&world, party)
                .await
                .iter()
                .all(|feed| feed.reason.is_empty())
        );
        assert!(
            mappings(&world, party)
                .await
                .iter()
                .all(|it| it.problem.is_empty())
        );
    }
}

#[tokio::test]
async fn a_stopped_type_stops_no_other() {
    const TWO: &str = r#"{"object_types": [
        {"name": "airport", "primary_key": "faa", "properties": {"faa": "string", "name": "string"}},
        {"name": "gate", "primary_key": "id", "properties": {"id": "string"}}]}"#;
    let world = World::joined_with(Security::unrestricted(), TWO).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for party in [a, b] {
        world.share_types(party, &["airport", "gate"], BOTH).await;
    }
    world.tell().await;
    let relaxed = TWO.replace(
        r#""name": "string"}"#,
        r#""name": {"type": "string", "nullable": true}}"#,
    );
    apply(a, &relaxed).await;
    world.tell().await;
    let made = |key: &str| [("id".to_owned(), key.to_owned())].into();
    a.node()
        .create_object(&a.admin, "main", "gate", &made("A1"))
        .await
        .unwrap();
    assert_eq!(world.pump_type(a, b, "gate").await, (1, 0));
    // The other way nothing drifted: what has a name always fits where it may be missing.
    crate::world::create(b, "LHR", "Heathrow").await;
    assert_eq!(world.pump_type(b, a, "airport").await, (1, 0));
    let stopped: Vec<_> = feeds(&world, b)
        .await
        .into_iter()
        .filter(|feed| !feed.reason.is_empty())
        .collect();
    assert_eq!(stopped.len(), 1);
    assert_eq!(
        (stopped[0].object_type.as_str(), stopped[0].direction),
        ("airport", Direction::Import)
    );
}

#[tokio::test]
async fn b059_what_was_parked_is_tried_again_when_its_stream_opens_and_not_for_ever() {
    let world = World::one_way_with(NAMED).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    // b has not heard yet that names may be missing at a.
    apply(a, AIRPORTS).await;
    load(a, "NEW", "").await;
    assert_eq!(world.forth().await, (1, 0));
    let attempts = async || {
        let listed = b.node().list_parked(&b.manager, None, None, 10).await.unwrap().0;
        listed.iter().map(|it| it.attempts).collect::<Vec<_>>()
    };
    assert_eq!(attempts().await, [1]);
    for expected in [2, 3, 4, 5, 5] {
        assert_eq!(world.forth().await, (0, 0));
        assert_eq!(attempts().await, [expected]);
    }
    let world = World::one_way_with(NAMED).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    apply(a, AIRPORTS).await;
    load(a, "NEW", "").await;
    world.forth().await;
    apply(b, AIRPORTS).await;
    assert_eq!(world.forth().await, (0, 0));
    assert_eq!(count(b).await, 1, "once it fits, it is taken without an operator");
    assert!(
        b.node()
            .list_parked(&b.manager, None, None, 10)
            .await
            .unwrap()
            .0
            .is_empty()
    );
}

/// Airports of b under another name, with one property less, and the flights that refer to them.
const FLUGHAFEN: &str = r#"{"object_types": [
    {"name": "flughafen", "primary_key": "kuerzel", "properties": {
        "kuerzel": "string", "titel": {"type": "string", "nullable": true}}},
    {"name": "flight", "primary_key": "id", "properties": {
        "id": "string", "origin": {"type": "reference", "to": "flughafen", "nullable": true}}}]}"#;
const AIRPORT: &str = r#"{"object_types": [
    {"name": "airport", "primary_key": "faa", "properties": {
        "faa": "string", "name": {"type": "string", "nullable": true}, "secret": {"type": "string", "nullable": true}}},
    {"name": "flight", "primary_key": "id", "properties": {
        "id": "string", "origin": {"type": "reference", "to": "airport", "nullable": true}}}]}"#;

fn wish(local: &str, remote: &str, properties: &[(&str, &str)]) -> Wish {
    Wish {
        local_type: local.into(),
        remote_type: remote.into(),
        properties: properties
            .iter()
            .map(|(a, b)| ((*a).into(), (*b).into()))
            .collect(),
        source: None,
        actions: None,
    }
}

/// Both named as above, mapped at b.
async fn renamed() -> World {
    let world = World::joined_with(Security::unrestricted(), r#"{"object_types": []}"#).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    apply(a, AIRPORT).await;
    apply(b, FLUGHAFEN).await;
    world.share_types(a, &["airport", "flight"], BOTH).await;
    world.share_types(b, &["flughafen", "flight"], BOTH).await;
    world.tell().await;
    for wish in [
        wish("flughafen", "airport", &[("kuerzel", "faa"), ("titel", "name")]),
        wish("flight", "flight", &[]),
    ] {
        let made = b.node().create_mapping(&b.manager, world.connection, &wish);
        made.await.unwrap();
    }
    world.tell().await;
    world
}

async fn properties(party: &Party, of: &str, key: &str) -> Vec<(String, serde_json::Value)> {
    let at = peerd_node::object::ObjectAt {
        space: "main".into(),
        object_type: of.into(),
        key: key.into(),
    };
    let found = party.node().object(&party.admin, &at).await.unwrap();
    let properties = found.properties.into_iter();
    properties
        .map(|(name, value)| (name.to_string(), value.to_json()))
        .collect()
}

async fn create(party: &Party, of: &str, values: &[(&str, &str)]) {
    let values = values.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
    let made = party.node().create_object(&party.admin, "main", of, &values);
    made.await.unwrap();
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, serde_json::Value)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

#[tokio::test]
async fn b084_references_are_read_under_the_readers_names_there_and_back() {
    let world = renamed().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(
        a,
        "airport",
        &[("faa", "EWR"), ("name", "Newark"), ("secret", "x")],
    )
    .await;
    create(a, "flight", &[("id", "UA1"), ("origin", "EWR")]).await;
    assert_eq!(world.pump_type(a, b, "airport").await, (1, 0));
    assert_eq!(world.pump_type(a, b, "flight").await, (1, 0));
    assert_eq!(
        properties(b, "flughafen", "EWR").await,
        told(&[("kuerzel", "EWR"), ("titel", "Newark")])
    );
    assert_eq!(
        properties(b, "flight", "UA1").await,
        told(&[("id", "UA1"), ("origin", "EWR")])
    );
    let of = b.node().show_ontology(&b.admin, "main").await.unwrap();
    let origin = &of.object_type("flight").unwrap().named("origin").unwrap().of;
    assert_eq!(
        origin.to_string(),
        "reference to flughafen",
        "what it names is here under this name"
    );
    // Back under a's own names, with a's mapping.
    for wish in [
        wish("airport", "flughafen", &[("faa", "kuerzel"), ("name", "titel")]),
        wish("flight", "flight", &[]),
    ] {
        let made = a.node().create_mapping(&a.manager, world.connection, &wish);
        made.await.unwrap();
    }
    world.tell().await;
    create(b, "flight", &[("id", "LH1"), ("origin", "MUC")]).await;
    assert_eq!(world.pump_type(b, a, "flight").await, (1, 0));
    assert_eq!(
        properties(a, "flight", "LH1").await,
        told(&[("id", "LH1"), ("origin", "MUC")])
    );
    // Lanes are others with a's mapping, so all is said once more; then it is at rest.
    world.pump_type(a, b, "flight").await;
    assert_eq!(world.pump_type(a, b, "flight").await, (0, 0));
}

#[tokio::test]
async fn b083_a_property_that_is_not_mapped_is_neither_sent_nor_taken_and_what_came_is_counted() {
    let world = renamed().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(
        a,
        "airport",
        &[("faa", "EWR"), ("name", "Newark"), ("secret", "hush")],
    )
    .await;
    // b takes no names any more, and a has not heard of it.
    let fewer = wish("flughafen", "airport", &[("kuerzel", "faa")]);
    b.node()
        .create_mapping(&b.manager, world.connection, &fewer)
        .await
        .unwrap();
    assert_eq!(world.pump_type(a, b, "airport").await, (1, 0));
    assert_eq!(
        properties(b, "flughafen", "EWR").await,
        told(&[("kuerzel", "EWR")])
    );
    let dropped = async || {
        let feeds = feeds(&world, b).await;
        let feed = feeds
            .into_iter()
            .find(|feed| feed.object_type == "flughafen" && feed.direction == Direction::Import);
        feed.unwrap().dropped
    };
    assert_eq!(dropped().await, 1, "the name, for the secret was never sent");
    world.tell().await;
    crate::world::edit(a, "EWR", "Liberty").await;
    world.pump_type(a, b, "airport").await;
    assert_eq!(
        dropped().await,
        1,
        "once a knows, it sends no more than is wanted"
    );
}

#[tokio::test]
async fn only_shared_schemas_are_told_with_growing_revisions_and_each_side_decides_its_ways() {
    let world = World::joined_with(Security::unrestricted(), AIRPORT).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let out = Ways {
        export: true,
        import: false,
    };
    world.share_types(a, &["airport"], out).await;
    let told = async || a.node().sharings(&peer(a, b).await).await.unwrap().remove(0);
    let first = told().await;
    let text = String::from_utf8_lossy(&first.content).into_owned();
    assert!(text.contains("airport") && !text.contains("flight"), "{text}");
    world.tell().await;
    let [seen] = &mappings(&world, b).await[..] else {
        panic!("one type of a");
    };
    assert_eq!(
        (seen.local_type.as_str(), seen.remote_type.as_str()),
        ("", "airport")
    );
    assert_eq!((seen.theirs, seen.ours.export), (out, false));
    world.share_types(a, &["airport", "flight"], BOTH).await;
    let second = told().await;
    assert!(second.revision > first.revision);
    // What is older than what is known is ignored, in whatever order it comes.
    let teller = peer(b, a).await;
    for one in [second.clone(), first] {
        b.node()
            .receive_sharing(&teller, one.connection, one.revision, one.content)
            .await
            .unwrap();
    }
    assert_eq!(mappings(&world, b).await.len(), 2);
    // Equal names of unequal types are not the same.
    let other = AIRPORT.replace(
        r#""name": "airport", "primary_key": "faa""#,
        r#""name": "field", "primary_key": "faa""#,
    );
    assert!(other.contains("field"));
    let refused = b
        .node()
        .create_mapping(
            &b.manager,
            world.connection,
            &wish("airport", "airport", &[("faa", "faa"), ("name", "id")]),
        )
        .await;
    assert!(refused.is_err(), "there is no such property there");
    let made = a
        .node()
        .create_mapping(&a.manager, world.connection, &wish("flight", "flight", &[]))
        .await;
    assert!(made.is_err(), "b has not made flights available");
}
