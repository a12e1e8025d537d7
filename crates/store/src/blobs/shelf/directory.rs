//! Blobs as files of one directory. A file's name is the hash of its content; beside a large one lies its outline.
//!
//! A name appears by a rename of a file that is whole and synced, and then the directory is synced.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use peerd_core::{Blob, ContentHash, Time};

use super::{Shelf, Staged};
use crate::Error;
use crate::blobs::disk::{Names, Room, blocking, failed, if_there, make, touch, written_at};
use crate::blobs::{Content, GROUP_BYTES, Held, Outline, Outliner, corrupt, group_bytes};

/// So many groups are read ahead.
const AHEAD: usize = 2;

/// So many small contents are written and synced at once: a disk answers many who wait at the cost of few.
const SYNCS_MAX: usize = 32;

/// Blobs as files.
#[derive(Clone, Debug)]
pub(in crate::blobs) struct Directory(Arc<Files>);

#[derive(Debug)]
struct Files {
    held: PathBuf,
    spool: PathBuf,
    names: Names,
    room: Room,
    /// Numbers the files that are about to be moved in.
    next: AtomicU64,
    /// Held while a name appears, or goes because it is old.
    moving: Mutex<()>,
}

impl Directory {
    /// The blobs in `held`; what is about to be moved there is written in `spool`, on the same file system.
    pub(in crate::blobs) fn open(held: PathBuf, spool: PathBuf, room: Room) -> Result<Directory, Error> {
        make(&held)?;
        Ok(Directory(Arc::new(Files {
            names: Names::of(held.clone()),
            held,
            spool,
            room,
            next: AtomicU64::new(0),
            moving: Mutex::new(()),
        })))
    }
}

impl Files {
    fn content(&self, hash: &ContentHash) -> PathBuf {
        self.held.join(hash.to_string())
    }

    fn outline(&self, hash: &ContentHash) -> PathBuf {
        self.held.join(format!("{hash}.outline"))
    }

    /// A file in the spool that nobody else has; what a crash leaves of it is removed at the next start.
    fn fresh(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.spool.join(format!("{number}.new"))
    }

    fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error> {
        let found = if_there(fs::metadata(self.content(hash)))?;
        Ok(found.map(|found| Held {
            blob: Blob {
                hash: *hash,
                size: found.len(),
            },
            kept_at: written_at(&found),
        }))
    }

    fn open(&self, hash: &ContentHash) -> Result<Option<(File, Outline)>, Error> {
        let Some(file) = if_there(File::open(self.content(hash)))? else {
            return Ok(None);
        };
        let size = file.metadata().map_err(failed)?.len();
        let blob = Blob { hash: *hash, size };
        if size <= GROUP_BYTES {
            return Ok(Outline::single(blob).map(|outline| (file, outline)));
        }
        let stored = if_there(fs::read(self.outline(hash)))?;
        let outline = match stored.and_then(|bytes| Outline::read(blob, &bytes)) {
            Some(outline) => outline,
            // Lost or damaged: the content says it again, or is damaged itself.
            None => outline_of(&file).map_err(failed)?,
        };
        if outline.blob() != blob {
            return Err(corrupt(hash));
        }
        Ok(Some((file, outline)))
    }

    /// Moves a synced file, written to just now, to its name.
    fn move_in(&self, path: &Path, hash: &ContentHash) -> Result<(), Error> {
        let place = self.content(hash);
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = if_there(fs::metadata(&place))?;
        fs::rename(path, &place).map_err(failed)?;
        self.room.give_back(replaced.map_or(0, |found| found.len()));
        Ok(())
    }

    fn place(&self, staged: &Staged) -> Result<(), Error> {
        let Staged { path, outline } = staged;
        let hash = outline.blob().hash;
        if outline.len() > 1 {
            let fresh = self.fresh();
            write_synced(&fresh, outline.as_bytes())?;
            fs::rename(&fresh, self.outline(&hash)).map_err(failed)?;
        }
        let file = File::open(path).map_err(failed)?;
        touch(&file)?;
        file.sync_all().map_err(failed)?;
        self.move_in(path, &hash)
    }

    fn keep(&self, hash: &ContentHash, content: &[u8]) -> Result<(), Error> {
        let size = content.len() as u64;
        if self.is_renewed(hash, size)? {
            return Ok(());
        }
        self.room.take(size)?;
        let fresh = self.fresh();
        let kept = write_synced(&fresh, content).and_then(|()| self.move_in(&fresh, hash));
        if kept.is_err() {
            self.room.give_back(size);
            // Most likely it was never there; if it stays, the next start removes it.
            let _ = fs::remove_file(&fresh);
        }
        kept
    }

    /// Whether content is here, of this size; then it counts as having come in now.
    fn is_renewed(&self, hash: &ContentHash, size: u64) -> Result<bool, Error> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = if_there(File::open(self.content(hash)))? else {
            return Ok(false);
        };
        touch(&file)?;
        Ok(file.metadata().map_err(failed)?.len() == size)
    }

    fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error> {
        let mut first = BTreeSet::new();
        for entry in fs::read_dir(&self.held).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(hash) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if after.is_none_or(|after| after < hash) {
                first.insert(hash);
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        let stats = first.iter().map(|hash| self.stat(hash));
        stats.filter_map(Result::transpose).collect()
    }

    fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = self.stat(hash)?.filter(|held| held.kept_at < kept_before) else {
            return Ok(false);
        };
        // A name that is back after a crash does no harm.
        if_there(fs::remove_file(self.content(hash)))?;
        if_there(fs::remove_file(self.outline(hash)))?;
        self.room.give_back(held.blob.size);
        Ok(true)
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed)
}

fn outline_of(mut file: &File) -> std::io::Result<Outline> {
    let mut outliner = Outliner::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(outliner.finish()),
            read => outliner.push(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// The part of a group that is in the range, checked with the whole group.
fn read_group(file: &File, outline: &Outline, group: u64, range: &Range<u64>) -> Result<Bytes, Error> {
    let Blob { hash, size } = outline.blob();
    let place = group_bytes(size, group);
    let length = usize::try_from(place.end - place.start).map_err(|_| corrupt(&hash))?;
    let mut buffer = vec![0; length];
    match file.read_exact_at(&mut buffer, place.start) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(corrupt(&hash)),
        read => read.map_err(failed)?,
    }
    let whole = Bytes::from(buffer);
    if !outline.is_group(group, std::slice::from_ref(&whole)) {
        return Err(corrupt(&hash));
    }
    let at =
        |offset: u64| usize::try_from(offset.clamp(place.start, place.end) - place.start).unwrap_or(length);
    Ok(whole.slice(at(range.start)..at(range.end)))
}

#[async_trait]
impl Shelf for Directory {
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error> {
        let (files, hash) = (Arc::clone(&self.0), *hash);
        blocking(move || files.stat(&hash)).await
    }

    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error> {
        let (files, hash) = (Arc::clone(&self.0), *hash);
        let opened = blocking(move || files.open(&hash)).await?;
        Ok(opened.map(|(_, outline)| outline))
    }

    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error> {
        let (files, hash) = (Arc::clone(&self.0), *hash);
        let Some((file, outline)) = blocking(move || files.open(&hash)).await? else {
            return Ok(None);
        };
        let size = outline.blob().size;
        let range = range.start.min(size)..range.end.min(size);
        let groups = range.start / GROUP_BYTES..range.end.div_ceil(GROUP_BYTES);
        let opened = Arc::new((file, outline));
        // An empty blob has a group too: nothing stands for nothing only when that is what was kept.
        let groups = if size == 0 { 0..1 } else { groups };
        let pieces = stream::iter(groups).map(move |group| {
            let (opened, range) = (Arc::clone(&opened), range.clone());
            blocking(move || read_group(&opened.0, &opened.1, group, &range))
        });
        let pieces = pieces.buffered(AHEAD);
        let pieces = pieces.try_filter(|piece| std::future::ready(!piece.is_empty()));
        Ok(Some(pieces.boxed()))
    }

    async fn place(&self, staged: Staged) -> Result<(), Error> {
        let files = Arc::clone(&self.0);
        blocking(move || files.place(&staged)).await?;
        self.0.names.sync().await
    }

    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<(), Error> {
        let kept = stream::iter(contents).map(|(hash, content)| {
            let files = Arc::clone(&self.0);
            Ok(blocking(move || files.keep(&hash, &content)))
        });
        kept.try_buffer_unordered(SYNCS_MAX).try_collect::<()>().await?;
        self.0.names.sync().await
    }

    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error> {
        let files = Arc::clone(&self.0);
        blocking(move || files.list(after, limit)).await
    }

    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error> {
        let (files, hash) = (Arc::clone(&self.0), *hash);
        blocking(move || files.remove(&hash, kept_before)).await
    }
}
