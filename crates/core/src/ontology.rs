//! The schema of a space: object types with their properties, and link types between them.
//!
//! An ontology comes from a file ([`OntologyFile`]), is checked as a whole, and afterwards only grows
//! ([`Ontology::evolve`]): stored objects name their properties by number, and a number keeps its meaning for ever.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::artifact;
use crate::name::Title;

mod build;
mod carrier;
mod evolve;
mod file;
mod preview;
mod schema;
#[cfg(test)]
mod tests;

pub use build::InvalidOntology;
pub use carrier::Ends;
pub use evolve::{ApplyError, Incompatible};
pub use file::{LinkTypeFile, ObjectTypeFile, OntologyFile, PropertyFile, PropertyFiles};
pub use preview::{Change, Preview};
pub use schema::{Digest, InvalidSchema, Schema};

/// A text that is not an api name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an api name is 1 to 63 letters, digits and '_', and starts with a letter")]
pub struct InvalidApiName;

/// The name by which programs know an object type, a property, a struct field or a link type: ASCII letters, digits
/// and `_`, starting with a letter; at most 63. Upper and lower case are different.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiName(String);

impl ApiName {
    /// The longest api name, in bytes.
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiName {
    type Err = InvalidApiName;

    fn from_str(text: &str) -> Result<ApiName, InvalidApiName> {
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if starts && plain && text.len() <= ApiName::MAX {
            Ok(ApiName(text.to_owned()))
        } else {
            Err(InvalidApiName)
        }
    }
}

impl TryFrom<String> for ApiName {
    type Error = InvalidApiName;

    fn try_from(text: String) -> Result<ApiName, InvalidApiName> {
        text.parse()
    }
}

impl From<ApiName> for String {
    fn from(name: ApiName) -> String {
        name.0
    }
}

/// Lets maps keyed by api name be searched with a plain text.
impl std::borrow::Borrow<str> for ApiName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a property within its object type. Given once, in the order of appearance, and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PropertyId(pub u16);

/// What values a property can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PropertyType {
    /// UTF-8 text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A signed 32-bit number.
    Integer,
    /// A signed 64-bit number.
    Long,
    /// A finite 64-bit floating point number.
    Double,
    /// An exact decimal number of up to 28 digits.
    Decimal,
    /// A day of the calendar.
    Date,
    /// A point in time, to the microsecond.
    Timestamp,
    /// A latitude and a longitude in degrees (WGS 84).
    Geopoint,
    /// The primary key of an object of another type.
    Reference {
        /// The type of the object it names.
        to: ApiName,
    },
    /// The id of an Artifact.
    Artifact,
    /// A list of values of one type.
    Array(Box<PropertyType>),
    /// Named values, each of which may be absent.
    Struct(BTreeMap<ApiName, PropertyType>),
}

impl PropertyType {
    /// How deep arrays and structs may be nested: a plain value has depth 1.
    pub const DEPTH_MAX: usize = 4;

    /// How deep this type is nested.
    pub fn depth(&self) -> usize {
        match self {
            PropertyType::Array(items) => 1 + items.depth(),
            PropertyType::Struct(fields) => 1 + fields.values().map(PropertyType::depth).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// Whether a primary key may have this type: its text form is then exact and unique.
    pub const fn can_be_primary_key(&self) -> bool {
        matches!(
            self,
            PropertyType::String | PropertyType::Integer | PropertyType::Long
        )
    }
}

/// As an ontology file writes it, with the details of nested types in brackets.
impl fmt::Display for PropertyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            PropertyType::String => "string",
            PropertyType::Boolean => "boolean",
            PropertyType::Integer => "integer",
            PropertyType::Long => "long",
            PropertyType::Double => "double",
            PropertyType::Decimal => "decimal",
            PropertyType::Date => "date",
            PropertyType::Timestamp => "timestamp",
            PropertyType::Geopoint => "geopoint",
            PropertyType::Artifact => "artifact",
            PropertyType::Reference { to } => return write!(f, "reference to {to}"),
            PropertyType::Array(items) => return write!(f, "array of {items}"),
            PropertyType::Struct(fields) => {
                f.write_str("struct (")?;
                for (place, (name, of)) in fields.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {of}")?;
                }
                return f.write_str(")");
            }
        };
        f.write_str(word)
    }
}

/// One property of an object type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    /// Its number, under which values are stored and sent.
    pub id: PropertyId,
    /// Its name.
    pub name: ApiName,
    /// What values it can have.
    pub of: PropertyType,
    /// Whether an object may have no value for it.
    pub nullable: bool,
}

/// What a reader sees where a source row and a user edit differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflicts {
    /// The edit, always.
    UserEditsWin,
    /// The edit, unless the row's timestamp property is later than the edit.
    MostRecentValue {
        /// The timestamp property that says when the row was true.
        timestamp: PropertyId,
    },
}

/// A kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectType {
    /// Its api name.
    pub name: ApiName,
    /// What people call it.
    pub title: Option<Title>,
    /// The property that identifies an object.
    pub primary_key: PropertyId,
    /// What a reader sees where lanes differ.
    pub conflicts: Conflicts,
    /// The properties by ascending number.
    pub properties: Vec<Property>,
    /// Set where the objects are links: then what they link is their key. Never stored, see [`LinkType::carrier`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

impl ObjectType {
    /// The most properties a type can have.
    pub const PROPERTIES_MAX: usize = 1_000;

    /// The property with this number.
    pub fn property(&self, id: PropertyId) -> Option<&Property> {
        property(&self.properties, id)
    }

    /// The property with this name.
    pub fn named(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|p| p.name.as_str() == name)
    }
}

/// The property with this number among properties in ascending order of numbers.
fn property(properties: &[Property], id: PropertyId) -> Option<&Property> {
    let place = properties.binary_search_by_key(&id, |p| p.id).ok()?;
    properties.get(place)
}

/// How objects of two types are linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A property of one object holds the primary key of the other.
    ForeignKey {
        /// The type that has the property.
        from: ApiName,
        /// The property.
        property: PropertyId,
        /// The type it names.
        to: ApiName,
    },
    /// Any number of objects on both ends. The links are objects of a type of this name.
    ManyToMany {
        /// One end.
        left: ApiName,
        /// The other end; may be the same type.
        right: ApiName,
    },
    /// Objects of a type that says more about the link than what it links, by two references.
    ObjectBacked {
        /// The type of these objects.
        via: ApiName,
        /// Its reference to one end.
        from: PropertyId,
        /// Its reference to the other.
        to: PropertyId,
    },
}

/// A kind of link between objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkType {
    /// Its api name.
    pub name: ApiName,
    /// How it links.
    pub kind: LinkKind,
}

/// The schema of one space.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ontology {
    /// Grows by one with each change; zero is the empty ontology of a new space.
    pub revision: u64,
    /// The object types.
    pub object_types: BTreeMap<ApiName, ObjectType>,
    /// The link types.
    pub link_types: BTreeMap<ApiName, LinkType>,
}

impl Ontology {
    /// The most object types a space can have.
    pub const OBJECT_TYPES_MAX: usize = 1_000;
    /// The most link types a space can have.
    pub const LINK_TYPES_MAX: usize = 1_000;

    /// The object type with this name.
    pub fn object_type(&self, name: &str) -> Option<&ObjectType> {
        self.object_types.get(name)
    }

    /// What a peer may know of one type: that type and nothing else.
    pub fn schema_of(&self, name: &str) -> Option<Schema> {
        if name == artifact::TYPE {
            return artifact::schema();
        }
        self.feed_type(name).map(|of| Schema::of(&of))
    }
}
