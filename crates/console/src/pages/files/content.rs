//! Giving a file out: to be saved, and never to be shown by a browser.

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use peerd_core::authz::Action;

use super::at;
use crate::parts::disposition;
use crate::route::{Entry, get};
use crate::visit::{Outcome, Visit};

pub(super) fn routes() -> Vec<Entry> {
    vec![get(
        "/console/files/{space}/{artifact}/content",
        Action::ArtifactRead,
        content,
    )]
}

/// What it is said to be is not told to the browser: to a browser it is bytes.
async fn content(visit: Visit) -> Outcome {
    let read = visit
        .node()
        .artifact_content(&visit.caller, &at(&visit)?, 0)
        .await?;
    let artifact = &read.view.artifact;
    let mut headers = vec![
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_LENGTH, artifact.content.size.to_string()),
        (CONTENT_DISPOSITION, disposition(&artifact.name)),
        (ETAG, format!("\"{}\"", artifact.content.hash)),
    ];
    let (ended, stopping) = (visit.ended.clone(), visit.console().stopping.clone());
    let over = async move {
        tokio::select! {
            () = ended.cancelled_owned() => {}
            () = stopping.cancelled_owned() => {}
        }
    };
    // An end before the length that was said is a broken download to the browser, and shown as one.
    let mut response = Response::new(Body::from_stream(read.content.take_until(Box::pin(over))));
    for (name, value) in headers.drain(..) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
