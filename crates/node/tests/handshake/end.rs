//! Endings: told, kept, purged, forced, learned late; and beginning anew.

use peerd_core::Reason;
use peerd_core::peering::{Imported, Side, Stage};
use peerd_node::connection::Received;
use peerd_store::Table;
use peerd_testkit::carry::{self, Parcel};

use crate::pair::{Pair, reason};

#[tokio::test]
async fn b112_closing_here_is_told_kept_on_record_and_idempotent() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let a = &pair.a;
    a.node()
        .close_connection(&a.manager, id, Imported::Keep, false)
        .await
        .expect("an end");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert!(matches!(here.stage, Stage::Closed { by: Side::Here, .. }));
    assert!(matches!(
        there.stage,
        Stage::Closed {
            by: Side::There,
            imported: Imported::Keep,
            ..
        }
    ));
    let again = a
        .node()
        .close_connection(&a.manager, id, Imported::Keep, false)
        .await;
    assert_eq!(again.expect("the same end").connection, here);
    assert!(carry::waiting(a, &pair.b).await.is_empty());
}

#[tokio::test]
async fn b113_each_side_decides_on_what_it_imported() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    a.node()
        .close_connection(&a.manager, id, Imported::Purge, false)
        .await
        .expect("an end");
    pair.carry().await;
    assert_eq!(a.contents(&[Table::Purges]).await.len(), 1);
    assert!(
        b.contents(&[Table::Purges]).await.is_empty(),
        "b keeps what it has"
    );
    b.node()
        .close_connection(&b.manager, id, Imported::Purge, false)
        .await
        .expect("a purge after all");
    assert_eq!(b.contents(&[Table::Purges]).await.len(), 1);
}

#[tokio::test]
async fn b034_either_side_ends_it_from_every_stage_after_the_approval() {
    for closer_is_a in [true, false] {
        for stage in ["approved", "active", "disabled"] {
            let pair = Pair::linked().await;
            let id = match stage {
                "approved" => pair.approved().await,
                _ => pair.active().await,
            };
            if stage == "disabled" {
                let halted = pair.b.node().disable_connection(&pair.b.manager, id).await;
                halted.expect("a halt");
                pair.carry().await;
            }
            let closer = if closer_is_a { &pair.a } else { &pair.b };
            let closed = closer
                .node()
                .close_connection(&closer.manager, id, Imported::Keep, false)
                .await;
            closed.expect("an end");
            pair.carry().await;
            assert_eq!(pair.stages(id).await, ("closed", "closed"), "{stage}");
        }
    }
}

#[tokio::test]
async fn b035_nothing_moves_a_connection_that_is_over() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    a.node()
        .close_connection(&a.manager, id, Imported::Keep, false)
        .await
        .expect("an end");
    pair.carry().await;
    for party in [a, b] {
        let (node, caller) = (party.node(), &party.manager);
        assert!(node.activate_connection(caller, id).await.is_err());
        assert_eq!(
            reason(node.disable_connection(caller, id).await),
            Reason::WrongStage
        );
        assert_eq!(
            reason(node.enable_connection(caller, id).await),
            Reason::WrongStage
        );
        assert_eq!(
            reason(node.set_data_types(caller, id, |flow| flow).await),
            Reason::WrongStage
        );
    }
    assert_eq!(pair.stages(id).await, ("closed", "closed"));
}

#[tokio::test]
async fn b114_a_side_that_was_away_learns_of_the_end_at_the_next_contact() {
    let mut pair = Pair::linked().await;
    let id = pair.active().await;
    let a = &pair.a;
    a.node()
        .close_connection(&a.manager, id, Imported::Keep, false)
        .await
        .expect("an end");
    assert_eq!(pair.stages(id).await, ("closed", "active"));
    pair.a.restart().await;
    pair.b.restart().await;
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("closed", "closed"));
}

#[tokio::test]
async fn b115_after_a_forced_end_a_late_return_is_refused_and_told() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    a.node()
        .close_connection(&a.manager, id, Imported::Purge, true)
        .await
        .expect("an end");
    let (here, _) = pair.records(id).await;
    assert!(matches!(here.stage, Stage::Closed { forced: true, .. }));
    // What a said of it is lost for ever; b returns and goes on as if nothing had happened.
    for message in carry::waiting(a, b).await {
        let answer = peerd_node::connection::Receipt {
            message: message.id,
            refused: None,
            retry: false,
        };
        Parcel::pack(a, &message).answer(a, b, &answer).await;
    }
    b.node()
        .disable_connection(&b.manager, id)
        .await
        .expect("b does not know");
    let message = carry::waiting(b, a).await.remove(0);
    let answer = Parcel::pack(b, &message).deliver(b, a).await;
    let Some(Received::Answer(receipt)) = answer else {
        panic!("an answer, not {answer:?}")
    };
    assert_eq!(
        (receipt.refused, receipt.retry),
        (Some(Reason::WrongStage), false)
    );
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("closed", "closed"), "b is told again");
}

#[tokio::test]
async fn b115_a_late_return_is_told_over_the_link_that_there_is_now() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    a.node()
        .close_connection(&a.manager, id, Imported::Keep, true)
        .await
        .expect("an end");
    let link = a.link_to(b.id()).await.expect("a link").id.to_string();
    a.node()
        .remove_link(&a.admin, &link)
        .await
        .expect("a removed link");
    // b still holds its end of the old link; a enters a new code of b's, and dials.
    let code = b
        .node()
        .invite_link(&b.admin, peerd_core::link::Direction::Bidirectional, None)
        .await;
    let name = "to-b-again".parse().expect("a name");
    let accepted = a
        .node()
        .accept_link(&a.admin, &code.expect("a code").code, &name)
        .await;
    accepted.expect("a link");
    carry::enroll(a, b).await.expect("an enrollment");
    b.node()
        .disable_connection(&b.manager, id)
        .await
        .expect("b does not know");
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("closed", "closed"));
}

#[tokio::test]
async fn b116_peering_again_after_an_end_has_nothing_of_before() {
    let pair = Pair::linked().await;
    let before = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    b.node()
        .close_connection(&b.manager, before, Imported::Keep, false)
        .await
        .expect("an end");
    pair.carry().await;
    let id = pair.active().await;
    assert_ne!(id, before);
    let (here, there) = pair.records(id).await;
    assert_eq!((here.sent, here.received), (1, 1));
    assert_eq!((there.sent, there.received), (1, 1));
    assert_eq!(pair.stages(before).await, ("closed", "closed"));
    assert_eq!(a.connections().await.len(), 2);
}
