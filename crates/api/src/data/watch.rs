//! Watching objects. The watch runs inside its answer stream: it looks for more only while the caller takes answers.

use std::pin::Pin;

use data_encoding::BASE64URL_NOPAD;
use futures::{Stream, stream};
use peerd_node::object::{ObjectWatch, Since, Told, WatchEvent, WatchRequest};
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::watch_objects_response::Event;
use tonic::Status;

use crate::parse;
use crate::refuse::{field, told};
use crate::view::data as view;

/// The longest token, in characters.
const TOKEN_MAX: usize = 512 << 10;

/// The stream of a watcher.
pub(crate) type Watching = Pin<Box<dyn Stream<Item = Result<pb::WatchObjectsResponse, Status>> + Send>>;

/// What somebody asks to watch.
pub(super) fn read(message: pb::WatchObjectsRequest) -> Result<WatchRequest, Status> {
    let pb::WatchObjectsRequest {
        space,
        object_types,
        skip_imported,
        resume_token,
        snapshot,
    } = message;
    parse::reference("space", &space)?;
    let since = match (resume_token.as_str(), snapshot) {
        ("", false) => Since::Now,
        ("", true) => Since::Snapshot,
        (_, true) => return Err(field("snapshot", "not together with a resume token")),
        (token, false) => Since::Token(read_token(token)?.into()),
    };
    Ok(WatchRequest {
        space,
        object_types,
        skip_imported,
        since,
    })
}

fn read_token(token: &str) -> Result<Vec<u8>, Status> {
    let decoded = (token.len() <= TOKEN_MAX).then(|| BASE64URL_NOPAD.decode(token.as_bytes()).ok());
    let decoded = decoded.flatten();
    decoded.ok_or_else(|| field("resume_token", "not a token that a watch gave out"))
}

/// The answers of a watch, until it fails.
pub(super) fn answers(watch: ObjectWatch) -> Watching {
    Box::pin(stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(told) => Some((Ok(answer(told)), Some(watch))),
            Err(error) => Some((Err(told(error)), None)),
        }
    }))
}

fn answer(told: Told) -> pb::WatchObjectsResponse {
    let Told { event, token } = told;
    let event = match event {
        WatchEvent::Object(object) => Event::Object(view::object(*object)),
        WatchEvent::Removed(key) => Event::Removed(pb::RemovedObject {
            object_type: key.object_type().to_string(),
            key: key.primary_key().to_owned(),
        }),
        WatchEvent::CaughtUp => Event::CaughtUp(pb::CaughtUp {}),
    };
    pb::WatchObjectsResponse {
        event: Some(event),
        resume_token: BASE64URL_NOPAD.encode(&token),
    }
}
