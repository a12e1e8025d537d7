//! One relay link while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use peerd_core::link::{Link, Relay};
use peerd_core::relay::{Answered, Ledger};
use peerd_core::{EnrollmentId, Reason, Time};
use peerd_node::Error;
use peerd_node::exchange::Flow;
use peerd_node::exchange::blobs::BlobExporter;
use peerd_node::peer::Peer;
use peerd_node::relay::{Outgoing, RelayOut, RelaySent, Trouble};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Runtime;
use super::content::Content;
use super::exports::Exports;
use super::folders::Folders;
use super::imports::Imports;
use super::passing::Passing;
use super::queries::{Queries, Turn};
use super::snapshot::Snapshots;
use super::speech::Speech;
use super::writing::{form_of, limits_of};
use crate::InboxLimits;
use crate::record::Refusal;

/// So much content that is to follow is known at once; more is found when the link starts again.
const CONTENT_MAX: usize = 100_000;

/// A relay link at work. All of it belongs to one task.
pub(super) struct Running {
    pub(super) shared: Arc<Runtime>,
    /// Marked changed when what this epoch is signed by was replaced.
    identity: watch::Receiver<u64>,
    pub(super) link: Link,
    pub(super) set: Relay,
    pub(super) peer: Peer,
    pub(super) them: EnrollmentId,
    pub(super) folders: Folders,
    /// The numbering of what goes out.
    pub(super) out: RelayOut,
    /// What went out and is kept.
    pub(super) kept: BTreeMap<u64, RelaySent>,
    /// The keys of the objects in what is kept, as far as this process wrote it.
    pub(super) keys: BTreeMap<u64, Vec<String>>,
    /// What the other side said last of what came there.
    pub(super) answer: Option<Answered>,
    /// What came; `None` before anything did.
    pub(super) ledger: Option<Ledger>,
    /// Which bundles came and wait, and in which files.
    pub(super) waiting: BTreeMap<u64, String>,
    /// Objects that were parked, to be told.
    pub(super) refusals: Vec<Refusal>,
    /// Which types the other side asked for anew, and how often.
    pub(super) anew: BTreeMap<Flow, u64>,
    pub(super) exports: Exports,
    pub(super) imports: Imports,
    pub(super) speech: Speech,
    pub(super) passing: Passing,
    /// Questions, where there is a way back.
    pub(super) queries: Option<Queries>,
    pub(super) content: Content,
    pub(super) snapshots: Snapshots,
    /// Of each type, whether what is here is what the other side told that it offers.
    pub(super) equal: BTreeMap<Flow, bool>,
    pub(super) due: Due,
    pub(super) counts: Counts,
}

/// When something is to be done without anything happening.
#[derive(Debug)]
pub(super) struct Due {
    /// What came is to be acknowledged.
    pub(super) acknowledge: Option<Instant>,
    pub(super) heartbeat: Instant,
    /// What is kept is looked through.
    pub(super) resend: Instant,
    /// The inbox is looked into.
    pub(super) look: Instant,
    /// What waits in the inbox may be taken now.
    pub(super) retry_waiting: bool,
    /// What flows may be something else by now.
    pub(super) keep_flows: bool,
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) refused: u64,
    pub(super) repeated: u64,
    pub(super) resent: u64,
    pub(super) heard_at: Option<Time>,
    pub(super) uncollected_since: Option<Time>,
    pub(super) full: bool,
    pub(super) outbox_bytes: u64,
    pub(super) quarantined: u64,
}

/// What was signed by the earlier identity is not taken any more where the new one is known: another epoch begins.
fn replaced() -> Error {
    Error::new(
        Reason::ConcurrentChange,
        "this side has a new identity: a new epoch begins",
    )
}

impl Running {
    pub(super) async fn open(shared: &Arc<Runtime>, link: &Link) -> Result<Running, Error> {
        let missing = || Error::of(Reason::LinkMissing);
        let set = link.relay.clone().ok_or_else(missing)?;
        let them = link.enrollment().ok_or_else(missing)?;
        let peer = shared.node.relay_side(link.id).await?;
        let limits = InboxLimits {
            bytes_max: set.limits.inbox_bytes_max,
            bundle_bytes_max: limits_of(&set).file_bytes_max(form_of(&set)),
            settle: shared.timing.settle,
            ..InboxLimits::default()
        };
        let folders = Folders::open(
            (PathBuf::from(&set.outbox), set.limits.outbox_bytes_max),
            (PathBuf::from(&set.inbox), limits),
            shared.directory.join(link.id.to_string()),
        )
        .await?;
        let identity = shared.node.identity_changes();
        let known = match shared.node.relay_outgoing(link.id).await? {
            Some(known) if spool_is_whole(&folders, &known).await? => known,
            Some(_) => {
                tracing::warn!(link = %link.id, "the spool lost bundles: a new epoch begins, and everything goes anew");
                shared.node.relay_begin(link.id).await?
            }
            None => shared.node.relay_begin(link.id).await?,
        };
        let Outgoing { out, kept } = known;
        let sequences = kept.iter().map(|kept| kept.sequence).collect();
        folders.forget_all_but(out.epoch, sequences).await?;
        let now = Instant::now();
        let node = &shared.node;
        let queries = (!set.one_way).then(|| Queries::new(node.open_line(link.id), node.chance()));
        let following = node.relay_content(link.id, CONTENT_MAX).await?;
        Ok(Running {
            identity,
            queries,
            content: Content::new(BlobExporter::open(node, &peer), following),
            snapshots: Snapshots::new(now + shared.timing.snapshot_every),
            equal: BTreeMap::new(),
            shared: Arc::clone(shared),
            link: link.clone(),
            set,
            peer,
            them,
            folders,
            speech: Speech::after(&kept),
            kept: kept.into_iter().map(|kept| (kept.sequence, kept)).collect(),
            keys: BTreeMap::new(),
            out,
            answer: None,
            ledger: shared.node.relay_ledger(link.id).await?,
            waiting: BTreeMap::new(),
            refusals: Vec::new(),
            anew: BTreeMap::new(),
            exports: Exports::new(),
            imports: Imports::default(),
            due: Due {
                acknowledge: None,
                heartbeat: now,
                resend: now,
                look: now,
                retry_waiting: true,
                keep_flows: true,
            },
            passing: Passing::default(),
            counts: Counts::default(),
        })
    }

    /// Runs until something fails that does not pass by itself.
    pub(super) async fn run(mut self) -> Error {
        match self.work().await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, Error> {
        let node = Arc::clone(&self.shared.node);
        let mut work = node.work();
        let mut outbox = node.outbox_changes(self.link.id);
        let mut link = node.changes_of_link(self.link.id);
        let mut identity = self.identity.clone();
        let watch = self.folders.watch(self.shared.timing.poll);
        loop {
            if let Err(error) = node.relay_peer(self.link.id).await {
                self.stop_flows();
                self.report(Some(&error));
                tokio::select! {
                    () = work.changed() => {}
                    gone = link.changed() => if gone.is_err() { return Err(error) },
                }
                self.due.keep_flows = true;
                continue;
            }
            if std::mem::take(&mut self.due.keep_flows) {
                self.keep_flows().await?;
                self.due.retry_waiting = true;
            }
            self.take_arrivals().await?;
            self.speak().await?;
            self.flush_if_due().await?;
            self.resend_if_due().await?;
            self.answer_if_due().await?;
            self.ask_again().await?;
            self.snapshot_if_due().await?;
            if self.has_content() {
                self.send_content().await?;
            }
            self.report(None);
            let room = self.has_room();
            let next = self.next_due();
            let poll = self.shared.timing.poll;
            let queries = &mut self.queries;
            let turn = async {
                match queries {
                    Some(queries) => queries.turn().await,
                    None => std::future::pending::<Turn>().await,
                }
            };
            tokio::select! {
                turn = turn => self.converse(turn).await?,
                made = self.exports.next(), if room => self.gather(made).await?,
                () = work.changed() => self.due.keep_flows = true,
                moved = outbox.changed() => drop(moved),
                () = watch.changed(poll) => self.due.look = Instant::now(),
                _ = link.changed() => self.reload().await?,
                Ok(()) = identity.changed() => return Err(replaced()),
                () = sleep_until(next) => {}
            }
        }
    }

    /// When something is to be done at the latest.
    fn next_due(&self) -> Instant {
        let Due {
            acknowledge,
            heartbeat,
            resend,
            look,
            retry_waiting,
            keep_flows,
        } = self.due;
        if retry_waiting
            || keep_flows
            || self.has_content()
            || self.snapshots.is_under_way() && !self.counts.full
        {
            return Instant::now();
        }
        let asking = self.queries.as_ref().and_then(Queries::due_at);
        let snapshot = self.set.one_way.then_some(self.snapshots.next);
        let others = [
            acknowledge,
            self.exports.flush_at(),
            self.speech.rested_at(),
            asking,
            snapshot,
        ];
        let soonest = heartbeat.min(resend).min(look);
        others.into_iter().flatten().fold(soonest, Instant::min)
    }

    /// Whether more may be written.
    pub(super) fn has_room(&self) -> bool {
        !self.counts.full
    }

    /// The other side's identity may be another one now.
    async fn reload(&mut self) -> Result<(), Error> {
        let link = self.shared.node.live_link(self.link.id).await?;
        self.link = link.ok_or_else(|| Error::of(Reason::LinkMissing))?;
        if let Some(set) = &self.link.relay {
            self.set.sealing.clone_from(&set.sealing);
        }
        Ok(())
    }

    fn stop_flows(&mut self) {
        self.exports.close_all();
        self.imports.close_all();
    }

    /// Opens what both sides let flow, and ends what they do not.
    async fn keep_flows(&mut self) -> Result<(), Error> {
        let flows = self.shared.node.flows(&self.peer).await?;
        let exports: BTreeSet<Flow> = flows.exports.into_iter().collect();
        let imports: BTreeSet<Flow> = flows.imports.into_iter().collect();
        self.snapshots.keep(&exports);
        self.keep_exports(exports).await?;
        if self.imports.keep(&self.shared.node, &self.peer, imports).await {
            self.acknowledge_soon();
        }
        Ok(())
    }

    /// Tells operators how the link is.
    fn report(&self, trouble: Option<&Error>) {
        let ledger = self.ledger.clone();
        let kept_bytes = self.kept.values().map(|kept| kept.bytes).sum();
        let kept_since = self.kept.values().map(|kept| kept.at).min();
        let (counts, interval) = (self.counts, self.shared.timing.heartbeat);
        let (last_out, kept, waiting) = (self.out.last, self.kept.len(), self.waiting.len());
        let at = self.shared.node.now();
        let trouble = trouble.map(|error| Trouble {
            reason: error.reason(),
            message: error.told().to_owned(),
            at,
        });
        self.shared.node.relay_is(self.link.id, |life| {
            life.interval = interval;
            life.last_out = last_out;
            life.kept = kept as u64;
            life.kept_bytes = kept_bytes;
            life.kept_since = kept_since;
            life.last_in = ledger.as_ref().map_or(0, |ledger| ledger.below);
            life.highest_in = ledger.as_ref().map_or(0, |ledger| ledger.highest);
            life.gaps = ledger.as_ref().map_or(0, Ledger::gaps);
            life.lost = ledger.as_ref().map_or(0, |ledger| ledger.lost);
            life.heard_at = counts.heard_at.or(life.heard_at);
            life.waiting = waiting as u64;
            life.outbox_bytes = counts.outbox_bytes;
            life.uncollected_since = counts.uncollected_since;
            life.full = counts.full;
            life.quarantined = counts.quarantined;
            life.refused = counts.refused;
            life.repeated = counts.repeated;
            life.resent = counts.resent;
            life.trouble = trouble;
        });
    }
}

/// Whether every bundle that is to be kept is there.
async fn spool_is_whole(folders: &Folders, known: &Outgoing) -> Result<bool, Error> {
    for kept in &known.kept {
        if folders.kept(known.out.epoch, kept.sequence).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
