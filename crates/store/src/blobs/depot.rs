//! Blobs that are begun in a local directory and kept on a shelf.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use peerd_core::{ContentHash, Time, UploadId};

use super::disk::{Room, blocking, failed};
use super::shelf::{Directory, Objects, Shelf};
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

/// Which service keeps content, and as whom it is asked.
#[derive(Clone)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects start with; may be empty.
    pub prefix: String,
    /// Where the service is, when it is not the usual one.
    pub endpoint: Option<String>,
    /// The region; the environment's when there is none.
    pub region: Option<String>,
    /// The id and the secret of an access key; without it the environment says them, as for every client of such a
    /// service.
    pub access_key: Option<(String, String)>,
}

/// Without the secret.
impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Depot {
    /// Content as objects of a service, and what is on its way in a local directory. Blocks its thread; the service is
    /// not asked yet.
    pub fn s3(path: &Path, options: &DepotOptions, s3: S3) -> Result<Depot, Error> {
        let S3 {
            bucket,
            prefix,
            endpoint,
            region,
            access_key,
        } = s3;
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        if let Some(endpoint) = endpoint {
            builder = builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint);
        }
        if let Some(region) = region {
            builder = builder.with_region(region);
        }
        if let Some((id, secret)) = access_key {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let service = builder
            .build()
            .map_err(|error| Error::Unavailable(error.into()))?;
        Depot::objects(path, options, Arc::new(service), &prefix)
    }

    fn objects(
        path: &Path,
        options: &DepotOptions,
        service: Arc<dyn ObjectStore>,
        prefix: &str,
    ) -> Result<Depot, Error> {
        let spool = path.join("spool");
        let taken = bytes_in(&spool)?;
        let opened = Spool::open(spool, Room::of(options.bytes_max, taken))?;
        Ok(Depot {
            spool: Arc::new(opened),
            keeper: Arc::new(Objects::new(service, prefix.into())),
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
