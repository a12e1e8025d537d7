use super::*;
use crate::authz::{Role, Token};
use crate::policy::{DataType, Direction, Enrollments, Policy, PolicySet, Ports, Proposal, Rule};

const NOW: Time = Time::from_micros(1_357_034_400_000_000);
const WHO: PrincipalId = PrincipalId::from_bytes([1; 16]);

fn peer() -> EnrollmentId {
    EnrollmentId::from_bytes([7; 32])
}

fn policies() -> PolicySet {
    let rule = Rule::Egress {
        destination: "b.example".parse().expect("a destination"),
        ports: Ports::range(7443, 7443).expect("a port"),
        enrollments: Enrollments::Only([peer()].into()),
    };
    let proposal = Proposal {
        rule,
        justification: "a test".parse().expect("a justification"),
        expires_at: None,
    };
    let policy =
        Policy::propose(PolicyId::from_bytes([9; 16]), proposal, WHO, Time::EPOCH).expect("a policy");
    PolicySet::new(policy.approve(WHO, false, Time::EPOCH))
}

#[test]
fn b110_a_decision_is_recorded_with_inputs_rule_verdict_peer_and_item() {
    let decide = |direction| {
        policies()
            .decide_flow(peer(), direction, DataType::Objects, NOW)
            .verdict()
    };
    let allowed = Fact::decision(
        Actor::Peer(peer()),
        &decide(Direction::Export),
        Some(&"airport/JFK"),
    );
    assert_eq!(allowed.at(), NOW);
    assert_eq!(allowed.actor(), &Actor::Peer(peer()));
    assert_eq!(allowed.action(), "decide flow");
    assert_eq!(allowed.subjects(), [peer().to_string()]);
    assert_eq!(allowed.outcome(), Outcome::Done);
    assert_eq!(allowed.policy(), Some(PolicyId::from_bytes([9; 16])));
    assert_eq!(allowed.details()["item"], "airport/JFK");
    assert_eq!(allowed.details()["direction"], "egress");
    assert_eq!(
        allowed.details()["asked"],
        format!("the export of objects for {}", peer())
    );

    let denied = Fact::decision(Actor::System, &decide(Direction::Import), None);
    let reason = Reason::IngressDenied;
    assert_eq!(denied.outcome(), Outcome::Denied { reason });
    assert_eq!(denied.policy(), None);
    assert_eq!(
        denied.details()["why"],
        format!(
            "no active ingress policy admits the import of objects for {}",
            peer()
        )
    );
}

#[test]
fn the_longest_question_and_its_answer_are_kept_whole_where_they_matter() {
    let host = [
        &*"a".repeat(63),
        &*"b".repeat(63),
        &*"c".repeat(63),
        &*"d".repeat(61),
    ]
    .join(".");
    let to = crate::policy::Target::new(&host, 7443).expect("a target");
    let verdict = PolicySet::new([]).decide_dial(to, peer(), NOW).verdict();
    let fact = Fact::decision(Actor::System, &verdict, None);
    assert_eq!(fact.subjects(), [peer().to_string()]);
    assert!(fact.details()["asked"].contains(&peer().to_string()));
    assert!(fact.details()["why"].ends_with(&peer().to_string()));
}

#[test]
fn a_fact_stays_small_and_on_one_line_whatever_it_is_told() {
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            // Ends only because the writer stops taking.
            loop {
                f.write_str("ü\n")?;
            }
        }
    }
    let keys = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
    ];
    let mut fact = Fact::new(NOW, Actor::System, "link accept");
    for key in keys {
        fact = fact.on(Endless).detail(key, Endless);
    }
    assert_eq!(fact.subjects().len(), Fact::SUBJECTS_MAX);
    assert_eq!(fact.details().len(), Fact::DETAILS_MAX);
    for text in fact.subjects().iter().chain(fact.details().values()) {
        assert_eq!(
            text.chars().count(),
            Fact::TEXT_MAX + 1,
            "the limit and the sign of a cut"
        );
        assert!(!text.contains('\n'));
    }
    let exact = "a".repeat(Fact::TEXT_MAX);
    let fact = fact.detail("a", &exact);
    assert_eq!(
        fact.details()["a"],
        exact,
        "a full record still takes a key it has"
    );
}

#[test]
fn a_fact_is_stored_under_field_names_and_reads_back() {
    let principal = Principal {
        id: WHO,
        name: "ada".parse().expect("a name"),
        role: Role::SecurityOfficer,
        space: None,
        token: Token::from_bytes([5; 32]).hash(),
        created_at: Time::EPOCH,
        revoked_at: None,
    };
    let call = || Fact::of_call(NOW, &principal, Action::PolicyApprove).on(PolicyId::from_bytes([9; 16]));
    for fact in [
        call(),
        call().by_policy(PolicyId::from_bytes([9; 16])),
        call().refused(Reason::WrongStage).detail("stage", "revoked"),
        call().denied(Reason::SecondPersonRequired),
        Fact::new(NOW, Actor::Peer(peer()), "connection approve"),
    ] {
        let bytes = rmp_serde::to_vec_named(&fact).expect("encodes");
        assert_eq!(rmp_serde::from_slice::<Fact>(&bytes).expect("decodes"), fact);
    }
    assert_eq!(call().action(), "policy approve");
    assert_eq!(
        call().actor(),
        &Actor::Principal {
            id: WHO,
            name: principal.name.clone()
        }
    );
}
