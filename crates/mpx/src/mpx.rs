//! The transport as a whole: what runs, and on what.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use peerd_core::{Clock, Reason};
use peerd_identity::LiveIdentity;
use peerd_node::{Error, Node};
use peerd_wire::mpx::v1::mpx_service_server::MpxServiceServer;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Server;

use crate::registry::Registry;
use crate::service::Service;
use crate::{Limits, accept, dial};

/// How long HTTP/2 waits before it asks whether the other end is still there, and for the answer.
pub(crate) const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(10);
pub(crate) const KEEPALIVE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);
/// Windows for a path of 100 ms: for one stream, and for one connection in all.
pub(crate) const STREAM_WINDOW: u32 = 16 * 1024 * 1024;
pub(crate) const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;
/// The most bytes of headers one call has: there are no tokens in them.
pub(crate) const HEADER_BYTES_MAX: u32 = 8 * 1024;
/// How many streams a peer may open and reset before we look at them; beyond it the connection ends.
const PENDING_RESETS_MAX: usize = 20;

/// What the transport stands on.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The rules.
    pub node: Arc<Node>,
    /// The certificate in use.
    pub leaf: Arc<LiveIdentity>,
    /// The time certificates are checked by.
    pub clock: Arc<dyn Clock>,
    /// How much and how long.
    pub limits: Limits,
    /// Counts every task.
    pub tasks: TaskTracker,
    /// Cancelled when tasks should come to a safe point and end.
    pub soft: CancellationToken,
    /// Cancelled when there is no more time for that.
    pub hard: CancellationToken,
}

/// What every part of the transport shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    pub(crate) registry: Arc<Registry>,
}

impl Shared {
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.runtime.node
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.runtime.limits
    }

    /// Runs a task that ends when there is no more time, at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let hard = self.runtime.hard.clone();
        self.runtime.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = hard.cancelled() => {}
                () = task => {}
            }
        });
    }
}

/// The MPX transport, accepting and dialling. It stops when the tokens of its [`Runtime`] say so.
#[derive(Debug)]
pub struct Mpx {
    address: SocketAddr,
}

impl Mpx {
    /// Starts to accept on this listener and to dial every link that this side may dial.
    pub fn start(runtime: Runtime, listener: TcpListener) -> Result<Mpx, Error> {
        let failed = |error: io::Error| Error::of(Reason::Internal).because(error);
        let address = listener.local_addr().map_err(failed)?;
        let tls = peerd_identity::server_config(Arc::clone(&runtime.leaf), Arc::clone(&runtime.clock))
            .map_err(|error| Error::of(Reason::Internal).because(error))?;
        let registry = Registry::new(runtime.node.enrollment_id());
        let shared = Arc::new(Shared { runtime, registry });
        let (ready, connections) = mpsc::channel(1);
        shared.spawn(accept::accept(Arc::clone(&shared), listener, tls, ready));
        shared.spawn(serve(Arc::clone(&shared), ReceiverStream::new(connections)));
        shared.spawn(dial::dial(Arc::clone(&shared)));
        Ok(Mpx { address })
    }

    /// Where it accepts.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Serves the connections whose handshake has finished. Once asked to stop it waits for their sessions, which are
/// asked to stop too.
async fn serve(shared: Arc<Shared>, connections: ReceiverStream<io::Result<accept::Accepted>>) {
    let limits = shared.limits();
    let service = MpxServiceServer::new(Service::new(Arc::clone(&shared)))
        .max_decoding_message_size(limits.message_bytes_max)
        .max_encoding_message_size(limits.message_bytes_max);
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(limits.streams_max)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(PENDING_RESETS_MAX))
        .add_service(service)
        .serve_with_incoming_shutdown(connections, shared.runtime.soft.cancelled())
        .await;
    if let Err(error) = served {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the transport stopped serving"
        );
    }
}
