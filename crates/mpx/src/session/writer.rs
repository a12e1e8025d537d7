//! What is sent on a control stream: heartbeats, answers, and lifecycle messages one at a time.

use std::collections::BTreeMap;

use peerd_core::peering::Message;
use peerd_core::{ConnectionId, Reason};
use peerd_node::connection;
use peerd_node::exchange;
use peerd_node::sharing::SharingOut;
use peerd_wire::frame::{FLOWS_MAX, Flows, Frame, Heartbeat, Receipt, Sharing, Signed};
use peerd_wire::lifecycle;
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::outbox::Deferred;
use super::reader::Note;
use super::{Heard, Session, lost, misbehaved, stopping};
use crate::refusal::told;
use crate::streams::frame_flow;

/// Sends frames, one after the other.
pub(super) struct Writer<'a> {
    pub(super) session: &'a Session,
    pub(super) frames: mpsc::Sender<Frame>,
    pub(super) heard: watch::Receiver<Heard>,
    /// What this side is ready for.
    pub(super) flows: watch::Sender<Flows>,
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
        let mut work = node.work();
        let mut shared = BTreeMap::new();
        self.share(&mut shared).await?;
        let mut sent = self.send_next(&mut deferred).await?;
        loop {
            let receipt_due = sent.as_ref().map(|sent| sent.until);
            let rested = deferred.next().filter(|_| sent.is_none());
            tokio::select! {
                _ = beats.tick() => {
                    number += 1;
                    self.beat(number).await?;
                }
                next = notes.recv() => match next.ok_or_else(lost)? {
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
                () = work.changed() => self.share(&mut shared).await?,
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

    /// Tells what this side shares and which streams it is ready for, as far as it has not said so already.
    async fn share(&self, said: &mut BTreeMap<ConnectionId, u64>) -> Result<(), Refusal> {
        let (node, peer) = (self.session.shared.node(), &self.session.peer);
        for sharing in node.sharings(peer).await.map_err(|error| told(&error))? {
            let SharingOut {
                connection,
                revision,
                content,
            } = sharing;
            if said.insert(connection, revision) != Some(revision) {
                self.send(Frame::Sharing(Sharing {
                    connection,
                    revision,
                    content,
                }))
                .await?;
            }
        }
        let exchange::Flows { exports, imports } = node.flows(peer).await.map_err(|error| told(&error))?;
        let bounded =
            |flows: Vec<exchange::Flow>| flows.into_iter().take(FLOWS_MAX).map(frame_flow).collect();
        let flows = Flows {
            exports: bounded(exports),
            imports: bounded(imports),
        };
        if *self.flows.borrow() != flows {
            self.send(Frame::Flows(flows.clone())).await?;
            self.flows.send_replace(flows);
        }
        Ok(())
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
