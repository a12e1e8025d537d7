//! The parts of a backup, and their bytes.

use bytes::{Buf as _, BufMut as _, Bytes};
use peerd_core::ContentHash;

use super::{Blob, Counts, Entry, Manifest, Revision, Table};

/// One part of a backup.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// What it is of.
    Manifest(Manifest),
    /// The last revision that was given out.
    Heads(Revision),
    /// Some records of a table.
    Rows(Table, Vec<(Bytes, Entry)>),
    /// A blob begins.
    Blob(Blob),
    /// The next bytes of the blob that was begun.
    Part(Bytes),
    /// A file of the data directory. It may hold a secret.
    File {
        /// Its name.
        name: String,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Everything was written.
    End {
        /// How much that is.
        counts: Counts,
        /// The BLAKE3 of everything before this frame.
        hash: [u8; 32],
    },
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of it cannot be read")]
pub struct Malformed;

impl Frame {
    fn kind(&self) -> u8 {
        match self {
            Frame::Manifest(_) => b'M',
            Frame::Heads(_) => b'H',
            Frame::Rows(..) => b'R',
            Frame::Blob(_) => b'B',
            Frame::Part(_) => b'P',
            Frame::File { .. } => b'F',
            Frame::End { .. } => b'E',
        }
    }

    /// Its bytes, with its kind and length before them.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind(), 0, 0, 0, 0];
        match self {
            // Neither holds what JSON cannot say.
            Frame::Manifest(manifest) => bytes.extend(serde_json::to_vec(manifest).unwrap_or_default()),
            Frame::Heads(revision) => bytes.put_u64(revision.0),
            Frame::Rows(table, rows) => {
                put_name(&mut bytes, table.name());
                for (key, entry) in rows {
                    put_long(&mut bytes, key);
                    bytes.put_u64(entry.revision.0);
                    put_long(&mut bytes, &entry.value);
                }
            }
            Frame::Blob(blob) => {
                bytes.extend(blob.hash.as_bytes());
                bytes.put_u64(blob.size);
            }
            Frame::Part(part) => bytes.extend(part),
            Frame::File { name, bytes: content } => {
                put_name(&mut bytes, name);
                bytes.extend(content);
            }
            Frame::End { counts, hash } => {
                bytes.extend(serde_json::to_vec(counts).unwrap_or_default());
                bytes.extend(hash);
            }
        }
        let length = u32::try_from(bytes.len() - 5).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = bytes.get_mut(1..5) {
            place.copy_from_slice(&length);
        }
        bytes
    }

    /// Reads the content of a frame of this kind.
    pub fn decode(kind: u8, mut content: Bytes) -> Result<Frame, Malformed> {
        Ok(match kind {
            b'M' => Frame::Manifest(serde_json::from_slice(&content).map_err(|_| Malformed)?),
            b'H' => {
                let revision = content.try_get_u64().map_err(|_| Malformed)?;
                empty(&content)?;
                Frame::Heads(Revision(revision))
            }
            b'R' => {
                let name = take_name(&mut content)?;
                let table = Table::ALL.iter().find(|table| table.name() == name);
                let table = *table.ok_or(Malformed)?;
                let mut rows = Vec::new();
                while content.has_remaining() {
                    let key = take_long(&mut content)?;
                    let revision = Revision(content.try_get_u64().map_err(|_| Malformed)?);
                    let value = take_long(&mut content)?;
                    rows.push((key, Entry { revision, value }));
                }
                Frame::Rows(table, rows)
            }
            b'B' => {
                let mut hash = [0; 32];
                content.try_copy_to_slice(&mut hash).map_err(|_| Malformed)?;
                let size = content.try_get_u64().map_err(|_| Malformed)?;
                empty(&content)?;
                let hash = ContentHash::from_bytes(hash);
                Frame::Blob(Blob { hash, size })
            }
            b'P' => Frame::Part(content),
            b'F' => Frame::File {
                name: take_name(&mut content)?,
                bytes: content,
            },
            b'E' => {
                let at = content.len().checked_sub(32).ok_or(Malformed)?;
                let hash = content.split_off(at);
                Frame::End {
                    counts: serde_json::from_slice(&content).map_err(|_| Malformed)?,
                    hash: hash.as_ref().try_into().map_err(|_| Malformed)?,
                }
            }
            _ => return Err(Malformed),
        })
    }
}

/// Without what is in it: records and files hold secrets.
impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({})", char::from(self.kind()))
    }
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend(name.as_bytes());
}

fn put_long(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    bytes.extend(content);
}

fn take_name(content: &mut Bytes) -> Result<String, Malformed> {
    let length = usize::from(content.try_get_u8().map_err(|_| Malformed)?);
    let name = take(content, length)?;
    String::from_utf8(name.to_vec()).map_err(|_| Malformed)
}

fn take_long(content: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = content.try_get_u32().map_err(|_| Malformed)?;
    take(content, length as usize)
}

fn take(content: &mut Bytes, length: usize) -> Result<Bytes, Malformed> {
    if length > content.len() {
        return Err(Malformed);
    }
    Ok(content.split_to(length))
}

fn empty(content: &Bytes) -> Result<(), Malformed> {
    if content.is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}
