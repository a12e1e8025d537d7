//! Questions to the policies and their answers.

use std::fmt;
use std::net::IpAddr;

use super::address::Target;
use super::rule::Side;
use crate::{EnrollmentId, PolicyId, Reason, Time};

/// Dialling a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// What is dialled.
    pub to: Target,
}

/// Accepting a connection whose other end has proved its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The address it comes from.
    pub from: IpAddr,
}

/// Data going one way between this enrollment and another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Which way, seen from here.
    pub direction: Direction,
    /// What kind of data.
    pub data: DataType,
}

/// Which way data flows, seen from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From here to the other enrollment: asks for an egress policy here.
    Export,
    /// From the other enrollment to here: asks for an ingress policy here.
    Import,
}

/// The kinds of data that flow. No policy tells them apart yet; a permit says which it covers all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// Objects and links.
    Objects,
    /// Artifacts: their metadata and their content.
    Artifacts,
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataType::Objects => "objects",
            DataType::Artifacts => "artifacts",
        })
    }
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// May this side dial there?
    Dial(Dial),
    /// Does any policy admit this source address at all? Asked before a handshake tells who it is.
    Source(IpAddr),
    /// May that enrollment connect from there?
    Accept(Accept),
    /// May data flow?
    Flow(Flow),
}

impl Act {
    /// Which policies are asked.
    pub fn side(&self) -> Side {
        match self {
            Act::Dial(_) => Side::Egress,
            Act::Source(_) | Act::Accept(_) => Side::Ingress,
            Act::Flow(flow) => match flow.direction {
                Direction::Export => Side::Egress,
                Direction::Import => Side::Ingress,
            },
        }
    }
}

impl From<Dial> for Act {
    fn from(dial: Dial) -> Act {
        Act::Dial(dial)
    }
}

impl From<Accept> for Act {
    fn from(accept: Accept) -> Act {
        Act::Accept(accept)
    }
}

impl From<Flow> for Act {
    fn from(flow: Flow) -> Act {
        Act::Flow(flow)
    }
}

/// One question: an act, and the enrollment at the other end where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked about.
    pub act: Act,
    /// The other enrollment. Only [`Act::Source`] is ever allowed without one.
    pub enrollment: Option<EnrollmentId>,
}

/// What must be admitted, as the end of "no active policy admits …".
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Dial(dial) => write!(f, "{}", dial.to)?,
            Act::Source(from) => write!(f, "{}", from.to_canonical())?,
            Act::Accept(accept) => write!(f, "{}", accept.from.to_canonical())?,
            Act::Flow(flow) => match flow.direction {
                Direction::Export => write!(f, "the export of {}", flow.data)?,
                Direction::Import => write!(f, "the import of {}", flow.data)?,
            },
        }
        match &self.enrollment {
            Some(enrollment) => write!(f, " for {enrollment}"),
            None => Ok(()),
        }
    }
}

/// The proof that the policies allowed an act with an enrollment. What acts for a peer demands one.
///
/// Only [`PolicySet`](super::PolicySet) makes permits; they are neither copied nor stored. A permit is the answer of
/// one moment: who holds one for longer asks again whenever the policies change.
///
/// ```
/// use peerd_core::policy::{DataType, Decision, Direction, PolicySet};
/// use peerd_core::{EnrollmentId, Time};
///
/// let peer = EnrollmentId::from_bytes([7; 32]);
/// let nothing = PolicySet::new([]);
/// let decision = nothing.decide_flow(peer, Direction::Export, DataType::Objects, Time::EPOCH);
/// assert!(matches!(decision, Decision::Denied(_)));
/// ```
///
/// Nobody else can make one:
///
/// ```compile_fail,E0451
/// use peerd_core::policy::{DataType, Direction, Flow, Permit};
/// use peerd_core::{EnrollmentId, PolicyId, Time};
///
/// let forged = Permit {
///     enrollment: EnrollmentId::from_bytes([7; 32]),
///     policy: PolicyId::from_bytes([7; 16]),
///     decided_at: Time::EPOCH,
///     covers: Flow { direction: Direction::Export, data: DataType::Objects },
/// };
/// ```
///
/// Nor copy one:
///
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<peerd_core::policy::Permit<peerd_core::policy::Flow>>();
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit<A> {
    enrollment: EnrollmentId,
    policy: PolicyId,
    decided_at: Time,
    covers: A,
}

impl<A> Permit<A> {
    pub(super) fn new(enrollment: EnrollmentId, policy: PolicyId, decided_at: Time, covers: A) -> Permit<A> {
        Permit {
            enrollment,
            policy,
            decided_at,
            covers,
        }
    }

    /// The enrollment it is for.
    pub fn enrollment(&self) -> EnrollmentId {
        self.enrollment
    }

    /// The policy that allowed it.
    pub fn policy(&self) -> PolicyId {
        self.policy
    }

    /// When it was decided.
    pub fn decided_at(&self) -> Time {
        self.decided_at
    }

    /// What it covers.
    pub fn covers(&self) -> &A {
        &self.covers
    }
}

/// That, and why, something was not allowed.
///
/// It prints as its reason word alone, which is all that the other side may learn. What was missing is for the
/// operators of this side.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denial {
    /// What was asked. Boxed, so that a denial travels cheaply as an error.
    pub question: Box<Question>,
    /// The stable word.
    pub reason: Reason,
    /// The rule that was missing, in words. Never sent to a peer.
    pub missing: String,
    /// A policy that would have allowed it, were it active.
    pub nearest: Option<PolicyId>,
    /// When it was decided.
    pub decided_at: Time,
}

/// The answer to a question.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Decision<A> {
    /// It is allowed; here is the proof.
    Allowed(Permit<A>),
    /// It is not.
    Denied(Denial),
}

impl<A> Decision<A> {
    /// The permit, or the denial as an error: `decide(..).into_result()?`.
    pub fn into_result(self) -> Result<Permit<A>, Denial> {
        match self {
            Decision::Allowed(permit) => Ok(permit),
            Decision::Denied(denial) => Err(denial),
        }
    }

    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allowed(_))
    }
}

impl<A: Clone + Into<Act>> Decision<A> {
    /// The decision as a record for the audit log.
    pub fn verdict(&self) -> Verdict {
        match self {
            Decision::Allowed(permit) => Verdict::of_permit(permit),
            Decision::Denied(denial) => Verdict::of_denial(denial),
        }
    }
}

/// An answer without its power: what a dry run shows and what the audit log keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was asked.
    pub question: Question,
    /// When it was asked.
    pub decided_at: Time,
    /// Why not; `None` when it is allowed.
    pub denied: Option<Reason>,
    /// The policy that allows it, or the one that would if it were active.
    pub policy: Option<PolicyId>,
    /// The answer in a sentence, for operators of this side.
    pub why: String,
}

impl Verdict {
    /// The word of an allowed verdict, where a denied one has its reason word.
    pub const ALLOWED: &'static str = "ALLOWED";

    /// The verdict of a permit.
    pub fn of_permit<A: Clone + Into<Act>>(permit: &Permit<A>) -> Verdict {
        let question = Question {
            act: permit.covers.clone().into(),
            enrollment: Some(permit.enrollment),
        };
        Verdict::allowed(question, permit.policy, permit.decided_at)
    }

    /// The verdict of a denial.
    pub fn of_denial(denial: &Denial) -> Verdict {
        Verdict {
            question: Question::clone(&denial.question),
            decided_at: denial.decided_at,
            denied: Some(denial.reason),
            policy: denial.nearest,
            why: denial.missing.clone(),
        }
    }

    pub(super) fn allowed(question: Question, policy: PolicyId, decided_at: Time) -> Verdict {
        Verdict {
            why: format!("{policy} admits {question}"),
            question,
            decided_at,
            denied: None,
            policy: Some(policy),
        }
    }

    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        self.denied.is_none()
    }

    /// The reason word: why not, or [`Verdict::ALLOWED`].
    pub fn reason_word(&self) -> &'static str {
        self.denied.map_or(Verdict::ALLOWED, Reason::word)
    }
}
