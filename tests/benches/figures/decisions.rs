//! Policy decisions per second with many policies, beside few, and beside a scan over the same records.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::ensure;
use peerd_core::policy::{
    Accept, Act, DataType, Dial, Direction, Enrollments, Flow, Policy, PolicySet, Proposal, Question, Rule,
    Standing, Target,
};
use peerd_core::{EnrollmentId, PolicyId, PrincipalId, Time};

use peerd_tests::bench::table::Row;

/// How long each kind is measured.
const SPAN: Duration = Duration::from_secs(1);
/// The moment of every question.
const NOW: Time = Time::from_micros(1_800_000_000_000_000);
const MANY: u32 = 10_000;
const FEW: u32 = 10;
/// Different questions; a power of two keeps the cost of choosing one out of the figure.
const QUESTIONS: u32 = 4_096;

pub(crate) fn figures() -> anyhow::Result<Vec<Row>> {
    let (many, few) = (policies(MANY)?, policies(FEW)?);
    let (indexed, small) = (PolicySet::new(many.clone()), PolicySet::new(few));
    let (asked, asked_few) = (questions(MANY)?, questions(FEW)?);
    let allowed = asked.iter().filter(|question| decide(&indexed, question)).count();
    for question in &asked {
        ensure!(
            decide(&indexed, question) == scan(&many, question),
            "the index and the scan differ: {question}"
        );
    }
    let rate_many = rate(&asked, |question| decide(&indexed, question));
    let rate_few = rate(&asked_few, |question| decide(&small, question));
    let rate_scan = rate(&asked, |question| scan(&many, question));
    let figure = format!(
        "policy decisions with {MANY} policies, {} % allowed",
        allowed * 100 / asked.len()
    );
    Ok(vec![
        Row::new(&figure, rate_many, "/s", format!("with {FEW} policies"), rate_few),
        Row::new(
            &figure,
            rate_many,
            "/s",
            "a scan over the same records",
            rate_scan,
        ),
    ])
}

/// Answers per second on one core, going round the questions.
fn rate(questions: &[Question], answer: impl Fn(&Question) -> bool) -> f64 {
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < SPAN {
        // The clock costs about what a decision does: ask it seldom.
        for _ in 0..64 {
            let question = &questions[count as usize % questions.len()];
            black_box(answer(black_box(question)));
            count += 1;
        }
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// What the daemon asks.
fn decide(set: &PolicySet, question: &Question) -> bool {
    let enrollment = question.enrollment.unwrap_or(EnrollmentId::from_bytes([0; 32]));
    match &question.act {
        Act::Dial(dial) => set.decide_dial(dial.to.clone(), enrollment, NOW).is_allowed(),
        Act::Source(from) => set.admits_source(*from, NOW).is_ok(),
        Act::Accept(accept) => set.decide_accept(accept.from, enrollment, NOW).is_allowed(),
        Act::Flow(flow) => set
            .decide_flow(enrollment, flow.direction, flow.data, NOW)
            .is_allowed(),
    }
}

/// The plain way: the first record in force that admits it.
fn scan(policies: &[Policy], question: &Question) -> bool {
    policies
        .iter()
        .any(|policy| policy.standing(NOW) == Standing::Active && policy.rule().admits(question))
}

/// Exact hosts, wildcards and networks out, networks in; every third for any enrollment, the rest for one each.
fn policies(count: u32) -> anyhow::Result<Vec<Policy>> {
    (0..count).map(policy).collect()
}

fn policy(n: u32) -> anyhow::Result<Policy> {
    let enrollments = match n % 3 {
        0 => Enrollments::Any,
        _ => Enrollments::Only(BTreeSet::from([enrollment(n)])),
    };
    let destination = match n % 5 {
        0 => Some(format!("host-{n}.example")),
        1 => Some(format!("*.zone-{n}.example")),
        2 => Some(format!("{}/24", network(n))),
        _ => None,
    };
    let rule = match destination {
        Some(destination) => Rule::Egress {
            destination: destination.parse()?,
            ports: "7443".parse()?,
            enrollments,
        },
        None => Rule::Ingress {
            sources: BTreeSet::from([format!("{}/24", network(n)).parse()?]),
            enrollments,
        },
    };
    let proposal = Proposal {
        rule,
        justification: "a figure".parse()?,
        expires_at: None,
    };
    let (mut id, by) = ([0; 16], PrincipalId::from_bytes([1; 16]));
    id[12..].copy_from_slice(&n.to_be_bytes());
    let policy = Policy::propose(PolicyId::from_bytes(id), proposal, by, NOW)?;
    Ok(policy.approve(by, false, NOW)?)
}

/// Dials, accepts and flows in turn; half of each for what some policy is about, half for what none is.
fn questions(policies: u32) -> anyhow::Result<Vec<Question>> {
    (0..QUESTIONS).map(|n| question(n, policies)).collect()
}

fn question(n: u32, policies: u32) -> anyhow::Result<Question> {
    // A stride that shares no factor with the kinds of policies visits all of them.
    let about = n.wrapping_mul(7_919) % policies;
    let known = n.is_multiple_of(2);
    let who = if known { about } else { about + MANY };
    let address = IpAddr::V4(Ipv4Addr::from_bits(network(who).to_bits() | 9));
    let act = match n % 5 {
        0 => Act::Dial(Dial {
            to: Target::new(&format!("host-{who}.example"), 7_443)?.at(address),
        }),
        1 => Act::Dial(Dial {
            to: Target::new(&format!("a.zone-{who}.example"), 7_443)?.at(address),
        }),
        2 => Act::Accept(Accept { from: address }),
        3 => Act::Flow(flow(Direction::Export)),
        _ => Act::Flow(flow(Direction::Import)),
    };
    Ok(Question {
        act,
        enrollment: Some(enrollment(who)),
    })
}

fn flow(direction: Direction) -> Flow {
    Flow {
        direction,
        data: DataType::Objects,
    }
}

fn enrollment(n: u32) -> EnrollmentId {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    EnrollmentId::from_bytes(bytes)
}

/// A network of its own for each number.
fn network(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + (n << 8))
}
