//! Lifecycle messages, their receipts, and what is shared: what goes out without being asked for.

use std::collections::{BTreeMap, BTreeSet};

use peerd_core::peering::Message;
use peerd_core::{ConnectionId, MessageId};
use peerd_node::Error;
use peerd_node::relay::RelaySent;
use peerd_wire::frame::{Receipt, Sharing, Signed};
use peerd_wire::lifecycle;
use tokio::time::Instant;

use super::link::Running;
use super::writing::{About, Draft};
use crate::Records;
use crate::record::Lifecycle;

/// What was said.
#[derive(Debug, Default)]
pub(super) struct Speech {
    /// Messages that are on their way, or whose receipts are.
    said: BTreeSet<MessageId>,
    /// Messages the other side could not take yet, and until when they rest.
    resting: BTreeMap<MessageId, Instant>,
    /// What was shared last.
    shared: BTreeMap<ConnectionId, u64>,
    /// Receipts that are to be written.
    pub(super) receipts: Vec<Receipt>,
}

impl Speech {
    /// What was said in bundles that are kept.
    pub(super) fn after(kept: &[RelaySent]) -> Speech {
        Speech {
            said: kept
                .iter()
                .flat_map(|kept| kept.messages.iter().copied())
                .collect(),
            ..Speech::default()
        }
    }

    /// A message was answered; it may rest until then.
    pub(super) fn answered(&mut self, message: MessageId, rests: Option<Instant>) {
        self.said.remove(&message);
        if let Some(until) = rests {
            self.resting.insert(message, until);
        }
    }

    /// When the first message has rested.
    pub(super) fn rested_at(&self) -> Option<Instant> {
        self.resting.values().min().copied()
    }

    /// The messages that are to be said now, of an outbox that holds each connection's in order. One that rests holds
    /// back the later ones of its connection, except those that end it.
    fn next(&mut self, outbox: Vec<Message>, now: Instant) -> Vec<Message> {
        let waiting: BTreeSet<MessageId> = outbox.iter().map(|message| message.id).collect();
        self.said.retain(|id| waiting.contains(id));
        self.resting
            .retain(|id, until| *until > now && waiting.contains(id));
        let mut held = BTreeSet::new();
        let mut next = Vec::new();
        for message in outbox {
            if self.resting.contains_key(&message.id) {
                held.insert(message.connection);
            } else if !self.said.contains(&message.id)
                && (!held.contains(&message.connection) || message.body.is_ending())
            {
                next.push(message);
            }
        }
        next
    }
}

impl Running {
    /// Says what is to be said.
    pub(super) async fn speak(&mut self) -> Result<(), Error> {
        let node = &self.shared.node;
        let outbox = node.outbox(self.link.id).await?;
        let messages = self.speech.next(outbox, Instant::now());
        let receipts = std::mem::take(&mut self.speech.receipts);
        let mut records: Vec<Lifecycle> = receipts.into_iter().map(Lifecycle::Receipt).collect();
        for message in &messages {
            let payload = lifecycle::encode(message);
            let signature = node.sign_lifecycle(&payload)?;
            records.push(Lifecycle::Message(Signed {
                payload: payload.into(),
                signature: signature.to_vec().into(),
            }));
        }
        if !records.is_empty() {
            let about = About {
                messages: messages.iter().map(|message| message.id).collect(),
                ..About::default()
            };
            self.write_whole(Draft::plain(Records::Lifecycle(records)), about)
                .await?;
            self.speech.said.extend(messages.iter().map(|message| message.id));
        }
        self.share().await
    }

    /// Tells what this side shares, as far as it has not said so.
    async fn share(&mut self) -> Result<(), Error> {
        let sharings = self.shared.node.sharings(&self.peer).await?;
        let said = &self.speech.shared;
        let news = sharings
            .into_iter()
            .filter(|sharing| said.get(&sharing.connection) != Some(&sharing.revision));
        let news: Vec<Sharing> = news
            .map(|sharing| Sharing {
                connection: sharing.connection,
                revision: sharing.revision,
                content: sharing.content,
            })
            .collect();
        for sharing in news {
            let told = (sharing.connection, sharing.revision);
            self.write_whole(Draft::plain(Records::Sharing(vec![sharing])), About::default())
                .await?;
            self.speech.shared.insert(told.0, told.1);
        }
        Ok(())
    }

    /// Writes a bundle that cannot be divided.
    async fn write_whole(&mut self, draft: Draft, about: About) -> Result<(), Error> {
        let written = self.write_lasting(draft, about).await?;
        let told = |error: crate::CannotWrite| Error::new(error.reason(), error.to_string());
        written.map(drop).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use peerd_core::peering::Body;
    use peerd_core::{EnrollmentId, Time};

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
    async fn a_message_is_said_once_until_it_rested() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let first = message(1, 1, Body::Disabled);
        let second = message(1, 2, Body::Enabled);
        let closed = message(1, 3, Body::Closed);
        let other = message(2, 1, Body::Disabled);
        let outbox = || vec![first.clone(), second.clone(), closed.clone(), other.clone()];
        let mut speech = Speech::default();
        assert_eq!(speech.next(outbox(), now), outbox());
        speech.said.extend(outbox().iter().map(|message| message.id));
        assert_eq!(speech.next(outbox(), now), []);
        speech.answered(first.id, Some(later));
        speech.answered(second.id, None);
        speech.answered(closed.id, None);
        assert_eq!(
            speech.next(outbox(), now),
            std::slice::from_ref(&closed),
            "an ending overtakes what rests"
        );
        assert_eq!(speech.rested_at(), Some(later));
        assert_eq!(speech.next(outbox(), later), [first, second, closed]);
    }
}
