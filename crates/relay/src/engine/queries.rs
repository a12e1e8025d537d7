//! Questions of a verification, and their answers, as bundles that nothing depends on: they are asked again until they are
//! answered, and an answer that is lost is given again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_node::exchange::verify::Answer;
use peerd_node::{Asked, Error, Line};
use peerd_wire::frame::{Ask, PIECE_BYTES_MAX, Piece};
use peerd_wire::verify::{self, REPLY_BYTES_MAX};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::link::Running;
use super::writing::Draft;
use crate::Records;
use crate::record::Query;

/// How many questions of this side are open at once.
const OPEN_MAX: usize = 8;
/// How many of the other side's are being answered at once.
const ANSWERING_MAX: usize = 8;
/// So many answers are kept, should they be asked for again.
const ANSWERS_KEPT: usize = 8;
/// The parts of an answer count on from the number of their question: parts may come in any order.
const PARTS: u64 = 1 << 16;
/// How long a question is asked again and again.
const PATIENCE: Duration = Duration::from_mins(10);

/// A question of this side.
#[derive(Debug)]
struct Open {
    question: Bytes,
    answer: oneshot::Sender<Result<Answer, Error>>,
    parts: BTreeMap<u64, Bytes>,
    /// Which part is the last, once it came.
    last: Option<u64>,
    again: Instant,
    until: Instant,
}

/// The questions of both sides.
#[derive(Debug)]
pub(super) struct Queries {
    line: Line,
    open: BTreeMap<u64, Open>,
    next: u64,
    answering: BTreeSet<u64>,
    answers: VecDeque<(u64, Vec<Piece>)>,
    done: mpsc::Receiver<(u64, Result<Answer, Error>)>,
    here: mpsc::Sender<(u64, Result<Answer, Error>)>,
}

/// What is to be done next about questions.
#[derive(Debug)]
pub(super) enum Turn {
    /// This side asks.
    Asked(Asked),
    /// A question of the other side was answered.
    Answered(u64, Result<Answer, Error>),
}

impl Queries {
    /// `chance` sets the numbers of this process apart from those of an earlier one.
    pub(super) fn new(line: Line, chance: u64) -> Queries {
        let (here, done) = mpsc::channel(ANSWERING_MAX);
        Queries {
            line,
            open: BTreeMap::new(),
            next: (chance >> 2) & !(PARTS - 1),
            answering: BTreeSet::new(),
            answers: VecDeque::new(),
            done,
            here,
        }
    }

    /// Waits for something to be done. May be cancelled.
    pub(super) async fn turn(&mut self) -> Turn {
        tokio::select! {
            asked = self.line.next() => Turn::Asked(asked),
            done = self.done.recv() => match done {
                Some((number, answer)) => Turn::Answered(number, answer),
                // It cannot be: this end holds a sender itself.
                None => std::future::pending().await,
            },
        }
    }

    /// When a question is asked again, or given up.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.open.values().map(|open| open.again.min(open.until)).min()
    }

    /// Takes a part of an answer; once all are there, whoever asked has it.
    fn take(&mut self, piece: Piece) {
        let (number, part) = match &piece {
            Piece::Part { number, .. } | Piece::Refused { number, .. } => {
                (*number & !(PARTS - 1), *number & (PARTS - 1))
            }
        };
        let Some(open) = self.open.get_mut(&number) else {
            // It was answered already.
            return;
        };
        match piece {
            Piece::Refused { reason, .. } => {
                let told = format!("the other side answered: {}", reason.explanation().trim());
                self.close(number, Err(Error::new(reason, told)));
            }
            Piece::Part { bytes, last, .. } => {
                open.parts.insert(part, bytes);
                open.last = last.then_some(part).or(open.last);
                let whole = open.last.is_some_and(|last| open.parts.len() as u64 == last + 1);
                let length: usize = open.parts.values().map(Bytes::len).sum();
                if length > REPLY_BYTES_MAX {
                    let told = "an answer that is too long";
                    self.close(number, Err(Error::new(Reason::PeerMisbehaved, told)));
                } else if whole {
                    let bytes: Vec<u8> = open.parts.values().flatten().copied().collect();
                    let read = verify::decode_reply(bytes.into()).and_then(peerd_questions::read_reply);
                    let malformed = |refusal: peerd_wire::status::Refusal| {
                        Error::new(Reason::PeerMisbehaved, refusal.message)
                    };
                    self.close(number, read.map_err(malformed));
                }
            }
        }
    }

    fn close(&mut self, number: u64, answer: Result<Answer, Error>) {
        if let Some(open) = self.open.remove(&number) {
            // Nobody may wait for it any more.
            let _ = open.answer.send(answer);
        }
    }
}

impl Running {
    /// Does what is to be done about questions.
    pub(super) async fn converse(&mut self, turn: Turn) -> Result<(), Error> {
        match turn {
            Turn::Asked(Asked { question, answer }) => {
                let Some(queries) = &mut self.queries else {
                    return Ok(());
                };
                if queries.open.len() >= OPEN_MAX {
                    let _ = answer.send(Err(Error::of(Reason::RateLimited)));
                    return Ok(());
                }
                let number = queries.next;
                queries.next = queries.next.wrapping_add(PARTS);
                let now = Instant::now();
                let open = Open {
                    question: verify::encode_question(&peerd_questions::write_question(question)),
                    answer,
                    parts: BTreeMap::new(),
                    last: None,
                    again: now,
                    until: now + PATIENCE,
                };
                queries.open.insert(number, open);
                self.ask_again().await
            }
            Turn::Answered(number, answer) => {
                let pieces = pieces(number, answer, self.piece_bytes());
                let Some(queries) = &mut self.queries else {
                    return Ok(());
                };
                queries.answering.remove(&number);
                queries.answers.push_back((number, pieces.clone()));
                if queries.answers.len() > ANSWERS_KEPT {
                    queries.answers.pop_front();
                }
                self.send_pieces(pieces).await
            }
        }
    }

    /// So large are the parts of answers: one fits the link's bundles.
    fn piece_bytes(&self) -> usize {
        (self.limits().bundle_bytes_max / 2).min(PIECE_BYTES_MAX)
    }

    /// Asks what was not answered yet, when it is time.
    pub(super) async fn ask_again(&mut self) -> Result<(), Error> {
        let Some(queries) = &mut self.queries else {
            return Ok(());
        };
        let (now, pause) = (Instant::now(), self.shared.timing.on_the_way);
        queries
            .open
            .retain(|_, open| open.until > now && !open.answer.is_closed());
        let mut asks = Vec::new();
        for (number, open) in &mut queries.open {
            if open.again <= now {
                open.again = now + pause;
                asks.push(Query::Ask(Ask {
                    number: *number,
                    question: open.question.clone(),
                }));
            }
        }
        for ask in asks {
            self.write_passing(Draft::plain(Records::Query(vec![ask])), None)
                .await?;
        }
        Ok(())
    }

    async fn send_pieces(&mut self, pieces: Vec<Piece>) -> Result<(), Error> {
        // Where bundles are small, each part goes by itself.
        let each = match self.limits().bundle_bytes_max {
            max if max >= 2 * REPLY_BYTES_MAX => pieces.len().max(1),
            _ => 1,
        };
        for pieces in pieces.chunks(each) {
            let records = pieces.iter().cloned().map(Query::Answer).collect();
            self.write_passing(Draft::plain(Records::Query(records)), None)
                .await?;
        }
        Ok(())
    }

    /// Takes questions and parts of answers.
    pub(super) async fn take_queries(&mut self, records: Vec<Query>) -> Result<(), Error> {
        for record in records {
            match record {
                Query::Answer(piece) => {
                    if let Some(queries) = &mut self.queries {
                        queries.take(piece);
                    }
                }
                Query::Ask(ask) => self.take_question(ask).await?,
            }
        }
        Ok(())
    }

    async fn take_question(&mut self, ask: Ask) -> Result<(), Error> {
        let Ask { number, question } = ask;
        let Some(queries) = &mut self.queries else {
            return Ok(());
        };
        if queries.answering.contains(&number) {
            return Ok(());
        }
        if let Some((_, pieces)) = queries.answers.iter().find(|(known, _)| *known == number) {
            let pieces = pieces.clone();
            return self.send_pieces(pieces).await;
        }
        let read = verify::decode_question(question).and_then(peerd_questions::read_question);
        let question = match read {
            Ok(question) if queries.answering.len() < ANSWERING_MAX => question,
            Ok(_) => return Ok(()),
            Err(refusal) => {
                let piece = Piece::Refused {
                    number,
                    reason: refusal.reason,
                };
                return self.send_pieces(vec![piece]).await;
            }
        };
        queries.answering.insert(number);
        let (node, peer, here) = (Arc::clone(&self.shared.node), self.peer, queries.here.clone());
        self.shared.spawn(async move {
            let answer = node.answer(&peer, question).await;
            // The link may have ended.
            let _ = here.send((number, answer)).await;
        });
        Ok(())
    }
}

/// The parts of an answer. Their numbers count on from the question's.
fn pieces(number: u64, answer: Result<Answer, Error>, bytes_max: usize) -> Vec<Piece> {
    let answer = match answer {
        Ok(answer) => verify::encode_reply(&peerd_questions::write_reply(answer)),
        Err(error) => {
            let reason = error.reason();
            return vec![Piece::Refused { number, reason }];
        }
    };
    let count = answer.len().div_ceil(bytes_max.max(1)).max(1);
    let parts = (0..count).map(|part| {
        let from = part * bytes_max;
        Piece::Part {
            number: number + part as u64,
            bytes: answer.slice(from..answer.len().min(from + bytes_max)),
            last: part + 1 == count,
        }
    });
    parts.collect()
}
