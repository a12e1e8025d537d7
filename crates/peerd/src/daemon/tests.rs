use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _};
use peerd_core::Time;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};

use super::*;
use crate::config::{self, RawConfig};
use crate::health::{self, Target};
use crate::lifecycle::until_stopped;
use crate::run_file;

/// A data directory with an identity, on loopback with free ports.
fn enrollment() -> (TempDir, Config) {
    let dir = tempfile::tempdir().expect("a directory");
    Identity::create(dir.path(), Time::from_micros(1_800_000_000_000_000)).expect("an identity");
    let text =
        "[enrollment]\nname = \"alpha\"\n[mpx]\nlisten = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n";
    let file = dir.path().join(config::FILE);
    std::fs::write(&file, text).expect("written");
    let config = Config::load(&file, [], RawConfig::default(), dir.path()).expect("valid");
    (dir, config)
}

async fn start<W>(config: &Config, wire: W) -> anyhow::Result<Daemon>
where
    W: AsyncFnOnce(Parts<'_>) -> anyhow::Result<Close>,
{
    let listeners = Listeners::bind(config).await?;
    Daemon::start_with(config, listeners, Reload::default(), wire).await
}

/// Nobody asks for the configuration.
fn never() -> anyhow::Result<Config> {
    anyhow::bail!("nobody asks for it")
}

/// The least a daemon can do: say on the operator address that it is healthy.
async fn only_health(parts: Parts<'_>) -> anyhow::Result<Close> {
    let (_, service) = tonic_health::server::health_reporter();
    let incoming = TcpListenerStream::new(parts.listeners.api);
    let stopping = parts.tasks.soft().clone().cancelled_owned();
    let server = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stopping);
    parts.tasks.spawn("api", server.map_err(Into::into));
    Ok(nothing_to_close())
}

fn nothing_to_close() -> Close {
    async { Ok(()) }.boxed()
}

#[tokio::test]
async fn a_daemon_says_where_it_is_while_it_runs() {
    let (dir, config) = enrollment();
    let daemon = start(&config, only_health).await.expect("started");
    let running = Running::read(dir.path()).expect("readable").expect("there");
    assert_eq!((running.mpx, running.api), (daemon.mpx_addr(), daemon.api_addr()));
    assert_eq!(running.pid, std::process::id());
    assert_ne!(running.mpx.port(), 0);

    let target = Target {
        url: health::url_of(dir.path(), &config.api).expect("it runs"),
        trust: None,
    };
    health::check(target.clone()).await.expect("healthy");

    daemon.shutdown().await.expect("a clean stop");
    assert_eq!(Running::read(dir.path()).expect("readable"), None);
    assert!(health::check(target).await.is_err(), "nobody is there any more");
    let error = health::url_of(dir.path(), &config.api).expect_err("nobody runs");
    assert!(error.to_string().contains(run_file::FILE), "{error}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_before_anything_starts() {
    let (dir, mut config) = enrollment();
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    config.api.listen = other.local_addr().expect("an address");
    let error = Listeners::bind(&config).await.expect_err("taken").to_string();
    assert!(error.contains(&config.api.listen.to_string()), "{error}");
    assert!(error.contains("api.listen"), "{error}");
    assert!(!dir.path().join(run_file::FILE).exists());
}

#[tokio::test]
async fn a_daemon_that_cannot_be_wired_leaves_nothing_behind() {
    let (dir, config) = enrollment();
    let tracker = Arc::new(std::sync::OnceLock::new());
    let seen = Arc::clone(&tracker);
    let refused = start(&config, async move |parts: Parts<'_>| {
        parts.tasks.spawn("early", pending());
        let _ = seen.set(parts.tasks.clone());
        anyhow::bail!("the store is locked")
    });
    assert_eq!(
        refused.await.expect_err("refused").to_string(),
        "the store is locked"
    );
    assert!(
        tracker.get().expect("wired").tracker().is_empty(),
        "the task was stopped"
    );
    assert!(!dir.path().join(run_file::FILE).exists());
}

#[tokio::test]
async fn a_daemon_without_its_identity_does_not_start() {
    let (dir, config) = enrollment();
    std::fs::remove_file(dir.path().join(peerd_identity::KEY_FILE)).expect("removed");
    let error = start(&config, only_health)
        .await
        .expect_err("refused")
        .to_string();
    assert!(error.contains(peerd_identity::KEY_FILE), "{error}");
}

#[tokio::test]
async fn a_failed_task_stops_the_daemon_and_is_told() {
    let (dir, config) = enrollment();
    let daemon = start(&config, async |parts: Parts<'_>| {
        parts
            .tasks
            .spawn("replication", async { anyhow::bail!("the feed is gone") });
        Ok(nothing_to_close())
    });
    let daemon = daemon.await.expect("started");
    let stopped = until_stopped(
        daemon,
        futures::stream::pending(),
        futures::stream::pending(),
        never,
    )
    .await;
    let error = stopped.expect_err("a failure").to_string();
    assert!(
        error.contains("replication") && error.contains("the feed is gone"),
        "{error}"
    );
    assert!(!dir.path().join(run_file::FILE).exists());
}

#[tokio::test]
async fn the_store_is_closed_after_the_last_task() {
    let (_dir, config) = enrollment();
    let ended = Arc::new(AtomicBool::new(false));
    let (at_end, at_close) = (Arc::clone(&ended), Arc::clone(&ended));
    let daemon = start(&config, async move |parts: Parts<'_>| {
        let soft = parts.tasks.soft().clone();
        parts.tasks.spawn("writer", async move {
            soft.cancelled().await;
            tokio::task::yield_now().await;
            at_end.store(true, Ordering::SeqCst);
            Ok(())
        });
        Ok(async move {
            anyhow::ensure!(at_close.load(Ordering::SeqCst), "closed under a writer");
            Ok(())
        }
        .boxed())
    });
    daemon
        .await
        .expect("started")
        .shutdown()
        .await
        .expect("a clean stop");
    assert!(ended.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_store_that_does_not_close_is_an_error() {
    let (dir, config) = enrollment();
    let daemon = start(&config, async |_: Parts<'_>| {
        Ok(async { anyhow::bail!("the disk is gone") }.boxed())
    });
    assert!(daemon.await.expect("started").shutdown().await.is_err());
    assert!(!dir.path().join(run_file::FILE).exists());
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_drain() {
    let (_dir, mut config) = enrollment();
    config.limits.drain_max = Duration::from_hours(1);
    let (stopping, mut is_stopping) = mpsc::channel(1);
    let daemon = start(&config, async move |parts: Parts<'_>| {
        let soft = parts.tasks.soft().clone();
        parts.tasks.spawn("stubborn", async move {
            soft.cancelled().await;
            stopping.send(()).await?;
            pending().await
        });
        Ok(nothing_to_close())
    });
    let daemon = daemon.await.expect("started");
    let (signal, signals) = mpsc::channel(2);
    let signals = ReceiverStream::new(signals).fuse();
    let twice = async {
        signal.send(()).await.expect("it listens");
        is_stopping.recv().await.expect("it drains");
        signal.send(()).await.expect("it listens");
    };
    let (stopped, ()) = tokio::join!(
        until_stopped(daemon, signals, futures::stream::pending(), never),
        twice
    );
    stopped.expect("a stop that was cut short is not a crash");
}
