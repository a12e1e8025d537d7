//! The importing end: one of a few who fetch the content of a connection's artifacts side by side.

use std::sync::Arc;

use peerd_core::ConnectionId;
use peerd_core::policy::{DataType, Direction};
use peerd_store::{Table, Topic};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::Turn;
use super::fetching::Fetching;
use super::source::flow_of;
use crate::exchange::terms::ImportTerms;
use crate::peer::Peer;
use crate::sharing::Work;
use crate::{Error, Node};

/// Fetches content, turn by turn.
#[derive(Debug)]
pub struct BlobImporter {
    node: Arc<Node>,
    fetching: Arc<Fetching>,
    terms: Option<ImportTerms>,
    stale: bool,
    world: Work,
    /// Artifacts, as they come in; with the terms, which say where.
    artifacts: Option<watch::Receiver<u64>>,
    moved: watch::Receiver<u64>,
    released: watch::Receiver<u64>,
    /// The number of the last ask.
    number: u64,
    /// What views were last woken for.
    told: (Option<u64>, u64),
}

impl BlobImporter {
    /// Begins to fetch what a peer's artifacts on this connection lack.
    pub async fn open(
        node: &Arc<Node>,
        peer: &Peer,
        connection: ConnectionId,
    ) -> Result<BlobImporter, Error> {
        node.connection_of(peer, connection).await?;
        let fetching = node.transfers.join(node, connection);
        Ok(BlobImporter {
            terms: None,
            stale: true,
            world: node.work().and(node.store.watch(&Topic::Table(Table::Meta))),
            artifacts: None,
            moved: fetching.moved(),
            released: node.transfers.released(),
            number: 0,
            told: (None, 0),
            fetching,
            node: Arc::clone(node),
        })
    }

    /// The next turn. Waits until there is something to fetch and it may be fetched. May be cancelled.
    pub async fn next(&mut self) -> Result<Turn, Error> {
        loop {
            if !self.is_permitted().await? {
                self.world.changed().await;
                self.stale = true;
                continue;
            }
            let Some(feed) = self.terms.as_ref().map(|terms| terms.feed.clone()) else {
                continue;
            };
            if let Some(artifacts) = &mut self.artifacts {
                artifacts.mark_unchanged();
            }
            self.moved.mark_unchanged();
            self.released.mark_unchanged();
            self.fetching.forget_unwanted(&feed).await?;
            let more = self.fetching.refill(&feed).await?;
            if let Some(next) = self.fetching.plan() {
                return Ok(Turn::new(Arc::clone(&self.fetching), next, &mut self.number));
            }
            if !more {
                let standing = self.fetching.standing().await;
                if std::mem::replace(&mut self.told, standing) != standing {
                    self.node.progress.moved();
                }
                self.wait().await;
            }
        }
    }

    /// Resolves when this side may no longer import: policy, halt, close.
    pub async fn until_denied(&mut self) {
        while self.is_permitted().await.is_ok_and(|permitted| permitted) {
            self.world.changed().await;
            self.stale = true;
        }
    }

    async fn is_permitted(&mut self) -> Result<bool, Error> {
        self.stale |= self.world.take_changed();
        if self.stale {
            self.terms = self.node.import_terms(&flow_of(self.fetching.connection)).await?;
            let feed = self.terms.as_ref().map(|terms| Topic::Feed(terms.feed.clone()));
            self.artifacts = feed.map(|feed| self.node.store.watch(&feed));
            self.stale = false;
        }
        let Some(terms) = &self.terms else {
            return Ok(false);
        };
        let remote = terms.connection.remote;
        let permit = self
            .node
            .permit_flow(remote, Direction::Import, DataType::Artifacts);
        Ok(permit.is_ok())
    }

    async fn wait(&mut self) {
        let due = self.fetching.queue().due_at();
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let artifacts = async {
            match &mut self.artifacts {
                Some(artifacts) => drop(artifacts.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.world.changed() => self.stale = true,
            () = artifacts => {}
            _ = self.moved.changed() => {}
            _ = self.released.changed() => {}
            () = due => {}
        }
    }
}
