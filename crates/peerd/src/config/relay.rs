use std::time::Duration;

use peerd_relay::engine::Timing;
use serde::{Deserialize, Serialize};

use super::{Invalid, duration};

/// How often what happens on data relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    /// How often an inbox is looked into where the system does not tell of files.
    pub poll: Duration,
    /// How long a file must not have changed before it is read.
    pub settle: Duration,
    /// How much later what came is acknowledged.
    pub acknowledge_after: Duration,
    /// How often each side writes something at least.
    pub heartbeat: Duration,
    /// How long a bundle may be on its way before it is written again.
    pub on_the_way: Duration,
    /// How long a lifecycle message rests that could not be taken.
    pub retry_after: Duration,
    /// Where nothing comes back: how often a bundle is written in all.
    pub copies: u32,
    /// And how far apart.
    pub repeat_every: Duration,
    /// And how often all that is offered is written anew.
    pub snapshot_every: Duration,
}

/// `[relay]` as written. Durations are texts like `90s`, from a millisecond to a year.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRelay {
    /// Default `2s`.
    #[serde(default, with = "duration")]
    pub poll: Option<Duration>,
    /// Default `200ms`. Longer where whoever copies writes slowly.
    #[serde(default, with = "duration")]
    pub settle: Option<Duration>,
    /// Default `1s`.
    #[serde(default, with = "duration")]
    pub acknowledge_after: Option<Duration>,
    /// Default `1m`. A link is late when nothing came three times as long.
    #[serde(default, with = "duration")]
    pub heartbeat: Option<Duration>,
    /// Default `2m`. About as long as a file takes to the other side and its acknowledgement back.
    #[serde(default, with = "duration")]
    pub on_the_way: Option<Duration>,
    /// Default `30s`.
    #[serde(default, with = "duration")]
    pub retry_after: Option<Duration>,
    /// Default 3, from 1 to 100.
    pub copies: Option<u32>,
    /// Default `10m`.
    #[serde(default, with = "duration")]
    pub repeat_every: Option<Duration>,
    /// Default `24h`.
    #[serde(default, with = "duration")]
    pub snapshot_every: Option<Duration>,
}

const COPIES_MAX: u32 = 100;
const YEAR: Duration = Duration::from_hours(365 * 24);

fn within(key: &'static str, given: Option<Duration>, usual: Duration) -> Result<Duration, Invalid> {
    super::limits::within(key, given.unwrap_or(usual), Duration::from_millis(1), YEAR)
}

impl TryFrom<RawRelay> for Relay {
    type Error = Invalid;

    fn try_from(raw: RawRelay) -> Result<Relay, Invalid> {
        let RawRelay {
            poll,
            settle,
            acknowledge_after,
            heartbeat,
            on_the_way,
            retry_after,
            copies,
            repeat_every,
            snapshot_every,
        } = raw;
        let usual = Timing::default();
        Ok(Relay {
            poll: within("relay.poll", poll, usual.poll)?,
            settle: within("relay.settle", settle, usual.settle)?,
            acknowledge_after: within(
                "relay.acknowledge_after",
                acknowledge_after,
                usual.acknowledge_after,
            )?,
            heartbeat: within("relay.heartbeat", heartbeat, usual.heartbeat)?,
            on_the_way: within("relay.on_the_way", on_the_way, usual.on_the_way)?,
            retry_after: within("relay.retry_after", retry_after, usual.retry_after)?,
            copies: match copies.unwrap_or(usual.copies) {
                copies @ 1..=COPIES_MAX => copies,
                _ => return Err(Invalid::out_of_bounds("relay.copies", 1, COPIES_MAX)),
            },
            repeat_every: within("relay.repeat_every", repeat_every, usual.repeat_every)?,
            snapshot_every: within("relay.snapshot_every", snapshot_every, usual.snapshot_every)?,
        })
    }
}

impl From<Relay> for RawRelay {
    fn from(relay: Relay) -> RawRelay {
        RawRelay {
            poll: Some(relay.poll),
            settle: Some(relay.settle),
            acknowledge_after: Some(relay.acknowledge_after),
            heartbeat: Some(relay.heartbeat),
            on_the_way: Some(relay.on_the_way),
            retry_after: Some(relay.retry_after),
            copies: Some(relay.copies),
            repeat_every: Some(relay.repeat_every),
            snapshot_every: Some(relay.snapshot_every),
        }
    }
}

impl From<Relay> for Timing {
    fn from(relay: Relay) -> Timing {
        Timing {
            poll: relay.poll,
            settle: relay.settle,
            acknowledge_after: relay.acknowledge_after,
            heartbeat: relay.heartbeat,
            on_the_way: relay.on_the_way,
            retry_after: relay.retry_after,
            copies: relay.copies,
            repeat_every: relay.repeat_every,
            snapshot_every: relay.snapshot_every,
        }
    }
}
