//! Content of artifacts: it follows the bundle that told of its artifact.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use peerd_core::Blob;
use peerd_core::link::Form;
use peerd_node::Error;
use peerd_node::exchange::blobs::{Ask, BlobExporter, CarriedContent, ContentTaken, Part, What, groups_of};
use peerd_node::relay::{RelayContent, Spooled};
use tokio::sync::mpsc;

use super::link::Running;
use super::writing::{About, Draft};
use crate::record::{ContentPart, PartOf};
use crate::{CannotWrite, Records};

/// A bundle of content has about so many bytes, where the link allows as many.
const BUNDLE_BYTES: u64 = 8 << 20;
/// So many small contents go in one bundle.
const CONTENTS_MAX: usize = 64;
/// Content is moved in groups of so many bytes.
const GROUP_BYTES: u64 = 1 << 20;
/// Content goes over links whose bundles hold a group and what is around it.
const BUNDLE_BYTES_LEAST: u64 = GROUP_BYTES + (256 << 10);
/// An outline goes with every bundle of its content; one that is longer would be most of it.
const OUTLINE_BYTES_MAX: u64 = 1 << 20;
/// So many parts wait while content is read.
const PARTS_WAITING_MAX: usize = 8;

/// What is to follow.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) due: VecDeque<RelayContent>,
    exporter: BlobExporter,
    number: u64,
}

impl Content {
    pub(super) fn new(exporter: BlobExporter, known: Vec<RelayContent>) -> Content {
        let unfinished = |content: &RelayContent| content.next < groups_of(content.content.size);
        Content {
            due: known.into_iter().filter(unfinished).collect(),
            exporter,
            number: 0,
        }
    }
}

impl Running {
    /// Whether there is content to write.
    pub(super) fn has_content(&self) -> bool {
        !self.content.due.is_empty() && self.has_room()
    }

    /// Writes the next bundle of content.
    pub(super) async fn send_content(&mut self) -> Result<(), Error> {
        let most = raw_bytes_max(self.set.form, self.set.limits.bundle_bytes_max);
        let budget = (most - most / 4).clamp(GROUP_BYTES, BUNDLE_BYTES);
        let (mut parts, mut progress, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = self.content.due.pop_front() {
            let Blob { size, .. } = next.content;
            let groups = groups_of(size);
            let outline = groups * 32;
            if most < BUNDLE_BYTES_LEAST || outline > OUTLINE_BYTES_MAX {
                let (artifact, connection) = (&next.artifact, next.connection);
                tracing::warn!(%connection, artifact, size, "content is too large for this link's bundles");
                progress.push(RelayContent { next: groups, ..next });
                continue;
            }
            let each = size.min(GROUP_BYTES);
            let room = (budget.saturating_sub(bytes) / each.max(1)).min(groups - next.next);
            if room == 0 || progress.len() == CONTENTS_MAX {
                self.content.due.push_front(next);
                break;
            }
            let Some(read) = self.read_content(&next, room).await? else {
                // It is offered no more; should it be again, its artifact is said again.
                self.shared.node.relay_content_over(&next).await?;
                continue;
            };
            bytes += room * each;
            parts.extend(read);
            let after = RelayContent {
                next: next.next + room,
                ..next
            };
            if after.next < groups {
                self.content.due.push_front(after.clone());
                progress.push(after);
                break;
            }
            progress.push(after);
        }
        self.write_content(parts, progress).await
    }

    async fn write_content(
        &mut self,
        parts: Vec<ContentPart>,
        progress: Vec<RelayContent>,
    ) -> Result<(), Error> {
        if progress.is_empty() {
            return Ok(());
        }
        let about = About {
            with: Spooled {
                content: progress,
                ..Spooled::default()
            },
            ..About::default()
        };
        let written = self
            .write_lasting(Draft::plain(Records::Content(parts)), about)
            .await?;
        written
            .map(drop)
            .map_err(|error: CannotWrite| Error::new(error.reason(), error.to_string()))
    }

    /// The outline, where one is needed, and these groups. `None`: it is not offered now.
    async fn read_content(
        &mut self,
        content: &RelayContent,
        groups: u64,
    ) -> Result<Option<Vec<ContentPart>>, Error> {
        let mut parts = Vec::new();
        if groups_of(content.content.size) > 1 {
            let Some(outline) = self.fetch(content, What::Outline).await? else {
                return Ok(None);
            };
            parts.extend(cut(content, PartOf::Outline, &outline));
        }
        for group in content.next..content.next + groups {
            let Some(bytes) = self.fetch(content, What::Groups(group..group + 1)).await? else {
                return Ok(None);
            };
            parts.extend(cut(content, PartOf::Group(group), &bytes));
        }
        Ok(Some(parts))
    }

    async fn fetch(&mut self, content: &RelayContent, what: What) -> Result<Option<Bytes>, Error> {
        self.content.number += 1;
        let ask = Ask {
            number: self.content.number,
            connection: content.connection,
            artifact: content.artifact.clone(),
            blob: content.content,
            what,
        };
        let (here, mut coming) = mpsc::channel(PARTS_WAITING_MAX);
        let exporter = &mut self.content.exporter;
        let answering = async move { exporter.answer(&ask, &here).await };
        let taking = async {
            let (mut bytes, mut refused) = (Vec::new(), false);
            while let Some(Part { piece, reason, .. }) = coming.recv().await {
                bytes.extend_from_slice(&piece);
                refused |= reason.is_some();
            }
            (!refused).then(|| Bytes::from(bytes))
        };
        let (answered, taken) = tokio::join!(answering, taking);
        answered.map(|()| taken)
    }

    /// Takes content that came. Answers whether it has to wait.
    pub(super) async fn take_content(
        &mut self,
        parts: Vec<ContentPart>,
        complete: bool,
    ) -> Result<bool, Error> {
        for carried in together(parts) {
            let taken = self
                .shared
                .node
                .take_carried_content(&self.peer, &carried, complete)
                .await?;
            let (artifact, connection) = (&carried.artifact, carried.connection);
            match taken {
                ContentTaken::Kept | ContentTaken::LetGo => {}
                ContentTaken::Waits => return Ok(true),
                ContentTaken::Wrong => {
                    self.counts.refused += 1;
                    tracing::warn!(%connection, artifact, "content is not what it is said to be");
                }
            }
        }
        Ok(false)
    }
}

/// What a bundle of so many bytes holds before it is written in this form.
const fn raw_bytes_max(form: Form, bytes: u64) -> u64 {
    match form {
        Form::Sealed => bytes,
        // Four letters say three bytes.
        Form::Xml => bytes / 4 * 3,
    }
}

/// Cuts bytes into records.
fn cut(content: &RelayContent, of: PartOf, bytes: &Bytes) -> Vec<ContentPart> {
    let count = bytes.len().div_ceil(ContentPart::BYTES_MAX).max(1);
    let part = |number: usize| {
        let from = number * ContentPart::BYTES_MAX;
        ContentPart {
            connection: content.connection,
            artifact: content.artifact.clone(),
            blob: content.content,
            of,
            offset: from as u64,
            bytes: bytes.slice(from..bytes.len().min(from + ContentPart::BYTES_MAX)),
            last: number + 1 == count,
        }
    };
    (0..count).map(part).collect()
}

/// Puts the parts of each content together; what is not whole is left out.
fn together(parts: Vec<ContentPart>) -> Vec<CarriedContent> {
    type Pieces = BTreeMap<u64, (Bytes, bool)>;
    let mut contents: Vec<(CarriedContent, BTreeMap<PartOf, Pieces>)> = Vec::new();
    for part in parts {
        let same = contents.iter().position(|(one, _)| {
            one.connection == part.connection && one.artifact == part.artifact && one.blob == part.blob
        });
        let place = same.unwrap_or_else(|| {
            let carried = CarriedContent {
                connection: part.connection,
                artifact: part.artifact.clone(),
                blob: part.blob,
                outline: None,
                groups: Vec::new(),
            };
            contents.push((carried, BTreeMap::new()));
            contents.len() - 1
        });
        if let Some((_, pieces)) = contents.get_mut(place) {
            pieces
                .entry(part.of)
                .or_default()
                .insert(part.offset, (part.bytes, part.last));
        }
    }
    let whole = |(mut carried, parts): (CarriedContent, BTreeMap<PartOf, Pieces>)| {
        for (of, pieces) in parts {
            let Some(pieces) = in_order(pieces) else { continue };
            match of {
                PartOf::Outline => carried.outline = Some(pieces.concat().into()),
                PartOf::Group(group) => carried.groups.push((group, pieces)),
            }
        }
        carried
    };
    contents.into_iter().map(whole).collect()
}

/// The pieces in order, if none is missing.
fn in_order(pieces: BTreeMap<u64, (Bytes, bool)>) -> Option<Vec<Bytes>> {
    let (mut next, mut ended, mut all) = (0, false, Vec::new());
    for (offset, (bytes, last)) in pieces {
        if offset != next || ended {
            return None;
        }
        next += bytes.len() as u64;
        ended = last;
        all.push(bytes);
    }
    ended.then_some(all)
}

#[cfg(test)]
mod tests {
    use peerd_core::{ConnectionId, ContentHash, LinkId};

    use super::*;

    fn content(size: u64) -> RelayContent {
        RelayContent {
            link: LinkId::from_bytes([1; 16]),
            connection: ConnectionId::from_bytes([2; 16]),
            artifact: "a".to_owned(),
            content: Blob {
                hash: ContentHash::from_bytes([3; 32]),
                size,
            },
            next: 0,
        }
    }

    #[test]
    fn what_is_cut_comes_together_in_any_order_and_a_hole_shows() {
        let bytes: Bytes = (0..2_500_000_u32)
            .map(|n| n.to_be_bytes()[3])
            .collect::<Vec<u8>>()
            .into();
        let outline = Bytes::from_static(&[7; 96]);
        let mut parts = cut(&content(bytes.len() as u64), PartOf::Group(0), &bytes);
        parts.extend(cut(&content(bytes.len() as u64), PartOf::Outline, &outline));
        parts.reverse();
        let whole = together(parts.clone());
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].outline, Some(outline));
        assert_eq!(whole[0].groups[0].1.concat(), bytes);
        for missing in 1..parts.len() {
            let mut fewer = parts.clone();
            fewer.remove(missing);
            assert!(together(fewer)[0].groups.is_empty(), "{missing}");
        }
        let empty = together(cut(&content(0), PartOf::Group(0), &Bytes::new()));
        assert_eq!(empty[0].groups, [(0, vec![Bytes::new()])]);
    }
}
