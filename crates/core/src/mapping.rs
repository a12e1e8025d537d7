//! What flows over a connection, and under which names: sharing, mappings, and the translation of objects.
//!
//! Everything is denied that is not said. A type flows one way only when the exporting side shared it with export
//! permission, and the importing side either has a mapping for it or shared a type of the same name with import
//! permission; then the mapping is by equal names. [`flows`] combines both sides' words; [`translate`] turns what
//! arrives into local terms.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::object::Lanes;
use crate::ontology::{ApiName, Digest, ObjectType, Property, PropertyId, PropertyType, Schema};

mod check;
mod flows;
mod project;
#[cfg(test)]
mod tests;
mod translate;

pub use flows::{Export, Flows, Import, OurSide, flows, held_to, unfit};
pub use project::Projection;
pub use translate::{ItemRefusal, Translated, pass_plain, translate};

/// One type that a side made available on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeShare {
    /// The type's schema on the side that shares it; its digest shows drift.
    pub schema: Schema,
    /// Whether the other side may get its objects.
    pub export: bool,
    /// Whether objects of the other side may come in under it.
    pub import: bool,
}

/// What a mapping of one side tells the other: what it wants of one of the other's types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The lanes it takes.
    pub lanes: Lanes,
    /// The properties it takes, by the other side's numbers.
    pub properties: BTreeSet<PropertyId>,
}

/// What one side of a connection tells the other: the types it made available and what it wants of the other's.
///
/// Nothing of a type that is not in here is known to the other side. Exchanged whole, the greater revision counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// Grows with each change on the side that speaks.
    pub revision: u64,
    /// The types made available, by their name on the side that speaks.
    pub types: BTreeMap<ApiName, TypeShare>,
    /// What its mappings want, by the type's name on the side that listens.
    pub wanted: BTreeMap<ApiName, Wanted>,
    /// The types of the side that listens that it would take and cannot as they are: the schemas drifted apart. They are
    /// not to be sent until it says so no more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unfit: BTreeSet<ApiName>,
    /// The lanes that go out of types whose mapping holds some back; of any other shared type, both.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held_to: BTreeMap<ApiName, Lanes>,
}

impl Sharing {
    /// The most types and the most mappings on one connection; what a peer sends beyond is refused at the edge.
    pub const TYPES_MAX: usize = 1_000;

    /// Whether a peer's sharing is within limits and names each type as its schema does.
    pub fn is_sound(&self) -> bool {
        self.types.len() <= Sharing::TYPES_MAX
            && self.wanted.len() <= Sharing::TYPES_MAX
            && self.unfit.len() <= Sharing::TYPES_MAX
            && self.held_to.len() <= Sharing::TYPES_MAX
            && self.types.iter().all(|(name, share)| name == share.schema.name())
            && self
                .wanted
                .values()
                .all(|wanted| wanted.properties.len() <= ObjectType::PROPERTIES_MAX)
    }

    /// The lanes of one of its types that the side that speaks lets out.
    pub fn offers(&self, name: &ApiName) -> Lanes {
        match self.types.get(name) {
            Some(share) if share.export => self.held_to.get(name).copied().unwrap_or(Lanes::BOTH),
            _ => Lanes::default(),
        }
    }
}

/// Two properties that mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// Its number here.
    pub local: PropertyId,
    /// Its number on the other side.
    pub remote: PropertyId,
}

/// A local type and a remote one that mean the same, as the side that made the mapping sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The type here.
    pub local_type: ApiName,
    /// The type on the other side.
    pub remote_type: ApiName,
    /// Their properties, by ascending remote number; each number is there once.
    pub properties: Vec<Pair>,
    /// The lanes that may go out. Source data goes only one way.
    pub export: Lanes,
    /// The lanes that may come in.
    pub import: Lanes,
    /// The remote schema that the mapping was made for.
    pub remote_schema: Digest,
}

/// Why two types cannot be mapped. It names the property.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The type or property does not exist.
    #[error("there is no {0}")]
    Unknown(String),
    /// Two properties of different types.
    #[error("{property} is {local} here and {remote} there")]
    TypesDiffer {
        /// The local property.
        property: ApiName,
        /// Its type here.
        local: PropertyType,
        /// Its type there.
        remote: PropertyType,
    },
    /// The primary keys are not mapped to each other.
    #[error("the primary keys must be mapped to each other")]
    PrimaryKey,
    /// A local property must have a value, and nothing is mapped to it that always has one.
    #[error("{0} must have a value here, and the other side may have none for it")]
    Required(ApiName),
    /// A property is mapped twice.
    #[error("{0} is mapped twice")]
    Twice(ApiName),
    /// The ends of links are mapped to something else.
    #[error("links are mapped to links, end to end: link, left and right to the same there")]
    Ends,
    /// Source data was to flow both ways.
    #[error("source data flows one way: export, import or off")]
    SourceBothWays,
}

impl MappingError {
    /// The property of this side that it is about, if it is about one.
    pub fn property(&self) -> Option<&ApiName> {
        match self {
            MappingError::TypesDiffer { property, .. }
            | MappingError::Required(property)
            | MappingError::Twice(property) => Some(property),
            MappingError::Unknown(_)
            | MappingError::PrimaryKey
            | MappingError::Ends
            | MappingError::SourceBothWays => None,
        }
    }
}

impl Mapping {
    /// A mapping that somebody chose, property by property. `renamed` says which remote types are mapped to which local
    /// ones of another name, so that references to them are of one type.
    pub fn new(
        local: &ObjectType,
        remote: &Schema,
        pairs: impl IntoIterator<Item = (ApiName, ApiName)>,
        export: Lanes,
        import: Lanes,
        renamed: &BTreeMap<ApiName, ApiName>,
    ) -> Result<Mapping, MappingError> {
        let (mapping, problems) = Mapping::draft(local, remote, pairs, export, import, renamed);
        problems.into_iter().next().map_or(Ok(mapping), Err)
    }

    /// The same, with everything that is wrong with it rather than the first thing: for somebody who is still at it.
    pub fn draft(
        local: &ObjectType,
        remote: &Schema,
        pairs: impl IntoIterator<Item = (ApiName, ApiName)>,
        export: Lanes,
        import: Lanes,
        renamed: &BTreeMap<ApiName, ApiName>,
    ) -> (Mapping, Vec<MappingError>) {
        let mut problems = Vec::new();
        if export.source && import.source {
            problems.push(MappingError::SourceBothWays);
        }
        let mut properties = Vec::new();
        for (here, there) in pairs {
            match (local.named(here.as_str()), remote.named(there.as_str())) {
                (Some(local), Some(remote)) => properties.push(Pair {
                    local: local.id,
                    remote: remote.id,
                }),
                (None, _) => problems.push(MappingError::Unknown(format!("property {here}"))),
                (_, None) => problems.push(MappingError::Unknown(format!("property {there}"))),
            }
        }
        properties.sort_by_key(|pair| pair.remote);
        let mapping = Mapping {
            local_type: local.name.clone(),
            remote_type: remote.name().clone(),
            properties,
            export,
            import,
            remote_schema: remote.digest(),
        };
        problems.extend(check::problems(&mapping, local, remote, renamed));
        (mapping, problems)
    }

    /// The mapping of two types of which nothing is said: properties of equal name and type, both lanes, both ways.
    pub fn by_equal_names(local: &ObjectType, remote: &Schema) -> Result<Mapping, MappingError> {
        let properties = common(&local.properties, remote.properties());
        let mapping = Mapping {
            local_type: local.name.clone(),
            remote_type: remote.name().clone(),
            properties,
            export: Lanes::BOTH,
            import: Lanes::BOTH,
            remote_schema: remote.digest(),
        };
        mapping.check(local, remote, &BTreeMap::new())?;
        Ok(mapping)
    }

    /// Whether the mapping holds between these two: again after either of them changed. A schema that drifted in ways
    /// the mapping does not touch is fine.
    pub fn check(
        &self,
        local: &ObjectType,
        remote: &Schema,
        renamed: &BTreeMap<ApiName, ApiName>,
    ) -> Result<(), MappingError> {
        check::problems(self, local, remote, renamed)
            .into_iter()
            .next()
            .map_or(Ok(()), Err)
    }

    /// The local number of a remote property.
    pub fn local(&self, remote: PropertyId) -> Option<PropertyId> {
        let place = self
            .properties
            .binary_search_by_key(&remote, |pair| pair.remote)
            .ok()?;
        self.properties.get(place).map(|pair| pair.local)
    }

    /// What this mapping tells the other side.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            lanes: self.import,
            properties: self.properties.iter().map(|pair| pair.remote).collect(),
        }
    }
}

/// The properties of equal name and type, by ascending remote number.
fn common(local: &[Property], remote: &[Property]) -> Vec<Pair> {
    let by_name: BTreeMap<&ApiName, &Property> = local.iter().map(|p| (&p.name, p)).collect();
    remote
        .iter()
        .filter_map(|there| {
            let here = by_name.get(&there.name)?;
            (here.of == there.of).then_some(Pair {
                local: here.id,
                remote: there.id,
            })
        })
        .collect()
}
