use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tracing_subscriber::filter::ParseError;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("configuration file {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a configuration.
    #[error("configuration file {} is not valid", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A path in the file, or given by a flag or variable, is not usable.
    #[error("{origin} is not valid")]
    Path {
        /// Which file, or which other source.
        origin: String,
        /// Which key.
        source: Invalid,
    },
    /// A variable does not set a key, or not to a value that the key can have.
    #[error("environment variable {name} is not valid: {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong: an unknown key, or a value of the wrong kind.
        problem: String,
    },
    /// All of it together is not a configuration.
    #[error("the configuration is not valid")]
    Invalid(#[from] Invalid),
    /// It cannot be expressed in TOML: a path is not Unicode.
    #[error("the configuration cannot be written as TOML")]
    Unwritable(#[source] toml::ser::Error),
}

/// Which key has a value that it cannot have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A required key is not set anywhere.
    #[error("{key} is required")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A path is the empty text.
    #[error("{key} is an empty path")]
    EmptyPath {
        /// The key.
        key: &'static str,
    },
    /// The value lies outside its bounds.
    #[error("{key} must be from {min} to {max}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// The least it can be.
        min: String,
        /// The most it can be.
        max: String,
    },
    /// A list is too long.
    #[error("{key} has more than {max} items")]
    TooMany {
        /// The key.
        key: &'static str,
        /// The most items it can have.
        max: usize,
    },
    /// A place has another form than it can have.
    #[error("{key} must be {form}")]
    NotAnAddress {
        /// The key.
        key: &'static str,
        /// The form.
        form: &'static str,
    },
    /// Two values contradict each other.
    #[error("{key} must be less than {other}")]
    NotBelow {
        /// The key that must be less.
        key: &'static str,
        /// Than this one.
        other: &'static str,
    },
    /// A TLS certificate without its key, or the reverse.
    #[error("{given} needs {missing} beside it")]
    HalfOfTls {
        /// The key that is set.
        given: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// Operators' tokens would cross a network in the clear.
    #[error(
        "api.tls_certificate_file and api.tls_key_file are required, because api.listen {listen} is not loopback \
         (api.danger_plaintext = true does without)"
    )]
    TlsRequired {
        /// The address.
        listen: SocketAddr,
    },
    /// TLS is configured and switched off at once.
    #[error("api.danger_plaintext contradicts api.tls_certificate_file")]
    PlaintextAndTls,
    /// The log filter is not one.
    #[error("{key} is not a log filter")]
    Filter {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        source: ParseError,
    },
}

impl Invalid {
    pub(super) fn out_of_bounds(
        key: &'static str,
        min: impl std::fmt::Display,
        max: impl std::fmt::Display,
    ) -> Invalid {
        Invalid::OutOfBounds {
            key,
            min: min.to_string(),
            max: max.to_string(),
        }
    }
}
