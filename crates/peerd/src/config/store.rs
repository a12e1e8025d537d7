use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Blobs, Invalid, RawBlobs, anchor};

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a directory of this machine.
    Embedded {
        /// The directory.
        path: PathBuf,
        /// Bytes of stored blocks kept in memory.
        cache_bytes: u64,
    },
}

/// The engines, as `store.engine` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A directory of this machine.
    #[default]
    Embedded,
}

/// `[store]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStore {
    /// Default `embedded`.
    pub engine: Option<Engine>,
    /// Default `store` in the data directory.
    pub path: Option<PathBuf>,
    /// Default 16 MiB, at least 1 MiB.
    pub cache_bytes: Option<u64>,
    /// `[store.blobs]`
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub blobs: RawBlobs,
}

impl RawStore {
    pub(super) fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor("store.path", self.path.as_mut(), base)?;
        self.blobs.anchor(base)
    }

    pub(super) fn check(self, data_dir: &Path) -> Result<(Store, Blobs), Invalid> {
        const CACHE_BYTES_MIN: u64 = 1 << 20;
        const CACHE_BYTES_MAX: u64 = 1 << 40;
        let RawStore {
            engine,
            path,
            cache_bytes,
            blobs,
        } = self;
        let cache_bytes = cache_bytes.unwrap_or(16 << 20);
        if !(CACHE_BYTES_MIN..=CACHE_BYTES_MAX).contains(&cache_bytes) {
            return Err(Invalid::out_of_bounds(
                "store.cache_bytes",
                CACHE_BYTES_MIN,
                CACHE_BYTES_MAX,
            ));
        }
        let store = match engine.unwrap_or_default() {
            Engine::Embedded => Store::Embedded {
                path: path.unwrap_or_else(|| data_dir.join("store")),
                cache_bytes,
            },
        };
        Ok((store, blobs.check(data_dir)?))
    }
}

impl From<(Store, Blobs)> for RawStore {
    fn from((store, blobs): (Store, Blobs)) -> RawStore {
        let Store::Embedded { path, cache_bytes } = store;
        RawStore {
            engine: Some(Engine::Embedded),
            path: Some(path),
            cache_bytes: Some(cache_bytes),
            blobs: blobs.into(),
        }
    }
}
