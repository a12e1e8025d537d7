//! Letting connections in: policy first, then TLS, both beside the accept loop.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use peerd_core::Reason;
use peerd_node::Error;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::conn::{Conn, Guarded};
use crate::gate::{Gate, Place};
use crate::mpx::Shared;

/// A connection with a finished handshake.
pub(crate) type Accepted = Guarded<TlsStream<TcpStream>>;

/// How long the loop rests when the system gives no connection, as when it is out of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Accepts until asked to stop. One slow or hostile client delays nobody else.
pub(crate) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    ready: mpsc::Sender<io::Result<Accepted>>,
) {
    let limits = shared.limits();
    let gate = Gate::new(limits.connections_max, limits.connections_per_source_max);
    let handshakes = Arc::new(Semaphore::new(limits.handshakes_max));
    let acceptor = TlsAcceptor::from(tls);
    let soft = shared.runtime.soft.clone();
    let accepting = async {
        loop {
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
            let (tcp, from) = next(&listener).await;
            let source = from.ip().to_canonical();
            let Some(place) = gate.enter(source) else {
                tracing::debug!(%source, "too many connections");
                continue;
            };
            let arrival = Arrival {
                tcp,
                source,
                place,
                turn,
            };
            shared.spawn(greet(
                Arc::clone(&shared),
                arrival,
                acceptor.clone(),
                ready.clone(),
            ));
        }
    };
    tokio::select! {
        () = soft.cancelled() => {}
        () = accepting => {}
    }
}

/// A connection that just came in.
struct Arrival {
    tcp: TcpStream,
    source: IpAddr,
    place: Place,
    turn: OwnedSemaphorePermit,
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no connection accepted");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn greet(
    shared: Arc<Shared>,
    arrival: Arrival,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<io::Result<Accepted>>,
) {
    let source = arrival.source;
    let limit = shared.limits().handshake_timeout;
    let accepted = match tokio::time::timeout(limit, handshake(&shared, arrival, acceptor)).await {
        Ok(accepted) => accepted,
        Err(_) => Err(Error::new(Reason::WaitTimeout, "the handshake took too long")),
    };
    match accepted {
        // The receiver goes when the transport stops.
        Ok(accepted) => drop(ready.send(Ok(accepted)).await),
        Err(error) => tracing::info!(%source, reason = %error.reason(), "connection not accepted"),
    }
}

async fn handshake(shared: &Shared, arrival: Arrival, acceptor: TlsAcceptor) -> Result<Accepted, Error> {
    let Arrival {
        tcp,
        source,
        place,
        turn,
    } = arrival;
    shared.node().admit_source(source).await?;
    tcp.set_nodelay(true).map_err(broken)?;
    let (renewed, close) = (
        shared.node().identity_changes(),
        shared.runtime.hard.child_token(),
    );
    let tls = acceptor.accept(tcp).await.map_err(broken)?;
    let conn = Conn::of(tls.get_ref().1, source, close, renewed)?;
    drop(turn);
    Ok(Guarded::new(
        tls,
        conn,
        shared.limits().session_timeout,
        Some(place),
    ))
}

fn broken(error: io::Error) -> Error {
    Error::of(Reason::PeerUnreachable).because(error)
}
