//! How long a single edit at one side takes until it can be read at the other.

use std::collections::VecDeque;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::join_all;
use peerd_tests::bench::table::quantile_ms;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Edits each second.
pub(crate) const EDITS_PER_SECOND: u32 = 200;
/// How long they go on.
pub(crate) const LASTING: Duration = Duration::from_secs(15);
/// How many objects they take in turn: none is edited while an earlier edit of it is under way.
pub(crate) const OBJECTS: usize = 1_000;
/// How many of them the other side is asked for at once.
const ASKED_MAX: usize = 32;
/// How long one may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two sides, of which one follows the other.
pub(crate) trait Edited: Clone + Send + Sync + 'static {
    /// Sets the text of an object at one side.
    fn edit(&self, object: usize, text: String) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// The text of an object at the other side.
    fn text(&self, object: usize) -> impl Future<Output = anyhow::Result<Option<String>>> + Send;
}

/// What some edits took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    /// The time that half of them, 99 % and 99.9 % did not exceed, in milliseconds.
    pub(crate) quantiles_ms: [(&'static str, f64); 3],
}

/// Edits at their times, whether or not earlier ones have arrived. From before the call to the first answer of the
/// other side that has it. The other side is asked without a pause, but for a few at a time: the asking shall not be
/// what the edits wait for.
pub(crate) async fn measured(sides: &impl Edited, lasting: Duration) -> anyhow::Result<Latency> {
    let tasks = TaskTracker::new();
    let mut interval = tokio::time::interval(Duration::from_secs(1) / EDITS_PER_SECOND);
    let (made, edits) = mpsc::channel(OBJECTS);
    let watching = watched(sides, edits);
    let editing = async move {
        let (began, mut running) = (Instant::now(), Vec::new());
        while began.elapsed() < lasting {
            interval.tick().await;
            let (sides, made, number) = (sides.clone(), made.clone(), running.len());
            running.push(tasks.spawn(async move {
                let edit = Edit::of(number);
                sides.edit(edit.object, edit.text.clone()).await?;
                anyhow::Ok(made.send(edit).await?)
            }));
        }
        for edit in running {
            edit.await??;
        }
        anyhow::Ok(())
    };
    let ((), mut times) = tokio::try_join!(editing, watching)?;
    ensure!(!times.is_empty(), "nothing was edited");
    times.sort_unstable();
    Ok(Latency {
        quantiles_ms: [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)]
            .map(|(name, share)| (name, quantile_ms(&times, share))),
    })
}

/// An edit that was made.
#[derive(Debug)]
struct Edit {
    object: usize,
    text: String,
    began: Instant,
}

impl Edit {
    fn of(number: usize) -> Edit {
        Edit {
            object: number % OBJECTS,
            text: format!("edit {number:010}"),
            began: Instant::now(),
        }
    }
}

/// Asks for the oldest edits until each is there; what each took.
async fn watched(sides: &impl Edited, mut edits: mpsc::Receiver<Edit>) -> anyhow::Result<Vec<Duration>> {
    let (mut waiting, mut times) = (VecDeque::new(), Vec::new());
    loop {
        if waiting.is_empty() {
            match edits.recv().await {
                Some(edit) => waiting.push_back(edit),
                None => return Ok(times),
            }
        }
        while let Ok(edit) = edits.try_recv() {
            waiting.push_back(edit);
        }
        let asked = waiting.iter().take(ASKED_MAX).map(|edit| sides.text(edit.object));
        for (place, text) in join_all(asked).await.into_iter().enumerate().rev() {
            let edit: &Edit = &waiting[place];
            ensure!(edit.began.elapsed() < PATIENCE, "an edit does not arrive");
            // A later edit of the object may be there before this one was asked for.
            if text?.is_some_and(|text| text.starts_with("edit ") && text >= edit.text) {
                times.push(edit.began.elapsed());
                waiting.remove(place);
            }
        }
    }
}
