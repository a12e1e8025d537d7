//! A link and a connection, from the code to the end.

use std::collections::BTreeMap;
use std::time::Duration;

use peerd_core::ConnectionId;
use peerd_core::link::{Direction, Status};
use peerd_core::ontology::OntologyFile;
use peerd_core::peering::Stage;
use peerd_node::connection::Ask;
use peerd_node::object::ObjectAt;
use peerd_node::sharing::Ways;
use peerd_testkit::eventually;

use crate::site::{Plan, SPACE, Site, linked, linked_by};

async fn stage(site: &Site) -> Option<Stage> {
    let (views, _) = site.node.list_connections(&site.caller, None, 10).await.unwrap();
    views.into_iter().next().map(|view| view.connection.stage)
}

#[tokio::test]
async fn one_code_links_and_a_connection_goes_through_its_handshake() {
    let (a, b) = linked(Plan::default(), Plan::default()).await;
    for site in [&a, &b] {
        let view = site.link().await.unwrap();
        assert!(view.link.is_established());
        assert_eq!(view.health.status, Status::Healthy);
        let title = view.link.remote.unwrap().title.unwrap();
        assert_eq!(title.as_str(), "A Title");
    }

    let invitation = a.node.request_connection(&a.caller, a.ask().await).await.unwrap();
    b.node
        .approve_connection(&b.caller, &invitation.code, SPACE, None)
        .await
        .unwrap();
    eventually("the approval at the originator", async || {
        matches!(stage(&a).await?, Stage::Approved { .. }).then_some(())
    })
    .await;
    a.node
        .activate_connection(&a.caller, invitation.id)
        .await
        .unwrap();
    eventually("the activation at the importer", async || {
        matches!(stage(&b).await?, Stage::Active { .. }).then_some(())
    })
    .await;
    eventually("every message answered", async || {
        let (here, there) = (a.link_id().await, b.link_id().await);
        let waiting = a.node.outbox(here).await.unwrap().len() + b.node.outbox(there).await.unwrap().len();
        (waiting == 0).then_some(())
    })
    .await;
}

/// A connection from `a` to `b` that both call active.
async fn peered(a: &Site, b: &Site) -> ConnectionId {
    peered_as(a, b, a.ask().await).await
}

/// The same, as asked.
pub(crate) async fn peered_as(a: &Site, b: &Site, ask: Ask) -> ConnectionId {
    let ask = a.node.request_connection(&a.caller, ask).await;
    let invitation = ask.unwrap();
    let approved = b
        .node
        .approve_connection(&b.caller, &invitation.code, SPACE, None)
        .await;
    approved.unwrap();
    eventually("the approval at the originator", async || {
        matches!(stage(a).await?, Stage::Approved { .. }).then_some(())
    })
    .await;
    let activated = a.node.activate_connection(&a.caller, invitation.id).await;
    activated.unwrap();
    eventually("the activation at the importer", async || {
        matches!(stage(b).await?, Stage::Active { .. }).then_some(())
    })
    .await;
    invitation.id
}

/// A connection from `a` to `b` over which airports go both ways.
pub(crate) async fn with_airports(a: &Site, b: &Site) -> ConnectionId {
    let file = r#"{"object_types": [{"name": "airport", "primary_key": "faa", "properties": {
        "faa": "string", "name": {"type": "string", "nullable": true}}}]}"#;
    let ontology: OntologyFile = serde_json::from_str(file).unwrap();
    for site in [a, b] {
        site.node
            .apply_ontology(&site.caller, SPACE, &ontology)
            .await
            .unwrap();
    }
    let connection = peered(a, b).await;
    for site in [a, b] {
        let ways = Ways {
            export: true,
            import: true,
        };
        let types = ["airport".to_owned()];
        site.node
            .share_types(&site.caller, connection, &types, ways)
            .await
            .unwrap();
    }
    connection
}

/// An airport made at one side, once the other has it too.
pub(crate) async fn brought(from: &Site, to: &Site, key: &str) {
    let properties = BTreeMap::from([("faa".to_owned(), key.to_owned())]);
    let made = from
        .node
        .create_object(&from.caller, SPACE, "airport", &properties)
        .await;
    made.unwrap();
    let at = ObjectAt {
        space: SPACE.to_owned(),
        object_type: "airport".to_owned(),
        key: key.to_owned(),
    };
    eventually("the object on the other side", async || {
        to.node.object(&to.caller, &at).await.ok().map(drop)
    })
    .await;
}

#[tokio::test]
async fn objects_go_both_ways_whoever_dialled() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    with_airports(&a, &b).await;
    brought(&a, &b, "LGA").await;
    brought(&b, &a, "JFK").await;
}

#[tokio::test]
async fn a_code_of_a_side_that_only_dials_needs_a_second_code() {
    let (a, b) = (Site::fresh().await, Site::fresh().await);
    // Seen from a, only a dials: b cannot use a's code alone.
    b.enter(&a.invite(Direction::EgressOnly).await).await;
    a.enter(&b.invite(Direction::IngressOnly).await).await;
    a.connected_after(0).await;
    b.connected_after(0).await;
    assert!(a.link().await.unwrap().link.is_established());
    assert!(b.link().await.unwrap().link.is_established());
}

#[tokio::test]
async fn b071_either_side_restarts_and_the_link_is_back() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let number = a.link().await.unwrap().life.session.unwrap().number;
    let b = Site::restart(b.stop().await).await;
    b.connected_after(0).await;
    a.connected_after(number).await;
    let a = Site::restart(a.stop().await).await;
    a.connected_after(0).await;
}

#[tokio::test]
async fn b066_heartbeats_keep_an_idle_link_alive() {
    const BEATS: u32 = 50;
    let plan = || Plan {
        heartbeat_interval: Duration::from_millis(40),
        silence_max: Duration::from_secs(1),
        ..Plan::default()
    };
    let (a, _b) = linked_by(Direction::IngressOnly, plan(), plan()).await;
    let number = a.link().await.unwrap().life.session.unwrap().number;
    // Nothing but heartbeats is sent for as long as they take: twice the silence that would end the session.
    for _ in 0..BEATS {
        a.ground.clock.advance(Duration::from_millis(1));
        let now = peerd_core::Clock::now(&*a.ground.clock);
        eventually("a heartbeat", async || {
            (a.link().await?.life.last_heard_at? >= now).then_some(())
        })
        .await;
    }
    assert_eq!(a.link().await.unwrap().life.session.unwrap().number, number);
}
