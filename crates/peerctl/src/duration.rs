//! Durations as people write them: `90s`, `15m`, `72h`, `30d`, `1h30m`.

use std::time::Duration;

/// What a duration may be written with, and its seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// Reads a duration: one or more numbers, each with its unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 90s, 15m, 72h, 30d or 1h30m");
    if text.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut after = rest[digits..].chars();
        let unit = after.next().ok_or_else(wrong)?;
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = number.checked_mul(*scale).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
        rest = after.as_str();
    }
    // What the wire can hold.
    if i64::try_from(seconds).is_err() {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// The duration as a message.
pub(crate) fn message(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("72h", 259_200),
            ("30d", 2_592_000),
            ("1h30m", 5_400),
            ("2w1d", 1_296_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "90",
            "s",
            "1x",
            "-1s",
            "1.5h",
            "1h30",
            "1 h",
            "1h 30m",
            "99999999999999999999s",
            "30500568904943w",
            "9223372036854775808s",
            "1é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
