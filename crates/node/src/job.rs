//! Peering jobs as operators see them, and their records.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::authz::{self, Action};
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, JobId};
use peerd_store::records::{ExportCursor, Job, JobStatus};
use peerd_store::{Batch, Expect, Found, Range, RecordBatch as _, Records as _, Table};

use crate::exchange::Recorded;
use crate::{Caller, Error, Node};

/// How often what jobs counted is written, and how much later than the last time the end of one is.
const PAUSE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(5);
/// How many jobs of a connection are kept.
const KEPT_MAX: usize = 500;
/// How long an ended job is kept.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// After how many more jobs of a connection its old ones are looked for.
const PRUNE_AFTER: usize = 50;
/// How many jobs one read asks for.
const PAGE: usize = 200;

/// Which jobs a list is about; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of this type, as this side calls it.
    pub object_type: Option<String>,
    /// Which way.
    pub direction: Option<Direction>,
    /// How they are.
    pub status: Option<JobStatus>,
}

impl JobFilter {
    fn fits(&self, job: &Job) -> bool {
        let outgoing = self.direction.map(|direction| direction == Direction::Export);
        self.connection.is_none_or(|id| id == job.connection)
            && self
                .object_type
                .as_ref()
                .is_none_or(|name| *name == job.object_type)
            && outgoing.is_none_or(|outgoing| outgoing == job.outgoing)
            && self.status.is_none_or(|status| status == job.status)
    }
}

impl Node {
    /// Jobs of connections the caller may see them of, by connection, the latest first.
    pub async fn list_jobs(
        &self,
        caller: &Caller,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<(Vec<Job>, Option<JobId>), Error> {
        let prefix = if let Some(id) = filter.connection {
            self.connection_for(caller, Action::JobShow, id).await?;
            Job::prefix(id)
        } else {
            self.authorize(caller, Action::JobList, None).await?;
            Vec::new()
        };
        self.record_jobs().await?;
        let mut listed = Vec::new();
        let mut shown: Option<(ConnectionId, bool)> = None;
        let mut after = after.map(|id| Bytes::copy_from_slice(id.as_bytes()));
        loop {
            let page = self.store.page::<Job>(&prefix, after, PAGE).await?;
            for found in page.records {
                let job = self.as_it_is(found.record);
                let id = job.connection;
                let visible = match shown {
                    Some((known, visible)) if known == id => visible,
                    _ => self.may_show_jobs(caller, id).await?,
                };
                shown = Some((id, visible));
                if !visible || !filter.fits(&job) {
                    continue;
                }
                // One more than asked for tells that there is a next page.
                if listed.len() == limit {
                    let last = listed.last().map(|job: &Job| job.id);
                    return Ok((listed, last));
                }
                listed.push(job);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((listed, None)),
            }
        }
    }

    /// One job.
    pub async fn show_job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        let missing = || Error::not_found("job");
        self.record_jobs().await?;
        let found = self.store.find::<Job>(id.as_bytes()).await?;
        let job = self.as_it_is(found.ok_or_else(missing)?.record);
        match self.connection_for(caller, Action::JobShow, job.connection).await {
            Ok(_) => Ok(job),
            Err(error) if error.reason() == peerd_core::Reason::NotFound => Err(missing()),
            Err(error) => Err(error),
        }
    }

    /// A record that says "running" is of an earlier process, unless the job runs in this one.
    fn as_it_is(&self, job: Job) -> Job {
        let left = job.status == JobStatus::Running && !self.progress.jobs.runs(job.id);
        Job {
            status: if left { JobStatus::Interrupted } else { job.status },
            ..job
        }
    }

    async fn may_show_jobs(&self, caller: &Caller, id: ConnectionId) -> Result<bool, Error> {
        let Some(found) = self.store.find::<Connection>(id.as_bytes()).await? else {
            return Ok(false);
        };
        let space = self.space_of(&found.record).await?;
        Ok(authz::authorize(Some(caller.principal()), Action::JobShow, space.as_ref()).is_ok())
    }

    /// Background work: writes what jobs counted, and how far exports were acknowledged, every few seconds. Never ends.
    pub async fn keep_job_records(&self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.progress.jobs.ended.notified() => {}
            }
            if let Err(error) = self.record_jobs().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "jobs not recorded");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what jobs counted since the last time, and how far exports were acknowledged.
    pub async fn record_jobs(&self) -> Result<(), Error> {
        let mut recorded = self.progress.jobs.writing.lock().await;
        let due = self.progress.jobs.due(self.now());
        for jobs in due.chunk_by(|a, b| a.connection == b.connection) {
            let Some(id) = jobs.first().map(|job| job.connection) else {
                continue;
            };
            self.retrying(|| self.write_jobs(id, jobs)).await?;
            self.progress.jobs.written(jobs);
            self.prune_jobs(id, jobs.len(), &mut recorded).await?;
        }
        self.record_acknowledgements(&mut recorded).await
    }

    /// Of a connection that is over nothing is written: what was remembered of it is gone, or goes now.
    async fn write_jobs(&self, id: ConnectionId, jobs: &[Job]) -> Result<(), Error> {
        let Some(mut batch) = self.batch_of(id).await? else {
            return Ok(());
        };
        for job in jobs {
            batch.upsert(job)?;
        }
        self.commit(batch).await
    }

    /// A batch that holds while the connection is as it is now; `None` when it is over.
    async fn batch_of(&self, id: ConnectionId) -> Result<Option<Batch>, Error> {
        let found = self.store.find::<Connection>(id.as_bytes()).await?;
        let live = found.filter(|found| !found.record.stage.is_final());
        Ok(live.map(|Found { revision, .. }| {
            let mut batch = Batch::new();
            let key = Bytes::copy_from_slice(id.as_bytes());
            batch.expect(Table::Connections, key, Expect::At(revision));
            batch
        }))
    }

    async fn record_acknowledgements(&self, recorded: &mut Recorded) -> Result<(), Error> {
        let now = self.now();
        for (connection, object_type, terms, acknowledged) in self.progress.acknowledgements() {
            let export = (connection, object_type.clone());
            if recorded.acknowledged.get(&export) == Some(&(terms, acknowledged)) {
                continue;
            }
            let cursor = ExportCursor {
                connection,
                object_type,
                acknowledged,
                terms,
                at: now,
            };
            self.retrying(async || {
                let Some(mut batch) = self.batch_of(connection).await? else {
                    return Ok(());
                };
                batch.upsert(&cursor)?;
                self.commit(batch).await
            })
            .await?;
            recorded.acknowledged.insert(export, (terms, acknowledged));
        }
        Ok(())
    }

    /// Removes what a connection has too much of: jobs beyond the number that is kept, and those that are too old.
    async fn prune_jobs(
        &self,
        id: ConnectionId,
        written: usize,
        recorded: &mut Recorded,
    ) -> Result<(), Error> {
        let since = recorded.since_pruned.entry(id).or_insert(PRUNE_AFTER);
        *since += written;
        if *since < PRUNE_AFTER {
            return Ok(());
        }
        *since = 0;
        let oldest = self.now().as_micros().saturating_sub(micros(KEPT_FOR));
        let oldest = Job::id_of(id, u64::try_from(oldest).unwrap_or(0));
        let mut after = None;
        let mut kept = 0;
        loop {
            let mut range = Range::prefix(Table::Jobs, Job::prefix(id), PAGE);
            range.after = after;
            let page = self.store.range(range).await?;
            let mut batch = Batch::new();
            for (key, _) in &page {
                // A later job has the smaller key.
                if kept >= KEPT_MAX || key.as_ref() > oldest.as_bytes().as_slice() {
                    batch.delete(Table::Jobs, key.clone());
                } else {
                    kept += 1;
                }
            }
            if !batch.is_empty() {
                self.commit(batch).await?;
            }
            after = match page.last() {
                Some((key, _)) if page.len() == PAGE => Some(key.clone()),
                _ => return Ok(()),
            };
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
