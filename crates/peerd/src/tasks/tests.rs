use std::future::{pending, ready};

use tokio::sync::oneshot;

use super::*;

const LONG: Duration = Duration::from_hours(1);

async fn failure_of(task: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> String {
    let tasks = Tasks::new();
    tasks.spawn("victim", task);
    tasks.failed().await;
    let failure = tasks.failure().expect("recorded");
    assert_eq!(failure.task, "victim");
    failure.cause.to_string()
}

#[tokio::test]
async fn a_task_that_ends_before_shutdown_has_failed() {
    assert_eq!(failure_of(async { Ok(()) }).await, "it ended by itself");
    assert_eq!(failure_of(async { panic!("on purpose") }).await, "it panicked");
    assert_eq!(
        failure_of(async { anyhow::bail!("no more input") }).await,
        "no more input"
    );
}

#[tokio::test]
async fn the_first_failure_is_the_one_that_is_told() {
    let tasks = Tasks::new();
    tasks.spawn("first", async { Ok(()) });
    tasks.failed().await;
    tasks.spawn("second", async { anyhow::bail!("because of the first") });
    tasks.stop(LONG, pending()).await;
    assert_eq!(tasks.failure().expect("recorded").task, "first");
}

#[tokio::test]
async fn b079_a_soft_stop_lets_work_under_way_finish() {
    let tasks = Tasks::new();
    let (finish, may_finish) = oneshot::channel();
    let (done, was_done) = oneshot::channel();
    let soft = tasks.soft().clone();
    tasks.spawn("worker", async move {
        soft.cancelled().await;
        may_finish.await?;
        done.send(()).map_err(|()| anyhow::anyhow!("nobody waits"))
    });
    let stop = tasks.stop(LONG, pending());
    let work = async {
        tasks.soft().cancelled().await;
        assert!(!tasks.hard().is_cancelled());
        finish.send(()).expect("the worker waits");
    };
    let (drained, ()) = tokio::join!(stop, work);
    assert_eq!(drained, Drained::Clean);
    assert!(was_done.await.is_ok());
    assert!(tasks.failure().is_none());
}

#[tokio::test]
async fn the_deadline_cuts_what_did_not_drain() {
    let tasks = Tasks::new();
    tasks.spawn("stubborn", pending());
    let drain_max = Duration::from_millis(20);
    let before = tokio::time::Instant::now();
    assert_eq!(tasks.stop(drain_max, pending()).await, Drained::Cut);
    assert!(before.elapsed() >= drain_max);
    assert!(tasks.hard().is_cancelled());
    assert!(tasks.failure().is_none(), "a task that was cut has not failed");
}

#[tokio::test]
async fn whoever_asks_again_does_not_wait_for_the_deadline() {
    let tasks = Tasks::new();
    tasks.spawn("stubborn", pending());
    assert_eq!(tasks.stop(LONG, ready(())).await, Drained::Cut);
}

#[tokio::test]
async fn a_task_that_blocks_does_not_block_the_stop() {
    let tasks = Tasks::new();
    // What a blocked task looks like from outside: counted, and deaf to both tokens.
    let token = tasks.tracker().token();
    assert_eq!(tasks.stop(Duration::ZERO, pending()).await, Drained::Stuck);
    drop(token);
}

#[tokio::test]
async fn an_error_or_panic_while_stopping_is_a_failure() {
    for panics in [false, true] {
        let tasks = Tasks::new();
        let soft = tasks.soft().clone();
        tasks.spawn("clumsy", async move {
            soft.cancelled().await;
            assert!(!panics, "on purpose");
            anyhow::bail!("could not finish")
        });
        assert_eq!(tasks.stop(LONG, pending()).await, Drained::Clean);
        assert_eq!(tasks.failure().expect("recorded").task, "clumsy");
    }
}
