//! When to try again: exponential, with jitter, capped, and persisted with what it counts.
//!
//! A refusal of **our** policy is not retried at all: only a change of it can help, and we learn of that at once. A
//! refusal by the **other side** is no failure that waiting cures either, but we do not learn when its policy changes;
//! so it is asked again at the cap, and at once when our own policy changes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::reason::Reason;

/// The delay after the first failure, before jitter.
pub const FIRST: Duration = Duration::from_secs(1);
/// The longest delay.
pub const CAP: Duration = Duration::from_mins(5);

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered, or the answer was lost.
    Unreachable,
    /// The other side asked to be left alone for a while.
    Throttled,
    /// One side's credentials were not accepted.
    Unauthenticated,
    /// Our own policy does not allow the attempt.
    RefusedHere(Reason),
    /// The other side answered and refused.
    RefusedThere(Reason),
}

/// Who started an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The daemon, on its schedule.
    Schedule,
    /// An operator; however often they try, the schedule does not slow down for it.
    Operator,
}

/// The state of retrying one thing. `Default` is due at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// How often the schedule failed in a row.
    failures: u32,
    /// When to try next.
    next: Next,
    /// The refusal that stands in the way.
    #[serde(default)]
    blocked: Option<Reason>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Next {
    #[default]
    Now,
    At(Time),
    /// Only when our policy changes.
    Never,
}

impl Backoff {
    /// Whether it is time to try.
    pub fn is_due(&self, now: Time) -> bool {
        match self.next {
            Next::Now => true,
            // A moment farther away than any delay was set by a clock that has been corrected since.
            Next::At(at) => now >= at || at.since(now) > CAP,
            Next::Never => false,
        }
    }

    /// When it will be time; `None` when only a change of our policy makes it so.
    pub fn due_at(&self) -> Option<Time> {
        match self.next {
            Next::Now => Some(Time::EPOCH),
            Next::At(at) => Some(at),
            Next::Never => None,
        }
    }

    /// The refusal that stands in the way, if one does.
    pub const fn blocked(&self) -> Option<Reason> {
        self.blocked
    }

    /// How often the schedule failed in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt failed. `chance` is any random number: it spreads the next attempt over the second half of the
    /// delay, so that many links that broke at once do not come back at once.
    pub fn failed(self, failure: Failure, origin: Origin, now: Time, chance: u64) -> Backoff {
        let failures = match origin {
            Origin::Schedule => self.failures.saturating_add(1),
            Origin::Operator => self.failures,
        };
        let blocked = match failure {
            Failure::RefusedHere(reason) | Failure::RefusedThere(reason) => Some(reason),
            Failure::Unreachable | Failure::Throttled | Failure::Unauthenticated => None,
        };
        let next = match (failure, origin) {
            (Failure::RefusedHere(_), _) => Next::Never,
            (Failure::RefusedThere(_), _) => Next::At(now.plus(jittered(CAP, chance))),
            (_, Origin::Schedule) => Next::At(now.plus(jittered(delay(failures), chance))),
            // The policy allowed this attempt, so waiting for the policy is over.
            (_, Origin::Operator) if self.next == Next::Never => Next::At(now.plus(jittered(FIRST, chance))),
            (_, Origin::Operator) => self.next,
        };
        Backoff {
            failures,
            next,
            blocked,
        }
    }

    /// The other side was validly heard or answered: whatever stood in the way does so no longer.
    pub fn reset() -> Backoff {
        Backoff::default()
    }

    /// Our policy changed: what was refused is tried again at once. Failures of the network are not forgotten.
    pub fn policy_changed(self) -> Backoff {
        match self.blocked {
            Some(_) => Backoff {
                next: Next::Now,
                blocked: None,
                ..self
            },
            None => self,
        }
    }
}

/// Doubles with every failure, up to the cap.
fn delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(CAP)
}

/// Between half of the delay and all of it.
fn jittered(delay: Duration, chance: u64) -> Duration {
    let half = delay / 2;
    let range = u64::try_from(half.as_micros())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    half + Duration::from_micros(chance % range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_700_000_000_000_000);

    fn fails(times: u32, failure: Failure) -> Backoff {
        (0..times).fold(Backoff::default(), |backoff, _| {
            backoff.failed(failure, Origin::Schedule, NOW, u64::MAX)
        })
    }

    fn wait(backoff: Backoff) -> Duration {
        backoff.due_at().expect("a next attempt").since(NOW)
    }

    #[test]
    fn b072_it_grows_jitters_and_stays_under_the_cap() {
        let waits: Vec<Duration> = (1..=40).map(|n| wait(fails(n, Failure::Unreachable))).collect();
        assert!(waits[0] < waits[3] && waits[3] < waits[7], "it grows: {waits:?}");
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits.iter().all(|wait| *wait <= CAP));
        let spread: Vec<Duration> = [0, 1_000_000, u64::MAX / 3]
            .map(|chance| {
                wait(fails(39, Failure::Unreachable).failed(
                    Failure::Unreachable,
                    Origin::Schedule,
                    NOW,
                    chance,
                ))
            })
            .to_vec();
        assert!(
            spread[0] == CAP / 2 && spread[0] < spread[1],
            "jitter spreads: {spread:?}"
        );
    }

    #[test]
    fn b072_it_survives_a_restart_and_manual_attempts_do_not_grow_it() {
        let before = fails(5, Failure::Unreachable);
        let stored = rmp_serde::to_vec_named(&before).expect("encodes");
        let after: Backoff = rmp_serde::from_slice(&stored).expect("decodes");
        assert_eq!(before, after);
        assert_eq!(
            after.failed(Failure::Unreachable, Origin::Operator, NOW, 0),
            before
        );
    }

    #[test]
    fn b073_contact_clears_it_and_the_long_dead_are_still_tried_at_the_cap() {
        let dead = fails(u32::from(u16::MAX), Failure::Unreachable);
        assert!(!dead.is_due(NOW));
        assert!(dead.is_due(NOW.plus(CAP)));
        assert!(Backoff::reset().is_due(NOW));
    }

    #[test]
    fn b074_authentication_failures_grow_it() {
        assert!(wait(fails(6, Failure::Unauthenticated)) > wait(fails(1, Failure::Unauthenticated)));
        assert_eq!(fails(3, Failure::Throttled).failures(), 3);
    }

    #[test]
    fn our_own_refusal_waits_for_our_policy_and_theirs_is_asked_again_at_the_cap() {
        let here = fails(1, Failure::RefusedHere(Reason::EgressDenied));
        assert_eq!(here.blocked(), Some(Reason::EgressDenied));
        assert!(!here.is_due(NOW.plus(Duration::from_secs(1_000_000))));
        assert!(here.policy_changed().is_due(NOW));
        let there = fails(1, Failure::RefusedThere(Reason::RemoteRefused));
        assert!(wait(there) >= CAP / 2 && wait(there) <= CAP);
        assert!(there.policy_changed().is_due(NOW));
        let network = fails(4, Failure::Unreachable);
        assert_eq!(network.policy_changed(), network);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_postpone_the_next_attempt() {
        let ahead = Backoff::default().failed(Failure::Unreachable, Origin::Schedule, NOW, 0);
        assert!(ahead.is_due(NOW.minus(Duration::from_hours(24))));
    }
}
