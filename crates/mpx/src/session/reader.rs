//! What arrives on a control stream.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use peerd_core::{Reason, Time};
use peerd_node::connection::{self, Received};
use peerd_wire::frame::{Flows, Frame, Heartbeat, Receipt, Sharing, Signed};
use peerd_wire::lifecycle;
use peerd_wire::mpx::v1::ControlFrame;
use peerd_wire::status::Refusal;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tonic::Status;

use super::asks::Arrived;
use super::{Heard, Session, lost, misbehaved};
use crate::refusal::{said, told};

/// How many notes wait for the writer. A peer that sends without reading stops here.
pub(super) const NOTES_WAITING_MAX: usize = 16;

/// What the reader passes to the writer.
#[derive(Debug)]
pub(super) enum Note {
    /// Send this.
    Send(Frame),
    /// The other side answered a message of ours.
    Answered(Receipt),
}

/// Takes frames, one after the other.
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session,
    pub(super) heard: watch::Sender<Heard>,
    pub(super) notes: mpsc::Sender<Note>,
    /// Questions and answers.
    pub(super) arrived: mpsc::Sender<Arrived>,
    /// What the other side is ready for.
    pub(super) flows: watch::Sender<Flows>,
}

impl Reader<'_> {
    /// Reads to the end.
    pub(super) async fn read(
        self,
        mut incoming: BoxStream<'static, Result<Option<ControlFrame>, Status>>,
    ) -> Refusal {
        loop {
            let frame = match incoming.next().await {
                None => return lost(),
                Some(Err(status)) => return said(&status),
                Some(Ok(frame)) => frame,
            };
            if let Err(refusal) = self.take(frame).await {
                return refusal;
            }
        }
    }

    async fn take(&self, frame: Option<ControlFrame>) -> Result<(), Refusal> {
        match Frame::try_from(frame)? {
            Frame::Hello(_) => return Err(misbehaved("a second hello")),
            Frame::Heartbeat(Heartbeat {
                number,
                seen: _,
                clock,
            }) => self.heard(number, Some(clock)),
            Frame::Message(signed) => {
                self.heard(0, None);
                let receipt = self.message(&signed).await?;
                self.note(Note::Send(Frame::Receipt(receipt))).await?;
            }
            Frame::Receipt(receipt) => {
                self.heard(0, None);
                self.note(Note::Answered(receipt)).await?;
            }
            Frame::Sharing(sharing) => {
                self.heard(0, None);
                self.sharing(sharing).await?;
            }
            Frame::Flows(flows) => {
                self.heard(0, None);
                self.flows.send_replace(flows);
            }
            Frame::Ask(ask) => self.arrived(Arrived::Ask(ask)).await?,
            Frame::Answer(piece) => self.arrived(Arrived::Answer(piece)).await?,
        }
        Ok(())
    }

    fn heard(&self, beat: u64, clock: Option<Time>) {
        self.heard.send_modify(|heard| {
            heard.at = Instant::now();
            heard.beat = heard.beat.max(beat);
        });
        let node = self.session.shared.node();
        node.presence().heard(self.session.peer.link(), node.now(), clock);
    }

    async fn arrived(&self, arrived: Arrived) -> Result<(), Refusal> {
        self.heard(0, None);
        self.arrived.send(arrived).await.map_err(|_| lost())
    }

    async fn note(&self, note: Note) -> Result<(), Refusal> {
        self.notes.send(note).await.map_err(|_| lost())
    }

    /// Takes what the other side shares. What does not apply here, or cannot be kept now, concerns one connection; what
    /// breaks the protocol ends the session.
    async fn sharing(&self, sharing: Sharing) -> Result<(), Refusal> {
        let Sharing {
            connection,
            revision,
            content,
        } = sharing;
        let node = self.session.shared.node();
        let taken = node
            .receive_sharing(&self.session.peer, connection, revision, content)
            .await;
        match taken {
            Err(error) if error.reason() == Reason::PeerMisbehaved => Err(told(&error)),
            Err(error) => {
                tracing::info!(%connection, reason = %error.reason(), "sharing not taken");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes a lifecycle message. One that cannot be read is refused by its id, and the stream goes on.
    async fn message(&self, signed: &Signed) -> Result<Receipt, Refusal> {
        let Signed { payload, signature } = signed;
        let message = match lifecycle::decode(payload) {
            Ok(message) => message,
            Err(refusal) => {
                let Some(id) = lifecycle::message_id(payload) else {
                    return Err(misbehaved("a lifecycle message that cannot be read"));
                };
                tracing::info!(message = %id, told = refusal.message, "lifecycle message unreadable");
                return Ok(Receipt {
                    message: id,
                    refused: Some(Reason::FieldInvalid),
                    retry: false,
                });
            }
        };
        let signed = connection::Signed {
            payload,
            signature,
            message,
        };
        let node = self.session.shared.node();
        match node.receive(&self.session.peer, signed).await {
            Ok(Received::Answer(connection::Receipt {
                message,
                refused,
                retry,
            })) => Ok(Receipt {
                message,
                refused,
                retry,
            }),
            Ok(Received::Forged) => Err(misbehaved("a lifecycle message that the peer did not sign")),
            Err(error) => Err(told(&error)),
        }
    }
}
