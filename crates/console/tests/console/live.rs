//! Live updates: they come, they are bounded, and they end with the session.

use axum::body::BodyDataStream;
use futures::StreamExt as _;
use http::StatusCode;
use peerd_core::authz::Role;

use crate::{Site, Visitor, request};

const HOME: &str = "/console/events/home";

async fn follow(site: &Site, visitor: &Visitor) -> BodyDataStream {
    let response = site
        .send(request("GET", HOME, Some(visitor), String::new()))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().into_data_stream()
}

async fn event(stream: &mut BodyDataStream) -> Option<String> {
    let bytes = stream.next().await?.unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_stream_begins_with_what_is_and_ends_with_the_session() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let mut stream = follow(&site, &visitor).await;
    let first = event(&mut stream).await.unwrap();
    assert!(first.starts_with("event: content"), "{first}");
    assert!(first.contains("No connections yet."));
    site.post("/console/sign-out", &visitor, "").await;
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test]
async fn a_stream_ends_when_the_daemon_stops() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let mut stream = follow(&site, &visitor).await;
    event(&mut stream).await.unwrap();
    site.stopping.cancel();
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test]
async fn a_stream_of_a_revoked_principal_ends() {
    let site = Site::new(false).await;
    let visitor = site.sign_in_as("vera", Role::Viewer).await;
    let mut stream = follow(&site, &visitor).await;
    event(&mut stream).await.unwrap();
    site.kit.node.revoke_principal(&site.admin, "vera").await.unwrap();
    assert_eq!(event(&mut stream).await, None);
}

#[tokio::test]
async fn one_session_has_a_few_streams_and_no_more() {
    let site = Site::new(false).await;
    let visitor = site.sign_in(&site.token).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(follow(&site, &visitor).await);
    }
    let more = site.get(HOME, Some(&visitor)).await;
    assert_eq!(more.status, StatusCode::TOO_MANY_REQUESTS);
    streams.pop();
    streams.push(follow(&site, &visitor).await);
}
