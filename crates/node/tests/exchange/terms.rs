//! Terms that change under a stream: only what differs is said, and nothing of it is lost.

use peerd_core::Reason;
use peerd_core::audit::Outcome;
use peerd_core::peering::Decision;
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_node::audit::AuditRecord;

use crate::pair::up_to;
use crate::world::{World, classify, count, create, drain, name, peer, ready};

/// a proposes, b agrees.
pub(crate) async fn agree(world: &World, security: Security) {
    let (a, b) = (&world.pair.a, &world.pair.b);
    let id = world.connection;
    let proposed = a.node().propose_security(&a.manager, id, security).await;
    let change = proposed.unwrap();
    world.pair.carry().await;
    let decided = b.node().decide_security(&b.manager, change, Decision::Approve);
    decided.await.unwrap();
    world.pair.carry().await;
}

/// Three open airports, two internal ones and a secret one at a.
async fn classified() -> World {
    let world = World::shared_with(up_to("internal")).await;
    let a = &world.pair.a;
    for (key, level) in [
        ("O1", None),
        ("I1", Some("internal")),
        ("O2", None),
        ("S1", Some("secret")),
        ("I2", Some("internal")),
        ("O3", None),
    ] {
        create(a, key, "an airport").await;
        classify(a, key, level).await;
    }
    assert_eq!(world.forth().await, (5, 0));
    world
}

#[tokio::test]
async fn b106_a_wider_security_sends_only_what_became_visible() {
    let world = classified().await;
    agree(&world, up_to("secret")).await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(count(&world.pair.b).await, 6);
    assert_eq!(world.forth().await, (0, 0));
}

#[tokio::test]
async fn b106_a_narrower_security_retracts_exactly_what_may_not_cross_any_more() {
    let world = classified().await;
    let b = &world.pair.b;
    create(b, "LHR", "of b").await;
    agree(&world, Security::unrestricted()).await;
    assert_eq!(world.forth().await, (0, 2));
    assert_eq!(count(b).await, 4);
    for (key, there) in [
        ("O1", true),
        ("O3", true),
        ("LHR", true),
        ("I1", false),
        ("I2", false),
    ] {
        assert_eq!(name(b, key).await.is_some(), there, "{key}");
    }
    assert_eq!(world.forth().await, (0, 0));
    agree(&world, up_to("internal")).await;
    assert_eq!(world.forth().await, (2, 0), "what came back is said again");
}

#[tokio::test]
async fn b106_terms_that_change_under_an_open_stream_change_what_it_says() {
    let world = classified().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    agree(&world, Security::unrestricted()).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (0, 2));
    agree(&world, up_to("secret")).await;
    assert_eq!(drain(&mut exporter, &mut importer).await, (3, 0));
}

#[tokio::test]
async fn b058_a_crash_between_mark_and_send_of_a_second_walk_loses_nothing() {
    let mut world = classified().await;
    for (security, said) in [(Security::unrestricted(), (0, 2)), (up_to("secret"), (3, 0))] {
        agree(&world, security).await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        let importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        // Its marks are durable, itself it is nowhere.
        drop(ready(&mut exporter).unwrap());
        drop(exporter);
        world.pair.a.restart().await;
        assert_eq!(world.forth().await, said);
        assert_eq!(world.forth().await, (0, 0));
    }
    assert_eq!(count(&world.pair.b).await, 6);
}

#[tokio::test]
async fn a_halt_at_the_exporter_stops_before_the_next_batch_and_resumes_at_the_cursor() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    let halted = a.node().disable_connection(&a.manager, world.connection).await;
    halted.unwrap();
    create(a, "JFK", "Kennedy").await;
    assert_eq!(ready(&mut exporter), None);
    let on = a.node().enable_connection(&a.manager, world.connection).await;
    on.unwrap();
    assert_eq!(drain(&mut exporter, &mut importer).await, (1, 0));
}

#[tokio::test]
async fn a_halt_at_the_importer_refuses_the_batch_under_way_and_resumes_at_the_cursor() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    create(a, "JFK", "Kennedy").await;
    let under_way = ready(&mut exporter).unwrap();
    let halted = b.node().disable_connection(&b.manager, world.connection).await;
    halted.unwrap();
    importer.until_denied().await;
    let refused = importer.apply(under_way).await.unwrap_err();
    assert_eq!((refused.reason(), count(b).await), (Reason::WrongStage, 1));
    world.pair.carry().await;
    assert_eq!(ready(&mut exporter), None, "the exporter heard of it");
    assert!(
        a.node()
            .flows(&peer(a, b).await)
            .await
            .unwrap()
            .exports
            .is_empty()
    );
    let on = b.node().enable_connection(&b.manager, world.connection).await;
    on.unwrap();
    world.pair.carry().await;
    assert_eq!(world.forth().await, (1, 0));
}

/// What the audit log of a says of the policies' decisions about what flows: how each ended, and why.
async fn decisions(world: &World) -> Vec<(bool, String)> {
    let a = &world.pair.a;
    let (records, _) = a.node().list_audit(&a.admin, None, None, 1_000).await.unwrap();
    let of_flows = |record: &AuditRecord| {
        let fact = &record.fact;
        let about = fact.subjects().contains(&world.connection.to_string());
        (about && fact.action() == "decide flow")
            .then(|| (fact.outcome() == Outcome::Done, fact.details()["why"].clone()))
    };
    records.iter().filter_map(of_flows).collect()
}

#[tokio::test]
async fn b110_a_stream_stopped_by_policy_is_audited_once_and_once_when_it_goes_on() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let them = peer(a, b).await;
    let asked = async || a.node().flows(&them).await.unwrap().exports.len();
    assert_eq!((asked().await, decisions(&world).await), (1, Vec::new()));
    world.forbid(a, Side::Egress).await;
    assert_eq!((asked().await, asked().await), (0, 0));
    let [(false, why)] = &decisions(&world).await[..] else {
        panic!("{:?}", decisions(&world).await);
    };
    assert!(why.contains("egress"), "{why}");
    a.permit(Side::Egress, b.id()).await;
    assert_eq!((asked().await, asked().await), (1, 1));
    let ended: Vec<bool> = decisions(&world).await.into_iter().map(|it| it.0).collect();
    assert_eq!(ended, [false, true]);
}
