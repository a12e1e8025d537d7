//! One key, created by users of both sides: two copies of one object, which come to be the same.

use peerd_testkit::Party;

use crate::world::{World, at, classify, count, create, edit, name};

async fn delete(party: &Party, key: &str) {
    let deleted = party.node().delete_object(&party.admin, &at(key)).await;
    deleted.unwrap();
}

/// Moves everything both ways until nobody has anything to say.
async fn settle(world: &World) {
    for _ in 0..8 {
        if (world.forth().await, world.back().await) == ((0, 0), (0, 0)) {
            return;
        }
    }
    panic!("the two sides keep answering each other");
}

async fn seen(world: &World, key: &str) -> [Option<String>; 2] {
    [name(&world.pair.a, key).await, name(&world.pair.b, key).await]
}

#[tokio::test]
async fn b086_a_key_created_twice_and_deleted_once_ends_the_same_on_both_sides() {
    for deleter_speaks_first in [true, false] {
        let world = World::shared().await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        create(a, "EWR", "of a").await;
        create(b, "EWR", "of b").await;
        delete(a, "EWR").await;
        edit(b, "EWR", "edited by b").await;
        if deleter_speaks_first {
            // b has nothing from a, so the deletion alone would name an object that b need not know of.
            assert_eq!(world.forth().await, (0, 0));
        }
        world.back().await;
        settle(&world).await;
        assert_eq!(seen(&world, "EWR").await, [None, None]);
    }
}

#[tokio::test]
async fn a_key_created_without_properties_on_one_side_hears_of_the_deletion_too() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    delete(a, "EWR").await;
    let values = [("faa".to_owned(), "EWR".to_owned())].into();
    let made = b.node().create_object(&b.admin, "main", "airport", &values);
    made.await.unwrap();
    // All that b's copy says is older than the deletion: it changes nothing here, and is answered all the same.
    assert_eq!(world.forth().await, (0, 0));
    world.back().await;
    settle(&world).await;
    assert_eq!((count(a).await, count(b).await), (0, 0));
}

#[tokio::test]
async fn a_key_created_twice_is_one_object_afterwards() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    create(b, "EWR", "of b").await;
    settle(&world).await;
    let [at_a, at_b] = seen(&world, "EWR").await;
    assert_eq!(at_a, at_b);
    delete(b, "EWR").await;
    settle(&world).await;
    assert_eq!(seen(&world, "EWR").await, [None, None]);
}

#[tokio::test]
async fn a_key_created_twice_is_deleted_on_both_sides_though_only_one_ever_spoke() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    create(b, "EWR", "of b").await;
    world.back().await;
    delete(a, "EWR").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(seen(&world, "EWR").await, [None, None]);
}

#[tokio::test]
async fn b101_a_secret_object_of_the_same_key_is_not_betrayed() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "AREA51", "of a").await;
    classify(a, "AREA51", Some("secret")).await;
    create(b, "AREA51", "of b").await;
    world.back().await;
    assert_eq!(world.forth().await, (0, 0));
    delete(a, "AREA51").await;
    assert_eq!(world.forth().await, (0, 0));
    assert!(name(b, "AREA51").await.is_some());
}

#[tokio::test]
async fn a_deletion_is_not_told_of_what_the_other_side_never_had() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    delete(a, "EWR").await;
    create(b, "LHR", "of b").await;
    settle(&world).await;
    assert_eq!(world.forth().await, (0, 0));
    assert_eq!(seen(&world, "EWR").await, [None, None]);
}
