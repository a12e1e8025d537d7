//! How many bytes the directories of a daemon take.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::config::{Config, Store};

/// A size is so old at most: to add it up reads the name of every file.
const KEPT: Duration = Duration::from_secs(30);

/// The directories, and what they took when somebody asked last.
#[derive(Debug)]
pub(super) struct Sizes {
    store: Size,
    blobs: Size,
}

#[derive(Debug)]
struct Size {
    path: PathBuf,
    known: Mutex<Option<(Instant, u64)>>,
}

impl Sizes {
    pub(super) fn of(config: &Config) -> Sizes {
        let Store::Embedded { path, .. } = &config.store;
        let size = |path: &Path| Size {
            path: path.to_owned(),
            known: Mutex::default(),
        };
        Sizes {
            store: size(path),
            blobs: size(&config.blobs.path),
        }
    }

    pub(super) async fn store(&self) -> u64 {
        self.store.now().await
    }

    pub(super) async fn blobs(&self) -> u64 {
        self.blobs.now().await
    }
}

impl Size {
    async fn now(&self) -> u64 {
        let mut known = self.known.lock().await;
        if let Some((at, bytes)) = *known
            && at.elapsed() < KEPT
        {
            return bytes;
        }
        let path = self.path.clone();
        let bytes = spawn_blocking(move || bytes_below(&path)).await.unwrap_or(0);
        *known = Some((Instant::now(), bytes));
        bytes
    }
}

/// What cannot be read, or goes meanwhile, counts for nothing.
fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}
