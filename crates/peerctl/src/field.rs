//! Fields of messages as the fields of views.

use peerd_core::{Reason, Time};
use prost_types::Timestamp;

use crate::error::Error;

/// A time as RFC 3339 in UTC.
pub(crate) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|Timestamp { seconds, nanos }| {
        let micros = seconds
            .saturating_mul(1_000_000)
            .saturating_add(i64::from(nanos) / 1_000);
        Time::from_micros(micros).to_string()
    })
}

/// An enum's value as the word of the contract: `EGRESS_ONLY` is `egress-only`. A value that is unknown to this
/// version is `unspecified`.
pub(crate) fn word<E>(value: i32, name: impl Fn(&E) -> &'static str, prefix: &str) -> String
where
    E: TryFrom<i32> + Default,
{
    let name = name(&E::try_from(value).unwrap_or_default());
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_ascii_lowercase()
        .replace('_', "-")
}

/// A text where the wire says "none" by an empty one.
pub(crate) fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A part that every answer has.
pub(crate) fn required<T>(part: Option<T>, name: &str) -> Result<T, Error> {
    part.ok_or_else(|| {
        Error::refused(
            Reason::Internal,
            format!("the daemon's answer has no {name}; is it another version?"),
        )
    })
}

#[cfg(test)]
mod tests {
    use peerd_wire::peering::v1::Direction;

    use super::*;

    #[test]
    fn enum_values_are_lower_case_words() {
        let direction = |value| word(value, Direction::as_str_name, "DIRECTION_");
        assert_eq!(direction(Direction::EgressOnly as i32), "egress-only");
        assert_eq!(direction(77), "unspecified");
    }

    #[test]
    fn times_are_rfc_3339_or_nothing() {
        let at = Timestamp {
            seconds: 1_357_034_400,
            nanos: 500_000_000,
        };
        assert_eq!(time(Some(at)).as_deref(), Some("2013-01-01T10:00:00.5Z"));
        assert_eq!(time(None), None);
    }
}
