//! Where nothing comes back: now and then everything that is offered is written anew, with what it covers, so that copies
//! whose end was lost go; and the digests of it are told, so that the other side knows whether it has the same.

use std::collections::{BTreeSet, VecDeque};

use peerd_node::Error;
use peerd_node::exchange::Flow;
use peerd_node::exchange::verify::OfferedPage;
use tokio::time::Instant;

use super::link::Running;
use super::writing::{About, Draft};
use crate::record::{Cover, Heartbeat, Objects};
use crate::{CannotWrite, Records};

/// A bundle of a snapshot has about so many objects and bytes.
const ITEMS_MAX: usize = 4_000;
const BYTES_MAX: usize = 2 << 20;
/// No smaller page is tried.
const ITEMS_LEAST: usize = 1;

/// What was written of a snapshot.
#[derive(Debug)]
enum Page {
    /// All up to this key.
    Upto(String),
    /// All to the end.
    Last,
    /// Nothing: it goes out no more, or not now.
    Nothing,
}

/// A snapshot under way, and when the next one begins.
#[derive(Debug)]
pub(super) struct Snapshots {
    flows: BTreeSet<Flow>,
    /// What is still to be written: from after this key on.
    left: VecDeque<(Flow, Option<String>)>,
    pub(super) next: Instant,
}

impl Snapshots {
    /// The first one comes once there was time to send everything as it is sent anyway.
    pub(super) fn new(next: Instant) -> Snapshots {
        Snapshots {
            flows: BTreeSet::new(),
            left: VecDeque::new(),
            next,
        }
    }

    /// What goes out now.
    pub(super) fn keep(&mut self, flows: &BTreeSet<Flow>) {
        self.flows.clone_from(flows);
        self.left.retain(|(flow, _)| flows.contains(flow));
    }

    /// Whether a page is to be written.
    pub(super) fn is_under_way(&self) -> bool {
        !self.left.is_empty()
    }
}

impl Running {
    /// Begins a snapshot when it is time, and writes its next page.
    pub(super) async fn snapshot_if_due(&mut self) -> Result<(), Error> {
        if !self.set.one_way || self.counts.full {
            return Ok(());
        }
        let now = Instant::now();
        if self.snapshots.next <= now && self.snapshots.left.is_empty() {
            self.snapshots.next = now + self.shared.timing.snapshot_every;
            let flows = self.snapshots.flows.iter().map(|flow| (flow.clone(), None));
            self.snapshots.left = flows.collect();
        }
        let Some((flow, after)) = self.snapshots.left.pop_front() else {
            return Ok(());
        };
        match self.write_page(&flow, after).await? {
            Page::Upto(last) => self.snapshots.left.push_front((flow, Some(last))),
            Page::Last => self.tell_digests(&flow).await?,
            // It goes out no more.
            Page::Nothing => {}
        }
        Ok(())
    }

    /// Writes what is offered after a key.
    async fn write_page(&mut self, flow: &Flow, after: Option<String>) -> Result<Page, Error> {
        let node = std::sync::Arc::clone(&self.shared.node);
        let (mut items_max, mut bytes_max) = (ITEMS_MAX, BYTES_MAX);
        loop {
            let page = node
                .offered_page(flow, after.clone(), (items_max, bytes_max))
                .await;
            let page = match page {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Page::Nothing),
                Err(error) => {
                    let (connection, reason) = (flow.connection, error.reason());
                    tracing::info!(%connection, %reason, "no snapshot now");
                    return Ok(Page::Nothing);
                }
            };
            let OfferedPage {
                sharing_revision,
                items,
                whole,
            } = page;
            let last = items.last().map(|item| item.key.clone()).filter(|_| !whole);
            let draft = Draft {
                security: node.security_of_items(&items).await?,
                records: Records::Objects(Objects {
                    flow: flow.clone(),
                    cover: Some(Cover {
                        after: after.clone(),
                        through: last.clone(),
                    }),
                    caught_up: false,
                    items,
                }),
                schema_revision: sharing_revision,
            };
            match self.write_lasting(draft, About::default()).await? {
                Ok(_) => return Ok(last.map_or(Page::Last, Page::Upto)),
                Err(CannotWrite::TooLarge { .. } | CannotWrite::TooMany { .. })
                    if items_max > ITEMS_LEAST =>
                {
                    items_max = (items_max / 2).max(ITEMS_LEAST);
                    bytes_max /= 2;
                }
                Err(CannotWrite::SchemaMissing { .. }) => return Ok(Page::Nothing),
                Err(error) => return Err(Error::new(error.reason(), error.to_string())),
            }
        }
    }

    /// Tells the digests of a type.
    pub(super) async fn tell_digests(&mut self, flow: &Flow) -> Result<(), Error> {
        let digests = match self.shared.node.digests_to_tell(flow).await {
            Ok(digests) => digests,
            Err(error) => {
                tracing::info!(connection = %flow.connection, reason = %error.reason(), "digests not told now");
                return Ok(());
            }
        };
        let flow = flow.clone();
        let beats = vec![
            Heartbeat::Highest(self.out.last),
            Heartbeat::Digest { flow, digests },
        ];
        self.write_passing(Draft::plain(Records::Heartbeat(beats)), None)
            .await
            .map(drop)
    }

    /// The other side told what it offers.
    pub(super) async fn take_digests(
        &mut self,
        flow: Flow,
        digests: &peerd_node::exchange::verify::Digests,
    ) -> Result<(), Error> {
        match self.shared.node.holds(&flow, digests).await {
            Ok(equal) => drop(self.equal.insert(flow, equal)),
            Err(error) => {
                tracing::info!(connection = %flow.connection, reason = %error.reason(), "digests not compared");
                self.equal.remove(&flow);
            }
        }
        let equal = (!self.equal.is_empty()).then(|| self.equal.values().all(|equal| *equal));
        self.shared.node.relay_is(self.link.id, |life| life.equal = equal);
        Ok(())
    }
}
