//! Checks an encoded value against a type without building it, so that an import can keep the bytes it was sent.

use super::bytes::{Malformed, Reader};
use super::encoding::{self, read_decimal, read_double, read_name, read_number, read_place, read_time};
use super::{ITEMS_MAX, InvalidValue, ROW_BYTES_MAX, STRING_BYTES_MAX};
use crate::ontology::PropertyType;

impl PropertyType {
    /// Checks that these bytes are the canonical encoding of a value of this type.
    pub fn check_encoded(&self, bytes: &[u8]) -> Result<(), InvalidValue> {
        if bytes.len() > ROW_BYTES_MAX {
            return Err(Malformed::TooLarge.into());
        }
        let mut input = Reader::new(bytes);
        check(&mut input, self)?;
        input.end()?;
        Ok(())
    }
}

// The depth needs no guard: it follows the type, and a type's own depth was checked when it was built.
fn check(input: &mut Reader<'_>, of: &PropertyType) -> Result<(), InvalidValue> {
    let tag = input.byte()?;
    match (of, tag) {
        (PropertyType::String, encoding::STRING)
        | (PropertyType::Reference { .. }, encoding::REFERENCE)
        | (PropertyType::Artifact, encoding::ARTIFACT) => {
            input.text(STRING_BYTES_MAX)?;
        }
        (PropertyType::Boolean, encoding::FALSE | encoding::TRUE) => {}
        (PropertyType::Integer, encoding::INTEGER) => {
            read_number::<i32>(input)?;
        }
        (PropertyType::Long, encoding::LONG) => {
            read_number::<i64>(input)?;
        }
        (PropertyType::Double, encoding::DOUBLE) => {
            read_double(input)?;
        }
        (PropertyType::Decimal, encoding::DECIMAL) => {
            read_decimal(input)?;
        }
        (PropertyType::Date, encoding::DATE) => {
            encoding::read_date(input)?;
        }
        (PropertyType::Timestamp, encoding::TIMESTAMP) => {
            read_time(input)?;
        }
        (PropertyType::Geopoint, encoding::GEOPOINT) => {
            read_place(input)?;
        }
        (PropertyType::Array(items), encoding::ARRAY) => {
            for _ in 0..input.count(ITEMS_MAX)? {
                check(input, items)?;
            }
        }
        (PropertyType::Struct(fields), encoding::STRUCT) => {
            let mut last = None;
            for _ in 0..input.count(ITEMS_MAX)? {
                let name = read_name(input)?;
                if last.as_ref().is_some_and(|last| *last >= name) {
                    return Err(Malformed::NotCanonical.into());
                }
                let field = fields
                    .get(&name)
                    .ok_or_else(|| InvalidValue::UnknownField(name.to_string()))?;
                check(input, field)?;
                last = Some(name);
            }
        }
        (of, _) => return Err(InvalidValue::NotA { expected: of.word() }),
    }
    Ok(())
}
