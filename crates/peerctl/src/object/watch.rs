//! `object watch`: changes as they happen. A daemon that restarts is waited for, and the watch goes on where it was.

use std::time::Duration;

use clap::Args;
use peerd_core::reason::Code;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::watch_objects_response::Event;
use serde::Serialize;
use tonic::Streaming;

use super::view::Object;
use crate::cli::App;
use crate::client::Client;
use crate::error::Error;
use crate::output;

/// The pause before a stream that broke is opened again: doubled each time, up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Watch {
    /// Name or id of the space
    space: String,
    /// Only these object types
    #[arg(value_name = "TYPE")]
    object_types: Vec<String>,
    /// Leave out changes that came over a connection
    #[arg(long)]
    skip_imported: bool,
    /// Go on after the line that had this `resume_token`
    #[arg(long, value_name = "TOKEN", conflicts_with = "snapshot")]
    from: Option<String>,
    /// Tell all live objects first
    #[arg(long)]
    snapshot: bool,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    event: &'static str,
    object_type: Option<String>,
    key: Option<String>,
    /// The object as `object get` shows it; absent when it was removed.
    object: Option<Object>,
    resume_token: String,
}

const COLUMNS: [&str; 4] = ["event", "object_type", "key", "object.properties"];

impl Watch {
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let mut request = pb::WatchObjectsRequest {
            space: self.space,
            object_types: self.object_types,
            skip_imported: self.skip_imported,
            resume_token: self.from.unwrap_or_default(),
            snapshot: self.snapshot,
        };
        let (mut stream, mut pause) = (None, PAUSE_MIN);
        loop {
            match next(&app.client, &request, &mut stream).await {
                Ok(Some(answer)) => {
                    pause = PAUSE_MIN;
                    if !answer.resume_token.is_empty() {
                        request.resume_token.clone_from(&answer.resume_token);
                        request.snapshot = false;
                    }
                    if let Some(line) = line(answer) {
                        output::line(app.format, &line, &COLUMNS)?;
                    }
                    continue;
                }
                // A daemon that stops ends its streams in an orderly way.
                Ok(None) => {}
                // Before the first token there is nowhere to go on from.
                Err(error) if error.reason().code() == Code::Unavailable && goes_on(&request) => {}
                Err(error) => return Err(error),
            }
            stream = None;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn goes_on(request: &pb::WatchObjectsRequest) -> bool {
    !request.resume_token.is_empty()
}

async fn next(
    client: &Client,
    request: &pb::WatchObjectsRequest,
    stream: &mut Option<Streaming<pb::WatchObjectsResponse>>,
) -> Result<Option<pb::WatchObjectsResponse>, Error> {
    let stream = if let Some(stream) = stream {
        stream
    } else {
        let answer = client.objects().watch_objects(request.clone()).await?;
        stream.insert(answer.into_inner())
    };
    Ok(stream.message().await?)
}

fn line(answer: pb::WatchObjectsResponse) -> Option<Line> {
    let pb::WatchObjectsResponse { event, resume_token } = answer;
    // An event of a newer daemon is passed over; the next token covers it.
    let (event, object_type, key, object) = match event? {
        Event::Object(object) => {
            let event = if object.deleted { "deleted" } else { "changed" };
            let (of, key) = (object.object_type.clone(), object.key.clone());
            (event, Some(of), Some(key), Some(Object::from(object)))
        }
        Event::Removed(pb::RemovedObject { object_type, key }) => {
            ("removed", Some(object_type), Some(key), None)
        }
        Event::CaughtUp(pb::CaughtUp {}) => ("caught-up", None, None, None),
    };
    Some(Line {
        event,
        object_type,
        key,
        object,
        resume_token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_a_line_with_its_token() {
        let removed = Event::Removed(pb::RemovedObject {
            object_type: "airport".into(),
            key: "EWR".into(),
        });
        for (event, word) in [
            (Event::Object(pb::Object::default()), "changed"),
            (removed, "removed"),
            (Event::CaughtUp(pb::CaughtUp {}), "caught-up"),
        ] {
            let answer = pb::WatchObjectsResponse {
                event: Some(event),
                resume_token: "t".into(),
            };
            let line = line(answer).expect("a line");
            assert_eq!((line.event, line.resume_token.as_str()), (word, "t"));
        }
        assert!(line(pb::WatchObjectsResponse::default()).is_none());
    }
}
