//! What spaces hold: ontologies, and the index of conflicts. Objects have a form of their own, see the node.

use peerd_core::object::ObjectKey;
use peerd_core::ontology::Ontology;
use peerd_core::{ConflictId, SpaceId};
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

/// The ontology of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceOntology {
    /// The space.
    pub space: SpaceId,
    /// Its ontology.
    pub ontology: Ontology,
}

impl Record for SpaceOntology {
    const TABLE: Table = Table::Ontologies;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.space.as_bytes().to_vec()
    }
}

/// Where a conflict is found. The conflict itself is a part of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictEntry {
    /// The space.
    pub space: SpaceId,
    /// The conflict.
    pub conflict: ConflictId,
    /// The object that has it.
    pub object: ObjectKey,
}

impl ConflictEntry {
    /// The key of this conflict in this space.
    pub fn key_of(space: SpaceId, conflict: ConflictId) -> Vec<u8> {
        [space.as_bytes().as_slice(), conflict.as_bytes()].concat()
    }
}

impl Record for ConflictEntry {
    const TABLE: Table = Table::Conflicts;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        ConflictEntry::key_of(self.space, self.conflict)
    }
}
