//! Where bundles arrive. Anybody who can write there is a stranger.
//!
//! A file is read when it has not changed between two looks that are some time apart. What is read is what was checked:
//! the file is opened once, never through a symbolic link, never waiting for a writer at the other end of a pipe, and
//! never beyond its limit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use peerd_core::Time;
use rustix::fs::{Mode, OFlags};

use crate::Refused;
use crate::directory::{self, Broken, Seen, Usage};

mod quarantine;
mod watch;

pub use watch::Watch;

/// How much an inbox may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxLimits {
    /// The most entries that are looked at.
    pub files_max: usize,
    /// The most bytes that may lie there before it counts as full.
    pub bytes_max: u64,
    /// The largest file that is read.
    pub bundle_bytes_max: usize,
    /// The most files in quarantine; the oldest go first. A file and its reason are two.
    pub quarantine_files_max: usize,
    /// The most bytes in quarantine.
    pub quarantine_bytes_max: u64,
    /// How long a file must not have changed before it is read.
    pub settle: Duration,
}

impl Default for InboxLimits {
    fn default() -> InboxLimits {
        InboxLimits {
            files_max: 65_536,
            bytes_max: 16 << 30,
            bundle_bytes_max: 16 << 20,
            quarantine_files_max: 2_000,
            quarantine_bytes_max: 1 << 30,
            settle: Duration::from_millis(200),
        }
    }
}

/// A file that can be read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its name. Nothing is believed that a name says.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// What a look into the inbox found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What can be read now, by name.
    pub arrived: Vec<Arrival>,
    /// How many files still change, or were not there the last time.
    pub unsettled: usize,
    /// How many entries are no regular files of a usable name. They are left alone.
    pub odd: usize,
    /// Whether it holds more than it may. What was looked at is read all the same: reading is what makes it emptier.
    pub full: bool,
    /// What it holds.
    pub usage: Usage,
}

/// Why a file cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum CannotTake {
    /// It is gone: somebody took it away, or it is being replaced.
    #[error("the file is gone")]
    Gone,
    /// It changed while it was read.
    #[error("the file changes")]
    Changes,
    /// It is no regular file.
    #[error("not a regular file")]
    NoFile,
    /// It is larger than a bundle may be.
    #[error("the file has {bytes} bytes, and {max} is the most")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The limit.
        max: usize,
    },
    /// The directory failed.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// A directory that bundles arrive in.
#[derive(Debug)]
pub struct Inbox {
    dir: PathBuf,
    quarantine: PathBuf,
    limits: InboxLimits,
    /// Each file as it was last seen, and since when it is so.
    seen: BTreeMap<String, (Seen, Time)>,
}

impl Inbox {
    /// The inbox in this directory, which is made if it is not there. What is refused goes to `quarantine`, which should
    /// be on the same file system.
    pub fn open(dir: &Path, quarantine: &Path, limits: InboxLimits) -> Result<Inbox, Broken> {
        directory::ensure(dir)?;
        directory::ensure(quarantine)?;
        Ok(Inbox {
            dir: dir.to_owned(),
            quarantine: quarantine.to_owned(),
            limits,
            seen: BTreeMap::new(),
        })
    }

    /// Looks what is there, at this moment. What arrived is what has not changed since a look that is long enough ago.
    pub fn look(&mut self, now: Time) -> Result<Look, Broken> {
        let listing = directory::list(&self.dir, self.limits.files_max)?;
        let usage = listing.usage();
        let mut look = Look {
            odd: listing.odd,
            full: listing.cut || usage.bytes > self.limits.bytes_max,
            usage,
            ..Look::default()
        };
        let mut seen = BTreeMap::new();
        for file in listing.files {
            let since = match self.seen.remove(&file.name) {
                Some((before, since)) if before == file => since,
                _ => now,
            };
            if now.since(since) >= self.limits.settle {
                look.arrived.push(Arrival {
                    name: file.name.clone(),
                    bytes: file.bytes,
                });
            } else {
                look.unsettled += 1;
            }
            seen.insert(file.name.clone(), (file, since));
        }
        self.seen = seen;
        Ok(look)
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Result<Bytes, CannotTake> {
        if !directory::is_name(name) {
            return Err(CannotTake::NoFile);
        }
        let path = self.dir.join(name);
        let file = open(&path)?;
        let before = file.metadata().map_err(Broken::reading(&path))?;
        let max = self.limits.bundle_bytes_max;
        if !before.is_file() {
            return Err(CannotTake::NoFile);
        }
        if before.len() > max as u64 {
            return Err(CannotTake::TooLarge {
                bytes: before.len(),
                max,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
        (&file)
            .take(max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(Broken::reading(&path))?;
        let after = file.metadata().map_err(Broken::reading(&path))?;
        let time = |of: &std::fs::Metadata| (of.mtime(), of.mtime_nsec());
        if bytes.len() as u64 != before.len() || time(&before) != time(&after) {
            return Err(CannotTake::Changes);
        }
        Ok(bytes.into())
    }

    /// Takes a file away that was taken.
    pub fn remove(&mut self, name: &str) -> Result<(), Broken> {
        self.seen.remove(name);
        if directory::is_name(name) {
            directory::remove(&self.dir, name)?;
        }
        Ok(())
    }

    /// Puts a file aside, with the reason beside it. The oldest in quarantine go when there is too much.
    pub fn quarantine(&mut self, name: &str, refused: &Refused, now: Time) -> Result<(), Broken> {
        self.seen.remove(name);
        if !directory::is_name(name) {
            return Ok(());
        }
        let bytes = self.read(name).ok();
        quarantine::put(
            &self.dir.join(name),
            &self.quarantine,
            (name, refused, now),
            bytes.as_deref(),
        )?;
        quarantine::shrink(&self.quarantine, &self.limits)
    }

    /// What is in quarantine, files and reasons.
    pub fn quarantined(&self) -> Result<Usage, Broken> {
        Ok(directory::list(&self.quarantine, usize::MAX)?.usage())
    }

    /// Tells when something may have arrived.
    pub fn watch(&self, poll: Duration) -> Watch {
        Watch::over(&self.dir, poll)
    }

    /// How long a file must not have changed before it is read.
    pub fn settle(&self) -> Duration {
        self.limits.settle
    }
}

fn open(path: &Path) -> Result<File, CannotTake> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(file.into()),
        Err(rustix::io::Errno::NOENT) => Err(CannotTake::Gone),
        // A symbolic link where a file is expected, or a socket.
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => Err(CannotTake::NoFile),
        Err(error) => Err(Broken::reading(path)(error.into()).into()),
    }
}
