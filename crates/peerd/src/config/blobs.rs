use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Invalid, anchor};

/// Where content is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blobs {
    /// The directory of content that is on its way in, and of all content unless it is kept elsewhere.
    pub path: PathBuf,
    /// At most so many bytes of content in the directory; without it, as many as there is room for.
    pub bytes_max: Option<u64>,
}

/// `[store.blobs]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBlobs {
    /// Default `blobs` in the data directory.
    pub path: Option<PathBuf>,
    /// Default: no limit but the disk's. At least 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_max: Option<u64>,
}

impl RawBlobs {
    pub(super) fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor("store.blobs.path", self.path.as_mut(), base)
    }

    pub(super) fn check(self, data_dir: &Path) -> Result<Blobs, Invalid> {
        const BYTES_MAX_MIN: u64 = 1 << 20;
        let RawBlobs { path, bytes_max } = self;
        if bytes_max.is_some_and(|most| most < BYTES_MAX_MIN) {
            let key = "store.blobs.bytes_max";
            return Err(Invalid::out_of_bounds(key, BYTES_MAX_MIN, u64::MAX));
        }
        Ok(Blobs {
            path: path.unwrap_or_else(|| data_dir.join("blobs")),
            bytes_max,
        })
    }
}

impl From<Blobs> for RawBlobs {
    fn from(blobs: Blobs) -> RawBlobs {
        let Blobs { path, bytes_max } = blobs;
        RawBlobs {
            path: Some(path),
            bytes_max,
        }
    }
}
