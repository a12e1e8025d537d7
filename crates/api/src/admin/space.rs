//! Spaces.

use peerd_core::name::{Name, Title};
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::space_service_server::SpaceService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::admin as view;
use crate::{page, parse};

#[tonic::async_trait]
impl SpaceService for Api {
    async fn create_space(
        &self,
        request: Request<pb::CreateSpaceRequest>,
    ) -> Result<Response<pb::CreateSpaceResponse>, Status> {
        let (caller, pb::CreateSpaceRequest { name, title }) = opened(request)?;
        let name: Name = parse::required("name", &name)?;
        let title: Option<Title> = parse::optional("title", &title)?;
        let space = self.node.create_space(&caller, name, title).await.map_err(told)?;
        Ok(Response::new(pb::CreateSpaceResponse {
            space: Some(view::space(&space)),
        }))
    }

    async fn list_spaces(
        &self,
        request: Request<pb::ListSpacesRequest>,
    ) -> Result<Response<pb::ListSpacesResponse>, Status> {
        let (
            caller,
            pb::ListSpacesRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let (limit, after) = (page::size(page_size)?, page::after(&page_token)?);
        let listed = self.node.list_spaces(&caller, after, limit).await;
        let (spaces, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListSpacesResponse {
            items: spaces.iter().map(view::space).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn add_space_manager(
        &self,
        request: Request<pb::AddSpaceManagerRequest>,
    ) -> Result<Response<pb::AddSpaceManagerResponse>, Status> {
        let (caller, pb::AddSpaceManagerRequest { space, principal }) = opened(request)?;
        let space = parse::reference("space", &space)?;
        let principal = parse::reference("principal", &principal)?;
        let added = self.node.add_space_manager(&caller, space, principal).await;
        Ok(Response::new(pb::AddSpaceManagerResponse {
            space: Some(view::space(&added.map_err(told)?)),
        }))
    }

    async fn remove_space_manager(
        &self,
        request: Request<pb::RemoveSpaceManagerRequest>,
    ) -> Result<Response<pb::RemoveSpaceManagerResponse>, Status> {
        let (caller, pb::RemoveSpaceManagerRequest { space, principal }) = opened(request)?;
        let space = parse::reference("space", &space)?;
        let principal = parse::reference("principal", &principal)?;
        let removed = self.node.remove_space_manager(&caller, space, principal).await;
        Ok(Response::new(pb::RemoveSpaceManagerResponse {
            space: Some(view::space(&removed.map_err(told)?)),
        }))
    }
}
