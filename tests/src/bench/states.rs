//! The states that a load of rows makes, without a node.

use anyhow::Context as _;
use peerd_core::object::{Hlc, ObjectState};
use peerd_core::ontology::{ObjectType, Ontology, OntologyFile};
use peerd_core::value::{Properties, Row};
use peerd_core::{EnrollmentId, Time};

use super::rows::{Rows, TYPES, lines};

/// The type of the rows.
pub fn object_type(rows: &Rows) -> anyhow::Result<ObjectType> {
    let file: OntologyFile = serde_json::from_str(&rows.ontology())?;
    let ontology = Ontology::try_from(&file)?;
    Ok(ontology.object_type(TYPES[0]).context("a type")?.clone())
}

/// The states of a file's rows, written at that time. No cell of it is null.
pub fn states(
    rows: &Rows,
    file: &std::path::Path,
    owner: EnrollmentId,
    at: Time,
) -> anyhow::Result<Vec<ObjectState>> {
    let of = object_type(rows)?;
    let hlc = Hlc::at(at);
    let mut states = Vec::new();
    for line in lines(file)? {
        let line = line?;
        let mut properties = Properties::default();
        for ((name, ..), cell) in rows.columns.iter().zip(line.split(',')) {
            let property = of.named(name).context("a property")?;
            properties.insert(property.id, property.of.parse_text(cell)?);
        }
        let mut state = ObjectState::blank(hlc, owner);
        state.load_row(Row::of(&properties)?, hlc, owner)?;
        states.push(state);
    }
    Ok(states)
}
