//! Two daemons as two processes, linked over mutual TLS, with a connection from one to the other.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use peerd_tests::bench::cpu;
use peerd_tests::bench::daemon::{self, Daemon};
use peerd_tests::bench::operator::{Operator, eventually};
use peerd_tests::bench::proxy::Proxy;
use peerd_wire::peering::v1 as peering;
use tokio::process::Command;

use crate::phase::Used;
use peerd_tests::bench::rows::{Rows, pieces};

/// The space of both sides.
pub(crate) const SPACE: &str = "bench";

/// One side.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) daemon: Daemon,
    pub(crate) operator: Operator,
}

/// Both sides.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) source: Side,
    pub(crate) importer: Side,
    pub(crate) connection: String,
    /// What the importer comes through, where that is counted.
    pub(crate) way: Option<Proxy>,
    peerctl: PathBuf,
}

impl Side {
    async fn start(mut daemon: Daemon, ontology: &str) -> anyhow::Result<Side> {
        daemon.start()?;
        let operator = Operator::connect(&daemon.api()?, &daemon.token_file()).await?;
        operator.allow_loopback().await?;
        operator.create_space(SPACE, ontology).await?;
        Ok(Side { daemon, operator })
    }
}

impl Pair {
    /// Two enrollments with an active connection on which nothing is shared yet.
    pub(crate) async fn start(rows: &Rows) -> anyhow::Result<Pair> {
        let program = daemon::program("peerd")?;
        let peerctl = daemon::program("peerctl")?;
        let ontology = rows.ontology();
        let source = Side::start(Daemon::init(program.clone(), "source")?, &ontology).await?;
        let importer = Side::start(Daemon::init(program, "importer")?, &ontology).await?;
        Pair::connect(source, importer, peerctl).await
    }

    /// The same through a proxy that counts bytes.
    pub(crate) async fn counted(rows: &Rows) -> anyhow::Result<Pair> {
        let program = daemon::program("peerd")?;
        let peerctl = daemon::program("peerctl")?;
        let ontology = rows.ontology();
        let mpx = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let way = Proxy::start(mpx, Duration::ZERO).await?;
        let advertised = way.address.to_string();
        let source = Daemon::init_with(program.clone(), "source", &mpx.to_string(), Some(&advertised))?;
        let source = Side::start(source, &ontology).await?;
        let importer = Side::start(Daemon::init(program, "importer")?, &ontology).await?;
        let mut pair = Pair::connect(source, importer, peerctl).await?;
        pair.way = Some(way);
        Ok(pair)
    }

    async fn connect(source: Side, importer: Side, peerctl: PathBuf) -> anyhow::Result<Pair> {
        // The importer dials, so that there is one way only.
        let (link, code) = source.operator.invite(peering::Direction::IngressOnly).await?;
        importer.operator.accept(&code, "source").await?;
        for side in [&source, &importer] {
            eventually("a healthy link", async || Ok(side.operator.healthy().await? == 1)).await?;
        }
        let objects = |objects| peering::DataTypes {
            objects,
            artifacts: false,
        };
        let request = peering::RequestConnectionRequest {
            space: SPACE.to_owned(),
            link,
            exports: Some(objects(true)),
            imports: Some(objects(false)),
            ..Default::default()
        };
        let asked = source.operator.connections().request_connection(request).await?;
        let asked = asked.into_inner();
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
        Ok(Pair {
            source,
            importer,
            connection: id,
            way: None,
            peerctl,
        })
    }

    /// CPU time so far.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        Ok([
            cpu::of_ended_children()?,
            self.source.daemon.cpu_seconds()?,
            self.importer.daemon.cpu_seconds()?,
        ])
    }

    /// Both sides share a type, and it begins to flow.
    pub(crate) async fn share(&self, object_type: &str) -> anyhow::Result<()> {
        let types = [object_type];
        let (source, importer) = (&self.source.operator, &self.importer.operator);
        source.share(&self.connection, &types, true, false).await?;
        importer.share(&self.connection, &types, false, true).await
    }

    /// Loads a file at the source with `peerctl object load`, to the end.
    pub(crate) async fn load(
        &self,
        rows: &Rows,
        object_type: &str,
        file: &Path,
        expected: u64,
    ) -> anyhow::Result<()> {
        let mut written = 0;
        for piece in pieces(file) {
            written += self.load_piece(rows, object_type, &piece).await?;
        }
        ensure!(written == expected, "{written} of {expected} rows were written");
        Ok(())
    }

    async fn load_piece(&self, rows: &Rows, object_type: &str, file: &Path) -> anyhow::Result<u64> {
        let mut load = Command::new(&self.peerctl);
        load.arg("--endpoint")
            .arg(format!("http://{}", self.source.daemon.api()?))
            .arg("--token-file")
            .arg(self.source.daemon.token_file())
            .args(["-o", "json", "object", "load", SPACE, object_type])
            .arg(file)
            .args(["--null", "NA"])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if rows.key_from.len() > 1 {
            load.args(["--key-from", &rows.key_from.join(",")]);
        }
        let output = load.output().await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "a load fails: {told}");
        let totals: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        totals["written"].as_u64().context("a count")
    }
}
