//! The same files as artifacts, between two daemons that are two processes, over mutual TLS.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use peerd_tests::bench::daemon::{self, Daemon};
use peerd_tests::bench::operator::{Operator, eventually, within};
use peerd_wire::data::v1 as data;
use peerd_wire::data::v1::put_artifact_request::Part;
use peerd_wire::peering::v1 as peering;

use crate::files::Files;

const SPACE: &str = "bench";
const ONTOLOGY: &str = r#"{"object_types": []}"#;
const CHUNK: usize = 1 << 20;
/// So many files are put at once.
const PUTS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(10);

/// What it took to move files.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) seconds: f64,
    /// CPU seconds of the exporter and of the importer.
    pub(crate) cpu: [f64; 2],
    /// The most memory that each held.
    pub(crate) memory_mib: [f64; 2],
}

/// One side.
struct Side {
    daemon: Daemon,
    operator: Operator,
}

impl Side {
    async fn start(name: &str) -> anyhow::Result<Side> {
        let mut daemon = Daemon::init(daemon::program("peerd")?, name)?;
        daemon.start()?;
        let operator = Operator::connect(&daemon.api()?, &daemon.token_file()).await?;
        operator.allow_loopback().await?;
        operator.create_space(SPACE, ONTOLOGY).await?;
        Ok(Side { daemon, operator })
    }

    /// How many artifacts are whole.
    async fn complete(&self) -> anyhow::Result<usize> {
        let (mut complete, mut page_token) = (0, String::new());
        loop {
            let list = data::ListArtifactsRequest {
                space: SPACE.to_owned(),
                tags: Vec::new(),
                page_size: 1_000,
                page_token,
            };
            let page = self.operator.artifacts().list_artifacts(list).await?.into_inner();
            complete += page.items.iter().filter(|item| item.complete).count();
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(complete);
            }
        }
    }

    /// How many contents it has whole, cheaply.
    fn held(&self) -> anyhow::Result<usize> {
        let held = std::fs::read_dir(self.daemon.data_dir().join("blobs/held"))?;
        let names = held
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_none());
        Ok(names.count())
    }
}

/// Puts the files at one side, and measures from the moment they are shared until all are whole at the other.
pub(crate) async fn moved(files: &Files) -> anyhow::Result<Moved> {
    let (source, importer) = (Side::start("source").await?, Side::start("importer").await?);
    let connection = connected(&source, &importer).await?;
    stream::iter(files.paths())
        .map(|path| put(&source.operator, path))
        .buffer_unordered(PUTS)
        .try_collect::<()>()
        .await?;
    crate::settle(&importer.daemon.data_dir())?;
    let used = || anyhow::Ok([source.daemon.cpu_seconds()?, importer.daemon.cpu_seconds()?]);
    let before = used()?;
    let began = Instant::now();
    let all = data::artifact_selection::Selection::All(true);
    let share = data::ShareArtifactsRequest {
        connection_id: connection.clone(),
        selection: Some(data::ArtifactSelection { selection: Some(all) }),
    };
    source.operator.artifacts().share_artifacts(share).await?;
    within(PATIENCE, "all content", async || {
        // To look at the directory is work: only when it is worth it.
        let shown = importer.operator.connection(&connection).await?;
        let in_sync = shown.feeds.iter().any(|feed| feed.in_sync);
        Ok(in_sync && importer.held()? == files.count)
    })
    .await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = used()?;
    ensure!(importer.complete().await? == files.count, "not all are whole");
    let memory = |side: &Side| Ok::<_, anyhow::Error>(side.daemon.resident_kib_max()? / 1_024.0);
    Ok(Moved {
        seconds,
        cpu: [after[0] - before[0], after[1] - before[1]],
        memory_mib: [memory(&source)?, memory(&importer)?],
    })
}

async fn put(operator: &Operator, path: impl AsRef<Path>) -> anyhow::Result<()> {
    let content = tokio::fs::File::open(&path).await?;
    let size_bytes = content.metadata().await?.len();
    let mut hasher = blake3::Hasher::new();
    let mut reader = std::fs::File::open(&path)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match std::io::Read::read(&mut reader, &mut buffer)? {
            0 => break,
            read => drop(hasher.update(&buffer[..read])),
        }
    }
    let header = data::PutHeader {
        space: SPACE.to_owned(),
        name: path
            .as_ref()
            .file_name()
            .context("a name")?
            .to_string_lossy()
            .into_owned(),
        media_type: "application/octet-stream".to_owned(),
        size_bytes,
        ..Default::default()
    };
    let end = data::PutEnd {
        blake3: hasher.finalize().to_hex().to_string(),
    };
    let chunks = tokio_util::io::ReaderStream::with_capacity(content, CHUNK);
    let chunks = chunks.filter_map(async |chunk| chunk.ok().map(Part::Chunk));
    let parts = stream::iter([Part::Header(header)])
        .chain(chunks)
        .chain(stream::iter([Part::End(end)]));
    let parts = parts.map(|part| data::PutArtifactRequest { part: Some(part) });
    let mut answers = operator.artifacts().put_artifact(parts).await?.into_inner();
    let mut whole = false;
    while let Some(answer) = answers.message().await? {
        whole |= answer.artifact.is_some_and(|artifact| artifact.complete);
    }
    ensure!(whole, "it was not put");
    Ok(())
}

async fn connected(source: &Side, importer: &Side) -> anyhow::Result<String> {
    // The importer dials, so that there is one way only.
    let (link, code) = source.operator.invite(peering::Direction::IngressOnly).await?;
    importer.operator.accept(&code, "source").await?;
    for side in [source, importer] {
        eventually("a healthy link", async || Ok(side.operator.healthy().await? == 1)).await?;
    }
    let artifacts = |artifacts| peering::DataTypes {
        objects: false,
        artifacts,
    };
    let request = peering::RequestConnectionRequest {
        space: SPACE.to_owned(),
        link,
        exports: Some(artifacts(true)),
        imports: Some(artifacts(false)),
        ..Default::default()
    };
    let asked = source
        .operator
        .connections()
        .request_connection(request)
        .await?
        .into_inner();
    let approve = peering::ApproveConnectionRequest {
        code: asked.code,
        space: SPACE.to_owned(),
        security: None,
    };
    importer
        .operator
        .connections()
        .approve_connection(approve)
        .await?;
    let id = asked.connection_id;
    source.operator.stage_is(&id, peering::Stage::Approved).await?;
    let activate = peering::ActivateConnectionRequest {
        connection_id: id.clone(),
    };
    source
        .operator
        .connections()
        .activate_connection(activate)
        .await?;
    importer.operator.stage_is(&id, peering::Stage::Active).await?;
    Ok(id)
}
