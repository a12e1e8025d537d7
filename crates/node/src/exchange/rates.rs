//! How much moved over each connection lately, for pictures of it. In memory only, and bounded: a ring of a few minutes
//! for each way in which something moved within them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, Time};

use crate::Node;

/// What is counted together.
pub const SPAN: Duration = Duration::from_secs(5);
/// How many spans are remembered.
pub const SPANS: usize = 60;
/// How many rings there are at most; a further one takes the place of the one that rested longest. Two each for twice as
/// many connections as anybody has: 4 MiB.
const RINGS_MAX: usize = 4_096;

/// Objects and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Objects and retractions.
    pub objects: u64,
    /// Their bytes, and those of content.
    pub bytes: u64,
}

impl Moved {
    fn and(self, other: Moved) -> Moved {
        Moved {
            objects: self.objects.saturating_add(other.objects),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// What moved one way lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throughput {
    /// What moved in each [`SPAN`], the present one last; empty when nothing did.
    pub spans: Vec<Moved>,
    /// What moves in a second, as of the present span and the one before; rounded up, so that it is zero only when
    /// nothing moves.
    pub per_second: Moved,
}

impl Throughput {
    /// Whether anything moves.
    pub fn is_moving(&self) -> bool {
        self.per_second != Moved::default()
    }
}

/// One way of a connection.
type Way = (ConnectionId, Direction);

#[derive(Clone, Debug)]
struct Ring {
    /// By the number of the span, round and round.
    spans: [Moved; SPANS],
    /// The number of the latest span.
    latest: u64,
}

/// The rings of all connections.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<BTreeMap<Way, Ring>>);

impl Rates {
    /// So many objects and bytes moved just now.
    pub(crate) fn moved(&self, way: Way, (objects, bytes): (u64, u64), now: Time) {
        let number = number_of(now);
        let mut rings = self.lock();
        if !rings.contains_key(&way) {
            rings.retain(|_, ring| number.saturating_sub(ring.latest) < SPANS as u64);
            if rings.len() >= RINGS_MAX {
                let rested = rings.iter().min_by_key(|(_, ring)| ring.latest);
                if let Some(rested) = rested.map(|(way, _)| *way) {
                    rings.remove(&rested);
                }
            }
        }
        let ring = rings.entry(way).or_insert(Ring {
            spans: [Moved::default(); SPANS],
            latest: number,
        });
        ring.advance(number);
        if let Some(span) = ring.spans.get_mut(place(ring.latest)) {
            *span = span.and(Moved { objects, bytes });
        }
    }

    fn of(&self, way: Way, now: Time) -> Throughput {
        let mut rings = self.lock();
        let number = number_of(now);
        match rings.get_mut(&way) {
            Some(ring) if number.saturating_sub(ring.latest) < SPANS as u64 => {
                ring.advance(number);
                ring.throughput(now)
            }
            _ => Throughput::default(),
        }
    }

    fn all(&self, now: Time) -> BTreeMap<Way, Moved> {
        let mut rings = self.lock();
        let number = number_of(now);
        let lately = rings
            .iter_mut()
            .filter(|(_, ring)| number.saturating_sub(ring.latest) < 2);
        let rates = lately.map(|(way, ring)| {
            ring.advance(number);
            (*way, ring.per_second(now))
        });
        rates.filter(|(_, rate)| *rate != Moved::default()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Way, Ring>> {
        // A ring is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// Forgets what is older than it reaches. A clock that was set back counts into the latest span.
    fn advance(&mut self, number: u64) {
        let steps = number.saturating_sub(self.latest).min(SPANS as u64);
        for step in 1..=steps {
            if let Some(span) = self.spans.get_mut(place(self.latest + step)) {
                *span = Moved::default();
            }
        }
        self.latest = self.latest.max(number);
    }

    fn throughput(&self, now: Time) -> Throughput {
        let (newer, older) = self.spans.split_at(place(self.latest) + 1);
        Throughput {
            spans: older.iter().chain(newer).copied().collect(),
            per_second: self.per_second(now),
        }
    }

    fn per_second(&self, now: Time) -> Moved {
        let span = |number: u64| self.spans.get(place(number)).copied().unwrap_or_default();
        let both = span(self.latest).and(span(self.latest.wrapping_sub(1)));
        let into = micros(now) % SPAN_MICROS;
        let per_second = |count: u64| {
            let scaled = u128::from(count) * 1_000_000;
            u64::try_from(scaled.div_ceil(u128::from(SPAN_MICROS + into))).unwrap_or(u64::MAX)
        };
        Moved {
            objects: per_second(both.objects),
            bytes: per_second(both.bytes),
        }
    }
}

const SPAN_MICROS: u64 = SPAN.as_secs() * 1_000_000;

fn micros(now: Time) -> u64 {
    u64::try_from(now.as_micros()).unwrap_or(0)
}

fn number_of(now: Time) -> u64 {
    micros(now) / SPAN_MICROS
}

fn place(number: u64) -> usize {
    usize::try_from(number % SPANS as u64).unwrap_or(0)
}

impl Node {
    /// What moved lately over a connection that the caller was shown.
    pub fn throughput(&self, connection: ConnectionId, direction: Direction) -> Throughput {
        self.progress.jobs.rates.of((connection, direction), self.now())
    }

    /// What moves now, by connection and way. Whoever is told of it must have been shown the connection.
    pub fn rates(&self) -> BTreeMap<(ConnectionId, Direction), Moved> {
        self.progress.jobs.rates.all(self.now())
    }
}

#[cfg(test)]
mod tests;
