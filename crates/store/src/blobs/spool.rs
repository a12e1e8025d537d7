//! Content that is on its way in, as files of a local directory.
//!
//! Names: `ID.upload` and `ID.values` for an upload, `HASH.partial` for groups of known content, `N.new` for files that
//! are about to be moved elsewhere and mean nothing after a restart.

mod partial;
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use peerd_core::{ContentHash, UploadId};

pub(super) use partial::SpooledPartial;
pub(super) use upload::SpooledUpload;

use super::disk::{Room, failed, if_there, make, written_at};
use super::shelf::Shelf;
use super::{Begun, Leftover, Outline};
use crate::Error;

/// What is written is given to the disk after so many bytes, so that little is left to wait for at the end.
const FLUSH_BYTES: u64 = 32 << 20;

/// The directory of what is on its way in.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    pub(super) room: Room,
    uploads: Mutex<BTreeSet<UploadId>>,
    /// Held while one is opened, which reads what is there.
    partials: tokio::sync::Mutex<BTreeMap<ContentHash, Weak<SpooledPartial>>>,
    /// The directory is this process's alone.
    _lock: File,
}

impl Spool {
    pub(super) fn open(path: PathBuf, room: Room) -> Result<Spool, Error> {
        make(&path)?;
        let lock = lock(&path.join("lock"))?;
        for entry in fs::read_dir(&path).map_err(failed)? {
            let found = entry.map_err(failed)?.path();
            if found.extension().is_some_and(|extension| extension == "new") {
                if_there(fs::remove_file(found))?;
            }
        }
        Ok(Spool {
            path,
            room,
            uploads: Mutex::default(),
            partials: tokio::sync::Mutex::default(),
            _lock: lock,
        })
    }

    pub(super) fn upload(
        self: &Arc<Spool>,
        id: UploadId,
        keeper: Arc<dyn Shelf>,
    ) -> Result<SpooledUpload, Error> {
        if !self.uploads().insert(id) {
            return Err(Error::Unavailable("the upload is being written to".into()));
        }
        let claim = Claim {
            spool: Arc::clone(self),
            id,
        };
        SpooledUpload::open(claim, keeper)
    }

    pub(super) async fn partial(
        self: &Arc<Spool>,
        outline: &Outline,
        keeper: Arc<dyn Shelf>,
    ) -> Result<Arc<SpooledPartial>, Error> {
        let mut partials = self.partials.lock().await;
        partials.retain(|_, open| open.strong_count() > 0);
        let hash = outline.blob().hash;
        if let Some(open) = partials.get(&hash).and_then(Weak::upgrade) {
            return Ok(open);
        }
        let opened = SpooledPartial::open(Arc::clone(self), outline.clone(), keeper).await?;
        let opened = Arc::new(opened);
        partials.insert(hash, Arc::downgrade(&opened));
        Ok(opened)
    }

    pub(super) async fn abandon(&self, begun: Begun) -> Result<(), Error> {
        match begun {
            Begun::Upload(id) => {
                let uploads = self.uploads();
                if !uploads.contains(&id) {
                    self.discard(&self.upload_path(id))?;
                    self.discard(&self.values_path(id))?;
                }
            }
            Begun::Partial(hash) => {
                let partials = self.partials.lock().await;
                if partials.get(&hash).is_none_or(|open| open.strong_count() == 0) {
                    self.discard(&self.partial_path(&hash))?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let mut leftovers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (Some(begun), Some(found)) = (begun(&entry.path()), if_there(entry.metadata())?) else {
                continue;
            };
            leftovers.push(Leftover {
                begun,
                touched_at: written_at(&found),
            });
        }
        Ok(leftovers)
    }

    fn uploads(&self) -> std::sync::MutexGuard<'_, BTreeSet<UploadId>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a file and gives its room back.
    fn discard(&self, path: &Path) -> Result<(), Error> {
        if let Some(found) = if_there(fs::metadata(path))? {
            fs::remove_file(path).map_err(failed)?;
            self.room.give_back(found.len());
        }
        Ok(())
    }

    fn upload_path(&self, id: UploadId) -> PathBuf {
        self.path.join(format!("{id}.upload"))
    }

    fn values_path(&self, id: UploadId) -> PathBuf {
        self.path.join(format!("{id}.values"))
    }

    fn partial_path(&self, hash: &ContentHash) -> PathBuf {
        self.path.join(format!("{hash}.partial"))
    }
}

/// The one writer of an upload.
#[derive(Debug)]
struct Claim {
    spool: Arc<Spool>,
    id: UploadId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.spool.uploads().remove(&self.id);
    }
}

fn begun(path: &Path) -> Option<Begun> {
    let name = path.file_stem()?.to_str()?;
    match path.extension()?.to_str()? {
        "upload" => name.parse().ok().map(Begun::Upload),
        "partial" => name.parse().ok().map(Begun::Partial),
        _ => None,
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Unavailable(
            format!("{} is in use by another process", path.display()).into(),
        )),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A file to read and write, made when it is not there.
fn open_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path);
    file.map_err(failed)
}
