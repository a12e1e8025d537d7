//! Blobs as objects of an object store, such as S3. An object's name is the hash of its content; beside a large one lies
//! its outline, which is there first.
//!
//! What the service acknowledged is durable by its contract. Content is sent from the spool when it is whole, so that an
//! object is never seen half.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use peerd_core::{Blob, ContentHash, Time};
use tokio::io::AsyncReadExt as _;
use tokio::sync::RwLock;

use super::{Shelf, Staged};
use crate::Error;
use crate::blobs::disk::failed;
use crate::blobs::{Content, GROUP_BYTES, Held, Outline, Outliner, corrupt, group_bytes};

/// So many groups are read ahead.
const AHEAD: usize = 4;
/// So many small contents are sent at once.
const PUTS_MAX: usize = 16;
/// So many parts of a large one.
const PARTS_AT_ONCE: usize = 2;
/// The least bytes of a part, and the most parts that a service takes.
const PART_BYTES: u64 = 8 << 20;
const PARTS_MAX: u64 = 9_000;

/// Blobs as objects.
#[derive(Clone)]
pub(in crate::blobs) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Held by whoever puts; alone by whoever removes what is old, so that both see one another's doings whole.
    moving: Arc<RwLock<()>>,
}

/// The service may have secrets of ours.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Objects {
    pub(in crate::blobs) fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Objects {
        Objects {
            store,
            prefix,
            moving: Arc::default(),
        }
    }

    fn content(&self, hash: &ContentHash) -> Path {
        self.prefix.clone().join(hash.to_string())
    }

    fn outline_of(&self, hash: &ContentHash) -> Path {
        self.prefix.clone().join(format!("{hash}.outline"))
    }

    async fn known(&self, hash: &ContentHash) -> Result<Option<Outline>, Error> {
        let Some(held) = self.stat(hash).await? else {
            return Ok(None);
        };
        if held.blob.size <= GROUP_BYTES {
            return Ok(Outline::single(held.blob));
        }
        let stored = match if_there(self.store.get(&self.outline_of(hash)).await)? {
            Some(found) => Some(found.bytes().await.map_err(unavailable)?),
            None => None,
        };
        if let Some(outline) = stored.and_then(|bytes| Outline::read(held.blob, &bytes)) {
            return Ok(Some(outline));
        }
        // Lost or damaged: the content says it again, or is damaged itself.
        let Some(found) = if_there(self.store.get(&self.content(hash)).await)? else {
            return Ok(None);
        };
        let (mut pieces, mut outliner) = (found.into_stream(), Outliner::default());
        while let Some(piece) = pieces.try_next().await.map_err(unavailable)? {
            outliner.push(&piece);
        }
        let outline = outliner.finish();
        if outline.blob() != held.blob {
            return Err(corrupt(hash));
        }
        Ok(Some(outline))
    }

    async fn put(&self, at: &Path, bytes: Bytes) -> Result<(), Error> {
        self.store
            .put(at, bytes.into())
            .await
            .map(drop)
            .map_err(unavailable)
    }

    /// Sends a large file in parts.
    async fn send(&self, at: &Path, mut file: tokio::fs::File, size: u64) -> Result<(), Error> {
        let part = size.div_ceil(PARTS_MAX).max(PART_BYTES);
        let part = usize::try_from(part).unwrap_or(usize::MAX);
        let upload = self.store.put_multipart(at).await.map_err(unavailable)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
        let mut buffer = vec![0; usize::try_from(GROUP_BYTES).unwrap_or(1 << 20)];
        loop {
            let read = match file.read(&mut buffer).await {
                Ok(read) => read,
                Err(error) => {
                    upload.abort().await.map_err(unavailable)?;
                    return Err(failed(error));
                }
            };
            if read == 0 {
                break;
            }
            upload
                .wait_for_capacity(PARTS_AT_ONCE)
                .await
                .map_err(unavailable)?;
            upload.write(buffer.get(..read).unwrap_or_default());
        }
        upload.finish().await.map(drop).map_err(unavailable)
    }
}

fn held(hash: ContentHash, found: &ObjectMeta) -> Held {
    Held {
        blob: Blob {
            hash,
            size: found.size,
        },
        kept_at: Time::from_micros(found.last_modified.timestamp_micros()),
    }
}

fn unavailable(error: object_store::Error) -> Error {
    Error::Unavailable(error.into())
}

fn if_there<T>(found: object_store::Result<T>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(unavailable(error)),
    }
}

#[async_trait]
impl Shelf for Objects {
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error> {
        let found = if_there(self.store.head(&self.content(hash)).await)?;
        Ok(found.map(|found| held(*hash, &found)))
    }

    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error> {
        self.known(hash).await
    }

    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error> {
        let Some(outline) = self.known(hash).await? else {
            return Ok(None);
        };
        let Blob { hash, size } = outline.blob();
        let range = range.start.min(size)..range.end.min(size);
        let groups = range.start / GROUP_BYTES..range.end.div_ceil(GROUP_BYTES);
        let (store, at, outline) = (Arc::clone(&self.store), self.content(&hash), Arc::new(outline));
        let pieces = stream::iter(groups).map(move |group| {
            let (store, at, outline, range) = (
                Arc::clone(&store),
                at.clone(),
                Arc::clone(&outline),
                range.clone(),
            );
            async move {
                let place = group_bytes(size, group);
                let whole = store.get_range(&at, place.clone()).await.map_err(unavailable)?;
                if !outline.is_group(group, std::slice::from_ref(&whole)) {
                    return Err(corrupt(&hash));
                }
                let within = |offset: u64| offset.clamp(place.start, place.end) - place.start;
                let within = |offset| usize::try_from(within(offset)).unwrap_or(whole.len());
                Ok(whole.slice(within(range.start)..within(range.end)))
            }
        });
        let pieces = pieces.buffered(AHEAD);
        let pieces = pieces.try_filter(|piece| std::future::ready(!piece.is_empty()));
        Ok(Some(pieces.boxed()))
    }

    async fn place(&self, staged: Staged) -> Result<(), Error> {
        let Staged { path, outline } = staged;
        let Blob { hash, size } = outline.blob();
        let _moving = self.moving.read().await;
        if outline.len() > 1 {
            let bytes = Bytes::copy_from_slice(outline.as_bytes());
            self.put(&self.outline_of(&hash), bytes).await?;
        }
        let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
        if size <= PART_BYTES {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).await.map_err(failed)?;
            self.put(&self.content(&hash), bytes.into()).await?;
        } else {
            self.send(&self.content(&hash), file, size).await?;
        }
        tokio::fs::remove_file(&path).await.map_err(failed)
    }

    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<(), Error> {
        let _moving = self.moving.read().await;
        let puts = stream::iter(contents).map(|(hash, content)| {
            let at = self.content(&hash);
            Ok(async move { self.put(&at, content).await })
        });
        puts.try_buffer_unordered(PUTS_MAX).try_collect().await
    }

    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error> {
        let objects = match after {
            Some(after) => self
                .store
                .list_with_offset(Some(&self.prefix), &self.content(&after)),
            None => self.store.list(Some(&self.prefix)),
        };
        let blobs = objects.map_err(unavailable).try_filter_map(|found| {
            let hash = found.location.filename().and_then(|name| name.parse().ok());
            std::future::ready(Ok(hash.map(|hash| held(hash, &found))))
        });
        blobs.take(limit).try_collect().await
    }

    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error> {
        let _moving = self.moving.write().await;
        let old = self
            .stat(hash)
            .await?
            .is_some_and(|held| held.kept_at < kept_before);
        if old {
            if_there(self.store.delete(&self.content(hash)).await)?;
            if_there(self.store.delete(&self.outline_of(hash)).await)?;
        }
        Ok(old)
    }
}
