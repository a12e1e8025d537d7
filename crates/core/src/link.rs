//! Links: enrollment to enrollment, and the pure rules of how one comes to be, is reached, and ends.
//!
//! One code completes a link where its acceptor may dial: the acceptor enrolls at the issuer. Where it may not, each
//! side enters the other's code, and whoever may dial enrolls with the second. Either way both records end up
//! [`Stage::Established`] and pinned to the other's identity.

use serde::{Deserialize, Serialize};

use crate::code::{LinkCode, ProofKey};
use crate::lineage::Lineage;
use crate::name::{Name, Title};
use crate::reason::Reason;
use crate::signature::PublicKey;
use crate::{EnrollmentId, LinkId, Time};

mod address;
mod direction;
mod health;
mod issued;
mod knock;
#[cfg(test)]
mod tests;

pub use address::{Address, Addresses, InvalidAddress};
pub use direction::{Dialler, Direction, Keep, keep};
pub use health::{Cause, DEGRADED_AFTER, DOWN_AFTER, Health, SKEW_MAX, Status, Vitals};
pub use issued::{CodeState, IssuedCode, Proven};
pub use knock::{Attempt, KNOCK_INTERVAL, KNOCKS_MAX, KNOCKS_PER_ADDRESS_MAX, Knock, Recorded, record};

/// What carries a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// gRPC over mutual TLS.
    Mpx,
    /// Files carried by something else.
    Relay,
}

/// The other side of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its id, which stays when its key rotates.
    pub enrollment: EnrollmentId,
    /// Its identity certificate, DER: what the TLS verifier pins.
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    /// The key that speaks for it.
    pub keys: Vec<PublicKey>,
    /// What it calls itself.
    pub title: Option<Title>,
}

impl Remote {
    /// A remote as it shows itself at first.
    pub fn new(lineage: &Lineage, certificate: Vec<u8>, title: Option<Title>) -> Remote {
        Remote {
            enrollment: lineage.enrollment(),
            certificate,
            keys: vec![lineage.key().clone()],
            title,
        }
    }

    /// Whether this key speaks for the remote.
    pub fn has_key(&self, key: &PublicKey) -> bool {
        self.keys.contains(key)
    }

    /// What an identity is to this remote that proved to hold the last key of its lineage. The pinned key is followed
    /// to the present one, over however many that were never met; from then on the earlier ones are refused.
    pub fn meet(&self, lineage: &Lineage, certificate: &[u8]) -> Meeting {
        if lineage.enrollment() != self.enrollment {
            return Meeting::Stranger;
        }
        if self.has_key(lineage.key()) {
            return Meeting::Pinned;
        }
        if !self.keys.iter().any(|pinned| lineage.follows(pinned)) {
            return Meeting::Stranger;
        }
        Meeting::Successor(Remote {
            certificate: certificate.to_vec(),
            keys: vec![lineage.key().clone()],
            ..self.clone()
        })
    }
}

/// What an identity is to a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// The one that is pinned.
    Pinned,
    /// The one that follows it: the remote as it is from now on.
    Successor(Remote),
    /// Another; an earlier key of the same enrollment, too.
    Stranger,
}

/// How far a link has come, with the facts of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A code of ours is out; who enters it becomes the other side.
    Invited {
        /// When the code ends.
        until: Time,
    },
    /// We entered the other side's code and pinned it.
    Accepted {
        /// The other side's id of this link, which its code named.
        their_link: LinkId,
        /// What we enroll with.
        key: ProofKey,
        /// When their code ends, by their clock.
        until: Time,
    },
    /// Both sides pinned each other.
    Established {
        /// Since when.
        since: Time,
    },
    /// Over. The record stays as evidence, and as an alias where it was merged.
    Removed {
        /// When.
        at: Time,
        /// Why.
        why: Ended,
    },
}

impl Stage {
    /// The stage in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Stage::Invited { .. } => "invited",
            Stage::Accepted { .. } => "accepted",
            Stage::Established { .. } => "established",
            Stage::Removed { .. } => "removed",
        }
    }
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// An operator removed it.
    Operator,
    /// Its code was revoked before it was used.
    CodeRevoked,
    /// Its code was not used in time.
    CodeExpired,
    /// It turned out to lead to an enrollment that this link leads to already.
    Merged(LinkId),
}

/// What happens to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other side enrolled here with a code of ours.
    Enrolled,
    /// We enrolled at the other side.
    Confirmed,
    /// An operator removed the link.
    Remove,
    /// An operator revoked its code.
    CodeRevoked,
    /// Its code expired.
    CodeExpired,
    /// Another link to the same enrollment takes its place.
    Merged,
}

/// The step is not possible in this stage; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link that is {stage} does not take {event:?}")]
pub struct Refused {
    /// The stage it is in, in one word.
    pub stage: &'static str,
    /// What was tried.
    pub event: Event,
    /// The stable word.
    pub reason: Reason,
}

/// A link as one side keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id, of this side only.
    pub id: LinkId,
    /// Its name here.
    pub name: Name,
    /// What carries it.
    pub kind: LinkKind,
    /// Who may initiate, seen from this side.
    pub direction: Direction,
    /// The other side; absent until somebody entered our code.
    pub remote: Option<Remote>,
    /// Where the other side can be dialled.
    #[serde(default)]
    pub addresses: Addresses,
    /// How far it has come.
    pub stage: Stage,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub changed_at: Time,
}

impl Link {
    /// The link whose code is given out now.
    pub fn invite(id: LinkId, name: Name, direction: Direction, until: Time, now: Time) -> Link {
        Link {
            id,
            name,
            kind: LinkKind::Mpx,
            direction,
            remote: None,
            addresses: Addresses::default(),
            stage: Stage::Invited { until },
            created_at: now,
            changed_at: now,
        }
    }

    /// The link that entering the other side's code makes. It pins the other side; the caller has seen that
    /// [`LinkCode::inspect`] finds no problem and that the certificate is of the code's key.
    pub fn accept(id: LinkId, name: Name, code: &LinkCode, now: Time) -> Link {
        Link {
            id,
            name,
            kind: LinkKind::Mpx,
            direction: code.direction.mirrored(),
            remote: Some(Remote::new(
                &code.lineage,
                code.certificate.clone(),
                code.title.clone(),
            )),
            addresses: Addresses::pinned(code.addresses.clone()),
            stage: Stage::Accepted {
                their_link: code.link,
                key: ProofKey::of(&code.secret),
                until: code.expires_at,
            },
            created_at: now,
            changed_at: now,
        }
    }

    /// The other side's enrollment, once known.
    pub fn enrollment(&self) -> Option<EnrollmentId> {
        self.remote.as_ref().map(|remote| remote.enrollment)
    }

    /// Whether both sides pinned each other.
    pub const fn is_established(&self) -> bool {
        matches!(self.stage, Stage::Established { .. })
    }

    /// Whether this side should dial to enroll: it entered a code, and may dial. Where it may not, the other side
    /// has to enter a code of ours.
    pub const fn enrolls(&self) -> bool {
        matches!(self.stage, Stage::Accepted { .. }) && self.direction.we_may_dial()
    }

    /// The other side enrolled here with the code that `proven` shows. The same enrollment may repeat it when an
    /// answer was lost; nobody else can take the link.
    pub fn enrolled(&self, remote: Remote, proven: &Proven, now: Time) -> Result<Link, Refused> {
        let event = Event::Enrolled;
        if proven.enrollment() != remote.enrollment {
            return Err(self.refused(event, Reason::IdentityMismatch));
        }
        match (&self.stage, self.enrollment()) {
            (Stage::Invited { .. }, None) if proven.link() == self.id => {
                Ok(self.established(Some(remote), now))
            }
            // Our second code, on a link where we had entered theirs: it may have been issued as a link of its own.
            (Stage::Accepted { .. }, Some(known)) if known == remote.enrollment => {
                Ok(self.established(None, now))
            }
            (Stage::Established { .. }, Some(known)) if known == remote.enrollment => Ok(self.clone()),
            (Stage::Accepted { .. } | Stage::Established { .. }, _) => {
                Err(self.refused(event, Reason::IdentityMismatch))
            }
            (Stage::Invited { .. } | Stage::Removed { .. }, _) => {
                Err(self.refused(event, Reason::WrongStage))
            }
        }
    }

    /// We enrolled at the other side, with its code, over a session pinned to its identity.
    pub fn confirmed(&self, now: Time) -> Result<Link, Refused> {
        match self.stage {
            Stage::Accepted { .. } => Ok(self.established(None, now)),
            Stage::Established { .. } => Ok(self.clone()),
            Stage::Invited { .. } | Stage::Removed { .. } => {
                Err(self.refused(Event::Confirmed, Reason::WrongStage))
            }
        }
    }

    /// An operator ends the link. That no connection uses it is the caller's to check.
    pub fn remove(&self, now: Time) -> Link {
        self.ended(Ended::Operator, now)
    }

    /// An operator revoked the code that is out.
    pub fn code_revoked(&self, now: Time) -> Result<Link, Refused> {
        match self.stage {
            Stage::Invited { .. } => Ok(self.ended(Ended::CodeRevoked, now)),
            _ => Err(self.refused(Event::CodeRevoked, Reason::WrongStage)),
        }
    }

    /// The code that is out, or the one entered, came to its end unused.
    pub fn code_expired(&self, now: Time) -> Result<Link, Refused> {
        match self.stage {
            Stage::Invited { until } | Stage::Accepted { until, .. } if now >= until => {
                Ok(self.ended(Ended::CodeExpired, now))
            }
            _ => Err(self.refused(Event::CodeExpired, Reason::WrongStage)),
        }
    }

    /// Another link to the same enrollment stays; this one becomes its alias.
    pub fn merged_into(&self, link: LinkId, now: Time) -> Result<Link, Refused> {
        if link == self.id || matches!(self.stage, Stage::Removed { .. }) {
            return Err(self.refused(Event::Merged, Reason::WrongStage));
        }
        Ok(self.ended(Ended::Merged(link), now))
    }

    /// The link this one is an alias of.
    pub const fn alias_of(&self) -> Option<LinkId> {
        match self.stage {
            Stage::Removed {
                why: Ended::Merged(link),
                ..
            } => Some(link),
            _ => None,
        }
    }

    fn established(&self, remote: Option<Remote>, now: Time) -> Link {
        Link {
            remote: remote.or_else(|| self.remote.clone()),
            stage: Stage::Established { since: now },
            changed_at: now,
            ..self.clone()
        }
    }

    /// Removing twice is removing once: the first reason stays.
    fn ended(&self, why: Ended, now: Time) -> Link {
        if matches!(self.stage, Stage::Removed { .. }) {
            return self.clone();
        }
        Link {
            stage: Stage::Removed { at: now, why },
            changed_at: now,
            ..self.clone()
        }
    }

    fn refused(&self, event: Event, reason: Reason) -> Refused {
        Refused {
            stage: self.stage.name(),
            event,
            reason,
        }
    }
}
