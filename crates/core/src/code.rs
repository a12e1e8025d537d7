//! Codes that people carry from one enrollment to another: link codes and peer invite codes.
//!
//! A code is one line of text, `plink1_…` or `pconn1_…`: the kind and the version, then base64url of a signed body and
//! a checksum. It is read completely or not at all, and a code has exactly one spelling. Damage (a character lost or
//! mistyped) is told apart from forgery (a signature that does not fit), because a person reacts differently to each.
//! Reading a code contacts nobody.

use std::fmt;

use zeroize::Zeroizing;

use crate::reason::Reason;
use crate::signature::CannotSign;

mod bytes;
mod envelope;
mod invite;
mod link;
mod proof;
#[cfg(test)]
pub(crate) mod tests;

pub use envelope::Kind;
pub use invite::InviteCode;
pub use link::LinkCode;
pub use proof::{Proof, ProofKey};

/// The version of codes that this program writes.
pub const VERSION: u32 = envelope::VERSION;

/// The text of a code, with its one-time secret inside.
///
/// `Display` is the text itself, for the one time it is shown; `Debug` never prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeText {
    kind: Kind,
    text: Zeroizing<String>,
}

impl CodeText {
    /// Which kind of code it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The text; what takes it must not log it.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CodeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} code]", self.kind.prefix())
    }
}

/// Why a text is not a usable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// There was no text.
    #[error("the code is empty")]
    Empty,
    /// It does not look like a code.
    #[error("this is not a peerd code")]
    Malformed,
    /// It ends before its content does.
    #[error("the code ends too early; copy it whole")]
    Truncated,
    /// Its checksum does not fit: it was damaged on the way.
    #[error("the code was altered on the way; copy it again")]
    Altered,
    /// It is whole, but the signature is not its issuer's.
    #[error("the code's signature does not fit its content")]
    SignatureInvalid,
    /// A code of the other kind.
    #[error("this is a {found} code where a {expected} code is expected")]
    WrongKind {
        /// The kind that was asked for.
        expected: Kind,
        /// The kind of the text.
        found: Kind,
    },
    /// Made by a newer version.
    #[error("the code has version {found}, this enrollment reads up to {known}; upgrade it")]
    VersionTooNew {
        /// The version of the text.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It is signed, but a field is out of bounds or contradicts another.
    #[error("the code's content is not valid: {field}")]
    Content {
        /// The field.
        field: &'static str,
    },
}

impl CodeError {
    /// The stable word for it.
    pub const fn reason(self) -> Reason {
        match self {
            CodeError::Empty => Reason::CodeEmpty,
            CodeError::Malformed => Reason::CodeMalformed,
            CodeError::Truncated => Reason::CodeTruncated,
            CodeError::Altered => Reason::CodeAltered,
            CodeError::SignatureInvalid => Reason::CodeSignatureInvalid,
            CodeError::WrongKind { .. } => Reason::CodeWrongKind,
            CodeError::VersionTooNew { .. } => Reason::CodeVersionTooNew,
            CodeError::Content { .. } => Reason::CodeContentInvalid,
        }
    }
}

/// Why a code could not be issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A field is out of bounds.
    #[error("the code cannot be made: {field} is not valid")]
    Content {
        /// The field.
        field: &'static str,
    },
    /// The other side would have to dial, and there is no address to dial.
    #[error("the other side would dial this enrollment, but no address is advertised")]
    NoAddress,
    /// The identity key failed.
    #[error("the code could not be signed")]
    CannotSign(#[from] CannotSign),
}

impl IssueError {
    /// The stable word for it.
    pub const fn reason(self) -> Reason {
        match self {
            IssueError::Content { .. } => Reason::CodeContentInvalid,
            IssueError::NoAddress => Reason::AddressMissing,
            IssueError::CannotSign(_) => Reason::Internal,
        }
    }
}

/// Why a well-made code cannot be used now, found without contacting anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable word.
    pub reason: Reason,
    /// A sentence for the operator.
    pub message: String,
}

impl Problem {
    /// A problem with its word and sentence.
    pub fn new(reason: Reason, message: impl Into<String>) -> Problem {
        Problem {
            reason,
            message: message.into(),
        }
    }
}
