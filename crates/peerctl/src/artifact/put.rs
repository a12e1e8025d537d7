//! `artifact put`: a file, with its BLAKE3 computed here as it is sent and compared there.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use peerd_core::Reason;
use peerd_wire::data::v1 as pb;
use peerd_wire::data::v1::put_artifact_request::Part;
use prost::bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::bar;
use crate::cli::App;
use crate::error::Error;
use crate::field::required;
use crate::security::SecurityArgs;

/// The size of a chunk, in bytes.
const CHUNK: usize = 1 << 20;
/// How many chunks may be under way between disk and wire.
const QUEUE: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Put {
    /// Name or id of the space
    space: String,
    /// The file
    file: PathBuf,
    /// What it is called there; without it, the file's own name
    #[arg(long)]
    name: Option<String>,
    /// Its media type; without it, what the name suggests
    #[arg(long, value_name = "TYPE/SUBTYPE")]
    media_type: Option<String>,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    security: SecurityArgs,
    /// Gives this artifact the file as its content instead; its name, tags and security stay
    #[arg(long, value_name = "ID", conflicts_with_all = ["tags", "classification", "markings", "name"])]
    replace: Option<String>,
}

impl Put {
    pub(super) async fn run(self, app: &App<'_>) -> Result<pb::Artifact, Error> {
        let wrong = |error: std::io::Error| Error::file(&self.file, error);
        let file = File::open(&self.file).map_err(wrong)?;
        let about = file.metadata().map_err(wrong)?;
        if !about.is_file() {
            return Err(Error::file(&self.file, "not a regular file"));
        }
        let header = self.header(&about)?;
        let bar = bar(about.len());
        let sent = send(app, header, file, about.len(), bar.clone()).await;
        bar.finish_and_clear();
        sent.map_err(|error| match error.reason() {
            Reason::FileInvalid => Error::file(&self.file, error),
            _ => error,
        })
    }

    fn header(&self, about: &Metadata) -> Result<pb::PutHeader, Error> {
        let own = || {
            let name = self.file.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Error::Usage("the file's name is no text: give --name".to_owned()));
            name.map(str::to_owned)
        };
        let name = self.name.clone().map_or_else(own, Ok)?;
        let guessed = || mime_guess::from_path(&name).first_or_octet_stream().to_string();
        let media_type = self.media_type.clone().unwrap_or_else(guessed);
        Ok(pb::PutHeader {
            space: self.space.clone(),
            media_type,
            size_bytes: about.len(),
            tags: self.tags.clone(),
            classification: self.security.classification.clone().unwrap_or_default(),
            markings: self.security.markings.clone(),
            replaces: self.replace.clone().unwrap_or_default(),
            upload_id: self.upload_id(about, &name),
            name,
        })
    }

    /// The same for the same file as long as it is not touched, so that running the command again goes on.
    fn upload_id(&self, about: &Metadata, name: &str) -> String {
        let path = self.file.canonicalize().unwrap_or_else(|_| self.file.clone());
        let mut hash = blake3::Hasher::new();
        for part in [
            path.as_os_str().as_encoded_bytes(),
            format!("{:?} {}", about.modified().ok(), about.len()).as_bytes(),
            name.as_bytes(),
            self.replace.clone().unwrap_or_default().as_bytes(),
        ] {
            hash.update(&part.len().to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_hex().to_string()
    }
}

/// Sends the file from where the daemon says, until the daemon has said its last. One task does both, so that a refusal
/// stops the sending.
async fn send(
    app: &App<'_>,
    header: pb::PutHeader,
    file: File,
    size: u64,
    bar: ProgressBar,
) -> Result<pb::Artifact, Error> {
    let (queue, parts) = mpsc::channel(QUEUE);
    let (start, from) = oneshot::channel();
    let reading = bar.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let Ok(from) = from.blocking_recv() else {
            return Ok(());
        };
        read(file, (from, size), &queue, &reading)
    });
    let first = tokio_stream::once(part(Part::Header(header)));
    let parts = first.chain(ReceiverStream::new(parts));
    let sent = follow(app, parts, start).await;
    let read = reader
        .await
        .map_err(|error| Error::refused(Reason::Internal, format!("reading failed: {error}")))?;
    // Of a file that cannot be read the daemon only sees that the end is missing.
    read?;
    sent
}

async fn follow(
    app: &App<'_>,
    parts: impl tokio_stream::Stream<Item = pb::PutArtifactRequest> + Send + 'static,
    start: oneshot::Sender<u64>,
) -> Result<pb::Artifact, Error> {
    let mut artifacts = app.client.artifacts();
    let mut answers = artifacts.put_artifact(parts).await?.into_inner();
    let mut start = Some(start);
    while let Some(answer) = answers.message().await? {
        let pb::PutArtifactResponse {
            durable_bytes,
            artifact,
        } = answer;
        if artifact.is_some() {
            return required(artifact, "artifact");
        }
        if let Some(start) = start.take() {
            // The reader is there: it waits for this.
            start.send(durable_bytes).unwrap_or_default();
        }
    }
    required(None, "artifact")
}

/// Reads the file, and queues what is not there yet.
fn read(
    mut file: File,
    (from, size): (u64, u64),
    queue: &mpsc::Sender<pb::PutArtifactRequest>,
    bar: &ProgressBar,
) -> Result<(), Error> {
    let broken = |error: &dyn std::fmt::Display| Error::refused(Reason::FileInvalid, error.to_string());
    let (mut hash, mut at) = (blake3::Hasher::new(), 0);
    while at < size {
        // A chunk never lies on both sides of where sending begins.
        let end = if at < from { from } else { size };
        let length = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = BytesMut::zeroed(length);
        file.read_exact(&mut chunk).map_err(|error| broken(&error))?;
        hash.update(&chunk);
        let sends = at >= from;
        at += length as u64;
        bar.set_position(at);
        let sent = !sends || queue.blocking_send(part(Part::Chunk(Bytes::from(chunk)))).is_ok();
        if !sent {
            // The daemon took no more: its answer says why.
            return Ok(());
        }
    }
    if file.read(&mut [0]).map_err(|error| broken(&error))? > 0 {
        return Err(broken(&"it grew while it was read"));
    }
    let blake3 = hash.finalize().to_hex().to_string();
    drop(queue.blocking_send(part(Part::End(pb::PutEnd { blake3 }))));
    Ok(())
}

fn part(part: Part) -> pb::PutArtifactRequest {
    pb::PutArtifactRequest { part: Some(part) }
}
