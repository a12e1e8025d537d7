//! What pages say.

use axum::body::Body;
use http::{Request, StatusCode};
use peerd_core::authz::Role;
use tower::ServiceExt as _;

use crate::Site;

#[tokio::test]
async fn b048_a_console_that_is_switched_off_says_so_everywhere() {
    for path in [
        "/",
        "/console/",
        "/console/sign-in",
        "/console/connections/x/settings",
    ] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = peerd_console::switched_off().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED, "{path}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains("FEATURE_DISABLED") && body.contains("switched off"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_people_wrote_is_text_and_never_markup() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let home = site.get("/console/", Some(&visitor)).await;
    assert!(home.body.contains("Alpha &lt;ltd&gt;"));
    assert!(!home.body.contains("<ltd>"));
}

#[tokio::test]
async fn a_refused_form_comes_back_with_what_was_written_and_the_reason() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let fields = "side=egress&destination=b.example&ports=0&enrollments=any&justification=because";
    let reply = site.post("/console/policies/propose", &visitor, fields).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.body.contains("FIELD_INVALID"));
    assert!(reply.body.contains("value=\"b.example\""));
    assert!(reply.body.contains("value=\"because\""));
}

#[tokio::test]
async fn a_code_that_is_none_is_refused_by_its_reason() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let empty = site.post("/console/invite", &visitor, "code=").await;
    assert!(empty.body.contains("CODE_EMPTY"), "{}", empty.body);
    let malformed = site.post("/console/invite", &visitor, "code=hello").await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert!(malformed.body.contains("CODE_MALFORMED"));
}

#[tokio::test]
async fn a_page_offers_only_what_the_visitor_may_do() {
    let site = Site::new(false).await;
    let viewer = site.sign_in_as("vera", Role::Viewer).await;
    let home = site.get("/console/", Some(&viewer)).await;
    for hidden in [
        "/console/request",
        "/console/invite",
        "/console/network",
        "/console/audit",
    ] {
        assert!(!home.body.contains(hidden), "{hidden}");
    }
    let objects = site.get("/console/objects", Some(&viewer)).await;
    assert!(objects.body.contains("flights"));
}

#[tokio::test]
async fn what_one_does_is_done_by_the_same_use_cases_and_said_on_the_next_page() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let done = site
        .post("/console/security/levels", &visitor, "levels=open%0D%0Asecret")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let page = site.get("/console/security", Some(&visitor)).await;
    assert!(page.body.contains("The levels are set."));
    let again = site.get("/console/security", Some(&visitor)).await;
    assert!(!again.body.contains("The levels are set."));
    let levels = site.kit.node.show_levels(&site.admin).await.unwrap();
    assert_eq!(levels.as_slice().len(), 2);
}
