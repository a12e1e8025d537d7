//! Rows in batches that the daemon takes: bounded in number and in bytes.

use std::io::Read;

use peerd_core::Reason;
use peerd_wire::data::v1 as pb;
use prost::Message as _;
use tokio::sync::mpsc;

use super::REJECTIONS_MAX;
use crate::object::rows::{Fault, Rejection, Row, Rows};

/// A batch is sent when it has this many rows or bytes.
const BATCH_ROWS: usize = 1_000;
const BATCH_BYTES: usize = 512 << 10;

/// The most a message may have, less what wraps a row.
const ROW_BYTES_MAX: usize = (4 << 20) - 64;

/// What came of reading a file.
#[derive(Debug, Default)]
pub(super) struct Pumped {
    /// How many rows were rejected here.
    pub(super) rejected: u64,
    /// The first of them.
    pub(super) rejections: Vec<Rejection>,
    /// Why reading ended early, if it did.
    pub(super) fault: Option<Fault>,
}

/// Reads all rows into the queue, in batches; blocks while it is full. Ends early when nobody takes from it any more, and
/// where the file cannot be read on: the rows before that are good.
pub(super) fn pump<R: Read>(rows: &mut Rows<R>, queue: &mpsc::Sender<pb::LoadRows>) -> Pumped {
    let mut pumped = Pumped::default();
    let mut batch = Batch::default();
    loop {
        match rows.next() {
            Ok(Some(Row::Bad(rejection))) => pumped.reject(rejection),
            Ok(Some(Row::Good(row))) => {
                let bytes = row.encoded_len();
                if bytes > ROW_BYTES_MAX {
                    let message = "it is longer than 4 MiB";
                    pumped.reject(Rejection::new(row.line, Reason::TooLarge, message));
                    continue;
                }
                if batch.is_full_with(bytes) && queue.blocking_send(batch.take()).is_err() {
                    return pumped;
                }
                batch.push(row, bytes);
            }
            Ok(None) => break,
            Err(fault) => {
                pumped.fault = Some(fault);
                break;
            }
        }
    }
    if !batch.rows.is_empty() {
        // When nobody takes it, the refusal says why.
        drop(queue.blocking_send(batch.take()));
    }
    pumped
}

impl Pumped {
    fn reject(&mut self, rejection: Rejection) {
        self.rejected += 1;
        if self.rejections.len() < REJECTIONS_MAX {
            self.rejections.push(rejection);
        }
    }
}

#[derive(Debug, Default)]
struct Batch {
    rows: Vec<pb::LoadRow>,
    bytes: usize,
}

impl Batch {
    fn is_full_with(&self, bytes: usize) -> bool {
        !self.rows.is_empty() && (self.rows.len() >= BATCH_ROWS || self.bytes + bytes > BATCH_BYTES)
    }

    fn push(&mut self, row: pb::LoadRow, bytes: usize) {
        self.rows.push(row);
        self.bytes += bytes;
    }

    fn take(&mut self) -> pb::LoadRows {
        self.bytes = 0;
        pb::LoadRows {
            rows: std::mem::take(&mut self.rows),
        }
    }
}
