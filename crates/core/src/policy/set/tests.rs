use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::policy::{Ports, Proposal};
use crate::{PrincipalId, reason::Code};

const NOW: Time = Time::from_micros(1_000);
const WHO: PrincipalId = PrincipalId::from_bytes([1; 16]);

fn peer(n: u8) -> EnrollmentId {
    EnrollmentId::from_bytes([n; 32])
}

fn id(n: u8) -> PolicyId {
    PolicyId::from_bytes([n; 16])
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn egress(destination: &str, ports: &str, enrollments: Enrollments) -> Rule {
    Rule::Egress {
        destination: destination.parse().expect(destination),
        ports: ports.parse().expect(ports),
        enrollments,
    }
}

fn ingress(sources: &[&str], enrollments: Enrollments) -> Rule {
    Rule::Ingress {
        sources: sources
            .iter()
            .map(|net| net.parse().expect("a network"))
            .collect(),
        enrollments,
    }
}

fn only(n: u8) -> Enrollments {
    Enrollments::Only([peer(n)].into())
}

fn pending(n: u8, rule: Rule, expires_at: Option<Time>) -> Policy {
    proposed(id(n), rule, expires_at)
}

fn proposed(id: PolicyId, rule: Rule, expires_at: Option<Time>) -> Policy {
    let proposal = Proposal {
        rule,
        justification: "a test".parse().expect("a justification"),
        expires_at,
    };
    Policy::propose(id, proposal, WHO, Time::EPOCH).expect("a policy")
}

fn active(n: u8, rule: Rule) -> Policy {
    pending(n, rule, None)
        .approve(WHO, false, Time::EPOCH)
        .expect("approved")
}

fn b_example() -> Target {
    Target::new("b.example", 7443).expect("a target")
}

fn denied<A: std::fmt::Debug>(decision: Decision<A>) -> Denial {
    decision.into_result().expect_err("denied")
}

#[test]
fn b104_nothing_is_allowed_without_a_policy_or_with_unreadable_ones() {
    for (set, egress_reason, ingress_reason) in [
        (PolicySet::new([]), Reason::EgressDenied, Reason::IngressDenied),
        (
            PolicySet::unreadable(),
            Reason::PolicyUnreadable,
            Reason::PolicyUnreadable,
        ),
    ] {
        let export = set.decide_flow(peer(1), Direction::Export, DataType::Objects, NOW);
        let import = set.decide_flow(peer(1), Direction::Import, DataType::Artifacts, NOW);
        assert_eq!(
            denied(set.decide_dial(b_example(), peer(1), NOW)).reason,
            egress_reason
        );
        assert_eq!(denied(export).reason, egress_reason);
        assert_eq!(denied(import).reason, ingress_reason);
        let accept = set.decide_accept(ip("192.0.2.1"), peer(1), NOW);
        assert_eq!(denied(accept).reason, ingress_reason);
        let source = set.admits_source(ip("192.0.2.1"), NOW).expect_err("denied");
        assert_eq!(source.reason, ingress_reason);
        assert_eq!(source.reason.code(), Code::Denied);
        assert_eq!(set.next_change_after(NOW), None);
    }
}

#[test]
fn b103_data_flows_only_where_both_sides_allow_it() {
    // The exporter is enrollment 1, the importer 2; each has a policy that names the other, or has none.
    for (out, inward) in [(false, false), (false, true), (true, false), (true, true)] {
        let exporter = PolicySet::new(out.then(|| active(1, egress("b.example", "7443", only(2)))));
        let importer = PolicySet::new(inward.then(|| active(2, ingress(&["0.0.0.0/0"], only(1)))));
        let export = exporter.decide_flow(peer(2), Direction::Export, DataType::Objects, NOW);
        let import = importer.decide_flow(peer(1), Direction::Import, DataType::Objects, NOW);
        assert_eq!(export.is_allowed(), out);
        assert_eq!(import.is_allowed(), inward);
        assert_eq!(export.is_allowed() && import.is_allowed(), out && inward);
        // Neither policy opens the other direction.
        let back = importer.decide_flow(peer(1), Direction::Export, DataType::Objects, NOW);
        assert!(!back.is_allowed());
        let back = exporter.decide_flow(peer(2), Direction::Import, DataType::Objects, NOW);
        assert!(!back.is_allowed());
    }
}

#[test]
fn two_policies_that_each_match_a_half_allow_nothing() {
    let set = PolicySet::new([
        active(1, egress("b.example", "443", only(1))),
        active(2, egress("b.example", "7443", only(2))),
        active(3, egress("c.example", "7443", only(1))),
        active(4, ingress(&["10.0.0.0/8"], only(1))),
        active(5, ingress(&["192.0.2.0/24"], only(2))),
    ]);
    assert!(!set.decide_dial(b_example(), peer(1), NOW).is_allowed());
    assert!(!set.decide_accept(ip("192.0.2.1"), peer(1), NOW).is_allowed());
    assert!(set.decide_dial(b_example(), peer(2), NOW).is_allowed());
    assert!(set.decide_accept(ip("192.0.2.1"), peer(2), NOW).is_allowed());
}

#[test]
fn a_network_rule_admits_the_address_that_is_dialled_and_no_name() {
    let set = PolicySet::new([active(1, egress("192.0.2.0/24", "1-65535", only(1)))]);
    let dial = |target| set.decide_dial(target, peer(1), NOW).is_allowed();
    assert!(!dial(b_example()));
    assert!(dial(b_example().at(ip("192.0.2.7"))));
    assert!(dial(b_example().at(ip("::ffff:192.0.2.7"))));
    assert!(!dial(b_example().at(ip("203.0.113.7"))));
}

#[test]
fn a_mapped_source_address_is_the_ipv4_address_it_maps() {
    let set = PolicySet::new([active(1, ingress(&["10.0.0.0/8", "2001:db8::/32"], only(1)))]);
    for (from, admitted) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("11.0.0.1", false),
        ("::ffff:11.0.0.1", false),
        ("2001:db8::1", true),
    ] {
        assert_eq!(set.admits_source(ip(from), NOW).is_ok(), admitted, "{from}");
        let accept = set.decide_accept(ip(from), peer(1), NOW);
        assert_eq!(accept.is_allowed(), admitted, "{from}");
        assert!(!set.decide_accept(ip(from), peer(2), NOW).is_allowed());
    }
}

#[test]
fn b105_a_stored_policy_for_nobody_admits_nobody() {
    // Such a record cannot be proposed; this is one that got into the store some other way.
    let nobody = active(1, ingress(&["0.0.0.0/0"], only(1)));
    let mut json = serde_json::to_value(nobody).expect("encodes");
    json["rule"]["ingress"]["enrollments"] = serde_json::json!({ "only": [] });
    let set = PolicySet::new([serde_json::from_value(json).expect("decodes")]);
    assert!(set.admits_source(ip("10.0.0.1"), NOW).is_err());
    assert!(!set.decide_accept(ip("10.0.0.1"), peer(1), NOW).is_allowed());
    let import = set.decide_flow(peer(1), Direction::Import, DataType::Objects, NOW);
    assert!(!import.is_allowed());
}

#[test]
fn b107_a_policy_in_force_ends_with_its_time_before_anything_marks_it() {
    let ends = |n, at| {
        pending(
            n,
            egress("b.example", "7443", only(n)),
            Some(Time::from_micros(at)),
        )
        .approve(WHO, false, Time::EPOCH)
        .expect("approved")
    };
    let never_approved = pending(
        9,
        egress("b.example", "7443", only(9)),
        Some(Time::from_micros(1_500)),
    );
    let set = PolicySet::new([ends(1, 2_000), ends(2, 3_000), never_approved]);
    let allowed = |n, at| {
        let now = Time::from_micros(at);
        set.decide_flow(peer(n), Direction::Export, DataType::Objects, now)
            .is_allowed()
    };
    assert!(allowed(1, 1_999) && !allowed(1, 2_000));
    assert!(allowed(2, 2_999) && !allowed(2, 3_000));
    let next = |at| set.next_change_after(Time::from_micros(at)).map(Time::as_micros);
    assert_eq!(next(0), Some(2_000));
    assert_eq!(next(1_999), Some(2_000));
    assert_eq!(next(2_000), Some(3_000));
    assert_eq!(next(3_000), None);
}

#[test]
fn b106_the_same_question_to_a_newer_set_is_answered_anew() {
    let policy = active(1, egress("b.example", "7443", Enrollments::Any));
    let ask = |set: &PolicySet| {
        set.decide_flow(peer(1), Direction::Export, DataType::Objects, NOW)
            .is_allowed()
    };
    let paused = policy.clone().pause(WHO, NOW).expect("paused");
    let resumed = paused.clone().resume(WHO, NOW).expect("resumed");
    let revoked = resumed.clone().revoke(WHO, NOW).expect("revoked");
    let answers = [policy, paused, resumed, revoked].map(|policy| ask(&PolicySet::new([policy])));
    assert_eq!(answers, [true, false, true, false]);
}

#[test]
fn a_permit_says_what_who_when_and_by_which_policy() {
    let set = PolicySet::new([
        active(2, egress("*.example", "7443", Enrollments::Any)),
        active(1, egress("b.example", "7443", only(1))),
    ]);
    let decision = set.decide_flow(peer(1), Direction::Export, DataType::Artifacts, NOW);
    let verdict = decision.verdict();
    let permit = decision.into_result().expect("allowed");
    assert_eq!(permit.enrollment(), peer(1));
    assert_eq!(permit.policy(), id(1), "of several, the least id");
    assert_eq!(permit.decided_at(), NOW);
    assert_eq!(permit.covers().direction, Direction::Export);
    assert_eq!(permit.covers().data, DataType::Artifacts);
    assert!(verdict.is_allowed());
    assert_eq!((verdict.policy, verdict.reason_word()), (Some(id(1)), "ALLOWED"));
    let flow = Flow {
        direction: Direction::Export,
        data: DataType::Artifacts,
    };
    let question = Question {
        act: flow.into(),
        enrollment: Some(peer(1)),
    };
    assert_eq!(set.check(question, NOW), verdict, "the dry run answers the same");
}

#[test]
fn b101_a_denial_tells_a_peer_its_word_and_the_operator_the_missing_rule() {
    let rule = || egress("b.example", "7443", only(1));
    let paused = active(3, rule()).pause(WHO, NOW).expect("paused");
    let revoked = active(1, rule()).revoke(WHO, NOW).expect("revoked");
    let sentence = |policies: Vec<Policy>| {
        let denial = denied(PolicySet::new(policies).decide_dial(b_example(), peer(1), NOW));
        assert_eq!(denial.to_string(), "EGRESS_DENIED");
        denial.missing
    };
    let none = format!("no active egress policy admits b.example:7443 for {}", peer(1));
    assert_eq!(sentence(vec![]), none);
    assert_eq!(
        sentence(vec![active(1, egress("b.example", "443", only(1)))]),
        none,
        "another port is not near"
    );
    assert_eq!(
        sentence(vec![pending(2, rule(), None), revoked.clone()]),
        format!("{none}; {} would, but it is pending", id(2))
    );
    assert_eq!(
        sentence(vec![revoked, pending(2, rule(), None), paused]),
        format!("{none}; {} would, but it is paused", id(3))
    );
}

#[test]
fn of_two_records_with_one_id_the_later_counts() {
    let policy = active(1, egress("b.example", "7443", only(1)));
    let revoked = policy.clone().revoke(WHO, NOW).expect("revoked");
    let set = PolicySet::new([policy, revoked]);
    assert!(!set.decide_dial(b_example(), peer(1), NOW).is_allowed());
}

#[test]
fn one_question_to_ten_thousand_policies_touches_a_handful() {
    let many = (0..10_000_u16).map(|n| {
        let [high, low] = n.to_be_bytes();
        let enrollments = Enrollments::Only([EnrollmentId::from_bytes([high ^ low; 32])].into());
        let rule = match n % 4 {
            0 => egress(&format!("h{n}.example"), "7443", enrollments),
            1 => egress(&format!("*.h{n}.example"), "7443", enrollments),
            2 => egress(&format!("10.{high}.{low}.0/24"), "7443", enrollments),
            _ => ingress(&[&format!("10.{high}.{low}.0/24")], enrollments),
        };
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&[high, low]);
        let policy = proposed(PolicyId::from_bytes(bytes), rule, None);
        policy.approve(WHO, false, Time::EPOCH).expect("approved")
    });
    let set = PolicySet::new(many);
    let index = set.index.as_ref().expect("readable");
    assert_eq!(index.policies.len(), 10_000);
    let dial = |host: &str| {
        Act::Dial(Dial {
            to: Target::new(host, 7443).expect(host),
        })
    };
    let accept = |from| Act::Accept(Accept { from: ip(from) });
    for (act, n) in [
        (dial("h4000.example"), 4_000_u16),
        (dial("a.h4001.example"), 4_001),
        (dial("10.15.162.9"), 4_002),
        (accept("10.15.163.9"), 4_003),
        (Act::Source(ip("10.15.163.9")), 4_003),
    ] {
        let [high, low] = n.to_be_bytes();
        let enrollment = match act {
            Act::Source(_) => None,
            _ => Some(EnrollmentId::from_bytes([high ^ low; 32])),
        };
        let question = Question { act, enrollment };
        let touched: usize = index.candidates(&question).map(<[Place]>::len).sum();
        assert_eq!(touched, 1, "{question}");
        assert!(set.check(question, NOW).is_allowed());
    }
}

/// A second, plain reading of the rules, without an index and without the code under test.
mod reference {
    use super::*;

    pub(super) fn allowed(policies: &[Policy], question: &Question, now: Time) -> Option<PolicyId> {
        policies
            .iter()
            .filter(|policy| matches!(policy.state(), crate::policy::State::Active { .. }))
            .filter(|policy| policy.expires_at().is_none_or(|at| now < at))
            .filter(|policy| admits(policy.rule(), question))
            .map(Policy::id)
            .min()
    }

    fn admits(rule: &Rule, question: &Question) -> bool {
        let listed = match (rule.enrollments(), question.enrollment) {
            (Enrollments::Any, _) => true,
            (Enrollments::Only(ids), None) => !ids.is_empty(),
            (Enrollments::Only(ids), Some(id)) => ids.iter().any(|known| *known == id),
        };
        listed
            && match (rule, &question.act) {
                (
                    Rule::Egress {
                        destination, ports, ..
                    },
                    Act::Dial(dial),
                ) => {
                    let (first, last) = range(*ports);
                    first <= dial.to.port() && dial.to.port() <= last && reaches(destination, &dial.to)
                }
                (Rule::Egress { .. }, Act::Flow(flow)) => flow.direction == Direction::Export,
                (Rule::Ingress { .. }, Act::Flow(flow)) => flow.direction == Direction::Import,
                (Rule::Ingress { sources, .. }, Act::Source(from) | Act::Accept(Accept { from })) => {
                    sources.iter().any(|net| inside(&net.to_string(), *from))
                }
                _ => false,
            }
    }

    fn range(ports: Ports) -> (u16, u16) {
        let text = ports.to_string();
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        (first.parse().expect("a port"), last.parse().expect("a port"))
    }

    fn reaches(destination: &Destination, to: &Target) -> bool {
        let (rule, host) = (destination.to_string(), to.host().to_string());
        match destination {
            Destination::Name(_) => rule == host,
            Destination::Wildcard(_) => {
                let labels: Vec<&str> = host.split('.').collect();
                matches!(to.host(), Host::Name(_)) && labels[1..].join(".") == rule[2..]
            }
            Destination::Net(_) => to.ip().is_some_and(|ip| inside(&rule, ip)),
        }
    }

    fn inside(net: &str, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => (32, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => (32, u128::from(v4.to_bits())),
                None => (128, v6.to_bits()),
            },
        };
        let (net, prefix) = net.split_once('/').unwrap_or((net, ""));
        let (net_width, net) = bits(net.parse().expect("an address"));
        let (width, ip) = bits(ip);
        let shift = width - prefix.parse().unwrap_or(width);
        net_width == width && (shift == 128 || net >> shift == ip >> shift)
    }
}

fn some_enrollments() -> impl Strategy<Value = Enrollments> {
    prop_oneof![
        1 => Just(Enrollments::Any),
        3 => prop::collection::btree_set((0_u8..4).prop_map(peer), 1..3).prop_map(Enrollments::Only),
    ]
}

/// From a small world, so that rules and questions meet.
fn some_net() -> impl Strategy<Value = Cidr> {
    prop::sample::select(vec![
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.0/24",
        "10.1.2.3",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "2001:db8::1",
        "::ffff:10.1.0.0/112",
    ])
    .prop_map(|net| net.parse().expect("a network"))
}

fn some_ip() -> impl Strategy<Value = IpAddr> {
    prop::sample::select(vec![
        "10.1.2.3",
        "10.1.2.4",
        "10.1.9.9",
        "10.9.9.9",
        "11.0.0.1",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db9::1",
        "::ffff:10.1.2.3",
        "::1",
    ])
    .prop_map(ip)
}

fn some_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "example",
        "b.example",
        "c.example",
        "a.b.example",
        "b.other",
    ])
}

fn some_destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        some_name().prop_map(|name| name.parse().expect("a name")),
        some_name().prop_map(|name| format!("*.{name}").parse().expect("a wildcard")),
        some_net().prop_map(Destination::Net),
    ]
}

fn some_rule() -> impl Strategy<Value = Rule> {
    let ports =
        (1_u16..5, 0_u16..3).prop_map(|(first, more)| Ports::range(first, first + more).expect("ports"));
    let sources = prop::collection::btree_set(some_net(), 1..4);
    prop_oneof![
        (some_destination(), ports, some_enrollments()).prop_map(|(destination, ports, enrollments)| {
            Rule::Egress {
                destination,
                ports,
                enrollments,
            }
        }),
        (sources, some_enrollments())
            .prop_map(|(sources, enrollments): (BTreeSet<Cidr>, _)| Rule::Ingress { sources, enrollments }),
    ]
}

/// In any state, some past their time at [`NOW`].
fn some_policy() -> impl Strategy<Value = Policy> {
    let expiry = prop::option::of(prop::sample::select(vec![500_i64, 1_000, 1_001]));
    (any::<u8>(), some_rule(), expiry, 0_u8..8).prop_map(|(n, rule, expiry, state)| {
        let policy = pending(n, rule, expiry.map(Time::from_micros));
        let step = |policy: Policy| match state {
            0 => Ok(policy),
            1 => policy.approve(WHO, false, Time::EPOCH)?.pause(WHO, Time::EPOCH),
            2 => policy.revoke(WHO, Time::EPOCH),
            _ => policy.approve(WHO, false, Time::EPOCH),
        };
        step(policy).expect("legal steps")
    })
}

fn some_act() -> impl Strategy<Value = Act> {
    let target = prop_oneof![
        (some_name(), 1_u16..7).prop_map(|(host, port)| Target::new(host, port)),
        (some_ip(), 1_u16..7).prop_map(|(ip, port)| Target::new(&ip.to_string(), port)),
    ];
    let direction = prop::sample::select(vec![Direction::Export, Direction::Import]);
    prop_oneof![
        (target, prop::option::of(some_ip())).prop_map(|(target, resolved)| {
            let target = target.expect("a target");
            Act::Dial(Dial {
                to: resolved.map_or(target.clone(), |ip| target.at(ip)),
            })
        }),
        some_ip().prop_map(Act::Source),
        some_ip().prop_map(|from| Act::Accept(Accept { from })),
        direction.prop_map(|direction| Act::Flow(Flow {
            direction,
            data: DataType::Objects
        })),
    ]
}

proptest! {
    #[test]
    fn the_index_answers_as_reading_every_rule_would(
        policies in prop::collection::vec(some_policy(), 0..12),
        questions in prop::collection::vec((some_act(), 0_u8..5), 1..24),
    ) {
        let policies: BTreeMap<PolicyId, Policy> =
            policies.into_iter().map(|policy| (policy.id(), policy)).collect();
        let policies: Vec<Policy> = policies.into_values().collect();
        let set = PolicySet::new(policies.iter().cloned());
        for (act, n) in questions {
            let enrollment = match act {
                Act::Source(_) => None,
                _ => Some(peer(n)),
            };
            let question = Question { act, enrollment };
            let expected = reference::allowed(&policies, &question, NOW);
            let verdict = set.check(question, NOW);
            prop_assert_eq!(verdict.is_allowed(), expected.is_some(), "{}", verdict.why);
            if expected.is_some() {
                prop_assert_eq!(verdict.policy, expected);
            }
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic_and_what_is_read_prints_as_it_reads(text in "[*a-z0-9./:-]{0,24}|.{0,24}") {
        if let Ok(destination) = text.parse::<Destination>() {
            prop_assert_eq!(destination.to_string().parse(), Ok(destination));
        }
        if let Ok(ports) = text.parse::<Ports>() {
            prop_assert_eq!(ports.to_string().parse(), Ok(ports));
        }
        let _ = Target::new(&text, 1);
    }
}
