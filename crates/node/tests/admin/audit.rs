//! Everything leaves its record, and no record changes unseen.

use std::time::Duration;

use peerd_core::Reason;
use peerd_core::audit::{Actor, Outcome};
use peerd_core::authz::Role;
use peerd_testkit::TestClock;

use crate::{Org, name, reason};

#[tokio::test]
async fn what_is_done_and_what_is_denied_is_recorded_with_who_and_what() {
    let org = Org::fresh().await;
    let node = org.node();
    let viewer = org.caller("vera", Role::Viewer).await;
    assert_eq!(
        reason(node.create_marking(&viewer, name("medical")).await),
        Reason::RoleInsufficient
    );
    node.create_marking(&org.admin, name("medical")).await.unwrap();

    let (records, next) = node.list_audit(&org.admin, None, None, 100).await.unwrap();
    assert_eq!(next, None);
    let told: Vec<_> = records
        .iter()
        .map(|record| (record.fact.action(), record.fact.outcome()))
        .collect();
    let denied = Outcome::Denied {
        reason: Reason::RoleInsufficient,
    };
    let expected = [
        ("principal create", Outcome::Done),
        ("space create", Outcome::Done),
        ("principal create", Outcome::Done),
        ("marking create", denied),
        ("marking create", Outcome::Done),
    ];
    assert_eq!(told, expected);
    assert_eq!(records[3].fact.actor(), &Actor::from(viewer.principal()));
    assert_eq!(records[4].fact.subjects(), ["medical"]);
    assert!(records.iter().map(|record| record.number).eq(1..=5));
    assert_eq!(
        reason(node.list_audit(&viewer, None, None, 100).await),
        Reason::RoleInsufficient
    );
}

#[tokio::test]
async fn the_log_is_read_backwards_in_pages_too() {
    let org = Org::fresh().await;
    let node = org.node();
    let viewer = org.caller("vera", Role::Viewer).await;
    for n in 0..30 {
        node.create_marking(&org.admin, name(&format!("m{n}")))
            .await
            .unwrap();
        let (all, _) = node.list_audit(&org.admin, None, None, 1_000).await.unwrap();
        let (mut back, mut before) = (Vec::new(), None);
        loop {
            let (page, next) = node.list_audit_back(&org.admin, before, 7).await.unwrap();
            assert!(page.len() <= 7);
            back.extend(page.iter().map(|record| record.number));
            before = next;
            if before.is_none() {
                break;
            }
        }
        let forth = all.iter().map(|record| record.number);
        assert!(back.into_iter().eq(forth.rev()));
    }
    let denied = node.list_audit_back(&viewer, None, 7).await;
    assert_eq!(reason(denied), Reason::RoleInsufficient);
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_from_a_time_on() {
    let org = Org::fresh().await;
    let node = org.node();
    org.kit.clock.advance(Duration::from_secs(10));
    for n in 0..4 {
        node.create_marking(&org.admin, name(&format!("m{n}")))
            .await
            .unwrap();
    }
    let since = Some(TestClock::START.plus(Duration::from_secs(10)));
    let (first, next) = node.list_audit(&org.admin, since, None, 3).await.unwrap();
    let (rest, end) = node.list_audit(&org.admin, since, next, 3).await.unwrap();
    assert_eq!((first.len(), rest.len(), end), (3, 1, None));
    assert_eq!(rest[0].fact.subjects(), ["m3"]);
}

#[tokio::test]
async fn the_chain_verifies_up_to_its_head() {
    let org = Org::fresh().await;
    let report = org.node().verify_audit(&org.admin).await.unwrap();
    let (records, _) = org.node().list_audit(&org.admin, None, None, 100).await.unwrap();
    assert!(report.ok);
    assert_eq!(report.records, 1);
    assert_eq!(report.head, records[0].hash);
    let officer = org.caller("otto", Role::SecurityOfficer).await;
    assert_eq!(org.node().verify_audit(&officer).await.unwrap().records, 2);
    let viewer = org.caller("vera", Role::Viewer).await;
    assert_eq!(
        reason(org.node().verify_audit(&viewer).await),
        Reason::RoleInsufficient
    );
}
