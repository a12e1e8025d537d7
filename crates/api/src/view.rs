//! From the node's answers to messages.

use peerd_core::Time;
use prost_types::Timestamp;

pub(crate) mod admin;
pub(crate) mod artifact;
pub(crate) mod data;
pub(crate) mod job;
pub(crate) mod mapping;
pub(crate) mod ontology;
pub(crate) mod peering;
pub(crate) mod verify;

/// A point in time as the protos have it.
pub(crate) fn timestamp(time: Time) -> Timestamp {
    let micros = time.as_micros();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        // Below 1,000,000,000 whatever the time is, so it always fits.
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_count_upwards_before_the_epoch_too() {
        let Timestamp { seconds, nanos } = timestamp(Time::from_micros(-1));
        assert_eq!((seconds, nanos), (-1, 999_999_000));
    }
}
