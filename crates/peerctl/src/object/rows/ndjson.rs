//! NDJSON: a JSON object a line. What the objects mean is the daemon's to judge.

use std::io::Read;

use peerd_core::Reason;
use peerd_wire::data::v1 as pb;

use super::{Fault, Lines, ROW_BYTES_MAX, Rejection, Row, text};

/// The rows of an NDJSON file.
pub(crate) struct Ndjson<R> {
    lines: Lines<R>,
    row: Vec<u8>,
}

impl<R: Read> Ndjson<R> {
    pub(super) fn new(bytes: R) -> Result<Ndjson<R>, Fault> {
        Ok(Ndjson {
            lines: Lines::new(bytes)?,
            row: Vec::new(),
        })
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, Fault> {
        loop {
            let line = self.lines.line;
            let Some(fits) = self.line()? else {
                return Ok(None);
            };
            if !fits {
                let rejection = Rejection::new(line, Reason::TooLarge, "it is longer than 4 MiB");
                return Ok(Some(Row::Bad(rejection)));
            }
            let row = self.row.trim_ascii();
            if row.is_empty() {
                continue;
            }
            return Ok(Some(match text(row, line) {
                Err(rejection) => Row::Bad(rejection),
                Ok(json) => Row::Good(pb::LoadRow {
                    line,
                    content: Some(pb::load_row::Content::Json(json.to_owned())),
                }),
            }));
        }
    }

    /// Reads one line into the buffer; answers whether it fits, or `None` at the end of the file.
    fn line(&mut self) -> Result<Option<bool>, Fault> {
        self.row.clear();
        let (mut any, mut fits) = (false, true);
        loop {
            let input = self.lines.look()?;
            if input.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = input.iter().position(|&byte| byte == b'\n');
            let part = &input[..end.unwrap_or(input.len())];
            fits &= self.row.len() + part.len() <= ROW_BYTES_MAX;
            if fits {
                self.row.extend_from_slice(part);
            }
            let passed = part.len() + usize::from(end.is_some());
            self.lines.pass(passed);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}
