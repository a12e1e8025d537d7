//! One TLS connection: who is at the other end, and the means to end it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use peerd_core::Reason;
use peerd_node::Error;
use peerd_node::peer::Presented;
use rustls::ConnectionCommon;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use crate::gate::Place;

/// The only application protocol.
const ALPN: &[u8] = b"h2";

/// What every call of a connection knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    /// Who is at the other end.
    pub(crate) presented: Presented,
    /// What only the two ends of this TLS session know.
    pub(crate) binding: [u8; 32],
    /// Ends the connection.
    pub(crate) close: CancellationToken,
    /// Cancelled when its session ends: the streams beside it end at once.
    pub(crate) over: CancellationToken,
    /// Marked changed when this side showed an identity in the handshake that it has no longer.
    pub(crate) renewed: watch::Receiver<u64>,
    carries_session: Arc<AtomicBool>,
}

impl Conn {
    /// The connection whose handshake has finished. It began after `renewed` was subscribed to.
    pub(crate) fn of<Side>(
        tls: &ConnectionCommon<Side>,
        from: std::net::IpAddr,
        close: CancellationToken,
        renewed: watch::Receiver<u64>,
    ) -> Result<Conn, Error> {
        let unknown = || Error::of(Reason::IdentityMismatch);
        if tls.alpn_protocol() != Some(ALPN) {
            return Err(Error::new(
                Reason::PeerMisbehaved,
                "the other side does not speak HTTP/2",
            ));
        }
        let chain: &[CertificateDer<'_>] = tls.peer_certificates().unwrap_or_default();
        let identity = peerd_identity::presented(chain).map_err(|refusal| unknown().because(refusal))?;
        let binding = peerd_identity::channel_binding(tls)
            .map_err(|error| Error::of(Reason::Internal).because(error))?;
        Ok(Conn {
            presented: Presented {
                lineage: identity.lineage().clone(),
                certificate: identity.identity_certificate_der().to_vec(),
                from,
            },
            binding,
            over: close.child_token(),
            renewed,
            close,
            carries_session: Arc::default(),
        })
    }

    /// From now on it may last as long as its session; `false` when it had one already.
    pub(crate) fn carry_session(&self) -> bool {
        !self.carries_session.swap(true, Ordering::SeqCst)
    }

    /// Whether it has, or had, a session.
    pub(crate) fn carries_session(&self) -> bool {
        self.carries_session.load(Ordering::SeqCst)
    }
}

/// The bytes of a connection. It ends when it is closed from here, and when it has no session in time: so a client
/// that sends nothing, or one byte a minute, holds its place for a bounded time.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    io: T,
    conn: Conn,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    deadline: Option<Pin<Box<Sleep>>>,
    _place: Option<Place>,
}

impl<T> Guarded<T> {
    /// Guards these bytes.
    pub(crate) fn new(io: T, conn: Conn, session_timeout: Duration, place: Option<Place>) -> Guarded<T> {
        Guarded {
            io,
            closed: Box::pin(conn.close.clone().cancelled_owned()),
            conn,
            deadline: Some(Box::pin(tokio::time::sleep(session_timeout))),
            _place: place,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        if self.conn.carries_session() {
            self.deadline = None;
        }
        match &mut self.deadline {
            Some(deadline) => deadline
                .as_mut()
                .poll(cx)
                .map(|()| io::ErrorKind::TimedOut.into()),
            None => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_end(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.close.is_cancelled() {
            // Who does not read must not keep us writing goodbyes.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<T> Connected for Guarded<T> {
    type ConnectInfo = Conn;

    fn connect_info(&self) -> Conn {
        self.conn.clone()
    }
}
