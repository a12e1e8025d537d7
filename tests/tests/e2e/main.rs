//! Real processes: `peerd` and `peerctl` as an operator starts them, told apart by nothing but their directories.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod artifacts;
mod blobs;
mod chance;
mod connections;
mod damage;
mod documents;
mod faults;
mod guarded;
mod identity;
mod input;
mod kills;
mod links;
mod metrics;
mod object_links;
mod operations;
mod policies;
mod process;
mod proxy;
mod relays;
mod reload;
mod restore;
mod ring;
mod schemas;
mod security;
mod story;
mod verify;
mod watching;
mod world;
