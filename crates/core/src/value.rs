//! Property values: what they are, how people and programs write them, and their one canonical byte form.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::Time;
use crate::artifact::InvalidArtifact;
use crate::ontology::{ApiName, PropertyId};

pub(crate) mod bytes;
mod check;
mod encoding;
mod json;
mod row;
#[cfg(test)]
mod tests;
mod text;

pub use bytes::Malformed;
pub use encoding::EncodedValue;
pub use row::{Row, RowRef};

/// The longest text, in bytes.
pub const STRING_BYTES_MAX: usize = 1 << 20;
/// The most items of an array, and fields of a struct.
pub const ITEMS_MAX: usize = 65_536;
/// The largest encoding of one value, and of all values of one object.
pub const ROW_BYTES_MAX: usize = 4 << 20;

/// A finite floating point number. There is one zero, so equal numbers have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finite(f64);

impl Finite {
    /// The number, unless it is infinite or not a number. Minus zero becomes zero.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(number + 0.0))
    }

    /// The number.
    pub const fn as_f64(self) -> f64 {
        self.0
    }
}

// Sound because a finite number is never "not a number".
impl Eq for Finite {}

/// A place on Earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geopoint {
    lat: Finite,
    lon: Finite,
}

impl Geopoint {
    /// The place at this latitude (-90 to 90) and longitude (-180 to 180), in degrees.
    pub fn new(lat: f64, lon: f64) -> Option<Geopoint> {
        if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
            return None;
        }
        Some(Geopoint {
            lat: Finite::new(lat)?,
            lon: Finite::new(lon)?,
        })
    }

    /// Degrees north.
    pub const fn lat(self) -> f64 {
        self.lat.as_f64()
    }

    /// Degrees east.
    pub const fn lon(self) -> f64 {
        self.lon.as_f64()
    }
}

/// A value of a property. Null is the absence of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// UTF-8 text.
    String(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A signed 32-bit number.
    Integer(i32),
    /// A signed 64-bit number.
    Long(i64),
    /// A finite floating point number.
    Double(Finite),
    /// An exact decimal number; 1.0 and 1.00 are one value.
    Decimal(Decimal),
    /// A day.
    Date(Date),
    /// A point in time.
    Timestamp(Time),
    /// A place.
    Geopoint(Geopoint),
    /// The primary key of the object it names, as text.
    Reference(String),
    /// The id of an Artifact.
    Artifact(String),
    /// A list.
    Array(Vec<Value>),
    /// Named values; a field without a value is absent.
    Struct(BTreeMap<ApiName, Value>),
}

/// Why a text, a JSON value or a stored value is not a value of its property's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It is not of the type.
    #[error("not of type {expected}")]
    NotA {
        /// The type, as the ontology file names it.
        expected: &'static str,
    },
    /// It is of the type's form but outside of its range.
    #[error("out of range for type {expected}")]
    OutOfRange {
        /// The type.
        expected: &'static str,
    },
    /// It is longer than allowed.
    #[error("longer than {max} {unit}")]
    TooLong {
        /// The limit.
        max: usize,
        /// Of what.
        unit: &'static str,
    },
    /// A struct has a field its type does not know.
    #[error("unknown field {0}")]
    UnknownField(String),
    /// It is not what an artifact says of itself.
    #[error(transparent)]
    Artifact(#[from] InvalidArtifact),
    /// The stored bytes are damaged.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// The values of one object by property number. A property without a value is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<PropertyId, Value>);

impl Properties {
    /// Sets the value of a property.
    pub fn insert(&mut self, id: PropertyId, value: Value) {
        self.0.insert(id, value);
    }

    /// Takes the value of a property away.
    pub fn remove(&mut self, id: PropertyId) -> Option<Value> {
        self.0.remove(&id)
    }

    /// The value of a property.
    pub fn value(&self, id: PropertyId) -> Option<&Value> {
        self.0.get(&id)
    }

    /// All values by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = (PropertyId, &Value)> {
        self.0.iter().map(|(id, value)| (*id, value))
    }

    /// How many properties have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no property has a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(PropertyId, Value)> for Properties {
    fn from_iter<I: IntoIterator<Item = (PropertyId, Value)>>(values: I) -> Properties {
        Properties(values.into_iter().collect())
    }
}
