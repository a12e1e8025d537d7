//! Every route, asked for by everybody who may not.

use http::StatusCode;
use peerd_console::{Method, Needs, Route, routes};
use peerd_core::authz::{Access, Role, Token, allows};

use crate::{Reply, Site, Visitor, request};

/// The route's path with something in the place of each part that stands for any text.
fn path_of(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| match part {
        "{id}" => "con_01a213a76ffc71e78efa3110f8d0fdd7",
        "{policy}" => "pol_01a213a76ffc71e78efa3110f8d0fdd7",
        "{space}" => "flights",
        part if part.starts_with('{') => "something",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(site: &Site, route: &Route, visitor: Option<&Visitor>) -> Reply {
    let form = visitor.map_or_else(String::new, |it| format!("form_token={}", it.form_token));
    let method = match route.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    // A stream that has begun never ends by itself: only its head is read.
    let response = site.send(request(method, &path_of(route), visitor, form)).await;
    let (parts, body) = response.into_parts();
    let kind = parts.headers.get("content-type").cloned();
    let streams = kind.is_some_and(|kind| kind == "text/event-stream");
    let body = if streams {
        Vec::new()
    } else {
        axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec()
    };
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn is_refused(route: &Route, reply: &Reply) -> bool {
    match route.method {
        Method::Get => {
            let to = reply.headers.get("location").map(|to| to.to_str().unwrap());
            reply.status == StatusCode::SEE_OTHER
                && to.is_some_and(|to| to.starts_with("/console/sign-in?to="))
        }
        Method::Post => reply.status == StatusCode::UNAUTHORIZED,
    }
}

#[tokio::test]
async fn b049_no_route_is_open_to_whoever_is_not_signed_in() {
    let site = Site::new(false).await;
    let invented = Visitor {
        cookie: format!("peerd-session-{}=0", site.kit.node.enrollment_id().short()),
        form_token: "0".to_owned(),
    };
    let gone = site.sign_in_as("gone", Role::EnrollmentAdmin).await;
    site.kit.node.revoke_principal(&site.admin, "gone").await.unwrap();
    let before = site.audited().await;
    let guarded = routes().into_iter().filter(|route| route.needs != Needs::Nothing);
    for route in guarded {
        for visitor in [None, Some(&invented), Some(&gone)] {
            let reply = ask(&site, &route, visitor).await;
            assert!(is_refused(&route, &reply), "{route:?} {}", reply.status);
        }
    }
    assert_eq!(site.audited().await, before, "nothing was done");
}

#[tokio::test]
async fn b049_no_role_takes_a_route_that_the_table_denies_it() {
    let site = Site::new(false).await;
    for role in Role::ALL {
        let visitor = site.sign_in_as(&format!("a-{role}"), role).await;
        for route in routes() {
            let Needs::Call(action) = route.needs else {
                continue;
            };
            let reply = ask(&site, &route, Some(&visitor)).await;
            if allows(role, action) == Access::Never {
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{role} {route:?}");
                assert!(reply.body.contains("ROLE_INSUFFICIENT"), "{role} {route:?}");
            } else {
                assert_ne!(reply.status, StatusCode::UNAUTHORIZED, "{role} {route:?}");
                assert_ne!(
                    reply.status,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "{role} {route:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_open_to_anybody_is_only_the_way_in() {
    let open: Vec<_> = routes()
        .into_iter()
        .filter(|route| route.needs == Needs::Nothing)
        .map(|route| route.path)
        .collect();
    assert_eq!(
        open,
        [
            "/",
            "/console",
            "/favicon.ico",
            "/console/assets/{version}/{name}",
            "/console/sign-in",
            "/console/sign-in",
            "/console/{*rest}"
        ]
    );
}

#[tokio::test]
async fn a_form_without_the_token_of_its_session_does_nothing() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let other = site.sign_in(&site.token).await;
    let before = site.audited().await;
    for form_token in ["", "0", &*other.form_token] {
        let forged = Visitor {
            form_token: form_token.to_owned(),
            ..visitor.clone()
        };
        let reply = site.post("/console/spaces", &forged, "name=mine").await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let mut strange = request(
        "POST",
        "/console/spaces",
        Some(&visitor),
        format!("form_token={}&name=mine", visitor.form_token),
    );
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://elsewhere.example"),
    ] {
        strange.headers_mut().clear();
        let headers = strange.headers_mut();
        headers.insert("host", "localhost".parse().unwrap());
        headers.insert("cookie", visitor.cookie.parse().unwrap());
        headers.insert(
            "content-type",
            "application/x-www-form-urlencoded".parse().unwrap(),
        );
        headers.insert(name, value.parse().unwrap());
        let form = format!("form_token={}&name=mine", visitor.form_token);
        let (parts, _) = strange.into_parts();
        let reply = site.reply(http::Request::from_parts(parts, form.into())).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{name}");
        strange = request("POST", "/console/spaces", Some(&visitor), String::new());
    }
    assert_eq!(site.audited().await, before, "nothing was done");
    let done = site.post("/console/spaces", &visitor, "name=mine").await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn strangers_are_slowed_down_at_the_sign_in() {
    let site = Site::new(false).await;
    let unknown = Token::from_bytes([9; 32]).expose().to_string();
    for _ in 0..crate::FAILURES_MAX {
        let reply = site.try_sign_in(&unknown).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert!(!reply.body.contains(&unknown));
    }
    let reply = site.try_sign_in(&unknown).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    site.sign_in(&site.token).await;
}
