//! Peering jobs through the API: what can be asked. What they tell is shown where something flows.

use peerd_api::Limits;
use peerd_core::authz::Role;
use peerd_core::{JobId, Reason};
use peerd_wire::peering::v1 as pb;
use peerd_wire::peering::v1::job_service_client::JobServiceClient;
use peerd_wire::status::refusal;

use crate::Served;

#[tokio::test]
async fn jobs_are_asked_for_in_known_words() {
    Served::run(Limits::default(), async |served| {
        let mut jobs = JobServiceClient::new(served.as_admin());
        let listed = jobs.list_jobs(pb::ListJobsRequest::default()).await.unwrap();
        assert_eq!(listed.into_inner(), pb::ListJobsResponse::default());
        let request = |change: fn(&mut pb::ListJobsRequest)| {
            let mut request = pb::ListJobsRequest::default();
            change(&mut request);
            request
        };
        for request in [
            request(|it| it.direction = 7),
            request(|it| it.status = 9),
            request(|it| it.connection_id = "nonsense".into()),
            request(|it| it.page_token = "!".into()),
            request(|it| it.page_size = 1_001),
        ] {
            let refused = jobs.list_jobs(request).await.unwrap_err();
            assert_eq!(refusal(&refused).reason, Reason::FieldInvalid);
        }
        let unknown = JobId::from_bytes([7; 16]).to_string();
        for (job_id, reason) in [
            (unknown, Reason::NotFound),
            (String::new(), Reason::FieldInvalid),
            ("job_7".into(), Reason::FieldInvalid),
        ] {
            let refused = jobs.get_job(pb::GetJobRequest { job_id }).await.unwrap_err();
            assert_eq!(refusal(&refused).reason, reason);
        }
    })
    .await;
}

#[tokio::test]
async fn b049_who_only_reads_or_edits_sees_no_jobs() {
    Served::run(Limits::default(), async |served| {
        for role in [Role::Editor, Role::Viewer] {
            let token = served.token(&format!("a-{role}"), role).await;
            for call in ["ListJobs", "GetJob"] {
                let path = format!("/peerd.peering.v1.JobService/{call}");
                let refused = served.refused(&path, Some(&token)).await.unwrap();
                assert_eq!(refused.reason, Reason::RoleInsufficient, "{role} {call}");
            }
        }
    })
    .await;
}
