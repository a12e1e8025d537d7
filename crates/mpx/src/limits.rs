//! How much and how long.

use std::time::Duration;

/// The bounds of the transport. How often heartbeats are sent and how much silence is too much are settings of the
/// node.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that others dialled, at once.
    pub connections_max: usize,
    /// Of these, from one source address.
    pub connections_per_source_max: usize,
    /// TLS handshakes at once.
    pub handshakes_max: usize,
    /// How long a TLS handshake may take, and a TCP connection that this side makes.
    pub handshake_timeout: Duration,
    /// How long a connection may last without a session.
    pub session_timeout: Duration,
    /// How long the first hello may take, and the answer to a call that is not a stream.
    pub answer_timeout: Duration,
    /// How long the other side may take to answer a lifecycle message.
    pub receipt_timeout: Duration,
    /// How long a message that the other side could not take now waits before it is sent again.
    pub retry_after: Duration,
    /// How long a connection outlives its session, so that the reason reaches the other side.
    pub linger: Duration,
    /// Streams of one connection at once.
    pub streams_max: u32,
    /// The largest message, in bytes.
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 1_024,
            connections_per_source_max: 64,
            handshakes_max: 64,
            handshake_timeout: Duration::from_secs(10),
            session_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            receipt_timeout: Duration::from_mins(1),
            retry_after: Duration::from_secs(30),
            linger: Duration::from_millis(500),
            streams_max: 256,
            message_bytes_max: 8 * 1024 * 1024,
        }
    }
}
