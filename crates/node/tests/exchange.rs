//! Objects between two nodes without a network: a pump moves batches and acknowledgements.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test fails the test"
)]

#[path = "exchange/artifacts.rs"]
mod artifacts;
#[path = "exchange/blobs.rs"]
mod blobs;
#[path = "exchange/both.rs"]
mod both;
#[path = "exchange/collect.rs"]
mod collect;
#[path = "exchange/drift.rs"]
mod drift;
#[path = "exchange/faults.rs"]
mod faults;
#[path = "exchange/flow.rs"]
mod flow;
#[path = "exchange/jobs.rs"]
mod jobs;
#[path = "exchange/lanes.rs"]
mod lanes;
#[path = "exchange/links.rs"]
mod links;
#[path = "exchange/obstacles.rs"]
mod obstacles;
#[expect(
    dead_code,
    reason = "shared with the tests of the handshake, which use all of it"
)]
#[path = "handshake/pair.rs"]
mod pair;
#[path = "exchange/refused.rs"]
mod refused;
#[path = "exchange/ring.rs"]
mod ring;
#[path = "exchange/terms.rs"]
mod terms;
#[path = "exchange/values.rs"]
mod values;
#[path = "exchange/verify.rs"]
mod verify;
#[path = "exchange/watch.rs"]
mod watch;
#[path = "exchange/world.rs"]
mod world;
