//! Points in time as texts: to the microsecond, in UTC, of the years 1 to 9999, and nothing else.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use peerd_core::Time;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The text of a time; `None` outside of the years it can say.
pub(super) fn write(time: Time) -> Option<String> {
    let since = SignedDuration::from_micros(time.as_micros());
    let at = EPOCH.checked_add(since).ok().filter(|at| at.year() >= 1)?;
    Some(format!("{at}Z"))
}

/// The time of a text, in the one spelling that is written.
pub(super) fn read(text: &str) -> Option<Time> {
    let at: DateTime = text.strip_suffix('Z')?.parse().ok()?;
    let micros = i64::try_from(EPOCH.duration_until(at).as_micros()).ok()?;
    let time = Time::from_micros(micros);
    (write(time).as_deref() == Some(text)).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_text_up_to_both_ends() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (1_357_034_400_000_001, "2013-01-01T10:00:00.000001Z"),
        ] {
            let time = Time::from_micros(micros);
            assert_eq!(write(time).as_deref(), Some(text));
            assert_eq!(read(text), Some(time));
        }
        for micros in [
            i64::MIN,
            i64::MAX,
            -62_135_596_800_000_001,
            253_402_300_800_000_000,
        ] {
            assert_eq!(write(Time::from_micros(micros)), None);
        }
        for text in [
            "",
            "Z",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00+00:00",
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:00.0Z",
            "1970-01-01T00:00:00.0000001Z",
            "-000001-01-01T00:00:00Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
