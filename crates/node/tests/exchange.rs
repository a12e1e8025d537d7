//! Objects between two nodes without a network: a pump moves batches and acknowledgements.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test"
)]

#[path = "exchange/both.rs"]
mod both;
#[path = "exchange/faults.rs"]
mod faults;
#[path = "exchange/flow.rs"]
mod flow;
#[expect(
    dead_code,
    reason = "shared with the tests of the handshake, which use all of it"
)]
#[path = "handshake/pair.rs"]
mod pair;
#[path = "exchange/refused.rs"]
mod refused;
#[path = "exchange/terms.rs"]
mod terms;
#[path = "exchange/verify.rs"]
mod verify;
#[path = "exchange/world.rs"]
mod world;
