//! A clock that tests move.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use peerd_core::{Clock, Time};

/// Stands still until it is moved. Starts at 2026-01-01T00:00:00Z.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// When every test begins.
    pub const START: Time = Time::from_micros(1_767_225_600_000_000);

    /// A clock at this time.
    pub const fn at(time: Time) -> TestClock {
        TestClock(AtomicI64::new(time.as_micros()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, time: Time) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }
}

impl Default for TestClock {
    fn default() -> TestClock {
        TestClock::at(TestClock::START)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}
