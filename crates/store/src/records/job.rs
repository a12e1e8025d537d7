//! Peering jobs.

use peerd_core::{ConnectionId, JobId, Reason, Time};
use serde::{Deserialize, Serialize};

use crate::{Record, Table};

/// What a job moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Objects. What the other side answers is counted with them.
    Data,
    /// Acknowledgements that travel by themselves, as over a data relay.
    Ack,
}

/// Why a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Nothing had flowed before.
    Bootstrap,
    /// A stream opened where an earlier one had come to.
    Resume,
    /// The position meant nothing at the exporting side: everything is said again.
    Resync,
    /// The terms changed: what differs under the new ones is said.
    Terms,
    /// Something changed while the stream was caught up.
    Live,
}

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Not caught up yet. In a record of an earlier process it means that the run was interrupted.
    Running,
    /// Caught up.
    Done,
    /// The stream broke.
    Failed,
    /// The stream was ended from outside: the link went down, the type flows no more, the daemon stopped.
    Interrupted,
}

/// What a job counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Export: places of the feed that were looked at. Import: items that came.
    pub read: u64,
    /// Export: items that were sent.
    pub sent: u64,
    /// Export: items of batches that the other side has committed.
    pub acknowledged: u64,
    /// Import: objects that were written.
    pub applied: u64,
    /// Import: items that brought nothing new.
    pub unchanged: u64,
    /// Items that were parked: here on an import, at the other side on an export.
    pub parked: u64,
    /// Export: retractions that were sent. Import: copies that went.
    pub retracted: u64,
    /// Bytes of the items.
    pub bytes: u64,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// The stable reason.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// One run of one type in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id: the random half of the connection's id, then a number that is smaller the later the job began.
    pub id: JobId,
    /// The connection.
    pub connection: ConnectionId,
    /// The object type, as this side calls it.
    pub object_type: String,
    /// Whether it sends; otherwise it takes.
    pub outgoing: bool,
    /// What it moves.
    pub payload: Payload,
    /// Why it began.
    pub cause: Cause,
    /// How it is.
    pub status: JobStatus,
    /// When it began.
    pub started_at: Time,
    /// When it last moved something, or ended.
    pub at: Time,
    /// What it counted.
    pub counts: JobCounts,
    /// Why it failed.
    pub failure: Option<JobFailure>,
}

impl Job {
    /// When it ended; a job that runs has not.
    pub fn ended_at(&self) -> Option<Time> {
        (self.status != JobStatus::Running).then_some(self.at)
    }

    /// What the keys of a connection's jobs start with; the latest job comes first.
    pub fn prefix(connection: ConnectionId) -> Vec<u8> {
        connection.as_bytes()[8..].to_vec()
    }

    /// The id of the job with this number; later jobs have greater numbers.
    pub fn id_of(connection: ConnectionId, number: u64) -> JobId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&connection.as_bytes()[8..]);
        id[8..].copy_from_slice(&(u64::MAX - number).to_be_bytes());
        JobId::from_bytes(id)
    }
}

impl Record for Job {
    const TABLE: Table = Table::Jobs;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }
}
