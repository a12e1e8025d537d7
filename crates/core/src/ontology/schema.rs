//! What one side of a connection knows of a type of the other.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ApiName, ObjectType, Property, PropertyId, PropertyType, property};
use crate::value::bytes::Writer;

/// The SHA-256 of a schema: two sides that name the same one mean the same schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(#[serde(with = "serde_bytes")] [u8; 32]);

impl Digest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why what a peer published is not a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchema {
    /// It has more properties than a type can have.
    #[error("{0} has too many properties")]
    TooMany(ApiName),
    /// Its properties are not in ascending order of numbers, or two have one name.
    #[error("the properties of {0} are not in order or not unique")]
    Order(ApiName),
    /// The primary key is missing, nullable or of a type that cannot be a key.
    #[error("the primary key of {0} is not usable")]
    PrimaryKey(ApiName),
    /// A type is nested too deeply or has too many fields.
    #[error("{object_type}.{property} is nested too deeply or too widely")]
    Nesting {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
    },
}

/// One object type as it is published to a peer: its name, key and properties; no titles, no other types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Schema(Parts);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    name: ApiName,
    primary_key: PropertyId,
    properties: Vec<Property>,
}

impl Schema {
    /// The schema of a type of this side.
    pub fn of(object_type: &ObjectType) -> Schema {
        Schema(Parts {
            name: object_type.name.clone(),
            primary_key: object_type.primary_key,
            properties: object_type.properties.clone(),
        })
    }

    /// A schema that a peer published.
    pub fn new(
        name: ApiName,
        primary_key: PropertyId,
        properties: Vec<Property>,
    ) -> Result<Schema, InvalidSchema> {
        if properties.len() > ObjectType::PROPERTIES_MAX {
            return Err(InvalidSchema::TooMany(name));
        }
        let names: std::collections::BTreeSet<&ApiName> = properties.iter().map(|p| &p.name).collect();
        let ascending = properties.is_sorted_by(|a, b| a.id < b.id);
        if !ascending || names.len() != properties.len() {
            return Err(InvalidSchema::Order(name));
        }
        if let Some(deep) = properties.iter().find(|p| !nests_within_limits(&p.of)) {
            return Err(InvalidSchema::Nesting {
                property: deep.name.clone(),
                object_type: name,
            });
        }
        if !property(&properties, primary_key).is_some_and(|p| p.of.can_be_primary_key() && !p.nullable) {
            return Err(InvalidSchema::PrimaryKey(name));
        }
        Ok(Schema(Parts {
            name,
            primary_key,
            properties,
        }))
    }

    /// The type's api name on the side that published it.
    pub fn name(&self) -> &ApiName {
        &self.0.name
    }

    /// The number of the property that identifies an object.
    pub fn primary_key(&self) -> PropertyId {
        self.0.primary_key
    }

    /// The properties by ascending number.
    pub fn properties(&self) -> &[Property] {
        &self.0.properties
    }

    /// The property with this number.
    pub fn property(&self, id: PropertyId) -> Option<&Property> {
        property(&self.0.properties, id)
    }

    /// The property with this name.
    pub fn named(&self, name: &str) -> Option<&Property> {
        self.0.properties.iter().find(|p| p.name.as_str() == name)
    }

    /// The digest of everything the schema says, by which drift is seen.
    pub fn digest(&self) -> Digest {
        let mut out = Writer::default();
        out.bytes(self.0.name.as_str().as_bytes());
        out.varint(self.0.primary_key.0.into());
        out.count(self.0.properties.len());
        for property in &self.0.properties {
            out.varint(property.id.0.into());
            out.bytes(property.name.as_str().as_bytes());
            out.byte(u8::from(property.nullable));
            write_type(&mut out, &property.of);
        }
        let mut hash = Sha256::new_with_prefix(b"peerd/v1/schema\0");
        hash.update(out.into_bytes());
        Digest(hash.finalize().into())
    }
}

fn nests_within_limits(of: &PropertyType) -> bool {
    fn within(of: &PropertyType, depth: usize) -> bool {
        depth <= PropertyType::DEPTH_MAX
            && match of {
                PropertyType::Array(items) => within(items, depth + 1),
                PropertyType::Struct(fields) => {
                    fields.len() <= ObjectType::PROPERTIES_MAX
                        && fields.values().all(|field| within(field, depth + 1))
                }
                _ => true,
            }
    }
    within(of, 1)
}

fn write_type(out: &mut Writer, of: &PropertyType) {
    match of {
        PropertyType::String => out.byte(1),
        PropertyType::Boolean => out.byte(2),
        PropertyType::Integer => out.byte(3),
        PropertyType::Long => out.byte(4),
        PropertyType::Double => out.byte(5),
        PropertyType::Decimal => out.byte(6),
        PropertyType::Date => out.byte(7),
        PropertyType::Timestamp => out.byte(8),
        PropertyType::Geopoint => out.byte(9),
        PropertyType::Artifact => out.byte(10),
        PropertyType::Reference { to } => {
            out.byte(11);
            out.bytes(to.as_str().as_bytes());
        }
        PropertyType::Array(items) => {
            out.byte(12);
            write_type(out, items);
        }
        PropertyType::Struct(fields) => {
            out.byte(13);
            out.count(fields.len());
            for (name, field) in fields {
                out.bytes(name.as_str().as_bytes());
                write_type(out, field);
            }
        }
    }
}

impl TryFrom<Parts> for Schema {
    type Error = InvalidSchema;

    fn try_from(parts: Parts) -> Result<Schema, InvalidSchema> {
        Schema::new(parts.name, parts.primary_key, parts.properties)
    }
}

impl From<Schema> for Parts {
    fn from(schema: Schema) -> Parts {
        schema.0
    }
}
