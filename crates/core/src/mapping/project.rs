//! An object that is here, in the words of the side it came from.

use std::collections::BTreeMap;

use super::Import;
use crate::EnrollmentId;
use crate::object::{Lanes, ObjectState};
use crate::ontology::PropertyId;
use crate::value::Malformed;

/// Turns back what [`translate`](super::translate()) did: of an object here, the part that the other side could have
/// sent, under its numbers. A copy that nobody changed here is again, byte for byte, what came.
#[derive(Clone, Debug)]
pub struct Projection {
    lanes: Lanes,
    /// By our number.
    numbers: BTreeMap<PropertyId, PropertyId>,
    me: EnrollmentId,
}

impl Projection {
    /// The way back of an import of this enrollment.
    pub fn of(import: &Import, me: EnrollmentId) -> Projection {
        let pairs = import.mapping.properties.iter();
        Projection {
            lanes: import.lanes.and(import.mapping.import),
            numbers: pairs.map(|pair| (pair.local, pair.remote)).collect(),
            me,
        }
    }

    /// The part of an object that could have come. A row of our own source could not.
    pub fn part(&self, state: &ObjectState) -> Result<ObjectState, Malformed> {
        let ours = state.source().is_some_and(|source| source.owner == self.me);
        let lanes = Lanes {
            source: self.lanes.source && !ours,
            ..self.lanes
        };
        let (part, _) = state.restricted(lanes, |id| self.numbers.get(&id).copied())?;
        Ok(part)
    }
}
