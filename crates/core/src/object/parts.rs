//! The parts of a state, for forms other than the canonical one to be written from and read into.

use std::collections::BTreeMap;

use super::{Dot, Life, ObjectState, Register, SourceRow, VersionVector, Write};
use crate::ontology::PropertyId;
use crate::security::Security;
use crate::value::Malformed;

/// Everything that a state is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateParts {
    /// The earliest write that is known.
    pub origin: Dot,
    /// The purge, if there was one.
    pub purged: Option<Dot>,
    /// Whether users created or deleted it.
    pub life: Life,
    /// The source row.
    pub source: Option<SourceRow>,
    /// The register of each property that was ever edited.
    pub edits: BTreeMap<PropertyId, Register<Write>>,
    /// Classification and markings.
    pub security: Register<Security>,
}

impl StateParts {
    /// The state of these parts, in canonical bytes. Refuses what no state says.
    pub fn encode(self) -> Result<Vec<u8>, Malformed> {
        let StateParts {
            origin,
            purged,
            life,
            source,
            edits,
            security,
        } = self;
        let state = ObjectState {
            origin,
            purged,
            life,
            source,
            edits,
            security,
        };
        state.within_limits()?;
        let bytes = state.encode();
        // What reads back as something else was no state.
        match ObjectState::decode(&bytes) {
            Ok(read) if read == state => Ok(bytes),
            Ok(_) => Err(Malformed::NotCanonical),
            Err(malformed) => Err(malformed),
        }
    }
}

impl ObjectState {
    /// The state, taken apart.
    pub fn into_parts(self) -> StateParts {
        let ObjectState {
            origin,
            purged,
            life,
            source,
            edits,
            security,
        } = self;
        StateParts {
            origin,
            purged,
            life,
            source,
            edits,
            security,
        }
    }
}

impl<T: Clone + Ord> Register<T> {
    /// A register of the writes that stand and of what else was seen.
    pub fn of(seen: VersionVector, writes: BTreeMap<Dot, T>) -> Register<T> {
        Register::from_parts(seen, writes)
    }

    /// The last write seen of each enrollment whose later ones the writes that stand do not show.
    pub fn seen_beyond(&self) -> Vec<Dot> {
        let mut implied = VersionVector::default();
        for (dot, _) in self.writes() {
            implied.record(dot);
        }
        self.seen().iter().filter(|seen| !implied.covers(seen)).collect()
    }
}
