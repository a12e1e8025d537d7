//! Groups of known content as a file with holes.
//!
//! Which groups are there is not written down: after a restart each is hashed, and what is what it should be stays.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{FLUSH_BYTES, Spool, open_file};
use crate::Error;
use crate::blobs::disk::{blocking, failed};
use crate::blobs::shelf::{Shelf, Staged};
use crate::blobs::{Outline, Partial, group_bytes};

/// An open partial.
#[derive(Debug)]
pub(in crate::blobs) struct SpooledPartial {
    inner: Arc<Inner>,
    keeper: Arc<dyn Shelf>,
    /// Whether it was placed; held while it is.
    placed: tokio::sync::Mutex<bool>,
}

#[derive(Debug)]
struct Inner {
    spool: Arc<Spool>,
    outline: Outline,
    file: File,
    missing: Mutex<BTreeSet<u64>>,
    bytes: AtomicU64,
    /// Bytes written since the file was last given to the disk.
    unflushed: AtomicU64,
}

impl SpooledPartial {
    pub(super) async fn open(
        spool: Arc<Spool>,
        outline: Outline,
        keeper: Arc<dyn Shelf>,
    ) -> Result<SpooledPartial, Error> {
        let inner = blocking(move || Inner::open(spool, outline)).await?;
        Ok(SpooledPartial {
            inner: Arc::new(inner),
            keeper,
            placed: tokio::sync::Mutex::new(false),
        })
    }
}

impl Inner {
    fn open(spool: Arc<Spool>, outline: Outline) -> Result<Inner, Error> {
        let blob = outline.blob();
        let path = spool.partial_path(&blob.hash);
        let file = open_file(&path)?;
        let found = file.metadata().map_err(failed)?;
        // The room for all of it is taken at once: to run out of it at the end would help nobody.
        spool.room.give_back(found.len());
        if let Err(error) = spool
            .room
            .take(blob.size)
            .and_then(|()| file.set_len(blob.size).map_err(failed))
        {
            // What is there is counted again, as it is found at the next start.
            let _ = spool.room.take(found.len());
            return Err(error);
        }
        let inner = Inner {
            missing: Mutex::new((0..outline.len()).collect()),
            bytes: AtomicU64::new(0),
            unflushed: AtomicU64::new(0),
            spool,
            outline,
            file,
        };
        if found.blocks() > 0 {
            inner.recall()?;
        }
        Ok(inner)
    }

    /// Finds out which groups are there.
    fn recall(&self) -> Result<(), Error> {
        for group in 0..self.outline.len() {
            let place = group_bytes(self.outline.blob().size, group);
            let mut buffer = vec![0; usize::try_from(place.end - place.start).unwrap_or(0)];
            self.file
                .read_exact_at(&mut buffer, place.start)
                .map_err(failed)?;
            if self.outline.is_group(group, &[buffer.into()]) {
                self.have(group);
            }
        }
        Ok(())
    }

    fn have(&self, group: u64) {
        if self.missing().remove(&group) {
            let place = group_bytes(self.outline.blob().size, group);
            self.bytes.fetch_add(place.end - place.start, Ordering::Relaxed);
        }
    }

    fn missing(&self) -> std::sync::MutexGuard<'_, BTreeSet<u64>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, group: u64, pieces: &[Bytes]) -> Result<bool, Error> {
        if !self.outline.is_group(group, pieces) {
            return Ok(false);
        }
        if !self.missing().contains(&group) {
            return Ok(true);
        }
        let mut at = group_bytes(self.outline.blob().size, group).start;
        let begin = at;
        for piece in pieces {
            self.file.write_all_at(piece, at).map_err(failed)?;
            at += piece.len() as u64;
        }
        self.have(group);
        let unflushed = self.unflushed.fetch_add(at - begin, Ordering::Relaxed) + (at - begin);
        if unflushed >= FLUSH_BYTES {
            self.unflushed.store(0, Ordering::Relaxed);
            self.file.sync_data().map_err(failed)?;
        }
        Ok(true)
    }
}

#[async_trait]
impl Partial for SpooledPartial {
    fn outline(&self) -> &Outline {
        &self.inner.outline
    }

    fn missing(&self) -> Vec<u64> {
        self.inner.missing().iter().copied().collect()
    }

    fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }

    async fn write(&self, group: u64, pieces: Vec<Bytes>) -> Result<bool, Error> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.write(group, &pieces)).await
    }

    async fn complete(&self) -> Result<(), Error> {
        let mut placed = self.placed.lock().await;
        if *placed {
            return Ok(());
        }
        if !self.inner.missing().is_empty() {
            return Err(Error::Unavailable("the content is not whole yet".into()));
        }
        let Inner { spool, outline, .. } = &*self.inner;
        let path = spool.partial_path(&outline.blob().hash);
        let outline = outline.clone();
        self.keeper.place(Staged { path, outline }).await?;
        *placed = true;
        Ok(())
    }
}
