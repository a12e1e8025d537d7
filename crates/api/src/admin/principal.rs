//! Who may call.

use peerd_core::name::Name;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::principal_service_server::PrincipalService;
use tonic::{Request, Response, Status};

use crate::refuse::{field, opened, told};
use crate::server::Api;
use crate::view::admin as view;
use crate::{page, parse};

#[tonic::async_trait]
impl PrincipalService for Api {
    async fn create_principal(
        &self,
        request: Request<pb::CreatePrincipalRequest>,
    ) -> Result<Response<pb::CreatePrincipalResponse>, Status> {
        let (caller, pb::CreatePrincipalRequest { name, role, space }) = opened(request)?;
        let name: Name = parse::required("name", &name)?;
        let role = view::role_of(role).ok_or_else(|| field("role", "required"))?;
        let space = Some(space.as_str()).filter(|space| !space.is_empty());
        let created = self.node.create_principal(&caller, name, role, space).await;
        let (principal, token) = created.map_err(told)?;
        Ok(Response::new(pb::CreatePrincipalResponse {
            principal: Some(view::principal(&principal)),
            token: token.expose().to_string(),
        }))
    }

    async fn list_principals(
        &self,
        request: Request<pb::ListPrincipalsRequest>,
    ) -> Result<Response<pb::ListPrincipalsResponse>, Status> {
        let (
            caller,
            pb::ListPrincipalsRequest {
                page_size,
                page_token,
            },
        ) = opened(request)?;
        let (limit, after) = (page::size(page_size)?, page::after(&page_token)?);
        let listed = self.node.list_principals(&caller, after, limit).await;
        let (principals, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListPrincipalsResponse {
            items: principals.iter().map(view::principal).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn revoke_principal(
        &self,
        request: Request<pb::RevokePrincipalRequest>,
    ) -> Result<Response<pb::RevokePrincipalResponse>, Status> {
        let (caller, pb::RevokePrincipalRequest { principal }) = opened(request)?;
        let principal = parse::reference("principal", &principal)?;
        let revoked = self
            .node
            .revoke_principal(&caller, principal)
            .await
            .map_err(told)?;
        Ok(Response::new(pb::RevokePrincipalResponse {
            principal: Some(view::principal(&revoked)),
        }))
    }
}
