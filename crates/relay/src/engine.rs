//! What keeps relay links going: one task for each, which writes what is to go and takes what came.
//!
//! Nothing of the rules is here. What goes out is made by the node's exporters, what comes in is taken by its importers;
//! which bundle is missing, and which is written again, `peerd_core::relay` says. Here is the order in which things
//! become durable: a bundle lies in the spool before it is numbered, it is numbered before it is in the outbox, and it is
//! noted as taken with its effects, or after them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use peerd_core::signature::{Signer, Verifier};
use peerd_core::{LinkId, Reason};
use peerd_identity::SealingKeys;
use peerd_node::relay::Trouble;
use peerd_node::{Error, Node};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

mod answers;
mod arrivals;
mod content;
mod exports;
mod folders;
mod imports;
mod link;
mod objects;
mod passing;
mod queries;
mod schemas;
mod snapshot;
mod speech;
mod timing;
mod writing;

pub use timing::Timing;

/// How long a link rests after it failed.
const REST: Duration = Duration::from_secs(5);

/// What relay links run on.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// The node.
    pub node: Arc<Node>,
    /// Signs bundles.
    pub signer: Arc<dyn Signer>,
    /// Verifies those of others.
    pub verifier: Arc<dyn Verifier>,
    /// Opens what is sealed to this enrollment.
    pub sealing: Arc<SealingKeys>,
    /// Where bundles are kept until they came, and put aside when they are refused: a directory of its own.
    pub directory: PathBuf,
    /// How often what happens.
    pub timing: Timing,
    /// Where tasks are counted.
    pub tasks: TaskTracker,
    /// Cancelled when the daemon is to stop.
    pub soft: CancellationToken,
    /// Cancelled when there is no more time.
    pub hard: CancellationToken,
}

impl Runtime {
    /// Runs a task that ends when there is no more time, at the latest.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let hard = self.hard.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = hard.cancelled() => {}
                () = task => {}
            }
        });
    }
}

/// Starts to keep all relay links going, those that are there and those that come.
pub fn start(runtime: Runtime) {
    let shared = Arc::new(runtime);
    shared.spawn(keep_links(Arc::clone(&shared)));
}

async fn keep_links(shared: Arc<Runtime>) {
    let mut links = shared.node.link_changes();
    let mut running: BTreeMap<LinkId, DropGuard> = BTreeMap::new();
    loop {
        match shared.node.relay_links().await {
            Ok(live) => {
                running.retain(|id, _| live.iter().any(|link| link.id == *id));
                for link in live {
                    running
                        .entry(link.id)
                        .or_insert_with(|| keep_link(&shared, link.id).drop_guard());
                }
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "relay links not read"),
        }
        tokio::select! {
            () = shared.soft.cancelled() => return,
            changed = links.changed() => if changed.is_err() { return },
        }
    }
}

/// Runs a link until the token is cancelled or the daemon stops, and again when it fails.
fn keep_link(shared: &Arc<Runtime>, link: LinkId) -> CancellationToken {
    let over = shared.soft.child_token();
    let (task, ends) = (Arc::clone(shared), over.clone());
    shared.spawn(async move {
        loop {
            let Some(error) = ends.run_until_cancelled(Box::pin(run_link(&task, link))).await else {
                return;
            };
            tracing::warn!(link = %link, error = &error as &dyn std::error::Error, "a relay link rests");
            let (reason, message, at) = (error.reason(), error.told().to_owned(), task.node.now());
            task.node.relay_is(link, |life| {
                life.trouble = Some(Trouble { reason, message, at });
            });
            let rested = ends.run_until_cancelled(tokio::time::sleep(REST)).await;
            if rested.is_none() {
                return;
            }
        }
    });
    over
}

async fn run_link(shared: &Arc<Runtime>, link: LinkId) -> Error {
    // Read anew each time: it may have changed since it ran last.
    let opened = async {
        let link = shared.node.live_link(link).await?;
        let link = link.ok_or_else(|| Error::of(Reason::LinkMissing))?;
        link::Running::open(shared, &link).await
    };
    match opened.await {
        Ok(running) => running.run().await,
        Err(error) => error,
    }
}
