//! How a use-case fails.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use peerd_core::Reason;

/// Why a use-case did not do what was asked.
///
/// `Display` is what the caller may read. The cause is for our log alone.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    told: String,
    details: BTreeMap<String, String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A refusal with words for the caller.
    pub fn new(reason: Reason, told: impl Into<String>) -> Error {
        Error {
            reason,
            told: told.into(),
            details: BTreeMap::new(),
            cause: None,
        }
    }

    /// A refusal in the words of its reason.
    pub fn of(reason: Reason) -> Error {
        Error::new(reason, reason.explanation().trim())
    }

    /// There is no such thing, or the caller may not know of it: one answer for both.
    pub fn not_found(what: &str) -> Error {
        Error::new(Reason::NotFound, format!("no such {what}"))
    }

    /// A field of the call is missing or malformed.
    pub fn field(name: &str, problem: impl fmt::Display) -> Error {
        Error::new(Reason::FieldInvalid, format!("{name}: {problem}")).with("field", name)
    }

    /// Adds a fact for programs; never a secret.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Error {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Adds the cause, for the log.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        self.cause = Some(cause.into());
        self
    }

    /// The stable reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the caller may read.
    pub fn told(&self) -> &str {
        &self.told
    }

    /// Further facts for programs.
    pub fn details(&self) -> &BTreeMap<String, String> {
        &self.details
    }

    /// Whether the same attempt, made anew on fresh reads, may succeed at once.
    pub fn is_lost_race(&self) -> bool {
        self.reason == Reason::ConcurrentChange
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause
            .as_ref()
            .map(|cause| &**cause as &(dyn StdError + 'static))
    }
}

impl From<peerd_store::Error> for Error {
    fn from(error: peerd_store::Error) -> Error {
        let reason = match &error {
            peerd_store::Error::Conflict => Reason::ConcurrentChange,
            peerd_store::Error::Unavailable(_) => Reason::StoreUnavailable,
            peerd_store::Error::Corrupt { .. } => Reason::StoreCorrupt,
            peerd_store::Error::Full(_) => Reason::StoreFull,
        };
        Error::of(reason).because(error)
    }
}
