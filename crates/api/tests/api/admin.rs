//! The administration by a client, as an operator would do it.

use peerd_api::Limits;
use peerd_core::{EnrollmentId, Reason};
use peerd_wire::admin::v1 as pb;
use peerd_wire::admin::v1::audit_service_client::AuditServiceClient;
use peerd_wire::admin::v1::enrollment_service_client::EnrollmentServiceClient;
use peerd_wire::admin::v1::marking_service_client::MarkingServiceClient;
use peerd_wire::admin::v1::policy_service_client::PolicyServiceClient;
use peerd_wire::admin::v1::principal_service_client::PrincipalServiceClient;
use peerd_wire::admin::v1::propose_policy_request::Rule;
use peerd_wire::admin::v1::space_service_client::SpaceServiceClient;
use peerd_wire::status::refusal;
use tonic::Status;

use crate::Served;

fn field(status: &Status) -> Option<String> {
    let told = refusal(status);
    assert_eq!(told.reason, Reason::FieldInvalid, "{told:?}");
    told.details.get("field").cloned()
}

fn egress() -> pb::ProposePolicyRequest {
    pb::ProposePolicyRequest {
        rule: Some(Rule::Egress(pb::EgressRule {
            destination: "hub.example".into(),
            ports: "7440-7450".into(),
            enrollments: vec!["any".into()],
        })),
        justification: "pilot".into(),
        expires_in: Some(prost_types::Duration {
            seconds: 3_600,
            nanos: 0,
        }),
        approve: true,
    }
}

#[tokio::test]
async fn an_enrollment_is_shown_with_what_the_daemon_knows() {
    Served::run(Limits::default(), async |served| {
        let mut client = EnrollmentServiceClient::new(served.as_admin());
        let title = "Königs Hospital".to_owned();
        client
            .set_title(pb::SetTitleRequest { title: title.clone() })
            .await
            .unwrap();
        let status = client
            .get_status(pb::GetStatusRequest {})
            .await
            .unwrap()
            .into_inner();
        let enrollment = status.enrollment.unwrap();
        assert_eq!(
            (status.version.as_str(), status.health.as_str()),
            ("0.1.0-test", "ok")
        );
        assert_eq!((enrollment.name.as_str(), enrollment.title), ("alpha", title));
        assert_eq!(enrollment.protocol_versions, [1]);
        assert_eq!(enrollment.leaf_expires_at.unwrap().seconds, 1_767_225_600);
        assert_eq!(enrollment.addresses, ["alpha.example:7443"]);
        for wrong in ["", "a\u{202e}b"] {
            let refused = client
                .set_title(pb::SetTitleRequest { title: wrong.into() })
                .await
                .unwrap_err();
            assert_eq!(field(&refused).as_deref(), Some("title"));
        }
    })
    .await;
}

#[tokio::test]
async fn b025_a_replaced_identity_keeps_the_id_and_is_audited() {
    Served::run(Limits::default(), async |served| {
        let mut client = EnrollmentServiceClient::new(served.as_admin());
        let before = client.get_enrollment(pb::GetEnrollmentRequest {}).await.unwrap();
        let before = before.into_inner().enrollment.unwrap();
        let after = client
            .rotate_identity(pb::RotateIdentityRequest {})
            .await
            .unwrap();
        let after = after.into_inner().enrollment.unwrap();
        assert_eq!(after.enrollment_id, before.enrollment_id);
        assert_ne!(after.identity_fingerprint, before.identity_fingerprint);
        let shown = client.get_enrollment(pb::GetEnrollmentRequest {}).await.unwrap();
        assert_eq!(shown.into_inner().enrollment, Some(after.clone()));
        for more in 2..=16 {
            let again = client.rotate_identity(pb::RotateIdentityRequest {}).await;
            assert!(again.is_ok(), "{more}");
        }
        let often = client.rotate_identity(pb::RotateIdentityRequest {}).await;
        let refused = often.unwrap_err();
        assert!(refused.message().contains("16 times"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_policy_is_proposed_shown_checked_and_revoked() {
    Served::run(Limits::default(), async |served| {
        let mut client = PolicyServiceClient::new(served.as_admin());
        let policy = client
            .propose_policy(egress())
            .await
            .unwrap()
            .into_inner()
            .policy
            .unwrap();
        assert_eq!(policy.state(), pb::PolicyState::Active);
        assert_eq!(
            (policy.proposed_by.as_str(), policy.decided_by.as_str()),
            ("admin", "admin")
        );
        let expires = policy.expires_at.unwrap().seconds - policy.proposed_at.unwrap().seconds;
        assert_eq!(expires, 3_600);

        let check = |address: &str| pb::CheckPolicyRequest {
            direction: pb::PolicyDirection::Egress.into(),
            enrollment_id: EnrollmentId::from_bytes([9; 32]).to_string(),
            address: address.to_owned(),
            data: 0,
        };
        for (address, allowed) in [
            ("", true),
            ("hub.example:7443", true),
            ("hub.example:80", false),
            ("[::1]:7443", false),
        ] {
            let answer = client.check_policy(check(address)).await.unwrap().into_inner();
            assert_eq!(answer.allowed, allowed, "{address} {}", answer.explanation);
            assert_eq!(answer.reason, if allowed { "ALLOWED" } else { "EGRESS_DENIED" });
        }
        let refused = client.check_policy(check("hub.example")).await.unwrap_err();
        assert_eq!(field(&refused).as_deref(), Some("address"));

        let policy_id = policy.policy_id;
        let revoke = pb::RevokePolicyRequest {
            policy_id: policy_id.clone(),
        };
        client.revoke_policy(revoke.clone()).await.unwrap();
        let refused = client.revoke_policy(revoke).await.unwrap_err();
        assert_eq!(refusal(&refused).reason, Reason::WrongStage);
        let answer = client.check_policy(check("")).await.unwrap().into_inner();
        assert_eq!((answer.allowed, answer.policy_id), (false, policy_id.clone()));
        let listed = client
            .list_policies(pb::ListPoliciesRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(listed.items[0].state(), pb::PolicyState::Revoked);
        assert_eq!(listed.items[0].policy_id, policy_id);
    })
    .await;
}

#[tokio::test]
async fn b105_a_malformed_policy_is_refused_by_field() {
    Served::run(Limits::default(), async |served| {
        let mut client = PolicyServiceClient::new(served.as_admin());
        let with = |change: fn(&mut pb::ProposePolicyRequest)| {
            let mut request = egress();
            change(&mut request);
            request
        };
        let ingress = |sources: &[&str], enrollments: &[&str]| pb::ProposePolicyRequest {
            rule: Some(Rule::Ingress(pb::IngressRule {
                sources: sources.iter().map(ToString::to_string).collect(),
                enrollments: enrollments.iter().map(ToString::to_string).collect(),
            })),
            ..egress()
        };
        for (request, expected) in [
            (with(|it| it.rule = None), "rule"),
            (with(|it| it.justification.clear()), "justification"),
            (
                with(|it| {
                    it.expires_in = Some(prost_types::Duration {
                        seconds: -1,
                        nanos: 0,
                    });
                }),
                "expires_in",
            ),
            (ingress(&["10.0.0.1/8"], &["any"]), "ingress.sources"),
            (ingress(&[], &["any"]), "sources"),
            (ingress(&["10.0.0.0/8"], &[]), "ingress.enrollments"),
            (ingress(&["10.0.0.0/8"], &["any", "some"]), "ingress.enrollments"),
        ] {
            let refused = client.propose_policy(request).await.unwrap_err();
            assert_eq!(field(&refused).as_deref(), Some(expected));
        }
        let listed = client
            .list_policies(pb::ListPoliciesRequest::default())
            .await
            .unwrap();
        assert!(listed.into_inner().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn b022_a_token_is_shown_once_and_works_until_it_is_revoked() {
    Served::run(Limits::default(), async |served| {
        let mut spaces = SpaceServiceClient::new(served.as_admin());
        let create = pb::CreateSpaceRequest {
            name: "flights".into(),
            title: "Flights".into(),
        };
        let space = spaces
            .create_space(create)
            .await
            .unwrap()
            .into_inner()
            .space
            .unwrap();
        assert_eq!(space.created_at.unwrap().seconds, 1_767_225_600);
        let mut client = PrincipalServiceClient::new(served.as_admin());
        let create = pb::CreatePrincipalRequest {
            name: "mia".into(),
            role: pb::Role::Viewer.into(),
            space: "flights".into(),
        };
        let created = client
            .create_principal(create.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(created.principal.unwrap().space_id, space.space_id);
        let path = "/peerd.admin.v1.EnrollmentService/GetStatus";
        served.call(path, Some(&created.token)).await.unwrap();

        let listed = client
            .list_principals(pb::ListPrincipalsRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(listed.items.len(), 2);
        assert!(!format!("{listed:?}").contains(&created.token));
        let refused = client.create_principal(create.clone()).await.unwrap_err();
        assert_eq!(refusal(&refused).reason, Reason::NameTaken);
        let roleless = pb::CreatePrincipalRequest { role: 0, ..create };
        let refused = client.create_principal(roleless).await.unwrap_err();
        assert_eq!(field(&refused).as_deref(), Some("role"));

        client
            .revoke_principal(pb::RevokePrincipalRequest {
                principal: "mia".into(),
            })
            .await
            .unwrap();
        let refused = served.refused(path, Some(&created.token)).await.unwrap();
        assert_eq!(refused.reason, Reason::TokenInvalid);
    })
    .await;
}

#[tokio::test]
async fn lists_are_paged_and_foreign_tokens_are_refused() {
    Served::run(Limits::default(), async |served| {
        let mut client = MarkingServiceClient::new(served.as_admin());
        for name in ["a", "b", "c"] {
            client
                .create_marking(pb::CreateMarkingRequest { name: name.into() })
                .await
                .unwrap();
        }
        let mut names = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListMarkingsRequest {
                page_size: 2,
                page_token,
            };
            let page = client.list_markings(request).await.unwrap().into_inner();
            names.extend(page.items.into_iter().map(|marking| marking.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, ["a", "b", "c"]);
        for (page_size, page_token, expected) in [(1_001, "", "page_size"), (0, "a", "page_token")] {
            let request = pb::ListMarkingsRequest {
                page_size,
                page_token: page_token.into(),
            };
            let refused = client.list_markings(request).await.unwrap_err();
            assert_eq!(field(&refused).as_deref(), Some(expected));
        }
        let levels = vec!["open".to_owned(), "secret".to_owned()];
        let set = pb::SetClassificationLevelsRequest {
            levels: levels.clone(),
        };
        client.set_classification_levels(set).await.unwrap();
        let shown = client
            .get_classification_levels(pb::GetClassificationLevelsRequest {})
            .await
            .unwrap();
        assert_eq!(shown.into_inner().levels, levels);
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_is_listed_and_verified() {
    Served::run(Limits::default(), async |served| {
        PolicyServiceClient::new(served.as_admin())
            .propose_policy(egress())
            .await
            .unwrap();
        let mut client = AuditServiceClient::new(served.as_admin());
        let listed = client
            .list_audit(pb::ListAuditRequest::default())
            .await
            .unwrap()
            .into_inner();
        let told: Vec<_> = listed
            .items
            .iter()
            .map(|record| {
                (
                    record.actor.as_str(),
                    record.action.as_str(),
                    record.outcome.as_str(),
                )
            })
            .collect();
        let expected = [
            ("system", "principal create", "done"),
            ("principal:admin", "policy propose", "done"),
            ("principal:admin", "policy approve", "done"),
        ];
        assert_eq!(told, expected);
        let report = client
            .verify_audit(pb::VerifyAuditRequest {})
            .await
            .unwrap()
            .into_inner();
        assert!(report.ok);
        assert_eq!((report.records, report.first_bad), (3, 0));
        assert_eq!(report.head, listed.items[2].hash);
    })
    .await;
}
