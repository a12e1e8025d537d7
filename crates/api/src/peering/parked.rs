//! Parked objects.

use peerd_node::exchange::Retried;
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::parked_service_server::ParkedService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::mapping as view;
use crate::{page, parse};

#[tonic::async_trait]
impl ParkedService for Api {
    async fn list_parked(
        &self,
        request: Request<pb::ListParkedRequest>,
    ) -> Result<Response<pb::ListParkedResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListParkedRequest {
            connection_id,
            page_size,
            page_token,
        } = message;
        let connection = parse::optional("connection_id", &connection_id)?;
        let (after, limit) = (page::after(&page_token)?, page::size(page_size)?);
        let listed = self.node.list_parked(&caller, connection, after, limit).await;
        let (items, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListParkedResponse {
            items: items.into_iter().map(view::parked).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn retry_parked(
        &self,
        request: Request<pb::RetryParkedRequest>,
    ) -> Result<Response<pb::RetryParkedResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::RetryParkedRequest { parked_id } = message;
        let id = parse::required("parked_id", &parked_id)?;
        let Retried { applied, message } = self.node.retry_parked(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::RetryParkedResponse { applied, message }))
    }

    async fn drop_parked(
        &self,
        request: Request<pb::DropParkedRequest>,
    ) -> Result<Response<pb::DropParkedResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::DropParkedRequest { parked_id } = message;
        let id = parse::required("parked_id", &parked_id)?;
        self.node.drop_parked(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::DropParkedResponse {}))
    }
}
