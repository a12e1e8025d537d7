//! Values as text: the cells of a CSV file, `prop=value` on the command line, primary keys.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::encoding::{date_in_range, time_in_range};
use super::{Finite, Geopoint, InvalidValue, STRING_BYTES_MAX, Value};
use crate::Time;
use crate::ontology::PropertyType;

impl PropertyType {
    /// Reads a value from text, strictly: no surrounding white space, nothing rounded, nothing guessed. Arrays and
    /// structs are JSON texts.
    pub fn parse_text(&self, text: &str) -> Result<Value, InvalidValue> {
        let not = || InvalidValue::NotA {
            expected: self.word(),
        };
        match self {
            PropertyType::String => Ok(Value::String(bounded(text)?)),
            PropertyType::Reference { .. } => Ok(Value::Reference(bounded(text)?)),
            PropertyType::Artifact => Ok(Value::Artifact(bounded(text)?)),
            PropertyType::Boolean => match text {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                _ => Err(not()),
            },
            PropertyType::Integer => whole(self, text).map(Value::Integer),
            PropertyType::Long => whole(self, text).map(Value::Long),
            PropertyType::Double => double(text).map(Value::Double).ok_or_else(not),
            PropertyType::Decimal => decimal(text).map(Value::Decimal).ok_or_else(not),
            PropertyType::Date => {
                let date: Date = text.parse().map_err(|_| not())?;
                // The parser also takes other ISO 8601 spellings and date-times, of which it would drop the time.
                if date.to_string() != text {
                    return Err(not());
                }
                self.within(date_in_range(date), Value::Date(date))
            }
            PropertyType::Timestamp => {
                let at: Timestamp = text.parse().map_err(|_| not())?;
                let time = Time::from_micros(at.as_microsecond());
                self.within(time_in_range(time), Value::Timestamp(time))
            }
            PropertyType::Geopoint => {
                let (lat, lon) = text.split_once(',').ok_or_else(not)?;
                let (lat, lon) = (double(lat).ok_or_else(not)?, double(lon).ok_or_else(not)?);
                place(lat.as_f64(), lon.as_f64())
            }
            PropertyType::Array(_) | PropertyType::Struct(_) => {
                let json: serde_json::Value = serde_json::from_str(text).map_err(|_| not())?;
                self.from_json(&json)
            }
        }
    }

    /// The type's word in an ontology file, without details.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            PropertyType::String => "string",
            PropertyType::Boolean => "boolean",
            PropertyType::Integer => "integer",
            PropertyType::Long => "long",
            PropertyType::Double => "double",
            PropertyType::Decimal => "decimal",
            PropertyType::Date => "date",
            PropertyType::Timestamp => "timestamp",
            PropertyType::Geopoint => "geopoint",
            PropertyType::Reference { .. } => "reference",
            PropertyType::Artifact => "artifact",
            PropertyType::Array(_) => "array",
            PropertyType::Struct(_) => "struct",
        }
    }

    fn within(&self, inside: bool, value: Value) -> Result<Value, InvalidValue> {
        inside.then_some(value).ok_or(InvalidValue::OutOfRange {
            expected: self.word(),
        })
    }
}

pub(super) fn bounded(text: &str) -> Result<String, InvalidValue> {
    if text.len() > STRING_BYTES_MAX {
        return Err(InvalidValue::TooLong {
            max: STRING_BYTES_MAX,
            unit: "bytes",
        });
    }
    Ok(text.to_owned())
}

pub(super) fn place(lat: f64, lon: f64) -> Result<Value, InvalidValue> {
    Geopoint::new(lat, lon)
        .map(Value::Geopoint)
        .ok_or(InvalidValue::OutOfRange { expected: "geopoint" })
}

/// A decimal number without an exponent, exactly: one with more digits than fit is refused, not rounded.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    plain
        .then(|| Decimal::from_str_exact(text).ok())
        .flatten()
        .map(|number| number.normalize())
}

/// A finite number in digits: the standard parser also takes words such as `inf`.
fn double(text: &str) -> Option<Finite> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    plain.then(|| text.parse().ok()).flatten().and_then(Finite::new)
}

fn whole<N: std::str::FromStr<Err = std::num::ParseIntError>>(
    of: &PropertyType,
    text: &str,
) -> Result<N, InvalidValue> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let expected = of.word();
    if text.starts_with('+') {
        return Err(InvalidValue::NotA { expected });
    }
    text.parse()
        .map_err(|error: std::num::ParseIntError| match error.kind() {
            PosOverflow | NegOverflow => InvalidValue::OutOfRange { expected },
            _ => InvalidValue::NotA { expected },
        })
}
