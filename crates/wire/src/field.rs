//! How single fields of messages are read: each error names its field.

use std::fmt::Display;
use std::str::FromStr;

use peerd_core::Time;
use prost_types::Timestamp;

use crate::status::Refusal;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A field that must be there.
pub(crate) fn required<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(name, "is required"))
}

/// Exactly `N` bytes.
pub(crate) fn array<const N: usize>(name: &str, bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes
        .try_into()
        .map_err(|_| Refusal::field(name, format_args!("must be {N} bytes, is {}", bytes.len())))
}

/// `N` bytes, or none at all for "absent".
pub(crate) fn optional_array<const N: usize>(name: &str, bytes: &[u8]) -> Result<Option<[u8; N]>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    array(name, bytes).map(Some)
}

/// A text that is a `T`.
pub(crate) fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error| Refusal::field(name, error))
}

/// A text that is a `T`, or empty for "absent".
pub(crate) fn optional<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<Option<T>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    parsed(name, text).map(Some)
}

/// At most `max` entries, each a `T`.
pub(crate) fn list<T: FromStr<Err: Display>>(
    name: &str,
    texts: &[String],
    max: usize,
) -> Result<Vec<T>, Refusal> {
    bounded(name, texts.len(), max)?;
    texts.iter().map(|text| parsed(name, text)).collect()
}

/// A count within its limit.
pub(crate) fn bounded(name: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        return Err(Refusal::field(name, format_args!("at most {max}, not {count}")));
    }
    Ok(())
}

/// A point in time. What lies between two microseconds is cut off.
pub(crate) fn time(name: &str, at: Option<Timestamp>) -> Result<Time, Refusal> {
    let Timestamp { seconds, nanos } = required(name, at)?;
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let micros = nanos.and_then(|nanos| {
        seconds
            .checked_mul(MICROS_PER_SECOND)?
            .checked_add(i64::from(nanos / 1_000))
    });
    micros
        .map(Time::from_micros)
        .ok_or_else(|| Refusal::field(name, "is not a point in time"))
}

/// A point in time, as it is sent.
pub(crate) fn timestamp(at: Time) -> Timestamp {
    let micros = at.as_micros();
    let nanos = micros.rem_euclid(MICROS_PER_SECOND) * 1_000;
    Timestamp {
        seconds: micros.div_euclid(MICROS_PER_SECOND),
        nanos: i32::try_from(nanos).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_also_before_the_epoch() {
        for micros in [0, 1, -1, 1_767_225_600_123_456, -62_135_596_800_000_000] {
            let at = Time::from_micros(micros);
            assert_eq!(time("at", Some(timestamp(at))), Ok(at));
        }
    }

    #[test]
    fn what_is_no_time_is_refused_by_name() {
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0)] {
            let refused = time("at", Some(Timestamp { seconds, nanos })).unwrap_err();
            assert_eq!(refused.details["field"], "at");
        }
        assert!(time("at", None).is_err());
    }
}
