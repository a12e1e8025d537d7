//! What every call has in common: health, reflection, limits, request ids, faults.

use peerd_api::Limits;
use peerd_core::{PolicyId, Reason};
use peerd_store::{Batch, Table};
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::enrollment_service_client::EnrollmentServiceClient;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::status::refusal;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::Served;

#[tokio::test]
async fn health_is_open_and_follows_its_handle() {
    Served::run(Limits::default(), async |served| {
        let mut client = HealthClient::new(served.channel.clone());
        let mut status = async || {
            let answer = client.check(HealthCheckRequest::default()).await.unwrap();
            answer.into_inner().status()
        };
        assert_eq!(status().await, ServingStatus::NotServing);
        served.readiness.set(true).await;
        assert_eq!(status().await, ServingStatus::Serving);
        served.readiness.set(false).await;
        assert_eq!(status().await, ServingStatus::NotServing);
    })
    .await;
}

#[tokio::test]
async fn reflection_is_open_in_both_versions_and_lists_every_service() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::{v1, v1alpha};

    Served::run(Limits::default(), async |served| {
        let ask = v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::new(served.channel.clone());
        let answer = client
            .server_reflection_info(tokio_stream::once(ask))
            .await
            .unwrap();
        let answer = answer.into_inner().message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
        for path in crate::every_call() {
            let service = path.trim_start_matches('/').split('/').next().unwrap();
            assert!(names.iter().any(|name| name == service), "{service}");
        }
        assert!(names.iter().any(|name| name == "grpc.health.v1.Health"));

        let ask = v1alpha::ServerReflectionRequest::default();
        let mut older =
            v1alpha::server_reflection_client::ServerReflectionClient::new(served.channel.clone());
        older
            .server_reflection_info(tokio_stream::once(ask))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let limits = Limits {
        message_bytes_max: 1_024,
        ..Limits::default()
    };
    Served::run(limits, async |served| {
        let mut client = EnrollmentServiceClient::new(served.as_admin());
        let title = "a".repeat(2_000);
        let status = client.set_title(pb::SetTitleRequest { title }).await.unwrap_err();
        assert_eq!(refusal(&status).reason, Reason::TooLarge);
        let title = "a".repeat(1_000);
        let status = client.set_title(pb::SetTitleRequest { title }).await.unwrap_err();
        assert_eq!(
            refusal(&status).details.get("field").map(String::as_str),
            Some("title")
        );
    })
    .await;
}

#[tokio::test]
async fn a_fault_of_ours_tells_its_request_id_and_nothing_else() {
    Served::run(Limits::default(), async |served| {
        let id = PolicyId::from_bytes([5; 16]);
        let mut damage = Batch::new();
        damage.put(Table::Policies, id.as_bytes().to_vec(), b"\x01 hunter2".to_vec());
        served.kit.node.store().commit(damage).await.unwrap();
        let mut client = PolicyServiceClient::new(served.as_admin());
        let request = pb::GetPolicyRequest {
            policy_id: id.to_string(),
        };
        let status = client.get_policy(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        let request_id = status.metadata().get("x-request-id").unwrap().to_str().unwrap();
        let told = refusal(&status);
        assert_eq!(told.reason, Reason::StoreCorrupt);
        assert_eq!(
            told.message,
            format!("a fault of this daemon; request {request_id} finds it in the log")
        );
        assert_eq!(
            told.details.get("request_id").map(String::as_str),
            Some(request_id)
        );
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_its_own_request_id() {
    Served::run(Limits::default(), async |served| {
        let path = "/peerd.admin.v1.EnrollmentService/GetStatus";
        let mut ids = Vec::new();
        for _ in 0..2 {
            let answer = served.call(path, Some(&served.admin)).await.unwrap();
            ids.push(answer.metadata().get("x-request-id").unwrap().clone());
            let refused = served.call(path, Some("garbage")).await.unwrap_err();
            ids.push(refused.metadata().get("x-request-id").unwrap().clone());
        }
        ids.dedup();
        assert_eq!(ids.len(), 4);
    })
    .await;
}
