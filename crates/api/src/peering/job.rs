//! Peering jobs.

use peerd_core::policy::Direction;
use peerd_node::exchange::JobStatus;
use peerd_node::job::JobFilter;
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::job_service_server::JobService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::job as view;
use crate::{page, parse};

#[tonic::async_trait]
impl JobService for Api {
    async fn list_jobs(
        &self,
        request: Request<pb::ListJobsRequest>,
    ) -> Result<Response<pb::ListJobsResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListJobsRequest {
            connection_id,
            r#type,
            direction,
            status,
            page_size,
            page_token,
        } = message;
        let filter = JobFilter {
            connection: parse::optional("connection_id", &connection_id)?,
            object_type: Some(r#type).filter(|name| !name.is_empty()),
            direction: read_direction(direction)?,
            status: read_status(status)?,
        };
        let (after, limit) = (page::after(&page_token)?, page::size(page_size)?);
        let listed = self.node.list_jobs(&caller, &filter, after, limit).await;
        let (items, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListJobsResponse {
            items: items.into_iter().map(view::job).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn get_job(
        &self,
        request: Request<pb::GetJobRequest>,
    ) -> Result<Response<pb::GetJobResponse>, Status> {
        let (caller, pb::GetJobRequest { job_id }) = opened(request)?;
        let id = parse::required("job_id", &job_id)?;
        let job = self.node.show_job(&caller, id).await.map_err(told)?;
        Ok(Response::new(pb::GetJobResponse {
            job: Some(view::job(job)),
        }))
    }
}

fn read_direction(number: i32) -> Result<Option<Direction>, Status> {
    Ok(match parse::variant("direction", number)? {
        pb::JobDirection::Unspecified => None,
        pb::JobDirection::Export => Some(Direction::Export),
        pb::JobDirection::Import => Some(Direction::Import),
    })
}

fn read_status(number: i32) -> Result<Option<JobStatus>, Status> {
    Ok(match parse::variant("status", number)? {
        pb::JobStatus::Unspecified => None,
        pb::JobStatus::Running => Some(JobStatus::Running),
        pb::JobStatus::Done => Some(JobStatus::Done),
        pb::JobStatus::Failed => Some(JobStatus::Failed),
        pb::JobStatus::Interrupted => Some(JobStatus::Interrupted),
    })
}
