//! Objects between two nodes without a network: a pump moves batches and acknowledgements.

#[path = "exchange/flow.rs"]
mod flow;
#[expect(
    dead_code,
    reason = "shared with the tests of the handshake, which use all of it"
)]
#[path = "handshake/pair.rs"]
mod pair;
#[path = "exchange/world.rs"]
mod world;
