//! Objects and conflicts as they are shown.

use std::collections::{BTreeMap, BTreeSet};

use peerd_wire::data::v1 as pb;
use serde::Serialize;
use serde_json::Value;

use super::value;
use crate::field::{optional, time};

/// An object as a list shows it.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    object_type: String,
    key: String,
    rid: String,
    properties: BTreeMap<String, Value>,
    deleted: bool,
    origin_enrollment_id: String,
    hops: u32,
    via_connection_id: Option<String>,
    classification: Option<String>,
    markings: Vec<String>,
}

/// An object with where its values come from.
#[derive(Debug, Serialize)]
pub(super) struct Object {
    #[serde(flatten)]
    summary: Summary,
    source: Option<BTreeMap<String, Value>>,
    source_enrollment_id: Option<String>,
    edits: BTreeMap<String, Edit>,
}

/// An edit in force, or one that lost.
#[derive(Debug, Serialize)]
struct Edit {
    value: Value,
    at: Option<String>,
    enrollment_id: String,
}

/// A value that lost against a concurrent edit.
#[derive(Debug, Serialize)]
pub(super) struct Conflict {
    conflict_id: String,
    object_type: String,
    key: String,
    property: String,
    winner: Option<Edit>,
    loser: Option<Edit>,
}

/// The columns of a list: the key, every property, the security.
pub(super) fn columns(items: &[Summary]) -> Vec<String> {
    let names: BTreeSet<&String> = items.iter().flat_map(|item| item.properties.keys()).collect();
    let mut columns = vec!["key".to_owned()];
    // A name with a dot would be read as a path; the ontology has none.
    columns.extend(names.into_iter().map(|name| format!("properties.{name}")));
    columns.extend(["classification".to_owned(), "markings".to_owned()]);
    columns
}

/// Takes an object apart; a list drops what only `object get` shows.
fn parts(object: pb::Object) -> (Summary, Option<pb::SourceRow>, BTreeMap<String, pb::Edit>) {
    let pb::Object {
        object_type,
        key,
        rid,
        properties,
        source,
        edits,
        deleted,
        origin_enrollment_id,
        classification,
        markings,
        hops,
        via_connection_id,
    } = object;
    let summary = Summary {
        object_type,
        key,
        rid,
        properties: value::properties(properties),
        deleted,
        origin_enrollment_id,
        hops,
        via_connection_id: optional(via_connection_id),
        classification: optional(classification),
        markings,
    };
    (summary, source, edits)
}

impl From<pb::Object> for Summary {
    fn from(object: pb::Object) -> Summary {
        parts(object).0
    }
}

impl From<pb::Object> for Object {
    fn from(object: pb::Object) -> Object {
        let (summary, source, edits) = parts(object);
        let (source, source_enrollment_id) = match source {
            Some(pb::SourceRow {
                properties,
                enrollment_id,
            }) => (Some(value::properties(properties)), Some(enrollment_id)),
            None => (None, None),
        };
        Object {
            summary,
            source,
            source_enrollment_id,
            edits: edits
                .into_iter()
                .map(|(name, edit)| (name, edit.into()))
                .collect(),
        }
    }
}

impl From<pb::Edit> for Edit {
    fn from(edit: pb::Edit) -> Edit {
        let pb::Edit {
            value,
            at,
            enrollment_id,
        } = edit;
        Edit {
            value: value.map_or(Value::Null, value::natural),
            at: time(at),
            enrollment_id,
        }
    }
}

impl From<pb::Conflict> for Conflict {
    fn from(conflict: pb::Conflict) -> Conflict {
        let pb::Conflict {
            conflict_id,
            object_type,
            key,
            property,
            winner,
            loser,
        } = conflict;
        Conflict {
            conflict_id,
            object_type,
            key,
            property,
            winner: winner.map(Edit::from),
            loser: loser.map(Edit::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> pb::Object {
        let number = |number| pb::Value {
            kind: Some(pb::value::Kind::IntegerValue(number)),
        };
        pb::Object {
            object_type: "airport".into(),
            key: "JFK".into(),
            rid: "ri.1".into(),
            properties: BTreeMap::from([("alt".to_owned(), number(14))]),
            source: Some(pb::SourceRow {
                properties: BTreeMap::from([("alt".to_owned(), number(13))]),
                enrollment_id: "aaa".into(),
            }),
            edits: BTreeMap::from([(
                "alt".to_owned(),
                pb::Edit {
                    value: Some(number(14)),
                    at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
                    enrollment_id: "bbb".into(),
                },
            )]),
            deleted: false,
            origin_enrollment_id: "aaa".into(),
            classification: String::new(),
            markings: vec!["medical".into()],
            hops: 2,
            via_connection_id: "con_1".into(),
        }
    }

    #[test]
    fn an_object_shows_what_is_read_its_source_and_its_edits() {
        assert_eq!(
            serde_json::to_value(Object::from(object())).expect("json"),
            json!({
                "object_type": "airport", "key": "JFK", "rid": "ri.1", "properties": {"alt": 14},
                "source": {"alt": 13}, "source_enrollment_id": "aaa",
                "edits": {"alt": {"value": 14, "at": "1970-01-01T00:00:00Z", "enrollment_id": "bbb"}},
                "deleted": false, "origin_enrollment_id": "aaa", "hops": 2, "via_connection_id": "con_1",
                "classification": null, "markings": ["medical"],
            })
        );
        let bare = Object::from(pb::Object::default());
        assert_eq!(serde_json::to_value(bare).expect("json")["source"], json!(null));
    }

    #[test]
    fn a_list_leaves_out_source_and_edits() {
        let item = serde_json::to_value(Summary::from(object())).expect("json");
        assert!(item.get("source").is_none() && item.get("edits").is_none());
        assert_eq!(
            columns(&[object().into()]),
            ["key", "properties.alt", "classification", "markings"]
        );
    }
}
