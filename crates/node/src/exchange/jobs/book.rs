//! The book of jobs: what runs, and what ended and waits to be written.

use std::collections::BTreeMap;
use std::time::Duration;

use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, Reason, Time};
use peerd_store::records::{Cause, Job, JobCounts, JobFailure, JobStatus, Payload};

/// How long live traffic goes into one job.
const LIVE_JOB: Duration = Duration::from_mins(1);
/// The most ended jobs that wait to be written. More there are only while the store fails.
const OVER_MAX: usize = 1_000;

/// One stream. Its type has the exporting side's name.
pub(super) type Key = (ConnectionId, String, Direction);

#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) streams: BTreeMap<Key, Stream>,
    /// Ended jobs that are not written yet.
    pub(super) over: Vec<Job>,
    /// The number of the last job that began, and of the last stream.
    pub(super) last_job: u64,
    pub(super) last_stream: u64,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) number: u64,
    pub(super) object_type: String,
    pub(super) run: Option<Run>,
    /// Items of batches without an acknowledgement.
    pub(super) sent: BTreeMap<u64, u64>,
    /// Places that were looked at while nothing moved: they count for the job that moves something next.
    pub(super) walked: u64,
    /// Why the last job failed, while nothing was moved since.
    pub(super) failed: Option<Reason>,
}

#[derive(Debug)]
pub(super) struct Run {
    pub(super) job: Job,
    /// What of it is written.
    pub(super) written: Option<Job>,
}

impl Run {
    pub(super) fn has_moved(&self) -> bool {
        let JobCounts {
            read: _,
            sent,
            acknowledged: _,
            applied,
            unchanged,
            parked,
            retracted,
            bytes: _,
        } = self.job.counts;
        [sent, applied, unchanged, parked, retracted]
            .iter()
            .any(|count| *count > 0)
    }

    pub(super) fn is_live(&self) -> bool {
        self.job.cause == Cause::Live
    }

    pub(super) fn is_worth_writing(&self) -> bool {
        self.has_moved() || self.job.failure.is_some()
    }
}

impl Book {
    pub(super) fn begin_run(&mut self, key: &Key, cause: Cause, now: Time) {
        let micros = u64::try_from(now.as_micros()).unwrap_or(0);
        self.last_job = micros.max(self.last_job.saturating_add(1));
        let number = self.last_job;
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let (connection, _, direction) = key;
        let job = Job {
            id: Job::id_of(*connection, number),
            connection: *connection,
            object_type: stream.object_type.clone(),
            outgoing: *direction == Direction::Export,
            payload: Payload::Data,
            cause,
            status: JobStatus::Running,
            started_at: now,
            at: now,
            counts: JobCounts::default(),
            failure: None,
        };
        stream.run = Some(Run { job, written: None });
    }

    pub(super) fn end_run(&mut self, key: &Key, status: JobStatus, failure: Option<JobFailure>, now: Time) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let Some(mut run) = stream.run.take() else { return };
        let reason = failure.as_ref().map(|failure| failure.reason);
        // A live run that is caught up was done before whatever ends it now.
        if run.job.status != JobStatus::Done {
            (run.job.status, run.job.failure, run.job.at) = (status, failure, now);
        }
        // A stream that breaks at once, again and again, is one failure.
        let again = reason.is_some() && reason == stream.failed && !run.has_moved();
        if reason.is_some() {
            stream.failed = reason;
        }
        if run.is_worth_writing() && !again {
            if self.over.len() == OVER_MAX {
                self.over.remove(0);
            }
            self.over.push(run.job);
        }
    }

    /// Something moves: in the job that runs, or in a new live one.
    pub(super) fn moves(&mut self, key: &Key, now: Time, count: impl FnOnce(&mut JobCounts)) {
        let run = self.streams.get(key).and_then(|stream| stream.run.as_ref());
        if run.is_some_and(|run| is_rested(run, now)) {
            self.end_run(key, JobStatus::Done, None, now);
        }
        if self.streams.get(key).is_some_and(|stream| stream.run.is_none()) {
            self.begin_run(key, Cause::Live, now);
        }
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        if let Some(run) = &mut stream.run {
            run.job.counts.read += std::mem::take(&mut stream.walked);
            (run.job.status, run.job.at) = (JobStatus::Running, now);
            count(&mut run.job.counts);
        }
    }
}

/// Whether a live job is caught up and its minute is over.
pub(super) fn is_rested(run: &Run, now: Time) -> bool {
    run.is_live() && run.job.status == JobStatus::Done && now.since(run.job.started_at) >= LIVE_JOB
}
