//! Policies and identities: what keeps two sides apart, and what brings them together again.

use std::time::Duration;

use peerd_core::Reason;
use peerd_core::link::{Direction, Status};
use peerd_node::policy::PolicyDecision;
use peerd_testkit::{TestClock, eventually};

use crate::site::{INGRESS, Plan, Site, linked_by};

#[tokio::test]
async fn a_policy_that_ends_takes_the_session_with_it() {
    let until = TestClock::START.plus(Duration::from_hours(1));
    let plan = Plan {
        ingress_until: Some(until),
        ..Plan::default()
    };
    // The clocks may be two hours apart, so only the policy is at work here.
    let (a, b) = linked_by(Direction::IngressOnly, plan, Plan::default()).await;
    a.ground.clock.set(until);
    let began = std::time::Instant::now();
    let apart = eventually("both sides to be apart", async || {
        let here = a.node.presence().of(a.link_id().await).session.is_none();
        let there = b.link().await?.life.session.is_none();
        (here && there).then_some(())
    });
    tokio::select! {
        () = apart => {}
        // What the daemon runs beside it: it never returns.
        () = a.node.run_policy_clock() => {}
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let health = b.link().await.unwrap().health;
    assert_eq!(health.status, Status::Blocked);
    let failure = b.link().await.unwrap().life.failure.unwrap();
    assert_eq!(failure.reason, Reason::IngressDenied);
    assert!(failure.refused);
}

#[tokio::test]
async fn a_policy_that_is_revoked_takes_the_session_with_it_and_a_new_one_brings_it_back() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let began = std::time::Instant::now();
    let decide = async |decision| a.node.decide_policy(&a.caller, INGRESS, decision).await.unwrap();
    decide(PolicyDecision::Pause).await;
    eventually("both sides to be apart", async || {
        let here = a.node.presence().of(a.link_id().await).session.is_none();
        let there = b.link().await?.life.failure?.reason == Reason::IngressDenied;
        (here && there).then_some(())
    })
    .await;
    // One second is promised; a busy test machine gets more.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    decide(PolicyDecision::Resume).await;
    // The other side does not learn of it by itself before the cap; its operator asks.
    let link = b.link_id().await.to_string();
    b.node.dial_link(&b.caller, &link).await.unwrap();
    b.connected_after(1).await;
}

#[tokio::test]
async fn a_source_that_no_policy_admits_gets_no_handshake() {
    let plan = Plan {
        sources: "10.0.0.0/8",
        ..Plan::default()
    };
    let (a, b) = (Site::planned(plan).await, Site::fresh().await);
    b.enter(&a.invite(Direction::Bidirectional).await).await;
    eventually("a failed dial", async || {
        (b.link().await?.life.failure?.reason == Reason::PeerUnreachable).then_some(())
    })
    .await;
    let knocks = a.node.list_knocks(&a.caller).await.unwrap();
    assert!(
        knocks.iter().all(|knock| knock.fingerprint.is_none()),
        "nobody showed a certificate"
    );
    assert!(!knocks.is_empty());
}

#[tokio::test]
async fn b070_the_next_address_is_tried_when_one_is_dead_or_somebody_else() {
    let somebody = Site::fresh().await;
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let plan = Plan {
        addresses_before: vec![dead.to_string(), somebody.address().to_string()],
        ..Plan::default()
    };
    let (a, b) = linked_by(Direction::IngressOnly, plan, Plan::default()).await;
    assert!(a.link().await.unwrap().link.is_established());
    assert!(b.link().await.unwrap().link.is_established());
}

#[tokio::test]
async fn another_identity_at_the_address_is_told_and_not_trusted() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let address = a.address();
    drop(a.stop().await);
    let _impostor = Site::at(address).await;
    // The schedule counts on a clock that stands still here; an operator asks.
    let failure = eventually("the mismatch", async || {
        let link = b.link_id().await.to_string();
        b.node.dial_link(&b.caller, &link).await.unwrap();
        let failure = b.link().await?.life.failure?;
        (failure.reason == Reason::IdentityMismatch).then_some(failure)
    })
    .await;
    assert!(
        failure
            .message
            .contains(&b.link().await.unwrap().link.enrollment().unwrap().to_string())
    );
    assert!(b.link().await.unwrap().life.session.is_none());
}

#[tokio::test]
async fn dials_that_cross_settle_to_one_session() {
    let (a, b) = linked_by(Direction::Bidirectional, Plan::default(), Plan::default()).await;
    let number = a.link().await.unwrap().life.session.unwrap().number;
    let b = Site::restart(b.stop().await).await;
    a.connected_after(number).await;
    b.connected_after(0).await;
    // Both dial now whenever they are apart, and may have crossed; what stays is one session, seen from both ends.
    eventually("one session, dialled by one side", async || {
        let here = a.link().await?.life.session?;
        let there = b.link().await?.life.session?;
        (here.dialled_here != there.dialled_here).then_some(())
    })
    .await;
}
