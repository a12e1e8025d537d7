//! Opening a data directory: its lock, its format, and making it so that a kill at any moment leaves either nothing
//! or a whole store.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use crate::Error;
use crate::embedded::Options;
use crate::embedded::disk::Disk;

/// The layout this version writes and reads. Raised whenever an earlier version could no longer read it.
const FORMAT: u32 = 1;

const LOCK: &str = "lock";
const STORE: &str = "store";
/// A store in the making. Only ever seen after a kill, and worth nothing then.
const STAGED: &str = "store.new";
const FORMAT_FILE: &str = "format";
const ENGINE: &str = "fjall";

/// The whole format file is `peerd store` and the number.
const FORMAT_WORDS: &str = "peerd store ";
const FORMAT_FILE_BYTES_MAX: u64 = 64;

pub(super) fn open(path: &Path, options: &Options) -> Result<Disk, Error> {
    make(path).map_err(unavailable)?;
    let lock = lock(path)?;
    let store = path.join(STORE);
    if !store.try_exists().map_err(unavailable)? {
        create(path, options)?;
    }
    check_format(&store.join(FORMAT_FILE))?;
    Disk::open(&store.join(ENGINE), options, lock)
}

fn lock(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(LOCK))
        .map_err(unavailable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Unavailable(
            format!("{} is in use by another process", path.display()).into(),
        )),
        Err(TryLockError::Error(error)) => Err(unavailable(error)),
    }
}

/// Makes a store beside its place and moves it there when it is whole: the engine cannot finish what a kill left
/// half made.
fn create(path: &Path, options: &Options) -> Result<(), Error> {
    begin(path)?;
    Disk::create(&path.join(STAGED).join(ENGINE), options)?;
    finish(path)
}

/// Begins a store beside its place, in a directory that has none, and opens it. [`finish`] puts it in its place.
pub(super) fn stage(path: &Path, options: &Options) -> Result<Disk, Error> {
    make(path).map_err(unavailable)?;
    let lock = lock(path)?;
    if path.join(STORE).try_exists().map_err(unavailable)? {
        return Err(Error::Unavailable(
            format!("{} has a store already", path.display()).into(),
        ));
    }
    begin(path)?;
    Disk::open(&path.join(STAGED).join(ENGINE), options, lock)
}

fn begin(path: &Path) -> Result<(), Error> {
    let staged = path.join(STAGED);
    let begin = || {
        match fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => make(&staged)?,
        }
        let mut format = File::create_new(staged.join(FORMAT_FILE))?;
        writeln!(format, "{FORMAT_WORDS}{FORMAT}")?;
        format.sync_all()
    };
    begin().map_err(unavailable)
}

/// Moves what is whole and closed to its place.
pub(super) fn finish(path: &Path) -> Result<(), Error> {
    let staged = path.join(STAGED);
    let finish = || {
        sync_directory(&staged)?;
        fs::rename(&staged, path.join(STORE))?;
        sync_directory(path)
    };
    finish().map_err(unavailable)
}

fn check_format(path: &Path) -> Result<(), Error> {
    let damaged = |source| Error::Corrupt {
        what: format!("{} does not name a format", path.display()),
        source,
    };
    let text = read_short(path).map_err(|error| damaged(Some(error.into())))?;
    let number = text
        .strip_prefix(FORMAT_WORDS)
        .and_then(|n| n.trim_end().parse::<u32>().ok());
    match number {
        Some(FORMAT) => Ok(()),
        Some(newer) if newer > FORMAT => Err(Error::Corrupt {
            what: format!(
                "{}: format {newer}, and this version reads up to {FORMAT}: upgrade",
                path.display()
            ),
            source: None,
        }),
        _ => Err(damaged(None)),
    }
}

fn read_short(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(FORMAT_FILE_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Makes a directory that only its owner may enter; one that is there stays as it is.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn unavailable(error: io::Error) -> Error {
    if error.kind() == ErrorKind::StorageFull {
        return Error::Full(error.into());
    }
    Error::Unavailable(error.into())
}
