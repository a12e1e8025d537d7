//! The two files of an identity on disk: written whole or not at all, never over something else, owner only.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::Error;

/// No key or certificate of ours comes near this; what is larger is not one.
const FILE_BYTES_MAX: usize = 16 * 1024;

/// Makes the directory if it is not there, for its owner only.
pub(crate) fn ensure_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| failed(dir, "written", source))
}

/// Writes a new file with mode 0600. It appears complete and on stable storage, or not at all; an existing one stays.
pub(crate) fn write_new(dir: &Path, name: &str, content: &[u8]) -> Result<(), Error> {
    let path = dir.join(name);
    let write = || -> std::io::Result<()> {
        // The temporary file is 0600 from its creation and vanishes if anything below fails.
        let mut file = tempfile::Builder::new()
            .prefix(name)
            .suffix(".tmp")
            .tempfile_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
        _ => failed(&path, "written", source),
    })
}

/// Removes a file if it is there, durably.
pub(crate) fn remove(dir: &Path, name: &str) -> Result<(), Error> {
    let path = dir.join(name);
    match std::fs::remove_file(&path) {
        Ok(()) => File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|source| failed(&path, "removed", source)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed(&path, "removed", source)),
    }
}

/// Reads a whole small file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(std::mem::take(&mut *read_open(path, &open(path)?)?))
}

/// Reads a whole small file that only its owner may access; others' access to it is an error.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let file = open(path)?;
    // Asked of the open file, so that what was checked is what is read.
    let metadata = file.metadata().map_err(|source| failed(path, "read", source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyExposed {
            path: path.to_owned(),
            mode,
        });
    }
    read_open(path, &file)
}

/// The PEM form of a DER value.
pub(crate) fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64.encode(der));
    // Reserved at once: a growing string would leave copies of a key behind.
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 2 + 2 * label.len() + 64));
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => Error::Missing {
            path: path.to_owned(),
        },
        _ => failed(path, "read", source),
    })
}

fn read_open(path: &Path, file: &File) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Room for all of it at once, so that no copy of a key is left behind where the buffer was before it grew.
    let mut content = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
    let mut bounded = file.take(FILE_BYTES_MAX as u64 + 1);
    bounded
        .read_to_end(&mut content)
        .map_err(|source| failed(path, "read", source))?;
    if content.len() > FILE_BYTES_MAX {
        return Err(failed(path, "read", ErrorKind::FileTooLarge.into()));
    }
    Ok(content)
}

fn failed(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        action,
        source,
    }
}
