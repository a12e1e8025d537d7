//! Real processes: `peerd` and `peerctl` as an operator starts them, told apart by nothing but their directories.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod chance;
mod connections;
mod damage;
mod faults;
mod input;
mod kills;
mod links;
mod operations;
mod policies;
mod process;
mod proxy;
mod story;
mod verify;
mod world;
