//! Small files of the data directory: they appear whole, for their owner only, or not at all.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Writes a new file with mode 0600; one that is there already stays and is an error.
pub(crate) fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = parent(path)?;
    written(dir, content)?.persist_noclobber(path)?;
    sync_dir(dir)
}

/// Writes a file with mode 0600 in the place of the one that may be there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = parent(path)?;
    written(dir, content)?.persist(path)?;
    sync_dir(dir)
}

/// Begins a large file beside its place, 0600. It vanishes unless [`finish`] puts it there.
pub(crate) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".peerd-")
        .suffix(".tmp")
        .tempfile_in(parent(path)?)
}

/// Puts a file that was begun in its place; one that is there already stays and is an error.
pub(crate) fn finish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    sync_dir(parent(path)?)
}

/// A temporary file is 0600 from its creation and vanishes if what follows fails.
fn written(dir: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = begin(&dir.join("_"))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Reads a small text that only its owner may read. The text is not in any error.
pub(crate) fn read_secret(path: &Path) -> io::Result<Zeroizing<String>> {
    const BYTES_MAX: u64 = 4096;
    let file = File::open(path)?;
    // Asked of the open file, so that what was checked is what is read.
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        let told = "others than its owner may access it (chmod 600)";
        return Err(io::Error::new(ErrorKind::PermissionDenied, told));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| ErrorKind::InvalidInput.into())
}
