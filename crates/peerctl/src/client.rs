//! The daemon's services over one channel, each call with its token and its deadline.

use std::time::Duration;

use peerd_core::Reason;
use peerd_wire::admin::v1::audit_service_client::AuditServiceClient;
use peerd_wire::admin::v1::enrollment_service_client::EnrollmentServiceClient;
use peerd_wire::admin::v1::marking_service_client::MarkingServiceClient;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::admin::v1::principal_service_client::PrincipalServiceClient;
use peerd_wire::admin::v1::space_service_client::SpaceServiceClient;
use peerd_wire::data::v1::artifact_service_client::ArtifactServiceClient;
use peerd_wire::data::v1::object_service_client::ObjectServiceClient;
use peerd_wire::data::v1::ontology_service_client::OntologyServiceClient;
use peerd_wire::peering::v1::connection_service_client::ConnectionServiceClient;
use peerd_wire::peering::v1::job_service_client::JobServiceClient;
use peerd_wire::peering::v1::link_service_client::LinkServiceClient;
use peerd_wire::peering::v1::mapping_service_client::MappingServiceClient;
use peerd_wire::peering::v1::parked_service_client::ParkedServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::{InterceptedService, Interceptor};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::settings::Settings;

/// How long to wait for a TCP connection before another answer is more useful.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How often an idle stream is probed, and how long it may stay silent then.
const PROBE: Duration = Duration::from_secs(20);

/// The largest answer taken: a page of 1,000 objects of moderate size.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The most things asked for in one page.
const PAGE_MAX: u32 = 1_000;

/// A channel whose calls carry the token.
pub(crate) type Wire = InterceptedService<Channel, Bearer>;

/// Puts the token on every call.
#[derive(Clone, Debug)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}

/// A daemon that answered.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    wire: Wire,
    call_max: Duration,
}

macro_rules! services {
    ($($name:ident: $client:ident,)+) => {
        impl Client {
            $(pub(crate) fn $name(&self) -> $client<Wire> {
                $client::new(self.wire.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
            })+
        }
    };
}

services! {
    audit: AuditServiceClient,
    enrollment: EnrollmentServiceClient,
    markings: MarkingServiceClient,
    policies: PolicyServiceClient,
    principals: PrincipalServiceClient,
    spaces: SpaceServiceClient,
    artifacts: ArtifactServiceClient,
    objects: ObjectServiceClient,
    ontology: OntologyServiceClient,
    connections: ConnectionServiceClient,
    jobs: JobServiceClient,
    links: LinkServiceClient,
    mappings: MappingServiceClient,
    parked: ParkedServiceClient,
}

impl Client {
    /// Connects to the daemon.
    pub(crate) async fn connect(settings: Settings) -> Result<Client, Error> {
        let Settings {
            endpoint: uri,
            bearer,
            ca,
            call_max,
        } = settings;
        let mut endpoint = Endpoint::from(uri.clone())
            .connect_timeout(CONNECT_MAX.min(call_max))
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE);
        if let Some(pem) = ca {
            let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
            endpoint = endpoint
                .tls_config(tls)
                .map_err(|error| Error::Usage(format!("--ca: {error}")))?;
        }
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| Error::unreachable(&format!("the daemon at {uri} cannot be reached"), &error))?;
        Ok(Client {
            wire: InterceptedService::new(channel, Bearer(bearer)),
            call_max,
        })
    }

    /// The answer of a call, within the time a call may take.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let answer = tokio::time::timeout(self.call_max, call).await.map_err(|_| {
            let message = format!("the daemon did not answer within {:?}", self.call_max);
            Error::refused(Reason::WaitTimeout, message)
        })?;
        Ok(answer?.into_inner())
    }
}

/// Everything of a list: asks page by page, `ask(page_size, page_token)`, until the last.
pub(crate) async fn all<T, F>(mut ask: impl FnMut(u32, String) -> F) -> Result<Vec<T>, Error>
where
    F: Future<Output = Result<(Vec<T>, String), Error>>,
{
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (items, next) = ask(PAGE_MAX, token.clone()).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        if next == token {
            return Err(Error::refused(
                Reason::Internal,
                "the daemon's list does not go on: it gave the same page token twice",
            ));
        }
        token = next;
    }
}
