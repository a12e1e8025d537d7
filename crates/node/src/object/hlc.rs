//! The clock of this enrollment's writes: monotone, over restarts too, so that no dot is ever given out twice.
//!
//! Clocks are given out from a window of wall time that was reserved in the store before. Whoever opens a window, after
//! a restart or beside another process on the same store, starts behind the last one: clocks that were reserved and not
//! used are skipped, never used twice. One small commit pays for all writes of a window.

use std::time::Duration;

use peerd_core::object::Hlc;
use peerd_core::{Reason, Time};
use peerd_store::{Batch, RecordBatch as _, Records as _, meta_record};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{Error, Node};

/// How much wall time is reserved at once. After a restart the clock is ahead of the wall by at most about this much.
const WINDOW: Duration = Duration::from_secs(2);

/// No clock later than this was ever given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ReservedClock {
    limit: Hlc,
}

meta_record!(ReservedClock, b"write_clock", 1);

/// Gives out the clocks of this enrollment's writes.
#[derive(Debug, Default)]
pub(crate) struct WriteClock(Mutex<Window>);

/// What of the last reservation is left: the clocks after `last`, up to `limit`.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    last: Hlc,
    limit: Hlc,
}

impl Node {
    /// The clock of the next write. It is later than every one given out before by this enrollment.
    pub(crate) async fn tick(&self) -> Result<Hlc, Error> {
        let mut window = self.write_clock.0.lock().await;
        let mut next = window.last.tick(self.now());
        if next > window.limit {
            *window = self.retrying(|| self.reserve(*window)).await?;
            next = window.last.tick(self.now()).min(window.limit);
        }
        if next <= window.last {
            return Err(Error::new(Reason::Internal, "the clock of writes is at its end"));
        }
        window.last = next;
        Ok(next)
    }

    /// Reserves the next window, before any clock of it is used.
    async fn reserve(&self, window: Window) -> Result<Window, Error> {
        let found = self.store.find::<ReservedClock>(b"write_clock").await?;
        let reserved = found.as_ref().map_or(Hlc::ZERO, |found| found.record.limit);
        // The last reservation was not this window's: its clocks may be in use, by us before a restart or by another.
        let last = if reserved == window.limit {
            window.last
        } else {
            window.last.max(reserved)
        };
        let until = last.tick(self.now()).time().plus(WINDOW);
        let limit = Hlc::new(Hlc::at(until).wall_micros(), u16::MAX).unwrap_or(Hlc::MAX);
        let mut batch = Batch::new();
        let record = ReservedClock { limit };
        match found {
            Some(found) => batch.replace(&record, found.revision)?,
            None => batch.insert(&record)?,
        };
        self.commit(batch).await?;
        Ok(Window { last, limit })
    }

    /// Moves the clock, in a batch, behind all that may have been given out after a backup was made: those clocks were
    /// not ahead of the wall by more than the ones before it, and the wall has moved on since.
    pub(crate) async fn pass_lost_clocks(&self, batch: &mut Batch, backed_up_at: Time) -> Result<(), Error> {
        let found = self.store.find::<ReservedClock>(b"write_clock").await?;
        let reserved = found.as_ref().map_or(Hlc::ZERO, |found| found.record.limit);
        let ahead = reserved.time().since(backed_up_at);
        let until = Hlc::at(self.now().plus(ahead).plus(WINDOW));
        let record = ReservedClock {
            limit: reserved.max(until),
        };
        match found {
            Some(found) => batch.replace(&record, found.revision)?,
            None => batch.insert(&record)?,
        };
        Ok(())
    }

    /// Refuses a clock of another enrollment that is too far in the future: what has it would win over every honest
    /// write until then.
    pub(crate) fn believable(&self, seen: Hlc) -> Result<(), Error> {
        let (now, tolerance) = (self.now(), self.settings.clock_skew_max);
        if seen.time() > now.plus(tolerance) {
            return Err(ahead(seen.time(), now));
        }
        Ok(())
    }

    /// Moves the clock behind everything that other enrollments have seen, to be called before it is written.
    pub(crate) async fn observe(&self, seen: Hlc) {
        let mut window = self.write_clock.0.lock().await;
        // Not reserved: the next tick finds itself behind the window and reserves before it gives anything out.
        window.last = window.last.max(seen);
    }
}

fn ahead(seen: Time, now: Time) -> Error {
    Error::new(
        Reason::ClockSkew,
        format!("a write of {seen} is too far ahead of the clock here, {now}"),
    )
}
