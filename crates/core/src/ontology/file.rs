//! The shape of an ontology file, for any serde format. What it means is checked in `build`.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ApiName, ObjectType};
use crate::name::Title;

/// An ontology as a person writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OntologyFile {
    /// The object types.
    pub object_types: Vec<ObjectTypeFile>,
    /// The link types.
    #[serde(default)]
    pub link_types: Vec<LinkTypeFile>,
}

/// One object type of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectTypeFile {
    /// The api name.
    pub name: ApiName,
    /// What people call it.
    #[serde(default)]
    pub title: Option<Title>,
    /// The name of the property that identifies an object.
    pub primary_key: ApiName,
    /// `user-edits-win` (the default) or `most-recent-value`.
    #[serde(default)]
    pub conflicts: Option<String>,
    /// The timestamp property that `most-recent-value` compares.
    #[serde(default)]
    pub timestamp: Option<ApiName>,
    /// The properties, in the order of the file.
    pub properties: PropertyFiles,
}

/// One link type of a file: `foreign-key` with `from` and `to`, `many-to-many` with `between`, or `object-backed` with
/// `via`, `from` and `to`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkTypeFile {
    /// The api name.
    pub name: ApiName,
    /// `foreign-key`, `many-to-many` or `object-backed`.
    pub kind: String,
    /// The `type.property` that holds the key; of an object-backed link, the reference to one end.
    #[serde(default)]
    pub from: Option<String>,
    /// The type whose key it holds; of an object-backed link, the reference to the other end.
    #[serde(default)]
    pub to: Option<ApiName>,
    /// The two types of a many-to-many link.
    #[serde(default)]
    pub between: Option<[ApiName; 2]>,
    /// The type whose objects are the links of an object-backed link type.
    #[serde(default)]
    pub via: Option<ApiName>,
}

/// Properties or struct fields by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyFiles(pub Vec<(ApiName, PropertyFile)>);

/// The type of one property: `faa: string`, or `alt: {type: integer, nullable: true}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertyFile {
    /// The name of the type, not yet looked up.
    pub of: String,
    /// Whether there may be no value.
    pub nullable: bool,
    /// The type of an array's items.
    pub items: Option<Box<PropertyFile>>,
    /// The type that a reference names.
    pub to: Option<ApiName>,
    /// The fields of a struct.
    pub fields: Option<PropertyFiles>,
}

/// The long form of a property.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongForm {
    #[serde(rename = "type")]
    of: String,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    items: Option<Box<PropertyFile>>,
    #[serde(default)]
    to: Option<ApiName>,
    #[serde(default)]
    fields: Option<PropertyFiles>,
}

// By hand instead of an untagged enum: that would swallow the message about what is wrong inside the long form.
impl<'de> Deserialize<'de> for PropertyFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PropertyFile, D::Error> {
        deserializer.deserialize_any(PropertyVisitor)
    }
}

struct PropertyVisitor;

impl<'de> Visitor<'de> for PropertyVisitor {
    type Value = PropertyFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a type, or {type: …, nullable: …}")
    }

    fn visit_str<E: serde::de::Error>(self, of: &str) -> Result<PropertyFile, E> {
        Ok(PropertyFile {
            of: of.to_owned(),
            ..PropertyFile::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PropertyFile, A::Error> {
        let LongForm {
            of,
            nullable,
            items,
            to,
            fields,
        } = LongForm::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PropertyFile {
            of,
            nullable,
            items,
            to,
            fields,
        })
    }
}

impl<'de> Deserialize<'de> for PropertyFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PropertyFiles, D::Error> {
        deserializer.deserialize_map(PropertiesVisitor)
    }
}

struct PropertiesVisitor;

impl<'de> Visitor<'de> for PropertiesVisitor {
    type Value = PropertyFiles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of property names to types")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PropertyFiles, A::Error> {
        let mut properties: Vec<(ApiName, PropertyFile)> = Vec::new();
        while let Some(name) = map.next_key::<ApiName>()? {
            if properties.len() == ObjectType::PROPERTIES_MAX {
                let max = ObjectType::PROPERTIES_MAX;
                return Err(A::Error::custom(format_args!("more than {max} properties")));
            }
            if properties.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("property {name} is named twice")));
            }
            properties.push((name, map.next_value()?));
        }
        Ok(PropertyFiles(properties))
    }
}
