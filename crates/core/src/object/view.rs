//! What a reader sees of an object.

use std::collections::BTreeMap;

use super::{Dot, ObjectState, SourceRow};
use crate::Time;
use crate::ontology::{Conflicts, ObjectType, PropertyId};
use crate::value::{EncodedValue, Malformed, Properties, Value};

/// A user edit as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The value; `None` where the edit took it away.
    pub value: Option<Value>,
    /// When and by which enrollment.
    pub by: Dot,
}

/// A live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What is seen of both lanes together.
    pub properties: Properties,
    /// The source row, if there is one.
    pub source: Option<Properties>,
    /// The edits of the present life, whether or not they are what is seen.
    pub edits: BTreeMap<PropertyId, Edited>,
}

impl ObjectState {
    /// The object as the type shows it; `None` when it is deleted, purged or not there. Properties that the type does
    /// not know are not shown.
    pub fn view(&self, of: &ObjectType) -> Result<Option<View>, Malformed> {
        if !self.is_live() {
            return Ok(None);
        }
        let known = |id: PropertyId| of.property(id).is_some();
        let source = self.shown_source();
        let row = source.map(|source| source.row.decode()).transpose()?;
        let as_of = source.map(|source| as_of(of, source)).transpose()?.flatten();
        let mut properties: Properties = row
            .iter()
            .flat_map(Properties::iter)
            .filter(|(id, _)| known(*id))
            .map(|(id, value)| (id, value.clone()))
            .collect();
        let mut edits = BTreeMap::new();
        for id in self.edits.keys().copied().filter(|id| known(*id)) {
            let Some((by, write)) = self.edit_of(id) else {
                continue;
            };
            let value = write.value.as_ref().map(EncodedValue::decode).transpose()?;
            if as_of.is_none_or(|row| by.hlc.time() >= row) {
                match &value {
                    Some(value) => properties.insert(id, value.clone()),
                    None => drop(properties.remove(id)),
                }
            }
            edits.insert(id, Edited { value, by });
        }
        Ok(Some(View {
            properties,
            source: row,
            edits,
        }))
    }
}

/// When the row was true, where the type compares that with the time of an edit. Without it the edit is seen.
fn as_of(of: &ObjectType, source: &SourceRow) -> Result<Option<Time>, Malformed> {
    let Conflicts::MostRecentValue { timestamp } = of.conflicts else {
        return Ok(None);
    };
    Ok(match source.row.value(timestamp)? {
        Some(Value::Timestamp(at)) => Some(at),
        _ => None,
    })
}
