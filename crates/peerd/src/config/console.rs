use serde::{Deserialize, Serialize};

/// The web console on the operator port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Whether it is served.
    pub enabled: bool,
}

/// `[console]` as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConsole {
    /// Default true.
    pub enabled: Option<bool>,
}

impl From<RawConsole> for Console {
    fn from(raw: RawConsole) -> Console {
        let RawConsole { enabled } = raw;
        Console {
            enabled: enabled.unwrap_or(true),
        }
    }
}

impl From<Console> for RawConsole {
    fn from(console: Console) -> RawConsole {
        RawConsole {
            enabled: Some(console.enabled),
        }
    }
}
