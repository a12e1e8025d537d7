//! Values as typed elements.

use peerd_core::ontology::PropertyType;
use peerd_core::value::{ITEMS_MAX, STRING_BYTES_MAX, Value};

use super::moment;
use super::out::Out;
use super::walk::Walk;
use crate::Refused;

/// The element of an array's item.
pub(super) const ITEM: &str = "i";

/// Writes a value as an element. The value was checked against its type: another variant is written as nothing.
pub(super) fn write(out: &mut Out, name: &str, of: &PropertyType, value: &Value) {
    match (of, value) {
        (_, Value::String(text) | Value::Reference(text) | Value::Artifact(text)) => out.text(name, text),
        (_, Value::Boolean(value)) => out.leaf(name, if *value { "true" } else { "false" }),
        (_, Value::Integer(number)) => out.leaf(name, &number.to_string()),
        (_, Value::Long(number)) => out.leaf(name, &number.to_string()),
        (_, Value::Double(number)) => out.leaf(name, &double(number.as_f64())),
        (_, Value::Decimal(number)) => out.leaf(name, &number.to_string()),
        (_, Value::Date(date)) => out.leaf(name, &date.to_string()),
        // The type's own range is the one that has a text.
        (_, Value::Timestamp(time)) => out.leaf(name, &moment::write(*time).unwrap_or_default()),
        (_, Value::Geopoint(place)) => {
            out.leaf(name, &format!("{},{}", double(place.lat()), double(place.lon())));
        }
        (PropertyType::Array(of), Value::Array(items)) => {
            out.open(name);
            for item in items {
                write(out, ITEM, of, item);
            }
            out.close(name);
        }
        (PropertyType::Struct(fields), Value::Struct(values)) => {
            out.open(name);
            for (field, value) in values {
                if let Some(of) = fields.get(field) {
                    write(out, field.as_str(), of, value);
                }
            }
            out.close(name);
        }
        _ => {}
    }
}

/// The shortest digits that read back as the same number.
fn double(number: f64) -> String {
    format!("{number:?}")
}

/// Reads the value of the present element, to its end.
pub(super) fn read(walk: &mut Walk<'_>, of: &PropertyType) -> Result<Value, Refused> {
    match of {
        PropertyType::String => walk.escaped_text(STRING_BYTES_MAX).map(Value::String),
        PropertyType::Reference { .. } => walk.escaped_text(STRING_BYTES_MAX).map(Value::Reference),
        PropertyType::Artifact => walk.escaped_text(STRING_BYTES_MAX).map(Value::Artifact),
        PropertyType::Timestamp => {
            let text: String = walk.parsed()?;
            let time = moment::read(&text).ok_or_else(|| walk.refused("it is not a point in time"))?;
            Ok(Value::Timestamp(time))
        }
        PropertyType::Array(of) => {
            let mut items = Vec::new();
            while walk.is_at(ITEM)? {
                walk.open_plain(ITEM)?;
                items.push(read(walk, of)?);
                if items.len() > ITEMS_MAX {
                    return Err(walk.refused("the array has too many items"));
                }
            }
            walk.close()?;
            Ok(Value::Array(items))
        }
        PropertyType::Struct(fields) => {
            let mut values = std::collections::BTreeMap::new();
            for (field, of) in fields {
                if walk.is_at(field.as_str())? {
                    walk.open_plain(field.as_str())?;
                    values.insert(field.clone(), read(walk, of)?);
                }
            }
            walk.close()?;
            Ok(Value::Struct(values))
        }
        _ => {
            let text: String = walk.parsed()?;
            of.parse_text(&text).map_err(|error| walk.refused(error))
        }
    }
}
