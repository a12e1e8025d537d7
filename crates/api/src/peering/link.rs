//! `peerd.peering.v1.LinkService`.

use peerd_core::link::{Direction, Form, RelayLimits};
use peerd_core::{Fingerprint, LinkId};
use peerd_node::link::AddRelay;
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::link_service_server::LinkService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::{peering as view, timestamp};
use crate::{page, parse};

#[tonic::async_trait]
impl LinkService for Api {
    async fn invite_link(
        &self,
        request: Request<pb::InviteLinkRequest>,
    ) -> Result<Response<pb::InviteLinkResponse>, Status> {
        let (
            caller,
            pb::InviteLinkRequest {
                direction,
                expires_in,
            },
        ) = opened(request)?;
        let direction = parse_direction(direction)?;
        let lifetime = parse::duration("expires_in", expires_in)?;
        let invited = self
            .node
            .invite_link(&caller, direction, lifetime)
            .await
            .map_err(told)?;
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
        let (caller, pb::InspectLinkCodeRequest { code }) = opened(request)?;
        let (code, problems) = self.node.inspect_link_code(&caller, &code).await.map_err(told)?;
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
        let (caller, pb::AcceptLinkRequest { code, name }) = opened(request)?;
        let name = parse::required("name", &name)?;
        let accepted = self.node.accept_link(&caller, &code, &name).await.map_err(told)?;
        Ok(Response::new(pb::AcceptLinkResponse {
            link: Some(view::link(&accepted.link)),
            needs_own_code: accepted.needs_own_code,
        }))
    }

    async fn add_relay_link(
        &self,
        request: Request<pb::AddRelayLinkRequest>,
    ) -> Result<Response<pb::AddRelayLinkResponse>, Status> {
        let (caller, ask) = opened(request)?;
        let ask = parse_relay(ask)?;
        let link = self.node.add_relay_link(&caller, ask).await.map_err(told)?;
        Ok(Response::new(pb::AddRelayLinkResponse {
            link: Some(view::link(&link)),
        }))
    }

    async fn list_links(
        &self,
        request: Request<pb::ListLinksRequest>,
    ) -> Result<Response<pb::ListLinksResponse>, Status> {
        let (
            caller,
            pb::ListLinksRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let (limit, after) = (page::size(page_size)?, page::after::<LinkId>(&page_token)?);
        let (links, next) = self.node.list_links(&caller, after, limit).await.map_err(told)?;
        let items = links.iter().map(view::link).collect();
        Ok(Response::new(pb::ListLinksResponse {
            items,
            next_page_token: page::token(next),
        }))
    }

    async fn get_link(
        &self,
        request: Request<pb::GetLinkRequest>,
    ) -> Result<Response<pb::GetLinkResponse>, Status> {
        let (caller, pb::GetLinkRequest { link }) = opened(request)?;
        let link = self.node.show_link(&caller, &link).await.map_err(told)?;
        Ok(Response::new(pb::GetLinkResponse {
            link: Some(view::link(&link)),
        }))
    }

    async fn dial_link(
        &self,
        request: Request<pb::DialLinkRequest>,
    ) -> Result<Response<pb::DialLinkResponse>, Status> {
        let (caller, pb::DialLinkRequest { link }) = opened(request)?;
        let link = self.node.dial_link(&caller, &link).await.map_err(told)?;
        Ok(Response::new(pb::DialLinkResponse {
            link: Some(view::link(&link)),
        }))
    }

    async fn remove_link(
        &self,
        request: Request<pb::RemoveLinkRequest>,
    ) -> Result<Response<pb::RemoveLinkResponse>, Status> {
        let (caller, pb::RemoveLinkRequest { link }) = opened(request)?;
        self.node.remove_link(&caller, &link).await.map_err(told)?;
        Ok(Response::new(pb::RemoveLinkResponse {}))
    }

    async fn list_knocks(
        &self,
        request: Request<pb::ListKnocksRequest>,
    ) -> Result<Response<pb::ListKnocksResponse>, Status> {
        let (
            caller,
            pb::ListKnocksRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let knocks = self.node.list_knocks(&caller).await.map_err(told)?;
        let (items, next_page_token) = page::of_few(knocks, &page_token, page_size)?;
        let items = items.iter().map(view::knock).collect();
        Ok(Response::new(pb::ListKnocksResponse {
            items,
            next_page_token,
        }))
    }
}

/// A relay link as it was asked for. What is absent is as [`RelayLimits`] says.
fn parse_relay(ask: pb::AddRelayLinkRequest) -> Result<AddRelay, Status> {
    let pb::AddRelayLinkRequest {
        code,
        name,
        outbox,
        inbox,
        form,
        one_way,
        bundle_bytes_max,
        outbox_bytes_max,
        inbox_bytes_max,
    } = ask;
    let usual = RelayLimits::default();
    let or = |given: u64, usual: u64| if given == 0 { usual } else { given };
    Ok(AddRelay {
        name: parse::required("name", &name)?,
        code,
        outbox,
        inbox,
        form: match parse::variant("form", form)? {
            pb::RelayForm::Unspecified | pb::RelayForm::Sealed => Form::Sealed,
            pb::RelayForm::Xml => Form::Xml,
        },
        one_way,
        limits: RelayLimits {
            bundle_bytes_max: or(bundle_bytes_max, usual.bundle_bytes_max),
            outbox_bytes_max: or(outbox_bytes_max, usual.outbox_bytes_max),
            inbox_bytes_max: or(inbox_bytes_max, usual.inbox_bytes_max),
            ..usual
        },
    })
}

/// A direction as it was asked for; unspecified is bidirectional.
fn parse_direction(direction: i32) -> Result<Direction, Status> {
    Ok(match parse::variant("direction", direction)? {
        pb::Direction::Unspecified | pb::Direction::Bidirectional => Direction::Bidirectional,
        pb::Direction::EgressOnly => Direction::EgressOnly,
        pb::Direction::IngressOnly => Direction::IngressOnly,
    })
}
