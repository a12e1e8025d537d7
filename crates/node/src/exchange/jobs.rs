//! Peering jobs while they run. A job is one run of one type in one direction, from where a stream begins, or the terms
//! change, to where it is caught up. What moves after that is live: it goes into one job for a minute of activity.
//!
//! Streams count here per batch, in memory. What was counted is written every few seconds by [`Node::record_jobs`], and
//! whenever somebody asks; so a short run is one write, and a job that a process did not finish says how far it came.

mod book;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, JobId, Reason, Time};
use peerd_store::records::{Cause, Job, JobFailure, JobStatus};
use tokio::sync::Notify;

use super::position::Digest;
use super::rates::Rates;
use super::{Ack, Batch, Change, Flow, Item};
use book::{Book, Key, is_rested};

/// The longest message of a failure that is kept, in characters.
const MESSAGE_MAX: usize = 512;

/// With what a stream begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning<'a> {
    pub(super) cause: Cause,
    /// The type, as this side calls it.
    pub(super) object_type: &'a str,
}

/// What became of the items of a batch here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) written: u64,
    pub(super) removed: u64,
    pub(super) parked: u64,
}

/// The jobs of this process.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    book: Mutex<Book>,
    /// How much moved lately.
    pub(crate) rates: Rates,
    /// Held while jobs are written, so that an older count never replaces a newer one.
    pub(crate) writing: tokio::sync::Mutex<Recorded>,
    /// Told when a job ended that is to be written.
    pub(crate) ended: Notify,
}

/// What was written so far, as far as it spares writing more.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Of each connection, how many jobs were written since its old ones were removed.
    pub(crate) since_pruned: BTreeMap<ConnectionId, usize>,
    /// How far each export was acknowledged, and under which terms.
    pub(crate) acknowledged: BTreeMap<(ConnectionId, String), (Digest, u64)>,
}

impl Jobs {
    /// A stream opened. Answers its number, by which its end is known.
    pub(super) fn opened(
        &self,
        flow: &Flow,
        direction: Direction,
        beginning: Beginning<'_>,
        now: Time,
    ) -> u64 {
        let mut book = self.lock();
        let key = key(flow, direction);
        book.end_run(&key, JobStatus::Interrupted, None, now);
        book.last_stream += 1;
        let number = book.last_stream;
        let stream = book.streams.entry(key.clone()).or_default();
        stream.number = number;
        beginning.object_type.clone_into(&mut stream.object_type);
        stream.sent.clear();
        book.begin_run(&key, beginning.cause, now);
        number
    }

    /// A stream ended; without a failure it was from outside. A stream that another one replaced says nothing.
    pub(super) fn ended(
        &self,
        flow: &Flow,
        (direction, number): (Direction, u64),
        failure: Option<JobFailure>,
        now: Time,
    ) {
        let mut book = self.lock();
        let key = key(flow, direction);
        if book
            .streams
            .get(&key)
            .is_none_or(|stream| stream.number != number)
        {
            return;
        }
        let status = match &failure {
            Some(_) => JobStatus::Failed,
            None => JobStatus::Interrupted,
        };
        book.end_run(&key, status, failure, now);
        self.tell_ended(&book);
    }

    fn tell_ended(&self, book: &Book) {
        if !book.over.is_empty() {
            self.ended.notify_one();
        }
    }

    /// The terms of an export changed: what differs is a run of its own.
    pub(super) fn terms_changed(&self, flow: &Flow, now: Time) {
        let mut book = self.lock();
        let key = key(flow, Direction::Export);
        book.end_run(&key, JobStatus::Interrupted, None, now);
        book.begin_run(&key, Cause::Terms, now);
    }

    /// An exporter looked at places of its feed.
    pub(super) fn walked(&self, flow: &Flow, places: u64) {
        let mut book = self.lock();
        let Some(stream) = book.streams.get_mut(&key(flow, Direction::Export)) else {
            return;
        };
        match &mut stream.run {
            Some(run) if run.job.status == JobStatus::Running => run.job.counts.read += places,
            _ => stream.walked += places,
        }
    }

    /// An exporter handed a batch out.
    pub(super) fn sent(&self, flow: &Flow, batch: &Batch, now: Time) {
        if batch.items.is_empty() {
            return;
        }
        let mut book = self.lock();
        let key = key(flow, Direction::Export);
        let items = batch.items.len() as u64;
        let retracted = batch
            .items
            .iter()
            .filter(|item| item.change == Change::Retraction);
        let retracted = retracted.count() as u64;
        let bytes = bytes_of(&batch.items);
        self.rates
            .moved((flow.connection, Direction::Export), (items, bytes), now);
        book.moves(&key, now, |counts| {
            counts.sent += items;
            counts.retracted += retracted;
            counts.bytes += bytes;
        });
        if let Some(stream) = book.streams.get_mut(&key) {
            stream.sent.insert(batch.number, items);
        }
    }

    /// The other side committed batches.
    pub(super) fn answered(&self, flow: &Flow, ack: &Ack, now: Time) {
        let mut book = self.lock();
        let key = key(flow, Direction::Export);
        let Some(stream) = book.streams.get_mut(&key) else {
            return;
        };
        let waiting = stream.sent.split_off(&ack.number.saturating_add(1));
        let done = std::mem::replace(&mut stream.sent, waiting);
        let (items, parked) = (done.values().sum::<u64>(), ack.refusals.len() as u64);
        if let Some(run) = &mut stream.run {
            run.job.counts.acknowledged += items;
            // More than were sent cannot be parked, whatever the other side says.
            run.job.counts.parked += parked.min(items);
            run.job.at = now;
        }
    }

    /// An importer committed a batch.
    pub(super) fn took(&self, flow: &Flow, items: &[Item], taken: Taken, now: Time) {
        if items.is_empty() {
            return;
        }
        let read = items.len() as u64;
        let bytes = bytes_of(items);
        let Taken {
            written,
            removed,
            parked,
        } = taken;
        self.rates
            .moved((flow.connection, Direction::Import), (read, bytes), now);
        self.lock().moves(&key(flow, Direction::Import), now, |counts| {
            counts.read += read;
            counts.applied += written;
            counts.retracted += removed;
            counts.parked += parked;
            counts.unchanged += read.saturating_sub(written + removed + parked);
            counts.bytes += bytes;
        });
    }

    /// Nothing is waiting: what ran is done.
    pub(super) fn settled(&self, flow: &Flow, direction: Direction) {
        let mut book = self.lock();
        let key = key(flow, direction);
        let Some(stream) = book.streams.get_mut(&key) else {
            return;
        };
        stream.failed = None;
        match &mut stream.run {
            // It may go on within its minute.
            Some(run) if run.is_live() => run.job.status = JobStatus::Done,
            Some(run) => {
                let at = run.job.at;
                book.end_run(&key, JobStatus::Done, None, at);
                self.tell_ended(&book);
            }
            None => {}
        }
    }

    /// What is to be written now.
    pub(crate) fn due(&self, now: Time) -> Vec<Job> {
        let mut book = self.lock();
        let rested: Vec<Key> = book
            .streams
            .iter()
            .filter(|(_, stream)| stream.run.as_ref().is_some_and(|run| is_rested(run, now)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in rested {
            book.end_run(&key, JobStatus::Done, None, now);
        }
        let running = book.streams.values().filter_map(|stream| stream.run.as_ref());
        let running = running.filter(|run| run.is_worth_writing() && run.written.as_ref() != Some(&run.job));
        let running = running.map(|run| run.job.clone());
        book.over.iter().cloned().chain(running).collect()
    }

    /// These were written.
    pub(crate) fn written(&self, jobs: &[Job]) {
        let mut book = self.lock();
        book.over.retain(|over| !jobs.contains(over));
        for run in book.streams.values_mut().filter_map(|stream| stream.run.as_mut()) {
            let written = jobs.iter().find(|job| job.id == run.job.id).cloned();
            run.written = written.or_else(|| run.written.take());
        }
    }

    /// Whether this job runs in this process.
    pub(crate) fn runs(&self, id: JobId) -> bool {
        let book = self.lock();
        let mut runs = book.streams.values().filter_map(|stream| stream.run.as_ref());
        runs.any(|run| run.job.id == id)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // Counts are whole after every statement, so a poisoned book is still a good one.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(flow: &Flow, direction: Direction) -> Key {
    (flow.connection, flow.object_type.clone(), direction)
}

/// The bytes of items.
pub(super) fn bytes_of(items: &[Item]) -> u64 {
    let bytes = items.iter().map(|item| match &item.change {
        Change::State(bytes) => bytes.len() + item.key.len(),
        Change::Retraction => item.key.len(),
    });
    bytes.sum::<usize>() as u64
}

/// A failure as a job keeps it.
pub(super) fn failure(reason: Reason, message: &str) -> JobFailure {
    JobFailure {
        reason,
        message: message.chars().take(MESSAGE_MAX).collect(),
    }
}
