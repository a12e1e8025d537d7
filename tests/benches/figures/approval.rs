//! From an importer's approval to its active connection, in round trips of the path between the two sides.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use peerd_core::ConnectionId;
use peerd_core::link::Direction;
use peerd_core::peering::{DataTypes, Flow, Stage};
use peerd_core::security::Security;
use peerd_node::connection::Ask;
use peerd_store::{Table, Topic};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::site::Site;
use peerd_tests::bench::proxy::Proxy;
use peerd_tests::bench::table::{Row, median_ms};

/// The delays of the path, each way.
const DELAYS: [Duration; 2] = [Duration::from_millis(20), Duration::ZERO];
/// Connections made, and echoes, for each delay.
const ROUNDS: usize = 9;
/// How long a step may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn figures() -> anyhow::Result<Vec<Row>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut rows = Vec::new();
        for delay in DELAYS {
            let limit = PATIENCE * 2;
            let (echo, approvals) = tokio::time::timeout(limit, measured(delay)).await??;
            rows.push(Row::new(
                format!("approve → active, {} ms each way", delay.as_millis()),
                approvals,
                "ms",
                "an echo on the same path",
                echo,
            ));
        }
        Ok(rows)
    })
}

/// The round trip of an echo, and the time from approval to active, both in milliseconds.
async fn measured(delay: Duration) -> anyhow::Result<(f64, f64)> {
    let echo = echo(delay).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = Proxy::start(listener.local_addr()?, delay).await?;
    let originator = Site::open(listener, vec![proxy.address.to_string()]).await?;
    let importer = Site::open(TcpListener::bind("127.0.0.1:0").await?, Vec::new()).await?;
    // Only the importer may dial, so that every session goes through the proxy.
    let invitation = originator
        .node
        .invite_link(&originator.admin, Direction::IngressOnly, None);
    let code = invitation.await?.code;
    let name = "there".parse()?;
    importer.node.accept_link(&importer.admin, &code, &name).await?;
    connected(&originator).await?;
    connected(&importer).await?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(approval(&originator, &importer, round).await?);
    }
    Ok((echo, median_ms(times)))
}

/// From the operator's approval at the importer until it knows that the connection is active. The originator's operator
/// activates as soon as the approval is there.
async fn approval(originator: &Site, importer: &Site, round: usize) -> anyhow::Result<Duration> {
    let space = format!("space-{round}");
    for site in [originator, importer] {
        site.node.create_space(&site.admin, space.parse()?, None).await?;
    }
    let (links, _) = originator.node.list_links(&originator.admin, None, 1).await?;
    let objects = DataTypes {
        objects: true,
        artifacts: false,
    };
    let ask = Ask {
        space: space.clone(),
        link: links.first().context("a link")?.link.id.to_string(),
        flow: Flow {
            exports: objects,
            imports: objects,
        },
        security: Security::unrestricted(),
        lifetime: None,
    };
    let invitation = originator.node.request_connection(&originator.admin, ask).await?;
    let id = invitation.id;
    let activating = async {
        reaches(originator, id, |stage| matches!(stage, Stage::Approved { .. })).await?;
        originator.node.activate_connection(&originator.admin, id).await?;
        anyhow::Ok(())
    };
    let began = Instant::now();
    let approving = async {
        let approved = importer
            .node
            .approve_connection(&importer.admin, &invitation.code, &space, None);
        approved.await?;
        reaches(importer, id, |stage| matches!(stage, Stage::Active { .. })).await?;
        Ok(began.elapsed())
    };
    let ((), taken) = tokio::try_join!(activating, approving)?;
    Ok(taken)
}

/// Waits until the connection is in a stage.
async fn reaches(site: &Site, id: ConnectionId, there: fn(&Stage) -> bool) -> anyhow::Result<()> {
    let mut changes = site.node.store().watch(&Topic::Table(Table::Connections));
    let waiting = async {
        while !there(&site.node.show_connection(&site.admin, id).await?.connection.stage) {
            changes.changed().await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, waiting).await?
}

/// Waits until the one link of a side has a session.
async fn connected(site: &Site) -> anyhow::Result<()> {
    let mut changes = site.node.presence().changes();
    let waiting = async {
        loop {
            let (links, _) = site.node.list_links(&site.admin, None, 1).await?;
            if links.iter().any(|view| view.life.session.is_some()) {
                return anyhow::Ok(());
            }
            changes.changed().await?;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await?
}

/// The round trip of one byte over the same kind of path, in milliseconds.
async fn echo(delay: Duration) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let proxy = Proxy::start(listener.local_addr()?, delay).await?;
    let (near, far) = tokio::join!(TcpStream::connect(proxy.address), listener.accept());
    let (mut near, mut far) = (near?, far?.0);
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let there = async { near.write_all(b"?").await };
        let back = async {
            far.read_exact(&mut [0]).await?;
            far.write_all(b"!").await
        };
        tokio::try_join!(there, back)?;
        near.read_exact(&mut [0]).await?;
        times.push(began.elapsed());
    }
    Ok(median_ms(times))
}
