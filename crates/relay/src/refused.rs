//! Why a bundle is not taken, or not written.

use peerd_core::Reason;
use peerd_core::signature::CannotSign;

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refused {
    /// The stable word.
    pub reason: Reason,
    /// What is wrong and where, for the operator of this side.
    pub detail: String,
}

impl Refused {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Refused {
        Refused {
            reason,
            detail: detail.into(),
        }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Refused {
        Refused::new(Reason::BundleMalformed, detail)
    }

    /// Whether the same file may be taken later: then it is kept, not put aside.
    pub fn waits(&self) -> bool {
        self.reason == Reason::BundleSchemaMissing
    }
}

/// Why a bundle cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// The file would be larger than the link allows: write fewer records.
    #[error("the bundle would have {bytes} bytes, and {max} is the most")]
    TooLarge {
        /// How large it would be.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// There are more records than a bundle may have.
    #[error("the bundle would have {count} records, and {max} is the most")]
    TooMany {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A record cannot go in this form.
    #[error("record {number} cannot be written: {detail}")]
    Record {
        /// Its number, from 1.
        number: u32,
        /// Why not.
        detail: String,
    },
    /// What is said of the bundle is not sound, or its kind is not for this form.
    #[error("the bundle cannot be written: {detail}")]
    Facts {
        /// What is wrong.
        detail: String,
    },
    /// The schema of its objects is not known.
    #[error("the schema of {object_type} is not known")]
    SchemaMissing {
        /// The type.
        object_type: String,
    },
    /// The identity key failed.
    #[error(transparent)]
    Sign(#[from] CannotSign),
}

impl CannotWrite {
    pub(crate) fn facts(detail: impl Into<String>) -> CannotWrite {
        CannotWrite::Facts {
            detail: detail.into(),
        }
    }

    /// The stable word for it.
    pub const fn reason(&self) -> Reason {
        match self {
            CannotWrite::TooLarge { .. } | CannotWrite::TooMany { .. } => Reason::BundleTooLarge,
            CannotWrite::Record { .. } => Reason::ObjectInvalid,
            CannotWrite::SchemaMissing { .. } => Reason::BundleSchemaMissing,
            CannotWrite::Facts { .. } | CannotWrite::Sign(_) => Reason::Internal,
        }
    }
}
