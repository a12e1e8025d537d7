//! Tells watchers that something was committed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::Topic;

/// Below so many topics nobody looks for forgotten ones.
const SWEEP_MIN: usize = 64;

/// One counter per topic that somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    topics: Mutex<Topics>,
}

#[derive(Debug, Default)]
struct Topics {
    watched: BTreeMap<Topic, watch::Sender<u64>>,
    /// How many were left after the last sweep.
    swept: usize,
}

impl Notifier {
    pub(crate) fn watch(&self, topic: &Topic) -> watch::Receiver<u64> {
        let mut topics = self.lock();
        if let Some(sender) = topics.watched.get(topic) {
            return sender.subscribe();
        }
        // Whoever stopped watching is forgotten once the map has doubled: memory follows the watchers, and the sweep
        // costs a constant per new topic.
        if topics.watched.len() >= SWEEP_MIN.max(topics.swept * 2) {
            topics.watched.retain(|_, sender| sender.receiver_count() > 0);
            topics.swept = topics.watched.len();
        }
        let (sender, receiver) = watch::channel(0);
        topics.watched.insert(topic.clone(), sender);
        receiver
    }

    /// Whether somebody waits for this.
    pub(crate) fn is_watched(&self, topic: &Topic) -> bool {
        let topics = self.lock();
        topics
            .watched
            .get(topic)
            .is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Marks every receiver of these topics changed. Called when the commit is durable and visible.
    pub(crate) fn bump(&self, touched: impl IntoIterator<Item = Topic>) {
        let mut topics = self.lock();
        if topics.watched.is_empty() {
            return;
        }
        for topic in touched {
            let Some(sender) = topics.watched.get(&topic) else {
                continue;
            };
            if sender.receiver_count() == 0 {
                topics.watched.remove(&topic);
            } else {
                sender.send_modify(|count| *count += 1);
            }
        }
    }

    /// Nothing here can be left half done, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use peerd_core::SpaceId;

    use super::*;
    use crate::{FeedId, Table};

    fn feed(n: usize) -> Topic {
        Topic::Feed(FeedId {
            space: SpaceId::from_bytes([1; 16]),
            object_type: format!("type {n}"),
        })
    }

    #[test]
    fn topics_that_nobody_watches_any_more_are_forgotten() {
        let notifier = Notifier::default();
        let kept = notifier.watch(&Topic::Table(Table::Links));
        for n in 0..10_000 {
            drop(notifier.watch(&feed(n)));
        }
        assert!(notifier.lock().watched.len() <= SWEEP_MIN);
        notifier.bump([Topic::Table(Table::Links)]);
        assert!(kept.has_changed().unwrap());
    }

    #[test]
    fn a_bump_reaches_its_topic_only_and_forgets_it_when_nobody_is_there() {
        let notifier = Notifier::default();
        let (one, two) = (notifier.watch(&feed(1)), notifier.watch(&feed(2)));
        notifier.bump([feed(1)]);
        assert!(one.has_changed().unwrap());
        assert!(!two.has_changed().unwrap());
        drop(one);
        notifier.bump([feed(1)]);
        assert_eq!(notifier.lock().watched.len(), 1);
    }
}
