//! What the audit log records: who did or tried what, to what, and how it ended.
//!
//! A [`Fact`] is small whatever it is about: texts that a peer or an operator made are cut to a limit and lose their
//! control characters, lists have a length. Secrets cannot get in: details are taken as `Display`, which no secret
//! of this crate has.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::authz::{Action, Principal};
use crate::name::Name;
use crate::policy::{Act, Verdict};
use crate::{EnrollmentId, PolicyId, PrincipalId, Reason, Time};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// A caller of the operator API.
    Principal {
        /// Its id.
        id: PrincipalId,
        /// Its name at that time.
        name: Name,
    },
    /// Another enrollment.
    Peer(EnrollmentId),
    /// The daemon itself: an expiry, a retry, a caller nobody knows.
    System,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Actor {
        Actor::Principal {
            id: principal.id,
            name: principal.name.clone(),
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It was done, or allowed.
    Done,
    /// It could not be done: a wrong stage, a bad input.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// It was not allowed: by policy, role or security.
    Denied {
        /// Why.
        reason: Reason,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    at: Time,
    actor: Actor,
    action: String,
    subjects: Vec<String>,
    outcome: Outcome,
    policy: Option<PolicyId>,
    details: BTreeMap<String, String>,
}

impl Fact {
    /// The longest text, in characters.
    pub const TEXT_MAX: usize = 512;
    /// The most subjects; later ones are dropped.
    pub const SUBJECTS_MAX: usize = 8;
    /// The most details; later ones are dropped.
    pub const DETAILS_MAX: usize = 16;

    /// That something was done. `action` is a word of ours, never a text from outside.
    pub fn new(at: Time, actor: Actor, action: &'static str) -> Fact {
        Fact {
            at,
            actor,
            action: action.to_owned(),
            subjects: Vec::new(),
            outcome: Outcome::Done,
            policy: None,
            details: BTreeMap::new(),
        }
    }

    /// That a principal took an action of the operator API.
    pub fn of_call(at: Time, principal: &Principal, action: Action) -> Fact {
        Fact::new(at, Actor::from(principal), action.word())
    }

    /// A decision of the policies: what was asked, by which rule it was answered, how, about which enrollment, and
    /// about which item where there is one.
    pub fn decision(actor: Actor, verdict: &Verdict, item: Option<&dyn fmt::Display>) -> Fact {
        let action = match &verdict.question.act {
            Act::Dial(_) => "decide dial",
            Act::Source(_) => "decide source",
            Act::Accept(_) => "decide accept",
            Act::Flow(_) => "decide flow",
        };
        let mut fact = Fact::new(verdict.decided_at, actor, action)
            .detail("asked", &verdict.question)
            .detail("direction", verdict.question.act.side())
            .detail("why", &verdict.why);
        if let Some(enrollment) = &verdict.question.enrollment {
            fact = fact.on(enrollment);
        }
        if let Some(item) = item {
            fact = fact.detail("item", item);
        }
        fact.policy = verdict.policy;
        match verdict.denied {
            Some(reason) => fact.denied(reason),
            None => fact,
        }
    }

    /// The same fact, about this as well: an id, in its text form.
    pub fn on(mut self, subject: impl fmt::Display) -> Fact {
        if self.subjects.len() < Fact::SUBJECTS_MAX {
            self.subjects.push(bounded(subject));
        }
        self
    }

    /// The same fact with a detail. A key that is there already gets the new value.
    pub fn detail(mut self, key: &'static str, value: impl fmt::Display) -> Fact {
        if self.details.len() < Fact::DETAILS_MAX || self.details.contains_key(key) {
            self.details.insert(key.to_owned(), bounded(value));
        }
        self
    }

    /// The same fact, allowed by this policy.
    pub fn by_policy(self, policy: PolicyId) -> Fact {
        Fact {
            policy: Some(policy),
            ..self
        }
    }

    /// The same attempt, which could not be done.
    pub fn refused(self, reason: Reason) -> Fact {
        Fact {
            outcome: Outcome::Refused { reason },
            ..self
        }
    }

    /// The same attempt, which was not allowed.
    pub fn denied(self, reason: Reason) -> Fact {
        Fact {
            outcome: Outcome::Denied { reason },
            ..self
        }
    }

    /// When it happened.
    pub fn at(&self) -> Time {
        self.at
    }

    /// Who did it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What was done.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The ids of what it was done to.
    pub fn subjects(&self) -> &[String] {
        &self.subjects
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The policy that decided, or that would have allowed it.
    pub fn policy(&self) -> Option<PolicyId> {
        self.policy
    }

    /// The rest, by key.
    pub fn details(&self) -> &BTreeMap<String, String> {
        &self.details
    }
}

/// The text of a value, cut at the limit while it is written, so that a huge value costs no memory either.
fn bounded(value: impl fmt::Display) -> String {
    let mut text = Bounded {
        text: String::new(),
        left: Fact::TEXT_MAX,
    };
    // An error here is the limit itself, or a value that cannot print; what was written until then stands.
    if write!(text, "{value}").is_err() {
        text.text.push('…');
    }
    text.text
}

struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for c in part.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
