use serde::{Deserialize, Serialize};

/// The largest file that a form may bring, unless it is said: 16 GiB.
const UPLOAD_BYTES_MAX: u64 = 16 << 30;

/// The web console on the operator port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
    /// The largest file that a form may bring, in bytes.
    pub upload_bytes_max: u64,
}

/// `[console]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConsole {
    /// Default true.
    pub enabled: Option<bool>,
    /// Default 16 GiB.
    pub upload_bytes_max: Option<u64>,
}

impl From<RawConsole> for Console {
    fn from(raw: RawConsole) -> Console {
        let RawConsole {
            enabled,
            upload_bytes_max,
        } = raw;
        Console {
            enabled: enabled.unwrap_or(true),
            upload_bytes_max: upload_bytes_max.unwrap_or(UPLOAD_BYTES_MAX),
        }
    }
}

impl From<Console> for RawConsole {
    fn from(console: Console) -> RawConsole {
        let Console {
            enabled,
            upload_bytes_max,
        } = console;
        RawConsole {
            enabled: Some(enabled),
            upload_bytes_max: Some(upload_bytes_max),
        }
    }
}
