//! An operator of one enrollment: the calls of the API that the story needs.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use peerd_core::authz::Token;
use peerd_wire::admin::v1 as admin;
use peerd_wire::admin::v1::audit_service_client::AuditServiceClient;
use peerd_wire::admin::v1::enrollment_service_client::EnrollmentServiceClient;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::admin::v1::space_service_client::SpaceServiceClient;
use peerd_wire::data::v1 as data;
use peerd_wire::data::v1::object_service_client::ObjectServiceClient;
use peerd_wire::data::v1::ontology_service_client::OntologyServiceClient;
use peerd_wire::peering::v1 as peering;
use peerd_wire::peering::v1::connection_service_client::ConnectionServiceClient;
use peerd_wire::peering::v1::link_service_client::LinkServiceClient;
use peerd_wire::peering::v1::mapping_service_client::MappingServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// How long the story waits for anything.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Puts the operator's token on every call.
#[derive(Clone, Debug)]
pub(super) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

pub(super) type Service = InterceptedService<Channel, Bearer>;

/// An operator who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    service: Service,
}

impl Operator {
    pub(super) async fn connect(api: SocketAddr, token: &Token) -> anyhow::Result<Operator> {
        let channel = Endpoint::from_shared(format!("http://{api}"))?.connect().await?;
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", token.expose().as_str()).parse()?;
        bearer.set_sensitive(true);
        Ok(Operator {
            service: InterceptedService::new(channel, Bearer(bearer)),
        })
    }

    pub(super) fn enrollments(&self) -> EnrollmentServiceClient<Service> {
        EnrollmentServiceClient::new(self.service.clone())
    }

    pub(super) fn policies(&self) -> PolicyServiceClient<Service> {
        PolicyServiceClient::new(self.service.clone())
    }

    pub(super) fn spaces(&self) -> SpaceServiceClient<Service> {
        SpaceServiceClient::new(self.service.clone())
    }

    pub(super) fn audit(&self) -> AuditServiceClient<Service> {
        AuditServiceClient::new(self.service.clone())
    }

    pub(super) fn links(&self) -> LinkServiceClient<Service> {
        LinkServiceClient::new(self.service.clone())
    }

    pub(super) fn connections(&self) -> ConnectionServiceClient<Service> {
        ConnectionServiceClient::new(self.service.clone())
    }

    pub(super) fn mappings(&self) -> MappingServiceClient<Service> {
        MappingServiceClient::new(self.service.clone())
    }

    pub(super) fn ontologies(&self) -> OntologyServiceClient<Service> {
        OntologyServiceClient::new(self.service.clone())
    }

    pub(super) fn objects(&self) -> ObjectServiceClient<Service> {
        ObjectServiceClient::new(self.service.clone())
    }

    /// Proposes and approves an egress policy to this address and an ingress policy from the loopback.
    pub(super) async fn allow(&self, address: SocketAddr, remote: &str) -> anyhow::Result<Vec<String>> {
        use admin::propose_policy_request::Rule;
        let enrollments = vec![remote.to_owned()];
        let egress = admin::EgressRule {
            destination: address.ip().to_string(),
            ports: address.port().to_string(),
            enrollments: enrollments.clone(),
        };
        let ingress = admin::IngressRule {
            sources: vec!["127.0.0.0/8".to_owned()],
            enrollments,
        };
        let mut ids = Vec::new();
        for rule in [Rule::Egress(egress), Rule::Ingress(ingress)] {
            let proposal = admin::ProposePolicyRequest {
                justification: "the demo".to_owned(),
                approve: true,
                rule: Some(rule),
                ..Default::default()
            };
            let answer = self.policies().propose_policy(proposal).await?.into_inner();
            ids.push(answer.policy.context("a policy")?.policy_id);
        }
        Ok(ids)
    }

    /// Waits until the link is healthy, or says why it is not.
    pub(super) async fn link_is(
        &self,
        link: &str,
        status: peering::LinkStatus,
    ) -> anyhow::Result<peering::Link> {
        self.wait(
            &format!("link {link} to be {}", status.as_str_name()),
            async || {
                let request = peering::GetLinkRequest {
                    link: link.to_owned(),
                };
                let link = self
                    .links()
                    .get_link(request)
                    .await?
                    .into_inner()
                    .link
                    .context("a link")?;
                Ok((link.status() == status).then_some(link))
            },
        )
        .await
    }

    /// Waits until the connection is in the stage.
    pub(super) async fn stage_is(
        &self,
        id: &str,
        stage: peering::Stage,
    ) -> anyhow::Result<peering::Connection> {
        self.wait(
            &format!("connection {id} to be {}", stage.as_str_name()),
            async || {
                let request = peering::GetConnectionRequest {
                    connection_id: id.to_owned(),
                };
                let answer = self.connections().get_connection(request).await?.into_inner();
                let connection = answer.connection.context("a connection")?;
                Ok((connection.stage() == stage).then_some(connection))
            },
        )
        .await
    }

    /// How many airports there are.
    pub(super) async fn airports(&self) -> anyhow::Result<u64> {
        let request = data::CountObjectsRequest {
            space: "flights".to_owned(),
            object_type: "airport".to_owned(),
        };
        Ok(self.objects().count_objects(request).await?.into_inner().count)
    }

    /// The name of an airport; `None` while it is not there.
    pub(super) async fn airport_name(&self, key: &str) -> anyhow::Result<Option<String>> {
        let request = data::GetObjectRequest {
            space: "flights".to_owned(),
            object_type: "airport".to_owned(),
            key: key.to_owned(),
        };
        let object = match self.objects().get_object(request).await {
            Ok(answer) => answer.into_inner().object.context("an object")?,
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(None),
            Err(status) => return Err(status.into()),
        };
        match object
            .properties
            .get("name")
            .and_then(|value| value.kind.as_ref())
        {
            Some(data::value::Kind::StringValue(name)) => Ok(Some(name.clone())),
            _ => Ok(None),
        }
    }

    /// Renames an airport, in the actions lane.
    pub(super) async fn rename(&self, key: &str, name: &str) -> anyhow::Result<()> {
        let request = data::EditObjectRequest {
            space: "flights".to_owned(),
            object_type: "airport".to_owned(),
            key: key.to_owned(),
            properties: [("name".to_owned(), name.to_owned())].into(),
            clear: Vec::new(),
        };
        self.objects().edit_object(request).await?;
        Ok(())
    }

    /// Asks until there is an answer.
    pub(super) async fn wait<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let asking = async {
            let mut interval = tokio::time::interval(INTERVAL);
            loop {
                interval.tick().await;
                if let Some(answer) = ask().await? {
                    return Ok(answer);
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "waited {} s in vain for {what}",
                PATIENCE.as_secs()
            ))
        })
    }
}
