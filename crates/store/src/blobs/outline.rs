//! The outline of content: what each of its groups hashes to, so that each can be checked on its own.
//!
//! BLAKE3 is a tree. The value of each group of 1 MiB is a node of it, and the nodes come together to the hash of the
//! whole: an outline can be checked against the hash alone, and after that a group against the outline.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bytes::Bytes;
use peerd_core::{Blob, ContentHash};

/// The bytes of a group; the last may be shorter. A power of two of BLAKE3's chunks, so that a group is a subtree.
pub const GROUP_BYTES: u64 = 1 << 20;

/// No content is longer, in bytes.
pub const SIZE_MAX: u64 = 1 << 40;

/// The bytes of one group's value in a stored or sent outline.
const VALUE_BYTES: usize = 32;

/// How many groups content of this size has: at least one.
pub fn groups_of(size: u64) -> u64 {
    size.div_ceil(GROUP_BYTES).max(1)
}

/// Where a group's bytes are in content of this size.
pub fn group_bytes(size: u64, group: u64) -> Range<u64> {
    let begin = group.saturating_mul(GROUP_BYTES).min(size);
    begin..begin.saturating_add(GROUP_BYTES).min(size)
}

/// The checked outline of some content.
#[derive(Clone, PartialEq, Eq)]
pub struct Outline {
    blob: Blob,
    /// The value of each group; of a single group it is the hash itself.
    groups: Arc<[ChainingValue]>,
}

impl Outline {
    /// The outline in these bytes, if it is the blob's.
    pub fn read(blob: Blob, bytes: &[u8]) -> Option<Outline> {
        let (values, rest) = bytes.as_chunks::<VALUE_BYTES>();
        let fits = blob.size <= SIZE_MAX && rest.is_empty() && values.len() as u64 == groups_of(blob.size);
        (fits && root(values) == *blob.hash.as_bytes()).then(|| Outline {
            blob,
            groups: values.into(),
        })
    }

    /// The outline of content that is a single group, which needs no more than its hash.
    pub fn single(blob: Blob) -> Option<Outline> {
        Outline::read(blob, blob.hash.as_bytes())
    }

    /// The blob.
    pub fn blob(&self) -> Blob {
        self.blob
    }

    /// How many groups there are.
    pub fn len(&self) -> u64 {
        self.groups.len() as u64
    }

    /// Never: also empty content has a group.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The outline as bytes: 32 for each group, in order.
    pub fn as_bytes(&self) -> &[u8] {
        self.groups.as_flattened()
    }

    /// Whether these pieces, one after the other, are this group.
    pub fn is_group(&self, group: u64, pieces: &[Bytes]) -> bool {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let place = group_bytes(self.blob.size, group);
        let Some(value) = usize::try_from(group).ok().and_then(|at| self.groups.get(at)) else {
            return false;
        };
        if length != place.end - place.start {
            return false;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(place.start);
        for piece in pieces {
            hasher.update(piece);
        }
        *value == value_of(&hasher, self.len() == 1)
    }
}

impl fmt::Debug for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outline").field(&self.blob).finish()
    }
}

fn value_of(hasher: &blake3::Hasher, alone: bool) -> ChainingValue {
    if alone {
        hasher.finalize().into()
    } else {
        hasher.finalize_non_root()
    }
}

/// The hash of the content whose groups have these values; there is at least one.
fn root(values: &[ChainingValue]) -> [u8; 32] {
    match values {
        [] => [0; 32],
        [alone] => *alone,
        _ => {
            let (left, right) = values.split_at(left_of(values.len()));
            merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).into()
        }
    }
}

fn subtree(values: &[ChainingValue]) -> ChainingValue {
    match values {
        [] => [0; 32],
        [alone] => *alone,
        _ => {
            let (left, right) = values.split_at(left_of(values.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// The left side of BLAKE3's tree is the largest power of two that leaves something for the right one.
fn left_of(groups: usize) -> usize {
    groups.next_power_of_two() / 2
}

/// Makes the outline of content that comes in order.
pub struct Outliner {
    size: u64,
    /// The group that is not full yet, or full and perhaps the only one.
    hasher: blake3::Hasher,
    groups: Vec<ChainingValue>,
}

impl Outliner {
    /// Of content of which these groups, all full, came already.
    pub(crate) fn after(groups: Vec<ChainingValue>) -> Outliner {
        let size = groups.len() as u64 * GROUP_BYTES;
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(size);
        Outliner { size, hasher, groups }
    }

    /// How many bytes came.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The values of the groups that are over, should more come.
    pub(crate) fn groups(&self) -> &[ChainingValue] {
        &self.groups
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let begun = self.groups.len() as u64 * GROUP_BYTES;
            if self.size - begun == GROUP_BYTES {
                self.groups.push(self.hasher.finalize_non_root());
                self.hasher = blake3::Hasher::new();
                self.hasher.set_input_offset(self.size);
                continue;
            }
            let room = usize::try_from(GROUP_BYTES - (self.size - begun)).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.hasher.update(now);
            self.size += now.len() as u64;
            bytes = later;
        }
    }

    /// The outline of all that came.
    pub fn finish(mut self) -> Outline {
        let open = self.size - self.groups.len() as u64 * GROUP_BYTES;
        if open > 0 || self.groups.is_empty() {
            let alone = self.groups.is_empty();
            self.groups.push(value_of(&self.hasher, alone));
        }
        Outline {
            blob: Blob {
                hash: ContentHash::from_bytes(root(&self.groups)),
                size: self.size,
            },
            groups: self.groups.into(),
        }
    }
}

impl Default for Outliner {
    fn default() -> Outliner {
        Outliner::after(Vec::new())
    }
}

impl fmt::Debug for Outliner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outliner")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
