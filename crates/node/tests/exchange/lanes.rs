//! What is said again and what is not, deletions, markings, and what ingress denies.

use std::collections::BTreeSet;

use peerd_core::Reason;
use peerd_core::peering::Decision;
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_node::sharing::{Ways, Wish};
use peerd_testkit::Party;

use crate::refused::load;
use crate::world::{AIRPORTS, BOTH, World, apply, at, classify, count, create, edit, name, peer, ready};

const NONE: Ways = Ways {
    export: false,
    import: false,
};

#[tokio::test]
async fn b051_what_did_not_change_is_not_sent_and_changed_and_changed_back_is() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    load(a, "EWR", "Newark").await;
    create(a, "JFK", "Kennedy").await;
    assert_eq!(world.forth().await, (2, 0));
    load(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (0, 0), "the same row moves nothing");
    for text in ["Liberty", "Newark"] {
        load(a, "EWR", text).await;
        edit(a, "JFK", text).await;
        assert_eq!(world.forth().await, (2, 0));
        assert_eq!(name(b, "EWR").await, name(a, "EWR").await);
    }
    // There and back between two batches: what is sent is what is there now, under a later clock.
    load(a, "EWR", "Liberty").await;
    load(a, "EWR", "Newark").await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(world.forth().await, (0, 0));
}

#[tokio::test]
async fn b052_what_is_exported_again_is_sent_again() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    load(a, "EWR", "Newark").await;
    load(a, "JFK", "Kennedy").await;
    assert_eq!(world.forth().await, (2, 0));
    for _ in 0..2 {
        classify(a, "EWR", Some("secret")).await;
        assert_eq!(world.forth().await, (0, 1));
        classify(a, "EWR", None).await;
        assert_eq!(
            world.forth().await,
            (1, 0),
            "the object did not change, and goes again"
        );
        assert_eq!(count(b).await, 2);
    }
    let types = ["airport".to_owned()];
    for _ in 0..2 {
        let unshared = a.node().unshare_type(&a.manager, world.connection, "airport");
        unshared.await.unwrap();
        world.tell().await;
        b.node().remove_due_imports().await.unwrap();
        assert_eq!(count(b).await, 0);
        let shared = a.node().share_types(&a.manager, world.connection, &types, BOTH);
        shared.await.unwrap();
        world.tell().await;
        assert_eq!(world.forth().await, (2, 0));
        assert_eq!(count(b).await, 2);
    }
}

async fn delete(party: &Party, key: &str) {
    let deleted = party.node().delete_object(&party.admin, &at(key)).await;
    deleted.unwrap();
}

/// b maps airports and takes these lanes; it gives nothing but what `back` says.
async fn mapped(source: Ways, actions: Ways) -> World {
    let world = World::shared().await;
    let b = &world.pair.b;
    let wish = Wish {
        local_type: "airport".into(),
        remote_type: "airport".into(),
        properties: Vec::new(),
        source: Some(source),
        actions: Some(actions),
    };
    let made = b.node().create_mapping(&b.manager, world.connection, &wish);
    made.await.unwrap();
    world.tell().await;
    world
}

#[tokio::test]
async fn b087_a_deletion_crosses_only_where_actions_do() {
    let import = Ways {
        export: false,
        import: true,
    };
    for (actions, deleted) in [(NONE, false), (import, true)] {
        let world = mapped(import, actions).await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        load(a, "EWR", "Newark").await;
        world.forth().await;
        delete(a, "EWR").await;
        world.forth().await;
        assert_eq!(count(a).await, 0);
        assert_eq!(count(b).await, u64::from(!deleted), "{actions:?}");
    }
    // The other way: b deletes its copy, and a hears of it only where b's actions go out.
    for (actions, deleted) in [(import, false), (BOTH, true)] {
        let world = mapped(import, actions).await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        load(a, "EWR", "Newark").await;
        world.forth().await;
        delete(b, "EWR").await;
        if deleted {
            world.back().await;
        } else {
            let flows = b.node().flows(&peer(b, a).await).await.unwrap();
            assert_eq!(flows.exports, [], "nothing of b goes out");
        }
        assert_eq!((count(b).await, count(a).await), (0, u64::from(!deleted)));
    }
}

#[tokio::test]
async fn b102_what_ingress_denies_is_refused_shown_and_not_retried_by_itself() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let batch = ready(&mut exporter).unwrap();
    world.forbid(b, Side::Ingress).await;
    let refused = importer.apply(batch).await.unwrap_err();
    assert_eq!((refused.reason(), count(b).await), (Reason::IngressDenied, 0));
    let opened = peerd_node::exchange::Importer::open(b.node(), &peer(b, a).await, world.flow()).await;
    assert_eq!(opened.unwrap_err().reason(), Reason::IngressDenied);
    let flows = b.node().flows(&peer(b, a).await).await.unwrap();
    assert_eq!(
        flows.imports,
        [],
        "it is not asked for until the policies say otherwise"
    );
    let shown = b
        .node()
        .show_connection(&b.manager, world.connection)
        .await
        .unwrap();
    assert!(shown.reason.contains("INGRESS_DENIED"), "{}", shown.reason);
    // Allowed again, it goes on where it stood.
    b.permit(Side::Ingress, a.id()).await;
    assert_eq!(world.forth().await, (1, 0));
    assert_eq!(count(b).await, 1);
}

#[tokio::test]
async fn b102_an_object_beyond_the_agreed_security_is_parked_and_shown_and_the_rest_goes_on() {
    let world = World::shared_with(crate::pair::up_to("internal")).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for (key, level) in [("EWR", None), ("JFK", Some("internal"))] {
        create(a, key, "an airport").await;
        classify(a, key, level).await;
    }
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let batch = ready(&mut exporter).unwrap();
    // b agrees to less meanwhile; what is under way was made under the old terms.
    let change = a
        .node()
        .propose_security(&a.manager, world.connection, Security::unrestricted())
        .await
        .unwrap();
    world.pair.carry().await;
    let decided = b.node().decide_security(&b.manager, change, Decision::Approve);
    decided.await.unwrap();
    let ack = importer.apply(batch).await.unwrap();
    let refused: Vec<_> = ack
        .refusals
        .iter()
        .map(|it| (it.key.as_str(), it.reason))
        .collect();
    assert_eq!(refused, [("JFK", Reason::SecurityWidened)]);
    assert_eq!(count(b).await, 1);
    let parked = async || b.node().list_parked(&b.manager, None, None, 10).await.unwrap().0;
    assert_eq!((parked().await.len(), parked().await[0].attempts), (1, 1));
    exporter.acknowledged(ack).await.unwrap();
    world.pair.carry().await;
    assert_eq!(world.forth().await, (0, 1), "once a knows, it is withdrawn");
    assert_eq!(parked().await, []);
}

fn marked(markings: &[&str]) -> Security {
    Security {
        classification: None,
        markings: markings.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

#[tokio::test]
async fn b106_a_marking_that_is_unknown_here_arrives_without_members_and_its_objects_unseen() {
    let pair = crate::pair::Pair::linked().await;
    for party in [&pair.a, &pair.b] {
        apply(party, AIRPORTS).await;
    }
    let a = &pair.a;
    let medical = "medical".parse().unwrap();
    a.node().create_marking(&a.admin, medical).await.unwrap();
    let invitation = pair.request().await;
    pair.approve(&invitation.code).await.unwrap();
    pair.carry().await;
    let id = invitation.id;
    a.node().activate_connection(&a.manager, id).await.unwrap();
    pair.carry().await;
    let world = World { pair, connection: id };
    let (a, b) = (&world.pair.a, &world.pair.b);
    for party in [a, b] {
        world.share(party, BOTH).await;
    }
    world.tell().await;
    create(a, "EWR", "Newark").await;
    let security = marked(&["medical"]);
    a.node()
        .set_object_security(&a.admin, &at("EWR"), &security)
        .await
        .unwrap();
    assert_eq!(world.forth().await, (0, 0), "not among the connection's markings");

    // Allowed by both sides, it is sent at once, and withdrawn at once.
    let agree = async |security: Security| {
        let proposed = a.node().propose_security(&a.manager, id, security).await;
        let change = proposed.unwrap();
        world.pair.carry().await;
        assert_eq!(world.forth().await, (0, 0), "not before b agrees");
        let decided = b.node().decide_security(&b.manager, change, Decision::Approve);
        decided.await.unwrap();
        world.pair.carry().await;
    };
    agree(marked(&["medical"])).await;
    assert_eq!(world.forth().await, (1, 0));
    let markings = b.node().list_markings(&b.admin, None, 10).await.unwrap().0;
    let names: BTreeSet<String> = markings.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(names, BTreeSet::from(["medical".to_owned()]));
    assert!(markings[0].members.is_empty());
    assert_eq!(count(b).await, 0, "stored, and seen by nobody");
    let name = "medical".parse().unwrap();
    let admin = b.admin.principal().name.to_string();
    b.node().grant_marking(&b.admin, &name, &admin).await.unwrap();
    assert_eq!(count(b).await, 1);
    agree(Security::unrestricted()).await;
    assert_eq!(world.forth().await, (0, 1));
    assert_eq!(count(b).await, 0);
}

#[tokio::test]
async fn b083_a_type_with_imports_blocked_takes_nothing_whatever_comes() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let batch = ready(&mut exporter).unwrap();
    let out = Ways {
        export: true,
        import: false,
    };
    world.share(b, out).await;
    assert_eq!(
        importer.apply(batch).await.unwrap_err().reason(),
        Reason::WrongStage
    );
    assert_eq!(count(b).await, 0);
    create(b, "LHR", "Heathrow").await;
    world.tell().await;
    assert_eq!(ready(&mut exporter), None, "a has heard of it");
    assert_eq!(world.back().await, (1, 0), "out it goes still");
}
