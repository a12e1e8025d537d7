use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Invalid, anchor};

/// Who may read the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The file with the token that a scrape shows; without it there are no numbers.
    pub token_file: Option<PathBuf>,
}

/// `[metrics]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMetrics {
    /// Default: none, and `/metrics` is not offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl RawMetrics {
    pub(super) fn anchor(&mut self, base: &Path) -> Result<(), Invalid> {
        anchor("metrics.token_file", self.token_file.as_mut(), base)
    }
}

impl From<RawMetrics> for Metrics {
    fn from(raw: RawMetrics) -> Metrics {
        let RawMetrics { token_file } = raw;
        Metrics { token_file }
    }
}

impl From<Metrics> for RawMetrics {
    fn from(metrics: Metrics) -> RawMetrics {
        let Metrics { token_file } = metrics;
        RawMetrics { token_file }
    }
}
