//! What the pages stand on, and the router that serves them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::middleware::map_response;
use axum::routing::{MethodFilter, any, on};
use peerd_core::{Rng, Time};
use peerd_node::{Entrance, Node};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::route::{self, Method};
use crate::session::Sessions;
use crate::{guard, live};

/// What the daemon tells of itself on the pages.
#[derive(Clone, Debug)]
pub struct About {
    /// Its version.
    pub version: &'static str,
    /// When the TLS leaf certificate in use expires; follows every renewal.
    pub leaf_expires_at: watch::Receiver<Time>,
}

/// What a console is made of.
#[derive(Debug)]
pub struct Setup {
    /// The use-cases.
    pub node: Arc<Node>,
    /// Where visitors come in; the API's own, so that failures there count here.
    pub entrance: Arc<Entrance>,
    /// Chance, fit for secrets: sessions and form tokens.
    pub rng: Arc<dyn Rng>,
    /// What the pages tell of the daemon.
    pub about: About,
    /// Whether cookies are for TLS alone: wherever the operator port has TLS, or is not loopback.
    pub secure: bool,
    /// The largest file that a form may bring, in bytes.
    pub upload_bytes_max: u64,
    /// Cancelled when the daemon stops: live streams end.
    pub stopping: CancellationToken,
}

/// The console of one enrollment.
#[derive(Debug)]
pub struct Console {
    pub(crate) node: Arc<Node>,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) about: About,
    pub(crate) secure: bool,
    pub(crate) upload_bytes_max: u64,
    pub(crate) stopping: CancellationToken,
    pub(crate) sessions: Sessions,
    /// One permit for each live stream that may run.
    pub(crate) streams: Arc<Semaphore>,
}

impl Console {
    fn new(setup: Setup) -> Console {
        let Setup {
            node,
            entrance,
            rng,
            about,
            secure,
            upload_bytes_max,
            stopping,
        } = setup;
        Console {
            node,
            entrance,
            about,
            secure,
            upload_bytes_max,
            stopping,
            sessions: Sessions::new(rng),
            streams: Arc::new(Semaphore::new(live::STREAMS_MAX)),
        }
    }
}

/// The pages, each behind the guard. What is not in the table is not there.
pub fn router(setup: Setup) -> Router {
    let console = Arc::new(Console::new(setup));
    let mut router = Router::new();
    for entry in route::table() {
        let filter = match entry.route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
        };
        let (path, console) = (entry.route.path, Arc::clone(&console));
        let entry = Arc::new(entry);
        let serve = move |params: RawPathParams, request: Request| {
            let (console, entry) = (Arc::clone(&console), Arc::clone(&entry));
            let params: Vec<(String, String)> = params
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            async move { guard::serve(console, &entry, params, request).await }
        };
        router = router.route(path, on(filter, serve));
    }
    router.layer(map_response(guard::harden))
}

/// What stands in place of the pages where the console is switched off: it says so.
pub fn switched_off() -> Router {
    let mut router = Router::new();
    for path in ["/", "/favicon.ico", "/console", "/console/", "/console/{*rest}"] {
        router = router.route(path, any(async || guard::switched_off()));
    }
    router.layer(map_response(guard::harden))
}
