//! What both directories of a link have in common: how a file gets there whole, and what is in there.
//!
//! All of it blocks; a task calls it where blocking is allowed.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The longest name of a file that is looked at, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// A directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} could not be {action}", path.display())]
pub struct Broken {
    /// The file or directory.
    pub path: PathBuf,
    /// What was tried: `read`, `written`.
    pub action: &'static str,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Broken {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Broken {
        Broken::during(path, "read")
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Broken {
        Broken::during(path, "written")
    }

    fn during(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Broken {
        let path = path.to_owned();
        move |source| Broken { path, action, source }
    }
}

/// How many files a directory holds, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Regular files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A regular file as it was seen in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// What changes when it is written to or replaced: its inode and the time of its last change.
    pub(crate) mark: (u64, i64, i64),
}

/// What is in a directory. `odd` counts what is no regular file with a name of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Seen>,
    pub(crate) odd: usize,
    /// Whether there was more than was looked at.
    pub(crate) cut: bool,
}

impl Listing {
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            files: self.files.len(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// The files of a directory by name, at most so many entries. What is being written (a name with a dot in front, or
/// that ends like the temporary names of copying programs) is left out; what vanishes meanwhile too.
pub(crate) fn list(dir: &Path, entries_max: usize) -> Result<Listing, Broken> {
    let mut listing = Listing::default();
    let entries = std::fs::read_dir(dir).map_err(Broken::reading(dir))?;
    for (place, entry) in entries.enumerate() {
        if place >= entries_max {
            listing.cut = true;
            break;
        }
        let entry = entry.map_err(Broken::reading(dir))?;
        // Of the entry itself: a symbolic link is never followed.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        match entry.file_name().into_string() {
            Ok(name) if is_unfinished(&name) => {}
            Ok(name) if metadata.is_file() && name.len() <= NAME_BYTES_MAX => listing.files.push(Seen {
                name,
                bytes: metadata.len(),
                mark: (metadata.ino(), metadata.mtime(), metadata.mtime_nsec()),
            }),
            _ => listing.odd += 1,
        }
    }
    listing.files.sort_by(|one, next| one.name.cmp(&next.name));
    Ok(listing)
}

fn is_unfinished(name: &str) -> bool {
    let endings = [".tmp", ".part", ".partial", ".filepart", "~"];
    name.starts_with('.') || endings.iter().any(|ending| name.ends_with(ending))
}

/// Makes the directory if it is not there, for its owner only.
pub(crate) fn ensure(dir: &Path) -> Result<(), Broken> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(Broken::writing(dir))
}

/// Writes a file that appears whole and on stable storage, or not at all. One of the same name is replaced.
pub(crate) fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), Broken> {
    let path = dir.join(name);
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".bundle-")
            .suffix(".tmp")
            .tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(Broken::writing(&path))
}

/// Takes a file away; one that is gone already is gone.
pub(crate) fn remove(dir: &Path, name: &str) -> Result<(), Broken> {
    let path = dir.join(name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Broken::writing(&path)(error)),
        _ => Ok(()),
    }
}

/// Whether a text is the name of one file in a directory: no path, nothing hidden, not too long.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.contains(['/', '\0'])
        && name != "."
        && name != ".."
        && !is_unfinished(name)
}
