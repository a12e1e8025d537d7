//! The operator of the daemon: the calls of its API that the figures need.

use std::path::Path;

use anyhow::Context as _;
use peerd_wire::admin::v1 as admin;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::admin::v1::propose_policy_request::Rule;
use peerd_wire::peering::v1 as peering;
use peerd_wire::peering::v1::link_service_client::LinkServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

/// The most links of one page.
const PAGE: u32 = 1_000;

#[derive(Debug)]
pub(crate) struct Operator {
    channel: Channel,
    bearer: MetadataValue<Ascii>,
}

impl Operator {
    pub(crate) async fn connect(api: &str, token_file: &Path) -> anyhow::Result<Operator> {
        let channel = Endpoint::from_shared(format!("http://{api}"))?.connect().await?;
        let token = std::fs::read_to_string(token_file)?;
        Ok(Operator {
            channel,
            bearer: format!("Bearer {}", token.trim()).parse()?,
        })
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", self.bearer.clone());
        request
    }

    /// Policies that allow the loopback interface, both ways.
    pub(crate) async fn allow_loopback(&self) -> anyhow::Result<()> {
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
            let mut policies = PolicyServiceClient::new(self.channel.clone());
            policies.propose_policy(self.request(proposal)).await?;
        }
        Ok(())
    }

    /// The code of a new link that either side may dial.
    pub(crate) async fn invite(&self) -> anyhow::Result<String> {
        let invite = peering::InviteLinkRequest {
            direction: peering::Direction::Bidirectional.into(),
            expires_in: None,
        };
        let mut links = LinkServiceClient::new(self.channel.clone());
        Ok(links.invite_link(self.request(invite)).await?.into_inner().code)
    }

    /// How many links are healthy.
    pub(crate) async fn healthy(&self) -> anyhow::Result<usize> {
        let (mut healthy, mut page_token) = (0, String::new());
        loop {
            let list = peering::ListLinksRequest {
                page_size: PAGE,
                page_token,
            };
            let mut links = LinkServiceClient::new(self.channel.clone());
            let page = links
                .list_links(self.request(list))
                .await
                .context("a list of links")?;
            let page = page.into_inner();
            let is_healthy = |link: &&peering::Link| link.status() == peering::LinkStatus::Healthy;
            healthy += page.items.iter().filter(is_healthy).count();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(healthy);
            }
        }
    }
}
