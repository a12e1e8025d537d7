//! What applying a file would come to, told before anything is written.

use std::fmt;

use super::evolve::{grown, kept};
use super::{ApiName, ApplyError, Incompatible, ObjectType, Ontology, OntologyFile, PropertyType};

/// One thing that a file would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new object type, with so many properties.
    TypeAdded(ApiName, usize),
    /// A new property of a type that is there.
    PropertyAdded(ApiName, ApiName, PropertyType),
    /// A property may be without a value from then on.
    BecomesNullable(ApiName, ApiName),
    /// A type has another title, or none.
    Retitled(ApiName),
    /// Of a type whose lanes differ, readers see another value.
    ConflictsChanged(ApiName),
    /// A new link type.
    LinkTypeAdded(ApiName),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::TypeAdded(name, count) => write!(f, "object type {name} is new, with {count} properties"),
            Change::PropertyAdded(of, name, kind) => write!(f, "{of}.{name} is new, of type {kind}"),
            Change::BecomesNullable(of, name) => write!(f, "{of}.{name} may be without a value"),
            Change::Retitled(name) => write!(f, "object type {name} has another title"),
            Change::ConflictsChanged(name) => write!(f, "{name}: what readers see where values differ"),
            Change::LinkTypeAdded(name) => write!(f, "link type {name} is new"),
        }
    }
}

/// What applying a file would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The revision afterwards; the one that is there when nothing would change or all is refused.
    pub revision: u64,
    /// What would change, as far as it could be told. With any refusal nothing is applied.
    pub changes: Vec<Change>,
    /// Why the file is refused: everything that can be told at once.
    pub refusals: Vec<ApplyError>,
}

impl Ontology {
    /// What [`Ontology::evolve`] would come to with this file.
    pub fn preview(&self, file: &OntologyFile) -> Preview {
        match self.evolve(file) {
            Ok(next) => Preview {
                revision: next.revision,
                changes: self.changes_to(&next),
                refusals: Vec::new(),
            },
            Err(first) => {
                let next = Ontology::try_from(file);
                let changes = next.as_ref().map(|next| self.changes_to(next));
                let mut refusals = next.as_ref().map(|next| self.refusals(next)).unwrap_or_default();
                // What is not about single types is told as `evolve` tells it: the first of it.
                if refusals.is_empty() {
                    refusals.push(first);
                }
                Preview {
                    revision: self.revision,
                    changes: changes.unwrap_or_default(),
                    refusals,
                }
            }
        }
    }

    fn changes_to(&self, next: &Ontology) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, new) in &next.object_types {
            match self.object_types.get(name) {
                Some(old) => changes_of(old, new, &mut changes),
                None => changes.push(Change::TypeAdded(name.clone(), new.properties.len())),
            }
        }
        let links = next.link_types.keys();
        let new = links.filter(|name| !self.link_types.contains_key(*name));
        changes.extend(new.map(|name| Change::LinkTypeAdded(name.clone())));
        changes
    }

    /// Everything that single types stand in the way of.
    fn refusals(&self, next: &Ontology) -> Vec<ApplyError> {
        let mut refusals: Vec<Incompatible> = Vec::new();
        for (name, old) in &self.object_types {
            let Some(new) = next.object_types.get(name) else {
                refusals.push(Incompatible::ObjectTypeRemoved(name.clone()));
                continue;
            };
            let before = refusals.len();
            let properties = old.properties.iter();
            refusals.extend(properties.filter_map(|property| kept(old, property, new).err()));
            let added = new.properties.iter();
            let added = added.filter(|one| !one.nullable && old.named(one.name.as_str()).is_none());
            refusals.extend(added.map(|one| Incompatible::MustBeNullable {
                object_type: name.clone(),
                property: one.name.clone(),
            }));
            if refusals.len() == before {
                refusals.extend(grown(old, new).err());
            }
        }
        let links = self.link_types.keys();
        let gone = links.filter(|name| !next.link_types.contains_key(*name));
        refusals.extend(gone.map(|name| Incompatible::LinkTypeChanged(name.clone())));
        refusals.into_iter().map(ApplyError::from).collect()
    }
}

fn changes_of(old: &ObjectType, new: &ObjectType, changes: &mut Vec<Change>) {
    let name = &new.name;
    for property in &new.properties {
        let at = (name.clone(), property.name.clone());
        match old.named(property.name.as_str()) {
            None => changes.push(Change::PropertyAdded(at.0, at.1, property.of.clone())),
            Some(before) if property.nullable && !before.nullable => {
                changes.push(Change::BecomesNullable(at.0, at.1));
            }
            Some(_) => {}
        }
    }
    if old.title != new.title {
        changes.push(Change::Retitled(name.clone()));
    }
    let same = std::mem::discriminant(&old.conflicts) == std::mem::discriminant(&new.conflicts);
    if !same || old.decides() != new.decides() {
        changes.push(Change::ConflictsChanged(name.clone()));
    }
}

impl ObjectType {
    /// The name of the property whose time decides where values differ, if one does.
    fn decides(&self) -> Option<&ApiName> {
        match self.conflicts {
            super::Conflicts::MostRecentValue { timestamp } => self.property(timestamp).map(|it| &it.name),
            super::Conflicts::UserEditsWin => None,
        }
    }
}
