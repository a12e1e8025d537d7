use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::Invalid;

/// What happens in the enrollment; the storage engine tells of its housekeeping only when something is wrong.
const DEFAULT_FILTER: &str = "info,fjall=warn,lsm_tree=warn";

/// What the daemon writes on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for machines.
    pub format: Format,
    /// What is written, in the filter language of `tracing-subscriber`; checked.
    pub filter: String,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text for people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// `[log]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLog {
    /// Default `human`.
    pub format: Option<Format>,
    /// A level, or levels by module: `warn,peerd=debug`. Default `info`, and of the storage engine only warnings.
    pub filter: Option<String>,
}

impl TryFrom<RawLog> for Log {
    type Error = Invalid;

    fn try_from(raw: RawLog) -> Result<Log, Invalid> {
        let RawLog { format, filter } = raw;
        let filter = filter.unwrap_or_else(|| DEFAULT_FILTER.to_owned());
        EnvFilter::builder()
            .parse(&filter)
            .map_err(|source| Invalid::Filter {
                key: "log.filter",
                source,
            })?;
        Ok(Log {
            format: format.unwrap_or_default(),
            filter,
        })
    }
}

impl From<Log> for RawLog {
    fn from(log: Log) -> RawLog {
        RawLog {
            format: Some(log.format),
            filter: Some(log.filter),
        }
    }
}
