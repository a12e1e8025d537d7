//! Cookies, headers, and how a session ends.

use std::time::Duration;

use http::StatusCode;
use peerd_core::authz::Role;

use crate::Site;

#[tokio::test]
async fn the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    for secure in [false, true] {
        let site = Site::new(secure).await;
        let reply = site.try_sign_in(&site.token).await;
        let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
        let session = cookies[0].to_str().unwrap();
        assert!(session.contains("; HttpOnly"));
        assert!(session.contains("; SameSite=Strict"));
        assert_eq!(session.contains("; Secure"), secure);
        assert_eq!(session.starts_with("__Host-"), secure);
        assert!(!session.contains(&site.token));
    }
}

#[tokio::test]
async fn every_answer_says_how_strictly_it_is_to_be_taken() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let paths = [
        "/console/",
        "/console/sign-in",
        "/console/nothing",
        "/",
        "/console/audit",
    ];
    for path in paths {
        let reply = site.get(path, Some(&visitor)).await;
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(reply.headers["referrer-policy"], "same-origin", "{path}");
        assert_eq!(reply.headers["cache-control"], "no-store", "{path}");
        for inline in ["style=", "<script>", "onclick=", "javascript:"] {
            assert!(!reply.body.contains(inline), "{path} {inline}");
        }
    }
    let home = site.get("/console/", Some(&visitor)).await;
    let (_, style) = home.body.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let style = style.split('"').next().unwrap();
    let reply = site.get(style, None).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(
        reply.headers["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let out = site.post("/console/sign-out", &visitor, "").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let after = site.get("/console/", Some(&visitor)).await;
    assert_eq!(after.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_that_is_idle_ends() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    site.kit.clock.advance(Duration::from_mins(29));
    assert_eq!(site.get("/console/", Some(&visitor)).await.status, StatusCode::OK);
    site.kit.clock.advance(Duration::from_mins(30));
    assert_eq!(
        site.get("/console/", Some(&visitor)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_revoked_token_ends_its_session_at_once() {
    let site = Site::new(false).await;
    let visitor = site.sign_in_as("vera", Role::Viewer).await;
    assert_eq!(site.get("/console/", Some(&visitor)).await.status, StatusCode::OK);
    site.kit.node.revoke_principal(&site.admin, "vera").await.unwrap();
    assert_eq!(
        site.get("/console/", Some(&visitor)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn a_token_is_shown_once_and_never_again() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let fields = "name=otto&role=security-officer&space=";
    let created = site.post("/console/principals", &visitor, fields).await;
    let to = created.headers["location"].to_str().unwrap().to_owned();
    assert!(to.starts_with("/console/once/"));
    let shown = site.get(&to, Some(&visitor)).await;
    let (_, token) = shown.body.split_once("peerd_").unwrap();
    let token = format!("peerd_{}", &token[..52]);
    site.sign_in(&token).await;
    let again = site.get(&to, Some(&visitor)).await;
    assert!(!again.body.contains(&token));
    let list = site.get("/console/principals", Some(&visitor)).await;
    assert!(!list.body.contains(&token));
}
