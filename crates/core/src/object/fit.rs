//! Whether values fit an object type.

use super::{Changes, InvalidKey, ObjectKey};
use crate::ontology::{ApiName, Ends, ObjectType, Property, PropertyId, PropertyType};
use crate::value::{InvalidValue, Properties, Value};

/// Why values are not an object of a type. It names the property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectInvalid {
    /// The type has no property of this number.
    #[error("there is no property number {}", .0.0)]
    UnknownProperty(PropertyId),
    /// A property that must have a value has none.
    #[error("{0} must have a value")]
    Missing(ApiName),
    /// A value is not of its property's type.
    #[error("{property}: {why}")]
    Value {
        /// The property.
        property: ApiName,
        /// What is wrong.
        why: InvalidValue,
    },
    /// The primary key is not usable.
    #[error("{property}: {why}")]
    Key {
        /// The property.
        property: ApiName,
        /// What is wrong.
        why: InvalidKey,
    },
    /// The values belong to another key than the one they came under.
    #[error("{0} does not match the object's key")]
    KeyMismatch(ApiName),
}

impl ObjectType {
    /// Checks a full row, from a source or for a creation, and says whose it is.
    pub fn check_row(&self, row: &Properties) -> Result<ObjectKey, ObjectInvalid> {
        for (id, value) in row.iter() {
            self.check_value(id, value)?;
        }
        for required in self.properties.iter().filter(|p| !p.nullable) {
            if row.value(required.id).is_none() {
                return Err(ObjectInvalid::Missing(required.name.clone()));
            }
        }
        let key = self.key_property()?;
        let value = row
            .value(key.id)
            .ok_or_else(|| ObjectInvalid::Missing(key.name.clone()))?;
        let key = self.key_of(value)?;
        self.check_ends(&key, |id| row.value(id))?;
        Ok(key)
    }

    /// Checks an edit: types fit, no required value is taken away, the primary key stays.
    pub fn check_changes(&self, key: &ObjectKey, changes: &Changes) -> Result<(), ObjectInvalid> {
        for (id, value) in &changes.0 {
            let property = self.property(*id).ok_or(ObjectInvalid::UnknownProperty(*id))?;
            match value {
                Some(value) => self.check_value(*id, value)?,
                None if property.nullable => {}
                None => return Err(ObjectInvalid::Missing(property.name.clone())),
            }
            if let (Some(value), true) = (value, *id == self.primary_key)
                && self.key_of(value)? != *key
            {
                return Err(ObjectInvalid::KeyMismatch(property.name.clone()));
            }
        }
        let set = |id: PropertyId| changes.0.get(&id).and_then(Option::as_ref);
        self.check_ends(key, set)
    }

    /// The values that follow from an object's key, which no row and no edit changes: the key itself, and what a link
    /// links.
    pub fn keyed_values(&self, key: &ObjectKey) -> Result<Vec<(PropertyId, Value)>, ObjectInvalid> {
        let mut values = vec![(self.primary_key, self.key_value(key.primary_key())?)];
        if let Some(ends) = self.ends {
            let mismatch = || {
                self.key_property()
                    .map(|it| ObjectInvalid::KeyMismatch(it.name.clone()))
            };
            let Some((left, right)) = ends.of_key(key.primary_key()) else {
                return Err(mismatch()?);
            };
            values.push((Ends::LEFT, Value::Reference(left.to_owned())));
            values.push((Ends::RIGHT, Value::Reference(right.to_owned())));
        }
        Ok(values)
    }

    /// Checks that a link links what its key says.
    fn check_ends<'a>(
        &self,
        key: &ObjectKey,
        given: impl Fn(PropertyId) -> Option<&'a Value>,
    ) -> Result<(), ObjectInvalid> {
        if self.ends.is_none() {
            return Ok(());
        }
        for (id, value) in self.keyed_values(key)? {
            if given(id).is_some_and(|given| *given != value) {
                let property = self.property(id).ok_or(ObjectInvalid::UnknownProperty(id))?;
                return Err(ObjectInvalid::KeyMismatch(property.name.clone()));
            }
        }
        Ok(())
    }

    /// The key of the object whose primary key has this value.
    pub fn key_of(&self, value: &Value) -> Result<ObjectKey, ObjectInvalid> {
        let property = self.key_property()?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Long(number) => number.to_string(),
            _ => {
                return Err(ObjectInvalid::Value {
                    property: property.name.clone(),
                    why: InvalidValue::NotA {
                        expected: "primary key",
                    },
                });
            }
        };
        ObjectKey::new(self.name.clone(), text).map_err(|why| ObjectInvalid::Key {
            property: property.name.clone(),
            why,
        })
    }

    /// The primary key value of an object with this key text.
    pub fn key_value(&self, primary_key: &str) -> Result<Value, ObjectInvalid> {
        let property = self.key_property()?;
        property
            .of
            .parse_text(primary_key)
            .map_err(|why| ObjectInvalid::Value {
                property: property.name.clone(),
                why,
            })
    }

    fn key_property(&self) -> Result<&Property, ObjectInvalid> {
        self.property(self.primary_key)
            .ok_or(ObjectInvalid::UnknownProperty(self.primary_key))
    }

    fn check_value(&self, id: PropertyId, value: &Value) -> Result<(), ObjectInvalid> {
        let property = self.property(id).ok_or(ObjectInvalid::UnknownProperty(id))?;
        if property.of.admits(value) {
            return Ok(());
        }
        Err(ObjectInvalid::Value {
            property: property.name.clone(),
            why: InvalidValue::NotA {
                expected: property.of.word(),
            },
        })
    }
}

impl PropertyType {
    /// Whether a value is of this type.
    pub fn admits(&self, value: &Value) -> bool {
        match (self, value) {
            (PropertyType::String, Value::String(_))
            | (PropertyType::Boolean, Value::Boolean(_))
            | (PropertyType::Integer, Value::Integer(_))
            | (PropertyType::Long, Value::Long(_))
            | (PropertyType::Double, Value::Double(_))
            | (PropertyType::Decimal, Value::Decimal(_))
            | (PropertyType::Date, Value::Date(_))
            | (PropertyType::Timestamp, Value::Timestamp(_))
            | (PropertyType::Geopoint, Value::Geopoint(_))
            | (PropertyType::Reference { .. }, Value::Reference(_))
            | (PropertyType::Artifact, Value::Artifact(_)) => true,
            (PropertyType::Array(of), Value::Array(items)) => items.iter().all(|item| of.admits(item)),
            (PropertyType::Struct(known), Value::Struct(fields)) => fields
                .iter()
                .all(|(name, field)| known.get(name).is_some_and(|of| of.admits(field))),
            _ => false,
        }
    }
}
