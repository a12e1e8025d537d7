//! The accepting end of streams of objects.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use peerd_core::Reason;
use peerd_node::exchange::{Exporter, Importer};
use peerd_node::peer::Peer;
use peerd_wire::mpx::v1::pull_request::Part as PullPart;
use peerd_wire::mpx::v1::push_request::Part as PushPart;
use peerd_wire::mpx::v1::push_response::Part as PushAnswer;
use peerd_wire::mpx::v1::{PullRequest, PullResponse, PushRequest, PushResponse};
use peerd_wire::status::{Refusal, status};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::pump::{BATCHES_MAX, ended, export, import};
use super::{Answers, wire};
use crate::conn::Conn;
use crate::mpx::Shared;
use crate::refusal::{said, status_of};

/// The peer imports.
pub(crate) async fn pull(
    shared: &Arc<Shared>,
    (conn, peer): (Conn, Peer),
    mut parts: Streaming<PullRequest>,
) -> Result<Answers<PullResponse>, Status> {
    let PullRequest { part } = first(shared, &mut parts).await?;
    let subscribe = match part {
        Some(PullPart::Subscribe(subscribe)) => Some(subscribe),
        Some(PullPart::Ack(_)) | None => None,
    };
    let (flow, position) = wire::subscription(subscribe).map_err(status)?;
    let position = position.unwrap_or_default();
    let exporter = Exporter::open(shared.node(), &peer, flow, position).await;
    let exporter = exporter.map_err(|error| status_of(&error))?;
    let acks = parts.map(|next| match next.map_err(|status| said(&status))?.part {
        Some(PullPart::Ack(ack)) => wire::read_ack(ack),
        Some(PullPart::Subscribe(_)) | None => Err(unexpected()),
    });
    let (batches, waiting) = mpsc::channel(BATCHES_MAX);
    let answers = ReceiverStream::new(waiting).map(|batch| PullResponse {
        batch: Some(wire::write_batch(batch)),
    });
    let stream = export(exporter, acks.boxed(), batches, || {});
    Ok(until_end(shared, conn, stream, answers))
}

/// The peer exports.
pub(crate) async fn push(
    shared: &Arc<Shared>,
    (conn, peer): (Conn, Peer),
    mut parts: Streaming<PushRequest>,
) -> Result<Answers<PushResponse>, Status> {
    let PushRequest { part } = first(shared, &mut parts).await?;
    let open = match part {
        Some(PushPart::Open(open)) => Some(open),
        Some(PushPart::Batch(_)) | None => None,
    };
    let (flow, _) = wire::subscription(open).map_err(status)?;
    let importer = Importer::open(shared.node(), &peer, flow).await;
    let importer = importer.map_err(|error| status_of(&error))?;
    let position = PushAnswer::Position(wire::write_position(importer.position().clone()));
    let batches = parts.map(|next| match next.map_err(|status| said(&status))?.part {
        Some(PushPart::Batch(batch)) => wire::read_batch(Some(batch)),
        Some(PushPart::Open(_)) | None => Err(unexpected()),
    });
    let (acks, waiting) = mpsc::channel(BATCHES_MAX);
    let acknowledged = ReceiverStream::new(waiting).map(|ack| PushAnswer::Ack(wire::write_ack(ack)));
    let parts = stream::iter([position]).chain(acknowledged);
    let answers = parts.map(|part| PushResponse { part: Some(part) });
    let stream = import(importer, batches.boxed(), acks, || {});
    Ok(until_end(shared, conn, stream, answers))
}

/// Runs the stream as long as the session of its connection, and ends the answers with why it ended.
pub(crate) fn until_end<T: Send + 'static>(
    shared: &Arc<Shared>,
    conn: Conn,
    stream: impl Future<Output = Refusal> + Send + 'static,
    answers: impl futures::Stream<Item = T> + Send + 'static,
) -> Answers<T> {
    let (end, why) = oneshot::channel();
    shared.spawn(async move {
        let refusal = tokio::select! {
            biased;
            () = conn.over.cancelled() => ended(),
            refusal = stream => refusal,
        };
        // Whoever waited for the end is gone when the connection is.
        let _ = end.send(status(refusal));
    });
    let why = stream::once(why).filter_map(async |why| why.ok().map(Err));
    answers.map(Ok).chain(why).boxed()
}

pub(crate) async fn first<T>(shared: &Shared, parts: &mut Streaming<T>) -> Result<T, Status> {
    match timeout(shared.limits().answer_timeout, parts.message()).await {
        Ok(part) => part?.ok_or_else(|| status(unexpected())),
        Err(_) => Err(status(Refusal::new(
            Reason::PeerMisbehaved,
            "nothing was asked for in time",
        ))),
    }
}

fn unexpected() -> Refusal {
    Refusal::new(Reason::PeerMisbehaved, "the part has no place here")
}
