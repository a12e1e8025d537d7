//! The bytes of questions and of their answers.

use bytes::Bytes;
use prost::Message as _;

use crate::mpx::v1::{Question, Reply};
use crate::status::Refusal;

/// The longest answer, in bytes, all its parts together.
pub const REPLY_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The bytes of a question.
pub fn encode_question(question: &Question) -> Bytes {
    question.encode_to_vec().into()
}

/// Reads a question that arrived.
pub fn decode_question(bytes: Bytes) -> Result<Question, Refusal> {
    Question::decode(bytes).map_err(|_| Refusal::field("ask.question", "is not a question"))
}

/// The bytes of an answer.
pub fn encode_reply(reply: &Reply) -> Bytes {
    reply.encode_to_vec().into()
}

/// Reads an answer that arrived.
pub fn decode_reply(bytes: Bytes) -> Result<Reply, Refusal> {
    Reply::decode(bytes).map_err(|_| Refusal::field("answer", "is not a reply"))
}
