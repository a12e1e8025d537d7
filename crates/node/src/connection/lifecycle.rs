//! Lifecycle messages between the two sides: what waits to be sent, what an answer means, what arrives.

use peerd_core::audit::{Actor, Fact};
use peerd_core::link::Link;
use peerd_core::peering::{Allowed, Body, Connection, Message, Permit};
use peerd_core::signature::{CannotSign, Purpose};
use peerd_core::{LinkId, MessageId, Reason};
use peerd_store::records::Queued;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _, records};

use super::step;
use crate::peer::Peer;
use crate::{Error, Node, audit};

/// How many messages of a link's outbox are looked at in one go.
const OUTBOX_PAGE: usize = 256;

/// A message as it arrived, with what its signature covers.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// The bytes the signature covers; `message` was read from exactly these.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// What the payload says.
    pub message: Message,
}

/// The answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message answered.
    pub message: MessageId,
    /// Why it was not accepted; `None` when it was.
    pub refused: Option<Reason>,
    /// Whether the same message may be accepted later.
    pub retry: bool,
}

/// What is to be done about a message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Answer with this.
    Answer(Receipt),
    /// Its signature is not of the peer: whatever it says was not said.
    Forged,
}

impl Node {
    /// Signs the payload of a lifecycle message.
    pub fn sign_lifecycle(&self, payload: &[u8]) -> Result<[u8; 64], Error> {
        let sign = self.identity.sign(Purpose::Lifecycle, payload);
        sign.map_err(|error: CannotSign| Error::of(Reason::Internal).because(error))
    }

    /// The messages that wait for an answer from the other side of a link, each connection's in order.
    pub async fn outbox(&self, link: LinkId) -> Result<Vec<Message>, Error> {
        let page = self
            .store
            .page::<Queued>(&records::outbox_prefix(link), None, OUTBOX_PAGE)
            .await?;
        Ok(page
            .records
            .into_iter()
            .map(|found| found.record.message)
            .collect())
    }

    /// The other side answered a message. What it accepted, or refused for good, leaves the outbox.
    pub async fn answered(&self, peer: &Peer, message: &Message, receipt: &Receipt) -> Result<(), Error> {
        self.presence.acknowledged(peer.link(), self.now());
        self.retrying(|| self.answered_once(peer, message, receipt)).await
    }

    async fn answered_once(&self, peer: &Peer, message: &Message, receipt: &Receipt) -> Result<(), Error> {
        let now = self.now();
        let queued = Queued {
            link: peer.link(),
            message: message.clone(),
            queued_at: now,
        };
        let key = peerd_store::Record::key(&queued);
        let Some(queued) = self.store.find::<Queued>(&key).await? else {
            return Ok(());
        };
        if queued.record.message.id != receipt.message {
            return Ok(());
        }
        let mut batch = Batch::new();
        if let Some(reason) = receipt.refused {
            let found = self
                .store
                .find::<Connection>(message.connection.as_bytes())
                .await?;
            let refusal = found
                .as_ref()
                .filter(|_| matches!(message.body, Body::Approved { .. }));
            match refusal.map(|found| (found, found.record.approval_refused(reason, now))) {
                Some((found, Ok(step))) => {
                    batch.replace(&step.next, found.revision)?;
                    let fact = Fact::new(now, Actor::Peer(peer.enrollment()), "refuse approval");
                    audit::record(&mut batch, &step::describe(fact.refused(reason), &step))?;
                }
                _ if receipt.retry => return Ok(()),
                _ => {
                    let fact = Fact::new(now, Actor::Peer(peer.enrollment()), "refuse message");
                    let fact = fact.on(message.connection).detail("message", message.body.name());
                    audit::record(&mut batch, &fact.refused(reason))?;
                }
            }
        }
        batch.remove::<Queued>(&key, queued.revision);
        self.commit(batch).await
    }

    /// A message arrived from a peer. The same message, however often it comes, has the same answer and one effect.
    pub async fn receive(&self, peer: &Peer, signed: Signed<'_>) -> Result<Received, Error> {
        let message = &signed.message;
        let addressed = message.from == peer.enrollment() && message.to == self.enrollment_id();
        if !addressed || !self.signed_by(peer, &signed).await? {
            return Ok(Received::Forged);
        }
        let answer = |refused, retry| Receipt {
            message: message.id,
            refused,
            retry,
        };
        match self.retrying(|| self.receive_once(peer, message)).await {
            Ok(()) => Ok(Received::Answer(answer(None, false))),
            Err(error) if is_our_fault(error.reason()) => {
                tracing::warn!(peer = %peer.enrollment(), error = %error.reason(), "message not taken");
                Ok(Received::Answer(answer(Some(error.reason()), true)))
            }
            Err(error) => {
                let retry = may_be_accepted_later(error.reason());
                Ok(Received::Answer(answer(Some(error.reason()), retry)))
            }
        }
    }

    async fn signed_by(&self, peer: &Peer, signed: &Signed<'_>) -> Result<bool, Error> {
        let Some(found) = self.store.find::<Link>(peer.link().as_bytes()).await? else {
            return Ok(false);
        };
        let keys = found.record.remote.map(|remote| remote.keys).unwrap_or_default();
        let purpose = Purpose::Lifecycle;
        Ok(keys.iter().any(|key| {
            self.verifier
                .verify(key, purpose, signed.payload, signed.signature)
        }))
    }

    async fn receive_once(&self, peer: &Peer, message: &Message) -> Result<(), Error> {
        let missing = || Error::not_found("connection");
        let found = self
            .store
            .find::<Connection>(message.connection.as_bytes())
            .await?
            .ok_or_else(missing)?;
        if found.record.remote != peer.enrollment() {
            // Somebody else's connection does not exist for this peer.
            return Err(missing());
        }
        let actor = Actor::Peer(peer.enrollment());
        // Only what may still move the connection asks: a message that comes again must leave no trace.
        let news = message.sequence > found.record.received && !found.record.stage.is_final();
        let permit = if news && message.body.needs_permit() {
            let link = self.link(&found.record.link.to_string()).await?.record;
            let asked = found.record.flow();
            self.permit_peering(actor.clone(), &link, peer.enrollment(), asked)
                .await
                .ok()
        } else {
            None
        };
        let levels = self.levels().await?;
        let permit = permit.as_ref().map(|permit| permit as &dyn Permit);
        let now = self.now();
        match found.record.receive(
            message,
            Allowed {
                permit,
                levels: &levels,
            },
            now,
        ) {
            Ok(step) => {
                let fact = Fact::new(now, actor, "receive message").detail("message", message.body.name());
                self.take(Some(&found), step, fact).await.map(drop)
            }
            Err(refused) => {
                self.count_refused(peer, message, refused.reason);
                self.repeat_ending(peer, &found, message).await?;
                Err(step::refused(refused))
            }
        }
    }

    /// A peer that still speaks on a connection that is over is told so again, over the link it speaks on: the one the
    /// connection began on may be gone.
    async fn repeat_ending(
        &self,
        peer: &Peer,
        found: &Found<Connection>,
        message: &Message,
    ) -> Result<(), Error> {
        if message.body.is_ending() {
            return Ok(());
        }
        let Some(peerd_core::peering::Effect::Send { sequence, body }) = found.record.ending() else {
            return Ok(());
        };
        let now = self.now();
        let id = self.mint(MessageId::from_uuid);
        let ending = Message::of(&found.record, id, sequence, body, now);
        let mut batch = Batch::new();
        batch.upsert(&Queued {
            link: peer.link(),
            message: ending,
            queued_at: now,
        })?;
        self.commit(batch).await
    }

    fn count_refused(&self, peer: &Peer, message: &Message, reason: Reason) {
        let count = self
            .refused_messages
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed)
            + 1;
        tracing::info!(
            peer = %peer.enrollment(),
            connection = %message.connection,
            message = message.body.name(),
            %reason,
            count,
            "lifecycle message refused"
        );
    }

    /// How many lifecycle messages were refused since the start.
    pub fn refused_messages(&self) -> u64 {
        self.refused_messages.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Reasons that say nothing about the message: it may come again.
const fn is_our_fault(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::StoreUnavailable
            | Reason::StoreFull
            | Reason::StoreCorrupt
            | Reason::ConcurrentChange
            | Reason::Internal
    )
}

/// Refusals that end when policy changes or an earlier message arrives.
const fn may_be_accepted_later(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::EgressDenied
            | Reason::IngressDenied
            | Reason::PolicyUnreadable
            | Reason::RemoteRefused
            | Reason::MessageEarly
    )
}
