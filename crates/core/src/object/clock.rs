//! The clocks by which writes are ordered without a shared clock.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{EnrollmentId, Time};

/// A hybrid logical clock: microseconds of a wall clock, and a counter for what happened within one of them.
///
/// Each enrollment has one, keeps it over restarts, and moves it with every write ([`Hlc::tick`]) and with every write
/// it sees ([`Hlc::observe`]). So what follows something has the later clock, even where wall clocks disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hlc {
    wall: u64,
    counter: u16,
}

impl Hlc {
    /// Before every write.
    pub const ZERO: Hlc = Hlc { wall: 0, counter: 0 };

    /// After every write that is accepted: the end of the year 9999.
    pub const MAX: Hlc = Hlc {
        wall: 253_402_300_799_999_999,
        counter: u16::MAX,
    };

    /// The clock with these parts, unless it is later than [`Hlc::MAX`].
    pub fn new(wall_micros: u64, counter: u16) -> Option<Hlc> {
        let clock = Hlc {
            wall: wall_micros,
            counter,
        };
        (clock <= Hlc::MAX).then_some(clock)
    }

    /// The first clock of this moment.
    pub fn at(now: Time) -> Hlc {
        let wall = u64::try_from(now.as_micros()).unwrap_or(0).min(Hlc::MAX.wall);
        Hlc { wall, counter: 0 }
    }

    /// Microseconds since the epoch.
    pub const fn wall_micros(self) -> u64 {
        self.wall
    }

    /// The counter within the microsecond.
    pub const fn counter(self) -> u16 {
        self.counter
    }

    /// The wall time, for showing.
    pub fn time(self) -> Time {
        Time::from_micros(i64::try_from(self.wall).unwrap_or(i64::MAX))
    }

    /// The least clock after this one; `None` at the end of time.
    pub fn successor(self) -> Option<Hlc> {
        match self.counter.checked_add(1) {
            Some(counter) => Hlc::new(self.wall, counter),
            None => Hlc::new(self.wall.checked_add(1)?, 0),
        }
    }

    /// The clock of the next write at this moment: after this clock, and not before `now`. Stands still at
    /// [`Hlc::MAX`].
    pub fn tick(self, now: Time) -> Hlc {
        self.successor().unwrap_or(Hlc::MAX).max(Hlc::at(now))
    }

    /// The clock after a write of another enrollment was seen. One that is ahead of `now` by more than `tolerance` is
    /// clamped, not believed: a peer whose clock runs wild does not drag this one along.
    pub fn observe(self, remote: Hlc, now: Time, tolerance: Duration) -> Hlc {
        self.max(remote.min(Hlc::at(now.plus(tolerance)))).tick(now)
    }
}

/// The name of one write: when, and by whom. Ordered by clock, ties by enrollment, so the greatest of several dots is
/// the last writer's.
///
/// The writer's own clock is the counter: it only grows, so a dot is unique, and it stays unique when an enrollment
/// lost a copy, or was restored from a backup, and writes again. A count per object would start over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// The writer's clock at the write.
    pub hlc: Hlc,
    /// The writer.
    pub enrollment: EnrollmentId,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}+{}@{}",
            self.hlc.time(),
            self.hlc.counter,
            self.enrollment.short()
        )
    }
}

/// Which writes have been seen: for each enrollment all up to a clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionVector(BTreeMap<EnrollmentId, Hlc>);

impl VersionVector {
    /// Whether this write has been seen.
    pub fn covers(&self, dot: &Dot) -> bool {
        self.0.get(&dot.enrollment).is_some_and(|seen| *seen >= dot.hlc)
    }

    /// Adds a write and all earlier ones of its writer.
    pub fn record(&mut self, dot: Dot) {
        let seen = self.0.entry(dot.enrollment).or_default();
        *seen = dot.hlc.max(*seen);
    }

    /// Adds everything the other has seen.
    pub fn join(&mut self, other: &VersionVector) {
        for dot in other.iter() {
            self.record(dot);
        }
    }

    /// Whether everything the other has seen has been seen here.
    pub fn dominates(&self, other: &VersionVector) -> bool {
        other.iter().all(|dot| self.covers(&dot))
    }

    /// The last write seen of each enrollment, by enrollment.
    pub fn iter(&self) -> impl Iterator<Item = Dot> {
        self.0.iter().map(|(enrollment, hlc)| Dot {
            hlc: *hlc,
            enrollment: *enrollment,
        })
    }

    /// The latest clock of all.
    pub fn newest(&self) -> Hlc {
        self.0.values().copied().max().unwrap_or_default()
    }

    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many enrollments wrote.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
