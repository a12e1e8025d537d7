//! Activating: the originator's alone, under policies that are asked again on both sides.

use peerd_core::Reason;
use peerd_core::peering::{Body, TermsDigest};
use peerd_core::policy::Side;
use peerd_node::connection::Received;
use peerd_testkit::carry::{self, Parcel};
use tokio::task::JoinSet;

use crate::pair::{Pair, reason};

#[tokio::test]
async fn b038_an_approval_alone_lets_nothing_flow() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let (here, there) = pair.records(id).await;
    assert!(!here.is_flowing() && !there.is_flowing());
}

#[tokio::test]
async fn b039_activation_by_the_importer_is_refused() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let refused = pair.b.node().activate_connection(&pair.b.manager, id).await;
    assert_eq!(reason(refused), Reason::NotOriginator);
    assert_eq!(pair.stages(id).await, ("approved", "approved"));
}

#[tokio::test]
async fn activation_needs_an_approval_and_happens_once() {
    let pair = Pair::linked().await;
    let invitation = pair.request().await;
    let early = pair
        .a
        .node()
        .activate_connection(&pair.a.manager, invitation.id)
        .await;
    assert_eq!(reason(early), Reason::WrongStage);
    let id = pair.active().await;
    let again = pair.a.node().activate_connection(&pair.a.manager, id).await;
    assert_eq!(reason(again), Reason::WrongStage);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b047_of_two_activations_at_once_one_acts() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let mut race = JoinSet::new();
    for caller in [pair.a.manager.clone(), pair.a.admin.clone()] {
        let node = pair.a.shared();
        race.spawn(async move { node.activate_connection(&caller, id).await });
    }
    let won = race
        .join_all()
        .await
        .iter()
        .filter(|outcome| outcome.is_ok())
        .count();
    assert_eq!(won, 1);
    assert_eq!(
        carry::waiting(&pair.a, &pair.b).await.len(),
        1,
        "one activation is sent"
    );
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("active", "active"));
}

#[tokio::test]
async fn b103_a_policy_revoked_since_the_approval_refuses_the_activation() {
    for (side, word) in [
        (Side::Egress, Reason::EgressDenied),
        (Side::Ingress, Reason::IngressDenied),
    ] {
        let pair = Pair::linked().await;
        let id = pair.approved().await;
        pair.a.forbid(side, pair.b.id()).await;
        let refused = pair.a.node().activate_connection(&pair.a.manager, id).await;
        assert_eq!(reason(refused), word);
        assert_eq!(pair.stages(id).await, ("approved", "approved"));
    }
}

#[tokio::test]
async fn b103_the_importer_takes_an_activation_once_its_policy_allows_it_again() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    pair.b.forbid(Side::Ingress, pair.a.id()).await;
    let activated = pair.a.node().activate_connection(&pair.a.manager, id).await;
    activated.expect("a's policies allow it");
    pair.carry().await;
    assert_eq!(
        pair.stages(id).await,
        ("active", "approved"),
        "b does not let it begin"
    );
    assert_eq!(
        carry::waiting(&pair.a, &pair.b).await.len(),
        1,
        "it is tried again"
    );
    pair.b.permit(Side::Ingress, pair.a.id()).await;
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("active", "active"));
}

#[tokio::test]
async fn b109_an_activation_of_other_terms_is_refused() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let activated = pair.a.node().activate_connection(&pair.a.manager, id).await;
    activated.expect("an activation");
    let mut message = carry::waiting(&pair.a, &pair.b).await.remove(0);
    message.body = Body::Activated {
        terms: TermsDigest::from_bytes([1; 32]),
    };
    let answer = Parcel::pack(&pair.a, &message).deliver(&pair.a, &pair.b).await;
    let Some(Received::Answer(receipt)) = answer else {
        panic!("an answer, not {answer:?}")
    };
    assert_eq!(
        (receipt.refused, receipt.retry),
        (Some(Reason::TermsMismatch), false)
    );
    assert_eq!(pair.stages(id).await.1, "approved");
}

#[tokio::test]
async fn b033_a_message_out_of_order_waits_for_the_one_before_it() {
    let pair = Pair::linked().await;
    let id = pair.approved().await;
    let a = &pair.a;
    a.node()
        .activate_connection(&a.manager, id)
        .await
        .expect("an activation");
    a.node().disable_connection(&a.manager, id).await.expect("a halt");
    let disabled = carry::waiting(a, &pair.b).await.remove(1);
    let answer = Parcel::pack(a, &disabled).deliver(a, &pair.b).await;
    let Some(Received::Answer(receipt)) = answer else {
        panic!("an answer, not {answer:?}")
    };
    assert_eq!(
        (receipt.refused, receipt.retry),
        (Some(Reason::MessageEarly), true)
    );
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("disabled", "disabled"));
}
