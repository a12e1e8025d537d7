//! Tombstones: collected once nobody can bring back what they deleted, and not before.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::peering::Imported;
use peerd_node::exchange::{Change, Collected, Exporter};
use peerd_node::object::{Content, Line, LoadHeader};
use peerd_store::Table;
use peerd_testkit::Party;

use crate::world::{World, at, count, create, drain, edit, name, peer, ready};

const DAY: Duration = Duration::from_hours(25);

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

async fn collect(party: &Party) -> Collected {
    party.node().collect_tombstones().await.unwrap()
}

/// How many tombstones went.
async fn collected(party: &Party) -> u64 {
    collect(party).await.tombstones
}

/// Both sides had a look, and a day went by.
async fn a_day_later(world: &World) {
    for party in [&world.pair.a, &world.pair.b] {
        collect(party).await;
    }
    world.pair.clock.advance(DAY);
}

/// Whether anything of an object is stored: its state, or a mark of it.
async fn is_remembered(party: &Party, key: &str) -> bool {
    let rows = party.contents(&[Table::Objects, Table::Exported]).await;
    let airport = |stored: &[u8]| {
        let place = [&7_u16.to_be_bytes()[..], b"airport", key.as_bytes()].concat();
        stored.ends_with(&place)
    };
    rows.iter().any(|(_, stored, _)| airport(stored))
}

/// An object that both sides had and `a` deleted, and one that keeps the end of the feeds.
async fn deleted() -> World {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    settle(&world).await;
    assert_eq!(count(b).await, 1);
    delete(a, "EWR").await;
    world
}

/// The last change of each feed stays, so there is another one.
async fn another(world: &World) {
    create(&world.pair.a, "JFK", "Kennedy").await;
    settle(world).await;
}

#[tokio::test]
async fn a_tombstone_goes_on_both_sides_once_it_is_old_and_everybody_has_it() {
    let world = deleted().await;
    another(&world).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    a_day_later(&world).await;
    settle(&world).await;
    assert_eq!((collected(a).await, collected(b).await), (1, 1));
    for party in [a, b] {
        assert!(!is_remembered(party, "EWR").await);
        assert!(is_remembered(party, "JFK").await);
        assert_eq!(count(party).await, 1);
        assert_eq!(collect(party).await, Collected::default(), "once is enough");
    }
    settle(&world).await;
    assert_eq!((count(a).await, count(b).await), (1, 1));
}

#[tokio::test]
async fn a_young_tombstone_stays() {
    let world = deleted().await;
    another(&world).await;
    a_day_later(&world).await;
    create(&world.pair.a, "LGA", "young").await;
    delete(&world.pair.a, "LGA").await;
    another_after(&world).await;
    assert_eq!(collected(&world.pair.a).await, 1);
    assert!(is_remembered(&world.pair.a, "LGA").await);
}

async fn another_after(world: &World) {
    edit(&world.pair.a, "JFK", "again").await;
    settle(world).await;
}

#[tokio::test]
async fn an_importer_that_is_away_holds_a_tombstone_until_it_has_it() {
    let world = deleted().await;
    create(&world.pair.a, "JFK", "Kennedy").await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for _ in 0..3 {
        a_day_later(&world).await;
        // What b writes still comes: only what it acknowledges is missing.
        world.back().await;
        assert_eq!(collected(a).await, 0);
        assert!(is_remembered(a, "EWR").await);
    }
    assert_eq!(count(b).await, 1, "b has not heard");
    settle(&world).await;
    a_day_later(&world).await;
    settle(&world).await;
    assert_eq!(collected(a).await, 1);
    assert_eq!((count(a).await, count(b).await), (1, 1));
}

#[tokio::test]
async fn what_a_peer_may_still_bring_in_holds_a_tombstone() {
    let world = deleted().await;
    another(&world).await;
    let a = &world.pair.a;
    a_day_later(&world).await;
    // The last that came from b is older than the tombstone's age, and its stream is not open.
    world.forth().await;
    assert_eq!(collected(a).await, 0);
    world.back().await;
    assert_eq!(collected(a).await, 1);
}

#[tokio::test]
async fn an_acknowledgement_is_remembered_over_a_restart() {
    let mut world = deleted().await;
    another(&world).await;
    world.pair.a.node().record_jobs().await.unwrap();
    collect(&world.pair.a).await;
    world.pair.a.restart().await;
    world.pair.clock.advance(DAY);
    world.back().await;
    assert_eq!(collected(&world.pair.a).await, 1, "b need not be there");
}

#[tokio::test]
async fn an_importer_that_was_set_back_has_not_passed_what_it_once_acknowledged() {
    let world = deleted().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let before = world.importer(a, b).await.position().clone();
    another(&world).await;
    a_day_later(&world).await;
    world.back().await;
    let set_back = Exporter::open(a.node(), &peer(a, b).await, world.flow(), before).await;
    assert_eq!(collected(a).await, 0);
    drop(set_back);
    assert_eq!(collected(a).await, 0, "nor when it is away again");
    assert!(is_remembered(a, "EWR").await);
}

#[tokio::test]
async fn a_halted_connection_holds_a_tombstone_and_a_closed_one_lets_it_go() {
    let world = deleted().await;
    another(&world).await;
    let (a, id) = (&world.pair.a, world.connection);
    a_day_later(&world).await;
    settle(&world).await;
    a.node().disable_connection(&a.manager, id).await.unwrap();
    world.pair.carry().await;
    assert_eq!(collected(a).await, 0);
    let closed = a.node().close_connection(&a.manager, id, Imported::Keep, false);
    closed.await.unwrap();
    world.pair.carry().await;
    a.node().remove_due_imports().await.unwrap();
    world.pair.clock.advance(DAY);
    assert_eq!(collected(a).await, 1);
}

#[tokio::test]
async fn a_refused_tombstone_is_not_one_that_the_other_side_has() {
    let world = deleted().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let mut batch = ready(&mut exporter).unwrap();
    batch.items[0].change = Change::State(Bytes::from_static(b"\0poison"));
    let ack = importer.apply(batch).await.unwrap();
    assert_eq!(ack.refusals.len(), 1);
    exporter.acknowledged(ack).await.unwrap();
    create(a, "JFK", "Kennedy").await;
    drain(&mut exporter, &mut importer).await;
    for _ in 0..3 {
        a_day_later(&world).await;
        world.back().await;
        assert_eq!(collected(a).await, 0);
    }
    assert_eq!(count(b).await, 2, "b has it still");
}

#[tokio::test]
async fn b086_an_edit_that_comes_late_does_not_bring_back_what_was_deleted() {
    let world = deleted().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    edit(b, "EWR", "edited by b, who has not heard").await;
    create(a, "JFK", "Kennedy").await;
    for _ in 0..2 {
        a_day_later(&world).await;
        assert_eq!(collected(a).await, 0);
    }
    settle(&world).await;
    assert_eq!((count(a).await, count(b).await), (1, 1));
    // The edit that lost waits for somebody: the tombstone that holds it stays.
    for _ in 0..2 {
        a_day_later(&world).await;
        settle(&world).await;
        assert_eq!((collected(a).await, collected(b).await), (0, 0));
    }
    let (conflicts, _) = a.node().list_conflicts(&a.admin, "main", None, 10).await.unwrap();
    assert_eq!(conflicts.len(), 1);
    let keep = peerd_core::object::Keep::Winner;
    a.node()
        .resolve_conflict(&a.admin, conflicts[0].id, keep)
        .await
        .unwrap();
    another_after(&world).await;
    world.pair.clock.advance(Duration::from_hours(2));
    a_day_later(&world).await;
    settle(&world).await;
    assert_eq!((collected(a).await, collected(b).await), (1, 1));
}

#[tokio::test]
async fn what_is_created_afresh_lives_although_the_other_side_keeps_the_tombstone() {
    let world = deleted().await;
    another(&world).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    a_day_later(&world).await;
    settle(&world).await;
    assert_eq!(collected(a).await, 1);
    assert!(is_remembered(b, "EWR").await);
    create(a, "EWR", "a new one").await;
    settle(&world).await;
    assert!(name(a, "EWR").await.unwrap().contains("a new one"));
    assert_eq!(name(b, "EWR").await, name(a, "EWR").await);
}

#[tokio::test]
async fn a_deletion_of_a_sourced_object_stays_since_its_source_says_it_again() {
    let world = World::one_way().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK"] {
        load(a, key).await;
    }
    delete(a, "EWR").await;
    edit(a, "JFK", "the last change").await;
    world.forth().await;
    for _ in 0..2 {
        a_day_later(&world).await;
        world.forth().await;
        assert_eq!((collected(a).await, collected(b).await), (0, 0));
    }
    load(a, "EWR").await;
    assert_eq!(count(a).await, 1, "deleted is deleted");
}

async fn load(party: &Party, key: &str) {
    let header = LoadHeader {
        space: "main".into(),
        object_type: "airport".into(),
        columns: vec!["faa".into(), "name".into()],
        ..LoadHeader::default()
    };
    let mut load = party.node().begin_load(&party.admin, header).await.unwrap();
    let content = Content::Cells(vec![key.into(), "of the source".into()]);
    load.offer(vec![Line { number: 1, content }]).unwrap();
    while load.is_running() {
        load.step().await.unwrap();
    }
}

#[tokio::test]
async fn a_feed_that_nobody_shares_is_collected_by_age_alone() {
    let world = World::joined(peerd_core::security::Security::unrestricted()).await;
    let a = &world.pair.a;
    for key in ["EWR", "JFK"] {
        create(a, key, "of a").await;
    }
    delete(a, "EWR").await;
    edit(a, "JFK", "the last change").await;
    assert_eq!(collected(a).await, 0);
    world.pair.clock.advance(DAY);
    assert_eq!(collected(a).await, 1);
    // The note of it goes when it is old itself.
    world.pair.clock.advance(DAY);
    collect(a).await;
    world.pair.clock.advance(DAY);
    assert_eq!(collect(a).await.removals, 1);
}
