//! Content beside the streams of objects, over a connection of its own.
//!
//! A large transfer fills whatever it gets: the windows of HTTP/2, the buffers of the system. On a connection of its
//! own it fills only that one, and a change of an object waits for none of it. The side that dialled the session dials
//! this one too, to the same place, when there is content to move; it ends with the session.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use futures::{FutureExt as _, StreamExt as _, stream};
use peerd_core::backoff::{Backoff, Failure, Origin};
use peerd_core::{ConnectionId, Reason};
use peerd_node::exchange::blobs::{ASKS_MAX, BlobExporter, BlobImporter};
use peerd_wire::mpx::v1::send_blob_request::Message as SendMessage;
use peerd_wire::mpx::v1::{FetchBlobRequest, FetchBlobResponse, SendBlobRequest, SendBlobResponse};
use peerd_wire::status::Refusal;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use crate::connect::{Client, Place, again};
use crate::refusal::{said, told};
use crate::streams::{Opener, Way};

mod pump;
mod serve;
mod wire;

pub(crate) use serve::{fetch, send};

/// So many streams of one connection and direction go side by side: reading, checking and writing are spread over them.
const STREAMS: usize = 4;
/// So many parts wait for HTTP/2 to take them.
const PARTS_WAITING_MAX: usize = 8;

/// The connection for content beside a session, made when it is first needed.
#[derive(Debug)]
pub(crate) struct Lane {
    place: Place,
    /// Cancelled when the session is over.
    over: CancellationToken,
    client: Mutex<Option<(Client, CancellationToken)>>,
}

impl Lane {
    pub(crate) fn new(place: Place, over: CancellationToken) -> Arc<Lane> {
        Arc::new(Lane {
            place,
            over,
            client: Mutex::default(),
        })
    }

    /// A client on the connection; one that broke is made anew.
    async fn client(&self, opener: &Opener) -> Result<Client, Refusal> {
        let mut kept = self.client.lock().await;
        if let Some((client, _)) = kept.as_ref().filter(|(_, gone)| !gone.is_cancelled()) {
            return Ok(client.clone());
        }
        let shared = &opener.shared;
        let link = shared.node().live_link(opener.peer.link()).await;
        let link = link.map_err(|error| told(&error))?;
        let link = link.ok_or_else(|| Refusal::new(Reason::LinkMissing, "the link is gone"))?;
        let dialled = again(shared, &link, self.place.clone()).await;
        let dialled = dialled.map_err(|missed| told(&missed.error))?;
        dialled.conn.carry_session();
        let (close, over) = (dialled.conn.close, self.over.clone());
        let gone = close.clone();
        shared.spawn(async move {
            tokio::select! {
                () = over.cancelled() => close.cancel(),
                () = close.cancelled() => {}
            }
        });
        *kept = Some((dialled.client.clone(), gone));
        Ok(dialled.client)
    }

    /// The connection broke: the next client is one on another.
    async fn broke(&self) {
        if let Some((_, gone)) = self.client.lock().await.take() {
            gone.cancel();
        }
    }
}

impl Opener {
    /// Moves the content of a connection's artifacts, until it is dropped.
    pub(crate) fn blobs(self, way: Way, connection: ConnectionId) -> BoxFuture<'static, ()> {
        let streams = (0..STREAMS).map(|_| self.clone().blob_stream(way, connection).boxed());
        join_all(streams).map(drop).boxed()
    }

    /// Opens one stream, and again when it has failed, ever more slowly while it brings nothing.
    async fn blob_stream(self, way: Way, connection: ConnectionId) {
        let node = Arc::clone(self.shared.node());
        let mut backoff = Backoff::default();
        loop {
            let mut moved = false;
            let over = match way {
                Way::Import => self.fetch_blobs(connection, || moved = true).await,
                Way::Export => self.send_blobs(connection, || moved = true).await,
            };
            let refusal = over.unwrap_or_else(|refusal| refusal);
            if moved {
                backoff = Backoff::reset();
            }
            let now = node.now();
            backoff = backoff.failed(Failure::Unreachable, Origin::Schedule, now, node.chance());
            tracing::info!(%connection, ?way, reason = %refusal.reason, told = refusal.message, "content stream ended");
            if refusal.reason == Reason::PeerUnreachable {
                self.lane.broke().await;
            }
            let pause = backoff.due_at().map(|due| due.since(now)).unwrap_or_default();
            sleep(pause).await;
        }
    }

    async fn fetch_blobs(
        &self,
        connection: ConnectionId,
        progress: impl FnMut() + Send,
    ) -> Result<Refusal, Refusal> {
        let importer = BlobImporter::open(self.shared.node(), &self.peer, connection).await;
        let importer = importer.map_err(|error| told(&error))?;
        let mut client = self.lane.client(self).await?;
        let (asks, waiting) = mpsc::channel(ASKS_MAX);
        let requests = ReceiverStream::new(waiting).map(|ask| FetchBlobRequest {
            ask: Some(wire::write_ask(ask)),
        });
        let parts = self.answer(client.fetch_blob(Request::new(requests))).await?;
        let parts = parts.map(|next| {
            let FetchBlobResponse { part } = next.map_err(|status| said(&status))?;
            wire::read_part(part)
        });
        Ok(pump::import(importer, parts.boxed(), asks, progress).await)
    }

    async fn send_blobs(
        &self,
        connection: ConnectionId,
        progress: impl FnMut() + Send,
    ) -> Result<Refusal, Refusal> {
        let exporter = BlobExporter::open(self.shared.node(), &self.peer);
        let mut client = self.lane.client(self).await?;
        let (parts, waiting) = mpsc::channel(PARTS_WAITING_MAX);
        let answers = ReceiverStream::new(waiting).map(|part| SendMessage::Part(wire::write_part(part)));
        let messages = stream::iter([SendMessage::Open(wire::open(connection))]).chain(answers);
        let messages = messages.map(|message| SendBlobRequest {
            message: Some(message),
        });
        let asks = self.answer(client.send_blob(Request::new(messages))).await?;
        let asks = asks.map(|next| {
            let SendBlobResponse { ask } = next.map_err(|status| said(&status))?;
            wire::read_ask(ask)
        });
        Ok(pump::export(exporter, asks.boxed(), parts, progress).await)
    }
}
