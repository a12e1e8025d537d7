//! Answering a code: approve, narrower or not at all; in time, once, by whom it is for.

use std::sync::Arc;
use std::time::Duration;

use peerd_core::Reason;
use peerd_core::peering::{Rejection, Side, Stage};
use peerd_node::connection::Received;
use peerd_testkit::Party;
use peerd_testkit::carry::{self, Parcel};
use tokio::task::JoinSet;

use crate::pair::{Pair, reason, up_to};

#[tokio::test]
async fn an_approval_narrows_the_security_and_both_sides_hold_it() {
    let pair = Pair::linked().await;
    let invitation = pair.request_with(up_to("secret")).await;
    let b = &pair.b;
    let narrower = Some(up_to("internal"));
    let approved = b
        .node()
        .approve_connection(&b.manager, &invitation.code, "main", narrower)
        .await;
    approved.expect("an approval");
    pair.carry().await;
    let (here, there) = pair.records(invitation.id).await;
    assert_eq!(
        (here.security, there.security),
        (up_to("internal"), up_to("internal"))
    );
    assert_eq!(
        here.remote_space.map(|name| name.to_string()).as_deref(),
        Some("main")
    );
}

#[tokio::test]
async fn an_approval_never_widens_the_security() {
    let pair = Pair::linked().await;
    let invitation = pair.request_with(up_to("internal")).await;
    let b = &pair.b;
    let wider = Some(up_to("secret"));
    let refused = b
        .node()
        .approve_connection(&b.manager, &invitation.code, "main", wider)
        .await;
    assert_eq!(reason(refused), Reason::SecurityWidened);
    let unknown = Some(up_to("cosmic"));
    let refused = b
        .node()
        .approve_connection(&b.manager, &invitation.code, "main", unknown)
        .await;
    assert_eq!(reason(refused), Reason::LevelUnknown);
    assert_eq!(pair.stages(invitation.id).await, ("requested", "none"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b003_of_two_operators_with_one_code_exactly_one_wins() {
    for _ in 0..8 {
        let pair = Pair::linked().await;
        let code: Arc<str> = pair.request().await.code.into();
        let mut race = JoinSet::new();
        for caller in [&pair.b.manager, &pair.b.admin, &pair.b.manager] {
            let (node, caller, code) = (pair.b.shared(), caller.clone(), Arc::clone(&code));
            race.spawn(async move { node.approve_connection(&caller, &code, "main", None).await });
        }
        let outcomes = race.join_all().await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for outcome in lost {
            assert_eq!(reason(outcome), Reason::CodeUsed);
        }
        assert_eq!(
            carry::waiting(&pair.b, &pair.a).await.len(),
            1,
            "one approval is sent"
        );
    }
}

#[tokio::test]
async fn b003_a_code_is_answered_once() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    pair.approve(&invitation.code).await.expect("an approval");
    assert_eq!(reason(pair.approve(&invitation.code).await), Reason::CodeUsed);
    let why = "no".parse().expect("a remark");
    let refused = pair
        .b
        .node()
        .reject_connection(&pair.b.manager, &invitation.code, &why)
        .await;
    assert_eq!(reason(refused), Reason::CodeUsed);
}

#[tokio::test]
async fn b004_an_expired_code_is_refused_and_its_request_expires() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    pair.a.node().expire_connections().await.expect("nothing is due");
    assert_eq!(pair.stages(invitation.id).await, ("requested", "none"));
    assert_eq!(
        pair.a.node().next_expiry().await.expect("a time"),
        Some(invitation.expires_at)
    );
    pair.clock.advance(Duration::from_hours(72));
    assert_eq!(reason(pair.approve(&invitation.code).await), Reason::CodeExpired);
    pair.a.node().expire_connections().await.expect("an expiry");
    assert_eq!(pair.stages(invitation.id).await, ("expired", "none"));
}

#[tokio::test]
async fn b004_an_approval_that_arrives_too_late_ends_expired_on_both_sides() {
    for noticed in [true, false] {
        let pair = Pair::linked().await;
        let invitation = pair.request().await;
        pair.approve(&invitation.code).await.expect("an approval in time");
        pair.clock.advance(Duration::from_hours(72));
        if noticed {
            pair.a.node().expire_connections().await.expect("an expiry");
        }
        pair.carry().await;
        assert_eq!(pair.stages(invitation.id).await, ("expired", "expired"));
    }
}

#[tokio::test]
async fn b005_an_approval_of_a_revoked_request_ends_revoked() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let revoked = pair
        .a
        .node()
        .revoke_connection(&pair.a.manager, invitation.id)
        .await;
    revoked.expect("a revoked request");
    pair.approve(&invitation.code).await.expect("b cannot know yet");
    pair.carry().await;
    assert_eq!(pair.stages(invitation.id).await, ("revoked", "revoked"));
    let again = pair
        .a
        .node()
        .activate_connection(&pair.a.manager, invitation.id)
        .await;
    assert_eq!(reason(again), Reason::WrongStage);
}

#[tokio::test]
async fn b005_an_approved_request_is_still_revoked() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let refused = pair.b.node().revoke_connection(&pair.b.manager, id).await;
    assert_eq!(reason(refused), Reason::NotOriginator);
    let revoked = pair.a.node().revoke_connection(&pair.a.manager, id).await;
    revoked.expect("a revoked request");
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("revoked", "revoked"));
}

#[tokio::test]
async fn b010_the_own_invite_code_is_refused() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let own = pair
        .a
        .node()
        .approve_connection(&pair.a.manager, &invitation.code, "main", None)
        .await;
    assert_eq!(reason(own), Reason::CodeOwn);
}

#[tokio::test]
async fn b012_somebody_elses_or_a_mangled_code_is_refused() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let c = Party::founded("c", 3, pair.clock.clone()).await;
    let foreign = c
        .node()
        .approve_connection(&c.manager, &invitation.code, "main", None)
        .await;
    assert_eq!(reason(foreign), Reason::CodeNotForUs);
    let cut = &invitation.code[..invitation.code.len() - 4];
    for (text, word) in [("", Reason::CodeEmpty), ("hello", Reason::CodeMalformed)] {
        assert_eq!(reason(pair.approve(text).await), word);
    }
    assert!(pair.approve(cut).await.is_err());
    assert_eq!(pair.stages(invitation.id).await, ("requested", "none"));
}

#[tokio::test]
async fn b040_a_rejection_reaches_the_originator_with_its_reason() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let why = "wrong space".parse().expect("a remark");
    let rejected = pair
        .b
        .node()
        .reject_connection(&pair.b.manager, &invitation.code, &why)
        .await;
    rejected.expect("a rejection");
    pair.carry().await;
    assert_eq!(pair.stages(invitation.id).await, ("rejected", "rejected"));
    let (here, _) = pair.records(invitation.id).await;
    let Stage::Rejected {
        by,
        why: Rejection::Remark(told),
        ..
    } = here.stage
    else {
        panic!("a remark, not {:?}", here.stage)
    };
    assert_eq!((by, told), (Side::There, why));
    assert_eq!(reason(pair.approve(&invitation.code).await), Reason::CodeUsed);
}

#[tokio::test]
async fn b036_an_approval_that_comes_twice_is_answered_alike_and_counts_once() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    pair.approve(&invitation.code).await.expect("an approval");
    let waiting = carry::waiting(&pair.b, &pair.a).await;
    let [message] = waiting.as_slice() else {
        panic!("one message, not {waiting:?}")
    };
    let parcel = Parcel::pack(&pair.b, message);
    let first = parcel.deliver(&pair.b, &pair.a).await;
    let record = pair.records(invitation.id).await.0;
    let second = parcel.deliver(&pair.b, &pair.a).await;
    assert_eq!(first, second);
    assert!(matches!(first, Some(Received::Answer(receipt)) if receipt.refused.is_none()));
    assert_eq!(pair.records(invitation.id).await.0, record);
}

#[tokio::test]
async fn b012_an_approval_with_a_foreign_signature_was_not_said() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    pair.approve(&invitation.code).await.expect("an approval");
    let message = carry::waiting(&pair.b, &pair.a).await.remove(0);
    let forged = Parcel::pack(&pair.a, &message);
    assert_eq!(forged.deliver(&pair.b, &pair.a).await, Some(Received::Forged));
    assert_eq!(pair.stages(invitation.id).await, ("requested", "approved"));
}
