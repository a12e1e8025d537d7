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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Mapping, translate};
    use crate::object::{Hlc, ObjectKey};
    use crate::ontology::{Ontology, OntologyFile, Schema};
    use crate::value::{Properties, Row, Value};

    const ME: EnrollmentId = EnrollmentId::from_bytes([1; 32]);
    const PEER: EnrollmentId = EnrollmentId::from_bytes([2; 32]);

    fn ontology(properties: &str) -> Ontology {
        let file = format!(
            r#"{{"object_types": [{{"name": "airport", "primary_key": "faa", "properties": {{{properties}}}}}]}}"#
        );
        let file: OntologyFile = serde_json::from_str(&file).expect("a file");
        Ontology::try_from(&file).expect("an ontology")
    }

    fn loaded(owner: EnrollmentId, values: [(u16, &str); 2]) -> ObjectState {
        let hlc = Hlc::new(5, 0).expect("in range");
        let values = values.map(|(id, text)| (PropertyId(id), Value::String(text.into())));
        let row = Row::of(&Properties::from_iter(values)).expect("small");
        let mut state = ObjectState::blank(hlc, owner);
        state.load_row(row, hlc, owner).expect("own");
        state
    }

    #[test]
    fn what_was_translated_is_turned_back_byte_for_byte_and_our_own_row_is_left_out() {
        let here =
            ontology(r#""faa": "string", "note": {"type": "string", "nullable": true}, "name": "string""#);
        let there = ontology(r#""name": "string", "faa": "string""#);
        let local = here.object_type("airport").expect("a type");
        let remote = Schema::of(there.object_type("airport").expect("a type"));
        let mapping = Mapping::by_equal_names(local, &remote).expect("maps");
        let (name, faa) = (remote.named("name").expect("a name").id, remote.primary_key());
        let sent = loaded(PEER, [(name.0, "Newark"), (faa.0, "EWR")]);
        let key = ObjectKey::new(local.name.clone(), "EWR").expect("a key");
        let came = translate(&key, &sent, &mapping, Lanes::BOTH, local, (ME, None)).expect("translated");
        assert_ne!(came.state.encode(), sent.encode(), "other numbers");
        let import = Import {
            lanes: Lanes::BOTH,
            mapping,
        };
        let projection = Projection::of(&import, ME);
        let back = projection.part(&came.state).expect("small");
        assert_eq!(back.encode(), sent.encode());
        let ours = loaded(ME, [(local.primary_key.0, "EWR"), (2, "a note")]);
        assert!(projection.part(&ours).expect("small").is_hollow());
    }
}
