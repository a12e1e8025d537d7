//! Fields of requests, read once into types that cannot be wrong. Every error names its field.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use peerd_core::Time;
use tonic::Status;

use crate::refuse::field;

/// The longest time that can be asked for: a century.
const DURATION_MAX: Duration = Duration::from_hours(100 * 366 * 24);

/// A field that must be there and be what it says: a name, an id, a title, a code.
pub(crate) fn required<T>(name: &str, text: &str) -> Result<T, Status>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        return Err(field(name, "required"));
    }
    text.parse().map_err(|problem| field(name, problem))
}

/// A field that may be empty, which means absent.
pub(crate) fn optional<T>(name: &str, text: &str) -> Result<Option<T>, Status>
where
    T: FromStr<Err: Display>,
{
    match text {
        "" => Ok(None),
        text => required(name, text).map(Some),
    }
}

/// A name or id by which the node looks something up.
pub(crate) fn reference<'a>(name: &str, text: &'a str) -> Result<&'a str, Status> {
    match text {
        "" => Err(field(name, "required")),
        text => Ok(text),
    }
}

/// A positive time span.
pub(crate) fn duration(name: &str, given: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    let Some(given) = given else {
        return Ok(None);
    };
    match Duration::try_from(given) {
        Ok(span) if !span.is_zero() && span <= DURATION_MAX => Ok(Some(span)),
        _ => Err(field(name, "must be longer than nothing and at most a century")),
    }
}

/// A point in time.
pub(crate) fn time(name: &str, given: Option<prost_types::Timestamp>) -> Result<Option<Time>, Status> {
    let Some(prost_types::Timestamp { seconds, nanos }) = given else {
        return Ok(None);
    };
    let micros = seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(nanos) / 1_000))
        .filter(|_| (0..1_000_000_000).contains(&nanos));
    match micros {
        Some(micros) => Ok(Some(Time::from_micros(micros))),
        None => Err(field(name, "not a point in time")),
    }
}

#[cfg(test)]
mod tests {
    use peerd_core::SpaceId;
    use peerd_core::name::Name;
    use peerd_wire::status::refusal;

    use super::*;

    #[test]
    fn an_error_names_its_field() {
        let status = required::<SpaceId>("space_id", "spc_1").unwrap_err();
        let told = refusal(&status);
        assert_eq!(told.details.get("field").map(String::as_str), Some("space_id"));
        assert_eq!(told.message, "space_id: not a valid space id");
        assert!(required::<Name>("name", "").is_err());
        assert_eq!(optional::<Name>("name", "").unwrap(), None);
        assert!(reference("space", "").is_err());
    }

    #[test]
    fn times_and_spans_out_of_bounds_are_refused_not_wrapped() {
        let span = |seconds, nanos| duration("for", Some(prost_types::Duration { seconds, nanos }));
        assert_eq!(span(2, 0).unwrap(), Some(Duration::from_secs(2)));
        for (seconds, nanos) in [(0, 0), (-1, 0), (i64::MAX, 0), (i64::MIN, i32::MIN)] {
            assert!(span(seconds, nanos).is_err(), "{seconds}");
        }
        let at = |seconds, nanos| time("since", Some(prost_types::Timestamp { seconds, nanos }));
        assert_eq!(at(1, 2_000).unwrap(), Some(Time::from_micros(1_000_002)));
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, i32::MAX)] {
            assert!(at(seconds, nanos).is_err(), "{seconds}");
        }
    }
}
