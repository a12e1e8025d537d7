//! What the operator's configuration says to the node.

use std::time::Duration;

/// The node's settings; the daemon checks them before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The local name given at `peerd init`.
    pub name: String,
    /// Where others can dial this enrollment, as host:port; listed in link codes.
    pub addresses: Vec<String>,
    /// Whether nobody may approve their own policy proposal.
    pub second_person: bool,
    /// How far the clocks of two enrollments may be apart.
    pub clock_skew_max: Duration,
    /// How often a live link proves itself.
    pub heartbeat_interval: Duration,
    /// After how much silence a link is down.
    pub silence_max: Duration,
    /// How long a tombstone is kept at least, once everything else lets it go.
    pub tombstone_age_min: Duration,
    /// How long content that nothing refers to is kept at least.
    pub content_age_min: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: String::from("peerd"),
            addresses: Vec::new(),
            second_person: false,
            clock_skew_max: Duration::from_hours(2),
            heartbeat_interval: Duration::from_secs(5),
            silence_max: Duration::from_secs(20),
            tombstone_age_min: Duration::from_hours(24),
            content_age_min: Duration::from_hours(1),
        }
    }
}
