//! CSV as RFC 4180 has it, over a bounded buffer: a quote that is left open swallows no memory.

use std::collections::BTreeSet;
use std::io::Read;

use csv_core::ReadRecordResult;
use peerd_core::Reason;
use peerd_wire::data::v1 as pb;

use super::{Fault, Lines, ROW_BYTES_MAX, Rejection, Row, text};

/// The most columns a row may have.
const COLUMNS_MAX: usize = 16 << 10;

/// The rows of a CSV file.
pub(crate) struct Csv<R> {
    lines: Lines<R>,
    parser: csv_core::Reader,
    columns: Vec<String>,
    /// The cells of the present record, one after the other, and where each ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// A record whose cells are in the buffers.
struct Record {
    line: u64,
    /// How much of the buffers it fills: bytes and cells. `None` when it was too long for them.
    size: Option<(usize, usize)>,
}

impl<R: Read> Csv<R> {
    /// Reads the header.
    pub(super) fn new(bytes: R) -> Result<Csv<R>, Fault> {
        let mut csv = Csv {
            lines: Lines::new(bytes)?,
            parser: csv_core::Reader::new(),
            columns: Vec::new(),
            cells: vec![0; 8 << 10],
            ends: vec![0; 64],
        };
        let header = |problem: String| Fault::Header(format!("the header is not usable: {problem}"));
        let Some(record) = csv.record()? else {
            return Err(Fault::Header("the file is empty: it has no header".to_owned()));
        };
        csv.columns = csv.values(&record).map_err(|bad| header(bad.message))?;
        let mut seen = BTreeSet::new();
        for column in &csv.columns {
            if !seen.insert(column) {
                return Err(header(format!("the column `{column}` is there twice")));
            }
        }
        Ok(csv)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, Fault> {
        let Some(record) = self.record()? else {
            return Ok(None);
        };
        let line = record.line;
        Ok(Some(match self.values(&record) {
            Err(rejection) => Row::Bad(rejection),
            Ok(values) if values.len() != self.columns.len() => Row::Bad(Rejection::new(
                line,
                Reason::ObjectInvalid,
                format!(
                    "it has {} cells, the header has {}",
                    values.len(),
                    self.columns.len()
                ),
            )),
            Ok(values) => Row::Good(pb::LoadRow {
                line,
                content: Some(pb::load_row::Content::Cells(pb::Cells { values })),
            }),
        }))
    }

    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.cells.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// Reads one record into the buffers, or passes over one that is too long for them.
    fn record(&mut self) -> Result<Option<Record>, Fault> {
        self.skip_blank_lines()?;
        let line = self.lines.line;
        let (mut bytes, mut count, mut fits) = (0, 0, true);
        loop {
            let input = self.lines.look()?;
            let (result, passed, written, ended) =
                self.parser
                    .read_record(input, &mut self.cells[bytes..], &mut self.ends[count..]);
            self.lines.pass(passed);
            bytes += written;
            count += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => fits &= grow(&mut self.cells, ROW_BYTES_MAX),
                ReadRecordResult::OutputEndsFull => fits &= grow(&mut self.ends, COLUMNS_MAX),
                ReadRecordResult::Record => {
                    let size = fits.then_some((bytes, count));
                    return Ok(Some(Record { line, size }));
                }
                ReadRecordResult::End => return Ok(None),
            }
            if !fits {
                // What follows overwrites the start until the record ends.
                (bytes, count) = (0, 0);
            }
        }
    }

    /// So that a record's line is where it starts.
    fn skip_blank_lines(&mut self) -> Result<(), Fault> {
        loop {
            let input = self.lines.look()?;
            let blank = input
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            if blank == 0 {
                return Ok(());
            }
            self.lines.pass(blank);
        }
    }

    fn values(&self, record: &Record) -> Result<Vec<String>, Rejection> {
        let line = record.line;
        let Some((bytes, count)) = record.size else {
            let message = "it is longer than 4 MiB or has too many cells; is a quote left open?";
            return Err(Rejection::new(line, Reason::TooLarge, message));
        };
        let all = text(&self.cells[..bytes], line)?;
        let mut start = 0;
        let cells = self.ends[..count].iter().map(|&end| {
            // Bytes of two cells may look like one character; then the boundary is inside it.
            let cell = all.get(start..end);
            start = end;
            cell.map(str::to_owned)
                .ok_or_else(|| Rejection::new(line, Reason::ObjectInvalid, "it is not UTF-8"))
        });
        cells.collect()
    }
}

/// Doubles a buffer up to its limit; answers whether there is more room.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, max: usize) -> bool {
    let larger = (buffer.len() * 2).min(max);
    let grows = larger > buffer.len();
    buffer.resize(larger, T::default());
    grows
}
