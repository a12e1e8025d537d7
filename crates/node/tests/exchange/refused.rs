//! What is not taken, and what is taken back: nobody changes or removes what is not theirs.

use bytes::Bytes;
use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::peering::Imported;
use peerd_node::exchange::{Change, Exporter, FeedProgress};
use peerd_node::object::{Content, Line, LoadHeader};
use peerd_store::{Batch, FeedId, Table};
use peerd_testkit::Party;

use crate::world::{AIRPORTS, NAMED, World, apply, classify, count, create, drain, edit, name, peer, ready};

/// Loads one row of the party's own source; without a name when that is empty.
pub(crate) async fn load(party: &Party, key: &str, name: &str) {
    let header = LoadHeader {
        space: "main".into(),
        object_type: "airport".into(),
        columns: vec!["faa".into(), "name".into()],
        ..LoadHeader::default()
    };
    let mut load = party.node().begin_load(&party.admin, header).await.unwrap();
    let content = Content::Cells(vec![key.into(), name.into()]);
    load.offer(vec![Line { number: 1, content }]).unwrap();
    while load.is_running() {
        load.step().await.unwrap();
    }
    assert_eq!(load.progress().rejected, 0);
}

async fn parked(world: &World, party: &Party) -> Vec<(String, Reason)> {
    let listed = party
        .node()
        .list_parked(&party.manager, Some(world.connection), None, 10);
    let (listed, _) = listed.await.unwrap();
    listed.into_iter().map(|it| (it.key, it.reason)).collect()
}

#[tokio::test]
async fn b081_a_row_of_this_sides_source_is_never_overwritten() {
    let world = World::one_way().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    load(b, "EWR", "of b").await;
    load(a, "EWR", "of a").await;
    load(a, "JFK", "of a").await;
    let before = name(b, "EWR").await;
    assert_eq!(world.forth().await, (2, 0));
    assert_eq!(parked(&world, b).await, [("EWR".into(), Reason::SourceOwned)]);
    assert_eq!((name(b, "EWR").await, count(b).await), (before, 2));
}

#[tokio::test]
async fn b081_what_came_from_a_third_enrollment_is_not_this_ones_to_change() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    world.forth().await;
    // The same copy as if another connection had brought it.
    let (_, key, value) = b.contents(&[Table::Objects]).await.remove(0);
    let mut other = value.to_vec();
    assert_eq!(other[3..19], *world.connection.as_bytes());
    other[3..19].copy_from_slice(&[9; 16]);
    let feed = FeedId {
        space: b.connection(world.connection).await.unwrap().space.unwrap().id,
        object_type: "airport".into(),
    };
    let mut batch = Batch::new();
    batch.put_in_feed(feed, key.clone(), other.clone());
    b.node().store().commit(batch).await.unwrap();
    edit(a, "EWR", "changed by a").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(parked(&world, b).await, [("EWR".into(), Reason::SourceOwned)]);
    classify(a, "EWR", Some("secret")).await;
    assert_eq!(world.forth().await, (0, 1));
    assert_eq!(
        b.contents(&[Table::Objects]).await,
        [(Table::Objects, key, Bytes::from(other))]
    );
}

#[tokio::test]
async fn b060_an_object_that_does_not_fit_is_parked_and_applied_when_the_schema_is_mended() {
    let world = World::one_way_with(NAMED).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    // b has not heard yet that names may be missing at a.
    apply(a, AIRPORTS).await;
    load(a, "EWR", "Newark").await;
    load(a, "NEW", "").await;
    load(a, "JFK", "Kennedy").await;
    assert_eq!(world.forth().await, (3, 0));
    assert_eq!(count(b).await, 2);
    assert_eq!(parked(&world, b).await, [("NEW".into(), Reason::ObjectInvalid)]);
    let listed = b.node().list_parked(&b.manager, None, None, 10).await.unwrap().0;
    let id = listed[0].id;
    let retried = b.node().retry_parked(&b.manager, id).await.unwrap();
    assert!(!retried.applied);
    apply(b, AIRPORTS).await;
    let retried = b.node().retry_parked(&b.manager, id).await.unwrap();
    assert!(retried.applied, "{}", retried.message);
    assert_eq!(count(b).await, 3);
    assert_eq!(parked(&world, b).await, []);
}

#[tokio::test]
async fn b053_a_type_unshared_while_the_importer_is_away_goes_when_it_is_back() {
    let mut world = World::shared().await;
    create(&world.pair.a, "EWR", "Newark").await;
    create(&world.pair.b, "LHR", "Heathrow").await;
    world.forth().await;
    let a = &world.pair.a;
    let unshared = a
        .node()
        .unshare_type(&a.manager, world.connection, "airport")
        .await;
    unshared.unwrap();
    world.pair.b.restart().await;
    let b = &world.pair.b;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!(count(b).await, 2, "nobody told it yet");
    world.tell().await;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!((count(b).await, name(b, "LHR").await.is_some()), (1, true));
}

#[tokio::test]
async fn b054_to_withdraw_one_object_removes_no_other() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "EWR2", "EW"] {
        create(a, key, "of a").await;
    }
    create(b, "LHR", "of b").await;
    world.forth().await;
    world.back().await;
    classify(a, "EWR", Some("secret")).await;
    assert_eq!(world.forth().await, (0, 1));
    for (key, there) in [("EWR", false), ("EWR2", true), ("EW", true), ("LHR", true)] {
        assert_eq!(name(b, key).await.is_some(), there, "{key}");
    }
    assert_eq!(count(a).await, 4);
}

#[tokio::test]
async fn b054_a_withdrawal_never_removes_what_the_other_side_has_by_itself() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    create(b, "EWR", "of b").await;
    world.forth().await;
    classify(a, "EWR", Some("secret")).await;
    assert_eq!(world.forth().await, (0, 1));
    assert!(name(b, "EWR").await.is_some());
}

#[tokio::test]
async fn a_purge_at_close_removes_just_what_came_and_goes_on_after_a_restart() {
    let mut world = World::shared().await;
    for n in 0..300 {
        create(&world.pair.a, &format!("K{n:03}"), "of a").await;
    }
    create(&world.pair.b, "LHR", "of b").await;
    world.forth().await;
    assert_eq!(count(&world.pair.b).await, 301);
    let b = &world.pair.b;
    let closed = b
        .node()
        .close_connection(&b.manager, world.connection, Imported::Purge, false);
    closed.await.unwrap();
    // It stops at its first pause: one page is gone.
    assert!(b.node().remove_due_imports().now_or_never().is_none());
    let left = count(b).await;
    assert!(1 < left && left < 301, "{left}");
    world.pair.b.restart().await;
    let b = &world.pair.b;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!((count(b).await, name(b, "LHR").await.is_some()), (1, true));
    assert_eq!(b.contents(&[Table::Purges]).await, []);
    assert_eq!(count(&world.pair.a).await, 300);
}

#[tokio::test]
async fn nothing_is_remembered_of_a_connection_that_is_over_but_its_record() {
    let remembered = [
        Table::Exported,
        Table::Cursors,
        Table::Sharing,
        Table::Parked,
        Table::Purges,
    ];
    for imported in [Imported::Keep, Imported::Purge] {
        let world = World::shared().await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        for n in 0..300 {
            create(a, &format!("K{n:03}"), "of a").await;
        }
        let mut importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        let mut batch = ready(&mut exporter).unwrap();
        batch.items[0].change = Change::State(Bytes::from_static(b"\0poison"));
        importer.apply(batch).await.unwrap();
        for party in [a, b] {
            party.node().remove_due_imports().await.unwrap();
        }
        assert_eq!(a.contents(&[Table::Exported]).await.len(), 300);
        assert_eq!(b.contents(&[Table::Parked, Table::Cursors]).await.len(), 3);
        let closed = b
            .node()
            .close_connection(&b.manager, world.connection, imported, false);
        closed.await.unwrap();
        world.pair.carry().await;
        for party in [a, b] {
            party.node().remove_due_imports().await.unwrap();
            assert_eq!(party.contents(&remembered).await, []);
            assert!(party.connection(world.connection).await.is_some());
        }
        let kept = if imported == Imported::Keep { 299 } else { 0 };
        assert_eq!(count(b).await, kept);
    }
}

/// The progress of a's export as an operator sees it.
async fn export_of(world: &World, party: &Party) -> FeedProgress {
    let view = party
        .node()
        .show_connection(&party.manager, world.connection)
        .await;
    let feeds = view.unwrap().feeds;
    let export = |feed: &FeedProgress| feed.direction == peerd_core::policy::Direction::Export;
    feeds.into_iter().find(export).unwrap()
}

#[tokio::test]
async fn b056_a_position_ahead_of_the_feed_leads_to_everything_once_more_and_is_counted() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["A", "B", "C"] {
        create(a, key, "of a").await;
    }
    create(b, "LHR", "of b").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    // b seals as a does: to b the position is of its own making, and ahead of all it has.
    let meta = a.contents(&[Table::Meta]).await;
    let mut secrets = meta.into_iter().filter(|(_, key, _)| key == "feed_secret");
    let (table, key, value) = secrets.next().unwrap();
    let mut batch = Batch::new();
    batch.put(table, key, value);
    b.node().store().commit(batch).await.unwrap();
    for key in ["D", "E", "F", "G", "H"] {
        create(a, key, "of a").await;
    }
    let ahead = ready(&mut exporter).unwrap().cursor;
    assert_eq!(export_of(&world, b).await.resyncs, 0);
    let mut exporter = Exporter::open(b.node(), &peer(b, a).await, world.flow(), ahead.clone())
        .await
        .unwrap();
    let batch = ready(&mut exporter).unwrap();
    assert_eq!((batch.items.len(), &batch.previous), (1, &ahead));
    assert_eq!(export_of(&world, b).await.resyncs, 1);
}
