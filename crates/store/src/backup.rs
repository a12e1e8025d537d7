//! The form of a backup: one file with everything of an enrollment, which shows whether it is whole.
//!
//! ```text
//! "peerd backup\n"                      14 bytes with a zero at the end
//! frames: kind (1) | length (4, big endian) | content
//!   M  manifest       JSON; the first frame
//!   H  heads          the last revision that was given out (8)
//!   R  records        table name (1 + n), then for each: key (4 + n), revision (8), value (4 + n)
//!   B  blob           hash (32), size (8)
//!   P  part of it     its bytes, in order
//!   F  file           name (1 + n), bytes
//!   E  end            JSON counts, then BLAKE3 (32) over everything before it; the last frame
//! ```
//!
//! Formats are for ever: what a version of peerd wrote, every later one reads.

mod frame;

use std::io::{self, Read, Write};

use bytes::Bytes;
use peerd_core::{Blob, EnrollmentId, Time};
use serde::{Deserialize, Serialize};

pub use frame::{Frame, Malformed};

use crate::{Entry, Revision, Table};

/// What every backup starts with.
pub const MAGIC: &[u8; 14] = b"peerd backup\n\0";
/// The format that this version writes. It reads every one up to it.
pub const FORMAT: u32 = 1;
/// No frame is larger.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the file.
    pub format: u32,
    /// The version of peerd that wrote it.
    pub version: String,
    /// Whose it is.
    pub enrollment_id: EnrollmentId,
    /// When it was made, by the clock of its enrollment. Everything in it is of one moment, which is not earlier.
    pub created_at: Time,
    /// Whether content is in it, or only what is known of it.
    pub content: bool,
}

/// What a backup holds, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records of all tables.
    pub records: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of blobs.
    pub blob_bytes: u64,
    /// Files of the data directory.
    pub files: u64,
}

impl Counts {
    /// Counts a frame.
    pub fn add(&mut self, frame: &Frame) {
        match frame {
            Frame::Rows(_, rows) => self.records += rows.len() as u64,
            Frame::Blob(blob) => {
                self.blobs += 1;
                self.blob_bytes += blob.size;
            }
            Frame::File { .. } => self.files += 1,
            Frame::Manifest(_) | Frame::Heads(_) | Frame::Part(_) | Frame::End { .. } => {}
        }
    }
}

/// Why a file is not read as a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It starts with something else.
    #[error("it is no backup of peerd")]
    NotABackup,
    /// It ends in the middle.
    #[error("it is cut off")]
    Truncated,
    /// Something follows its end.
    #[error("something follows its end")]
    Trailing,
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// A frame in it is none.
    #[error("it is damaged")]
    Malformed(#[from] Malformed),
    /// A later version wrote it.
    #[error("it has format {0}, and this version reads up to {FORMAT}: upgrade")]
    Newer(u32),
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes a backup.
pub struct Writer<W> {
    out: W,
    hasher: blake3::Hasher,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    /// Begins a backup.
    pub fn new(out: W) -> io::Result<Writer<W>> {
        let mut writer = Writer {
            out,
            hasher: blake3::Hasher::new(),
            counts: Counts::default(),
        };
        writer.raw(MAGIC)?;
        Ok(writer)
    }

    /// Writes a frame.
    pub fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        self.counts.add(frame);
        self.raw(&frame.encode())
    }

    /// Writes whole frames that were encoded elsewhere, in any pieces; what they count is told at the end.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)
    }

    /// Ends the backup: `elsewhere` are the counts of the frames that were not written as such.
    pub fn finish(mut self, elsewhere: Counts) -> io::Result<(W, Counts)> {
        let counts = Counts {
            records: self.counts.records + elsewhere.records,
            blobs: self.counts.blobs + elsewhere.blobs,
            blob_bytes: self.counts.blob_bytes + elsewhere.blob_bytes,
            files: self.counts.files + elsewhere.files,
        };
        let end = Frame::End {
            counts,
            hash: *self.hasher.finalize().as_bytes(),
        };
        self.out.write_all(&end.encode())?;
        Ok((self.out, counts))
    }
}

impl<W> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// Reads a backup, frame by frame. Only when [`Reader::next`] has answered `None` is it known to be whole.
pub struct Reader<R> {
    input: R,
    hasher: blake3::Hasher,
    counts: Counts,
    ended: bool,
    begun: bool,
    /// What is still to come of the blob that was begun.
    blob_bytes_left: u64,
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    pub fn new(mut input: R) -> Result<Reader<R>, Error> {
        let mut magic = [0; MAGIC.len()];
        match input.read_exact(&mut magic) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(Error::NotABackup),
            read => read?,
        }
        if &magic != MAGIC {
            return Err(Error::NotABackup);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(MAGIC);
        Ok(Reader {
            input,
            hasher,
            counts: Counts::default(),
            ended: false,
            begun: false,
            blob_bytes_left: 0,
        })
    }

    /// The next frame; `None` at the end of a backup that is whole.
    #[expect(
        clippy::should_implement_trait,
        reason = "it fails, and then there is no next"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, Error> {
        if self.ended {
            return Ok(None);
        }
        let (head, content) = self.read_frame()?;
        let frame = Frame::decode(head[0], content.clone())?;
        if let Frame::End { counts, hash } = &frame {
            if self.hasher.finalize().as_bytes() != hash {
                return Err(Error::Damaged("its checksum is another"));
            }
            if *counts != self.counts || self.blob_bytes_left > 0 || !self.begun {
                return Err(Error::Damaged("a part of it is missing"));
            }
            if self.input.read(&mut [0])? > 0 {
                return Err(Error::Trailing);
            }
            self.ended = true;
            return Ok(None);
        }
        self.hasher.update(&head);
        self.hasher.update(&content);
        self.counts.add(&frame);
        self.check_order(&frame)?;
        Ok(Some(frame))
    }

    /// How much was read.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn read_frame(&mut self) -> Result<([u8; 5], Bytes), Error> {
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Truncated,
            _ => Error::Io(error),
        };
        let mut head = [0; 5];
        self.input.read_exact(&mut head).map_err(cut)?;
        let [_, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Malformed.into());
        }
        // What the length claims is not taken before it is there.
        let mut content = Vec::new();
        (&mut self.input).take(length as u64).read_to_end(&mut content)?;
        if content.len() < length {
            return Err(Error::Truncated);
        }
        Ok((head, content.into()))
    }

    fn check_order(&mut self, frame: &Frame) -> Result<(), Error> {
        if let Frame::Manifest(manifest) = frame {
            if manifest.format > FORMAT {
                return Err(Error::Newer(manifest.format));
            }
            if std::mem::replace(&mut self.begun, true) {
                return Err(Error::Damaged("it has two beginnings"));
            }
            return Ok(());
        }
        if !self.begun {
            return Err(Error::Damaged("it does not say what it is of"));
        }
        match frame {
            Frame::Part(bytes) => {
                let left = self.blob_bytes_left.checked_sub(bytes.len() as u64);
                self.blob_bytes_left = left.ok_or(Error::Damaged("a blob is longer than it says"))?;
            }
            _ if self.blob_bytes_left > 0 => return Err(Error::Damaged("a blob is cut off")),
            Frame::Blob(blob) => self.blob_bytes_left = blob.size,
            _ => {}
        }
        Ok(())
    }
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
