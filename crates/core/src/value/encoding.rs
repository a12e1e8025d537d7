//! The canonical encoding of one value.
//!
//! A value is a tag byte and its content. It says its own type, so it can be read without a schema, and it never
//! holds a property number, so it crosses a connection unchanged whatever the numbers on the other side are. Each
//! value has exactly one encoding, and decoding refuses every other.
//!
//! | tag | type | content |
//! |---|---|---|
//! | 1 | string | length, UTF-8 |
//! | 2, 3 | boolean | none; 2 is false, 3 is true |
//! | 4, 5 | integer, long | zigzag varint |
//! | 6 | double | 8 bytes, IEEE 754 big-endian; finite, not minus zero |
//! | 7 | decimal | scale byte, zigzag varint of the mantissa; no trailing zeros |
//! | 8 | date | zigzag varint of days since 1970-01-01 |
//! | 9 | timestamp | zigzag varint of microseconds since 1970-01-01T00:00:00Z |
//! | 10 | geopoint | latitude and longitude as two doubles |
//! | 11 | reference | as string: the primary key's text |
//! | 12 | artifact | as string |
//! | 13 | array | count, then each value |
//! | 14 | struct | count, then each field by ascending name: length, name, value |
//!
//! Varints are unsigned LEB128 of the least length. Zigzag maps 0, -1, 1, -2 … to 0, 1, 2, 3 …

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::bytes::{Malformed, Reader, Writer};
use super::{Finite, Geopoint, ITEMS_MAX, ROW_BYTES_MAX, STRING_BYTES_MAX, Value};
use crate::Time;
use crate::ontology::{ApiName, PropertyType};

pub(super) const STRING: u8 = 1;
pub(super) const FALSE: u8 = 2;
pub(super) const TRUE: u8 = 3;
pub(super) const INTEGER: u8 = 4;
pub(super) const LONG: u8 = 5;
pub(super) const DOUBLE: u8 = 6;
pub(super) const DECIMAL: u8 = 7;
pub(super) const DATE: u8 = 8;
pub(super) const TIMESTAMP: u8 = 9;
pub(super) const GEOPOINT: u8 = 10;
pub(super) const REFERENCE: u8 = 11;
pub(super) const ARTIFACT: u8 = 12;
pub(super) const ARRAY: u8 = 13;
pub(super) const STRUCT: u8 = 14;

/// The days from year 1 on that a date can be, relative to 1970-01-01, and the same for years up to 9999.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
/// The microseconds a timestamp can be: the same years.
const MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

const EPOCH: Date = Date::constant(1970, 1, 1);

/// One value in its canonical encoding. Bytes of a peer may turn out damaged when they are decoded or checked against
/// a type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EncodedValue(Box<[u8]>);

impl EncodedValue {
    /// The encoding of a value, unless it is larger than [`ROW_BYTES_MAX`].
    pub fn of(value: &Value) -> Result<EncodedValue, Malformed> {
        let mut out = Writer::default();
        write(&mut out, value);
        if out.len() > ROW_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        Ok(EncodedValue(out.into_bytes().into()))
    }

    /// Bytes that claim to be one value.
    pub(crate) fn from_bytes(bytes: &[u8]) -> EncodedValue {
        EncodedValue(bytes.into())
    }

    /// Whether these bytes are the encoding of this text.
    pub(crate) fn is_text(bytes: &[u8], text: &str) -> bool {
        let mut input = Reader::new(bytes);
        input.byte() == Ok(STRING) && input.bytes(STRING_BYTES_MAX) == Ok(text.as_bytes()) && input.is_empty()
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value.
    pub fn decode(&self) -> Result<Value, Malformed> {
        decode(&self.0)
    }
}

impl std::fmt::Debug for EncodedValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.decode() {
            Ok(value) => write!(f, "{value:?}"),
            Err(_) => f.write_str("[malformed value]"),
        }
    }
}

/// Whether a date or timestamp is one that can be encoded: of the years 1 to 9999.
pub(super) fn date_in_range(date: Date) -> bool {
    DAYS.contains(&days_of(date))
}

pub(super) fn time_in_range(time: Time) -> bool {
    MICROS.contains(&time.as_micros())
}

fn days_of(date: Date) -> i32 {
    EPOCH.until(date).map_or(0, |span| span.get_days())
}

pub(super) fn write(out: &mut Writer, value: &Value) {
    match value {
        Value::String(text) => write_text(out, STRING, text),
        Value::Reference(key) => write_text(out, REFERENCE, key),
        Value::Artifact(id) => write_text(out, ARTIFACT, id),
        Value::Boolean(false) => out.byte(FALSE),
        Value::Boolean(true) => out.byte(TRUE),
        Value::Integer(number) => {
            out.byte(INTEGER);
            out.zigzag((*number).into());
        }
        Value::Long(number) => {
            out.byte(LONG);
            out.zigzag((*number).into());
        }
        Value::Double(number) => {
            out.byte(DOUBLE);
            out.raw(&number.as_f64().to_be_bytes());
        }
        Value::Decimal(number) => {
            let number = number.normalize();
            out.byte(DECIMAL);
            out.raw(&number.scale().to_le_bytes()[..1]);
            out.zigzag(number.mantissa());
        }
        Value::Date(date) => {
            out.byte(DATE);
            out.zigzag(days_of(*date).into());
        }
        Value::Timestamp(time) => {
            out.byte(TIMESTAMP);
            out.zigzag(time.as_micros().into());
        }
        Value::Geopoint(place) => {
            out.byte(GEOPOINT);
            out.raw(&place.lat().to_be_bytes());
            out.raw(&place.lon().to_be_bytes());
        }
        Value::Array(items) => {
            out.byte(ARRAY);
            out.count(items.len());
            for item in items {
                write(out, item);
            }
        }
        Value::Struct(fields) => {
            out.byte(STRUCT);
            out.count(fields.len());
            for (name, field) in fields {
                out.bytes(name.as_str().as_bytes());
                write(out, field);
            }
        }
    }
}

fn write_text(out: &mut Writer, tag: u8, text: &str) {
    out.byte(tag);
    out.bytes(text.as_bytes());
}

/// Reads exactly one value.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Malformed> {
    if bytes.len() > ROW_BYTES_MAX {
        return Err(Malformed::TooLarge);
    }
    let mut input = Reader::new(bytes);
    let value = read(&mut input, 1)?;
    input.end()?;
    Ok(value)
}

fn read(input: &mut Reader<'_>, depth: usize) -> Result<Value, Malformed> {
    if depth > PropertyType::DEPTH_MAX {
        return Err(Malformed::TooLarge);
    }
    Ok(match input.byte()? {
        STRING => Value::String(input.text(STRING_BYTES_MAX)?.to_owned()),
        REFERENCE => Value::Reference(input.text(STRING_BYTES_MAX)?.to_owned()),
        ARTIFACT => Value::Artifact(input.text(STRING_BYTES_MAX)?.to_owned()),
        FALSE => Value::Boolean(false),
        TRUE => Value::Boolean(true),
        INTEGER => Value::Integer(read_number(input)?),
        LONG => Value::Long(read_number(input)?),
        DOUBLE => Value::Double(read_double(input)?),
        DECIMAL => Value::Decimal(read_decimal(input)?),
        DATE => Value::Date(read_date(input)?),
        TIMESTAMP => Value::Timestamp(read_time(input)?),
        GEOPOINT => Value::Geopoint(read_place(input)?),
        ARRAY => {
            let count = input.count(ITEMS_MAX)?;
            // Grown as items are read: a count is a claim, and an item in memory is larger than its least encoding.
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(read(input, depth + 1)?);
            }
            Value::Array(items)
        }
        STRUCT => {
            let mut fields = std::collections::BTreeMap::new();
            for _ in 0..input.count(ITEMS_MAX)? {
                let name = read_name(input)?;
                if fields.last_key_value().is_some_and(|(last, _)| *last >= name) {
                    return Err(Malformed::NotCanonical);
                }
                fields.insert(name, read(input, depth + 1)?);
            }
            Value::Struct(fields)
        }
        _ => return Err(Malformed::Meaningless),
    })
}

pub(super) fn read_name(input: &mut Reader<'_>) -> Result<ApiName, Malformed> {
    input
        .text(ApiName::MAX)?
        .parse()
        .map_err(|_| Malformed::Meaningless)
}

pub(super) fn read_number<N: TryFrom<i128>>(input: &mut Reader<'_>) -> Result<N, Malformed> {
    input.zigzag()?.try_into().map_err(|_| Malformed::Meaningless)
}

pub(super) fn read_double(input: &mut Reader<'_>) -> Result<Finite, Malformed> {
    let number = f64::from_be_bytes(input.array()?);
    if number == 0.0 && number.is_sign_negative() {
        return Err(Malformed::NotCanonical);
    }
    Finite::new(number).ok_or(Malformed::Meaningless)
}

pub(super) fn read_decimal(input: &mut Reader<'_>) -> Result<Decimal, Malformed> {
    let scale = input.byte()?;
    let mantissa = input.zigzag()?;
    let number =
        Decimal::try_from_i128_with_scale(mantissa, scale.into()).map_err(|_| Malformed::Meaningless)?;
    let canonical = number.normalize();
    if canonical.scale() != u32::from(scale) || canonical.mantissa() != mantissa {
        return Err(Malformed::NotCanonical);
    }
    Ok(number)
}

pub(super) fn read_date(input: &mut Reader<'_>) -> Result<Date, Malformed> {
    let days: i32 = read_number(input)?;
    if !DAYS.contains(&days) {
        return Err(Malformed::Meaningless);
    }
    EPOCH
        .checked_add(jiff::Span::new().days(days))
        .map_err(|_| Malformed::Meaningless)
}

pub(super) fn read_time(input: &mut Reader<'_>) -> Result<Time, Malformed> {
    let time = Time::from_micros(read_number(input)?);
    time_in_range(time).then_some(time).ok_or(Malformed::Meaningless)
}

pub(super) fn read_place(input: &mut Reader<'_>) -> Result<Geopoint, Malformed> {
    let (lat, lon) = (read_double(input)?, read_double(input)?);
    Geopoint::new(lat.as_f64(), lon.as_f64()).ok_or(Malformed::Meaningless)
}
