//! What the tests of peerd share: a clock that tests move, chance that repeats, nodes on an in-memory store, waiting
//! for a condition. Never a dependency of the product.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod clock;
mod node;
mod poll;
mod rng;

pub use clock::TestClock;
pub use node::TestNode;
pub use poll::eventually;
pub use rng::SeededRng;
