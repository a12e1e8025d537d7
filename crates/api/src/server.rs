//! The server: every service behind the gate, on a socket that is handed in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use peerd_core::Time;
use peerd_node::{Entrance, Node};
use peerd_wire::OPERATOR_DESCRIPTORS;
use peerd_wire::admin::v1::audit_service_server::AuditServiceServer;
use peerd_wire::admin::v1::backup_service_server::BackupServiceServer;
use peerd_wire::admin::v1::enrollment_service_server::EnrollmentServiceServer;
use peerd_wire::admin::v1::marking_service_server::MarkingServiceServer;
use peerd_wire::admin::v1::policy_service_server::PolicyServiceServer;
use peerd_wire::admin::v1::principal_service_server::PrincipalServiceServer;
use peerd_wire::admin::v1::space_service_server::SpaceServiceServer;
use peerd_wire::data::v1::artifact_service_server::ArtifactServiceServer;
use peerd_wire::data::v1::object_service_server::ObjectServiceServer;
use peerd_wire::data::v1::ontology_service_server::OntologyServiceServer;
use peerd_wire::peering::v1::connection_service_server::ConnectionServiceServer;
use peerd_wire::peering::v1::job_service_server::JobServiceServer;
use peerd_wire::peering::v1::link_service_server::LinkServiceServer;
use peerd_wire::peering::v1::mapping_service_server::MappingServiceServer;
use peerd_wire::peering::v1::parked_service_server::ParkedServiceServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::service::{AxumRouter, Routes};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder as Reflection;
use tower::layer::util::{Identity, Stack};

use crate::auth::Gate;
use crate::probes::{Probes, Scrape};

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptors that reflection shows are damaged: this program was built wrongly.
    #[error("the API's descriptors cannot be read")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// The socket or a connection failed.
    #[error("the API's socket failed")]
    Transport(#[from] tonic::transport::Error),
}

/// What the daemon tells of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its version.
    pub version: &'static str,
    /// The versions of MPX it speaks.
    pub protocol_versions: Vec<u32>,
    /// When it started.
    pub started_at: Time,
    /// When the TLS leaf certificate in use expires; follows every renewal.
    pub leaf_expires_at: watch::Receiver<Time>,
}

/// What one caller, and all callers together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request message, in bytes.
    pub message_bytes_max: usize,
    /// The largest list of request headers, in bytes.
    pub header_bytes_max: u32,
    /// How many calls one connection may have under way.
    pub calls_max: u32,
    /// How many TLS handshakes may be under way.
    pub handshakes_max: usize,
    /// How long one may take.
    pub handshake_timeout: Duration,
    /// After how much silence a connection is asked for a sign of life.
    pub keepalive_interval: Duration,
    /// How long that sign may take.
    pub keepalive_timeout: Duration,
    /// How many calls without a valid token one source address may make in a minute.
    pub failures_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes_max: 4 << 20,
            header_bytes_max: 16 << 10,
            calls_max: 128,
            handshakes_max: 64,
            handshake_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            failures_max: 20,
        }
    }
}

/// What every service stands on.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) node: Arc<Node>,
    pub(crate) about: Arc<About>,
    /// Cancelled when the API stops: what would go on for ever ends.
    pub(crate) stopping: CancellationToken,
}

/// Says to `grpc.health.v1` whether the daemon serves. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness(HealthReporter, Arc<AtomicBool>);

impl Readiness {
    /// Tells it to whoever asks or watches.
    pub async fn set(&self, ready: bool) {
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.1.store(ready, Ordering::Relaxed);
        self.0.set_service_status("", status).await;
    }
}

/// The operator API, ready to serve.
#[derive(Debug)]
pub struct ApiServer {
    api: Api,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
    health: HealthReporter,
    entrance: Arc<Entrance>,
    pages: Option<AxumRouter>,
    probes: Probes,
}

impl ApiServer {
    /// The API of this node, in the clear unless `tls` is given. It reports itself as not serving until the handle
    /// says so.
    pub async fn new(
        node: Arc<Node>,
        about: About,
        limits: Limits,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> (ApiServer, Readiness) {
        let about = Arc::new(about);
        let entrance = Arc::new(Entrance::new(Arc::clone(&node), limits.failures_max));
        let server = ApiServer {
            api: Api {
                node,
                about,
                stopping: CancellationToken::new(),
            },
            limits,
            tls,
            health: HealthReporter::new(),
            entrance,
            pages: None,
            probes: Probes::default(),
        };
        let readiness = Readiness(server.health.clone(), Arc::clone(&server.probes.ready));
        readiness.set(false).await;
        (server, readiness)
    }

    /// The door its callers come in by, for what is served beside the API.
    pub fn entrance(&self) -> Arc<Entrance> {
        Arc::clone(&self.entrance)
    }

    /// Cancelled when the API stops.
    pub fn stopping(&self) -> CancellationToken {
        self.api.stopping.clone()
    }

    /// Serves pages too, below `/console`, and lets browsers in that speak HTTP/1.1. The gate lets their requests pass
    /// with the address they come from as an extension: the pages look up who their visitors are.
    pub fn beside(self, pages: AxumRouter) -> ApiServer {
        ApiServer {
            pages: Some(pages),
            ..self
        }
    }

    /// Offers numbers at `/metrics`, to whoever shows the token for them.
    pub fn measured(mut self, scrape: Option<Scrape>) -> ApiServer {
        self.probes.scrape = scrape;
        self
    }

    /// Serves until `shutdown` is done, then lets calls under way end and ends those that watch.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let stopping = self.api.stopping.clone();
        let shutdown = async move {
            shutdown.await;
            stopping.cancel();
        };
        let mut services = self.routes()?;
        if let Some(pages) = self.pages.clone() {
            services = Routes::from(pages.merge(services.into_axum_router()));
        }
        let router = self.builder().add_routes(services);
        match self.tls {
            None => router.serve_with_incoming_shutdown(incoming, shutdown).await?,
            Some(config) => {
                let Limits {
                    handshake_timeout,
                    handshakes_max,
                    ..
                } = self.limits;
                let acceptor = TlsAcceptor::from(config);
                let greeted = incoming
                    .map_ok(move |stream| greet(acceptor.clone(), stream, handshake_timeout))
                    .try_buffer_unordered(handshakes_max)
                    .filter_map(|greeted| async { greeted.transpose() });
                router.serve_with_incoming_shutdown(greeted, shutdown).await?;
            }
        }
        Ok(())
    }

    fn builder(&self) -> Server<Stack<Gate, Identity>> {
        let Limits {
            calls_max,
            header_bytes_max,
            keepalive_interval,
            keepalive_timeout,
            ..
        } = self.limits;
        let pages = self.pages.is_some();
        Server::builder()
            // Browsers, and whoever probes, may speak no other.
            .accept_http1(true)
            .max_concurrent_streams(calls_max)
            .http2_max_header_list_size(header_bytes_max)
            .http2_keepalive_interval(Some(keepalive_interval))
            .http2_keepalive_timeout(Some(keepalive_timeout))
            .layer(Gate::new(
                Arc::clone(&self.api.node),
                self.entrance(),
                pages,
                self.probes.clone(),
            ))
    }

    /// Every service of the API: one line each.
    fn routes(&self) -> Result<Routes, Error> {
        let (api, bytes) = (&self.api, self.limits.message_bytes_max);
        let health = HealthService::from_health_reporter(self.health.clone());
        Ok(Routes::new(HealthServer::new(health))
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(AuditServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(ArtifactServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(BackupServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(ConnectionServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(EnrollmentServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(JobServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(LinkServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(MappingServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(MarkingServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(ObjectServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(OntologyServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(ParkedServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(PolicyServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(PrincipalServiceServer::new(api.clone()).max_decoding_message_size(bytes))
            .add_service(SpaceServiceServer::new(api.clone()).max_decoding_message_size(bytes)))
    }
}

fn reflection() -> Reflection<'static> {
    Reflection::configure()
        .register_encoded_file_descriptor_set(OPERATOR_DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

/// One handshake, beside the accept loop. What fails it is dropped: it never was a caller.
async fn greet(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    timeout: Duration,
) -> io::Result<Option<TlsStream<TcpStream>>> {
    match tokio::time::timeout(timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Ok(Some(stream)),
        Ok(Err(error)) => {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a handshake on the API failed"
            );
            Ok(None)
        }
        Err(_) => {
            tracing::debug!("a handshake on the API took too long");
            Ok(None)
        }
    }
}
