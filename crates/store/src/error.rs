//! How a store fails.

use std::error::Error as StdError;

/// What a store answers when it cannot do what was asked. Absence is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A condition of the batch did not hold; nothing was written. Read again and decide again.
    #[error("a record changed meanwhile")]
    Conflict,
    /// The store cannot answer now; nothing was written, or nothing that was acknowledged.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// Stored bytes are not what this version can read; or bytes were handed in that no version could read back, and
    /// nothing was written. Trying again does not help.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// Which record, for the log; never its content.
        what: String,
        /// The cause, when another error was.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// There is no room; nothing was written.
    #[error("the store is full")]
    Full(#[source] Box<dyn StdError + Send + Sync>),
}
