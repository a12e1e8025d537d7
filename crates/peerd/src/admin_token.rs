//! The first admin's token: made with the enrollment, read once by its first start.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use peerd_core::Rng;
use peerd_core::authz::Token;
use zeroize::Zeroizing;

use crate::files;

/// The name of the file in the data directory.
pub const FILE: &str = "admin.token";

/// A token and its line end are 59 bytes; what is longer is not one.
const FILE_BYTES_MAX: usize = 64;

/// Why the admin token could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("{} has mode {mode:04o}; it must be accessible to its owner only (chmod 600)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("{} does not hold a token", path.display())]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

/// Makes the token and writes it to a new file, mode 0600.
pub(crate) fn create(data_dir: &Path, rng: &dyn Rng) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill(&mut *bytes);
    let mut line = Token::from_bytes(*bytes).expose();
    line.push('\n');
    files::create(&data_dir.join(FILE), line.as_bytes())
}

/// Reads the token; `None` when the file is not there, as operators may remove it once they have others.
pub fn read(data_dir: &Path) -> Result<Option<Token>, Error> {
    read_file(&data_dir.join(FILE))
}

/// Reads a token from a file that only its owner may read; `None` when it is not there.
pub(crate) fn read_file(path: &Path) -> Result<Option<Token>, Error> {
    let path = path.to_owned();
    let unreadable = |source| Error::Unreadable {
        path: path.clone(),
        source,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Asked of the open file, so that what was checked is what is read.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { path, mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX));
    match file.take(FILE_BYTES_MAX as u64).read_to_string(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(Error::NotAToken { path }),
        Err(error) => return Err(unreadable(error)),
    }
    let token = text.trim_end().parse().map_err(|_| Error::NotAToken { path })?;
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use peerd_identity::OsRng;

    use super::*;

    #[test]
    fn a_token_is_read_back_as_it_was_made() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(read(dir.path()), Ok(None)));
        create(dir.path(), &OsRng).expect("written");
        let text = fs::read_to_string(dir.path().join(FILE)).expect("readable");
        let token = read(dir.path()).expect("readable").expect("there");
        assert_eq!(text.trim_end(), &*token.expose());
        assert_eq!(
            create(dir.path(), &OsRng).expect_err("never overwritten").kind(),
            ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn a_token_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        create(dir.path(), &OsRng).expect("written");
        let path = dir.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
        assert!(matches!(
            read(dir.path()),
            Err(Error::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn b007_an_error_never_shows_what_the_file_holds() {
        let dir = tempfile::tempdir().expect("a directory");
        for content in ["", "peerd_hunter2", &"a".repeat(1000), "é".repeat(32).as_str()] {
            let path = dir.path().join(FILE);
            files::replace(&path, content.as_bytes()).expect("written");
            let error = read(dir.path()).expect_err("not a token");
            assert!(matches!(error, Error::NotAToken { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
