//! How a link is doing, judged by what was acknowledged and never by a socket that is open.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::reason::Reason;

/// A link that is silent for this long is degraded.
pub const DEGRADED_AFTER: Duration = Duration::from_secs(30);
/// A link that is silent for this long, or waits this long for an acknowledgement, is down.
pub const DOWN_AFTER: Duration = Duration::from_secs(90);
/// The difference of the clocks that is tolerated.
pub const SKEW_MAX: Duration = Duration::from_mins(5);

/// The words of `link list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not complete yet.
    Pending,
    /// Heartbeats or acknowledgements prove it.
    Healthy,
    /// It works, but something is late or out of bounds.
    Degraded,
    /// It does not work.
    Down,
    /// A refusal keeps it from working; waiting will not help.
    Blocked,
}

impl Status {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Down => "down",
            Status::Blocked => "blocked",
        }
    }
}

/// What is known of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Since when both sides have pinned each other; absent while the link is pending.
    pub established_since: Option<Time>,
    /// The last heartbeat, or any other valid message, of the other side. Absent: never connected.
    pub last_heard_at: Option<Time>,
    /// The last time the other side acknowledged progress.
    pub last_acknowledged_at: Option<Time>,
    /// Since when something waits for an acknowledgement; absent when nothing does.
    pub backlog_since: Option<Time>,
    /// The refusal that stands in the way, ours or theirs.
    pub blocked: Option<Reason>,
    /// By how much the clocks differ, as last measured.
    pub skew: Option<Duration>,
}

/// A link's health: the status and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The word.
    pub status: Status,
    /// Why; its `Display` is the sentence for the operator.
    pub cause: Cause,
}

/// Why a link has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is wrong.
    Fine,
    /// A code still has to be entered or used.
    NotEstablished,
    /// A refusal.
    Refused(Reason),
    /// No contact since the link was made.
    NeverConnected,
    /// Nothing was heard for so long.
    Silent(Duration),
    /// Something waits for an acknowledgement for so long.
    NoProgress(Duration),
    /// The clocks differ by so much.
    ClockSkew(Duration),
    /// No bundle of the other side came yet.
    NothingCame,
    /// Nothing comes back over this link, so nothing more is known.
    OneWay,
    /// So many bundles did not come yet.
    Gaps(u64),
    /// Bundles lie in the outbox for so long.
    NobodyCollects(Duration),
    /// There is as much in the outbox as may be.
    OutboxFull,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Fine => f.write_str("heartbeats and acknowledgements are on time"),
            Cause::NotEstablished => f.write_str("a code still has to be entered on the other side"),
            Cause::Refused(reason) => write!(f, "{reason}: {}", reason.explanation().trim()),
            Cause::NeverConnected => f.write_str("never connected"),
            Cause::Silent(time) => write!(f, "nothing heard for {} s", time.as_secs()),
            Cause::NoProgress(time) => write!(f, "nothing acknowledged for {} s", time.as_secs()),
            Cause::NothingCame => f.write_str("no bundle of the other side came yet"),
            Cause::OneWay => f.write_str("one-way: bundles are collected, and nothing more can be known here"),
            Cause::Gaps(count) => write!(f, "{count} bundles did not come yet"),
            Cause::NobodyCollects(time) => write!(f, "nobody collects: bundles lie in the outbox for {} s", time.as_secs()),
            Cause::OutboxFull => f.write_str(
                "nobody collects, or nothing is acknowledged: as many bytes are waiting as may be, and no more is written",
            ),
            Cause::ClockSkew(by) => write!(f, "the clocks differ by {} s", by.as_secs()),
        }
    }
}

impl Vitals {
    /// The health at `now`. The gravest cause is told.
    pub fn health(&self, now: Time) -> Health {
        let health = |status, cause| Health { status, cause };
        let Some(since) = self.established_since else {
            return match self.blocked {
                Some(reason) => health(Status::Blocked, Cause::Refused(reason)),
                None => health(Status::Pending, Cause::NotEstablished),
            };
        };
        if let Some(reason) = self.blocked {
            return health(Status::Blocked, Cause::Refused(reason));
        }
        let Some(heard) = self.last_heard_at else {
            // A link that was just made gets the time that a silent one gets.
            let status = if now.since(since) < DOWN_AFTER {
                Status::Degraded
            } else {
                Status::Down
            };
            return health(status, Cause::NeverConnected);
        };
        let silent = now.since(heard);
        // Work that arrived after a long idle time is late from its own arrival on.
        let waiting = self
            .backlog_since
            .map(|waiting| now.since(waiting.max(self.last_acknowledged_at.unwrap_or(waiting))));
        let skew = self.skew.unwrap_or_default();
        match waiting.unwrap_or_default() {
            _ if silent >= DOWN_AFTER => health(Status::Down, Cause::Silent(silent)),
            waiting if waiting >= DOWN_AFTER => health(Status::Down, Cause::NoProgress(waiting)),
            _ if silent >= DEGRADED_AFTER => health(Status::Degraded, Cause::Silent(silent)),
            waiting if waiting >= DEGRADED_AFTER => health(Status::Degraded, Cause::NoProgress(waiting)),
            _ if skew > SKEW_MAX => health(Status::Degraded, Cause::ClockSkew(skew)),
            _ => health(Status::Healthy, Cause::Fine),
        }
    }
}
