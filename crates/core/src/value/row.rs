//! All values of one object in one byte string.
//!
//! A row is, for each property that has a value, by ascending number: the number as a varint, the length of the value's
//! encoding as a varint, the encoding. A reader can therefore pick, drop and renumber properties without decoding them.

use super::bytes::{Malformed, Reader, Writer};
use super::encoding;
use super::{Properties, ROW_BYTES_MAX, Value};
use crate::ontology::{ObjectType, PropertyId};

/// The values of one object in canonical encoding.
///
/// Numbers and lengths were checked when it was made; each value is checked when it is decoded, or when it is matched
/// with a type.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(Box<[u8]>);

impl Row {
    /// The row of these values.
    pub fn of(properties: &Properties) -> Result<Row, Malformed> {
        let mut out = Writer::default();
        for (id, value) in properties.iter() {
            let mut inner = Writer::default();
            encoding::write(&mut inner, value);
            out.varint(id.0.into());
            out.bytes(&inner.into_bytes());
        }
        if out.len() > ROW_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        Ok(Row(out.into_bytes().into()))
    }

    /// A row from bytes of any origin.
    pub fn from_bytes(bytes: &[u8]) -> Result<Row, Malformed> {
        Ok(RowRef::new(bytes)?.to_row())
    }

    /// A row of values that are encoded already, in any order; of two with one number the last counts.
    pub(crate) fn of_encoded<'a>(
        values: impl IntoIterator<Item = (PropertyId, &'a [u8])>,
    ) -> Result<Row, Malformed> {
        let sorted: std::collections::BTreeMap<PropertyId, &[u8]> = values.into_iter().collect();
        let mut out = Writer::with_capacity(sorted.values().map(|value| value.len() + 8).sum());
        for (id, value) in &sorted {
            out.varint(id.0.into());
            out.bytes(value);
        }
        if out.len() > ROW_BYTES_MAX || sorted.len() > ObjectType::PROPERTIES_MAX {
            return Err(Malformed::TooLarge);
        }
        Ok(Row(out.into_bytes().into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same row, borrowed.
    pub fn as_ref(&self) -> RowRef<'_> {
        RowRef(&self.0)
    }

    /// Each property's number and encoded value, by ascending number.
    pub fn iter(&self) -> impl Iterator<Item = (PropertyId, &[u8])> {
        self.as_ref().iter()
    }

    /// The value of one property.
    pub fn value(&self, id: PropertyId) -> Result<Option<Value>, Malformed> {
        self.iter()
            .find(|(found, _)| *found == id)
            .map(|(_, bytes)| encoding::decode(bytes))
            .transpose()
    }

    /// All values.
    pub fn decode(&self) -> Result<Properties, Malformed> {
        self.iter()
            .map(|(id, bytes)| Ok((id, encoding::decode(bytes)?)))
            .collect()
    }
}

/// A row where its bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRef<'a>(&'a [u8]);

impl<'a> RowRef<'a> {
    /// A row from bytes of any origin.
    pub fn new(bytes: &'a [u8]) -> Result<RowRef<'a>, Malformed> {
        if bytes.len() > ROW_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let mut input = Reader::new(bytes);
        let mut last: Option<PropertyId> = None;
        let mut count = 0;
        while !input.is_empty() {
            let (id, _) = read_field(&mut input)?;
            if last.is_some_and(|last| last >= id) {
                return Err(Malformed::NotCanonical);
            }
            last = Some(id);
            count += 1;
            if count > ObjectType::PROPERTIES_MAX {
                return Err(Malformed::TooLarge);
            }
        }
        Ok(RowRef(bytes))
    }

    /// The bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The row, in bytes of its own.
    pub fn to_row(self) -> Row {
        Row(self.0.into())
    }

    /// Each property's number and encoded value, by ascending number.
    pub fn iter(self) -> impl Iterator<Item = (PropertyId, &'a [u8])> {
        let mut input = Reader::new(self.0);
        // Numbers and lengths were checked, so this ends only at the end.
        std::iter::from_fn(move || read_field(&mut input).ok())
    }
}

fn read_field<'a>(input: &mut Reader<'a>) -> Result<(PropertyId, &'a [u8]), Malformed> {
    let id = PropertyId(input.varint()?);
    let value = input.bytes(ROW_BYTES_MAX)?;
    if value.is_empty() {
        return Err(Malformed::Truncated);
    }
    Ok((id, value))
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.decode() {
            Ok(properties) => write!(f, "{properties:?}"),
            Err(_) => write!(f, "[{} bytes]", self.0.len()),
        }
    }
}
