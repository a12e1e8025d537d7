//! The machine's clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use peerd_core::{Clock, Time};

/// The machine's clock as the rest of the daemon sees it: it may stand still, it never goes back.
///
/// A machine whose clock is set back keeps the latest time it has shown until the clock has caught up, so that what
/// happened later never reads as earlier.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl SystemClock {
    fn never_before(&self, shown: Time) -> Time {
        let shown = shown.as_micros();
        Time::from_micros(self.latest.fetch_max(shown, Ordering::Relaxed).max(shown))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the port to the machine's clock"
        )]
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // A clock before 1970 is not set; `Time` starts there.
        self.never_before(Time::EPOCH.plus(since_epoch.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_stands_still() {
        let clock = SystemClock::default();
        let at = Time::from_micros;
        assert_eq!(clock.never_before(at(7)), at(7));
        assert_eq!(clock.never_before(at(3)), at(7));
        assert_eq!(clock.never_before(at(8)), at(8));
    }

    #[test]
    fn the_clock_shows_the_present_century() {
        assert!(SystemClock::default().now() > Time::from_micros(1_700_000_000_000_000));
    }
}
