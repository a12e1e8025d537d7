//! Objects as callers see them: by the names of the ontology.

use std::collections::BTreeMap;

use peerd_core::object::{Edited, ObjectKey, Provenance, Rid};
use peerd_core::ontology::{ApiName, ObjectType, PropertyId};
use peerd_core::security::{Levels, Security};
use peerd_core::value::{Malformed, Value};
use peerd_core::{EnrollmentId, SpaceId};

use super::stored::Stored;
use crate::{Error, Node};

/// Something of properties, by their names.
pub type Named<T> = BTreeMap<ApiName, T>;

/// The row of a backing source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Its values.
    pub properties: Named<Value>,
    /// The enrollment that owns the source.
    pub owner: EnrollmentId,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectView {
    /// Its type and primary key.
    pub key: ObjectKey,
    /// The name of the copy here.
    pub rid: Rid,
    /// What is seen of both lanes together. Empty when it is deleted.
    pub properties: Named<Value>,
    /// The row of its backing source, when it has one.
    pub source: Option<SourceView>,
    /// The edits in force.
    pub edits: Named<Edited>,
    /// Whether it was deleted or purged.
    pub deleted: bool,
    /// The enrollment it comes from.
    pub origin: EnrollmentId,
    /// Its classification and markings.
    pub security: Security,
    /// Which way the copy here came.
    pub provenance: Provenance,
}

/// Values under the names that the type has for them. What the type does not know is left out.
pub(super) fn named<T>(of: &ObjectType, values: impl IntoIterator<Item = (PropertyId, T)>) -> Named<T> {
    let name = |id| of.property(id).map(|property| property.name.clone());
    values
        .into_iter()
        .filter_map(|(id, value)| Some((name(id)?, value)))
        .collect()
}

/// Stored bytes that do not decode.
pub(super) fn damaged(error: Malformed) -> Error {
    peerd_store::Error::Corrupt {
        what: String::from("an object"),
        source: Some(error.into()),
    }
    .into()
}

impl Node {
    /// The object as a caller sees it; `None` when there is nothing to see, neither alive nor deleted.
    pub(super) fn view_object(
        &self,
        space: SpaceId,
        of: &ObjectType,
        key: &ObjectKey,
        stored: &Stored,
        levels: &Levels,
    ) -> Result<Option<ObjectView>, Error> {
        let state = &stored.state;
        let mut view = ObjectView {
            key: key.clone(),
            rid: Rid {
                enrollment: self.enrollment_id(),
                space,
                key: key.clone(),
            },
            properties: Named::new(),
            source: None,
            edits: Named::new(),
            deleted: state.is_deleted(),
            origin: state.origin(),
            security: state.security(levels),
            provenance: stored.provenance,
        };
        let Some(seen) = state.view(of).map_err(damaged)? else {
            return Ok(view.deleted.then_some(view));
        };
        let values = |properties: &peerd_core::value::Properties| {
            let values = properties.iter().map(|(id, value)| (id, value.clone()));
            named(of, values)
        };
        view.properties = values(&seen.properties);
        view.edits = named(of, seen.edits);
        let row = seen.source.as_ref().zip(state.source());
        view.source = row.map(|(row, source)| SourceView {
            properties: values(row),
            owner: source.owner,
        });
        Ok(Some(view))
    }
}
