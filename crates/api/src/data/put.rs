//! Putting artifacts: bytes come in while answers go out.
//!
//! The put runs inside its answer stream, so it goes on only while the caller takes answers, and takes the next bytes
//! once those before were written: that is the back-pressure. What broke off is made durable, so that as much as
//! possible of it need not come again.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use peerd_core::ContentHash;
use peerd_node::artifact::{NewArtifact, Put};
use peerd_node::{Caller, Node};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::put_artifact_request::Part;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::object::security;
use crate::parse;
use crate::refuse::{field, told};
use crate::view::artifact as view;

/// The largest chunk, in bytes.
pub(crate) const CHUNK_MAX: usize = 1 << 20;

/// What goes out during a put.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<pb::PutArtifactResponse, Status>> + Send>>;

/// Begins a put with the header, which comes first.
pub(super) async fn run(
    node: &Arc<Node>,
    caller: &Caller,
    mut parts: Streaming<pb::PutArtifactRequest>,
    stopping: CancellationToken,
) -> Result<Answers, Status> {
    let first = parts.message().await?.and_then(|message| message.part);
    let Some(Part::Header(header)) = first else {
        return Err(field("header", "must come first"));
    };
    let put = node
        .put_artifact(caller, read_header(header)?)
        .await
        .map_err(told)?;
    let first = progress(put.offset());
    let running = Running { parts, stopping };
    let rest = stream::unfold(Some((running, put)), |state| async {
        let (mut running, put) = state?;
        match running.next(put).await {
            Ok((answer, put)) => Some((Ok(answer), put.map(|put| (running, put)))),
            Err(status) => Some((Err(status), None)),
        }
    });
    let all = futures::StreamExt::chain(stream::iter([Ok(first)]), rest);
    Ok(Box::pin(all))
}

struct Running {
    parts: Streaming<pb::PutArtifactRequest>,
    stopping: CancellationToken,
}

impl Running {
    /// The next answer: when more bytes are durable, and at the end.
    async fn next(&mut self, mut put: Put) -> Result<(pb::PutArtifactResponse, Option<Put>), Status> {
        loop {
            let message = tokio::select! {
                message = self.parts.message() => message,
                () = self.stopping.cancelled() => Ok(None),
            };
            match message.map(|message| message.map(|message| message.part)) {
                Ok(Some(Some(Part::Chunk(chunk)))) => {
                    if put.write(checked(chunk)?).await.map_err(told)? {
                        return Ok((progress(put.durable()), Some(put)));
                    }
                }
                Ok(Some(Some(Part::End(pb::PutEnd { blake3 })))) => {
                    let hash: ContentHash = parse::required("blake3", &blake3)?;
                    let artifact = put.finish(Some(hash)).await.map_err(told)?;
                    let answer = pb::PutArtifactResponse {
                        durable_bytes: artifact.artifact.content.size,
                        artifact: Some(view::artifact(artifact)),
                    };
                    return Ok((answer, None));
                }
                Ok(Some(_)) => return Err(field("chunk", "required after the header")),
                broken => {
                    put.pause().await.map_err(told)?;
                    broken?;
                    return Err(field("end", "the stream ended without it: nothing was put"));
                }
            }
        }
    }
}

fn progress(durable_bytes: u64) -> pb::PutArtifactResponse {
    pb::PutArtifactResponse {
        durable_bytes,
        artifact: None,
    }
}

fn checked(chunk: Bytes) -> Result<Bytes, Status> {
    if chunk.len() > CHUNK_MAX {
        return Err(field("chunk", format_args!("at most {CHUNK_MAX} bytes")));
    }
    Ok(chunk)
}

fn read_header(header: pb::PutHeader) -> Result<NewArtifact, Status> {
    let pb::PutHeader {
        space,
        name,
        media_type,
        size_bytes,
        tags,
        classification,
        markings,
        replaces,
        upload_id,
    } = header;
    parse::reference("space", &space)?;
    parse::reference("name", &name)?;
    Ok(NewArtifact {
        space,
        name,
        media_type: if media_type.is_empty() {
            String::from("application/octet-stream")
        } else {
            media_type
        },
        size: Some(size_bytes),
        tags: tags.into_iter().collect(),
        security: security(&classification, &markings)?,
        replaces: parse::optional("replaces", &replaces)?,
        upload: upload_id,
    })
}
