//! What operators change on a connection that is active: halts, data types, security.

use peerd_core::Reason;
use peerd_core::peering::{DataTypes, Decision, Flow, Halt, Remark, Stage};

use crate::pair::{Pair, objects, reason, up_to};

#[tokio::test]
async fn b111_each_side_halts_and_lifts_only_its_own_halt() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    a.node().disable_connection(&a.manager, id).await.expect("a halt");
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("disabled", "disabled"));
    b.node()
        .enable_connection(&b.manager, id)
        .await
        .expect("nothing of b's to lift");
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("disabled", "disabled"));

    b.node().disable_connection(&b.manager, id).await.expect("a halt");
    a.node()
        .enable_connection(&a.manager, id)
        .await
        .expect("a's halt is lifted");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    let halts = |stage| match stage {
        Stage::Disabled { halt, .. } => Some(halt),
        _ => None,
    };
    assert!(matches!(halts(here.stage), Some(Halt::There(_))));
    assert!(matches!(halts(there.stage), Some(Halt::Here(_))));
    b.node()
        .enable_connection(&b.manager, id)
        .await
        .expect("b's halt is lifted");
    pair.carry().await;
    assert_eq!(pair.stages(id).await, ("active", "active"));
}

#[tokio::test]
async fn b042_a_new_attempt_that_fails_leaves_the_working_connection_alone() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let before = pair.records(id).await;
    let (a, b) = (&pair.a, &pair.b);
    // Turned down, taken back, never answered, and a code that is not one.
    let turned_down = pair.request().await;
    let remark: Remark = "once is enough".parse().expect("a remark");
    let rejected = b.node().reject_connection(&b.manager, &turned_down.code, &remark);
    rejected.await.expect("a rejection");
    let taken_back = pair.request().await;
    let revoked = a.node().revoke_connection(&a.manager, taken_back.id);
    revoked.await.expect("taken back");
    pair.carry().await;
    assert!(pair.approve(&taken_back.code).await.is_ok(), "nobody told b yet");
    pair.request().await;
    pair.clock.advance(std::time::Duration::from_hours(100));
    a.node().expire_connections().await.expect("swept");
    assert!(pair.approve("pconn1_nonsense").await.is_err());
    pair.carry().await;
    assert_eq!(pair.records(id).await, before);
    assert_eq!(pair.stages(id).await, ("active", "active"));
    let shown = a.node().show_connection(&a.manager, id).await.expect("shown");
    assert!(shown.connection.is_flowing());
}

#[tokio::test]
async fn narrowing_takes_effect_at_once_and_widening_when_both_allow_it() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    let nothing_in = |flow: Flow| Flow {
        imports: DataTypes::NONE,
        ..flow
    };
    a.node()
        .set_data_types(&a.manager, id, nothing_in)
        .await
        .expect("narrower");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert_eq!(
        (here.flow().imports, there.flow().exports),
        (DataTypes::NONE, DataTypes::NONE)
    );

    let all = |_: Flow| Flow {
        exports: DataTypes::ALL,
        imports: DataTypes::ALL,
    };
    a.node().set_data_types(&a.manager, id, all).await.expect("wider");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert_eq!(
        here.flow().exports,
        objects(true),
        "b does not allow artifacts yet"
    );
    assert!(
        there.widening_asked().imports.artifacts,
        "b sees what a would allow"
    );
    b.node().set_data_types(&b.manager, id, all).await.expect("wider");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert_eq!((here.flow(), there.flow()), (all(Flow::NONE), all(Flow::NONE)));
}

#[tokio::test]
async fn a_change_of_security_takes_the_other_sides_approval() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    let change = a.node().propose_security(&a.manager, id, up_to("secret")).await;
    let change = change.expect("a proposal");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert_eq!(here.security, there.security);
    assert!(
        here.security.classification.is_none(),
        "a proposal changes nothing"
    );
    let own = a
        .node()
        .decide_security(&a.manager, change, Decision::Approve)
        .await;
    assert_eq!(reason(own), Reason::ChangeUnknown);
    let again = a.node().propose_security(&a.manager, id, up_to("internal")).await;
    assert_eq!(reason(again), Reason::ChangePending);

    b.node()
        .decide_security(&b.manager, change, Decision::Approve)
        .await
        .expect("a decision");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert_eq!(
        (here.security, there.security),
        (up_to("secret"), up_to("secret"))
    );
    assert!(here.change.is_none() && there.change.is_none());
}

#[tokio::test]
async fn a_rejected_change_of_security_changes_nothing() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    let change = b.node().propose_security(&b.manager, id, up_to("secret")).await;
    let change = change.expect("a proposal");
    pair.carry().await;
    let waiting = a.node().list_change_requests(&a.manager).await.expect("a list");
    assert_eq!(waiting.len(), 1);
    let remark = "too much".parse().expect("a remark");
    let decided = a
        .node()
        .decide_security(&a.manager, change, Decision::Reject { remark })
        .await;
    decided.expect("a decision");
    pair.carry().await;
    let (here, there) = pair.records(id).await;
    assert!(here.change.is_none() && there.change.is_none());
    assert!(here.security.classification.is_none() && there.security.classification.is_none());
}

#[tokio::test]
async fn crossed_proposals_leave_the_originators_on_both_sides() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let (a, b) = (&pair.a, &pair.b);
    let kept = a.node().propose_security(&a.manager, id, up_to("secret")).await;
    b.node()
        .propose_security(&b.manager, id, up_to("internal"))
        .await
        .expect("a proposal");
    pair.carry().await;
    let kept = kept.expect("a proposal");
    let (here, there) = pair.records(id).await;
    let held = |change: Option<peerd_core::peering::Change>| change.map(|change| change.id);
    assert_eq!((held(here.change), held(there.change)), (Some(kept), Some(kept)));
}

#[tokio::test]
async fn b049_every_change_is_the_space_managers_business() {
    let pair = Pair::linked().await;
    let id = pair.active().await;
    let node = pair.a.node();
    // Who may see the connection is told that the role does not allow it; to the others it does not exist.
    for (caller, word) in [
        (&pair.a.viewer, Reason::RoleInsufficient),
        (&pair.a.other_manager, Reason::NotFound),
    ] {
        let imported = peerd_core::peering::Imported::Keep;
        for refused in [
            reason(node.activate_connection(caller, id).await),
            reason(node.revoke_connection(caller, id).await),
            reason(node.disable_connection(caller, id).await),
            reason(node.enable_connection(caller, id).await),
            reason(node.set_data_types(caller, id, |flow| flow).await),
            reason(node.propose_security(caller, id, up_to("secret")).await),
            reason(node.close_connection(caller, id, imported, false).await),
        ] {
            assert_eq!(refused, word);
        }
    }
    assert_eq!(pair.stages(id).await, ("active", "active"));
}
