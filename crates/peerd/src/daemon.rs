//! A running daemon, as a value.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::BoxFuture;
use peerd_core::Clock;
use peerd_identity::Identity;
use tokio::task::spawn_blocking;

use crate::clock::SystemClock;
use crate::config::{Config, Format};
use crate::listeners::Listeners;
use crate::logging;
use crate::reload::Reload;
use crate::run_file::{RunFile, Running};
use crate::tasks::{Drained, Tasks};

/// What a daemon is built of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What was decided about it.
    pub config: &'a Config,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Its sockets.
    pub listeners: Listeners,
    /// Where its tasks run.
    pub tasks: &'a Tasks,
    /// What may change while it runs.
    pub reload: Reload,
}

/// What is left to do when all tasks have ended: the store is closed last.
pub type Close = BoxFuture<'static, anyhow::Result<()>>;

/// One enrollment's daemon, serving. Drop does not stop it; [`Daemon::shutdown`] does.
pub struct Daemon {
    running: Running,
    run_file: RunFile,
    tasks: Tasks,
    close: Close,
    drain_max: Duration,
    log_format: Format,
    reload: Reload,
}

impl Daemon {
    /// Starts an enrollment's daemon on these sockets. It serves when this returns.
    pub async fn start(config: &Config, listeners: Listeners) -> anyhow::Result<Daemon> {
        Daemon::start_with(config, listeners, Reload::default(), crate::wire::wire).await
    }

    /// As [`start`](Daemon::start), in a process whose logging may change.
    pub async fn start_reloadable(
        config: &Config,
        listeners: Listeners,
        reload: Reload,
    ) -> anyhow::Result<Daemon> {
        Daemon::start_with(config, listeners, reload, crate::wire::wire).await
    }

    /// What may change while it runs.
    pub(crate) fn reload(&self) -> &Reload {
        &self.reload
    }

    /// Loads the identity, lets `wire` build the rest and says where it runs. Nothing stays behind when that fails.
    pub async fn start_with<W>(
        config: &Config,
        listeners: Listeners,
        reload: Reload,
        wire: W,
    ) -> anyhow::Result<Daemon>
    where
        W: AsyncFnOnce(Parts<'_>) -> anyhow::Result<Close>,
    {
        let running = Running {
            mpx: listeners.mpx.local_addr()?,
            api: listeners.api.local_addr()?,
            pid: std::process::id(),
        };
        let identity = load_identity(&config.data_dir).await?;
        let tasks = Tasks::new();
        let parts = Parts {
            config,
            identity: Arc::new(identity),
            clock: Arc::new(SystemClock::default()),
            listeners,
            tasks: &tasks,
            reload: reload.clone(),
        };
        let close = match wire(parts).await {
            Ok(close) => close,
            Err(error) => {
                tasks.stop(Duration::ZERO, pending()).await;
                return Err(error);
            }
        };
        let run_file = match RunFile::write(&config.data_dir, running) {
            Ok(run_file) => run_file,
            Err(error) => {
                tasks.stop(config.limits.drain_max, pending()).await;
                close.await?;
                return Err(error).context("the run file could not be written");
            }
        };
        Ok(Daemon {
            running,
            run_file,
            tasks,
            close,
            drain_max: config.limits.drain_max,
            log_format: config.log.format,
            reload,
        })
    }

    /// Where other enrollments reach it.
    pub fn mpx_addr(&self) -> SocketAddr {
        self.running.mpx
    }

    /// Where operators reach it.
    pub fn api_addr(&self) -> SocketAddr {
        self.running.api
    }

    /// Tells whoever waits on standard error that it serves.
    pub fn announce(&self) {
        logging::ready(self.log_format, &self.running);
    }

    /// Waits until a task has failed; then there is nothing left to do but shut down.
    pub async fn failed(&self) {
        self.tasks.failed().await;
    }

    /// Stops: drains within the configured time, then closes the store. An error when a task had failed.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.shutdown_or(pending()).await
    }

    /// As [`shutdown`](Daemon::shutdown), but drains no longer once `at_once` is done.
    pub async fn shutdown_or(self, at_once: impl Future<Output = ()>) -> anyhow::Result<()> {
        match self.tasks.stop(self.drain_max, at_once).await {
            Drained::Clean => {}
            Drained::Cut => tracing::warn!("stopped before everything had drained"),
            Drained::Stuck => tracing::warn!("stopped although a task still blocks"),
        }
        let closed = self.close.await.context("the store could not be closed");
        self.run_file
            .remove()
            .context("the run file could not be removed")?;
        closed?;
        match self.tasks.failure() {
            None => Ok(()),
            Some(failure) => Err(anyhow::anyhow!("{failure}: {}", failure.cause)),
        }
    }
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

async fn load_identity(data_dir: &Path) -> anyhow::Result<Identity> {
    let dir = data_dir.to_owned();
    Ok(spawn_blocking(move || Identity::load(&dir)).await??)
}

#[cfg(test)]
mod tests;
