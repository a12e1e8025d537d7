//! The accepting end of streams of content.

use std::sync::Arc;

use futures::StreamExt as _;
use peerd_core::Reason;
use peerd_node::exchange::blobs::{ASKS_MAX, BlobExporter, BlobImporter};
use peerd_node::peer::Peer;
use peerd_wire::mpx::v1::send_blob_request::Message as SendMessage;
use peerd_wire::mpx::v1::{FetchBlobRequest, FetchBlobResponse, SendBlobRequest, SendBlobResponse};
use peerd_wire::status::{Refusal, status};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{PARTS_WAITING_MAX, pump, wire};
use crate::conn::Conn;
use crate::mpx::Shared;
use crate::refusal::{said, status_of};
use crate::streams::{Answers, first, until_end};

/// The peer imports.
pub(crate) fn fetch(
    shared: &Arc<Shared>,
    (conn, peer): (Conn, Peer),
    asks: Streaming<FetchBlobRequest>,
) -> Answers<FetchBlobResponse> {
    let exporter = BlobExporter::open(shared.node(), &peer);
    let asks = asks.map(|next| {
        let FetchBlobRequest { ask } = next.map_err(|status| said(&status))?;
        wire::read_ask(ask)
    });
    let (parts, waiting) = mpsc::channel(PARTS_WAITING_MAX);
    let answers = ReceiverStream::new(waiting).map(|part| FetchBlobResponse {
        part: Some(wire::write_part(part)),
    });
    let stream = pump::export(exporter, asks.boxed(), parts, || {});
    until_end(shared, conn, stream, answers)
}

/// The peer exports.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    (conn, peer): (Conn, Peer),
    mut messages: Streaming<SendBlobRequest>,
) -> Result<Answers<SendBlobResponse>, Status> {
    let SendBlobRequest { message } = first(shared, &mut messages).await?;
    let open = match message {
        Some(SendMessage::Open(open)) => Some(open),
        Some(SendMessage::Part(_)) | None => None,
    };
    let connection = wire::read_open(open).map_err(status)?;
    let importer = BlobImporter::open(shared.node(), &peer, connection).await;
    let importer = importer.map_err(|error| status_of(&error))?;
    let parts = messages.map(|next| match next.map_err(|status| said(&status))?.message {
        Some(SendMessage::Part(part)) => wire::read_part(Some(part)),
        Some(SendMessage::Open(_)) | None => {
            Err(Refusal::new(Reason::PeerMisbehaved, "the part has no place here"))
        }
    });
    let (asks, waiting) = mpsc::channel(ASKS_MAX);
    let answers = ReceiverStream::new(waiting).map(|ask| SendBlobResponse {
        ask: Some(wire::write_ask(ask)),
    });
    let stream = pump::import(importer, parts.boxed(), asks, || {});
    Ok(until_end(shared, conn, stream, answers))
}
