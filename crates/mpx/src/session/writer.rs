//! What is sent on a control stream: heartbeats, answers, and lifecycle messages one at a time.

use peerd_core::Reason;
use peerd_core::peering::Message;
use peerd_node::connection;
use peerd_wire::frame::{Frame, Heartbeat, Receipt, Signed};
use peerd_wire::lifecycle;
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::outbox::Deferred;
use super::reader::Note;
use super::{Heard, Session, lost, misbehaved, stopping};
use crate::refusal::told;

/// Sends frames, one after the other.
pub(super) struct Writer<'a> {
    pub(super) session: &'a Session,
    pub(super) frames: mpsc::Sender<Frame>,
    pub(super) heard: watch::Receiver<Heard>,
}

/// A message that waits for its receipt.
struct Sent {
    message: Message,
    until: Instant,
}

impl Writer<'_> {
    /// Writes until the line is gone.
    pub(super) async fn write(self, mut notes: mpsc::Receiver<Note>) -> Refusal {
        match self.send_all(&mut notes).await {
            Ok(()) => stopping(),
            Err(refusal) => refusal,
        }
    }

    async fn send_all(&self, notes: &mut mpsc::Receiver<Note>) -> Result<(), Refusal> {
        let node = self.session.shared.node();
        let (mut outbox, mut policies) = (
            node.outbox_changes(self.session.peer.link()),
            node.policy_changes(),
        );
        let mut beats = interval(node.settings().heartbeat_interval);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, mut deferred) = (0, Deferred::default());
        let mut sent = self.send_next(&mut deferred).await?;
        loop {
            let receipt_due = sent.as_ref().map(|sent| sent.until);
            let rested = deferred.next().filter(|_| sent.is_none());
            tokio::select! {
                _ = beats.tick() => {
                    number += 1;
                    self.beat(number).await?;
                }
                note = notes.recv() => match note.ok_or_else(lost)? {
                    Note::Send(frame) => self.send(frame).await?,
                    Note::Answered(receipt) => {
                        let Some(Sent { message, .. }) = sent.take() else {
                            return Err(misbehaved("a receipt for nothing"));
                        };
                        self.answered(&message, &receipt, &mut deferred).await?;
                        sent = self.send_next(&mut deferred).await?;
                    }
                },
                () = at(receipt_due) => return Err(Refusal::new(Reason::PeerUnreachable, "no receipt in time")),
                () = at(rested) => sent = self.send_next(&mut deferred).await?,
                changed = policies.changed() => {
                    changed.map_err(|_| stopping())?;
                    deferred.clear();
                    if sent.is_none() {
                        sent = self.send_next(&mut deferred).await?;
                    }
                }
                changed = outbox.changed(), if sent.is_none() => {
                    changed.map_err(|_| stopping())?;
                    sent = self.send_next(&mut deferred).await?;
                }
            }
        }
    }

    async fn send(&self, frame: Frame) -> Result<(), Refusal> {
        self.frames.send(frame).await.map_err(|_| lost())
    }

    async fn beat(&self, number: u64) -> Result<(), Refusal> {
        let heartbeat = Heartbeat {
            number,
            seen: self.heard.borrow().beat,
            clock: self.session.shared.node().now(),
        };
        self.send(Frame::Heartbeat(heartbeat)).await
    }

    /// Sends the next message that waits, if one does.
    async fn send_next(&self, deferred: &mut Deferred) -> Result<Option<Sent>, Refusal> {
        let node = self.session.shared.node();
        let peer = &self.session.peer;
        loop {
            let outbox = node.outbox(peer.link()).await.map_err(|error| told(&error))?;
            let Some(message) = deferred.pick(outbox, Instant::now()) else {
                return Ok(None);
            };
            let payload = lifecycle::encode(&message);
            if payload.len() > lifecycle::BYTES_MAX {
                // The other side would refuse it every time.
                let receipt = Receipt {
                    message: message.id,
                    refused: Some(Reason::TooLarge),
                    retry: false,
                };
                self.answered(&message, &receipt, deferred).await?;
                continue;
            }
            let signature = node.sign_lifecycle(&payload).map_err(|error| told(&error))?;
            self.send(Frame::Message(Signed {
                payload: payload.into(),
                signature: signature.to_vec().into(),
            }))
            .await?;
            let until = Instant::now() + self.session.shared.limits().receipt_timeout;
            return Ok(Some(Sent { message, until }));
        }
    }

    async fn answered(
        &self,
        message: &Message,
        receipt: &Receipt,
        deferred: &mut Deferred,
    ) -> Result<(), Refusal> {
        let Receipt {
            message: id,
            refused,
            retry,
        } = receipt.clone();
        if id != message.id {
            return Err(misbehaved("a receipt for another message"));
        }
        if refused.is_some() && retry {
            deferred.defer(id, Instant::now() + self.session.shared.limits().retry_after);
        }
        let receipt = connection::Receipt {
            message: id,
            refused,
            retry,
        };
        let node = self.session.shared.node();
        let answered = node.answered(&self.session.peer, message, &receipt).await;
        answered.map_err(|error| told(&error))
    }
}

/// At that moment, or never.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
