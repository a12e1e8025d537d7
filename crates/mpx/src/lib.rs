//! The MPX link: gRPC over mutual TLS between two enrollments.
//!
//! Whatever a peer may do is asked of the [node](peerd_node); here is only how it gets in and out. A connection is
//! somebody only by its certificate. A stranger may enroll and nothing else. Each link has one session, whichever
//! side dialled it: a control stream that begins with a hello, and the streams of objects beside it on the same
//! connection. When the session ends, for whatever reason, the connection goes with it.
//!
//! Invariants:
//!
//! - Nothing is dialled or served without a permit of the policy, and a permit is asked for anew whenever a policy
//!   changes: then session and streams end at once, not at the next message.
//! - Nothing waits for ever: handshakes, first calls, hellos, receipts and silence all have a limit.
//! - Nothing grows without bound: connections, handshakes, streams, frames and queues are counted.
//! - No task outlives its tracker.

mod accept;
mod blobs;
mod conn;
mod connect;
mod dial;
mod gate;
mod limits;
mod mpx;
mod refusal;
mod registry;
mod service;
mod session;
mod streams;

pub use limits::Limits;
pub use mpx::{Mpx, Runtime};
