//! An identity that is replaced while links are up, while peers are away, and what its earlier key is good for then.

use std::sync::Arc;

use peerd_core::signature::OwnIdentity as _;
use peerd_core::{Clock as _, Reason};
use peerd_identity::{CERTIFICATE_FILE, Identity, KEY_FILE, LiveIdentity};
use peerd_testkit::eventually;
use peerd_wire::status::refusal;

use crate::link::{brought, with_airports};
use crate::rogue;
use crate::site::{Plan, Site, linked};

/// Waits until the other side pins just the present key of `of`.
async fn pinned(at: &Site, of: &Site) {
    let key = of.ground.identity.lineage().key().clone();
    eventually("the new identity to be pinned", async || {
        let remote = at.link().await?.link.remote?;
        (remote.keys == [key.clone()] && remote.enrollment == of.node.enrollment_id()).then_some(())
    })
    .await;
}

async fn rotate(site: &Site) {
    site.node.rotate_identity(&site.caller).await.unwrap();
}

#[tokio::test]
async fn b027_a_new_identity_is_followed_at_once_and_holds_after_a_restart() {
    let (a, b) = linked(Plan::default(), Plan::default()).await;
    let connection = with_airports(&a, &b).await;
    brought(&a, &b, "EWR").await;
    let (id, before) = (a.node.enrollment_id(), b.connected_after(0).await);
    rotate(&a).await;
    pinned(&b, &a).await;
    b.connected_after(before).await;
    brought(&a, &b, "JFK").await;
    // The other way, and what is signed from now on is believed.
    rotate(&b).await;
    pinned(&a, &b).await;
    brought(&b, &a, "LHR").await;
    a.node.disable_connection(&a.caller, connection).await.unwrap();
    let there = b.link_id().await;
    let here = a.link_id().await;
    eventually("the signed message to be answered", async || {
        a.node.outbox(here).await.unwrap().is_empty().then_some(())
    })
    .await;
    a.node.enable_connection(&a.caller, connection).await.unwrap();
    let (a, b) = (a.stop().await, b.stop().await);
    let (a, b) = (Site::restart(a).await, Site::restart(b).await);
    assert_eq!((a.node.enrollment_id(), b.link_id().await), (id, there));
    brought(&a, &b, "BOS").await;
    brought(&b, &a, "LGW").await;
}

#[tokio::test]
async fn b027_a_peer_that_was_away_follows_over_identities_it_never_met() {
    let (a, b) = linked(Plan::default(), Plan::default()).await;
    with_airports(&a, &b).await;
    brought(&a, &b, "EWR").await;
    let b = b.stop().await;
    for _ in 0..3 {
        rotate(&a).await;
    }
    let b = Site::restart(b).await;
    pinned(&b, &a).await;
    brought(&a, &b, "JFK").await;
    let (facts, _) = b.node.list_audit(&b.caller, None, None, 100).await.unwrap();
    let followed = facts
        .iter()
        .filter(|fact| fact.fact.action() == "replace identity");
    assert_eq!(followed.count(), 1);
}

#[tokio::test]
async fn b029_a_code_signed_by_a_key_not_met_yet_works_once_it_was_met() {
    let (a, b) = linked(Plan::default(), Plan::default()).await;
    let ground = b.stop().await;
    rotate(&a).await;
    let invitation = a.node.request_connection(&a.caller, a.ask().await).await.unwrap();
    let b = Site::restart(ground).await;
    pinned(&b, &a).await;
    let inspected = b.node.inspect_invite(&b.caller, &invitation.code).await.unwrap();
    assert_eq!(inspected.problems, []);
    assert_eq!(inspected.code.originator, a.node.enrollment_id());
}

#[tokio::test]
async fn b025_the_earlier_key_opens_nothing_once_the_new_one_was_met() {
    let (a, b) = linked(Plan::default(), Plan::default()).await;
    let (earlier, stolen) = (a.ground.identity.identity(), tempfile::tempdir().unwrap());
    for file in [KEY_FILE, CERTIFICATE_FILE] {
        std::fs::copy(a.ground.dir.path().join(file), stolen.path().join(file)).unwrap();
    }
    rotate(&a).await;
    pinned(&b, &a).await;
    let mut thief = rogue::client(&b, &earlier, None).await;
    let refused = rogue::control(&mut thief, vec![rogue::hello(&b)])
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).reason, Reason::IngressDenied);
    // Nor can it name another in place of the one that it named.
    let (earlier, now) = (Identity::load(stolen.path()).unwrap(), a.ground.clock.now());
    let other = LiveIdentity::new(Arc::new(earlier), now).unwrap();
    other.rotate(now).unwrap();
    let mut thief = rogue::client(&b, &other.identity(), None).await;
    let refused = rogue::control(&mut thief, vec![rogue::hello(&b)])
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused).reason, Reason::IngressDenied);
    pinned(&b, &a).await;
}
