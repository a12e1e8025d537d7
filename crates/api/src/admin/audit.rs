//! The audit log.

use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::audit_service_server::AuditService;
use tonic::{Request, Response, Status};

use crate::refuse::{opened, told};
use crate::server::Api;
use crate::view::admin as view;
use crate::{page, parse};

#[tonic::async_trait]
impl AuditService for Api {
    async fn list_audit(
        &self,
        request: Request<pb::ListAuditRequest>,
    ) -> Result<Response<pb::ListAuditResponse>, Status> {
        let (caller, message) = opened(request)?;
        let pb::ListAuditRequest {
            since,
            page_size,
            page_token,
        } = message;
        let since = parse::time("since", since)?;
        let (limit, after) = (page::size(page_size)?, page::after(&page_token)?);
        let listed = self.node.list_audit(&caller, since, after, limit).await;
        let (records, next) = listed.map_err(told)?;
        Ok(Response::new(pb::ListAuditResponse {
            items: records.iter().map(view::audit_record).collect(),
            next_page_token: page::token(next),
        }))
    }

    async fn verify_audit(
        &self,
        request: Request<pb::VerifyAuditRequest>,
    ) -> Result<Response<pb::VerifyAuditResponse>, Status> {
        let (caller, pb::VerifyAuditRequest {}) = opened(request)?;
        let report = self.node.verify_audit(&caller).await.map_err(told)?;
        Ok(Response::new(pb::VerifyAuditResponse {
            ok: report.ok,
            records: report.records,
            head: view::head(report.records, &report.head),
            first_bad: report.first_bad.unwrap_or(0),
        }))
    }
}
