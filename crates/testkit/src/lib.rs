//! What the tests of peerd share: a clock that tests move, chance that repeats, nodes on an in-memory store, parties
//! of one node and its people, carrying messages between them, waiting for a condition. Never a dependency of the
//! product.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

pub mod carry;
mod clock;
mod node;
mod party;
mod poll;
mod rng;
mod scarce;

pub use clock::TestClock;
pub use node::TestNode;
pub use party::Party;
pub use poll::eventually;
pub use rng::SeededRng;
pub use scarce::{Room, Scarce};
