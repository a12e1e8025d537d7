//! Between errors of the node, statuses, and how an attempt failed.

use peerd_core::Reason;
use peerd_core::backoff;
use peerd_node::Error;
use peerd_wire::status::{self, Refusal};
use tonic::Status;

/// An error of the node as the other side may read it: without details, which are for operators.
pub(crate) fn told(error: &Error) -> Refusal {
    if matches!(error.reason(), Reason::Internal | Reason::StoreCorrupt) {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "a peer's call failed here"
        );
    }
    Refusal::new(error.reason(), error.told())
}

/// The same as a status.
pub(crate) fn status_of(error: &Error) -> Status {
    status::status(told(error))
}

/// What a status that arrived says. One that the other side did not write itself is a lost connection.
pub(crate) fn said(status: &Status) -> Refusal {
    if !status.details().is_empty() {
        return status::refusal(status);
    }
    match status.code() {
        tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => {
            Refusal::new(Reason::TooLarge, "the other side sent something too large")
        }
        tonic::Code::Unimplemented => Refusal::new(
            Reason::VersionUnsupported,
            "the other side does not know this call",
        ),
        _ => Refusal::new(Reason::PeerUnreachable, "the connection was lost"),
    }
}

/// What the schedule makes of a refusal by the other side, or of a failure on the way there.
pub(crate) const fn failure(reason: Reason) -> backoff::Failure {
    match reason {
        Reason::IngressDenied
        | Reason::EgressDenied
        | Reason::PolicyUnreadable
        | Reason::RemoteRefused
        | Reason::ProofInvalid => backoff::Failure::RefusedThere(reason),
        Reason::RateLimited => backoff::Failure::Throttled,
        Reason::IdentityMismatch => backoff::Failure::Unauthenticated,
        _ => backoff::Failure::Unreachable,
    }
}
