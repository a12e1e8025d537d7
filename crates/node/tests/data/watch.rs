//! Watching objects as one caller sees them.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::authz::Role;
use peerd_core::object::{Changes, Hlc, ObjectState};
use peerd_node::object::{Edits, ObjectWatch, Since, Told, WatchEvent, WatchRequest};
use peerd_node::{Caller, Error};

use crate::world::{SPACE, World, airport, marked, ontology, text, texts};

fn all(since: Since) -> WatchRequest {
    WatchRequest {
        space: SPACE.into(),
        object_types: Vec::new(),
        skip_imported: false,
        since,
    }
}

async fn watch(world: &World, caller: &Caller, request: WatchRequest) -> Result<ObjectWatch, Error> {
    world.it.node.watch_objects(caller, request).await
}

/// What is told without anything else happening: the in-memory store never makes anyone wait.
fn ready(watch: &mut ObjectWatch) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(next) = watch.next().now_or_never() {
        told.push(next.unwrap());
    }
    told
}

/// The same in words.
fn words(told: &[Told]) -> Vec<String> {
    let word = |told: &Told| match &told.event {
        WatchEvent::Object(object) if object.deleted => format!("-{}", object.key.primary_key()),
        WatchEvent::Object(object) => {
            let name = text(object, "name").unwrap_or_default();
            format!("{}={name}", object.key.primary_key())
        }
        WatchEvent::Removed(key) => format!("!{}", key.primary_key()),
        WatchEvent::CaughtUp => ".".to_owned(),
    };
    told.iter().map(word).collect()
}

fn next_words(watch: &mut ObjectWatch) -> Vec<String> {
    words(&ready(watch))
}

async fn create(world: &World, key: &str) {
    let values = texts(&[("faa", key)]);
    let made = world
        .it
        .node
        .create_object(&world.admin, SPACE, "airport", &values)
        .await;
    made.unwrap();
}

async fn rename(world: &World, key: &str, name: &str) {
    let edits = Edits {
        set: texts(&[("name", name)]),
        clear: Vec::new(),
    };
    let edited = world
        .it
        .node
        .edit_object(&world.admin, &airport(key), &edits)
        .await;
    edited.unwrap();
}

async fn delete(world: &World, key: &str) {
    let node = &world.it.node;
    node.delete_object(&world.admin, &airport(key)).await.unwrap();
}

async fn mark(world: &World, key: &str, markings: &[&str]) {
    let (at, security) = (airport(key), marked(markings));
    let set = world.it.node.set_object_security(&world.admin, &at, &security);
    set.await.unwrap();
}

async fn grant(world: &World, marking: &str, to: &str) {
    let marking = marking.parse().unwrap();
    let granted = world.it.node.grant_marking(&world.admin, &marking, to);
    granted.await.unwrap();
}

/// An airport as an import leaves it, named by its enrollment.
fn imported(wall: u64, name: &str) -> ObjectState {
    let (hlc, other) = (
        Hlc::new(wall, 0).unwrap(),
        peerd_core::EnrollmentId::from_bytes([9; 32]),
    );
    let mut state = ObjectState::blank(hlc, other);
    let named = peerd_core::value::Value::String(name.to_owned());
    let of = ontology_airport();
    let changes = Changes(BTreeMap::from([(of.named("name").unwrap().id, Some(named))]));
    state.create(&changes, hlc, other).unwrap();
    state
}

fn ontology_airport() -> peerd_core::ontology::ObjectType {
    let built = peerd_core::ontology::Ontology::default()
        .evolve(&ontology())
        .unwrap();
    built.object_type("airport").unwrap().clone()
}

#[tokio::test]
async fn a_watch_tells_of_changes_from_now_on_and_each_object_as_it_is() {
    let world = World::new().await;
    create(&world, "OLD").await;
    let mut watch = watch(&world, &world.admin, all(Since::Now)).await.unwrap();
    assert_eq!(next_words(&mut watch), ["."]);
    create(&world, "EWR").await;
    assert_eq!(next_words(&mut watch), ["EWR="]);
    rename(&world, "EWR", "Newark").await;
    rename(&world, "EWR", "Liberty").await;
    assert_eq!(next_words(&mut watch), ["EWR=Liberty"]);
    delete(&world, "EWR").await;
    assert_eq!(next_words(&mut watch), ["-EWR"]);
    assert_eq!(next_words(&mut watch), [""; 0]);
}

#[tokio::test]
async fn a_snapshot_is_every_live_object_and_then_what_changes() {
    let world = World::new().await;
    for n in 0..200 {
        create(&world, &format!("K{n:03}")).await;
    }
    delete(&world, "K007").await;
    let mut watch = watch(&world, &world.admin, all(Since::Snapshot)).await.unwrap();
    let told = ready(&mut watch);
    assert_eq!(told.len(), 200);
    assert_eq!(words(&told)[199], ".");
    assert!(told[..199].iter().all(|told| told.token.is_empty()));
    assert!(!told[199].token.is_empty());
    delete(&world, "K008").await;
    assert_eq!(next_words(&mut watch), ["-K008"]);
}

#[tokio::test]
async fn a_token_goes_on_after_a_restart_and_loses_nothing() {
    let world = World::new().await;
    create(&world, "EWR").await;
    create(&world, "JFK").await;
    let mut first = watch(&world, &world.admin, all(Since::Now)).await.unwrap();
    ready(&mut first);
    rename(&world, "EWR", "one").await;
    let token = ready(&mut first)[0].token.clone();
    drop(first);
    rename(&world, "JFK", "two").await;
    delete(&world, "EWR").await;
    let world = world.restarted().await;
    create(&world, "LGA").await;
    let mut second = watch(&world, &world.admin, all(Since::Token(token.clone())))
        .await
        .unwrap();
    let told = ready(&mut second);
    assert_eq!(words(&told), ["JFK=two", "-EWR", "LGA=", "."]);
    let last = told[3].token.clone();
    let mut third = watch(&world, &world.admin, all(Since::Token(last)))
        .await
        .unwrap();
    assert_eq!(next_words(&mut third), ["."]);
    // It covers single types as well, and another space or an altered one not at all.
    let one = WatchRequest {
        object_types: vec!["gate".into()],
        ..all(Since::Token(token.clone()))
    };
    let mut gates = watch(&world, &world.admin, one).await.unwrap();
    assert_eq!(next_words(&mut gates), ["."]);
    let mut altered = token.to_vec();
    altered[20] ^= 1;
    for token in [altered, Vec::new(), b"no token".to_vec()] {
        let refused = watch(&world, &world.admin, all(Since::Token(token.into()))).await;
        assert_eq!(refused.unwrap_err().reason(), Reason::ResumeTokenOutdated);
    }
    let other = "other".parse().unwrap();
    world
        .it
        .node
        .create_space(&world.admin, other, None)
        .await
        .unwrap();
    let elsewhere = WatchRequest {
        space: "other".into(),
        ..all(Since::Token(token))
    };
    let refused = watch(&world, &world.admin, elsewhere).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::ResumeTokenOutdated);
}

#[tokio::test]
async fn a_token_of_one_type_does_not_cover_another() {
    let world = World::new().await;
    let airports = |since| WatchRequest {
        object_types: vec!["airport".into()],
        ..all(since)
    };
    let mut one = watch(&world, &world.admin, airports(Since::Now)).await.unwrap();
    let token = ready(&mut one)[0].token.clone();
    assert!(
        watch(&world, &world.admin, airports(Since::Token(token.clone())))
            .await
            .is_ok()
    );
    let refused = watch(&world, &world.admin, all(Since::Token(token))).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::ResumeTokenOutdated);
    let unknown = WatchRequest {
        object_types: vec!["ship".into()],
        ..all(Since::Now)
    };
    let refused = watch(&world, &world.admin, unknown).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::NotFound);
}

#[tokio::test]
async fn changes_that_came_over_a_connection_are_skipped_and_local_edits_of_such_objects_are_not() {
    let world = World::new().await;
    let local = WatchRequest {
        skip_imported: true,
        ..all(Since::Now)
    };
    let mut both = watch(&world, &world.admin, all(Since::Now)).await.unwrap();
    let mut only_local = watch(&world, &world.admin, local).await.unwrap();
    world.import("LHR", &imported(7, "Heathrow")).await;
    create(&world, "EWR").await;
    assert_eq!(next_words(&mut both), [".", "LHR=Heathrow", "EWR="]);
    assert_eq!(next_words(&mut only_local), [".", "EWR="]);
    rename(&world, "LHR", "London").await;
    assert_eq!(next_words(&mut only_local), ["LHR=London"]);
}

#[tokio::test]
async fn b082_what_a_caller_may_not_see_is_passed_over_in_silence() {
    let world = World::new().await;
    world.secure().await;
    let vic = world.principal("vic", Role::Viewer).await;
    grant(&world, "medical", "admin").await;
    grant(&world, "crew", "admin").await;
    let mut admins = watch(&world, &world.admin, all(Since::Now)).await.unwrap();
    let mut vics = watch(&world, &vic, all(Since::Now)).await.unwrap();
    assert_eq!(
        (next_words(&mut admins), next_words(&mut vics)),
        (vec![".".into()], vec![".".into()])
    );
    create(&world, "EWR").await;
    assert_eq!(next_words(&mut vics), ["EWR="]);
    // One that the stream told of goes, without a word about what it is now.
    mark(&world, "EWR", &["medical"]).await;
    assert_eq!(next_words(&mut vics), ["!EWR"]);
    rename(&world, "EWR", "hidden").await;
    delete(&world, "EWR").await;
    // One that was never seen is never named.
    create(&world, "AREA51").await;
    mark(&world, "AREA51", &["crew"]).await;
    rename(&world, "AREA51", "hidden").await;
    assert_eq!(next_words(&mut vics), [""; 0]);
    assert_eq!(
        next_words(&mut admins).last().map(String::as_str),
        Some("AREA51=hidden")
    );
    mark(&world, "AREA51", &[]).await;
    assert_eq!(next_words(&mut vics), ["AREA51=hidden"]);
    let mut snapshot = watch(&world, &vic, all(Since::Snapshot)).await.unwrap();
    assert_eq!(next_words(&mut snapshot), ["AREA51=hidden", "."]);
}

#[tokio::test]
async fn b049_a_watch_ends_when_its_caller_may_no_more_or_sees_otherwise() {
    let world = World::new().await;
    world.secure().await;
    let officer = world.principal("olaf", Role::SecurityOfficer).await;
    let denied = watch(&world, &officer, all(Since::Now)).await.unwrap_err();
    assert_eq!(denied.reason(), Reason::RoleInsufficient);
    let vic = world.principal("vic", Role::Viewer).await;
    let mut watching = watch(&world, &vic, all(Since::Now)).await.unwrap();
    let token = ready(&mut watching)[0].token.clone();
    create(&world, "EWR").await;
    // What others are granted is none of its business; what it is granted itself begins another stream.
    grant(&world, "crew", "admin").await;
    assert_eq!(next_words(&mut watching), ["EWR="]);
    grant(&world, "medical", "vic").await;
    let ended = watching.next().await.unwrap_err();
    assert_eq!(ended.reason(), Reason::ResumeTokenOutdated);
    let refused = watch(&world, &vic, all(Since::Token(token))).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::ResumeTokenOutdated);
    let mut watching = watch(&world, &vic, all(Since::Now)).await.unwrap();
    ready(&mut watching);
    create(&world, "JFK").await;
    world.it.node.revoke_principal(&world.admin, "vic").await.unwrap();
    let ended = watching.next().await.unwrap_err();
    assert_eq!(
        ended.reason(),
        Reason::TokenInvalid,
        "nothing more is told, not even what was waiting"
    );
}

#[tokio::test]
async fn b049_a_watch_ends_with_the_role_that_allowed_it() {
    let world = World::new().await;
    let (node, admin) = (&world.it.node, &world.admin);
    let officer = world.principal("olaf", Role::SecurityOfficer).await;
    node.add_space_manager(admin, SPACE, "olaf").await.unwrap();
    let mut watching = watch(&world, &officer, all(Since::Now)).await.unwrap();
    create(&world, "EWR").await;
    assert_eq!(next_words(&mut watching), [".", "EWR="]);
    create(&world, "JFK").await;
    node.remove_space_manager(admin, SPACE, "olaf").await.unwrap();
    let ended = watching.next().await.unwrap_err();
    assert_eq!(ended.reason(), Reason::RoleInsufficient);
}

#[tokio::test]
async fn a_type_that_the_ontology_gets_later_is_watched_too() {
    let world = World::new().await;
    let mut watching = watch(&world, &world.admin, all(Since::Now)).await.unwrap();
    let token = ready(&mut watching)[0].token.clone();
    let mut file = ontology();
    let ship = r#"{"name": "ship", "primary_key": "imo", "properties": {"imo": "string"}}"#;
    file.object_types.push(serde_json::from_str(ship).unwrap());
    world
        .it
        .node
        .apply_ontology(&world.admin, SPACE, &file)
        .await
        .unwrap();
    let values = texts(&[("imo", "S1")]);
    let made = world
        .it
        .node
        .create_object(&world.admin, SPACE, "ship", &values)
        .await;
    made.unwrap();
    assert_eq!(next_words(&mut watching), ["S1="]);
    let mut resumed = watch(&world, &world.admin, all(Since::Token(token)))
        .await
        .unwrap();
    assert_eq!(next_words(&mut resumed), ["S1=", "."]);
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_each_frees_its_place() {
    let world = World::new().await;
    let mut open = Vec::new();
    let refused = loop {
        match watch(&world, &world.admin, all(Since::Now)).await {
            Ok(watch) => open.push(watch),
            Err(error) => break error,
        }
    };
    assert_eq!((refused.reason(), open.len()), (Reason::RateLimited, 256));
    open.pop();
    assert!(watch(&world, &world.admin, all(Since::Now)).await.is_ok());
}
