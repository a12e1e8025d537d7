//! Points in time, as arguments.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, as some enrollment's clock showed it.
///
/// There is no `now()`: the caller passes the time in, so every rule can be tested at any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The earliest time that can be shown, used where "since ever" is meant.
    pub const EPOCH: Time = Time(0);

    /// A time from microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This time moved later; saturates at the end of time.
    pub fn plus(self, by: Duration) -> Time {
        Time(self.0.saturating_add(micros(by)))
    }

    /// This time moved earlier; saturates.
    pub fn minus(self, by: Duration) -> Time {
        Time(self.0.saturating_sub(micros(by)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance between two times, whichever is earlier.
    pub fn distance(self, other: Time) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

fn micros(by: Duration) -> i64 {
    i64::try_from(by.as_micros()).unwrap_or(i64::MAX)
}

/// RFC 3339 in UTC.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_rfc_3339_utc() {
        assert_eq!(
            Time::from_micros(1_357_034_400_000_000).to_string(),
            "2013-01-01T10:00:00Z"
        );
    }

    #[test]
    fn arithmetic_saturates_and_never_goes_negative() {
        let late = Time::from_micros(i64::MAX);
        assert_eq!(late.plus(Duration::MAX), late);
        assert_eq!(Time::EPOCH.since(late), Duration::ZERO);
        assert_eq!(
            Time::EPOCH.distance(Time::from_micros(7)),
            Duration::from_micros(7)
        );
    }
}
