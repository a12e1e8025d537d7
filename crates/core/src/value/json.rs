//! Values as JSON: NDJSON files and the operator API.
//!
//! Numbers are JSON numbers, except decimals, which are texts so that no program on the way rounds them. Dates,
//! timestamps, references and artifacts are texts; a geopoint is `{"lat": …, "lon": …}`.

use serde_json::{Map, Number, Value as Json};

use super::text::{bounded, decimal, place};
use super::{Finite, ITEMS_MAX, InvalidValue, Value};
use crate::ontology::PropertyType;

impl PropertyType {
    /// Reads a value from JSON. Null is not a value: the caller knows whether the property may be without one.
    pub fn from_json(&self, json: &Json) -> Result<Value, InvalidValue> {
        let not = || InvalidValue::NotA {
            expected: self.word(),
        };
        match (self, json) {
            (PropertyType::String, Json::String(text)) => Ok(Value::String(bounded(text)?)),
            (PropertyType::Artifact, Json::String(text)) => Ok(Value::Artifact(bounded(text)?)),
            (PropertyType::Reference { .. }, Json::String(key)) => Ok(Value::Reference(bounded(key)?)),
            // The key of a type that is identified by a number, written as that number.
            (PropertyType::Reference { .. }, Json::Number(key)) if key.is_i64() => {
                Ok(Value::Reference(key.to_string()))
            }
            (PropertyType::Boolean, Json::Bool(value)) => Ok(Value::Boolean(*value)),
            (PropertyType::Integer, Json::Number(number)) => number
                .as_i64()
                .ok_or_else(not)?
                .try_into()
                .map(Value::Integer)
                .map_err(|_| InvalidValue::OutOfRange {
                    expected: self.word(),
                }),
            (PropertyType::Long, Json::Number(number)) => number.as_i64().map(Value::Long).ok_or_else(not),
            (PropertyType::Double, Json::Number(number)) => number
                .as_f64()
                .and_then(Finite::new)
                .map(Value::Double)
                .ok_or_else(not),
            (PropertyType::Decimal, Json::Number(number)) => {
                let text = number.to_string();
                // A JSON number went through a double. With more digits than a double holds it was rounded on the way:
                // such a decimal is written as text.
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let exact = number.is_i64() || digits <= 15;
                exact
                    .then(|| decimal(&text))
                    .flatten()
                    .map(Value::Decimal)
                    .ok_or_else(not)
            }
            (PropertyType::Decimal | PropertyType::Date | PropertyType::Timestamp, Json::String(text)) => {
                self.parse_text(text)
            }
            (PropertyType::Geopoint, Json::Object(fields)) => {
                // In full as well: so the operator API says it, and what is shown can be loaded.
                let number = |name, full| {
                    let field = fields.get(name).or_else(|| fields.get(full));
                    field.and_then(Json::as_f64).ok_or_else(not)
                };
                if fields.len() != 2 {
                    return Err(not());
                }
                place(number("lat", "latitude")?, number("lon", "longitude")?)
            }
            (PropertyType::Array(of), Json::Array(items)) => {
                few(items.len())?;
                let items: Result<Vec<Value>, InvalidValue> =
                    items.iter().map(|item| of.from_json(item)).collect();
                items.map(Value::Array)
            }
            (PropertyType::Struct(known), Json::Object(fields)) => {
                let mut values = std::collections::BTreeMap::new();
                for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
                    let (name, of) = known
                        .get_key_value(name.as_str())
                        .ok_or_else(|| InvalidValue::UnknownField(name.chars().take(63).collect()))?;
                    values.insert(name.clone(), of.from_json(field)?);
                }
                Ok(Value::Struct(values))
            }
            _ => Err(not()),
        }
    }
}

fn few(count: usize) -> Result<(), InvalidValue> {
    if count > ITEMS_MAX {
        return Err(InvalidValue::TooLong {
            max: ITEMS_MAX,
            unit: "items",
        });
    }
    Ok(())
}

impl Value {
    /// The value as JSON; [`PropertyType::from_json`] reads it back.
    pub fn to_json(&self) -> Json {
        let number = |number: f64| Number::from_f64(number).map_or(Json::Null, Json::Number);
        match self {
            Value::String(text) | Value::Reference(text) | Value::Artifact(text) => {
                Json::String(text.clone())
            }
            Value::Boolean(value) => Json::Bool(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Long(value) => Json::from(*value),
            Value::Double(value) => number(value.as_f64()),
            Value::Decimal(value) => Json::String(value.normalize().to_string()),
            Value::Date(date) => Json::String(date.to_string()),
            Value::Timestamp(time) => Json::String(time.to_string()),
            Value::Geopoint(place) => {
                let mut fields = Map::new();
                fields.insert("lat".to_owned(), number(place.lat()));
                fields.insert("lon".to_owned(), number(place.lon()));
                Json::Object(fields)
            }
            Value::Array(items) => Json::Array(items.iter().map(Value::to_json).collect()),
            Value::Struct(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(name, field)| (name.to_string(), field.to_json()))
                    .collect(),
            ),
        }
    }
}
