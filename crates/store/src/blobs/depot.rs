//! Blobs that are begun in a local directory and kept on a shelf.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use peerd_core::{ContentHash, Time, UploadId};

use super::disk::{Room, blocking, failed};
use super::shelf::{Directory, Shelf};
use super::spool::Spool;
use super::{Begun, Blobs, Content, GROUP_BYTES, Held, Leftover, Outline, Partial, Upload};
use crate::Error;

/// How a depot is kept.
#[derive(Clone, Debug, Default)]
pub struct DepotOptions {
    /// At most so many bytes of content, whole or on its way; without it, as many as there is room for.
    pub bytes_max: Option<u64>,
}

/// A store of content.
#[derive(Debug)]
pub struct Depot {
    spool: Arc<Spool>,
    keeper: Arc<dyn Shelf>,
}

impl Depot {
    /// Content in a local directory, which is made if it is not there. Blocks its thread.
    pub fn local(path: &Path, options: &DepotOptions) -> Result<Depot, Error> {
        let (held, spool) = (path.join("held"), path.join("spool"));
        let taken = match options.bytes_max {
            Some(_) => bytes_in(&held)? + bytes_in(&spool)?,
            None => 0,
        };
        let room = Room::of(options.bytes_max, taken);
        let opened = Spool::open(spool.clone(), room.clone())?;
        Ok(Depot {
            keeper: Arc::new(Directory::open(held, spool, room)?),
            spool: Arc::new(opened),
        })
    }
}

/// The bytes of all content in a directory.
fn bytes_in(path: &PathBuf) -> Result<u64, Error> {
    if !path.try_exists().map_err(failed)? {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let side = entry
            .path()
            .extension()
            .is_some_and(|end| end == "outline" || end == "values" || end == "new");
        if !side {
            bytes += entry.metadata().map_err(failed)?.len();
        }
    }
    Ok(bytes)
}

/// Whether it is what it is said to be.
fn is_right((hash, content): &(ContentHash, Bytes)) -> bool {
    content.len() as u64 <= GROUP_BYTES && blake3::hash(content).as_bytes() == hash.as_bytes()
}

#[async_trait]
impl Blobs for Depot {
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error> {
        self.keeper.stat(hash).await
    }

    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error> {
        self.keeper.outline(hash).await
    }

    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error> {
        self.keeper.read(hash, range).await
    }

    async fn upload(&self, id: UploadId) -> Result<Box<dyn Upload>, Error> {
        let (spool, keeper) = (Arc::clone(&self.spool), Arc::clone(&self.keeper));
        let upload = blocking(move || spool.upload(id, keeper)).await?;
        Ok(Box::new(upload))
    }

    async fn partial(&self, outline: &Outline) -> Result<Arc<dyn Partial>, Error> {
        let partial = self.spool.partial(outline, Arc::clone(&self.keeper)).await?;
        Ok(partial)
    }

    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<Vec<ContentHash>, Error> {
        let (right, wrong): (Vec<_>, Vec<_>) =
            blocking(move || Ok(contents.into_iter().partition(is_right))).await?;
        self.keeper.keep(right).await?;
        Ok(wrong.into_iter().map(|(hash, _)| hash).collect())
    }

    async fn abandon(&self, begun: Begun) -> Result<(), Error> {
        self.spool.abandon(begun).await
    }

    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error> {
        self.keeper.list(after, limit).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let spool = Arc::clone(&self.spool);
        blocking(move || spool.leftovers()).await
    }

    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error> {
        self.keeper.remove(hash, kept_before).await
    }
}

#[cfg(test)]
mod tests;
