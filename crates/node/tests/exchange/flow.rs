//! What goes, what does not, and what is said again.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::policy::{Direction, Side};
use peerd_core::security::Security;
use peerd_node::exchange::{Change, Exporter, Position};
use peerd_node::sharing::{Ways, Wish};

use crate::world::{BOTH, World, classify, count, create, drain, edit, name, peer, ready};

#[tokio::test]
async fn b050_first_a_snapshot_then_what_changes() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for n in 0..1_200 {
        create(a, &format!("K{n}"), "first").await;
    }
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (1_200, 0));
    assert_eq!(count(b).await, 1_200);
    edit(a, "K7", "second").await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (1, 0));
    assert_eq!(name(b, "K7").await, name(a, "K7").await);
}

#[tokio::test]
async fn b055_a_stream_resumes_where_the_importer_stands() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (1, 0));
    create(a, "JFK", "Kennedy").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(world.forth().await, (0, 0));
    assert_eq!(count(b).await, 2);
}

#[tokio::test]
async fn b056_a_foreign_position_leads_to_everything_once_more() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    world.forth().await;
    let foreign = Position(Bytes::from_static(b"from another epoch"));
    let mut exporter = Exporter::open(a.node(), &peer(a, b).await, world.flow(), foreign.clone())
        .await
        .unwrap();
    let batch = ready(&mut exporter).expect("everything");
    assert_eq!((batch.items.len(), &batch.previous), (1, &foreign));
}

#[tokio::test]
async fn b057_a_gap_is_refused_and_a_repeated_batch_is_answered_as_before() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let first = ready(&mut exporter).expect("a batch");
    create(a, "JFK", "Kennedy").await;
    let second = ready(&mut exporter).expect("a batch");
    let gap = importer.apply(second.clone()).await.unwrap_err();
    assert_eq!(gap.reason(), Reason::PeerMisbehaved);
    let ack = importer.apply(first.clone()).await.unwrap();
    assert_eq!(importer.apply(first).await.unwrap(), ack);
    importer.apply(second).await.unwrap();
    assert_eq!(count(b).await, 2);
}

#[tokio::test]
async fn b058_what_was_sent_and_never_committed_is_sent_again() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let importer = world.importer(a, b).await;
    let lost = ready(&mut world.exporter(a, b, &importer).await);
    assert_eq!(lost.expect("a batch").items.len(), 1);
    assert_eq!(world.forth().await, (1, 0));
}

#[tokio::test]
async fn b085_edits_both_ways_converge_and_do_not_echo() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(world.back().await, (0, 0), "what came is not sent back");
    edit(b, "EWR", "from b").await;
    assert_eq!(world.back().await, (1, 0));
    world.forth().await;
    assert_eq!((world.forth().await, world.back().await), ((0, 0), (0, 0)));
    edit(a, "EWR", "one").await;
    edit(b, "EWR", "two").await;
    for _ in 0..3 {
        world.forth().await;
        world.back().await;
    }
    assert_eq!(name(a, "EWR").await, name(b, "EWR").await);
    assert_eq!((world.forth().await, world.back().await), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn b101_what_is_too_secret_is_not_named_and_what_became_so_is_retracted() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(a, "AREA51", "nothing").await;
    classify(a, "AREA51", Some("secret")).await;
    assert_eq!(world.forth().await, (1, 0));
    classify(a, "EWR", Some("secret")).await;
    assert_eq!(world.forth().await, (0, 1));
    assert_eq!(count(b).await, 0);
    classify(a, "EWR", None).await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(count(b).await, 1);
}

#[tokio::test]
async fn b106_a_policy_revoked_stops_the_stream_before_its_next_batch() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    world.forbid(a, Side::Egress).await;
    create(a, "EWR", "Newark").await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (0, 0));
    assert!(
        a.node()
            .flows(&peer(a, b).await)
            .await
            .unwrap()
            .exports
            .is_empty()
    );
    a.permit(Side::Egress, b.id()).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (1, 0));
    world.forbid(b, Side::Ingress).await;
    importer.until_denied().await;
}

#[tokio::test]
async fn b053_what_is_shared_no_more_goes_even_if_it_is_heard_later() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(b, "LHR", "Heathrow").await;
    world.forth().await;
    assert_eq!(count(b).await, 2);
    let unshared = a
        .node()
        .unshare_type(&a.manager, world.connection, "airport")
        .await;
    unshared.unwrap();
    world.tell().await;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!((count(b).await, name(b, "LHR").await.is_some()), (1, true));
    world.share(a, BOTH).await;
    world.tell().await;
    assert_eq!(world.forth().await, (1, 0), "it comes again");
}

#[tokio::test]
async fn b053_what_is_mapped_to_stay_goes_and_is_waited_for_no_more() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(b, "LHR", "Heathrow").await;
    world.forth().await;
    let stays = Wish {
        local_type: "airport".into(),
        remote_type: "airport".into(),
        properties: Vec::new(),
        source: Some(Ways {
            export: false,
            import: true,
        }),
        actions: Some(Ways {
            export: false,
            import: true,
        }),
    };
    let made = a.node().create_mapping(&a.manager, world.connection, &stays);
    made.await.unwrap();
    world.tell().await;
    let flows = b.node().flows(&peer(b, a).await).await.unwrap();
    assert_eq!((flows.imports, flows.exports.len()), (Vec::new(), 1));
    let seen = b.node().show_connection(&b.manager, world.connection).await;
    let feeds = seen.unwrap().feeds;
    assert!(
        feeds.iter().all(|feed| feed.direction == Direction::Export),
        "{feeds:?}"
    );
    b.node().remove_due_imports().await.unwrap();
    assert_eq!((count(b).await, name(b, "LHR").await.is_some()), (1, true));
    let deleted = a.node().delete_mapping(&a.manager, world.connection, "airport");
    deleted.await.unwrap();
    world.tell().await;
    assert_eq!(world.forth().await, (1, 0), "it comes again");
}

#[tokio::test]
async fn b060_one_poison_item_is_parked_and_the_rest_goes_on() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    create(a, "JFK", "Kennedy").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let mut batch = ready(&mut exporter).expect("a batch");
    batch.items[0].change = Change::State(Bytes::from_static(b"\0poison"));
    let ack = importer.apply(batch).await.unwrap();
    assert_eq!(ack.refusals.len(), 1);
    assert_eq!(count(b).await, 1);
    let (parked, _) = b
        .node()
        .list_parked(&b.manager, Some(world.connection), None, 10)
        .await
        .unwrap();
    assert_eq!(parked.len(), 1);
    let retried = b.node().retry_parked(&b.manager, parked[0].id).await.unwrap();
    assert!(!retried.applied);
    edit(a, &parked[0].key, "well again").await;
    drain(&mut exporter, &mut importer).await;
    let (parked, _) = b.node().list_parked(&b.manager, None, None, 10).await.unwrap();
    assert_eq!((parked, count(b).await), (Vec::new(), 2));
}

#[tokio::test]
async fn nothing_flows_that_one_side_did_not_share() {
    let world = World::joined(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    world.share(a, BOTH).await;
    world.tell().await;
    let (out, into) = (
        a.node().flows(&peer(a, b).await).await.unwrap(),
        b.node().flows(&peer(b, a).await).await.unwrap(),
    );
    assert!(out.exports.is_empty() && into.imports.is_empty());
    world.share(b, BOTH).await;
    world.tell().await;
    let into = b.node().flows(&peer(b, a).await).await.unwrap();
    assert_eq!(into.imports, [world.flow()]);
}

#[tokio::test]
async fn b055_a_scan_that_was_cut_goes_on_where_the_importer_stands() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for n in 0..1_200 {
        create(a, &format!("K{n:04}"), "first").await;
    }
    let first = {
        let mut importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        let batch = ready(&mut exporter).unwrap();
        let lost = ready(&mut exporter).unwrap();
        assert!(!lost.items.is_empty());
        importer.apply(batch.clone()).await.unwrap();
        batch.items.len()
    };
    assert!((1..1_200).contains(&first));
    // One was told, one was told and lost, one is behind the scan, one before it.
    for (key, name) in [("K0001", "told"), ("K0600", "lost"), ("K1199", "ahead")] {
        edit(a, key, name).await;
    }
    create(a, "A", "behind").await;
    create(a, "Z", "before").await;
    let (states, retractions) = world.forth().await;
    assert_eq!(retractions, 0);
    // What the scan met after it had changed is not said again when the feed tells of it.
    assert_eq!(
        states,
        1_200 - first + 3,
        "the rest, the edit of what was told, and two new ones"
    );
    assert_eq!(world.forth().await, (0, 0));
    assert_eq!(count(b).await, 1_202);
    for key in ["K0001", "K0600", "K1199", "A", "Z"] {
        assert_eq!(name(b, key).await, name(a, key).await, "{key}");
    }
}

#[tokio::test]
async fn b101_a_cursor_does_not_betray_a_withheld_key_by_its_length() {
    let of = async |hidden: &str| {
        let world = World::shared().await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        for n in 0..600 {
            create(a, &format!("K{n:04}"), "x").await;
        }
        create(a, hidden, "x").await;
        classify(a, hidden, Some("secret")).await;
        let importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        ready(&mut exporter).unwrap().cursor.0.len()
    };
    // Right behind the last item of the first batch.
    assert_eq!(
        of("K0499a").await,
        of("K0499-a-key-that-is-a-good-deal-longer").await
    );
}

#[tokio::test]
async fn b050_what_changes_while_a_read_is_under_way_is_not_lost() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (1, 0));
    a.room().hold_tails();
    assert!(ready(&mut exporter).is_none(), "it reads that there is nothing");
    create(a, "JFK", "Kennedy").await;
    assert!(ready(&mut exporter).is_none(), "the same read goes on");
    a.room().release_tails();
    let batch = ready(&mut exporter).expect("what came meanwhile is told");
    assert_eq!(batch.items[0].key, "JFK");
}
