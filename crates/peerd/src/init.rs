//! A new enrollment in a data directory.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use peerd_core::{Clock, EnrollmentId, Rng};
use peerd_identity::{CERTIFICATE_FILE, Identity, KEY_FILE, SEALING_KEY_FILE, SealingKeys};

use crate::config::{self, Config, RawConfig};
use crate::{admin_token, files};

/// Stands over what the first configuration file says.
const HEADER: &str = "# The configuration of a peerd enrollment. What is not here has its default: `peerd config print`\n\
                      # shows every key with its value.\n\n";

/// Why there is no new enrollment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory has an enrollment already, or a file where one would be. Nothing was changed.
    #[error("{} has an enrollment already ({} exists)", dir.display(), path.display())]
    Exists {
        /// The directory.
        dir: PathBuf,
        /// What is in the way.
        path: PathBuf,
    },
    /// An earlier `init` was interrupted. No daemon ever used what it left. Nothing was changed.
    #[error(
        "{} holds a part of an enrollment whose `peerd init` did not finish ({} exists, {} does not); \
         remove it and start again",
        dir.display(), path.display(), config::FILE
    )]
    Unfinished {
        /// The directory.
        dir: PathBuf,
        /// What was found.
        path: PathBuf,
    },
    /// The values given make no configuration. Nothing was changed.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The identity could not be made.
    #[error("the identity could not be made")]
    Identity(#[from] peerd_identity::Error),
    /// A file or the directory could not be written.
    #[error("{} could not be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Makes an enrollment in the directory: its identity and sealing key, the token of its first admin, its configuration. Returns its id.
///
/// The directory is made if need be and becomes its owner's only. The configuration file is written last: where there
/// is one, the rest is complete.
pub fn init(dir: &Path, config: RawConfig, clock: &dyn Clock, rng: &dyn Rng) -> Result<EnrollmentId, Error> {
    let file = dir.join(config::FILE);
    let parts = [CERTIFICATE_FILE, KEY_FILE, SEALING_KEY_FILE, admin_token::FILE];
    if exists(&file) {
        return Err(Error::Exists {
            dir: dir.to_owned(),
            path: file,
        });
    }
    if let Some(path) = parts
        .map(|part| dir.join(part))
        .into_iter()
        .find(|part| exists(part))
    {
        return Err(Error::Unfinished {
            dir: dir.to_owned(),
            path,
        });
    }
    let text = HEADER.to_owned() + &config.to_toml()?;
    check(dir, config)?;

    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    make_private(dir).map_err(failed(dir))?;
    let identity = Identity::create(dir, clock.now())?;
    SealingKeys::create(dir, &identity)?;
    admin_token::create(dir, rng).map_err(failed(&dir.join(admin_token::FILE)))?;
    files::create(&file, text.as_bytes()).map_err(failed(&file))?;
    Ok(identity.enrollment_id())
}

/// A file that `peerd run` would refuse is not written in the first place.
fn check(dir: &Path, mut config: RawConfig) -> Result<(), Error> {
    config.data_dir.get_or_insert_with(|| dir.to_owned());
    Config::try_from(config).map_err(config::Error::from)?;
    Ok(())
}

/// Whatever is there counts, a dangling link too.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The store puts its files here with whatever mode the process gives them, so the directory itself closes them off.
fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests;
