//! Time and chance, as ports: the domain takes them as arguments, the layers above take them from here.

use std::fmt;

use crate::Time;

/// Tells the time. The daemon has the one that reads the machine's clock; tests have one they move.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Time;
}

/// Makes random bytes fit for secrets. The daemon has the one that asks the operating system; a simulation has a
/// seeded one.
pub trait Rng: fmt::Debug + Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}
