//! Where a running daemon says which addresses it got.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;

/// The name of the file in the data directory.
pub const FILE: &str = "run.json";

/// Who runs and where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Where other enrollments reach it.
    pub mpx: SocketAddr,
    /// Where operators reach it.
    pub api: SocketAddr,
    /// Its process id.
    pub pid: u32,
}

impl Running {
    /// Reads who runs in this data directory; `None` when nobody says so.
    pub fn read(data_dir: &Path) -> io::Result<Option<Running>> {
        match std::fs::read(data_dir.join(FILE)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The file of a daemon that runs.
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
}

impl RunFile {
    /// Writes the file, over that of a daemon that was killed.
    pub(crate) fn write(data_dir: &Path, running: Running) -> io::Result<RunFile> {
        let path = data_dir.join(FILE);
        files::replace(&path, &serde_json::to_vec(&running)?)?;
        Ok(RunFile { path })
    }

    /// Removes the file. One that somebody else removed is no fault.
    pub(crate) fn remove(self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_file_replaces_a_left_one_and_goes_with_the_daemon() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(FILE), "left by a killed daemon, torn").expect("written");
        assert!(Running::read(dir.path()).is_err());
        let running = Running {
            mpx: ([127, 0, 0, 1], 1).into(),
            api: ([127, 0, 0, 1], 2).into(),
            pid: 3,
        };
        let file = RunFile::write(dir.path(), running).expect("written");
        assert_eq!(Running::read(dir.path()).expect("readable"), Some(running));
        let text = std::fs::read_to_string(dir.path().join(FILE)).expect("readable");
        assert_eq!(text, r#"{"mpx":"127.0.0.1:1","api":"127.0.0.1:2","pid":3}"#);
        file.remove().expect("removed");
        assert_eq!(Running::read(dir.path()).expect("readable"), None);
    }
}
