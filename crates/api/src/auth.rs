//! Who may call what: the table from calls to actions, and the gate that every call passes.

use std::mem;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use peerd_core::Reason;
use peerd_node::{Caller, Entrance, Error, Node};
use tonic::body::Body;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::probes::Probes;
use crate::refuse::{REQUEST_ID, told, with_request_id};

mod table;

pub use table::action_of;

/// What anybody may call: whether the daemon serves, and what it offers. It tells nothing of the enrollment.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// The gate, as a layer around every service.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    node: Arc<Node>,
    entrance: Arc<Entrance>,
    /// Whether pages are served beside the calls.
    pages: bool,
    probes: Probes,
}

impl Gate {
    pub(crate) fn new(node: Arc<Node>, entrance: Arc<Entrance>, pages: bool, probes: Probes) -> Gate {
        Gate {
            node,
            entrance,
            pages,
            probes,
        }
    }

    /// Lets a call pass, with its caller in its extensions and its token gone.
    async fn pass<B>(&self, request: &mut Request<B>) -> Result<(), Error> {
        let path = request.uri().path();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Ok(());
        }
        // Pages know their visitors by a session, which they look up themselves: they are told where a call comes from.
        if self.pages && is_page(path) {
            let from = source(request);
            request.extensions_mut().insert(from);
            return Ok(());
        }
        let action = action_of(path);
        let caller = self.authenticate(request).await?;
        // A call that is not in the table is not offered, whatever is behind it.
        let action = action.ok_or_else(|| Error::of(Reason::FeatureDisabled))?;
        self.node.admit_call(&caller, action).await?;
        request.extensions_mut().insert(caller);
        Ok(())
    }

    async fn authenticate<B>(&self, request: &mut Request<B>) -> Result<Caller, Error> {
        let from = source(request);
        let header = request.headers_mut().remove(AUTHORIZATION);
        let token = header
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, token)| token.trim());
        self.entrance.authenticate(token, from).await
    }
}

/// The id that the caller gave its call, so that it finds its own lines in the log. One that could be mistaken for
/// something else in a log is none.
fn named<B>(request: &Request<B>) -> Option<String> {
    const BYTES_MAX: usize = 64;
    let given = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !given.is_empty() && given.len() <= BYTES_MAX && given.chars().all(plain);
    fits.then(|| given.to_owned())
}

/// Whether a path is of the pages: no gRPC path is below one of them.
fn is_page(path: &str) -> bool {
    // Browsers ask for the icon by themselves, and are no strangers for that.
    matches!(path, "/" | "/console" | "/favicon.ico") || path.starts_with("/console/")
}

/// Where a call comes from, as far as the transport knows.
fn source<B>(request: &Request<B>) -> IpAddr {
    let extensions = request.extensions();
    let plain = extensions.get::<TcpConnectInfo>();
    let info = plain.or_else(|| {
        extensions
            .get::<TlsConnectInfo<TcpConnectInfo>>()
            .map(TlsConnectInfo::get_ref)
    });
    info.and_then(TcpConnectInfo::remote_addr)
        .map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip())
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            inner,
        }
    }
}

/// Services behind the gate.
#[derive(Clone, Debug)]
pub(crate) struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The one that was polled ready takes the call; its clone is polled for the next.
        let clone = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, clone);
        let gate = self.gate.clone();
        let request_id = named(&request).unwrap_or_else(|| gate.node.request_id());
        let span = tracing::info_span!("call", %request_id, path = request.uri().path());
        if let Ok(id) = request_id.parse() {
            request.headers_mut().insert(REQUEST_ID, id);
        }
        if let Some(answer) = gate.probes.answer(&request) {
            return answer.map(Ok).boxed();
        }
        async move {
            let response = match gate.pass(&mut request).await {
                Ok(()) => ready.call(request).await?,
                Err(error) => told(error).into_http(),
            };
            Ok(with_request_id(response, &request_id))
        }
        .instrument(span)
        .boxed()
    }
}
