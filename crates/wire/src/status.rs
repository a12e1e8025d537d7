//! The one table: what a refusal is as a gRPC status and as an exit code. Its HTTP status goes with its
//! [`Code`].
//!
//! Nothing else in the project constructs a [`tonic::Status`]; a lint holds that.

use std::collections::BTreeMap;

use peerd_core::Reason;
use peerd_core::reason::Code;
use tonic::Status;
use tonic_types::{ErrorInfo, StatusExt as _};

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "peerd";

/// A refusal as the caller may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// What the caller is told.
    pub message: String,
    /// Further facts for programs; never a secret.
    pub details: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal without further facts.
    pub fn new(reason: Reason, message: impl Into<String>) -> Refusal {
        Refusal {
            reason,
            message: message.into(),
            details: BTreeMap::new(),
        }
    }

    /// A field of a request is missing or malformed.
    pub fn field(name: &str, problem: impl std::fmt::Display) -> Refusal {
        Refusal {
            reason: Reason::FieldInvalid,
            message: format!("{name}: {problem}"),
            details: BTreeMap::from([("field".to_owned(), name.to_owned())]),
        }
    }
}

/// The gRPC column of the table.
pub const fn grpc(code: Code) -> tonic::Code {
    match code {
        Code::Invalid => tonic::Code::InvalidArgument,
        Code::Unauthenticated => tonic::Code::Unauthenticated,
        Code::Denied => tonic::Code::PermissionDenied,
        Code::NotFound => tonic::Code::NotFound,
        Code::Exists => tonic::Code::AlreadyExists,
        Code::Conflict => tonic::Code::FailedPrecondition,
        Code::Exhausted => tonic::Code::ResourceExhausted,
        Code::Unavailable => tonic::Code::Unavailable,
        Code::Timeout => tonic::Code::DeadlineExceeded,
        Code::Unsupported => tonic::Code::Unimplemented,
        Code::Internal => tonic::Code::Internal,
    }
}

/// The exit code of `peerctl`.
pub const fn exit(code: Code) -> u8 {
    match code {
        Code::Internal | Code::Unavailable | Code::Exhausted | Code::Unsupported => 1,
        Code::NotFound => 3,
        Code::Denied | Code::Unauthenticated => 4,
        Code::Conflict | Code::Exists => 5,
        Code::Invalid => 6,
        Code::Timeout => 7,
    }
}

/// A refusal as a gRPC status with `google.rpc.ErrorInfo`.
pub fn status(refusal: Refusal) -> Status {
    let info = ErrorInfo {
        reason: refusal.reason.word().to_owned(),
        domain: DOMAIN.to_owned(),
        metadata: refusal.details.into_iter().collect(),
    };
    Status::with_error_details_vec(grpc(refusal.reason.code()), refusal.message, [info.into()])
}

/// The refusal in a status, as a client reads it. A status without a known reason becomes the nearest one.
pub fn refusal(status: &Status) -> Refusal {
    let info = status.get_details_error_info();
    let known = info.as_ref().and_then(|info| Reason::from_word(&info.reason));
    Refusal {
        reason: known.unwrap_or_else(|| fallback(status.code())),
        message: status.message().to_owned(),
        details: info
            .map(|info| info.metadata.into_iter().collect())
            .unwrap_or_default(),
    }
}

/// What a status means that did not come from this table: from a proxy, the transport or another version.
const fn fallback(code: tonic::Code) -> Reason {
    match code {
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Reason::FieldInvalid,
        tonic::Code::Unauthenticated => Reason::TokenInvalid,
        tonic::Code::PermissionDenied => Reason::RoleInsufficient,
        tonic::Code::NotFound => Reason::NotFound,
        tonic::Code::AlreadyExists => Reason::NameTaken,
        tonic::Code::FailedPrecondition | tonic::Code::Aborted => Reason::ConcurrentChange,
        tonic::Code::ResourceExhausted => Reason::TooLarge,
        tonic::Code::Unavailable | tonic::Code::Cancelled => Reason::PeerUnreachable,
        tonic::Code::DeadlineExceeded => Reason::WaitTimeout,
        tonic::Code::Unimplemented => Reason::FeatureDisabled,
        _ => Reason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_way_through_a_status() {
        for reason in Reason::ALL {
            let told = Refusal {
                reason: *reason,
                message: "why".into(),
                details: BTreeMap::from([("policy_id".into(), "pol_1".into())]),
            };
            assert_eq!(refusal(&status(told.clone())), told);
        }
    }

    #[test]
    fn a_foreign_status_becomes_the_nearest_reason() {
        assert_eq!(
            refusal(&Status::from_error("broken pipe".into())).reason,
            Reason::Internal
        );
        assert_eq!(
            refusal(&Status::deadline_exceeded("late")).reason,
            Reason::WaitTimeout
        );
    }
}
