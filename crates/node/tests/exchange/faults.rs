//! What goes wrong between two sides, each time until both have the same again, as they say themselves.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::policy::Direction;
use peerd_core::security::Security;
use peerd_node::exchange::verify::Where;
use peerd_node::exchange::{Batch, Change, Exporter, FeedProgress, Item, Position};
use peerd_node::object::Edits;
use peerd_node::sharing::{Ways, Wish};
use peerd_store::{Batch as Writes, Table};
use peerd_testkit::Party;

use crate::refused::load;
use crate::verify::{differences, verify};
use crate::world::{BOTH, World, at, classify, count, create, drain, edit, name, peer, ready};

/// The longest text a value may be.
const LONG: usize = 1 << 20;

async fn feed_of(world: &World, party: &Party, direction: Direction) -> FeedProgress {
    let view = party
        .node()
        .show_connection(&party.manager, world.connection)
        .await;
    let mut feeds = view.unwrap().feeds.into_iter();
    feeds.find(|feed| feed.direction == direction).unwrap()
}

/// Both sides say that both have the same.
async fn equal(world: &World) {
    for party in [&world.pair.a, &world.pair.b] {
        let found = verify(world, party).await;
        assert!(found.is_equal(), "{found:?}");
    }
}

async fn parked(world: &World, party: &Party) -> Vec<(String, Reason)> {
    let listed = party
        .node()
        .list_parked(&party.manager, Some(world.connection), None, 10);
    let (listed, _) = listed.await.unwrap();
    listed.into_iter().map(|it| (it.key, it.reason)).collect()
}

#[tokio::test(start_paused = true)]
async fn b051_what_did_not_change_is_not_sent_and_what_changed_and_changed_back_is() {
    let world = World::one_way().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    load(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (1, 0));
    load(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (0, 0));
    load(a, "EWR", "Liberty").await;
    load(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(name(b, "EWR").await, name(a, "EWR").await);
    equal(&world).await;
}

#[tokio::test(start_paused = true)]
async fn b052_what_stopped_being_exported_and_is_exported_again_is_sent_again() {
    let world = World::one_way().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(a, "JFK", "Kennedy").await;
    assert_eq!(world.forth().await, (2, 0));
    classify(a, "EWR", Some("secret")).await;
    assert_eq!(world.forth().await, (0, 1));
    equal(&world).await;
    classify(a, "EWR", None).await;
    assert_eq!(world.forth().await, (1, 0));
    equal(&world).await;
    let unshared = a
        .node()
        .unshare_type(&a.manager, world.connection, "airport")
        .await;
    unshared.unwrap();
    world.tell().await;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!(count(b).await, 0);
    world.share(a, BOTH).await;
    world.tell().await;
    assert_eq!(world.forth().await, (2, 0));
    equal(&world).await;
}

#[tokio::test(start_paused = true)]
async fn b075_after_an_outage_each_object_crosses_once_however_often_it_changed() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for n in 0..10 {
        create(a, &format!("K{n}"), "before").await;
    }
    world.forth().await;
    for n in 0..300 {
        edit(a, &format!("K{}", n % 10), &format!("edit {n}")).await;
        edit(b, &format!("K{}", n % 5), &format!("edit {n} of b")).await;
    }
    a.node().delete_object(&a.admin, &at("K9")).await.unwrap();
    assert_eq!(feed_of(&world, a, Direction::Export).await.lag, 10);
    assert_eq!(world.forth().await, (10, 0));
    assert_eq!(world.back().await, (5, 0));
    for _ in 0..2 {
        world.forth().await;
        world.back().await;
    }
    equal(&world).await;
    assert_eq!((count(a).await, count(b).await), (9, 9));
}

#[tokio::test(start_paused = true)]
async fn b087_a_deletion_crosses_only_where_actions_do() {
    let world = World::joined(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let ways = |export, import| Some(Ways { export, import });
    world.share(a, BOTH).await;
    let map = async |actions| {
        world.tell().await;
        let wish = Wish {
            local_type: "airport".into(),
            remote_type: "airport".into(),
            properties: Vec::new(),
            source: ways(false, true),
            actions: ways(false, actions),
        };
        let mapped = b.node().create_mapping(&b.manager, world.connection, &wish);
        mapped.await.unwrap();
        world.tell().await;
    };
    map(false).await;
    load(a, "EWR", "Newark").await;
    load(a, "JFK", "Kennedy").await;
    world.forth().await;
    a.node().delete_object(&a.admin, &at("EWR")).await.unwrap();
    world.forth().await;
    assert_eq!((count(a).await, count(b).await), (1, 2));
    equal(&world).await;
    map(true).await;
    assert_eq!(differences(&verify(&world, b).await), [("EWR", Where::Here)]);
    world.forth().await;
    assert_eq!(count(b).await, 1);
    equal(&world).await;
}

#[tokio::test(start_paused = true)]
async fn b076_a_batch_that_comes_twice_is_applied_once_and_answered_the_same() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let batch = ready(&mut exporter).unwrap();
    let ack = importer.apply(batch.clone()).await.unwrap();
    let before = b.contents(&[Table::Objects, Table::Feed, Table::Cursors]).await;
    let applied = feed_of(&world, b, Direction::Import).await.cursor;
    assert_eq!(importer.apply(batch).await.unwrap(), ack);
    assert_eq!(feed_of(&world, b, Direction::Import).await.cursor, applied);
    assert_eq!(
        b.contents(&[Table::Objects, Table::Feed, Table::Cursors]).await,
        before
    );
    exporter.acknowledged(ack).await.unwrap();
    equal(&world).await;
}

#[tokio::test(start_paused = true)]
async fn b077_of_two_streams_of_a_type_one_goes_on_and_a_batch_too_large_is_refused() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    world.forth().await;
    let (mut one, mut other) = (world.importer(a, b).await, world.importer(a, b).await);
    let mut first = world.exporter(a, b, &one).await;
    let mut second = world.exporter(a, b, &other).await;
    create(a, "JFK", "Kennedy").await;
    drain(&mut first, &mut one).await;
    let behind = ready(&mut second).unwrap();
    let refused = other.apply(behind).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::PeerMisbehaved);
    create(a, "LGA", "La Guardia").await;
    let mut large = ready(&mut first).unwrap();
    let items = large.items.clone();
    large.items = (0..1_001).map(|_| items[0].clone()).collect();
    let refused = one.apply(large.clone()).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::PeerMisbehaved);
    assert_eq!(count(b).await, 2, "nothing of it was applied");
    one.apply(Batch { items, ..large }).await.unwrap();
    world.forth().await;
    equal(&world).await;
}

/// Numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[tokio::test(start_paused = true)]
async fn b050_b061_batches_lost_repeated_and_reordered_and_late_acknowledgements_end_equal() {
    for seed in 0..20 {
        let world = World::shared().await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        let mut chance = Chance(seed);
        for round in 0..12 {
            let mut importer = world.importer(a, b).await;
            let mut exporter = world.exporter(a, b, &importer).await;
            let (mut batches, mut acks) = (Vec::new(), Vec::new());
            for _ in 0..6 {
                let key = format!("K{}", chance.below(8));
                match name(a, &key).await {
                    None => create(a, &key, "new").await,
                    Some(_) if chance.below(4) == 0 => {
                        a.node().delete_object(&a.admin, &at(&key)).await.unwrap();
                    }
                    Some(_) => edit(a, &key, &format!("{round}")).await,
                }
                batches.extend(ready(&mut exporter));
                // Any batch that was ever sent may come now, or none.
                for _ in 0..chance.below(4) {
                    let any = usize::try_from(chance.below(batches.len() as u64)).unwrap();
                    let before = importer.position().clone();
                    match importer.apply(batches[any].clone()).await {
                        Ok(ack) => acks.push(ack),
                        Err(refused) => {
                            assert_eq!(refused.reason(), Reason::PeerMisbehaved, "seed {seed}");
                            assert_eq!(*importer.position(), before, "seed {seed}");
                        }
                    }
                }
                // Acknowledgements come late, twice, and in any order.
                for _ in 0..chance.below(3) {
                    if !acks.is_empty() {
                        let any = usize::try_from(chance.below(acks.len() as u64)).unwrap();
                        exporter.acknowledged(acks[any].clone()).await.unwrap();
                    }
                }
            }
        }
        world.forth().await;
        equal(&world).await;
        assert_eq!(count(a).await, count(b).await, "seed {seed}");
        assert_eq!(
            (world.forth().await, world.back().await),
            ((0, 0), (0, 0)),
            "seed {seed}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn b056_positions_that_lie_and_a_feed_of_another_epoch_lead_to_a_resync_that_is_counted() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK"] {
        create(a, key, "of a").await;
    }
    world.forth().await;
    let truth = world.importer(a, b).await.position().clone();
    let mut altered = truth.0.to_vec();
    altered[20] ^= 1;
    let lies = [
        Position(Bytes::from_static(b"anything")),
        Position(altered.into()),
    ];
    for (resyncs, lie) in (1..).zip(lies) {
        let opened = Exporter::open(a.node(), &peer(a, b).await, world.flow(), lie).await;
        let batch = ready(&mut opened.unwrap()).unwrap();
        assert_eq!(batch.items.len(), 2, "everything");
        assert_eq!(feed_of(&world, a, Direction::Export).await.resyncs, resyncs);
    }
    // A restore: the feed's history is another one, and what b knows of it means nothing any more.
    let meta = a.contents(&[Table::Meta]).await;
    let secret = meta.into_iter().find(|(_, key, _)| key == "feed_secret");
    let mut writes = Writes::new();
    writes.delete(Table::Meta, secret.unwrap().1);
    a.node().store().commit(writes).await.unwrap();
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let before = b.contents(&[Table::Objects]).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (2, 0));
    assert_eq!(feed_of(&world, a, Direction::Export).await.resyncs, 3);
    assert_eq!(b.contents(&[Table::Objects]).await, before, "it is there already");
    equal(&world).await;
    assert_eq!(world.forth().await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn b060_a_poison_object_is_a_difference_until_it_is_well() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK", "LGA"] {
        create(a, key, "of a").await;
    }
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let mut batch = ready(&mut exporter).unwrap();
    let poison = |item: &mut Item| item.change = Change::State(Bytes::from_static(b"\0poison"));
    batch
        .items
        .iter_mut()
        .filter(|item| item.key == "JFK")
        .for_each(poison);
    let ack = importer.apply(batch).await.unwrap();
    exporter.acknowledged(ack).await.unwrap();
    assert_eq!(differences(&verify(&world, a).await), [("JFK", Where::Here)]);
    assert_eq!(differences(&verify(&world, b).await), [("JFK", Where::There)]);
    edit(a, "JFK", "well again").await;
    drain(&mut exporter, &mut importer).await;
    equal(&world).await;
}

/// Edits one of the long properties.
async fn lengthen(party: &Party, property: &str, length: usize) {
    let edits = Edits {
        set: [(property.to_owned(), "x".repeat(length))].into(),
        clear: Vec::new(),
    };
    let edited = party.node().edit_object(&party.admin, &at("EWR"), &edits).await;
    edited.unwrap();
}

#[tokio::test(start_paused = true)]
async fn b063_an_object_above_the_limit_is_not_sent_and_is_a_difference_until_it_is_smaller() {
    let long = |name: &str| format!(r#""{name}": {{"type": "string", "nullable": true}}"#);
    let properties = ["p1", "p2", "p3", "p4"].map(long).join(", ");
    let ontology = format!(
        r#"{{"object_types": [{{"name": "airport", "primary_key": "faa",
        "properties": {{"faa": "string", "name": {{"type": "string", "nullable": true}}, {properties}}}}}]}}"#
    );
    let world = World::one_way_with(&ontology).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    create(a, "JFK", "of a").await;
    world.forth().await;
    for property in ["p1", "p2", "p3", "p4"] {
        lengthen(a, property, LONG).await;
    }
    assert_eq!(world.forth().await, (0, 0));
    assert_eq!(parked(&world, a).await, [("EWR".into(), Reason::TooLarge)]);
    assert_eq!(world.forth().await, (0, 0), "it does not loop");
    assert_eq!(differences(&verify(&world, a).await), [("EWR", Where::Both)]);
    assert_eq!(differences(&verify(&world, b).await), [("EWR", Where::Both)]);
    lengthen(a, "p4", LONG / 2).await;
    assert_eq!(world.forth().await, (1, 0));
    equal(&world).await;
    // An edit of the importer that stays there makes even the largest item cross for the comparison.
    edit(b, "EWR", "of b").await;
    equal(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_either_end_stops_the_stream_with_a_clear_error_until_there_is_room() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    world.forth().await;
    for full in [a, b] {
        edit(a, "EWR", "changed").await;
        create(a, &format!("N{}", count(a).await), "new").await;
        full.room().fill();
        let refused = full
            .node()
            .delete_object(&full.admin, &at("EWR"))
            .await
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::StoreFull);
        let mut importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        let position = importer.position().clone();
        let stopped = match exporter.next().await {
            Ok(batch) => importer.apply(batch).await.map(drop),
            Err(error) => Err(error),
        };
        assert_eq!(stopped.unwrap_err().reason(), Reason::StoreFull);
        assert_eq!(*importer.position(), position);
        assert!(!verify(&world, a).await.is_equal(), "reads go on");
        full.room().clear();
        world.forth().await;
        world.back().await;
        equal(&world).await;
    }
}
