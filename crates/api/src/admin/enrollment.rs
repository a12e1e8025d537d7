//! The enrollment itself.

use peerd_core::name::Title;
use peerd_node::enrollment::EnrollmentStatus;
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::enrollment_service_server::EnrollmentService;
use tonic::{Request, Response, Status};

use crate::parse;
use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::{admin as view, timestamp};

#[tonic::async_trait]
impl EnrollmentService for Api {
    async fn get_enrollment(
        &self,
        request: Request<pb::GetEnrollmentRequest>,
    ) -> Result<Response<pb::GetEnrollmentResponse>, Status> {
        let (caller, pb::GetEnrollmentRequest {}) = opened(request)?;
        let enrollment = self.node.show_enrollment(&caller).await.map_err(told)?;
        Ok(Response::new(pb::GetEnrollmentResponse {
            enrollment: Some(view::enrollment(enrollment, &self.about)),
        }))
    }

    async fn set_title(
        &self,
        request: Request<pb::SetTitleRequest>,
    ) -> Result<Response<pb::SetTitleResponse>, Status> {
        let (caller, pb::SetTitleRequest { title }) = opened(request)?;
        let title: Title = parse::required("title", &title)?;
        let enrollment = self.node.set_title(&caller, title).await.map_err(told)?;
        Ok(Response::new(pb::SetTitleResponse {
            enrollment: Some(view::enrollment(enrollment, &self.about)),
        }))
    }

    async fn rotate_identity(
        &self,
        request: Request<pb::RotateIdentityRequest>,
    ) -> Result<Response<pb::RotateIdentityResponse>, Status> {
        let (caller, pb::RotateIdentityRequest {}) = opened(request)?;
        let enrollment = self.node.rotate_identity(&caller).await.map_err(told)?;
        Ok(Response::new(pb::RotateIdentityResponse {
            enrollment: Some(view::enrollment(enrollment, &self.about)),
        }))
    }

    async fn get_status(
        &self,
        request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let (caller, pb::GetStatusRequest {}) = opened(request)?;
        let EnrollmentStatus {
            enrollment,
            links,
            connections,
            health,
        } = self.node.status(&caller).await.map_err(told)?;
        Ok(Response::new(pb::GetStatusResponse {
            enrollment: Some(view::enrollment(enrollment, &self.about)),
            version: self.about.version.to_owned(),
            links: view::counts(links),
            connections: view::counts(connections),
            health,
            started_at: Some(timestamp(self.about.started_at)),
        }))
    }
}
