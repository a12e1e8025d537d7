//! How long the console's pages take a real daemon with a thousand connections and a million objects, from the request
//! to the last byte, over the loopback interface. How to run it and what it means is in `docs/bench.md`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use peerd_tests::bench::daemon::{Daemon, program};
use peerd_tests::bench::operator::{Operator, within};
use peerd_tests::bench::rows::{Keys, Rows, TYPES, pieces, synthetic};
use peerd_tests::bench::table::{self, Row, Table, median_ms};
use peerd_wire::peering::v1 as peering;

mod browser;
mod files;

use browser::Browser;

const CONNECTIONS: usize = 1_000;
const OBJECTS: u64 = 1_000_000;
/// How many files there are.
const FILES: usize = 10_000;
const SPACE: &str = "main";
/// How often each page is asked for.
const ROUNDS: usize = 30;
/// How many connections share a type: as many as one page shows.
const SHARED: usize = 50;
/// How many connections are made at once.
const AT_ONCE: usize = 8;
/// How long a link may take.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let rows = synthetic(OBJECTS, Keys::Sequential)?;
    let mut daemons = [
        Daemon::init(program("peerd")?, "here")?,
        Daemon::init(program("peerd")?, "there")?,
    ];
    for daemon in &mut daemons {
        daemon.start()?;
    }
    let [here, there] = &daemons;
    eprintln!("making {CONNECTIONS} connections");
    let shown = runtime.block_on(furnish(here, there, &rows))?;
    eprintln!("loading {OBJECTS} objects");
    load(here, &rows)?;
    eprintln!("putting {FILES} files");
    let file = runtime.block_on(async {
        let operator = Operator::connect(&here.api()?, &here.token_file()).await?;
        files::put(&operator, SPACE, FILES).await
    })?;
    println!("{}\n", table::machine());
    println!("{}", figures(here, &rows, &shown, &file)?);
    for daemon in &mut daemons {
        daemon.stop()?;
    }
    Ok(())
}

/// Two linked sides with many active connections, some of which share a type without objects. The id of one of them.
async fn furnish(here: &Daemon, there: &Daemon, rows: &Rows) -> anyhow::Result<String> {
    let a = Operator::connect(&here.api()?, &here.token_file()).await?;
    let b = Operator::connect(&there.api()?, &there.token_file()).await?;
    for side in [&a, &b] {
        side.allow_loopback().await?;
        side.create_space(SPACE, &rows.ontology()).await?;
    }
    let (link, code) = a.invite(peering::Direction::Bidirectional).await?;
    b.accept(&code, "here").await?;
    within(PATIENCE, "a healthy link", async || {
        Ok(a.healthy().await? == 1 && b.healthy().await? == 1)
    })
    .await?;
    let made: Vec<String> = futures::stream::iter(0..CONNECTIONS)
        .map(|_| connect(&a, &b, &link))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    // Those that the first page shows have streams; each change of what is shared is felt by every stream of the link.
    for id in made.iter().rev().take(SHARED) {
        for side in [&a, &b] {
            side.share(id, &[TYPES[1]], true, true).await?;
        }
    }
    made.into_iter().next_back().context("a connection")
}

async fn connect(a: &Operator, b: &Operator, link: &str) -> anyhow::Result<String> {
    let objects = || peering::DataTypes {
        objects: true,
        artifacts: false,
    };
    let request = peering::RequestConnectionRequest {
        space: SPACE.to_owned(),
        link: link.to_owned(),
        exports: Some(objects()),
        imports: Some(objects()),
        ..Default::default()
    };
    let requested = a.connections().request_connection(request).await?.into_inner();
    let id = requested.connection_id;
    let approve = peering::ApproveConnectionRequest {
        code: requested.code,
        space: SPACE.to_owned(),
        security: None,
    };
    b.connections().approve_connection(approve).await?;
    a.stage_is(&id, peering::Stage::Approved).await?;
    let activate = peering::ActivateConnectionRequest {
        connection_id: id.clone(),
    };
    a.connections().activate_connection(activate).await?;
    b.stage_is(&id, peering::Stage::Active).await?;
    Ok(id)
}

fn load(daemon: &Daemon, rows: &Rows) -> anyhow::Result<()> {
    let peerctl = program("peerctl")?;
    for piece in pieces(&rows.all) {
        let mut command = Command::new(&peerctl);
        command
            .args([
                "--endpoint",
                &format!("http://{}", daemon.api()?),
                "--timeout",
                "1h",
                "--token-file",
            ])
            .arg(daemon.token_file())
            .args(["object", "load", SPACE, TYPES[0]])
            .arg(piece);
        let loaded = command.output()?;
        ensure!(
            loaded.status.success(),
            "{}",
            String::from_utf8_lossy(&loaded.stderr)
        );
    }
    Ok(())
}

fn figures(daemon: &Daemon, rows: &Rows, connection: &str, file: &str) -> anyhow::Result<Table> {
    let browser = Browser::sign_in(daemon)?;
    let of = format!("/console/objects/{SPACE}/{}", TYPES[0]);
    let key = rows.keys.first().context("a key")?;
    let pages = [
        ("Peer Manager", "/console/".to_owned()),
        ("one connection", format!("/console/connections/{connection}")),
        (
            "its ontology",
            format!("/console/connections/{connection}/ontology"),
        ),
        (
            "its mapping of a type",
            format!(
                "/console/connections/{connection}/mapping?local={0}&remote={0}",
                TYPES[1]
            ),
        ),
        ("its files", format!("/console/connections/{connection}/files")),
        ("its parked", format!("/console/connections/{connection}/parked")),
        (
            "its settings",
            format!("/console/connections/{connection}/settings"),
        ),
        ("network connections", "/console/network".to_owned()),
        ("policies", "/console/policies".to_owned()),
        ("audit log", "/console/audit".to_owned()),
        ("objects of a type", of.clone()),
        ("objects by key prefix", format!("{of}?prefix={key}")),
        ("ontology of a space", format!("/console/ontology/{SPACE}")),
        ("files of a space", format!("/console/files/{SPACE}")),
        ("files with a tag", format!("/console/files/{SPACE}?tag=tag-7")),
        ("one file", format!("/console/files/{SPACE}/{file}")),
        ("one object", format!("{of}/object?key={key}")),
    ];
    let mut table = Table::default();
    for (name, path) in pages {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            times.push(browser.page(&path)?);
        }
        let worst = times.iter().max().copied().unwrap_or_default();
        let figure = format!("page: {name}");
        table.rows.push(Row::new(
            figure,
            median_ms(times),
            "ms",
            "the slowest",
            worst.as_secs_f64() * 1_000.0,
        ));
    }
    Ok(table)
}
