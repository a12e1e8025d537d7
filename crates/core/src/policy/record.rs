//! A policy as people propose it and decide on it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::{Enrollments, Justification, Rule};
use crate::{PolicyId, PrincipalId, Reason, Time};

/// Who did something to a policy, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Who.
    pub by: PrincipalId,
    /// When.
    pub at: Time,
}

/// What became of a policy, with the facts that made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Nobody decided yet.
    Pending,
    /// In force.
    Active {
        /// Who approved it.
        approved: Decided,
        /// Who last resumed it after a pause.
        resumed: Option<Decided>,
    },
    /// Out of force until resumed.
    Paused {
        /// Who approved it.
        approved: Decided,
        /// Who paused it.
        paused: Decided,
    },
    /// Out of force for good.
    Revoked {
        /// Who approved it, if anybody had.
        approved: Option<Decided>,
        /// Who revoked it.
        revoked: Decided,
    },
    /// Its time is over.
    Expired {
        /// Who approved it, if anybody had.
        approved: Option<Decided>,
        /// When it was marked.
        at: Time,
    },
}

/// How a policy stands at some moment. The order is that of closeness to being in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// In force.
    Active,
    /// Paused.
    Paused,
    /// Waiting for a decision.
    Pending,
    /// Past its time, whether or not that was marked yet.
    Expired,
    /// Revoked.
    Revoked,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Active => "active",
            Standing::Paused => "paused",
            Standing::Pending => "pending",
            Standing::Expired => "expired",
            Standing::Revoked => "revoked",
        })
    }
}

/// What can be done to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Put a proposal in force.
    Approve,
    /// Take it out of force for a while.
    Pause,
    /// Put it back in force.
    Resume,
    /// Take it out of force for good.
    Revoke,
    /// Mark that its time is over.
    Expire,
}

/// The past participle, as in "cannot be approved".
impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Approve => "approved",
            Verb::Pause => "paused",
            Verb::Resume => "resumed",
            Verb::Revoke => "revoked",
            Verb::Expire => "expired",
        })
    }
}

/// Why a step was refused; the policy is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its state does not allow the step.
    #[error("a policy that is {standing} cannot be {verb}")]
    WrongStage {
        /// How it stands.
        standing: Standing,
        /// What was tried.
        verb: Verb,
    },
    /// Its proposer tried to approve it where somebody else must.
    #[error("a policy cannot be approved by who proposed it")]
    SecondPerson,
}

impl Refused {
    /// The stable reason.
    pub fn reason(self) -> Reason {
        match self {
            Refused::WrongStage { .. } => Reason::WrongStage,
            Refused::SecondPerson => Reason::SecondPersonRequired,
        }
    }
}

/// Why a proposal cannot become a policy. Texts are checked before, when they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// An empty list of enrollments.
    #[error("the policy is for no enrollment: name some, or any")]
    NoEnrollment,
    /// More enrollments than one policy names.
    #[error("a policy names at most {max} enrollments")]
    TooManyEnrollments {
        /// The limit.
        max: usize,
    },
    /// An empty list of sources.
    #[error("an ingress policy needs at least one source")]
    NoSource,
    /// More sources than one policy lists.
    #[error("an ingress policy lists at most {max} sources")]
    TooManySources {
        /// The limit.
        max: usize,
    },
    /// An expiry that is over already.
    #[error("the policy would expire at {0}, which is past")]
    ExpiresInThePast(Time),
}

/// What somebody wants to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it admits.
    pub rule: Rule,
    /// Why it should.
    pub justification: Justification,
    /// When it stops by itself.
    pub expires_at: Option<Time>,
}

/// An ingress or egress policy. What it admits never changes, and it is never deleted: history is evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    id: PolicyId,
    rule: Rule,
    justification: Justification,
    proposed: Decided,
    expires_at: Option<Time>,
    state: State,
}

impl Policy {
    /// A new, pending policy.
    pub fn propose(
        id: PolicyId,
        proposal: Proposal,
        by: PrincipalId,
        now: Time,
    ) -> Result<Policy, InvalidPolicy> {
        let Proposal {
            rule,
            justification,
            expires_at,
        } = proposal;
        match rule.enrollments() {
            Enrollments::Only(ids) if ids.is_empty() => return Err(InvalidPolicy::NoEnrollment),
            Enrollments::Only(ids) if ids.len() > Enrollments::MAX => {
                return Err(InvalidPolicy::TooManyEnrollments {
                    max: Enrollments::MAX,
                });
            }
            Enrollments::Only(_) | Enrollments::Any => {}
        }
        match &rule {
            Rule::Ingress { sources, .. } if sources.is_empty() => return Err(InvalidPolicy::NoSource),
            Rule::Ingress { sources, .. } if sources.len() > Rule::SOURCES_MAX => {
                return Err(InvalidPolicy::TooManySources {
                    max: Rule::SOURCES_MAX,
                });
            }
            Rule::Ingress { .. } | Rule::Egress { .. } => {}
        }
        if let Some(at) = expires_at.filter(|at| *at <= now) {
            return Err(InvalidPolicy::ExpiresInThePast(at));
        }
        Ok(Policy {
            id,
            rule,
            justification,
            proposed: Decided { by, at: now },
            expires_at,
            state: State::Pending,
        })
    }

    /// Puts a proposal in force. With `second_person`, its proposer may not.
    pub fn approve(self, by: PrincipalId, second_person: bool, now: Time) -> Result<Policy, Refused> {
        match (self.state, self.standing(now)) {
            (State::Pending, Standing::Pending) if second_person && by == self.proposed.by => {
                Err(Refused::SecondPerson)
            }
            (State::Pending, Standing::Pending) => Ok(self.into_state(State::Active {
                approved: Decided { by, at: now },
                resumed: None,
            })),
            (_, standing) => Err(wrong(standing, Verb::Approve)),
        }
    }

    /// Takes it out of force for a while.
    pub fn pause(self, by: PrincipalId, now: Time) -> Result<Policy, Refused> {
        match (self.state, self.standing(now)) {
            (State::Active { approved, .. }, Standing::Active) => Ok(self.into_state(State::Paused {
                approved,
                paused: Decided { by, at: now },
            })),
            (_, standing) => Err(wrong(standing, Verb::Pause)),
        }
    }

    /// Puts a paused policy back in force.
    pub fn resume(self, by: PrincipalId, now: Time) -> Result<Policy, Refused> {
        match (self.state, self.standing(now)) {
            (State::Paused { approved, .. }, Standing::Paused) => Ok(self.into_state(State::Active {
                approved,
                resumed: Some(Decided { by, at: now }),
            })),
            (_, standing) => Err(wrong(standing, Verb::Resume)),
        }
    }

    /// Takes it out of force for good.
    pub fn revoke(self, by: PrincipalId, now: Time) -> Result<Policy, Refused> {
        match self.standing(now) {
            Standing::Pending | Standing::Active | Standing::Paused => {
                let approved = self.approved();
                Ok(self.into_state(State::Revoked {
                    approved,
                    revoked: Decided { by, at: now },
                }))
            }
            standing @ (Standing::Expired | Standing::Revoked) => Err(wrong(standing, Verb::Revoke)),
        }
    }

    /// Marks that its time is over. Until then, or a second time, it is refused.
    pub fn expire(self, now: Time) -> Result<Policy, Refused> {
        match (self.state, self.standing(now)) {
            (State::Pending | State::Active { .. } | State::Paused { .. }, Standing::Expired) => {
                let approved = self.approved();
                Ok(self.into_state(State::Expired { approved, at: now }))
            }
            (_, standing) => Err(wrong(standing, Verb::Expire)),
        }
    }

    /// How it stands. A policy whose time is over is expired from that moment on, marked or not.
    pub fn standing(&self, now: Time) -> Standing {
        let over = self.expires_at.is_some_and(|at| at <= now);
        match self.state {
            State::Revoked { .. } => Standing::Revoked,
            State::Expired { .. } => Standing::Expired,
            State::Pending | State::Active { .. } | State::Paused { .. } if over => Standing::Expired,
            State::Pending => Standing::Pending,
            State::Active { .. } => Standing::Active,
            State::Paused { .. } => Standing::Paused,
        }
    }

    /// Its id.
    pub fn id(&self) -> PolicyId {
        self.id
    }

    /// What it admits.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Why it was proposed.
    pub fn justification(&self) -> &Justification {
        &self.justification
    }

    /// Who proposed it, and when.
    pub fn proposed(&self) -> Decided {
        self.proposed
    }

    /// When it stops by itself.
    pub fn expires_at(&self) -> Option<Time> {
        self.expires_at
    }

    /// What became of it, as recorded.
    pub fn state(&self) -> State {
        self.state
    }

    /// Who approved it, and when; readable in every later state.
    pub fn approved(&self) -> Option<Decided> {
        match self.state {
            State::Pending => None,
            State::Active { approved, .. } | State::Paused { approved, .. } => Some(approved),
            State::Revoked { approved, .. } | State::Expired { approved, .. } => approved,
        }
    }

    /// The last decision that somebody made on it.
    pub fn decided(&self) -> Option<Decided> {
        match self.state {
            State::Pending => None,
            State::Active { approved, resumed } => Some(resumed.unwrap_or(approved)),
            State::Paused { paused, .. } => Some(paused),
            State::Revoked { revoked, .. } => Some(revoked),
            State::Expired { approved, .. } => approved,
        }
    }

    fn into_state(self, state: State) -> Policy {
        Policy { state, ..self }
    }
}

fn wrong(standing: Standing, verb: Verb) -> Refused {
    Refused::WrongStage { standing, verb }
}

#[cfg(test)]
mod tests;
