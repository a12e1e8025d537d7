//! Questions and the parts of their answers. What is in them is read by [`crate::verify`].

use bytes::Bytes;
use peerd_core::Reason;

use crate::field::bounded;
use crate::mpx::v1 as pb;
use crate::status::Refusal;

/// The longest question, in bytes.
const QUESTION_BYTES_MAX: usize = 512 * 1024;
/// The longest part of an answer, in bytes.
pub const PIECE_BYTES_MAX: usize = 256 * 1024;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Tells the questions of one side apart.
    pub number: u64,
    /// The question, encoded.
    pub question: Bytes,
}

/// A part of the answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes of the encoded answer.
    Part {
        /// The question's number.
        number: u64,
        /// The bytes.
        bytes: Bytes,
        /// Whether these are the last.
        last: bool,
    },
    /// There is no answer.
    Refused {
        /// The question's number.
        number: u64,
        /// Why.
        reason: Reason,
    },
}

impl TryFrom<pb::Ask> for Ask {
    type Error = Refusal;

    fn try_from(ask: pb::Ask) -> Result<Ask, Refusal> {
        let pb::Ask { number, question } = ask;
        bounded("ask.question", question.len(), QUESTION_BYTES_MAX)?;
        Ok(Ask { number, question })
    }
}

impl From<Ask> for pb::Ask {
    fn from(ask: Ask) -> pb::Ask {
        let Ask { number, question } = ask;
        pb::Ask { number, question }
    }
}

impl TryFrom<pb::Answer> for Piece {
    type Error = Refusal;

    fn try_from(answer: pb::Answer) -> Result<Piece, Refusal> {
        let pb::Answer {
            number,
            piece,
            last,
            reason,
        } = answer;
        bounded("answer.piece", piece.len(), PIECE_BYTES_MAX)?;
        if !reason.is_empty() {
            // A word of a newer version is still a refusal.
            let reason = Reason::from_word(&reason).unwrap_or(Reason::RemoteRefused);
            return Ok(Piece::Refused { number, reason });
        }
        let bytes = piece;
        Ok(Piece::Part { number, bytes, last })
    }
}

impl From<Piece> for pb::Answer {
    fn from(piece: Piece) -> pb::Answer {
        match piece {
            Piece::Part { number, bytes, last } => pb::Answer {
                number,
                piece: bytes,
                last,
                reason: String::new(),
            },
            Piece::Refused { number, reason } => pb::Answer {
                number,
                piece: Bytes::new(),
                last: true,
                reason: reason.word().to_owned(),
            },
        }
    }
}
