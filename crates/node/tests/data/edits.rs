use std::collections::BTreeSet;
use std::time::Duration;

use peerd_core::Reason;
use peerd_core::authz::Role;
use peerd_core::object::Dot;
use peerd_core::value::Value;
use peerd_node::object::{Edits, ObjectAt};

use crate::world::{SPACE, World, airport, ontology, text, texts};

fn set(pairs: &[(&str, &str)]) -> Edits {
    Edits {
        set: texts(pairs),
        clear: Vec::new(),
    }
}

#[tokio::test]
async fn an_edit_is_seen_over_the_row_and_survives_the_next_load_and_a_restart() {
    let world = World::new().await;
    world.load(&["faa", "name"], &[&["EWR", "Newark"]]).await;
    let edited = world
        .it
        .node
        .edit_object(&world.admin, &airport("EWR"), &set(&[("name", "Liberty")]))
        .await
        .unwrap();
    assert_eq!(text(&edited, "name").as_deref(), Some("Liberty"));
    world.load(&["faa", "name"], &[&["EWR", "Newark Intl"]]).await;
    let world = world.restarted().await;
    let seen = world.airport(&world.admin, "EWR").await.unwrap();
    assert_eq!(text(&seen, "name").as_deref(), Some("Liberty"));
    assert_eq!(
        seen.source.as_ref().unwrap().properties["name"],
        Value::String("Newark Intl".into())
    );
    let by = seen.edits["name"].by;
    assert_eq!(by.enrollment, world.it.node.enrollment_id());

    let clear = Edits {
        set: texts(&[]),
        clear: vec!["name".into()],
    };
    let cleared = world
        .it
        .node
        .edit_object(&world.admin, &airport("EWR"), &clear)
        .await;
    let cleared = cleared.unwrap();
    assert_eq!(text(&cleared, "name"), None);
    assert!(cleared.edits["name"].by > by);
}

#[tokio::test]
async fn an_edit_that_does_not_fit_changes_nothing_and_names_the_property() {
    let world = World::new().await;
    world.load(&["faa", "name"], &[&["EWR", "Newark"]]).await;
    let head = world.head().await;
    let node = &world.it.node;
    let refused = async |edits: Edits| {
        let edited = node.edit_object(&world.admin, &airport("EWR"), &edits).await;
        edited.unwrap_err()
    };
    let clear = |name: &str| Edits {
        set: texts(&[("alt", "1")]),
        clear: vec![name.into()],
    };
    for (edits, reason, word) in [
        (set(&[("alt", "high")]), Reason::FieldInvalid, "alt"),
        (set(&[("colour", "red")]), Reason::FieldInvalid, "colour"),
        (set(&[]), Reason::FieldInvalid, "nothing"),
        (set(&[("faa", "JFK")]), Reason::ObjectInvalid, "faa"),
        (clear("faa"), Reason::ObjectInvalid, "faa"),
        (clear("alt"), Reason::FieldInvalid, "alt"),
    ] {
        let error = refused(edits).await;
        assert_eq!(error.reason(), reason, "{word}");
        assert!(error.told().contains(word), "{} has no {word}", error.told());
    }
    assert_eq!(world.head().await, head);
    let missing = node
        .edit_object(&world.admin, &airport("LGA"), &set(&[("alt", "1")]))
        .await;
    assert_eq!(missing.unwrap_err().reason(), Reason::NotFound);
    let viewer = world.principal("vic", Role::Viewer).await;
    let denied = node
        .edit_object(&viewer, &airport("EWR"), &set(&[("alt", "1")]))
        .await;
    assert_eq!(denied.unwrap_err().reason(), Reason::RoleInsufficient);
}

#[tokio::test]
async fn an_object_is_created_deleted_and_created_afresh() {
    let world = World::new().await;
    let node = &world.it.node;
    let create = async |pairs: &[(&str, &str)]| {
        let properties = texts(pairs);
        node.create_object(&world.admin, SPACE, "airport", &properties)
            .await
    };
    let made = create(&[("faa", "LGA"), ("name", "La Guardia")]).await.unwrap();
    assert_eq!(made.key.primary_key(), "LGA");
    assert!(made.source.is_none());
    let again = create(&[("faa", "LGA")]).await.unwrap_err();
    assert_eq!(again.reason(), Reason::ObjectExists);
    let keyless = create(&[("name", "nowhere")]).await.unwrap_err();
    assert_eq!(keyless.reason(), Reason::ObjectInvalid);

    node.delete_object(&world.admin, &airport("LGA")).await.unwrap();
    assert_eq!(world.count(&world.admin).await, 0);
    let gone = world.airport(&world.admin, "LGA").await.unwrap();
    assert!(gone.deleted && gone.properties.is_empty());
    let twice = node.delete_object(&world.admin, &airport("LGA")).await;
    assert_eq!(twice.unwrap_err().reason(), Reason::NotFound);

    let afresh = create(&[("faa", "LGA"), ("alt", "7")]).await.unwrap();
    assert_eq!(text(&afresh, "name"), None, "nothing of the earlier life");
    assert_eq!(world.count(&world.admin).await, 1);
}

#[tokio::test]
async fn a_key_that_is_a_number_has_one_spelling() {
    let world = World::new().await;
    let node = &world.it.node;
    let properties = texts(&[("number", "7"), ("letter", "B")]);
    node.create_object(&world.admin, SPACE, "gate", &properties)
        .await
        .unwrap();
    let at = |key: &str| ObjectAt {
        object_type: "gate".into(),
        ..airport(key)
    };
    assert_eq!(
        node.object(&world.admin, &at("007"))
            .await
            .unwrap()
            .key
            .primary_key(),
        "7"
    );
    let wrong = node.object(&world.admin, &at("B7")).await.unwrap_err();
    assert_eq!(
        (wrong.reason(), wrong.details()["field"].as_str()),
        (Reason::FieldInvalid, "key")
    );
}

#[tokio::test]
async fn b085_no_write_ever_gets_a_clock_twice_whatever_restarts_and_clocks_do() {
    let mut world = World::new().await;
    let mut dots: Vec<Dot> = Vec::new();
    for round in 0..4 {
        for n in 0..20 {
            let properties = texts(&[("faa", &format!("r{round}n{n}"))]);
            let made = world
                .it
                .node
                .create_object(&world.admin, SPACE, "airport", &properties)
                .await;
            dots.push(made.unwrap().edits["faa"].by);
        }
        match round {
            0 => {}
            1 => world
                .it
                .clock
                .set(world.it.node.now().minus(Duration::from_hours(1))),
            _ => world.it.clock.advance(Duration::from_hours(2)),
        }
        world = world.restarted().await;
    }
    assert!(dots.is_sorted(), "clocks only grow");
    assert_eq!(dots.iter().collect::<BTreeSet<_>>().len(), dots.len());
    let ahead = dots[79].hlc.time().since(world.it.node.now());
    assert!(ahead < Duration::from_secs(10), "{ahead:?}");
}

#[tokio::test]
async fn writes_at_once_get_different_clocks() {
    let world = World::new().await;
    let create = |n: u32| {
        let properties = texts(&[("faa", &format!("k{n}"))]);
        let world = &world;
        async move {
            let made = world
                .it
                .node
                .create_object(&world.admin, SPACE, "airport", &properties)
                .await;
            made.unwrap().edits["faa"].by
        }
    };
    let dots = futures::future::join_all((0..50).map(create)).await;
    assert_eq!(dots.iter().collect::<BTreeSet<_>>().len(), 50);
}

#[tokio::test]
async fn an_ontology_only_grows() {
    let world = World::new().await;
    let node = &world.it.node;
    let same = node
        .apply_ontology(&world.admin, SPACE, &ontology())
        .await
        .unwrap();
    assert_eq!((same.revision, same.changed), (1, false));
    let mut fewer = ontology();
    fewer.object_types.remove(1);
    let error = node
        .apply_ontology(&world.admin, SPACE, &fewer)
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::OntologyIncompatible);
    let viewer = world.principal("vic", Role::Viewer).await;
    let denied = node
        .apply_ontology(&viewer, SPACE, &ontology())
        .await
        .unwrap_err();
    assert_eq!(denied.reason(), Reason::RoleInsufficient);
    assert_eq!(node.show_ontology(&viewer, SPACE).await.unwrap().revision, 1);
}
