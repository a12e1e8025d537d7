//! Links between objects, of all three kinds, from both ends, and for whoever may not see all of it.

use peerd_core::Reason;
use peerd_core::authz::{Action, Role};
use peerd_core::ontology::{ApiName, Ontology, OntologyFile};
use peerd_node::object::{End, LinkAt, LinkPage, LinkPlace, LinkView, LinksOf, ObjectAt};
use peerd_node::{Caller, Error};

use crate::world::{SPACE, World, header, marked, texts};

fn file() -> OntologyFile {
    let file = r#"{"object_types": [
        {"name": "airport", "primary_key": "faa", "properties": {
            "faa": "string", "name": {"type": "string", "nullable": true}, "alt": {"type": "integer", "nullable": true},
            "lat": {"type": "double", "nullable": true}, "opened": {"type": "date", "nullable": true},
            "open": {"type": "boolean", "nullable": true},
            "tags": {"type": "array", "items": "string", "nullable": true}}},
        {"name": "gate", "primary_key": "number", "properties": {"number": "integer", "letter": "string"}},
        {"name": "flight", "primary_key": "id", "properties": {
            "id": "string", "origin": {"type": "reference", "to": "airport", "nullable": true},
            "gate": {"type": "integer", "nullable": true}}},
        {"name": "stay", "primary_key": "id", "properties": {
            "id": "string", "flight": {"type": "reference", "to": "flight", "nullable": true},
            "gate": {"type": "reference", "to": "gate"}, "hours": {"type": "integer", "nullable": true}}}],
        "link_types": [
            {"name": "flight_origin", "kind": "foreign-key", "from": "flight.origin", "to": "airport"},
            {"name": "flight_gate", "kind": "foreign-key", "from": "flight.gate", "to": "gate"},
            {"name": "near", "kind": "many-to-many", "between": ["airport", "airport"]},
            {"name": "serves", "kind": "many-to-many", "between": ["gate", "flight"]},
            {"name": "stays", "kind": "object-backed", "via": "stay", "from": "flight", "to": "gate"}]}"#;
    serde_json::from_str(file).unwrap()
}

async fn world() -> World {
    let world = World::new().await;
    let applied = world.it.node.apply_ontology(&world.admin, SPACE, &file()).await;
    applied.unwrap();
    world
}

impl World {
    async fn create(&self, of: &str, values: &[(&str, &str)]) {
        let made = self
            .it
            .node
            .create_object(&self.admin, SPACE, of, &texts(values))
            .await;
        made.unwrap();
    }

    async fn link(&self, caller: &Caller, link_type: &str, from: &str, to: &str) -> Result<String, Error> {
        let made = self
            .it
            .node
            .link_objects(caller, &link_at(link_type, from, to))
            .await?;
        Ok(made.key.primary_key().to_owned())
    }

    async fn page(&self, caller: &Caller, asked: &LinksOf) -> Result<LinkPage, Error> {
        self.it.node.list_object_links(caller, asked).await
    }

    /// All links: type, end, other key, present.
    async fn links(&self, caller: &Caller, of: &str, key: &str) -> Vec<(String, End, String, bool)> {
        let page = self.page(caller, &links_of(of, key)).await.unwrap();
        assert_eq!(page.next, None);
        let told = |link: LinkView| {
            let other = link.other.to_string();
            (link.link_type.to_string(), link.end, other, link.present)
        };
        page.links.into_iter().map(told).collect()
    }
}

fn link_at(link_type: &str, from: &str, to: &str) -> LinkAt {
    LinkAt {
        space: SPACE.into(),
        link_type: link_type.into(),
        from: from.into(),
        to: to.into(),
    }
}

fn object(of: &str, key: &str) -> ObjectAt {
    ObjectAt {
        space: SPACE.into(),
        object_type: of.into(),
        key: key.into(),
    }
}

fn links_of(of: &str, key: &str) -> LinksOf {
    LinksOf {
        object: object(of, key),
        link_type: None,
        after: None,
        limit: 100,
    }
}

fn told(link: &str, end: End, other: &str, present: bool) -> (String, End, String, bool) {
    (link.into(), end, other.into(), present)
}

/// A flight from Newark at gate 7, which stays there, and airports near each other.
async fn linked() -> World {
    let world = world().await;
    for key in ["EWR", "JFK", "LGA"] {
        world.create("airport", &[("faa", key)]).await;
    }
    world.create("gate", &[("number", "7"), ("letter", "B")]).await;
    world
        .create("flight", &[("id", "UA1"), ("origin", "EWR"), ("gate", "7")])
        .await;
    world
        .create("stay", &[("id", "s1"), ("flight", "UA1"), ("gate", "007")])
        .await;
    for (link_type, from, to) in [
        ("near", "JFK", "EWR"),
        ("near", "EWR", "LGA"),
        ("near", "EWR", "EWR"),
    ] {
        world.link(&world.admin, link_type, from, to).await.unwrap();
    }
    world.link(&world.admin, "serves", "007", "UA1").await.unwrap();
    world
}

#[tokio::test]
async fn every_kind_of_link_is_followed_from_both_ends() {
    let world = linked().await;
    let admin = &world.admin;
    assert_eq!(
        world.links(admin, "flight", "UA1").await,
        [
            told("flight_gate", End::From, "gate/7", true),
            told("flight_origin", End::From, "airport/EWR", true),
            told("serves", End::To, "gate/7", true),
            told("stays", End::From, "gate/7", true),
        ]
    );
    assert_eq!(
        world.links(admin, "gate", "7").await,
        [
            told("flight_gate", End::To, "flight/UA1", true),
            told("serves", End::From, "flight/UA1", true),
            told("stays", End::To, "flight/UA1", true),
        ]
    );
    assert_eq!(
        world.links(admin, "airport", "EWR").await,
        [
            told("flight_origin", End::To, "flight/UA1", true),
            told("near", End::Either, "airport/EWR", true),
            told("near", End::Either, "airport/JFK", true),
            told("near", End::Either, "airport/LGA", true),
        ]
    );
    assert_eq!(
        world.links(admin, "airport", "LGA").await,
        [told("near", End::Either, "airport/EWR", true)]
    );
    let mut asked = links_of("airport", "EWR");
    asked.link_type = Some("flight_origin".into());
    assert_eq!(world.page(admin, &asked).await.unwrap().links.len(), 1);
    asked.link_type = Some("serves".into());
    assert_eq!(world.page(admin, &asked).await.unwrap().links, []);
}

#[tokio::test]
async fn a_link_is_made_once_ended_and_made_again() {
    let world = linked().await;
    let admin = &world.admin;
    let count = async || world.it.node.count_objects(admin, SPACE, "near").await.unwrap();
    assert_eq!(count().await, 3);
    // Either way round it is the same link.
    assert_eq!(world.link(admin, "near", "EWR", "JFK").await.unwrap(), "3:EWRJFK");
    assert_eq!(count().await, 3);
    let end = || async {
        let at = link_at("near", "JFK", "EWR");
        world.it.node.unlink_objects(admin, &at).await
    };
    end().await.unwrap();
    assert_eq!((count().await, end().await.is_err()), (2, true));
    assert_eq!(world.links(admin, "airport", "JFK").await, []);
    world.link(admin, "near", "JFK", "EWR").await.unwrap();
    assert_eq!(world.links(admin, "airport", "JFK").await.len(), 1);
    // A link is an object like others, and what it links is not to be edited.
    let edits = peerd_node::object::Edits {
        set: texts(&[("left", "LGA")]),
        clear: Vec::new(),
    };
    let at = object("near", "3:EWRJFK");
    let edited = world.it.node.edit_object(admin, &at, &edits).await.unwrap_err();
    assert_eq!(edited.reason(), Reason::ObjectInvalid);
    let made = world
        .it
        .node
        .create_object(admin, SPACE, "near", &texts(&[("left", "LGA"), ("right", "JFK")]))
        .await;
    assert_eq!(made.unwrap().key.primary_key(), "3:JFKLGA");
    let crooked = texts(&[("link", "3:JFKLGA"), ("left", "LGA"), ("right", "EWR")]);
    let refused = world.it.node.create_object(admin, SPACE, "near", &crooked).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::ObjectInvalid);
}

#[tokio::test]
async fn links_are_loaded_by_their_ends() {
    let world = linked().await;
    let mut load = header(&["left", "right"]);
    load.object_type = "near".into();
    let rows = crate::world::cells(&[&["SFO", "OAK"], &["OAK", "SFO"], &["SFO", "SJC"], &["SFO", ""]]);
    let loaded = world.load_with(load.clone(), rows).await.unwrap();
    assert_eq!((loaded.written, loaded.rejected), (2, 2));
    let reasons: Vec<_> = loaded.rejections.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::KeyRepeated, Reason::ObjectInvalid]);
    let again = crate::world::cells(&[&["OAK", "SFO"]]);
    assert_eq!(world.load_with(load, again).await.unwrap().unchanged, 1);
    world.create("airport", &[("faa", "SFO")]).await;
    // What is not here yet is said not to be.
    assert_eq!(
        world.links(&world.admin, "airport", "SFO").await,
        [
            told("near", End::Either, "airport/SJC", false),
            told("near", End::Either, "airport/OAK", false),
        ]
    );
}

#[tokio::test]
async fn b101_what_is_withheld_and_what_is_not_there_look_alike_from_the_other_end() {
    let world = linked().await;
    world.secure().await;
    let viewer = world.principal("vera", Role::Viewer).await;
    let editor = world.principal("ed", Role::Editor).await;
    let node = &world.it.node;
    // LGA becomes invisible to all but those who may see medical things; OAK was never here.
    world.link(&world.admin, "near", "EWR", "OAK").await.unwrap();
    let marked = node
        .set_object_security(&world.admin, &object("airport", "LGA"), &marked(&["medical"]))
        .await;
    marked.unwrap();
    let seen = world.links(&viewer, "airport", "EWR").await;
    let unseen: Vec<_> = seen.iter().filter(|link| !link.3).collect();
    assert_eq!(
        unseen,
        [
            &told("near", End::Either, "airport/LGA", false),
            &told("near", End::Either, "airport/OAK", false),
        ]
    );
    // Whoever may not see an object does not see that it has links either.
    for key in ["LGA", "OAK"] {
        let missing = world.page(&viewer, &links_of("airport", key)).await.unwrap_err();
        assert_eq!(
            (missing.reason(), missing.told()),
            (Reason::NotFound, "no such object"),
            "{key}"
        );
    }
    // A new link carries what those of its ends carry that its maker sees; nothing tells of the others.
    let key = world.link(&editor, "near", "JFK", "LGA").await.unwrap();
    let made = node.object(&editor, &object("near", &key)).await.unwrap();
    assert!(made.security.markings.is_empty());
    node.grant_marking(&world.admin, &"medical".parse().unwrap(), "ed")
        .await
        .unwrap();
    node.unlink_objects(&editor, &link_at("near", "JFK", "LGA"))
        .await
        .unwrap();
    world.link(&editor, "near", "JFK", "LGA").await.unwrap();
    assert_eq!(world.links(&editor, "airport", "JFK").await.len(), 2);
    assert_eq!(
        world.links(&viewer, "airport", "JFK").await,
        [told("near", End::Either, "airport/EWR", true)],
        "the link is as marked as what it leads to"
    );
}

#[tokio::test]
async fn b049_who_may_make_end_and_list_links() {
    let world = linked().await;
    let viewer = world.principal("vera", Role::Viewer).await;
    let editor = world.principal("ed", Role::Editor).await;
    let elsewhere = "elsewhere".parse().unwrap();
    world
        .it
        .node
        .create_space(&world.admin, elsewhere, None)
        .await
        .unwrap();
    let stranger = world
        .principal_of("sam", Role::SpaceManager, Some("elsewhere"))
        .await;
    let officer = world.principal("olga", Role::SecurityOfficer).await;
    world.link(&editor, "near", "JFK", "LGA").await.unwrap();
    let node = &world.it.node;
    let at = link_at("near", "JFK", "LGA");
    for caller in [&viewer, &stranger, &officer] {
        assert!(node.link_objects(caller, &at).await.is_err());
        assert!(node.unlink_objects(caller, &at).await.is_err());
    }
    for caller in [&stranger, &officer] {
        assert!(world.page(caller, &links_of("airport", "JFK")).await.is_err());
    }
    assert_eq!(world.links(&viewer, "airport", "JFK").await.len(), 2);
    node.unlink_objects(&editor, &at).await.unwrap();
    let (records, _) = node.list_audit(&world.admin, None, None, 1_000).await.unwrap();
    for action in [Action::ObjectLink, Action::ObjectUnlink] {
        let told = records.iter().map(|record| record.fact.action());
        assert!(told.into_iter().any(|done| done == action.word()), "{action}");
    }
}

#[tokio::test]
async fn what_a_call_gets_wrong_is_said() {
    let world = linked().await;
    let admin = &world.admin;
    let refused = async |link_type: &str, from: &str, to: &str| {
        let error = world.link(admin, link_type, from, to).await.unwrap_err();
        (error.reason(), error.told().to_owned())
    };
    assert_eq!(refused("nope", "A", "B").await.0, Reason::NotFound);
    assert_eq!(refused("airport", "A", "B").await.0, Reason::NotFound);
    let (reason, told) = refused("flight_origin", "A", "B").await;
    assert_eq!(reason, Reason::FieldInvalid);
    assert!(told.contains("editing the objects of flight"), "{told}");
    let (_, told) = refused("stays", "A", "7").await;
    assert!(told.contains("creating objects of stay"), "{told}");
    assert_eq!(refused("serves", "seven", "UA1").await.0, Reason::FieldInvalid);
    let long = "x".repeat(400);
    assert_eq!(refused("near", &long, &long).await.0, Reason::FieldInvalid);
    let mut asked = links_of("near", "3:EWRJFK");
    assert_eq!(
        world.page(admin, &asked).await.unwrap_err().reason(),
        Reason::NotFound
    );
    asked = links_of("airport", "EWR");
    asked.link_type = Some("nope".into());
    assert_eq!(
        world.page(admin, &asked).await.unwrap_err().reason(),
        Reason::NotFound
    );
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended() {
    let world = world().await;
    let admin = &world.admin;
    world.create("airport", &[("faa", "M")]).await;
    let names: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    for name in &names {
        world.link(admin, "near", "M", name).await.unwrap();
    }
    for n in 0..40 {
        let id = format!("F{n:02}");
        world.create("flight", &[("id", &id), ("origin", "M")]).await;
    }
    let mut asked = links_of("airport", "M");
    asked.limit = 7;
    let mut found = Vec::new();
    loop {
        let page = world.page(admin, &asked).await.unwrap();
        assert!(page.links.len() <= 7);
        found.extend(page.links.into_iter().map(|link| link.other.to_string()));
        let Some(next) = page.next else { break };
        let text = next.to_string();
        asked.after = Some(text.parse::<LinkPlace>().unwrap());
    }
    assert_eq!(found.len(), 340);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 340, "none twice");
    assert!("x y".parse::<LinkPlace>().is_err() && "7".parse::<LinkPlace>().is_err());
    asked.after = Some("99 x".parse().unwrap());
    assert_eq!(world.page(admin, &asked).await.unwrap().links, []);
}

#[test]
fn an_ontology_stored_before_has_links_now() {
    let stored = r#"{"revision": 3, "object_types": {"airport": {"name": "airport", "title": null, "primary_key": 1,
        "conflicts": "user-edits-win", "properties": [{"id": 1, "name": "faa", "of": "string", "nullable": false}]}},
        "link_types": {"near": {"name": "near", "kind": {"many-to-many": {"left": "airport", "right": "airport"}}}}}"#;
    let stored: Ontology = serde_json::from_str(stored).unwrap();
    let names: Vec<&str> = stored.feed_types().map(ApiName::as_str).collect();
    assert_eq!(names, ["airport", "near", "peerd_artifact"]);
    let near = stored.feed_type("near").unwrap();
    assert_eq!(near.named("left").unwrap().of.to_string(), "reference to airport");
    assert!(stored.object_type("near").is_none());
}
