//! What a mapping must be between two types: the one place that decides it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mapping, MappingError, Pair};
use crate::ontology::{ApiName, ObjectType, PropertyId, PropertyType, Schema};

/// Everything that is wrong with a mapping, pair by pair and then as a whole.
pub(super) fn problems(
    mapping: &Mapping,
    local: &ObjectType,
    remote: &Schema,
    renamed: &BTreeMap<ApiName, ApiName>,
) -> Vec<MappingError> {
    let mut problems = Vec::new();
    let mut seen = (BTreeSet::new(), BTreeSet::new());
    for pair in &mapping.properties {
        let unknown = |id: PropertyId| MappingError::Unknown(format!("property number {}", id.0));
        let (here, there) = match (local.property(pair.local), remote.property(pair.remote)) {
            (Some(here), Some(there)) => (here, there),
            (None, _) => {
                problems.push(unknown(pair.local));
                continue;
            }
            (_, None) => {
                problems.push(unknown(pair.remote));
                continue;
            }
        };
        if (seen.0.insert(here.id), seen.1.insert(there.id)) != (true, true) {
            problems.push(MappingError::Twice(here.name.clone()));
        } else if !equal(&here.of, &there.of, renamed) {
            problems.push(MappingError::TypesDiffer {
                property: here.name.clone(),
                local: here.of.clone(),
                remote: there.of.clone(),
            });
        }
    }
    let keys = Pair {
        local: local.primary_key,
        remote: remote.primary_key(),
    };
    if !mapping.properties.contains(&keys) {
        problems.push(MappingError::PrimaryKey);
    }
    // The key of a link says which end is which, and is the same on both sides.
    if local.ends.is_some() && mapping.properties.iter().any(|pair| pair.local != pair.remote) {
        problems.push(MappingError::Ends);
    }
    problems.extend(missing(mapping, local, remote));
    problems
}

/// What must have a value here and may have none. Only what comes in must be complete here.
fn missing(mapping: &Mapping, local: &ObjectType, remote: &Schema) -> Vec<MappingError> {
    let always = |id: PropertyId| {
        let pair = mapping.properties.iter().find(|pair| pair.local == id);
        pair.and_then(|pair| remote.property(pair.remote))
            .is_some_and(|property| !property.nullable)
    };
    let required = local
        .properties
        .iter()
        .filter(|property| !property.nullable && mapping.import.any());
    required
        .filter(|property| !always(property.id))
        .map(|property| MappingError::Required(property.name.clone()))
        .collect()
}

/// Whether two types have the same values, references being to types that mean the same.
fn equal(local: &PropertyType, remote: &PropertyType, renamed: &BTreeMap<ApiName, ApiName>) -> bool {
    match (local, remote) {
        (PropertyType::Reference { to: here }, PropertyType::Reference { to: there }) => {
            renamed.get(there).unwrap_or(there) == here
        }
        (PropertyType::Array(here), PropertyType::Array(there)) => equal(here, there, renamed),
        (PropertyType::Struct(here), PropertyType::Struct(there)) => {
            here.len() == there.len()
                && here
                    .iter()
                    .zip(there)
                    .all(|((a, here), (b, there))| a == b && equal(here, there, renamed))
        }
        (here, there) => here == there,
    }
}
