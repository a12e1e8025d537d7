//! How an ontology changes: it grows. Objects that exist must stay readable under the numbers they were stored with.

use super::{
    ApiName, Conflicts, InvalidOntology, ObjectType, Ontology, OntologyFile, Property, PropertyId,
    PropertyType,
};

/// Why a file cannot replace the ontology that is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is not a valid ontology by itself.
    #[error(transparent)]
    Invalid(#[from] InvalidOntology),
    /// It would break what exists.
    #[error(transparent)]
    Incompatible(#[from] Incompatible),
}

/// A change that would make objects that exist unreadable or incomplete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// An object type is no longer there.
    #[error("object type {0} cannot be removed")]
    ObjectTypeRemoved(ApiName),
    /// A link type is no longer there, or links something else.
    #[error("link type {0} cannot be removed or changed")]
    LinkTypeChanged(ApiName),
    /// A property is no longer there.
    #[error("{object_type}.{property} cannot be removed")]
    PropertyRemoved {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
    },
    /// A property has another type.
    #[error("{object_type}.{property} is {from} and cannot become {to}")]
    TypeChanged {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
        /// Its type now.
        from: PropertyType,
        /// The type asked for.
        to: PropertyType,
    },
    /// A property may no longer be null, or a new one may not: objects that exist would not fit.
    #[error("{object_type}.{property} must be nullable, because objects without it may exist")]
    MustBeNullable {
        /// The object type.
        object_type: ApiName,
        /// The property.
        property: ApiName,
    },
    /// Another property identifies the objects.
    #[error("the primary key of {0} cannot change")]
    PrimaryKeyChanged(ApiName),
    /// All numbers are given away.
    #[error("{0} has no property numbers left")]
    NumbersExhausted(ApiName),
}

impl Ontology {
    /// The ontology after a file is applied to this one.
    ///
    /// Allowed: new object types and link types, new nullable properties, properties that become nullable, titles, and
    /// what readers see where lanes differ. Properties keep their numbers, new ones get the next. A file that changes
    /// nothing gives back the same ontology with the same revision.
    ///
    /// Link types are added and never removed nor changed: objects say by their properties, or by being there, what they
    /// link, and would say something else. What may change is what a link type does not say: the order of the file, and
    /// properties beside those it names. An object type and a link type of one name would have one feed, so a name is
    /// used once; only where both were there before that was a rule they stay, and the link type has no links.
    pub fn evolve(&self, file: &OntologyFile) -> Result<Ontology, ApplyError> {
        let mut next = Ontology::try_from(file)?;
        for (name, old) in &self.object_types {
            let new = next
                .object_types
                .get_mut(name)
                .ok_or_else(|| Incompatible::ObjectTypeRemoved(name.clone()))?;
            *new = grown(old, new)?;
        }
        // Numbers changed above, and a foreign key names its property by number.
        next.renumber_links(file)?;
        for (name, old) in &self.link_types {
            if next.link_types.get(name) != Some(old) {
                return Err(Incompatible::LinkTypeChanged(name.clone()).into());
            }
        }
        let clashes = |name: &&ApiName| {
            let before = self.object_types.contains_key(*name) && self.link_types.contains_key(*name);
            next.object_types.contains_key(*name) && !before
        };
        if let Some(twice) = next.link_types.keys().find(clashes) {
            return Err(InvalidOntology::Twice(twice.clone()).into());
        }
        next.revision = self.revision;
        if next != *self {
            next.revision = self.revision + 1;
        }
        Ok(next)
    }

    fn renumber_links(&mut self, file: &OntologyFile) -> Result<(), InvalidOntology> {
        for written in &file.link_types {
            let link = super::build::link_type(written, &self.object_types)?;
            self.link_types.insert(link.name.clone(), link);
        }
        Ok(())
    }
}

/// The new form of a type with the numbers of the old one.
pub(super) fn grown(old: &ObjectType, new: &ObjectType) -> Result<ObjectType, Incompatible> {
    let mut properties = Vec::with_capacity(new.properties.len());
    for before in &old.properties {
        properties.push(kept(old, before, new)?);
    }
    let mut last = old.properties.last().map_or(0, |p| p.id.0);
    for added in &new.properties {
        if old.named(added.name.as_str()).is_some() {
            continue;
        }
        if !added.nullable {
            return Err(Incompatible::MustBeNullable {
                object_type: old.name.clone(),
                property: added.name.clone(),
            });
        }
        last = last
            .checked_add(1)
            .ok_or_else(|| Incompatible::NumbersExhausted(old.name.clone()))?;
        let mut numbered = added.clone();
        numbered.id = PropertyId(last);
        properties.push(numbered);
    }
    let renumbered = |id: PropertyId| {
        let name = new.property(id).map(|p| &p.name);
        properties
            .iter()
            .find(|p| Some(&p.name) == name)
            .map_or(id, |p| p.id)
    };
    let primary_key = renumbered(new.primary_key);
    if primary_key != old.primary_key {
        return Err(Incompatible::PrimaryKeyChanged(old.name.clone()));
    }
    let conflicts = match new.conflicts {
        Conflicts::MostRecentValue { timestamp } => Conflicts::MostRecentValue {
            timestamp: renumbered(timestamp),
        },
        win @ Conflicts::UserEditsWin => win,
    };
    Ok(ObjectType {
        name: new.name.clone(),
        title: new.title.clone(),
        primary_key,
        conflicts,
        properties,
        ends: None,
    })
}

/// The new form of a property that was there before, under its old number.
pub(super) fn kept(old: &ObjectType, before: &Property, new: &ObjectType) -> Result<Property, Incompatible> {
    let (object_type, property) = (old.name.clone(), before.name.clone());
    let Some(after) = new.named(before.name.as_str()) else {
        return Err(Incompatible::PropertyRemoved {
            object_type,
            property,
        });
    };
    if after.of != before.of {
        return Err(Incompatible::TypeChanged {
            object_type,
            property,
            from: before.of.clone(),
            to: after.of.clone(),
        });
    }
    if before.nullable && !after.nullable {
        return Err(Incompatible::MustBeNullable {
            object_type,
            property,
        });
    }
    Ok(Property {
        id: before.id,
        ..after.clone()
    })
}
