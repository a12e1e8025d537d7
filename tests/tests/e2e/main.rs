//! Real processes: `peerd` and `peerctl` as an operator starts them, told apart by nothing but their directories.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod input;
mod kills;
mod process;
mod story;
mod world;
