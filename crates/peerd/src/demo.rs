//! The demo: two enrollments in one process, on the embedded store, over real TLS, telling the whole story.
//!
//! Nothing is staged: each step is a call of the operator API, as `peerctl` would make it, and what is printed is what
//! was answered.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use peerd_identity::OsRng;

use crate::clock::SystemClock;
use crate::config::{self, Config, RawApi, RawConfig, RawEnrollment, RawMpx};
use crate::daemon::Daemon;
use crate::listeners::Listeners;
use crate::{admin_token, init, lifecycle};

mod narrate;
mod operator;
mod story;

use operator::Operator;

/// One of the two enrollments while the demo runs.
#[derive(Debug)]
struct Side {
    title: &'static str,
    dir: PathBuf,
    daemon: Daemon,
    operator: Operator,
}

/// Tells the story, then keeps both enrollments running until a signal, unless `exit` is set.
pub async fn run(dir: Option<PathBuf>, exit: bool) -> anyhow::Result<()> {
    let mut signals = lifecycle::signals()?;
    // Removed when the demo ends, unless the caller named a directory to keep.
    let temporary = tempfile::Builder::new().prefix("peerd-demo-").tempdir()?;
    let root = match &dir {
        Some(dir) => std::path::absolute(dir)?,
        None => temporary.path().to_owned(),
    };
    let hub = Side::start(&root, "hub", "Harbor Hospital").await?;
    let edge = Side::start(&root, "edge", "Ridge Clinic").await?;
    let told = tokio::select! {
        told = story::tell(&hub, &edge) => told,
        _ = futures::StreamExt::next(&mut signals) => Ok(()),
    };
    if told.is_ok() && !exit {
        narrate::endpoints(&[&hub, &edge]);
        futures::StreamExt::next(&mut signals).await;
    }
    let stopped = futures::join!(hub.daemon.shutdown(), edge.daemon.shutdown());
    told.and(stopped.0).and(stopped.1)
}

impl Side {
    /// A new enrollment below the demo's directory, serving on free ports of the loopback.
    async fn start(root: &Path, name: &str, title: &'static str) -> anyhow::Result<Side> {
        let dir = root.join(name);
        let loopback = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let raw = RawConfig {
            enrollment: RawEnrollment {
                name: Some(name.parse()?),
                initial_title: Some(title.parse()?),
            },
            mpx: RawMpx {
                listen: loopback,
                ..RawMpx::default()
            },
            api: RawApi {
                listen: loopback,
                ..RawApi::default()
            },
            ..RawConfig::default()
        };
        init::init(&dir, raw, &SystemClock::default(), &OsRng)?;
        let config = Config::load(&dir.join(config::FILE), [], RawConfig::default(), &dir)?;
        let listeners = Listeners::bind(&config).await?;
        let daemon = Daemon::start(&config, listeners).await?;
        let token = admin_token::read(&dir)?.context("init writes the admin's token")?;
        let operator = Operator::connect(daemon.api_addr(), &token).await?;
        Ok(Side {
            title,
            dir,
            daemon,
            operator,
        })
    }
}
