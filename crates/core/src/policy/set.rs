//! All policies together, as an immutable value that answers questions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::address::{Destination, Target};
use super::decision::{
    Accept, Act, DataType, Decision, Denial, Dial, Direction, Flow, Permit, Question, Verdict,
};
use super::record::{Policy, Standing};
use super::rule::{Enrollments, Rule, Side};
use crate::address::{Cidr, Host};
use crate::{EnrollmentId, PolicyId, Reason, Time};

/// What every policy of this enrollment says together.
///
/// A question touches only the policies filed under what it asks about, not all of them: by exact name, by the name
/// below a wildcard, by network, and within each by enrollment.
#[derive(Clone, Debug)]
pub struct PolicySet {
    /// `None` when the policies could not be read: then nothing is allowed.
    index: Option<Index>,
}

impl PolicySet {
    /// The set of these policies, in any state. Of two records with one id the later counts.
    pub fn new(policies: impl IntoIterator<Item = Policy>) -> PolicySet {
        let index = Index::new(policies.into_iter().map(|policy| (policy.id(), policy)).collect());
        PolicySet { index: Some(index) }
    }

    /// The set that stands for policies which could not be read. It denies everything.
    pub fn unreadable() -> PolicySet {
        PolicySet { index: None }
    }

    /// May this side dial that target, expecting that enrollment there?
    pub fn decide_dial(&self, to: Target, enrollment: EnrollmentId, now: Time) -> Decision<Dial> {
        self.decide(Dial { to }, enrollment, now)
    }

    /// Does any policy admit connections from this address, whoever is behind it? Asked before the handshake; it
    /// answers with the policy, and permits nothing.
    pub fn admits_source(&self, from: IpAddr, now: Time) -> Result<PolicyId, Denial> {
        self.ask(
            Question {
                act: Act::Source(from),
                enrollment: None,
            },
            now,
        )
        .map(|(_, policy)| policy)
    }

    /// May that enrollment, whose identity is proved, connect from this address?
    pub fn decide_accept(&self, from: IpAddr, enrollment: EnrollmentId, now: Time) -> Decision<Accept> {
        self.decide(Accept { from }, enrollment, now)
    }

    /// May data flow that way? This side's half of the answer: the other half is asked on the other side.
    pub fn decide_flow(
        &self,
        enrollment: EnrollmentId,
        direction: Direction,
        data: DataType,
        now: Time,
    ) -> Decision<Flow> {
        self.decide(Flow { direction, data }, enrollment, now)
    }

    /// The dry run of any question: the same answer, in words and without a permit.
    pub fn check(&self, question: Question, now: Time) -> Verdict {
        match self.ask(question, now) {
            Ok((question, policy)) => Verdict::allowed(question, policy, now),
            Err(denial) => Verdict::of_denial(&denial),
        }
    }

    /// The next moment after `now` at which answers change by themselves, because a policy in force expires then.
    pub fn next_change_after(&self, now: Time) -> Option<Time> {
        let expiries = &self.index.as_ref()?.expiries;
        let next = expiries.partition_point(|at| *at <= now);
        expiries.get(next).copied()
    }

    fn decide<A: Clone + Into<Act>>(&self, covers: A, enrollment: EnrollmentId, now: Time) -> Decision<A> {
        let question = Question {
            act: covers.clone().into(),
            enrollment: Some(enrollment),
        };
        match self.ask(question, now) {
            Ok((_, policy)) => Decision::Allowed(Permit::new(enrollment, policy, now, covers)),
            Err(denial) => Decision::Denied(denial),
        }
    }

    /// The one place where a question is answered.
    fn ask(&self, question: Question, now: Time) -> Result<(Question, PolicyId), Denial> {
        let Some(index) = &self.index else {
            return Err(Denial {
                question: Box::new(question),
                reason: Reason::PolicyUnreadable,
                missing: "the policies could not be read, so everything is denied".to_owned(),
                nearest: None,
                decided_at: now,
            });
        };
        match index.closest(&question, now) {
            Some((Standing::Active, policy)) => Ok((question, policy)),
            closest => Err(denial(question, closest, now)),
        }
    }
}

fn denial(question: Question, closest: Option<(Standing, PolicyId)>, now: Time) -> Denial {
    let side = question.act.side();
    let would = match closest {
        Some((standing, policy)) => format!("; {policy} would, but it is {standing}"),
        None => String::new(),
    };
    Denial {
        reason: match side {
            Side::Egress => Reason::EgressDenied,
            Side::Ingress => Reason::IngressDenied,
        },
        missing: format!("no active {side} policy admits {question}{would}"),
        nearest: closest.map(|(_, policy)| policy),
        question: Box::new(question),
        decided_at: now,
    }
}

/// The place of a policy in [`Index::policies`].
type Place = usize;

#[derive(Clone, Debug)]
struct Index {
    /// Ordered by what was recorded (in force first), then by id; every list of places below keeps that order.
    policies: Vec<Policy>,
    egress: Shelf,
    hosts: BTreeMap<String, Shelf>,
    wildcards: BTreeMap<String, Shelf>,
    destinations: Networks,
    ingress: Shelf,
    sources: Networks,
    /// When policies in force expire, ascending.
    expiries: Vec<Time>,
}

impl Index {
    fn new(policies: BTreeMap<PolicyId, Policy>) -> Index {
        let mut policies: Vec<Policy> = policies.into_values().collect();
        // Before the first moment nothing is overdue, so this is the order of the recorded states. Stable: by id within.
        policies.sort_by_key(|policy| policy.standing(Time::from_micros(i64::MIN)));
        let mut index = Index {
            policies: Vec::new(),
            egress: Shelf::default(),
            hosts: BTreeMap::new(),
            wildcards: BTreeMap::new(),
            destinations: Networks::default(),
            ingress: Shelf::default(),
            sources: Networks::default(),
            expiries: expiries(&policies),
        };
        for (place, policy) in policies.iter().enumerate() {
            index.file(place, policy.rule());
        }
        index.policies = policies;
        index
    }

    fn file(&mut self, place: Place, rule: &Rule) {
        let enrollments = rule.enrollments();
        match rule {
            Rule::Egress { destination, .. } => {
                self.egress.add(place, enrollments);
                let filed_under = match destination {
                    Destination::Name(name) => self.hosts.entry(name.as_str().to_owned()).or_default(),
                    Destination::Wildcard(name) => {
                        self.wildcards.entry(name.as_str().to_owned()).or_default()
                    }
                    Destination::Net(net) => self.destinations.shelf(*net),
                };
                filed_under.add(place, enrollments);
            }
            Rule::Ingress { sources, .. } => {
                self.ingress.add(place, enrollments);
                for net in sources {
                    self.sources.shelf(*net).add(place, enrollments);
                }
            }
        }
    }

    /// The policy that admits the question and is closest to being in force; of several, the one with the least id.
    fn closest(&self, question: &Question, now: Time) -> Option<(Standing, PolicyId)> {
        self.candidates(question)
            .filter_map(|places| self.closest_of(places, question, now))
            .min()
    }

    /// Every policy that could admit the question, and few that could not.
    fn candidates(&self, question: &Question) -> impl Iterator<Item = &[Place]> + use<'_> {
        let shelves: Vec<&Shelf> = match &question.act {
            Act::Dial(dial) => self.reaching(&dial.to),
            Act::Source(from) => self.sources.containing(*from).collect(),
            Act::Accept(accept) => self.sources.containing(accept.from).collect(),
            Act::Flow(flow) => match flow.direction {
                Direction::Export => vec![&self.egress],
                Direction::Import => vec![&self.ingress],
            },
        };
        let enrollment = question.enrollment;
        shelves.into_iter().flat_map(move |shelf| shelf.lists(enrollment))
    }

    fn closest_of(&self, places: &[Place], question: &Question, now: Time) -> Option<(Standing, PolicyId)> {
        let mut closest = None;
        for policy in places.iter().filter_map(|place| self.policies.get(*place)) {
            if !policy.rule().admits(question) {
                continue;
            }
            let candidate = (policy.standing(now), policy.id());
            if candidate.0 == Standing::Active {
                // Those in force come first and by id: nothing after this one is closer.
                return Some(candidate);
            }
            closest = Some(closest.map_or(candidate, |before| candidate.min(before)));
        }
        closest
    }

    fn reaching(&self, to: &Target) -> Vec<&Shelf> {
        let mut shelves = Vec::new();
        if let Host::Name(name) = to.host() {
            shelves.extend(self.hosts.get(name.as_str()));
            shelves.extend(name.parent().and_then(|parent| self.wildcards.get(parent)));
        }
        if let Some(ip) = to.ip() {
            shelves.extend(self.destinations.containing(ip));
        }
        shelves
    }
}

fn expiries(policies: &[Policy]) -> Vec<Time> {
    let in_force = |policy: &&Policy| matches!(policy.state(), super::State::Active { .. });
    let mut times: Vec<Time> = policies
        .iter()
        .filter(in_force)
        .filter_map(Policy::expires_at)
        .collect();
    times.sort_unstable();
    times
}

/// Policies by the enrollments they are for.
#[derive(Clone, Debug, Default)]
struct Shelf {
    all: Vec<Place>,
    any: Vec<Place>,
    only: BTreeMap<EnrollmentId, Vec<Place>>,
}

impl Shelf {
    fn add(&mut self, place: Place, enrollments: &Enrollments) {
        self.all.push(place);
        match enrollments {
            Enrollments::Any => self.any.push(place),
            Enrollments::Only(ids) => {
                for id in ids {
                    self.only.entry(*id).or_default().push(place);
                }
            }
        }
    }

    /// The policies that may concern this enrollment, or all where it is not known yet.
    fn lists(&self, enrollment: Option<EnrollmentId>) -> impl Iterator<Item = &[Place]> + use<'_> {
        let (general, own) = match enrollment {
            Some(id) => (&self.any, self.only.get(&id)),
            None => (&self.all, None),
        };
        [Some(general), own].into_iter().flatten().map(Vec::as_slice)
    }
}

/// Policies by network. A lookup costs one search per prefix length in use, not one comparison per network.
#[derive(Clone, Debug, Default)]
struct Networks {
    prefix_lengths: BTreeSet<u8>,
    shelves: BTreeMap<Cidr, Shelf>,
}

impl Networks {
    fn shelf(&mut self, net: Cidr) -> &mut Shelf {
        self.prefix_lengths.insert(net.prefix_length());
        self.shelves.entry(net).or_default()
    }

    fn containing(&self, ip: IpAddr) -> impl Iterator<Item = &Shelf> {
        self.prefix_lengths
            .iter()
            .filter_map(move |length| self.shelves.get(&Cidr::around(ip, *length)?))
    }
}

#[cfg(test)]
mod tests;
