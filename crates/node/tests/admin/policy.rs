//! The life of a policy, and what it does to what is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peerd_core::authz::Role;
use peerd_core::policy::{
    Act, DataType, Direction, Enrollments, Flow, Justification, Question, Rule, Side, Standing,
};
use peerd_core::{EnrollmentId, PolicyId, Reason};
use peerd_node::policy::PolicyDecision::{Approve, Pause, Resume, Revoke};
use peerd_node::policy::PolicyView;
use peerd_node::{Caller, Error, Node, Ports, Settings};
use peerd_store::{Batch, Table};
use peerd_testkit::{SeededRng, eventually};

use crate::{Org, first_admin, reason};

const PEER: EnrollmentId = EnrollmentId::from_bytes([9; 32]);
const HOUR: Duration = Duration::from_hours(1);

fn egress() -> Rule {
    Rule::Egress {
        destination: "hub.example".parse().unwrap(),
        ports: "7443".parse().unwrap(),
        enrollments: Enrollments::Any,
    }
}

fn why() -> Justification {
    "pilot, contract 12/9".parse().unwrap()
}

async fn proposed(
    node: &Node,
    by: &Caller,
    lifetime: Option<Duration>,
    approve: bool,
) -> Result<PolicyView, Error> {
    node.propose_policy(by, egress(), why(), lifetime, approve).await
}

/// Whether objects may be exported to the peer now.
async fn may_export(node: &Node, caller: &Caller) -> Result<PolicyId, Reason> {
    let question = Question {
        act: Act::Flow(Flow {
            direction: Direction::Export,
            data: DataType::Objects,
        }),
        enrollment: Some(PEER),
    };
    let verdict = node.check_policy(caller, question).await.unwrap();
    match verdict.denied {
        None => Ok(verdict.policy.unwrap()),
        Some(denied) => Err(denied),
    }
}

#[tokio::test]
async fn a_policy_allows_while_it_is_active_and_at_no_other_time() {
    let org = Org::fresh().await;
    let (node, admin) = (org.node(), &org.admin);
    let viewer = org.caller("vera", Role::Viewer).await;
    let officer = org.caller("otto", Role::SecurityOfficer).await;
    let mut changes = node.policy_changes();
    assert_eq!(may_export(node, admin).await, Err(Reason::EgressDenied));

    let policy = proposed(node, &viewer, None, false).await.unwrap();
    let id = policy.policy.id();
    assert_eq!((policy.standing, policy.decided_by), (Standing::Pending, None));
    assert_eq!(may_export(node, admin).await, Err(Reason::EgressDenied));

    for (decision, standing) in [
        (Approve, Standing::Active),
        (Pause, Standing::Paused),
        (Resume, Standing::Active),
        (Revoke, Standing::Revoked),
    ] {
        changes.mark_unchanged();
        let decided = node.decide_policy(&officer, id, decision).await.unwrap();
        assert!(changes.has_changed().unwrap(), "what is under way asks anew");
        assert_eq!(decided.standing, standing);
        assert_eq!(
            (decided.proposed_by.as_str(), decided.decided_by.as_deref()),
            ("vera", Some("otto"))
        );
        let allowed = may_export(node, admin).await;
        assert_eq!(allowed.is_ok(), standing == Standing::Active, "{standing}");
        let again = node.decide_policy(&officer, id, decision).await;
        assert_eq!(reason(again), Reason::WrongStage);
    }
    assert_eq!(
        node.show_policy(admin, id).await.unwrap().standing,
        Standing::Revoked,
        "kept as evidence"
    );
}

#[tokio::test]
async fn decisions_survive_a_restart() {
    let org = Org::fresh().await;
    let id = proposed(org.node(), &org.admin, None, true)
        .await
        .unwrap()
        .policy
        .id();
    assert_eq!(may_export(org.node(), &org.admin).await, Ok(id));
    let Org { kit, admin } = org;
    let restarted = kit.restarted().await;
    assert_eq!(may_export(&restarted.node, &admin).await, Ok(id));
}

#[tokio::test]
async fn proposing_is_for_all_and_deciding_is_not() {
    let org = Org::fresh().await;
    let node = org.node();
    let id = proposed(node, &org.admin, None, false).await.unwrap().policy.id();
    for role in [Role::SpaceManager, Role::Editor, Role::Viewer] {
        let caller = org.caller(role.word(), role).await;
        proposed(node, &caller, None, false).await.unwrap();
        assert_eq!(
            reason(proposed(node, &caller, None, true).await),
            Reason::RoleInsufficient
        );
        for decision in [Approve, Pause, Resume, Revoke] {
            assert_eq!(
                reason(node.decide_policy(&caller, id, decision).await),
                Reason::RoleInsufficient
            );
        }
    }
    let (policies, _) = node
        .list_policies(&org.admin, Some(Side::Egress), None, 100)
        .await
        .unwrap();
    assert_eq!(
        policies.len(),
        4,
        "a proposal whose approval is denied is not made"
    );
    assert!(policies.iter().all(|view| view.standing == Standing::Pending));
    let ingress = node
        .list_policies(&org.admin, Some(Side::Ingress), None, 100)
        .await
        .unwrap();
    assert!(ingress.0.is_empty());
}

#[tokio::test]
async fn with_a_second_person_nobody_approves_their_own_proposal() {
    let org = Org::fresh().await;
    let ports = Ports {
        store: Arc::clone(org.node().store()),
        blobs: Arc::clone(org.node().blobs()),
        clock: Arc::clone(&org.kit.clock) as Arc<_>,
        rng: Arc::new(SeededRng::new(2)),
        identity: Arc::clone(&org.kit.identity) as Arc<_>,
        verifier: Arc::new(peerd_identity::EcdsaVerifier),
    };
    let settings = Settings {
        second_person: true,
        ..Settings::default()
    };
    let node = Node::open(ports, settings).await.unwrap();
    let admin = first_admin(&node).await;
    let officer = org.caller("otto", Role::SecurityOfficer).await;

    assert_eq!(
        reason(proposed(&node, &admin, None, true).await),
        Reason::SecondPersonRequired
    );
    assert!(
        node.list_policies(&admin, None, None, 10)
            .await
            .unwrap()
            .0
            .is_empty()
    );
    let id = proposed(&node, &admin, None, false).await.unwrap().policy.id();
    let own = node.decide_policy(&admin, id, Approve).await;
    assert_eq!(reason(own), Reason::SecondPersonRequired);
    node.decide_policy(&officer, id, Approve).await.unwrap();
    assert_eq!(may_export(&node, &admin).await, Ok(id));
}

#[tokio::test]
async fn b107_an_expiry_is_felt_within_a_second_and_marked() {
    let org = Org::fresh().await;
    let (node, admin) = (org.node(), &org.admin);
    let id = proposed(node, admin, Some(HOUR), true).await.unwrap().policy.id();
    let waiting = proposed(node, admin, Some(HOUR), false)
        .await
        .unwrap()
        .policy
        .id();
    let story = async {
        // The clock has settled: nothing changes by itself before the time is over.
        let mut changes = node.policy_changes();
        changes.changed().await.unwrap();
        org.kit.clock.advance(Duration::from_secs(3_599));
        assert_eq!(may_export(node, admin).await, Ok(id));
        changes.mark_unchanged();

        org.kit.clock.advance(Duration::from_secs(1));
        assert_eq!(
            may_export(node, admin).await,
            Err(Reason::EgressDenied),
            "at once"
        );
        let moved = Instant::now();
        changes.changed().await.unwrap();
        assert!(moved.elapsed() < Duration::from_secs(1), "{:?}", moved.elapsed());
        for id in [id, waiting] {
            eventually("the mark in the store", async || {
                let view = node.show_policy(admin, id).await.unwrap();
                matches!(view.policy.state(), peerd_core::policy::State::Expired { .. }).then_some(())
            })
            .await;
        }
    };
    tokio::select! {
        () = story => {}
        () = node.run_policy_clock() => unreachable!("it never ends"),
    }
    let expired = node.decide_policy(admin, id, Resume).await;
    assert_eq!(reason(expired), Reason::WrongStage);
}

#[tokio::test]
async fn b104_unreadable_policies_deny_everything_until_they_can_be_read() {
    let org = Org::fresh().await;
    let (node, admin) = (org.node(), &org.admin);
    let id = proposed(node, admin, None, true).await.unwrap().policy.id();
    let mut damage = Batch::new();
    damage.put(Table::Policies, vec![0; 16], vec![0xff; 8]);
    let mut repair = Batch::new();
    repair.delete(Table::Policies, vec![0; 16]);
    let story = async {
        node.store().commit(damage).await.unwrap();
        eventually("a denial", async || {
            (may_export(node, admin).await == Err(Reason::PolicyUnreadable)).then_some(())
        })
        .await;
        let status = node.status(admin).await.unwrap();
        assert!(status.health.contains("unreadable"), "{}", status.health);
        node.store().commit(repair).await.unwrap();
        eventually("an answer", async || {
            (may_export(node, admin).await == Ok(id)).then_some(())
        })
        .await;
        assert_eq!(node.status(admin).await.unwrap().health, "ok");
    };
    tokio::select! {
        () = story => {}
        () = node.run_policy_clock() => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn b105_a_rule_for_nobody_is_refused_when_it_is_proposed() {
    let org = Org::fresh().await;
    let nobody = Rule::Ingress {
        sources: ["192.0.2.0/24".parse().unwrap()].into(),
        enrollments: Enrollments::Only([].into()),
    };
    let answer = org
        .node()
        .propose_policy(&org.admin, nobody, why(), None, false)
        .await;
    assert_eq!(reason(answer), Reason::FieldInvalid);
}
