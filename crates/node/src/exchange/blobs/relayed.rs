//! Content over a data relay: it is not asked for, but follows the artifact that refers to it.

use bytes::Bytes;
use peerd_core::artifact::Artifact;
use peerd_core::policy::{DataType, Direction};
use peerd_core::{Blob, ConnectionId, LinkId, Reason};
use peerd_store::blobs::{Outline, groups_of};
use peerd_store::records::RelayContent;
use peerd_store::{Records as _, Table};

use super::source::flow_of;
use crate::exchange::{Change, Flow, Item, item};
use crate::object::stored::{Stored, key_in};
use crate::peer::Peer;
use crate::{Error, Node};

/// Parts of one content that came in a bundle.
#[derive(Clone, Debug)]
pub struct CarriedContent {
    /// The connection.
    pub connection: ConnectionId,
    /// The artifact's key.
    pub artifact: String,
    /// The content.
    pub blob: Blob,
    /// The bytes of its outline; content of a single group needs none.
    pub outline: Option<Bytes>,
    /// Whole groups, each in pieces.
    pub groups: Vec<(u64, Vec<Bytes>)>,
}

/// What became of parts of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentTaken {
    /// They are here.
    Kept,
    /// The artifact may still come, or policy does not let it in now.
    Waits,
    /// Nothing here refers to that content.
    LetGo,
    /// They are not what they are said to be.
    Wrong,
}

impl Node {
    /// Content that is to follow these items of artifacts, as far as it did not go already.
    pub async fn content_following(
        &self,
        link: LinkId,
        flow: &Flow,
        items: &[Item],
    ) -> Result<Vec<RelayContent>, Error> {
        if flow.data() != DataType::Artifacts {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        for one in items {
            let Change::State(bytes) = &one.change else {
                continue;
            };
            let Ok((_, state)) = item::decode(bytes) else {
                continue;
            };
            let Some(artifact) = Artifact::of(&state).ok().flatten() else {
                continue;
            };
            let key = RelayContent::key_of(link, flow.connection, &one.key);
            let known = self.store.find::<RelayContent>(&key).await?;
            if known.is_some_and(|known| known.record.content == artifact.content) {
                continue;
            }
            due.push(RelayContent {
                link,
                connection: flow.connection,
                artifact: one.key.clone(),
                content: artifact.content,
                next: 0,
            });
        }
        Ok(due)
    }

    /// Takes parts of content that came. `complete` says that nothing which was written before them can still come.
    pub async fn take_carried_content(
        &self,
        peer: &Peer,
        carried: &CarriedContent,
        complete: bool,
    ) -> Result<ContentTaken, Error> {
        let connection = match self.connection_of(peer, carried.connection).await {
            Ok(connection) => connection,
            Err(error) if error.reason() == Reason::NotFound => return Ok(ContentTaken::LetGo),
            Err(error) => return Err(error),
        };
        if connection.stage.is_final() {
            return Ok(ContentTaken::LetGo);
        }
        let permit = self.permit_flow(connection.remote, Direction::Import, DataType::Artifacts);
        let terms = self.import_terms(&flow_of(carried.connection)).await?;
        let (Ok(_permit), Some(terms)) = (permit, terms) else {
            return Ok(ContentTaken::Waits);
        };
        let absent = if complete {
            ContentTaken::LetGo
        } else {
            ContentTaken::Waits
        };
        let entry = self
            .store
            .read(Table::Objects, &key_in(&terms.feed, &carried.artifact))
            .await?;
        let Some(entry) = entry else { return Ok(absent) };
        let stored = Stored::decode(&entry.value)?;
        // Content of an artifact that came over another connection is not this one's to bring.
        let theirs = stored.provenance.via.is_none_or(|via| via == carried.connection);
        let wanted = Artifact::of(&stored.state).ok().flatten();
        if !theirs || wanted.is_none_or(|artifact| artifact.content != carried.blob) {
            return Ok(absent);
        }
        self.keep_carried(carried).await
    }

    async fn keep_carried(&self, carried: &CarriedContent) -> Result<ContentTaken, Error> {
        let blob = carried.blob;
        if self.blobs.stat(&blob.hash).await?.is_some() {
            return Ok(ContentTaken::Kept);
        }
        if groups_of(blob.size) == 1 {
            let [(0, pieces)] = carried.groups.as_slice() else {
                return Ok(ContentTaken::Wrong);
            };
            let bytes: Vec<u8> = pieces.iter().flatten().copied().collect();
            if bytes.len() as u64 != blob.size {
                return Ok(ContentTaken::Wrong);
            }
            let wrong = self.blobs.keep(vec![(blob.hash, bytes.into())]).await?;
            return Ok(self.came(blob, wrong.is_empty()));
        }
        let outline = carried.outline.as_ref();
        let Some(outline) = outline.and_then(|bytes| Outline::read(blob, bytes)) else {
            return Ok(ContentTaken::Wrong);
        };
        let partial = self.blobs.partial(&outline).await?;
        let mut right = true;
        for (group, pieces) in &carried.groups {
            right &= partial.write(*group, pieces.clone()).await?;
        }
        if partial.missing().is_empty() {
            partial.complete().await?;
        }
        Ok(self.came(blob, right))
    }

    fn came(&self, blob: Blob, right: bool) -> ContentTaken {
        self.transfers.came(blob.size);
        self.progress.moved();
        if right {
            ContentTaken::Kept
        } else {
            ContentTaken::Wrong
        }
    }
}
