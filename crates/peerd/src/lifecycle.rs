//! From signals to a stopped daemon.

use std::io;
use std::task::Poll;

use futures::{Stream, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::daemon::Daemon;

/// The signals that ask this process to stop, SIGTERM and SIGINT, as they come. From here on they no longer kill it.
pub fn signals() -> io::Result<impl Stream<Item = ()> + Unpin> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(futures::stream::poll_fn(move |context| {
        match (terminate.poll_recv(context), interrupt.poll_recv(context)) {
            (Poll::Pending, Poll::Pending) => Poll::Pending,
            _ => Poll::Ready(Some(())),
        }
    }))
}

/// The signals that ask to read the configuration again, SIGHUP, as they come. From here on they no longer kill it.
pub fn hangups() -> io::Result<impl Stream<Item = ()> + Unpin> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(futures::stream::poll_fn(move |context| hangup.poll_recv(context)))
}

/// Serves until a signal or a failed task, then drains; a second signal ends that at once. An error when a task had
/// failed. Each of `hangups` has the configuration read again.
pub async fn until_stopped(
    daemon: Daemon,
    mut signals: impl Stream<Item = ()> + Unpin,
    mut hangups: impl Stream<Item = ()> + Unpin,
    read: impl Fn() -> anyhow::Result<Config>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            _ = signals.next() => {
                tracing::info!("stopping");
                break;
            }
            () = daemon.failed() => break,
            Some(()) = hangups.next() => daemon.reload().take(read()),
        }
    }
    daemon
        .shutdown_or(async {
            signals.next().await;
        })
        .await
}
