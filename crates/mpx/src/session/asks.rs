//! Questions of both sides on one control stream, and their answers.
//!
//! Nothing here waits for the line: what is sent is sent by tasks of its own, so that what arrives is always taken, and
//! two sides that ask each other cannot block each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_node::exchange::verify::{Answer, Question};
use peerd_node::peer::Peer;
use peerd_node::{Asked, Error, Line};
use peerd_wire::frame::{self, Ask, Frame, PIECE_BYTES_MAX, Piece};
use peerd_wire::status::Refusal;
use peerd_wire::verify::{self, REPLY_BYTES_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Session, lost, misbehaved};
use crate::mpx::Shared;
use crate::refusal::told;

/// How many frames wait to be looked at.
pub(super) const ARRIVED_WAITING_MAX: usize = 16;
/// How many questions of this side are open at once.
const OPEN_MAX: usize = 8;
/// How many of the other side's are being answered at once.
const ANSWERING_MAX: usize = 8;
/// Of these, how many may be for a comparison, which asks back and takes long.
const COMPARING_MAX: usize = 2;

/// What the reader passes on.
#[derive(Debug)]
pub(super) enum Arrived {
    /// A question.
    Ask(Ask),
    /// A part of an answer.
    Answer(Piece),
}

/// A question of this side whose answer has not come.
struct Open {
    answer: oneshot::Sender<Result<Answer, Error>>,
    /// What has come of it.
    bytes: Vec<u8>,
}

/// Asks and answers until the session ends.
pub(super) struct Asks<'a> {
    session: &'a Session,
    frames: mpsc::Sender<Frame>,
    open: BTreeMap<u64, Open>,
    last: u64,
    answering: Arc<Semaphore>,
    comparing: Arc<Semaphore>,
    over: CancellationToken,
}

impl<'a> Asks<'a> {
    pub(super) fn new(session: &'a Session, frames: mpsc::Sender<Frame>) -> Asks<'a> {
        Asks {
            session,
            frames,
            open: BTreeMap::new(),
            last: 0,
            answering: Arc::new(Semaphore::new(ANSWERING_MAX)),
            comparing: Arc::new(Semaphore::new(COMPARING_MAX)),
            over: CancellationToken::new(),
        }
    }

    /// Runs to the end. Without a line the other side would not understand a question, and none is asked.
    pub(super) async fn run(mut self, line: Option<Line>, mut arriving: mpsc::Receiver<Arrived>) -> Refusal {
        let _guard = self.over.clone().drop_guard();
        let mut line = line;
        loop {
            let next = async {
                match &mut line {
                    Some(line) => line.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                asked = next => self.ask(asked),
                arrived = arriving.recv() => {
                    let taken = match arrived {
                        Some(Arrived::Ask(ask)) => {
                            self.answer(ask);
                            Ok(())
                        }
                        Some(Arrived::Answer(piece)) => self.take(piece),
                        None => Err(lost()),
                    };
                    if let Err(refusal) = taken {
                        return refusal;
                    }
                }
            }
        }
    }

    fn ask(&mut self, asked: Asked) {
        let Asked { question, answer } = asked;
        if self.open.len() == OPEN_MAX {
            // Whoever asked may be gone; then nobody wants to know.
            let _ = answer.send(Err(Error::of(Reason::RateLimited)));
            return;
        }
        self.last += 1;
        let ask = Ask {
            number: self.last,
            question: verify::encode_question(&peerd_questions::write_question(question)),
        };
        let bytes = Vec::new();
        self.open.insert(self.last, Open { answer, bytes });
        self.send(Frame::Ask(ask));
    }

    /// Takes a part of an answer. What is malformed concerns its question; an answer to nothing breaks the protocol.
    fn take(&mut self, piece: Piece) -> Result<(), Refusal> {
        let nothing = || misbehaved("an answer to nothing");
        let (number, answer) = match piece {
            Piece::Refused { number, reason } => (number, Err(refused(reason))),
            Piece::Part { number, bytes, last } => {
                let open = self.open.get_mut(&number).ok_or_else(nothing)?;
                if open.bytes.len() + bytes.len() > REPLY_BYTES_MAX {
                    return Err(misbehaved("an answer that is too long"));
                }
                // Nobody may wait for it any more.
                if !open.answer.is_closed() {
                    open.bytes.extend_from_slice(&bytes);
                }
                if !last {
                    return Ok(());
                }
                let whole = Bytes::from(std::mem::take(&mut open.bytes));
                let read = verify::decode_reply(whole).and_then(peerd_questions::read_reply);
                let malformed = |refusal: Refusal| Error::new(Reason::PeerMisbehaved, refusal.message);
                (number, read.map_err(malformed))
            }
        };
        let Open { answer: waits, .. } = self.open.remove(&number).ok_or_else(nothing)?;
        let _ = waits.send(answer);
        Ok(())
    }

    /// Answers a question of the other side, in a task of its own.
    fn answer(&self, ask: Ask) {
        let Ask { number, question } = ask;
        let read = verify::decode_question(question).and_then(peerd_questions::read_question);
        let slots = read.map_err(|refusal| refusal.reason).and_then(|question| {
            let slots = self.slots(&question).ok_or(Reason::RateLimited)?;
            Ok((question, slots))
        });
        let (question, slots) = match slots {
            Ok(admitted) => admitted,
            Err(reason) => return self.send(Frame::Answer(Piece::Refused { number, reason })),
        };
        let (shared, peer) = (Arc::clone(&self.session.shared), self.session.peer);
        let (frames, over) = (self.frames.clone(), self.over.clone());
        self.session.shared.spawn(async move {
            let answered = over
                .run_until_cancelled(answered(&shared, &peer, number, question))
                .await;
            if let Some(pieces) = answered {
                over.run_until_cancelled(send_all(&frames, pieces)).await;
            }
            drop(slots);
        });
    }

    /// Places for a question that is to be answered; `None` when too many are.
    fn slots(&self, question: &Question) -> Option<Vec<OwnedSemaphorePermit>> {
        let mut slots = vec![Arc::clone(&self.answering).try_acquire_owned().ok()?];
        if matches!(question, Question::Comparison(_)) {
            slots.push(Arc::clone(&self.comparing).try_acquire_owned().ok()?);
        }
        Some(slots)
    }

    fn send(&self, frame: Frame) {
        let (frames, over) = (self.frames.clone(), self.over.clone());
        self.session.shared.spawn(async move {
            over.run_until_cancelled(send_all(&frames, vec![frame])).await;
        });
    }
}

/// The answer to a question, in parts.
async fn answered(shared: &Shared, peer: &Peer, number: u64, question: Question) -> Vec<Frame> {
    let answer = match shared.node().answer(peer, question).await {
        Ok(answer) => verify::encode_reply(&peerd_questions::write_reply(answer)),
        Err(error) => {
            let reason = told(&error).reason;
            return vec![Frame::Answer(Piece::Refused { number, reason })];
        }
    };
    let count = answer.len().div_ceil(PIECE_BYTES_MAX).max(1);
    let parts = (0..count).map(|part| {
        let from = part * PIECE_BYTES_MAX;
        let bytes = answer.slice(from..answer.len().min(from + PIECE_BYTES_MAX));
        let last = part + 1 == count;
        Frame::Answer(Piece::Part { number, bytes, last })
    });
    parts.collect()
}

async fn send_all(frames: &mpsc::Sender<Frame>, pieces: Vec<Frame>) {
    for frame in pieces {
        // The session ends when the line is gone.
        if frames.send(frame).await.is_err() {
            return;
        }
    }
}

/// What the operator is told of the other side's refusal.
fn refused(reason: Reason) -> Error {
    Error::new(
        reason,
        format!("the other side answered: {}", reason.explanation().trim()),
    )
}

/// Whether the other side said that it answers questions.
pub(super) fn answers(features: &[String]) -> bool {
    features.iter().any(|feature| feature == frame::VERIFY)
}
