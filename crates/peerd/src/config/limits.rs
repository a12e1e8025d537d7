use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Invalid, duration};

/// How much, how often, how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// By how much a peer's clock may differ from ours.
    pub clock_skew_max: Duration,
    /// How often an idle link says that it lives.
    pub heartbeat_interval: Duration,
    /// After how long without a word a link is given up.
    pub silence_max: Duration,
    /// How many connections other enrollments may hold open at once.
    pub connections_max: u32,
    /// How many of these may come from one source address.
    pub connections_per_source_max: u32,
    /// How many TLS handshakes may be under way at once.
    pub handshakes_in_flight_max: u32,
    /// How long one may take.
    pub handshake_timeout: Duration,
    /// How long a stop waits for work under way.
    pub drain_max: Duration,
    /// How long a tombstone is kept at least, once everything else lets it go.
    pub tombstone_age_min: Duration,
    /// How long content that nothing refers to is kept at least.
    pub content_age_min: Duration,
}

/// `[limits]` as written. Durations are texts like `90s` and lie between a millisecond and a day, or as said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// Default `2h`.
    #[serde(default, with = "duration")]
    pub clock_skew_max: Option<Duration>,
    /// Default `5s`; less than `silence_max`.
    #[serde(default, with = "duration")]
    pub heartbeat_interval: Option<Duration>,
    /// Default `20s`.
    #[serde(default, with = "duration")]
    pub silence_max: Option<Duration>,
    /// Default 1024, from 1 to 65536. Each link takes one, and for a moment two while it reconnects.
    pub connections_max: Option<u32>,
    /// Default 64, from 1 to 65536; more where many enrollments share one address, as behind a NAT. What exceeds
    /// `connections_max` has no effect.
    pub connections_per_source_max: Option<u32>,
    /// Default 64, from 1 to 65536.
    pub handshakes_in_flight_max: Option<u32>,
    /// Default `10s`.
    #[serde(default, with = "duration")]
    pub handshake_timeout: Option<Duration>,
    /// Default `20s`.
    #[serde(default, with = "duration")]
    pub drain_max: Option<Duration>,
    /// Default `24h`, from a minute to a year. Longer than what writes of peers may take to arrive.
    #[serde(default, with = "duration")]
    pub tombstone_age_min: Option<Duration>,
    /// Default `1h`. Longer than an upload takes from its last byte to its end.
    #[serde(default, with = "duration")]
    pub content_age_min: Option<Duration>,
}

impl TryFrom<RawLimits> for Limits {
    type Error = Invalid;

    fn try_from(raw: RawLimits) -> Result<Limits, Invalid> {
        let secs = Duration::from_secs;
        let RawLimits {
            clock_skew_max,
            heartbeat_interval,
            silence_max,
            connections_max,
            connections_per_source_max,
            handshakes_in_flight_max,
            handshake_timeout,
            drain_max,
            tombstone_age_min,
            content_age_min,
        } = raw;
        let limits = Limits {
            clock_skew_max: time("limits.clock_skew_max", clock_skew_max, secs(7_200))?,
            heartbeat_interval: time("limits.heartbeat_interval", heartbeat_interval, secs(5))?,
            silence_max: time("limits.silence_max", silence_max, secs(20))?,
            connections_max: count("limits.connections_max", connections_max, 1_024)?,
            connections_per_source_max: count(
                "limits.connections_per_source_max",
                connections_per_source_max,
                64,
            )?,
            handshakes_in_flight_max: count("limits.handshakes_in_flight_max", handshakes_in_flight_max, 64)?,
            handshake_timeout: time("limits.handshake_timeout", handshake_timeout, secs(10))?,
            drain_max: time("limits.drain_max", drain_max, secs(20))?,
            tombstone_age_min: age(tombstone_age_min)?,
            content_age_min: time("limits.content_age_min", content_age_min, secs(3_600))?,
        };
        if limits.heartbeat_interval >= limits.silence_max {
            return Err(Invalid::NotBelow {
                key: "limits.heartbeat_interval",
                other: "limits.silence_max",
            });
        }
        Ok(limits)
    }
}

impl From<Limits> for RawLimits {
    fn from(limits: Limits) -> RawLimits {
        RawLimits {
            clock_skew_max: Some(limits.clock_skew_max),
            heartbeat_interval: Some(limits.heartbeat_interval),
            silence_max: Some(limits.silence_max),
            connections_max: Some(limits.connections_max),
            connections_per_source_max: Some(limits.connections_per_source_max),
            handshakes_in_flight_max: Some(limits.handshakes_in_flight_max),
            handshake_timeout: Some(limits.handshake_timeout),
            drain_max: Some(limits.drain_max),
            tombstone_age_min: Some(limits.tombstone_age_min),
            content_age_min: Some(limits.content_age_min),
        }
    }
}

fn time(key: &'static str, given: Option<Duration>, default: Duration) -> Result<Duration, Invalid> {
    const MIN: Duration = Duration::from_millis(1);
    const MAX: Duration = Duration::from_hours(24);
    within(key, given.unwrap_or(default), MIN, MAX)
}

fn age(given: Option<Duration>) -> Result<Duration, Invalid> {
    const MIN: Duration = Duration::from_mins(1);
    const MAX: Duration = Duration::from_hours(365 * 24);
    let age = given.unwrap_or(Duration::from_hours(24));
    within("limits.tombstone_age_min", age, MIN, MAX)
}

pub(super) fn within(
    key: &'static str,
    time: Duration,
    min: Duration,
    max: Duration,
) -> Result<Duration, Invalid> {
    if (min..=max).contains(&time) {
        Ok(time)
    } else {
        Err(Invalid::out_of_bounds(
            key,
            duration::text(min),
            duration::text(max),
        ))
    }
}

fn count(key: &'static str, given: Option<u32>, default: u32) -> Result<u32, Invalid> {
    const MAX: u32 = 65_536;
    let count = given.unwrap_or(default);
    if (1..=MAX).contains(&count) {
        Ok(count)
    } else {
        Err(Invalid::out_of_bounds(key, 1, MAX))
    }
}
