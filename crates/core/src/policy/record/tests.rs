use std::collections::BTreeSet;

use super::*;
use crate::EnrollmentId;
use crate::policy::Ports;

const PROPOSER: PrincipalId = PrincipalId::from_bytes([1; 16]);
const OFFICER: PrincipalId = PrincipalId::from_bytes([2; 16]);
const OTHER: PrincipalId = PrincipalId::from_bytes([3; 16]);

fn at(micros: i64) -> Time {
    Time::from_micros(micros)
}

fn by(who: PrincipalId, micros: i64) -> Decided {
    Decided {
        by: who,
        at: at(micros),
    }
}

fn egress(enrollments: Enrollments) -> Rule {
    Rule::Egress {
        destination: "*.example.org".parse().expect("a destination"),
        ports: Ports::range(7443, 7443).expect("a port"),
        enrollments,
    }
}

fn propose(rule: Rule, expires_at: Option<Time>) -> Result<Policy, InvalidPolicy> {
    let proposal = Proposal {
        rule,
        justification: "a test".parse().expect("a justification"),
        expires_at,
    };
    Policy::propose(PolicyId::from_bytes([9; 16]), proposal, PROPOSER, at(10))
}

fn pending() -> Policy {
    propose(egress(Enrollments::Any), Some(at(100))).expect("a policy")
}

/// One policy in every state.
fn in_every_state() -> [Policy; 5] {
    let active = pending().approve(OFFICER, true, at(20)).expect("approved");
    [
        pending(),
        active.clone(),
        active.clone().pause(OFFICER, at(30)).expect("paused"),
        active.clone().revoke(OFFICER, at(30)).expect("revoked"),
        active.expire(at(100)).expect("expired"),
    ]
}

fn step(policy: Policy, verb: Verb, now: Time) -> Result<Policy, Refused> {
    match verb {
        Verb::Approve => policy.approve(OTHER, true, now),
        Verb::Pause => policy.pause(OTHER, now),
        Verb::Resume => policy.resume(OTHER, now),
        Verb::Revoke => policy.revoke(OTHER, now),
        Verb::Expire => policy.expire(now),
    }
}

const VERBS: [Verb; 5] = [
    Verb::Approve,
    Verb::Pause,
    Verb::Resume,
    Verb::Revoke,
    Verb::Expire,
];

/// The whole table: where each verb leads from each state, or that it is refused.
#[test]
fn b033_every_verb_in_every_state() {
    use Standing::{Active, Expired, Paused, Pending, Revoked};
    let in_time = [
        (Pending, [Some(Active), None, None, Some(Revoked), None]),
        (Active, [None, Some(Paused), None, Some(Revoked), None]),
        (Paused, [None, None, Some(Active), Some(Revoked), None]),
        (Revoked, [None; 5]),
        (Expired, [None; 5]),
    ];
    // Once the time is over, only marking it is left, and only where that was not done.
    let over = [
        (Expired, [None, None, None, None, Some(Expired)]),
        (Expired, [None, None, None, None, Some(Expired)]),
        (Expired, [None, None, None, None, Some(Expired)]),
        (Revoked, [None; 5]),
        (Expired, [None; 5]),
    ];
    for (now, table) in [(at(99), in_time), (at(100), over)] {
        for (policy, (standing, row)) in in_every_state().into_iter().zip(table) {
            assert_eq!(policy.standing(now), standing);
            for (verb, expected) in VERBS.into_iter().zip(row) {
                let stepped = step(policy.clone(), verb, now);
                let refused = Refused::WrongStage { standing, verb };
                assert_eq!(
                    stepped.as_ref().map(|next| next.standing(at(99))),
                    expected.as_ref().copied().ok_or(&refused),
                    "{verb} when {standing} at {now}"
                );
                if let Ok(next) = stepped {
                    assert_eq!(next.rule(), policy.rule(), "what it admits never changes");
                    assert_eq!(next.proposed(), policy.proposed());
                }
            }
        }
    }
}

#[test]
fn a_refusal_names_the_state_and_the_verb() {
    let refused = pending().pause(OFFICER, at(11)).expect_err("pending");
    assert_eq!(refused.to_string(), "a policy that is pending cannot be paused");
    assert_eq!(refused.reason(), Reason::WrongStage);
}

#[test]
fn b049_where_a_second_person_is_asked_for_the_proposer_may_not_approve() {
    assert_eq!(
        pending().approve(PROPOSER, true, at(20)),
        Err(Refused::SecondPerson)
    );
    assert_eq!(Refused::SecondPerson.reason(), Reason::SecondPersonRequired);
    assert!(pending().approve(OFFICER, true, at(20)).is_ok());
    assert!(pending().approve(PROPOSER, false, at(20)).is_ok());
}

#[test]
fn who_decided_stays_readable() {
    let approved = pending().approve(OFFICER, true, at(20)).expect("approved");
    assert_eq!(approved.decided(), Some(by(OFFICER, 20)));
    let paused = approved.pause(OTHER, at(30)).expect("paused");
    let resumed = paused.clone().resume(OFFICER, at(40)).expect("resumed");
    let revoked = resumed.clone().revoke(OTHER, at(50)).expect("revoked");
    let expired = resumed.clone().expire(at(100)).expect("expired");
    assert_eq!(paused.decided(), Some(by(OTHER, 30)));
    assert_eq!(resumed.decided(), Some(by(OFFICER, 40)));
    assert_eq!(revoked.decided(), Some(by(OTHER, 50)));
    assert_eq!(expired.decided(), Some(by(OFFICER, 20)));
    for policy in [paused, resumed, revoked, expired] {
        assert_eq!(policy.approved(), Some(by(OFFICER, 20)));
        assert_eq!(policy.proposed(), by(PROPOSER, 10));
    }
    let withdrawn = pending().revoke(OTHER, at(30)).expect("revoked");
    assert_eq!(withdrawn.approved(), None);
}

#[test]
fn b105_a_proposal_for_nobody_from_nowhere_or_for_the_past_is_refused() {
    let ids = |count: u16| {
        let id = |n: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&n.to_be_bytes());
            EnrollmentId::from_bytes(bytes)
        };
        Enrollments::Only((0..count).map(id).collect())
    };
    assert_eq!(propose(egress(ids(0)), None), Err(InvalidPolicy::NoEnrollment));
    assert!(propose(egress(ids(256)), None).is_ok());
    assert_eq!(
        propose(egress(ids(257)), None),
        Err(InvalidPolicy::TooManyEnrollments { max: 256 })
    );
    let from = |count: u16| Rule::Ingress {
        sources: (0..count)
            .map(|n| {
                format!("10.{}.{}.0/24", n / 256, n % 256)
                    .parse()
                    .expect("a network")
            })
            .collect(),
        enrollments: Enrollments::Any,
    };
    assert_eq!(propose(from(0), None), Err(InvalidPolicy::NoSource));
    assert!(propose(from(256), None).is_ok());
    assert_eq!(
        propose(from(257), None),
        Err(InvalidPolicy::TooManySources { max: 256 })
    );
    assert_eq!(
        propose(egress(Enrollments::Any), Some(at(10))),
        Err(InvalidPolicy::ExpiresInThePast(at(10)))
    );
}

#[test]
fn a_policy_is_stored_under_field_names_and_reads_back_in_every_state() {
    let ingress = Rule::Ingress {
        sources: BTreeSet::from(["10.0.0.0/8".parse().expect("a network")]),
        enrollments: Enrollments::Only([EnrollmentId::from_bytes([5; 32])].into()),
    };
    let mut policies = Vec::from(in_every_state());
    policies.push(propose(ingress, None).expect("a policy"));
    for policy in policies {
        let bytes = rmp_serde::to_vec_named(&policy).expect("encodes");
        let read: Policy = rmp_serde::from_slice(&bytes).expect("decodes");
        assert_eq!(read, policy);
    }
}

#[test]
fn b104_a_record_with_an_unknown_term_cannot_be_read() {
    let mut json = serde_json::to_value(pending()).expect("encodes");
    assert!(serde_json::from_value::<Policy>(json.clone()).is_ok());
    json["rule"]["egress"]["only_on_weekdays"] = true.into();
    assert!(serde_json::from_value::<Policy>(json).is_err());
    let mut json = serde_json::to_value(pending()).expect("encodes");
    json["rule"]["egress"]["destination"] = "*".into();
    assert!(serde_json::from_value::<Policy>(json).is_err());
}
