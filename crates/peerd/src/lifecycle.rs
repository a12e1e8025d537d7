//! From signals to a stopped daemon.

use std::io;
use std::task::Poll;

use futures::{Stream, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};

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

/// Serves until a signal or a failed task, then drains; a second signal ends that at once. An error when a task had
/// failed.
pub async fn until_stopped(
    daemon: Daemon,
    mut signals: impl Stream<Item = ()> + Unpin,
) -> anyhow::Result<()> {
    tokio::select! {
        _ = signals.next() => tracing::info!("stopping"),
        () = daemon.failed() => {}
    }
    daemon
        .shutdown_or(async {
            signals.next().await;
        })
        .await
}
