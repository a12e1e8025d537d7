//! Which lanes of which types flow which way, from what both sides said.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mapping, MappingError, Sharing, TypeShare, common};
use crate::artifact;
use crate::object::Lanes;
use crate::ontology::{ApiName, Ontology, PropertyId};

/// What this side of a connection has to say.
#[derive(Clone, Copy, Debug)]
pub struct OurSide<'a> {
    /// What it tells the other side.
    pub sharing: &'a Sharing,
    /// Its mappings; of several for one type the first counts.
    pub mappings: &'a [Mapping],
    /// The ontology of its space.
    pub ontology: &'a Ontology,
}

/// A type of ours that goes out, in our own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The lanes that go.
    pub lanes: Lanes,
    /// The properties that go; no other may be named to the other side.
    pub properties: BTreeSet<PropertyId>,
}

/// A type of theirs that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The lanes that come.
    pub lanes: Lanes,
    /// How it is translated.
    pub mapping: Mapping,
}

/// What flows. What is not in here does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// By our type name.
    pub exports: BTreeMap<ApiName, Export>,
    /// By their type name.
    pub imports: BTreeMap<ApiName, Import>,
    /// Their types that would come in if they could be mapped, and why they cannot.
    pub blocked: BTreeMap<ApiName, MappingError>,
    /// Our types that would go out if the other side could take them as they are.
    pub unfit: BTreeSet<ApiName>,
}

/// Combines what both sides said.
pub fn flows(ours: OurSide<'_>, theirs: &Sharing) -> Flows {
    let mut flows = Flows::default();
    for name in ours.sharing.types.keys() {
        match export(ours, theirs, name) {
            Some(_) if theirs.unfit.contains(name) => drop(flows.unfit.insert(name.clone())),
            Some(export) => drop(flows.exports.insert(name.clone(), export)),
            None => {}
        }
    }
    for name in theirs.types.keys() {
        match import(ours, theirs, name) {
            Ok(Some(import)) => drop(flows.imports.insert(name.clone(), import)),
            Ok(None) => {}
            Err(why) => drop(flows.blocked.insert(name.clone(), why)),
        }
    }
    flows
}

fn export(ours: OurSide<'_>, theirs: &Sharing, name: &ApiName) -> Option<Export> {
    let share = ours.sharing.types.get(name).filter(|share| share.export)?;
    let chosen = ours.mappings.iter().find(|mapping| mapping.local_type == *name);
    let offered = chosen.map_or(Lanes::BOTH, |mapping| mapping.export);
    let (taken, wanted): (Lanes, BTreeSet<PropertyId>) = if let Some(wanted) = theirs.wanted.get(name) {
        (wanted.lanes, wanted.properties.clone())
    } else {
        let same_name = theirs.types.get(name).filter(|share| share.import)?;
        let pairs = common(share.schema.properties(), same_name.schema.properties());
        (Lanes::BOTH, pairs.iter().map(|pair| pair.local).collect())
    };
    let lanes = offered.and(taken).and(lanes_of(name));
    // Ours as well: a wish for a property that was never published gets nothing, not even an error.
    let properties: BTreeSet<PropertyId> = wanted
        .into_iter()
        .filter(|id| share.schema.property(*id).is_some())
        .collect();
    let keyed = properties.contains(&share.schema.primary_key());
    (lanes.any() && keyed).then_some(Export { lanes, properties })
}

/// The lanes that a type has at all.
fn lanes_of(name: &ApiName) -> Lanes {
    if name.as_str() == artifact::TYPE {
        artifact::LANES
    } else {
        Lanes::BOTH
    }
}

/// The types of theirs that we would take and cannot as they are: what they are told of it.
pub fn unfit(ours: OurSide<'_>, theirs: &Sharing) -> BTreeSet<ApiName> {
    let names = theirs.types.keys();
    names
        .filter(|name| import(ours, theirs, name).is_err())
        .cloned()
        .collect()
}

/// The lanes that mappings leave to types that would go out on both: what the other side is told of it.
pub fn held_to(mappings: &[Mapping], types: &BTreeMap<ApiName, TypeShare>) -> BTreeMap<ApiName, Lanes> {
    let held = |name: &ApiName| {
        let chosen = mappings.iter().find(|mapping| mapping.local_type == *name)?;
        (chosen.export != Lanes::BOTH).then(|| (name.clone(), chosen.export))
    };
    let exported = types.iter().filter(|(_, share)| share.export);
    exported.filter_map(|(name, _)| held(name)).collect()
}

fn import(ours: OurSide<'_>, theirs: &Sharing, name: &ApiName) -> Result<Option<Import>, MappingError> {
    let offered = theirs.offers(name);
    let Some(share) = theirs.types.get(name).filter(|_| offered.any()) else {
        return Ok(None);
    };
    let here = |name: &ApiName| {
        ours.ontology
            .feed_type(name.as_str())
            .ok_or_else(|| MappingError::Unknown(format!("object type {name}")))
    };
    let mapping = if let Some(chosen) = ours.mappings.iter().find(|one| one.remote_type == *name) {
        // A type shared without import permission takes nothing in, whatever is mapped to it.
        let shared = ours.sharing.types.get(&chosen.local_type);
        if shared.is_some_and(|share| !share.import) {
            return Ok(None);
        }
        let renamed = ours
            .mappings
            .iter()
            .map(|one| (one.remote_type.clone(), one.local_type.clone()))
            .collect();
        chosen.check(&*here(&chosen.local_type)?, &share.schema, &renamed)?;
        chosen.clone()
    } else if ours.sharing.types.get(name).is_some_and(|share| share.import) {
        // The local type is mapped to another of theirs: then it is not also this one.
        if ours.mappings.iter().any(|one| one.local_type == *name) {
            return Ok(None);
        }
        let mut mapping = Mapping::by_equal_names(&*here(name)?, &share.schema)?;
        // Of what is built in, only what is published is for others to write.
        let published = |id| {
            ours.sharing
                .types
                .get(name)
                .is_some_and(|share| share.schema.property(id).is_some())
        };
        mapping.properties.retain(|pair| published(pair.local));
        mapping
    } else {
        return Ok(None);
    };
    let lanes = mapping.import.and(offered).and(lanes_of(name));
    Ok(lanes.any().then_some(Import { lanes, mapping }))
}
