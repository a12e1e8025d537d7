//! Every call of the API, made by everybody who may not make it.

use peerd_api::Limits;
use peerd_api::auth::action_of;
use peerd_core::Reason;
use peerd_core::authz::{Access, Role, Token, allows};
use tonic::Code;

use crate::{Served, every_call};

/// Strangers call as often as this test needs.
fn patient() -> Limits {
    Limits {
        failures_max: u32::MAX,
        ..Limits::default()
    }
}

#[tokio::test]
async fn b049_no_call_is_open_to_a_stranger() {
    Served::run(patient(), async |served| {
        let revoked = served.token("gone", Role::EnrollmentAdmin).await;
        let admin = served.kit.node.authenticate(&served.admin).await.unwrap();
        served.kit.node.revoke_principal(&admin, "gone").await.unwrap();
        let unknown = Token::from_bytes([9; 32]).expose().to_string();
        for path in every_call() {
            for token in [None, Some(""), Some("garbage"), Some(&*unknown), Some(&*revoked)] {
                let status = served.call(&path, token).await.unwrap_err();
                assert_eq!(status.code(), Code::Unauthenticated, "{path} {token:?}");
                let refused = served.refused(&path, token).await.unwrap();
                assert_eq!(refused.reason, Reason::TokenInvalid, "{path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn b049_no_role_makes_a_call_that_the_table_denies_it() {
    Served::run(patient(), async |served| {
        for role in Role::ALL {
            let token = served.token(&format!("a-{role}"), role).await;
            for path in every_call() {
                let allowed = allows(role, action_of(&path).unwrap()) != Access::Never;
                let refused = served.refused(&path, Some(&token)).await;
                let reason = refused.map(|refused| refused.reason);
                if allowed {
                    // An empty message fails in many ways, but never for want of a token.
                    assert_ne!(reason, Some(Reason::TokenInvalid), "{role} {path}");
                } else {
                    assert_eq!(reason, Some(Reason::RoleInsufficient), "{role} {path}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_without_a_row_is_offered_to_nobody() {
    Served::run(patient(), async |served| {
        for path in [
            "/peerd.admin.v1.PolicyService/Nothing",
            "/peerd.none.v1.None/Nothing",
            "/else/what",
            "/",
        ] {
            let stranger = served.refused(path, None).await.unwrap();
            assert_eq!(stranger.reason, Reason::TokenInvalid, "{path}");
            let admin = served.refused(path, Some(&served.admin)).await.unwrap();
            assert_eq!(admin.reason, Reason::FeatureDisabled, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn denied_calls_leave_their_record() {
    Served::run(patient(), async |served| {
        let viewer = served.token("vera", Role::Viewer).await;
        let before = served.kit.node.authenticate(&served.admin).await.unwrap();
        let (records, _) = served
            .kit
            .node
            .list_audit(&before, None, None, 1_000)
            .await
            .unwrap();
        let last = records.last().map(|record| record.number);
        served
            .refused("/peerd.admin.v1.PolicyService/ApprovePolicy", Some(&viewer))
            .await
            .unwrap();
        served
            .refused("/peerd.admin.v1.PolicyService/ApprovePolicy", None)
            .await
            .unwrap();
        let (records, _) = served
            .kit
            .node
            .list_audit(&before, None, last, 1_000)
            .await
            .unwrap();
        let actions: Vec<_> = records.iter().map(|record| record.fact.action()).collect();
        assert_eq!(actions, ["policy approve", "authenticate"]);
    })
    .await;
}

#[tokio::test]
async fn strangers_are_slowed_down_and_principals_are_not() {
    let limits = Limits {
        failures_max: 3,
        ..Limits::default()
    };
    Served::run(limits, async |served| {
        let path = "/peerd.admin.v1.EnrollmentService/GetStatus";
        for _ in 0..3 {
            assert_eq!(
                served.refused(path, None).await.unwrap().reason,
                Reason::TokenInvalid
            );
        }
        for _ in 0..3 {
            assert_eq!(
                served.refused(path, None).await.unwrap().reason,
                Reason::RateLimited
            );
        }
        served.call(path, Some(&served.admin)).await.unwrap();
        served.kit.clock.advance(std::time::Duration::from_mins(1));
        assert_eq!(
            served.refused(path, None).await.unwrap().reason,
            Reason::TokenInvalid
        );
    })
    .await;
}
