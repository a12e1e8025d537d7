//! How often what happens on a relay link. Where people carry disks, once a day is often.

use std::time::Duration;

/// How often what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often the inbox is looked into where the system does not tell of files.
    pub poll: Duration,
    /// How long a file must not have changed before it is read.
    pub settle: Duration,
    /// What came is acknowledged so much later, together with what else came.
    pub acknowledge_after: Duration,
    /// How often each side writes something at least.
    pub heartbeat: Duration,
    /// A bundle that is missing is not written again sooner than this: it may be on its way.
    pub on_the_way: Duration,
    /// How long a lifecycle message rests that the other side could not take now.
    pub retry_after: Duration,
    /// Where nothing comes back: how often a bundle is written in all.
    pub copies: u32,
    /// And how far apart.
    pub repeat_every: Duration,
    /// And how often everything that is offered is written anew.
    pub snapshot_every: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            poll: Duration::from_secs(2),
            settle: Duration::from_millis(200),
            acknowledge_after: Duration::from_secs(1),
            heartbeat: Duration::from_mins(1),
            on_the_way: Duration::from_mins(2),
            retry_after: Duration::from_secs(30),
            copies: 3,
            repeat_every: Duration::from_mins(10),
            snapshot_every: Duration::from_hours(24),
        }
    }
}
