//! Watching objects while they are exchanged.

use std::time::Duration;

use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::peering::Imported;
use peerd_node::object::{ObjectWatch, Since, Told, WatchEvent, WatchRequest};
use peerd_testkit::Party;

use crate::world::{World, at, classify, create, edit};

async fn watch(party: &Party, since: Since, skip_imported: bool) -> Result<ObjectWatch, peerd_node::Error> {
    let request = WatchRequest {
        space: "main".into(),
        object_types: vec!["airport".into()],
        skip_imported,
        since,
    };
    party.node().watch_objects(&party.admin, request).await
}

fn ready(watch: &mut ObjectWatch) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(next) = watch.next().now_or_never() {
        told.push(next.unwrap());
    }
    told
}

fn words(told: &[Told]) -> Vec<String> {
    let word = |told: &Told| match &told.event {
        WatchEvent::Object(object) if object.deleted => format!("-{}", object.key.primary_key()),
        WatchEvent::Object(object) => object.key.primary_key().to_owned(),
        WatchEvent::Removed(key) => format!("!{}", key.primary_key()),
        WatchEvent::CaughtUp => ".".to_owned(),
    };
    told.iter().map(word).collect()
}

#[tokio::test]
async fn automation_at_both_sides_fires_once_for_each_edit() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut at_a = watch(a, Since::Now, true).await.unwrap();
    let mut at_b = watch(b, Since::Now, true).await.unwrap();
    let mut everything = watch(b, Since::Now, false).await.unwrap();
    create(a, "EWR", "Newark").await;
    world.forth().await;
    world.back().await;
    assert_eq!(
        (words(&ready(&mut at_a)), words(&ready(&mut at_b))),
        (vec![".".into(), "EWR".into()], vec![".".into()])
    );
    assert_eq!(words(&ready(&mut everything)), [".", "EWR"]);
    // An edit of the copy is b's, and at a it came over the connection although the object is a's.
    edit(b, "EWR", "from b").await;
    world.back().await;
    world.forth().await;
    assert_eq!(
        (words(&ready(&mut at_a)), words(&ready(&mut at_b))),
        (Vec::<String>::new(), vec!["EWR".into()])
    );
    let deleted = a.node().delete_object(&a.admin, &at("EWR")).await;
    deleted.unwrap();
    world.forth().await;
    world.back().await;
    assert_eq!(
        (words(&ready(&mut at_a)), words(&ready(&mut at_b))),
        (vec!["-EWR".into()], Vec::new())
    );
}

#[tokio::test]
async fn a_copy_that_is_taken_back_is_told_at_once_and_to_whoever_comes_back_later() {
    let mut world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(a, "JFK", "Kennedy").await;
    world.forth().await;
    let mut live = watch(b, Since::Snapshot, false).await.unwrap();
    let token = ready(&mut live).pop().unwrap().token;
    classify(a, "EWR", Some("secret")).await;
    world.forth().await;
    assert_eq!(words(&ready(&mut live)), ["!EWR"]);
    drop(live);
    world.pair.b.restart().await;
    let mut late = watch(&world.pair.b, Since::Token(token.clone()), false)
        .await
        .unwrap();
    assert_eq!(words(&ready(&mut late)), ["!EWR", "."]);
    let mut only_local = watch(&world.pair.b, Since::Token(token.clone()), true)
        .await
        .unwrap();
    assert_eq!(words(&ready(&mut only_local)), ["."]);
    // It came back: then that is what there is to say.
    classify(&world.pair.a, "EWR", None).await;
    world.forth().await;
    let mut later = watch(&world.pair.b, Since::Token(token.clone()), false)
        .await
        .unwrap();
    assert_eq!(words(&ready(&mut later)), ["EWR", "."]);
    let b = &world.pair.b;
    let closed = b
        .node()
        .close_connection(&b.manager, world.connection, Imported::Purge, false);
    closed.await.unwrap();
    b.node().remove_due_imports().await.unwrap();
    assert_eq!(words(&ready(&mut late)), ["!EWR", "!JFK"]);
}

#[tokio::test]
async fn a_deletion_that_was_collected_meanwhile_is_told_until_that_is_long_ago() {
    let world = World::joined(peerd_core::security::Security::unrestricted()).await;
    let a = &world.pair.a;
    for key in ["EWR", "JFK", "LGA"] {
        create(a, key, "of a").await;
    }
    let mut watching = watch(a, Since::Now, true).await.unwrap();
    let token = ready(&mut watching).pop().unwrap().token;
    for key in ["EWR", "JFK"] {
        a.node().delete_object(&a.admin, &at(key)).await.unwrap();
    }
    edit(a, "LGA", "the last change").await;
    assert_eq!(words(&ready(&mut watching)), ["-EWR", "-JFK", "LGA"]);
    let collect = async || a.node().collect_tombstones().await.unwrap();
    collect().await;
    world.pair.clock.advance(Duration::from_hours(25));
    assert_eq!(collect().await.tombstones, 2);
    assert_eq!(words(&ready(&mut watching)), Vec::<String>::new(), "it was told");
    let mut late = watch(a, Since::Token(token.clone()), true).await.unwrap();
    assert_eq!(words(&ready(&mut late)), ["!EWR", "!JFK", "LGA", "."]);
    world.pair.clock.advance(Duration::from_hours(25));
    collect().await;
    world.pair.clock.advance(Duration::from_hours(25));
    let mut slow = watch(a, Since::Token(token.clone()), true).await.unwrap();
    assert_eq!(collect().await.removals, 2);
    let ended = slow.next().await.unwrap_err();
    assert_eq!(
        ended.reason(),
        Reason::ResumeTokenOutdated,
        "it took nothing for too long"
    );
    let refused = watch(a, Since::Token(token), true).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::ResumeTokenOutdated);
    let mut anew = watch(a, Since::Now, true).await.unwrap();
    let token = ready(&mut anew).pop().unwrap().token;
    assert!(watch(a, Since::Token(token), true).await.is_ok());
}
