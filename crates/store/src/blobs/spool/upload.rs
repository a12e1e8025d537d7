//! An upload as a file, and beside it the values of the groups that are durable.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use peerd_core::Blob;

use super::{Claim, FLUSH_BYTES, open_file};
use crate::Error;
use crate::blobs::disk::{blocking, failed};
use crate::blobs::shelf::{Shelf, Staged};
use crate::blobs::{GROUP_BYTES, Outliner, SIZE_MAX, Upload};

/// The bytes of one group's value.
const VALUE_BYTES: u64 = 32;

/// Nothing yet.
const NO_VALUE: [u8; 32] = [0; 32];

/// An open upload.
#[derive(Debug)]
pub(in crate::blobs) struct SpooledUpload {
    /// `None` after an error: what is on the disk then is found out by opening it anew.
    draft: Option<Draft>,
    keeper: Arc<dyn Shelf>,
}

#[derive(Debug)]
struct Draft {
    content: File,
    values: File,
    outliner: Outliner,
    /// Bytes of content that may not be on the disk yet.
    unflushed: u64,
    claim: Claim,
}

impl SpooledUpload {
    pub(super) fn open(claim: Claim, keeper: Arc<dyn Shelf>) -> Result<SpooledUpload, Error> {
        let content = open_file(&claim.spool.upload_path(claim.id))?;
        let values = open_file(&claim.spool.values_path(claim.id))?;
        let length = content.metadata().map_err(failed)?.len();
        let known = values.metadata().map_err(failed)?.len() / VALUE_BYTES;
        let whole = known.min(length / GROUP_BYTES);
        let mut groups = vec![NO_VALUE; usize::try_from(whole).unwrap_or(0)];
        values
            .read_exact_at(groups.as_flattened_mut(), 0)
            .map_err(failed)?;
        // Whether the last one is followed by another is not known: it is hashed as the last, again.
        let last = groups.pop().map(|_| whole - 1);
        let mut outliner = Outliner::after(groups);
        if let Some(last) = last {
            let mut buffer = vec![0; usize::try_from(GROUP_BYTES).unwrap_or(0)];
            content
                .read_exact_at(&mut buffer, last * GROUP_BYTES)
                .map_err(failed)?;
            outliner.push(&buffer);
        }
        content.set_len(outliner.size()).map_err(failed)?;
        claim.spool.room.give_back(length - outliner.size());
        let draft = Draft {
            content,
            values,
            outliner,
            unflushed: 0,
            claim,
        };
        Ok(SpooledUpload {
            draft: Some(draft),
            keeper,
        })
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Draft) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut draft = self.draft.take().ok_or_else(broken)?;
        let (draft, done) = blocking(move || {
            let done = work(&mut draft)?;
            Ok((draft, done))
        })
        .await?;
        self.draft = Some(draft);
        Ok(done)
    }
}

impl Draft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = bytes.len() as u64;
        let at = self.outliner.size();
        if at + length > SIZE_MAX {
            return Err(Error::Full("content may not be so long".into()));
        }
        let room = &self.claim.spool.room;
        room.take(length)?;
        if let Err(error) = self.content.write_all_at(bytes, at) {
            // Counted as what the file's length says: opening it anew gives back what it cuts off.
            let grown = self
                .content
                .metadata()
                .map_or(0, |found| found.len().saturating_sub(at));
            room.give_back(length.saturating_sub(grown));
            return Err(failed(error));
        }
        self.outliner.push(bytes);
        self.unflushed += length;
        if self.unflushed >= FLUSH_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, Error> {
        let groups = self.outliner.groups();
        let known = self.values.metadata().map_err(failed)?.len() / VALUE_BYTES;
        let new = groups
            .get(usize::try_from(known).unwrap_or(usize::MAX)..)
            .unwrap_or_default();
        if self.unflushed > 0 {
            self.content.sync_data().map_err(failed)?;
            self.unflushed = 0;
        }
        if !new.is_empty() {
            // After the content: a value that is there is that of bytes that are there.
            let at = known * VALUE_BYTES;
            self.values.write_all_at(new.as_flattened(), at).map_err(failed)?;
            self.values.sync_data().map_err(failed)?;
        }
        Ok(groups.len() as u64 * GROUP_BYTES)
    }
}

#[async_trait]
impl Upload for SpooledUpload {
    fn offset(&self) -> u64 {
        self.draft.as_ref().map_or(0, |draft| draft.outliner.size())
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.with(move |draft| draft.write(&bytes)).await
    }

    async fn sync(&mut self) -> Result<u64, Error> {
        self.with(Draft::sync).await
    }

    async fn finish(mut self: Box<Self>) -> Result<Blob, Error> {
        let Draft { outliner, claim, .. } = self.draft.take().ok_or_else(broken)?;
        let outline = outliner.finish();
        let blob = outline.blob();
        let path = claim.spool.upload_path(claim.id);
        self.keeper.place(Staged { path, outline }).await?;
        // Without the content it means nothing; what a crash leaves is found among the leftovers.
        let values = claim.spool.values_path(claim.id);
        blocking(move || std::fs::remove_file(values).map_err(failed)).await?;
        drop(claim);
        Ok(blob)
    }
}

fn broken() -> Error {
    Error::Unavailable("the upload failed before".into())
}
