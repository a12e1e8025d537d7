//! Artifacts as messages.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use peerd_core::artifact::{Artifact, Selection};
use peerd_core::object::Provenance;
use peerd_core::policy::Direction;
use peerd_node::artifact::{ArtifactContent, ArtifactView, TransferView};
use peerd_node::exchange::blobs::{Transfer, TransferStanding};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::artifact_selection::Selection as Chosen;
use peerd_wire::data::v1::read_artifact_response::Part;
use tonic::Status;

use super::timestamp;
use crate::data::CHUNK_MAX;
use crate::refuse::told;

/// What goes out while an artifact is read.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<pb::ReadArtifactResponse, Status>> + Send>>;

/// An artifact.
pub(crate) fn artifact(view: ArtifactView) -> pb::Artifact {
    let ArtifactView {
        id,
        artifact,
        complete,
        security,
        origin,
        provenance: Provenance { via, .. },
    } = view;
    let Artifact {
        name,
        media_type,
        content,
        tags,
        updated_at,
        previous,
    } = artifact;
    pb::Artifact {
        artifact_id: id.to_string(),
        name,
        media_type,
        size_bytes: content.size,
        blake3: content.hash.to_string(),
        tags: tags.into_iter().collect(),
        complete,
        classification: security
            .classification
            .map(|level| level.to_string())
            .unwrap_or_default(),
        markings: security.markings.iter().map(ToString::to_string).collect(),
        updated_at: Some(timestamp(updated_at)),
        origin_enrollment_id: origin.to_string(),
        via_connection_id: via.map(|via| via.to_string()).unwrap_or_default(),
        previous_blake3: previous.iter().map(|blob| blob.hash.to_string()).collect(),
    }
}

/// Content on its way.
pub(crate) fn transfer(view: TransferView) -> pb::Transfer {
    let TransferView { id, name, transfer } = view;
    let Transfer {
        artifact: _,
        connection,
        direction,
        blob,
        bytes_done,
        bytes_per_second,
        standing,
    } = transfer;
    let (status, reason) = match standing {
        TransferStanding::Waiting => (pb::TransferStatus::Waiting, String::new()),
        TransferStanding::Running => (pb::TransferStatus::Running, String::new()),
        TransferStanding::Delayed(reason) => (pb::TransferStatus::Delayed, reason.word().to_owned()),
    };
    pb::Transfer {
        artifact_id: id.to_string(),
        name,
        connection_id: connection.to_string(),
        direction: match direction {
            Direction::Export => "export",
            Direction::Import => "import",
        }
        .to_owned(),
        blake3: blob.hash.to_string(),
        size_bytes: blob.size,
        bytes_done,
        bytes_per_second,
        status: status.into(),
        reason,
    }
}

/// What an artifact is, then its bytes.
pub(crate) fn pieces(content: ArtifactContent) -> Pieces {
    let ArtifactContent { view, content } = content;
    let first = stream::iter([Ok(part(Part::Artifact(artifact(view))))]);
    let rest = content.flat_map(|piece| match piece {
        Ok(bytes) => stream::iter(chunks(bytes)).left_stream(),
        Err(error) => stream::iter([Err(told(error))]).right_stream(),
    });
    first.chain(rest).boxed()
}

/// Bytes in chunks of the size that a message has at most.
fn chunks(mut bytes: Bytes) -> Vec<Result<pb::ReadArtifactResponse, Status>> {
    let mut chunks = Vec::new();
    while !bytes.is_empty() {
        let chunk = bytes.split_to(bytes.len().min(CHUNK_MAX));
        chunks.push(Ok(part(Part::Chunk(chunk))));
    }
    chunks
}

fn part(part: Part) -> pb::ReadArtifactResponse {
    pb::ReadArtifactResponse { part: Some(part) }
}

/// Which artifacts go out.
pub(crate) fn selection(selection: Selection) -> pb::ArtifactSelection {
    let chosen = match selection {
        Selection::All => Chosen::All(true),
        Selection::Tags(tags) => Chosen::Tags(pb::SelectedTags {
            tags: tags.into_iter().collect(),
        }),
        Selection::UpdatedWithin(window) => Chosen::UpdatedWithin(prost_types::Duration {
            seconds: i64::try_from(window.as_secs()).unwrap_or(i64::MAX),
            // Below 1,000,000,000, so it always fits.
            nanos: i32::try_from(window.subsec_nanos()).unwrap_or(0),
        }),
    };
    pb::ArtifactSelection {
        selection: Some(chosen),
    }
}
