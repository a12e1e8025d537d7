//! Taking a file in. It goes to the node piece by piece, as it comes.

use peerd_core::authz::Action;
use peerd_core::security::Security;
use peerd_core::{ArtifactId, Reason};
use peerd_node::Error;
use peerd_node::artifact::{ArtifactAt, ArtifactView, NewArtifact, Put};

use super::{at, file_path, one, page, seen_at, sheet, tags};
use crate::parts::size_in_words;
use crate::route::{Entry, upload};
use crate::upload::Upload;
use crate::visit::{Outcome, Visit, is_correctable};

/// What a file is of which nothing is known.
const SOME_BYTES: &str = "application/octet-stream";

pub(super) fn routes() -> Vec<Entry> {
    vec![
        upload("/console/files/{space}/upload", Action::ArtifactPut, new),
        upload(
            "/console/files/{space}/{artifact}/replace",
            Action::ArtifactPut,
            replace,
        ),
    ]
}

async fn new(visit: Visit, file: Upload) -> Outcome {
    match put(&visit, file, None).await {
        Ok(view) => {
            let space = visit.param("space").to_owned();
            let at = ArtifactAt { space, id: view.id };
            let to = seen_at(&visit, &at).await;
            visit.done(
                &to,
                format!("Uploaded. Its BLAKE3 is {}.", view.artifact.content.hash),
            )
        }
        Err(error) if is_correctable(&error) => {
            let body = sheet(&visit, Some(&error)).await?;
            let name = visit.param("space").to_owned();
            visit.again(&error, &page(&name), &body)
        }
        Err(error) => Err(error),
    }
}

async fn replace(visit: Visit, file: Upload) -> Outcome {
    let at = at(&visit)?;
    match put(&visit, file, Some(at.id)).await {
        Ok(view) => {
            let to = file_path(&at.space, at.id);
            visit.done(
                &to,
                format!("Replaced. Its BLAKE3 is {}.", view.artifact.content.hash),
            )
        }
        Err(error) => one::again(&visit, &at, error).await,
    }
}

async fn put(visit: &Visit, mut file: Upload, replaces: Option<ArtifactId>) -> Result<ArtifactView, Error> {
    let form = &visit.form;
    let called = file.name();
    let name = match form.text("name").trim() {
        "" => called.as_str(),
        name => name,
    };
    if called.is_empty() {
        return Err(Error::field("file", "choose one"));
    }
    let new = NewArtifact {
        space: visit.param("space").to_owned(),
        name: name.to_owned(),
        media_type: file.media_type().unwrap_or_else(|| SOME_BYTES.to_owned()),
        size: None,
        tags: tags(form, "tags"),
        security: match replaces {
            Some(_) => Security::default(),
            None => form.security()?,
        },
        replaces,
        upload: String::new(),
    };
    let mut put = visit.node().put_artifact(&visit.caller, new).await?;
    match take(visit, &mut file, &mut put).await {
        Ok(()) => put.finish(None).await,
        Err(error) => {
            // What cannot be thrown away now goes in a while by itself.
            if let Err(left) = put.abandon().await {
                tracing::debug!(error = &left as &dyn std::error::Error, "upload not abandoned");
            }
            Err(error)
        }
    }
}

/// Hands the file on until its end, or until its sender is signed out or the daemon stops.
async fn take(visit: &Visit, file: &mut Upload, put: &mut Put) -> Result<(), Error> {
    let console = visit.console();
    let most = console.upload_bytes_max;
    let mut came: u64 = 0;
    loop {
        let bytes = tokio::select! {
            bytes = file.next() => bytes?,
            () = visit.ended.cancelled() => return Err(Error::of(Reason::TokenInvalid)),
            () = console.stopping.cancelled() => return Err(Error::of(Reason::ShuttingDown)),
        };
        let Some(bytes) = bytes else { return Ok(()) };
        came = came.saturating_add(bytes.len() as u64);
        if came > most {
            let told = format!(
                "a file has at most {} here; put it with peerctl",
                size_in_words(most)
            );
            return Err(Error::new(Reason::TooLarge, told));
        }
        // A long upload is use of the session.
        if put.write(bytes).await? && console.sessions.find(visit.key, console.node.now()).is_none() {
            return Err(Error::of(Reason::TokenInvalid));
        }
    }
}
