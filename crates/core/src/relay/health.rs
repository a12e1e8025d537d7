//! How a relay link is doing. Nothing is connected: what counts is the age of what came and whether somebody carries.

use std::time::Duration;

use crate::Time;
use crate::link::{Cause, Health, Status};
use crate::reason::Reason;

/// After so many intervals without a bundle a link is degraded.
const LATE_INTERVALS: u32 = 3;
/// After so many it is down.
const DOWN_INTERVALS: u32 = 12;

/// What is known of a relay link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayVitals {
    /// Since when it is there.
    pub since: Time,
    /// The refusal of policy that stands in the way.
    pub blocked: Option<Reason>,
    /// How often each side writes a bundle at least.
    pub interval: Duration,
    /// Whether nothing may come back.
    pub one_way: bool,
    /// When the last bundle came.
    pub heard_at: Option<Time>,
    /// Since when the oldest bundle lies in the outbox.
    pub uncollected_since: Option<Time>,
    /// Whether the outbox has as much as it may.
    pub full: bool,
    /// How many bundles are missing.
    pub gaps: u64,
    /// Since when the oldest bundle waits for an acknowledgement.
    pub backlog_since: Option<Time>,
}

impl RelayVitals {
    /// The health at `now`. The gravest cause is told.
    pub fn health(&self, now: Time) -> Health {
        let health = |status, cause| Health { status, cause };
        let (late, down) = (self.interval * LATE_INTERVALS, self.interval * DOWN_INTERVALS);
        if let Some(reason) = self.blocked {
            return health(Status::Blocked, Cause::Refused(reason));
        }
        if self.full {
            return health(Status::Down, Cause::OutboxFull);
        }
        let graded = |age: Duration, cause| {
            let status = match age {
                age if age >= down => Some(Status::Down),
                age if age >= late => Some(Status::Degraded),
                _ => None,
            };
            status.map(|status| health(status, cause))
        };
        let since = |time: Option<Time>| time.map(|time| now.since(time)).unwrap_or_default();
        let uncollected = since(self.uncollected_since);
        if let Some(health) = graded(uncollected, Cause::NobodyCollects(uncollected)) {
            return health;
        }
        match self.heard_at {
            Some(heard) => {
                let silent = now.since(heard);
                if let Some(health) = graded(silent, Cause::Silent(silent)) {
                    return health;
                }
            }
            None if self.one_way => return health(Status::Healthy, Cause::OneWay),
            None => {
                let status = if now.since(self.since) < down {
                    Status::Degraded
                } else {
                    Status::Down
                };
                return health(status, Cause::NothingCame);
            }
        }
        let waiting = since(self.backlog_since.filter(|_| !self.one_way));
        if let Some(health) = graded(waiting, Cause::NoProgress(waiting)) {
            return health;
        }
        match self.gaps {
            0 => health(Status::Healthy, Cause::Fine),
            gaps => health(Status::Degraded, Cause::Gaps(gaps)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    fn fine() -> RelayVitals {
        RelayVitals {
            since: at(0),
            interval: Duration::from_secs(10),
            heard_at: Some(at(995)),
            ..RelayVitals::default()
        }
    }

    #[test]
    fn the_gravest_cause_is_told() {
        let fine = fine();
        let judged = |vitals: RelayVitals| {
            let Health { status, cause } = vitals.health(at(1_000));
            (status, cause)
        };
        let seconds = Duration::from_secs;
        let cases = [
            (fine, Status::Healthy, Cause::Fine),
            (RelayVitals { gaps: 3, ..fine }, Status::Degraded, Cause::Gaps(3)),
            (
                RelayVitals {
                    backlog_since: Some(at(950)),
                    ..fine
                },
                Status::Degraded,
                Cause::NoProgress(seconds(50)),
            ),
            (
                RelayVitals {
                    heard_at: Some(at(800)),
                    ..fine
                },
                Status::Down,
                Cause::Silent(seconds(200)),
            ),
            (
                RelayVitals {
                    heard_at: None,
                    ..fine
                },
                Status::Down,
                Cause::NothingCame,
            ),
            (
                RelayVitals {
                    heard_at: None,
                    one_way: true,
                    ..fine
                },
                Status::Healthy,
                Cause::OneWay,
            ),
            (
                RelayVitals {
                    uncollected_since: Some(at(960)),
                    gaps: 1,
                    ..fine
                },
                Status::Degraded,
                Cause::NobodyCollects(seconds(40)),
            ),
            (
                RelayVitals { full: true, ..fine },
                Status::Down,
                Cause::OutboxFull,
            ),
            (
                RelayVitals {
                    full: true,
                    blocked: Some(Reason::EgressDenied),
                    ..fine
                },
                Status::Blocked,
                Cause::Refused(Reason::EgressDenied),
            ),
        ];
        for (vitals, status, cause) in cases {
            assert_eq!(judged(vitals), (status, cause));
        }
    }
}
