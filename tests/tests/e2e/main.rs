//! Real processes: `peerd` and `peerctl` as an operator starts them, told apart by nothing but their directories.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod connections;
mod damage;
mod input;
mod kills;
mod links;
mod operations;
mod policies;
mod process;
mod story;
mod verify;
mod world;
