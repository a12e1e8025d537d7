//! Artifacts as they are shown.

use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::artifact_selection::Selection;
use serde::Serialize;
use serde_json::{Value, json};

use crate::field::{optional, time, word};

/// The columns of a list.
pub(super) const COLUMNS: &[&str] = &[
    "artifact_id",
    "name",
    "media_type",
    "size_bytes",
    "tags",
    "complete",
    "classification",
    "markings",
];

/// An artifact.
#[derive(Debug, Serialize)]
pub(super) struct Artifact {
    artifact_id: String,
    name: String,
    media_type: String,
    size_bytes: u64,
    blake3: String,
    tags: Vec<String>,
    complete: bool,
    classification: Option<String>,
    markings: Vec<String>,
    updated_at: Option<String>,
    origin_enrollment_id: String,
    via_connection_id: Option<String>,
    previous_blake3: Vec<String>,
}

impl From<pb::Artifact> for Artifact {
    fn from(artifact: pb::Artifact) -> Artifact {
        let pb::Artifact {
            artifact_id,
            name,
            media_type,
            size_bytes,
            blake3,
            tags,
            complete,
            classification,
            markings,
            updated_at,
            origin_enrollment_id,
            via_connection_id,
            previous_blake3,
        } = artifact;
        Artifact {
            artifact_id,
            name,
            media_type,
            size_bytes,
            blake3,
            tags,
            complete,
            classification: optional(classification),
            markings,
            updated_at: time(updated_at),
            origin_enrollment_id,
            via_connection_id: optional(via_connection_id),
            previous_blake3,
        }
    }
}

/// The columns of a list of transfers.
pub(super) const TRANSFER_COLUMNS: &[&str] = &[
    "artifact_id",
    "name",
    "connection_id",
    "direction",
    "size_bytes",
    "bytes_done",
    "bytes_per_second",
    "status",
    "reason",
];

/// Content on its way.
#[derive(Debug, Serialize)]
pub(super) struct Transfer {
    artifact_id: String,
    name: String,
    connection_id: String,
    direction: String,
    blake3: String,
    size_bytes: u64,
    bytes_done: u64,
    bytes_per_second: u64,
    status: String,
    reason: Option<String>,
}

impl From<pb::Transfer> for Transfer {
    fn from(transfer: pb::Transfer) -> Transfer {
        let pb::Transfer {
            artifact_id,
            name,
            connection_id,
            direction,
            blake3,
            size_bytes,
            bytes_done,
            bytes_per_second,
            status,
            reason,
        } = transfer;
        Transfer {
            artifact_id,
            name,
            connection_id,
            direction,
            blake3,
            size_bytes,
            bytes_done,
            bytes_per_second,
            status: word(status, pb::TransferStatus::as_str_name, "TRANSFER_STATUS_"),
            reason: optional(reason),
        }
    }
}

/// Which artifacts go out: `{"all": true}`, `{"tags": […]}` or `{"updated_within_seconds": N}`.
pub(super) fn selection(selection: Option<pb::ArtifactSelection>) -> Value {
    match selection.and_then(|selection| selection.selection) {
        None => Value::Null,
        Some(Selection::All(all)) => json!({"all": all}),
        Some(Selection::Tags(pb::SelectedTags { tags })) => json!({"tags": tags}),
        Some(Selection::UpdatedWithin(window)) => json!({"updated_within_seconds": window.seconds}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_has_the_fields_of_the_contract() {
        let artifact = pb::Artifact {
            artifact_id: "art_1".into(),
            name: "../../x".into(),
            size_bytes: 3,
            blake3: "ab".into(),
            tags: vec!["a".into()],
            markings: vec!["medical".into()],
            ..pb::Artifact::default()
        };
        let json = serde_json::to_value(Artifact::from(artifact)).expect("json");
        assert_eq!(
            json,
            json!({"artifact_id": "art_1", "name": "../../x", "media_type": "", "size_bytes": 3, "blake3": "ab",
                "tags": ["a"], "complete": false, "classification": null, "markings": ["medical"],
                "updated_at": null, "origin_enrollment_id": "", "via_connection_id": null, "previous_blake3": []})
        );
    }
}
