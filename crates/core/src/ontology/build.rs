//! From a file to an ontology: every name resolved, every limit checked.

use std::collections::BTreeMap;

use super::file::{ObjectTypeFile, OntologyFile, PropertyFile};
use super::{ApiName, Conflicts, ObjectType, Ontology, Property, PropertyId, PropertyType};
use crate::artifact;

mod link;

pub(super) use link::link_type;

/// Why a file is not an ontology. Each says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOntology {
    /// A property has a type that does not exist.
    #[error("{object_type}.{property}: unknown type \"{given}\"")]
    UnknownType {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
        /// What the file says.
        given: String,
    },
    /// A property's type lacks a detail, or has one that does not belong to it.
    #[error("{object_type}.{property}: {rule}")]
    TypeDetail {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
        /// What the rule is.
        rule: &'static str,
    },
    /// A reference or a link names an object type that does not exist.
    #[error("{place}: there is no object type {to}")]
    UnknownObjectType {
        /// Where it is named.
        place: String,
        /// The missing type.
        to: ApiName,
    },
    /// The primary key is missing, nullable or of a type that cannot be a key.
    #[error("{object_type}: primary key {property} must be a non-nullable string, integer or long property")]
    PrimaryKey {
        /// The object type.
        object_type: ApiName,
        /// What the file names as its key.
        property: ApiName,
    },
    /// The way conflicts are seen is unknown or lacks its timestamp property.
    #[error(
        "{object_type}: conflicts is user-edits-win, or most-recent-value with `timestamp` naming a timestamp property"
    )]
    Conflicts {
        /// The object type.
        object_type: ApiName,
    },
    /// A link type is not one of the three forms.
    #[error("link type {link_type}: {rule}")]
    Link {
        /// The link type.
        link_type: ApiName,
        /// What the rule is.
        rule: &'static str,
    },
    /// Two things have one name.
    #[error("{0} is named twice")]
    Twice(ApiName),
    /// It is the name of something that is built in, or may be one day.
    #[error("{0}: names that start with \"{prefix}\" are reserved", prefix = artifact::RESERVED_PREFIX)]
    Reserved(ApiName),
    /// More than allowed.
    #[error("there are at most {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

impl TryFrom<&OntologyFile> for Ontology {
    type Error = InvalidOntology;

    /// The ontology of a file that is applied to an empty space; numbers are given in the order of the file.
    fn try_from(file: &OntologyFile) -> Result<Ontology, InvalidOntology> {
        at_most(
            "object types",
            file.object_types.len(),
            Ontology::OBJECT_TYPES_MAX,
        )?;
        at_most("link types", file.link_types.len(), Ontology::LINK_TYPES_MAX)?;
        let object_names = file.object_types.iter().map(|written| &written.name);
        let mut names = object_names.chain(file.link_types.iter().map(|written| &written.name));
        if let Some(reserved) = names.find(|name| artifact::is_reserved(name.as_str())) {
            return Err(InvalidOntology::Reserved(reserved.clone()));
        }
        let mut object_types = BTreeMap::new();
        for written in &file.object_types {
            let built = object_type(written)?;
            if object_types.insert(built.name.clone(), built).is_some() {
                return Err(InvalidOntology::Twice(written.name.clone()));
            }
        }
        for of in object_types.values() {
            for property in &of.properties {
                resolves(&object_types, &of.name, property, &property.of)?;
            }
        }
        let mut link_types = BTreeMap::new();
        for written in &file.link_types {
            let built = link_type(written, &object_types)?;
            if link_types.insert(built.name.clone(), built).is_some() {
                return Err(InvalidOntology::Twice(written.name.clone()));
            }
        }
        Ok(Ontology {
            revision: 1,
            object_types,
            link_types,
        })
    }
}

fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), InvalidOntology> {
    if count > max {
        return Err(InvalidOntology::TooMany { what, max });
    }
    Ok(())
}

fn object_type(file: &ObjectTypeFile) -> Result<ObjectType, InvalidOntology> {
    at_most("properties", file.properties.0.len(), ObjectType::PROPERTIES_MAX)?;
    let mut properties: Vec<Property> = Vec::with_capacity(file.properties.0.len());
    for (id, (name, written)) in (1..).zip(&file.properties.0) {
        if properties.iter().any(|known| known.name == *name) {
            return Err(InvalidOntology::Twice(name.clone()));
        }
        properties.push(Property {
            id: PropertyId(id),
            name: name.clone(),
            of: nested_type(&file.name, name, written, 1)?,
            nullable: written.nullable,
        });
    }
    let find = |name: &ApiName| properties.iter().find(|p| p.name == *name);
    let primary_key = find(&file.primary_key)
        .filter(|p| p.of.can_be_primary_key() && !p.nullable)
        .map(|p| p.id)
        .ok_or_else(|| InvalidOntology::PrimaryKey {
            object_type: file.name.clone(),
            property: file.primary_key.clone(),
        })?;
    let timestamp = file.timestamp.as_ref().and_then(find);
    let conflicts = match (file.conflicts.as_deref(), &file.timestamp, timestamp) {
        (None | Some("user-edits-win"), None, _) => Conflicts::UserEditsWin,
        (Some("most-recent-value"), Some(_), Some(property)) if property.of == PropertyType::Timestamp => {
            Conflicts::MostRecentValue {
                timestamp: property.id,
            }
        }
        _ => {
            return Err(InvalidOntology::Conflicts {
                object_type: file.name.clone(),
            });
        }
    };
    Ok(ObjectType {
        name: file.name.clone(),
        title: file.title.clone(),
        primary_key,
        conflicts,
        properties,
        ends: None,
    })
}

/// The type at one level of nesting; `depth` stops a file that nests without end before the stack does.
fn nested_type(
    object_type: &ApiName,
    property: &ApiName,
    file: &PropertyFile,
    depth: usize,
) -> Result<PropertyType, InvalidOntology> {
    let wrong = |rule| InvalidOntology::TypeDetail {
        object_type: object_type.clone(),
        property: property.clone(),
        rule,
    };
    if depth > PropertyType::DEPTH_MAX {
        return Err(wrong("arrays and structs are nested at most four deep"));
    }
    let details = [file.items.is_some(), file.to.is_some(), file.fields.is_some()];
    let belongs = ["array", "reference", "struct"].map(|word| word == file.of);
    if details
        .iter()
        .zip(belongs)
        .any(|(given, belongs)| *given && !belongs)
    {
        return Err(wrong(
            "only array has items, only reference has to, only struct has fields",
        ));
    }
    Ok(match file.of.as_str() {
        "string" => PropertyType::String,
        "boolean" => PropertyType::Boolean,
        "integer" => PropertyType::Integer,
        "long" => PropertyType::Long,
        "double" => PropertyType::Double,
        "decimal" => PropertyType::Decimal,
        "date" => PropertyType::Date,
        "timestamp" => PropertyType::Timestamp,
        "geopoint" => PropertyType::Geopoint,
        "artifact" => PropertyType::Artifact,
        "reference" => {
            let to = file.to.clone().ok_or_else(|| wrong("a reference says `to`"))?;
            PropertyType::Reference { to }
        }
        "array" => {
            let items = file
                .items
                .as_ref()
                .ok_or_else(|| wrong("an array says its `items`"))?;
            PropertyType::Array(Box::new(nested_type(object_type, property, items, depth + 1)?))
        }
        "struct" => {
            let fields = file
                .fields
                .as_ref()
                .ok_or_else(|| wrong("a struct says its `fields`"))?;
            let mut built = BTreeMap::new();
            for (name, field) in &fields.0 {
                built.insert(
                    name.clone(),
                    nested_type(object_type, property, field, depth + 1)?,
                );
            }
            PropertyType::Struct(built)
        }
        given => {
            return Err(InvalidOntology::UnknownType {
                object_type: object_type.clone(),
                property: property.clone(),
                given: given.chars().take(ApiName::MAX).collect(),
            });
        }
    })
}

/// Every reference within a property's type names an object type of this ontology.
fn resolves(
    known: &BTreeMap<ApiName, ObjectType>,
    object_type: &ApiName,
    property: &Property,
    of: &PropertyType,
) -> Result<(), InvalidOntology> {
    match of {
        PropertyType::Reference { to } if !known.contains_key(to) => {
            Err(InvalidOntology::UnknownObjectType {
                place: format!("{object_type}.{}", property.name),
                to: to.clone(),
            })
        }
        PropertyType::Array(items) => resolves(known, object_type, property, items),
        PropertyType::Struct(fields) => fields
            .values()
            .try_for_each(|field| resolves(known, object_type, property, field)),
        _ => Ok(()),
    }
}
