//! From the node's errors to statuses, through the one table.

use peerd_core::Reason;
use peerd_core::reason::Code;
use peerd_node::{Caller, Error};
use peerd_wire::status::{Refusal, refusal, status};
use tonic::body::Body;
use tonic::{Request, Status};

/// The header that carries a call's id back to its caller.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// The status for an error of a use-case. A fault of ours is logged here, with its causes, and told without them.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an error ends here, and `map_err` hands it over"
)]
pub(crate) fn told(error: Error) -> Status {
    let reason = error.reason();
    let shown: &(dyn std::error::Error + 'static) = &error;
    match reason.code() {
        Code::Internal => {
            tracing::error!(error = shown, %reason, "call failed");
            return status(Refusal::new(reason, Reason::Internal.explanation().trim()));
        }
        Code::Unavailable | Code::Exhausted => tracing::warn!(error = shown, %reason, "call failed"),
        _ => tracing::debug!(error = shown, %reason, "call refused"),
    }
    status(Refusal {
        reason,
        message: error.told().to_owned(),
        details: error.details().clone(),
    })
}

/// A field of the request is missing or malformed.
pub(crate) fn field(name: &str, problem: impl std::fmt::Display) -> Status {
    status(Refusal::field(name, problem))
}

/// Takes a request that passed the gate apart: who calls, and the message.
pub(crate) fn opened<T>(mut request: Request<T>) -> Result<(Caller, T), Status> {
    // A service that is reached past the gate is a fault of ours, and lets nobody in.
    let caller = request.extensions_mut().remove::<Caller>();
    let caller = caller.ok_or_else(|| told(Error::of(Reason::Internal)))?;
    Ok((caller, request.into_inner()))
}

/// Puts the call's id on its answer. An answer that is a fault of ours says nothing else.
pub(crate) fn with_request_id(mut response: http::Response<Body>, id: &str) -> http::Response<Body> {
    let failed = Status::from_header_map(response.headers());
    match failed.map(|status| (status.code(), refusal(&status))) {
        Some((_, failed)) if failed.reason.code() == Code::Internal => {
            let message = format!("a fault of this daemon; request {id} finds it in the log");
            let mut told = Refusal::new(failed.reason, message);
            told.details.insert("request_id".to_owned(), id.to_owned());
            response = status(told).into_http();
        }
        // Not one of ours: the transport says so of a message over the limit.
        Some((tonic::Code::OutOfRange, failed)) => {
            response = status(Refusal::new(Reason::TooLarge, failed.message)).into_http();
        }
        _ => {}
    }
    if let Ok(value) = http::HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
