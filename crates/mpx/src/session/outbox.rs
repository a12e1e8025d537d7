//! Which lifecycle message is sent next.

use std::collections::{BTreeMap, BTreeSet};

use peerd_core::MessageId;
use peerd_core::peering::Message;
use tokio::time::Instant;

/// The messages that the other side could not take now, and until when they rest.
#[derive(Debug, Default)]
pub(super) struct Deferred(BTreeMap<MessageId, Instant>);

impl Deferred {
    /// This message rests until then.
    pub(super) fn defer(&mut self, message: MessageId, until: Instant) {
        self.0.insert(message, until);
    }

    /// Something changed that may let all of them pass.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// When the first of them has rested.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// The first message to be sent of an outbox that holds each connection's in order. A message that rests holds
    /// back the later ones of its connection, except those that end it.
    pub(super) fn pick(&mut self, outbox: Vec<Message>, now: Instant) -> Option<Message> {
        let waiting: BTreeSet<MessageId> = outbox.iter().map(|message| message.id).collect();
        self.0.retain(|id, until| *until > now && waiting.contains(id));
        let mut held = BTreeSet::new();
        outbox.into_iter().find(|message| {
            let rests = self.0.contains_key(&message.id);
            if rests {
                held.insert(message.connection);
            }
            !rests && (!held.contains(&message.connection) || message.body.is_ending())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerd_core::peering::Body;
    use peerd_core::{ConnectionId, EnrollmentId, Time};

    use super::*;

    fn message(connection: u8, sequence: u8, body: Body) -> Message {
        Message {
            id: MessageId::from_bytes([connection * 16 + sequence; 16]),
            connection: ConnectionId::from_bytes([connection; 16]),
            from: EnrollmentId::from_bytes([1; 32]),
            to: EnrollmentId::from_bytes([2; 32]),
            sequence: sequence.into(),
            sent_at: Time::EPOCH,
            body,
        }
    }

    #[tokio::test]
    async fn a_resting_message_holds_back_its_own_connection_only() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let first = message(1, 1, Body::Disabled);
        let second = message(1, 2, Body::Enabled);
        let other = message(2, 1, Body::Disabled);
        let outbox = || vec![first.clone(), second.clone(), other.clone()];
        let mut deferred = Deferred::default();
        assert_eq!(deferred.pick(outbox(), now), Some(first.clone()));
        deferred.defer(first.id, later);
        assert_eq!(deferred.pick(outbox(), now), Some(other.clone()));
        assert_eq!(deferred.next(), Some(later));
        assert_eq!(deferred.pick(outbox(), later), Some(first.clone()));
        assert_eq!(deferred.next(), None);
    }

    #[tokio::test]
    async fn an_ending_overtakes_a_resting_message() {
        let now = Instant::now();
        let first = message(1, 1, Body::Disabled);
        let closed = message(1, 3, Body::Closed);
        let outbox = vec![first.clone(), message(1, 2, Body::Enabled), closed.clone()];
        let mut deferred = Deferred::default();
        deferred.defer(first.id, now + Duration::from_secs(1));
        assert_eq!(deferred.pick(outbox, now), Some(closed));
    }
}
