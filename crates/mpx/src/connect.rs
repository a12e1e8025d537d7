//! Making one connection to the other side of a link.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use peerd_core::address::Host;
use peerd_core::link::{Address, Link, Remote};
use peerd_core::signature::PublicKey;
use peerd_core::{EnrollmentId, Reason};
use peerd_identity::{ExpectedIdentities, Refusal as IdentityRefusal, refusal_of};
use peerd_node::Error;
use peerd_wire::mpx::v1::mpx_service_client::MpxServiceClient;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::conn::{Conn, Guarded};
use crate::mpx::{CONNECTION_WINDOW, HEADER_BYTES_MAX, KEEPALIVE, KEEPALIVE_TIMEOUT, STREAM_WINDOW, Shared};

/// The most IP addresses of one name that are tried.
const RESOLVED_MAX: usize = 8;
/// Only a form: who is there is decided by the certificate, and which address by the policy.
const AUTHORITY: &str = "http://enrollment.peerd.invalid";

/// Where a connection goes, as the policy was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) enrollment: EnrollmentId,
    pub(crate) host: Host,
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
}

impl Place {
    /// Whether policy lets this side be connected there now.
    pub(crate) fn permit(&self, shared: &Shared) -> Result<(), Error> {
        shared
            .node()
            .permit_dial(self.enrollment, &self.host, self.ip, self.port)
            .map(drop)
    }
}

/// What calls the other side.
pub(crate) type Client = MpxServiceClient<Channel>;

/// A connection that this side made, to the pinned identity.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) conn: Conn,
    pub(crate) place: Place,
    pub(crate) client: Client,
}

/// Why no connection came about.
#[derive(Debug)]
pub(crate) struct Missed {
    pub(crate) error: Error,
    /// No address could be tried, since no policy of ours allows it.
    pub(crate) denied_here: bool,
}

/// Connects to the first address of a link that answers with the right identity.
pub(crate) async fn connect(shared: &Shared, link: &Link) -> Result<Dialled, Missed> {
    let missing = Error::of(Reason::AddressMissing);
    let mut missed = Missed {
        error: missing,
        denied_here: false,
    };
    let Some(remote) = &link.remote else {
        return Err(missed);
    };
    let mut tried = false;
    for address in link.addresses.iter() {
        for place in places(shared, remote.enrollment, address).await {
            match reach(shared, remote, place).await {
                Ok(dialled) => return Ok(dialled),
                Err(next) => {
                    tried |= !next.denied_here;
                    missed = graver(missed, next);
                }
            }
        }
    }
    missed.denied_here &= !tried;
    Err(missed)
}

/// Connects once more to where a link's session goes. Policy is asked anew.
pub(crate) async fn again(shared: &Shared, link: &Link, place: Place) -> Result<Dialled, Missed> {
    let Some(remote) = &link.remote else {
        return Err(Missed {
            error: Error::of(Reason::AddressMissing),
            denied_here: false,
        });
    };
    reach(shared, remote, place).await
}

/// Of two failures the one that tells the operator more: somebody else at the address, then an attempt that failed,
/// then one that was not made.
fn graver(before: Missed, after: Missed) -> Missed {
    let rank = |missed: &Missed| match missed.error.reason() {
        Reason::IdentityMismatch => 3,
        Reason::AddressMissing => 0,
        _ if missed.denied_here => 1,
        _ => 2,
    };
    if rank(&after) >= rank(&before) {
        after
    } else {
        before
    }
}

/// The concrete places behind an address. A name that does not resolve has none.
async fn places(shared: &Shared, enrollment: EnrollmentId, address: &Address) -> Vec<Place> {
    let port = address.port.get();
    let ips: Vec<IpAddr> = match &address.host {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => {
            let limit = shared.limits().handshake_timeout;
            match tokio::time::timeout(limit, tokio::net::lookup_host((name.as_str(), port))).await {
                Ok(Ok(found)) => found
                    .take(RESOLVED_MAX)
                    .map(|at| at.ip().to_canonical())
                    .collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        }
    };
    let place = |ip| Place {
        enrollment,
        host: address.host.clone(),
        ip,
        port,
    };
    ips.into_iter().map(place).collect()
}

async fn reach(shared: &Shared, remote: &Remote, place: Place) -> Result<Dialled, Missed> {
    place.permit(shared).map_err(|error| Missed {
        error,
        denied_here: true,
    })?;
    let limit = shared.limits().handshake_timeout;
    let at = SocketAddr::new(place.ip, place.port);
    let reached = match tokio::time::timeout(limit, handshake(shared, remote, place)).await {
        Ok(reached) => reached,
        Err(_) => Err(unreachable(at, "no answer in time")),
    };
    reached.map_err(|error| Missed {
        error,
        denied_here: false,
    })
}

async fn handshake(shared: &Shared, remote: &Remote, place: Place) -> Result<Dialled, Error> {
    let at = SocketAddr::new(place.ip, place.port);
    let tcp = TcpStream::connect(at)
        .await
        .map_err(|error| unreachable(at, "nobody answers").because(error))?;
    tcp.set_nodelay(true)
        .map_err(|error| unreachable(at, "the connection was lost").because(error))?;
    let internal = |error: peerd_identity::Error| Error::of(Reason::Internal).because(error);
    let name = peerd_identity::server_name(remote.enrollment).map_err(internal)?;
    let (renewed, close) = (
        shared.node().identity_changes(),
        shared.runtime.hard.child_token(),
    );
    let tls = TlsConnector::from(config(shared, remote)?)
        .connect(name, tcp)
        .await
        .map_err(|error| refused(at, error))?;
    let conn = Conn::of(tls.get_ref().1, place.ip, close, renewed)?;
    let guarded = Guarded::new(tls, conn.clone(), shared.limits().session_timeout, None);
    let channel = channel(guarded)
        .await
        .map_err(|error| unreachable(at, "the connection was lost").because(error))?;
    let bytes_max = shared.limits().message_bytes_max;
    let client = MpxServiceClient::new(channel)
        .max_decoding_message_size(bytes_max)
        .max_encoding_message_size(bytes_max);
    Ok(Dialled { conn, place, client })
}

fn config(shared: &Shared, remote: &Remote) -> Result<Arc<ClientConfig>, Error> {
    let expected: ExpectedIdentities = remote.keys.iter().map(PublicKey::enrollment_id).collect();
    let (leaf, clock) = (&shared.runtime.leaf, &shared.runtime.clock);
    peerd_identity::client_config(Arc::clone(leaf), expected, Arc::clone(clock))
        .map_err(|error| Error::of(Reason::Internal).because(error))
}

/// HTTP/2 over exactly this connection: when it is gone, so is the channel.
async fn channel(
    connection: Guarded<tokio_rustls::client::TlsStream<TcpStream>>,
) -> Result<Channel, tonic::transport::Error> {
    let mut only = Some(TokioIo::new(connection));
    let connector = tower::service_fn(move |_| {
        let next = only.take().ok_or(io::ErrorKind::NotConnected);
        async move { next.map_err(io::Error::from) }
    });
    Endpoint::from_static(AUTHORITY)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .connect_timeout(Duration::from_secs(10))
        .connect_with_connector(connector)
        .await
}

fn refused(at: SocketAddr, error: io::Error) -> Error {
    match refusal_of(&error) {
        Some(refusal @ IdentityRefusal::WrongIdentity { .. }) => {
            Error::new(Reason::IdentityMismatch, format!("{at}: {refusal}"))
        }
        Some(refusal) => Error::new(Reason::PeerMisbehaved, format!("{at}: {refusal}")),
        None => unreachable(at, "the TLS handshake failed").because(error),
    }
}

fn unreachable(at: SocketAddr, what: &str) -> Error {
    Error::new(Reason::PeerUnreachable, format!("{at}: {what}"))
}
