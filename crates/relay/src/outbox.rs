//! Where bundles are put for whoever carries them.

use std::path::{Path, PathBuf};

use peerd_core::Reason;

use crate::directory::{self, Broken, Usage};

/// How many entries of an outbox are counted; there is a quota on bytes, and no file of ours is empty.
const ENTRIES_MAX: usize = 1 << 20;

/// Why a bundle was not put there.
#[derive(Debug, thiserror::Error)]
pub enum CannotPut {
    /// Nobody collects: the outbox holds as many bytes as it may.
    #[error("the outbox holds {used} bytes, and {quota} is the most")]
    Full {
        /// What it holds.
        used: u64,
        /// What it may hold.
        quota: u64,
    },
    /// The name is no file's name.
    #[error("not the name of a bundle's file")]
    Name,
    /// The directory failed.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl CannotPut {
    /// The stable word for it.
    pub const fn reason(&self) -> Reason {
        match self {
            CannotPut::Full { .. } => Reason::OutboxFull,
            CannotPut::Name => Reason::Internal,
            CannotPut::Broken(_) => Reason::StoreUnavailable,
        }
    }
}

/// A directory that bundles are put into. Who carries them takes them away.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
    quota_bytes: u64,
}

impl Outbox {
    /// The outbox in this directory, which is made if it is not there. What an interrupted write left there goes.
    pub fn open(dir: &Path, quota_bytes: u64) -> Result<Outbox, Broken> {
        directory::ensure(dir)?;
        for entry in std::fs::read_dir(dir).map_err(Broken::reading(dir))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(".bundle-") && name.ends_with(".tmp") {
                directory::remove(dir, &name)?;
            }
        }
        Ok(Outbox {
            dir: dir.to_owned(),
            quota_bytes,
        })
    }

    /// Puts a file there, whole and on stable storage, unless there would be too much then. One of the same name is
    /// replaced.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), CannotPut> {
        if !directory::is_name(name) {
            return Err(CannotPut::Name);
        }
        let used = self.usage()?.bytes;
        if used.saturating_add(bytes.len() as u64) > self.quota_bytes {
            return Err(CannotPut::Full {
                used,
                quota: self.quota_bytes,
            });
        }
        Ok(directory::write(&self.dir, name, bytes)?)
    }

    /// Whether a file of this name still waits to be collected.
    pub fn holds(&self, name: &str) -> bool {
        directory::is_name(name) && self.dir.join(name).symlink_metadata().is_ok()
    }

    /// Takes a file away that need not be carried any longer.
    pub fn remove(&self, name: &str) -> Result<(), CannotPut> {
        if !directory::is_name(name) {
            return Err(CannotPut::Name);
        }
        Ok(directory::remove(&self.dir, name)?)
    }

    /// What waits to be collected.
    pub fn usage(&self) -> Result<Usage, Broken> {
        Ok(directory::list(&self.dir, ENTRIES_MAX)?.usage())
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
