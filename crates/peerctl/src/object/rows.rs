//! The rows of a file, one at a time and bounded, whatever the file holds.

mod csv;
mod ndjson;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Chain, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use peerd_core::Reason;
use peerd_wire::data::v1 as pb;

use crate::error::Error;
use csv::Csv;
use ndjson::Ndjson;

/// The most a row may have; a longer one is passed over without being held.
const ROW_BYTES_MAX: usize = 4 << 20;

/// The rows of a file.
pub(super) enum Rows<R> {
    /// Cells under a header.
    Csv(Box<Csv<R>>),
    /// A JSON object a line.
    Ndjson(Ndjson<R>),
}

/// A row as it was found.
#[derive(Debug, PartialEq)]
pub(super) enum Row {
    /// It can be sent.
    Good(pb::LoadRow),
    /// It cannot.
    Bad(Rejection),
}

/// A row that is not loaded.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Rejection {
    /// The line it starts at.
    pub(super) line: u64,
    /// The stable reason word.
    pub(super) reason: String,
    /// What is wrong.
    pub(super) message: String,
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Reading or decompressing failed.
    #[error("line {line}: it cannot be read on: {error}")]
    Read {
        /// How far it could be read.
        line: u64,
        /// What failed.
        #[source]
        error: io::Error,
    },
    /// There is no usable header.
    #[error("{0}")]
    Header(String),
}

/// The rows of the file with this name, whose ending says what it is. The bar moves with the bytes read from disk.
pub(super) fn open(path: &Path, bar: &ProgressBar) -> Result<Rows<Box<dyn Read + Send>>, Error> {
    let (plain, compressed) = match extension(path).as_str() {
        "gz" => (extension(&path.with_extension("")), true),
        _ => (extension(path), false),
    };
    let file = File::open(path).map_err(|error| Error::file(path, error))?;
    if let Ok(meta) = file.metadata() {
        bar.set_length(meta.len());
    }
    let bytes = bar.wrap_read(file);
    let bytes: Box<dyn Read + Send> = if compressed {
        Box::new(MultiGzDecoder::new(BufReader::new(bytes)))
    } else {
        Box::new(bytes)
    };
    let rows = match plain.as_str() {
        "csv" => Csv::new(bytes).map(|csv| Rows::Csv(Box::new(csv))),
        "ndjson" => Ndjson::new(bytes).map(Rows::Ndjson),
        _ => {
            let problem = "is neither .csv nor .ndjson, nor either with .gz";
            return Err(Error::file(path, problem));
        }
    };
    rows.map_err(|fault| Error::file(path, fault))
}

fn extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

impl<R: Read> Rows<R> {
    /// The columns of the cells; none when the rows are JSON.
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Rows::Csv(csv) => csv.columns(),
            Rows::Ndjson(_) => &[],
        }
    }

    /// The next row, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Fault> {
        match self {
            Rows::Csv(csv) => csv.next(),
            Rows::Ndjson(ndjson) => ndjson.next(),
        }
    }
}

impl Rejection {
    /// A row rejected on this side.
    pub(super) fn new(line: u64, reason: Reason, message: impl Into<String>) -> Rejection {
        Rejection {
            line,
            reason: reason.word().to_owned(),
            message: message.into(),
        }
    }
}

/// Bytes with the number of the line they are in. A byte order mark at the start is passed over.
struct Lines<R> {
    bytes: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    line: u64,
}

impl<R: Read> Lines<R> {
    fn new(mut bytes: R) -> Result<Lines<R>, Fault> {
        let mut start = Vec::new();
        let read = bytes.by_ref().take(3).read_to_end(&mut start);
        read.map_err(|error| Fault::Read { line: 1, error })?;
        if start == b"\xef\xbb\xbf" {
            start.clear();
        }
        Ok(Lines {
            bytes: BufReader::with_capacity(128 << 10, Cursor::new(start).chain(bytes)),
            line: 1,
        })
    }

    /// What can be looked at; empty at the end of the file.
    fn look(&mut self) -> Result<&[u8], Fault> {
        let line = self.line;
        self.bytes.fill_buf().map_err(|error| Fault::Read { line, error })
    }

    /// Passes over so many of the bytes looked at.
    fn pass(&mut self, count: usize) {
        let passed = &self.bytes.buffer()[..count];
        self.line += passed
            .iter()
            .fold(0, |lines, &byte| lines + u64::from(byte == b'\n'));
        self.bytes.consume(count);
    }
}

/// Text as it may be sent, or why not.
fn text(bytes: &[u8], line: u64) -> Result<&str, Rejection> {
    let invalid = |message: &str| Rejection::new(line, Reason::ObjectInvalid, message);
    if bytes.contains(&0) {
        return Err(invalid("it has a NUL byte"));
    }
    std::str::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8"))
}

#[cfg(test)]
mod tests;
