//! The tasks of a daemon: counted, named, and stopped in two stages.
//!
//! A task runs until the **soft** token asks it to come to a safe point. What has not by the deadline is dropped where
//! it waits, by the **hard** token. A task that ends before anybody asked, or panics at any time, has failed, and one
//! failure ends the daemon: a daemon that lacks a part looks healthy and is not.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a stop still waits once everything is cancelled: a task that blocks its thread cannot be dropped.
const HARD_MAX: Duration = Duration::from_millis(500);

/// The tasks of one daemon.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tracker: TaskTracker,
    hard: CancellationToken,
    soft: CancellationToken,
    failed: CancellationToken,
    failure: OnceLock<Failure>,
}

/// The first task that failed.
#[derive(Debug, thiserror::Error)]
#[error("task {task} failed")]
pub struct Failure {
    /// Its name.
    pub task: &'static str,
    /// What happened to it.
    #[source]
    pub cause: Cause,
}

/// What happens to a task that fails.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// It ended although nobody had asked.
    #[error("it ended by itself")]
    Ended,
    /// It panicked; the log says where.
    #[error("it panicked")]
    Panicked,
    /// It could not go on.
    #[error(transparent)]
    Error(anyhow::Error),
}

/// How the tasks came to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Each at a safe point.
    Clean,
    /// Some were dropped where they waited.
    Cut,
    /// Some still block their threads.
    Stuck,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Tasks {
        let hard = CancellationToken::new();
        Tasks(Arc::new(Shared {
            tracker: TaskTracker::new(),
            soft: hard.child_token(),
            hard,
            failed: CancellationToken::new(),
            failure: OnceLock::new(),
        }))
    }

    /// Runs a task that lasts as long as the daemon. It returns once [`soft`](Tasks::soft) is cancelled, not before.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let shared = Arc::clone(&self.0);
        self.0.tracker.spawn(async move {
            let ended = tokio::select! {
                biased;
                () = shared.hard.cancelled() => return,
                // What it leaves behind is only seen by tasks that are about to stop.
                ended = AssertUnwindSafe(task).catch_unwind() => ended,
            };
            let cause = match ended {
                Err(_) => Cause::Panicked,
                Ok(Err(error)) => Cause::Error(error),
                Ok(Ok(())) if shared.soft.is_cancelled() => return,
                Ok(Ok(())) => Cause::Ended,
            };
            shared.fail(Failure { task: name, cause });
        });
    }

    /// Counts tasks of other crates, which may come and go; a stop waits for them too.
    pub fn tracker(&self) -> &TaskTracker {
        &self.0.tracker
    }

    /// Cancelled when tasks should come to a safe point and end.
    pub fn soft(&self) -> &CancellationToken {
        &self.0.soft
    }

    /// Cancelled when there is no more time for that.
    pub fn hard(&self) -> &CancellationToken {
        &self.0.hard
    }

    /// Waits until a task has failed.
    pub async fn failed(&self) {
        self.0.failed.cancelled().await;
    }

    /// The first failure, if there was one.
    pub fn failure(&self) -> Option<&Failure> {
        self.0.failure.get()
    }

    /// Stops all tasks: softly, and hard when that takes longer than `drain_max` or `at_once` comes first.
    pub async fn stop(&self, drain_max: Duration, at_once: impl Future<Output = ()>) -> Drained {
        let Shared {
            tracker, soft, hard, ..
        } = &*self.0;
        tracker.close();
        soft.cancel();
        let drained = tokio::select! {
            biased;
            () = tracker.wait() => Drained::Clean,
            () = tokio::time::sleep(drain_max) => Drained::Cut,
            () = at_once => Drained::Cut,
        };
        hard.cancel();
        match tokio::time::timeout(HARD_MAX, tracker.wait()).await {
            Ok(()) => drained,
            Err(_) => Drained::Stuck,
        }
    }
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks::new()
    }
}

impl Shared {
    fn fail(&self, failure: Failure) {
        tracing::error!(
            task = failure.task,
            error = &failure.cause as &dyn std::error::Error,
            "task failed"
        );
        // Whatever fails after the first is most often its consequence; the log has it.
        let _ = self.failure.set(failure);
        self.failed.cancel();
    }
}

#[cfg(test)]
mod tests;
