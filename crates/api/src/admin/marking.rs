//! Markings and classification levels.

use peerd_core::name::Name;
use peerd_core::security::Levels;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::marking_service_server::MarkingService;
use tonic::{Request, Response, Status};

use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::admin as view;
use crate::{page, parse};

#[tonic::async_trait]
impl MarkingService for Api {
    async fn create_marking(
        &self,
        request: Request<pb::CreateMarkingRequest>,
    ) -> Result<Response<pb::CreateMarkingResponse>, Status> {
        let (caller, pb::CreateMarkingRequest { name }) = opened(request)?;
        let name: Name = parse::required("name", &name)?;
        let marking = self.node.create_marking(&caller, name).await.map_err(told)?;
        Ok(Response::new(pb::CreateMarkingResponse {
            marking: Some(view::marking(&marking)),
        }))
    }

    async fn grant_marking(
        &self,
        request: Request<pb::GrantMarkingRequest>,
    ) -> Result<Response<pb::GrantMarkingResponse>, Status> {
        let (caller, pb::GrantMarkingRequest { name, principal }) = opened(request)?;
        let name: Name = parse::required("name", &name)?;
        let principal = parse::reference("principal", &principal)?;
        let granted = self.node.grant_marking(&caller, &name, principal).await;
        Ok(Response::new(pb::GrantMarkingResponse {
            marking: Some(view::marking(&granted.map_err(told)?)),
        }))
    }

    async fn list_markings(
        &self,
        request: Request<pb::ListMarkingsRequest>,
    ) -> Result<Response<pb::ListMarkingsResponse>, Status> {
        let (
            caller,
            pb::ListMarkingsRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let (limit, after) = (page::size(page_size)?, page::after::<Name>(&page_token)?);
        let listed = self.node.list_markings(&caller, after.as_ref(), limit).await;
        let (markings, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListMarkingsResponse {
            items: markings.iter().map(view::marking).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn set_classification_levels(
        &self,
        request: Request<pb::SetClassificationLevelsRequest>,
    ) -> Result<Response<pb::SetClassificationLevelsResponse>, Status> {
        let (caller, pb::SetClassificationLevelsRequest { levels }) = opened(request)?;
        let names: Result<Vec<Name>, Status> = levels
            .iter()
            .map(|level| parse::required("levels", level))
            .collect();
        let levels = Levels::new(names?).map_err(|problem| field("levels", problem))?;
        let levels = self.node.set_levels(&caller, levels).await.map_err(told)?;
        Ok(Response::new(pb::SetClassificationLevelsResponse {
            levels: view::levels(&levels),
        }))
    }

    async fn get_classification_levels(
        &self,
        request: Request<pb::GetClassificationLevelsRequest>,
    ) -> Result<Response<pb::GetClassificationLevelsResponse>, Status> {
        let (caller, pb::GetClassificationLevelsRequest {}) = opened(request)?;
        let levels = self.node.show_levels(&caller).await.map_err(told)?;
        Ok(Response::new(pb::GetClassificationLevelsResponse {
            levels: view::levels(&levels),
        }))
    }
}
