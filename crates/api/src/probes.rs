//! What machines ask: whether the daemon lives, whether it serves, how it is in numbers.
//!
//! The first two are open to anybody who reaches the port, as `grpc.health.v1` is, and say one word. The numbers tell who
//! one is connected to and how much flows: they need a token of their own, and without one they are not offered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tonic::body::Body;

const TEXT: &str = "text/plain; charset=utf-8";

/// Who may read the numbers, and where they come from.
#[derive(Clone)]
pub struct Scrape {
    token: blake3::Hash,
    content_type: &'static str,
    read: Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>,
}

impl Scrape {
    /// Numbers for whoever shows this token. What is read may fail, in words for the log.
    pub fn new(
        token: &str,
        content_type: &'static str,
        read: impl Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync + 'static,
    ) -> Scrape {
        Scrape {
            token: blake3::hash(token.as_bytes()),
            content_type,
            read: Arc::new(read),
        }
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

/// What answers them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) scrape: Option<Scrape>,
}

impl Probes {
    /// The answer, if the request is one of these.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<BoxFuture<'static, Response<Body>>> {
        let path = request.uri().path();
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return None;
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let said = match path {
            _ if !is_read => text(StatusCode::METHOD_NOT_ALLOWED, "GET\n"),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.load(Ordering::Relaxed) => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => return Some(self.numbers(request)),
        };
        Some(std::future::ready(said).boxed())
    }

    fn numbers<B>(&self, request: &Request<B>) -> BoxFuture<'static, Response<Body>> {
        let Some(scrape) = self.scrape.clone() else {
            let said = text(StatusCode::NOT_FOUND, "metrics.token_file is not set\n");
            return std::future::ready(said).boxed();
        };
        let shown = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, token)| token.trim());
        // Hashes are compared in a time that tells nothing.
        let is_right = blake3::hash(shown.as_bytes()) == scrape.token;
        async move {
            if !is_right {
                return text(StatusCode::UNAUTHORIZED, "the scrape token is needed\n");
            }
            match (scrape.read)().await {
                Ok(numbers) => answer(StatusCode::OK, scrape.content_type, numbers),
                Err(error) => {
                    tracing::warn!(error, "metrics cannot be read");
                    text(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the numbers cannot be read; the log says why\n",
                    )
                }
            }
        }
        .boxed()
    }
}

fn text(status: StatusCode, said: &'static str) -> Response<Body> {
    answer(status, TEXT, said.to_owned())
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
