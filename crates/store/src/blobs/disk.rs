//! What all files of content have in common.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use peerd_core::Time;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use tokio::sync::Mutex;

use crate::Error;

/// Runs work that blocks its thread beside the tasks.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::Unavailable(error.into())))
}

/// What an error of the system means.
pub(super) fn failed(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::Full(error.into())
        }
        _ => Error::Unavailable(error.into()),
    }
}

/// `None` when there is no such file.
pub(super) fn if_there<T>(found: io::Result<T>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Makes a directory that only its owner may enter, with those above it, so that it is there after a crash.
pub(super) fn make(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path).map_err(failed)?;
    match path.parent() {
        Some(above) => File::open(above)
            .and_then(|above| above.sync_all())
            .map_err(failed),
        None => Ok(()),
    }
}

/// When a file was last written.
pub(super) fn written_at(found: &fs::Metadata) -> Time {
    let since = found
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Time::EPOCH.plus(since.unwrap_or_default())
}

/// Dates a file to now.
pub(super) fn touch(file: &File) -> Result<(), Error> {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let now = Timestamps {
        last_access: at(UTIME_OMIT),
        last_modification: at(UTIME_NOW),
    };
    rustix::fs::futimens(file, &now).map_err(|error| failed(error.into()))
}

/// The names in one directory. Many who wait for theirs to be durable wait for one sync together.
#[derive(Debug)]
pub(super) struct Names {
    directory: PathBuf,
    asked: AtomicU64,
    /// How many of those who asked have been answered.
    synced: Mutex<u64>,
}

impl Names {
    pub(super) fn of(directory: PathBuf) -> Names {
        Names {
            directory,
            asked: AtomicU64::new(0),
            synced: Mutex::new(0),
        }
    }

    /// Names that were there before this call are durable after it.
    pub(super) async fn sync(&self) -> Result<(), Error> {
        let ours = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut synced = self.synced.lock().await;
        if *synced >= ours {
            return Ok(());
        }
        let all = self.asked.load(Ordering::SeqCst);
        let directory = self.directory.clone();
        blocking(move || {
            let directory = File::open(directory).map_err(failed)?;
            directory.sync_all().map_err(failed)
        })
        .await?;
        *synced = all;
        Ok(())
    }
}

/// The room that content may take.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    bytes_max: u64,
    bytes: AtomicU64,
}

impl Room {
    pub(super) fn of(bytes_max: Option<u64>, bytes: u64) -> Room {
        Room(Arc::new(Taken {
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            bytes: AtomicU64::new(bytes),
        }))
    }

    /// Takes room, or none when there is not enough.
    pub(super) fn take(&self, bytes: u64) -> Result<(), Error> {
        let Taken {
            bytes_max,
            bytes: all,
        } = &*self.0;
        let more = |taken: u64| taken.checked_add(bytes).filter(|sum| sum <= bytes_max);
        match all.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Full("content takes all the room that it may take".into())),
        }
    }

    pub(super) fn give_back(&self, bytes: u64) {
        let less = |taken: u64| Some(taken.saturating_sub(bytes));
        // Always answers with something: there is nothing to refuse.
        let _ = self
            .0
            .bytes
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }
}
