//! `peerd.peering.v1.LinkService`.

use std::sync::Arc;

use peerd_core::link::Direction;
use peerd_core::{Fingerprint, LinkId};
use peerd_node::Node;
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::link_service_server::LinkService;
use tonic::{Request, Response, Status};

use crate::error::refuse;
use crate::view::{peering as view, timestamp};
use crate::{auth, page, parse};

/// Links, over gRPC.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    pub(crate) node: Arc<Node>,
}

#[tonic::async_trait]
impl LinkService for Links {
    async fn invite_link(
        &self,
        request: Request<pb::InviteLinkRequest>,
    ) -> Result<Response<pb::InviteLinkResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::InviteLinkRequest { direction, expires_in } = request.into_inner();
        let direction = parse_direction(direction)?;
        let lifetime = parse::duration("expires_in", expires_in)?;
        let invited = self.node.invite_link(&caller, direction, lifetime).await.map_err(refuse)?;
        Ok(Response::new(pb::InviteLinkResponse {
            link_id: invited.id.to_string(),
            code: invited.code,
            expires_at: Some(timestamp(invited.expires_at)),
        }))
    }

    async fn inspect_link_code(
        &self,
        request: Request<pb::InspectLinkCodeRequest>,
    ) -> Result<Response<pb::InspectLinkCodeResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::InspectLinkCodeRequest { code } = request.into_inner();
        let (code, problems) = self.node.inspect_link_code(&caller, &code).await.map_err(refuse)?;
        Ok(Response::new(pb::InspectLinkCodeResponse {
            link_id: code.link.to_string(),
            enrollment_id: code.enrollment().to_string(),
            title: code.title.as_ref().map(ToString::to_string).unwrap_or_default(),
            fingerprint: Fingerprint::of(&code.certificate).to_string(),
            addresses: code.addresses.iter().map(ToString::to_string).collect(),
            direction: view::direction(code.direction).into(),
            issued_at: Some(timestamp(code.issued_at)),
            expires_at: Some(timestamp(code.expires_at)),
            version: peerd_core::code::VERSION,
            problems: problems.iter().map(view::problem).collect(),
        }))
    }

    async fn accept_link(
        &self,
        request: Request<pb::AcceptLinkRequest>,
    ) -> Result<Response<pb::AcceptLinkResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::AcceptLinkRequest { code, name } = request.into_inner();
        let name = parse::text("name", &name)?;
        let accepted = self.node.accept_link(&caller, &code, &name).await.map_err(refuse)?;
        Ok(Response::new(pb::AcceptLinkResponse {
            link: Some(view::link(&accepted.link)),
            needs_own_code: accepted.needs_own_code,
        }))
    }

    async fn list_links(
        &self,
        request: Request<pb::ListLinksRequest>,
    ) -> Result<Response<pb::ListLinksResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::ListLinksRequest { page_size, page_token } = request.into_inner();
        let (after, limit) = page::read::<LinkId>(&page_token, page_size)?;
        let (links, next) = self.node.list_links(&caller, after, limit).await.map_err(refuse)?;
        let items = links.iter().map(view::link).collect();
        Ok(Response::new(pb::ListLinksResponse { items, next_page_token: page::token(next) }))
    }

    async fn get_link(
        &self,
        request: Request<pb::GetLinkRequest>,
    ) -> Result<Response<pb::GetLinkResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::GetLinkRequest { link } = request.into_inner();
        let link = self.node.show_link(&caller, &link).await.map_err(refuse)?;
        Ok(Response::new(pb::GetLinkResponse { link: Some(view::link(&link)) }))
    }

    async fn dial_link(
        &self,
        request: Request<pb::DialLinkRequest>,
    ) -> Result<Response<pb::DialLinkResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::DialLinkRequest { link } = request.into_inner();
        let link = self.node.dial_link(&caller, &link).await.map_err(refuse)?;
        Ok(Response::new(pb::DialLinkResponse { link: Some(view::link(&link)) }))
    }

    async fn remove_link(
        &self,
        request: Request<pb::RemoveLinkRequest>,
    ) -> Result<Response<pb::RemoveLinkResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::RemoveLinkRequest { link } = request.into_inner();
        self.node.remove_link(&caller, &link).await.map_err(refuse)?;
        Ok(Response::new(pb::RemoveLinkResponse {}))
    }

    async fn list_knocks(
        &self,
        request: Request<pb::ListKnocksRequest>,
    ) -> Result<Response<pb::ListKnocksResponse>, Status> {
        let caller = auth::caller(&request)?;
        let pb::ListKnocksRequest { page_size, page_token } = request.into_inner();
        let knocks = self.node.list_knocks(&caller).await.map_err(refuse)?;
        let (items, next_page_token) = page::of_few(knocks, &page_token, page_size)?;
        let items = items.iter().map(view::knock).collect();
        Ok(Response::new(pb::ListKnocksResponse { items, next_page_token }))
    }
}

/// A direction as it was asked for; unspecified is bidirectional.
fn parse_direction(direction: i32) -> Result<Direction, Status> {
    Ok(match parse::variant("direction", direction)? {
        pb::Direction::Unspecified | pb::Direction::Bidirectional => Direction::Bidirectional,
        pb::Direction::EgressOnly => Direction::EgressOnly,
        pb::Direction::IngressOnly => Direction::IngressOnly,
    })
}
