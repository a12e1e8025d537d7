//! What is seen of transfers, and what those who fetch for different connections share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use peerd_core::policy::Direction;
use peerd_core::{Blob, ConnectionId, ContentHash, Reason};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Ask;
use super::fetching::Fetching;
use super::queue::Waiting;
use crate::Node;

/// Damaged contents are remembered up to so many.
const DAMAGED_MAX: usize = 1_000;

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStanding {
    /// It waits for its turn.
    Waiting,
    /// It goes on.
    Running,
    /// Something stands in the way; it is tried again by itself.
    Delayed(Reason),
}

/// The content of an artifact, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The artifact's key.
    pub artifact: String,
    /// The connection.
    pub connection: ConnectionId,
    /// Seen from here. What goes out is listed only when its content is damaged here.
    pub direction: Direction,
    /// The content.
    pub blob: Blob,
    /// How many bytes are here, checked.
    pub bytes_done: u64,
    /// How many came in a second since it began; zero when it does not run.
    pub bytes_per_second: u64,
    /// How it stands.
    pub standing: TransferStanding,
}

/// The transfers of a node.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    fetchings: Mutex<BTreeMap<ConnectionId, Weak<Fetching>>>,
    /// Content that somebody fetches: over one connection at a time.
    claims: Mutex<BTreeSet<ContentHash>>,
    released: watch::Sender<u64>,
    /// Content that is offered and cannot be read.
    damaged: Mutex<BTreeMap<ContentHash, (String, ConnectionId, u64)>>,
    bytes: AtomicU64,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transfers {
    /// The one fetching of a connection.
    pub(super) fn join(&self, node: &Arc<Node>, connection: ConnectionId) -> Arc<Fetching> {
        let mut fetchings = lock(&self.fetchings);
        fetchings.retain(|_, fetching| fetching.strong_count() > 0);
        if let Some(open) = fetchings.get(&connection).and_then(Weak::upgrade) {
            return open;
        }
        let fetching = Arc::new(Fetching::new(node, connection));
        fetchings.insert(connection, Arc::downgrade(&fetching));
        fetching
    }

    pub(super) fn claims(&self) -> MutexGuard<'_, BTreeSet<ContentHash>> {
        lock(&self.claims)
    }

    pub(super) fn release(&self, hashes: impl IntoIterator<Item = ContentHash>) {
        let mut claims = self.claims();
        for hash in hashes {
            claims.remove(&hash);
        }
        drop(claims);
        self.released.send_modify(|count| *count += 1);
    }

    pub(super) fn released(&self) -> watch::Receiver<u64> {
        self.released.subscribe()
    }

    /// So many bytes of content came in, whole.
    pub(super) fn came(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn damaged(&self, ask: &Ask) {
        let mut damaged = lock(&self.damaged);
        if damaged.len() < DAMAGED_MAX {
            let about = (ask.artifact.clone(), ask.connection, ask.blob.size);
            damaged.insert(ask.blob.hash, about);
        }
    }
}

impl Node {
    /// Content that is on its way in, or waits, or is damaged here although it is offered. By connection, then by
    /// content; bounded for each connection.
    pub fn all_transfers(&self) -> Vec<Transfer> {
        let fetchings: Vec<Arc<Fetching>> = {
            let fetchings = lock(&self.transfers.fetchings);
            fetchings.values().filter_map(Weak::upgrade).collect()
        };
        let mut transfers = Vec::new();
        for fetching in fetchings {
            let queue = fetching.queue();
            let full = queue.full.is_some_and(|until| until > Instant::now());
            let all = queue.waiting.values();
            transfers.extend(all.map(|waiting| incoming(fetching.connection, waiting, full)));
        }
        let damaged = lock(&self.transfers.damaged);
        transfers.extend(
            damaged
                .iter()
                .map(|(hash, (artifact, connection, size))| Transfer {
                    artifact: artifact.clone(),
                    connection: *connection,
                    direction: Direction::Export,
                    blob: Blob {
                        hash: *hash,
                        size: *size,
                    },
                    bytes_done: 0,
                    bytes_per_second: 0,
                    standing: TransferStanding::Delayed(Reason::StoreCorrupt),
                }),
        );
        transfers
    }

    /// How much content a connection's artifacts lack, up to this place of their feed; `None` while nobody looks.
    pub(in crate::exchange) async fn content_missing(
        &self,
        connection: ConnectionId,
        head: u64,
    ) -> Option<u64> {
        let open = lock(&self.transfers.fetchings)
            .get(&connection)
            .and_then(Weak::upgrade);
        let (looked, missing) = open?.standing().await;
        looked.filter(|looked| *looked >= head).map(|_| missing)
    }

    /// How many bytes of content came in since the start.
    pub fn transferred_bytes(&self) -> u64 {
        self.transfers.bytes.load(Ordering::Relaxed)
    }
}

fn incoming(connection: ConnectionId, waiting: &Waiting, full: bool) -> Transfer {
    let large = waiting.large.as_ref();
    let bytes_done = large.map_or(0, |large| large.partial.bytes());
    let came = bytes_done.saturating_sub(large.map_or(0, |large| large.before));
    let millis = u64::try_from(waiting.since.elapsed().as_millis()).unwrap_or(u64::MAX);
    let standing = match waiting.setback {
        _ if full => TransferStanding::Delayed(Reason::StoreFull),
        _ if waiting.busy => TransferStanding::Running,
        Some(setback) => TransferStanding::Delayed(setback.reason),
        None => TransferStanding::Waiting,
    };
    Transfer {
        artifact: waiting.wanted.artifact.clone(),
        connection,
        direction: Direction::Import,
        blob: waiting.wanted.blob,
        bytes_done,
        bytes_per_second: if waiting.busy {
            came.saturating_mul(1_000) / millis.max(1)
        } else {
            0
        },
        standing,
    }
}
