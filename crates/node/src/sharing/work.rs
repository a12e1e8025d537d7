//! Waiting for what decides about streams to change.

use peerd_store::{Table, Topic};
use tokio::sync::watch;

use crate::Node;

/// Everything that an answer about streams depends on, watched.
#[derive(Debug)]
pub struct Work {
    topics: Vec<watch::Receiver<u64>>,
}

impl Work {
    /// Watches these.
    pub(crate) fn of(topics: Vec<watch::Receiver<u64>>) -> Work {
        Work { topics }
    }

    /// Watches one more thing.
    pub(crate) fn and(mut self, topic: watch::Receiver<u64>) -> Work {
        self.topics.push(topic);
        self
    }

    /// Waits until an answer may have changed since the last call. Ask again then. May be cancelled.
    pub async fn changed(&mut self) {
        if self.take_changed() {
            return;
        }
        if self.topics.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.topics.iter_mut().map(|topic| Box::pin(topic.changed()));
        // A sender that is gone means that the node is, and whoever waits for it with it.
        if futures::future::select_all(waits).await.0.is_err() {
            std::future::pending::<()>().await;
        }
        self.take_changed();
    }

    /// Whether an answer may have changed since the last call, without waiting.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.topics.iter_mut().fold(false, |changed, topic| {
            let moved = topic.has_changed().unwrap_or(true);
            topic.mark_unchanged();
            changed || moved
        })
    }
}

impl Node {
    /// Watches what [`Node::flows`] depends on: connections, sharing, ontologies and policies.
    pub fn work(&self) -> Work {
        let tables = [Table::Connections, Table::Sharing, Table::Ontologies];
        let topics = tables.map(|table| self.store.watch(&Topic::Table(table)));
        Work {
            topics: topics.into_iter().chain([self.policy_changes()]).collect(),
        }
    }
}
