//! The commonest state by far, read and written where its bytes lie.
//!
//! An object that was loaded and never touched is its source row and nothing else: no edit, no security, one enrollment.
//! Such objects are what a bulk load, a first synchronisation and a feed of source data consist of. Reading one here
//! allocates nothing. What these functions say is what [`ObjectState`] says of the same bytes; the tests hold that.

use std::cmp::Ordering;

use super::encoding::{SOURCE, VERSION};
use super::{Hlc, ObjectState, SourceRow};
use crate::EnrollmentId;
use crate::value::bytes::{Reader, Writer};
use crate::value::{ROW_BYTES_MAX, RowRef};

/// A state that is a source row and nothing else, by the row's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainState<'a> {
    /// The clock of the earliest known write.
    pub origin: Hlc,
    /// Whose source it is, and who wrote first.
    pub owner: EnrollmentId,
    /// The owner's clock when the row was loaded.
    pub version: Hlc,
    /// The values.
    pub row: RowRef<'a>,
}

impl<'a> PlainState<'a> {
    /// Reads a plain state; `None` for every other, and for bytes that are no state.
    pub fn read(bytes: &'a [u8]) -> Option<PlainState<'a>> {
        let mut input = Reader::new(bytes);
        let head = (input.byte().ok()?, input.byte().ok()?, input.byte().ok()?);
        if head != (VERSION, SOURCE, 1) || bytes.len() > ObjectState::BYTES_MAX {
            return None;
        }
        let owner = EnrollmentId::from_bytes(input.array().ok()?);
        let origin = dot(&mut input)?;
        let version = dot(&mut input)?;
        let row = RowRef::new(input.bytes(ROW_BYTES_MAX).ok()?).ok()?;
        // Nothing seen or written of the security, no edits.
        (input.array() == Ok([0, 0, 0]) && input.is_empty()).then_some(PlainState {
            origin,
            owner,
            version,
            row,
        })
    }

    /// The canonical bytes, after those that are there.
    pub fn write(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut out = Writer::after(bytes);
        for byte in [VERSION, SOURCE, 1] {
            out.byte(byte);
        }
        out.raw(self.owner.as_bytes());
        for clock in [self.origin, self.version] {
            out.byte(0);
            out.varint(clock.wall_micros());
            out.varint(clock.counter().into());
        }
        out.bytes(self.row.as_bytes());
        out.raw(&[0, 0, 0]);
        out.into_bytes()
    }

    /// At most so many bytes are written beside the row's.
    pub const OVERHEAD_MAX: usize = 80;

    /// The latest clock in it.
    pub fn newest(&self) -> Hlc {
        self.version
    }

    /// The object with this row from its own source, as [`ObjectState::load_row`] has it; `None` when the clock has no
    /// next reading.
    pub fn loaded<'b>(&self, row: RowRef<'b>, hlc: Hlc) -> Option<PlainState<'b>> {
        Some(PlainState {
            origin: self.origin,
            owner: self.owner,
            version: hlc.max(self.version.successor()?),
            row,
        })
    }

    /// Joins what came into what is here, as [`merge`](super::merge()) does; `None` where that takes more than a
    /// comparison.
    pub fn merge<'b>(&'b self, incoming: &'b PlainState<'_>) -> Option<PlainMerged<'b>> {
        if self.owner != incoming.owner {
            return None;
        }
        let newer = match self.version.cmp(&incoming.version) {
            Ordering::Less => incoming,
            Ordering::Greater => self,
            Ordering::Equal if self.row == incoming.row => self,
            Ordering::Equal => return None,
        };
        let state = PlainState {
            origin: self.origin.min(incoming.origin),
            ..*newer
        };
        Some(PlainMerged {
            state,
            changed: state != *self,
        })
    }
}

/// The outcome of a merge of plain states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainMerged<'a> {
    /// The joined state.
    pub state: PlainState<'a>,
    /// Whether it differs from the local one.
    pub changed: bool,
}

/// A dot of the one enrollment there is.
fn dot(input: &mut Reader<'_>) -> Option<Hlc> {
    if input.byte() != Ok(0) {
        return None;
    }
    let (wall, counter) = (input.varint().ok()?, input.varint().ok()?);
    Hlc::new(wall, counter)
}

impl ObjectState {
    /// The same state, if it is a plain one.
    pub fn as_plain(&self) -> Option<PlainState<'_>> {
        let SourceRow { owner, version, row } = self.source.as_ref()?;
        let is_plain = self.purged.is_none()
            && self.life == super::Life::default()
            && self.origin.enrollment == *owner
            && self.edits.is_empty()
            && self.security.is_empty();
        is_plain.then_some(PlainState {
            origin: self.origin.hlc,
            owner: *owner,
            version: *version,
            row: row.as_ref(),
        })
    }
}
