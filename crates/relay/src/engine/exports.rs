//! The exporters of a link: each makes its batches in a task of its own, as far as there is room for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use peerd_node::Error;
use peerd_node::exchange::{Ack, Batch, Exporter, Flow, Item, Position, Refusal};
use peerd_node::relay::RelaySent;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::link::Running;

/// How many acknowledgements wait for an exporter.
const ACKS_WAITING_MAX: usize = 64;
/// Batches are gathered until so many bytes are together, or for so long.
pub(super) const GATHER_BYTES: usize = 4 << 20;
pub(super) const GATHER_ITEMS: usize = 8_000;
const GATHER_TIME: Duration = Duration::from_millis(100);

/// A batch, and which exporter made it.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) flow: Flow,
    number: u64,
    pub(super) batch: Batch,
}

/// Batches of one type that will be one bundle.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) flow: Flow,
    pub(super) items: Vec<Item>,
    pub(super) bytes: usize,
    pub(super) sharing_revision: u64,
    pub(super) cursor: Position,
    pub(super) last_batch: u64,
    pub(super) caught_up: bool,
    since: Instant,
}

/// An exporter at work.
#[derive(Debug)]
struct Open {
    number: u64,
    generation: u64,
    acks: mpsc::Sender<Ack>,
    _over: DropGuard,
    /// The bundles that were written, in order, each with the last batch that it ends.
    written: VecDeque<(u64, Option<u64>)>,
    settled: BTreeSet<u64>,
    refusals: Vec<Refusal>,
}

/// The exporters of a link.
#[derive(Debug)]
pub(super) struct Exports {
    open: BTreeMap<Flow, Open>,
    last: u64,
    made: mpsc::Receiver<Made>,
    here: mpsc::Sender<Made>,
    pub(super) gathered: Option<Gathered>,
}

impl Exports {
    pub(super) fn new() -> Exports {
        let (here, made) = mpsc::channel(1);
        Exports {
            open: BTreeMap::new(),
            last: 0,
            made,
            here,
            gathered: None,
        }
    }

    /// The next batch. Waits for ever when there is none.
    pub(super) async fn next(&mut self) -> Made {
        match self.made.recv().await {
            Some(made) => made,
            // It cannot be: this end holds a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Ends one: it is opened again when it still is to go.
    pub(super) fn close(&mut self, flow: &Flow) {
        self.open.remove(flow);
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
        self.gathered = None;
    }

    /// When what is gathered is written at the latest.
    pub(super) fn flush_at(&self) -> Option<Instant> {
        self.gathered
            .as_ref()
            .map(|gathered| gathered.since + GATHER_TIME)
    }

    /// How often the other side had asked for this type when its exporter began.
    pub(super) fn generation(&self, flow: &Flow) -> u64 {
        self.open.get(flow).map_or(0, |open| open.generation)
    }

    /// Adds a batch to what is gathered. Answers it back when it does not fit there.
    pub(super) fn add(&mut self, made: Made) -> Option<Made> {
        let open = self.open.get(&made.flow)?;
        if open.number != made.number {
            // Of an exporter that was given up: its successor makes it again.
            return None;
        }
        let bytes = made.batch.items.iter().map(bytes_of).sum::<usize>();
        match &mut self.gathered {
            Some(gathered) => {
                let same = gathered.flow == made.flow
                    && gathered.sharing_revision == made.batch.sharing_revision
                    && gathered.bytes + bytes <= GATHER_BYTES;
                if !same {
                    return Some(made);
                }
                gathered.items.extend(made.batch.items);
                gathered.bytes += bytes;
                gathered.cursor = made.batch.cursor;
                gathered.last_batch = made.batch.number;
                gathered.caught_up = made.batch.caught_up;
            }
            None => {
                self.gathered = Some(Gathered {
                    flow: made.flow,
                    items: made.batch.items,
                    bytes,
                    sharing_revision: made.batch.sharing_revision,
                    cursor: made.batch.cursor,
                    last_batch: made.batch.number,
                    caught_up: made.batch.caught_up,
                    since: Instant::now(),
                });
            }
        }
        None
    }

    /// A bundle of this type was written; with it ends this batch.
    pub(super) fn wrote(&mut self, flow: &Flow, sequence: u64, batch: Option<u64>) {
        if let Some(open) = self.open.get_mut(flow) {
            open.written.push_back((sequence, batch));
        }
    }

    /// This object could not go.
    pub(super) fn left_out(&mut self, flow: &Flow, refusal: Refusal) {
        if let Some(open) = self.open.get_mut(flow) {
            open.refusals.push(refusal);
        }
    }

    /// A bundle of this type came, and these of its objects were parked.
    pub(super) async fn settle(&mut self, flow: &Flow, sequence: u64, refusals: Vec<Refusal>) {
        let Some(open) = self.open.get_mut(flow) else {
            return;
        };
        open.settled.insert(sequence);
        open.refusals.extend(refusals);
        let mut last = None;
        while let Some((_, batch)) = open
            .written
            .front()
            .filter(|(first, _)| open.settled.contains(first))
        {
            last = batch.or(last);
            if let Some((first, _)) = open.written.pop_front() {
                open.settled.remove(&first);
            }
        }
        if let Some(number) = last {
            let ack = Ack {
                number,
                cursor: Position::default(),
                refusals: std::mem::take(&mut open.refusals),
            };
            // An exporter that ended is opened again, and told then.
            let _ = open.acks.send(ack).await;
        }
    }
}

impl Running {
    /// Opens the exporters of these types, and ends the others.
    pub(super) async fn keep_exports(&mut self, wanted: BTreeSet<Flow>) -> Result<(), Error> {
        let anew = &self.anew;
        self.exports.open.retain(|flow, open| {
            let asked = anew.get(flow).copied().unwrap_or(0);
            wanted.contains(flow) && !open.acks.is_closed() && asked <= open.generation
        });
        for flow in wanted {
            if !self.exports.open.contains_key(&flow) {
                self.open_export(flow).await?;
            }
        }
        Ok(())
    }

    async fn open_export(&mut self, flow: Flow) -> Result<(), Error> {
        let node = &self.shared.node;
        let known = node
            .relay_export(self.link.id, flow.connection, &flow.object_type)
            .await?;
        let (mut position, mut generation) = known.unwrap_or_default();
        let asked = self.anew.get(&flow).copied().unwrap_or(0);
        if asked > generation {
            (position, generation) = (Position::default(), asked);
            node.relay_export_anew(self.link.id, &flow, generation).await?;
        }
        let mut exporter = Exporter::open(node, &self.peer, flow.clone(), position).await?;
        let is_of = |kept: &&RelaySent| {
            kept.flow
                .as_ref()
                .is_some_and(|(connection, name)| *connection == flow.connection && *name == flow.object_type)
        };
        let outstanding: Vec<u64> = self
            .kept
            .values()
            .filter(is_of)
            .map(|kept| kept.sequence)
            .collect();
        if !self.set.one_way {
            exporter.follows(outstanding.len() as u64);
        }
        self.exports.last += 1;
        let number = self.exports.last;
        let (acks, answers) = mpsc::channel(ACKS_WAITING_MAX);
        let over = CancellationToken::new();
        let (here, ends) = (self.exports.here.clone(), over.clone());
        let making = make(exporter, flow.clone(), number, here, answers);
        self.shared.spawn(async move {
            ends.run_until_cancelled(making).await;
        });
        let written = outstanding.into_iter().zip((1..).map(Some)).collect();
        self.exports.open.insert(
            flow,
            Open {
                number,
                generation,
                acks,
                _over: over.drop_guard(),
                written,
                settled: BTreeSet::new(),
                refusals: Vec::new(),
            },
        );
        Ok(())
    }
}

/// Makes batches until something fails; at most one waits to be taken.
async fn make(
    mut exporter: Exporter,
    flow: Flow,
    number: u64,
    here: mpsc::Sender<Made>,
    mut acks: mpsc::Receiver<Ack>,
) {
    let mut made: Option<Batch> = None;
    let error: Arc<Error> = loop {
        tokio::select! {
            ack = acks.recv() => {
                let Some(ack) = ack else { return };
                if let Err(error) = exporter.acknowledged(ack).await {
                    break Arc::new(error);
                }
            }
            batch = exporter.next(), if made.is_none() => match batch {
                Ok(batch) => made = Some(batch),
                Err(error) => break Arc::new(error),
            },
            room = here.reserve(), if made.is_some() => {
                let Ok(room) = room else { return };
                if let Some(batch) = made.take() {
                    room.send(Made { flow: flow.clone(), number, batch });
                }
            }
        }
    };
    tracing::info!(connection = %flow.connection, object_type = flow.object_type, reason = %error.reason(), "export ended");
    exporter.broke(error.reason(), error.told());
}

fn bytes_of(item: &Item) -> usize {
    use peerd_node::exchange::Change;
    item.key.len()
        + match &item.change {
            Change::State(bytes) => bytes.len(),
            Change::Retraction => 0,
        }
}
