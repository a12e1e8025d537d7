//! The operator of a daemon: the calls of its API that the figures need.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use peerd_wire::admin::v1 as admin;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::admin::v1::propose_policy_request::Rule;
use peerd_wire::admin::v1::space_service_client::SpaceServiceClient;
use peerd_wire::data::v1 as data;
use peerd_wire::data::v1::artifact_service_client::ArtifactServiceClient;
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
use tonic::{Code, Request, Status};

/// The most links of one page.
const PAGE: u32 = 1_000;
/// How long a step between two operators may take before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often they look meanwhile.
const INTERVAL: Duration = Duration::from_millis(5);

/// Puts the operator's token on every call.
#[derive(Clone, Debug)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Calls with the operator's token.
pub type Service = InterceptedService<Channel, Bearer>;

/// An operator who is signed in.
#[derive(Clone, Debug)]
pub struct Operator {
    service: Service,
}

impl Operator {
    pub async fn connect(api: &str, token_file: &Path) -> anyhow::Result<Operator> {
        let channel = Endpoint::from_shared(format!("http://{api}"))?.connect().await?;
        let token = std::fs::read_to_string(token_file)?;
        let bearer = Bearer(format!("Bearer {}", token.trim()).parse()?);
        Ok(Operator {
            service: InterceptedService::new(channel, bearer),
        })
    }

    fn policies(&self) -> PolicyServiceClient<Service> {
        PolicyServiceClient::new(self.service.clone())
    }

    fn spaces(&self) -> SpaceServiceClient<Service> {
        SpaceServiceClient::new(self.service.clone())
    }

    fn links(&self) -> LinkServiceClient<Service> {
        LinkServiceClient::new(self.service.clone())
    }

    fn ontologies(&self) -> OntologyServiceClient<Service> {
        OntologyServiceClient::new(self.service.clone())
    }

    fn mappings(&self) -> MappingServiceClient<Service> {
        MappingServiceClient::new(self.service.clone())
    }

    /// Calls about connections.
    pub fn connections(&self) -> ConnectionServiceClient<Service> {
        ConnectionServiceClient::new(self.service.clone())
    }

    /// Calls about artifacts.
    pub fn artifacts(&self) -> ArtifactServiceClient<Service> {
        ArtifactServiceClient::new(self.service.clone())
    }

    /// Calls about objects.
    pub fn objects(&self) -> ObjectServiceClient<Service> {
        ObjectServiceClient::new(self.service.clone())
    }

    /// Policies that allow the loopback interface, both ways.
    pub async fn allow_loopback(&self) -> anyhow::Result<()> {
        let any = || vec!["any".to_owned()];
        let out = admin::EgressRule {
            destination: "127.0.0.0/8".to_owned(),
            ports: "1-65535".to_owned(),
            enrollments: any(),
        };
        let into = admin::IngressRule {
            sources: vec!["127.0.0.0/8".to_owned()],
            enrollments: any(),
        };
        for rule in [Rule::Egress(out), Rule::Ingress(into)] {
            let proposal = admin::ProposePolicyRequest {
                rule: Some(rule),
                justification: "a figure".to_owned(),
                expires_in: None,
                approve: true,
            };
            self.policies().propose_policy(proposal).await?;
        }
        Ok(())
    }

    /// A new space with this ontology.
    pub async fn create_space(&self, name: &str, ontology_json: &str) -> anyhow::Result<()> {
        let space = admin::CreateSpaceRequest {
            name: name.to_owned(),
            ..Default::default()
        };
        self.spaces().create_space(space).await?;
        let ontology = data::ApplyOntologyRequest {
            space: name.to_owned(),
            ontology_json: ontology_json.to_owned(),
        };
        self.ontologies().apply_ontology(ontology).await?;
        Ok(())
    }

    /// The id and the code of a new link that these sides may dial.
    pub async fn invite(&self, direction: peering::Direction) -> anyhow::Result<(String, String)> {
        let invite = peering::InviteLinkRequest {
            direction: direction.into(),
            expires_in: None,
        };
        let invited = self.links().invite_link(invite).await?.into_inner();
        Ok((invited.link_id, invited.code))
    }

    /// Enters the code of a link.
    pub async fn accept(&self, code: &str, name: &str) -> anyhow::Result<()> {
        let accept = peering::AcceptLinkRequest {
            code: code.to_owned(),
            name: name.to_owned(),
        };
        self.links().accept_link(accept).await?;
        Ok(())
    }

    /// How many links are healthy.
    pub async fn healthy(&self) -> anyhow::Result<usize> {
        let (mut healthy, mut page_token) = (0, String::new());
        loop {
            let list = peering::ListLinksRequest {
                page_size: PAGE,
                page_token,
            };
            let page = self.links().list_links(list).await.context("a list of links")?;
            let page = page.into_inner();
            let is_healthy = |link: &&peering::Link| link.status() == peering::LinkStatus::Healthy;
            healthy += page.items.iter().filter(is_healthy).count();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(healthy);
            }
        }
    }

    /// Shares types of a connection.
    pub async fn share(
        &self,
        connection: &str,
        types: &[&str],
        export: bool,
        import: bool,
    ) -> anyhow::Result<()> {
        let share = peering::ShareTypesRequest {
            connection_id: connection.to_owned(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
            allow_export: export,
            allow_import: import,
        };
        self.mappings().share_types(share).await?;
        Ok(())
    }

    /// Waits until a connection is in this stage.
    pub async fn stage_is(&self, id: &str, stage: peering::Stage) -> anyhow::Result<()> {
        eventually(stage.as_str_name(), async || {
            Ok(self.connection(id).await?.stage() == stage)
        })
        .await
    }

    /// A connection.
    pub async fn connection(&self, id: &str) -> anyhow::Result<peering::Connection> {
        let show = peering::GetConnectionRequest {
            connection_id: id.to_owned(),
        };
        let shown = self.connections().get_connection(show).await?.into_inner();
        shown.connection.context("a connection")
    }

    /// An object; `None` while there is none.
    pub async fn object(&self, space: &str, of: &str, key: &str) -> anyhow::Result<Option<data::Object>> {
        let show = data::GetObjectRequest {
            space: space.to_owned(),
            object_type: of.to_owned(),
            key: key.to_owned(),
        };
        match self.objects().get_object(show).await {
            Ok(answer) => Ok(answer.into_inner().object),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    /// Sets one property of an object, in the actions lane.
    pub async fn edit(
        &self,
        space: &str,
        of: &str,
        key: &str,
        (name, value): (&str, &str),
    ) -> anyhow::Result<()> {
        let edit = data::EditObjectRequest {
            space: space.to_owned(),
            object_type: of.to_owned(),
            key: key.to_owned(),
            properties: [(name.to_owned(), value.to_owned())].into(),
            clear: Vec::new(),
        };
        self.objects().edit_object(edit).await?;
        Ok(())
    }
}

/// Asks until the answer is yes.
pub async fn eventually(what: &str, ask: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    within(PATIENCE, what, ask).await
}

/// Asks so long until the answer is yes.
pub async fn within(
    patience: Duration,
    what: &str,
    ask: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let asking = async {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            if ask().await? {
                return Ok(());
            }
        }
    };
    match tokio::time::timeout(patience, asking).await {
        Ok(answer) => answer,
        Err(_) => bail!("waited {} s in vain for {what}", patience.as_secs()),
    }
}
