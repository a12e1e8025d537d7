//! Peering jobs as messages.

use peerd_node::exchange::{Cause, Job, JobCounts, JobStatus, Payload};
use peerd_wire::peering::v1 as pb;

use super::timestamp;

/// A job.
pub(crate) fn job(job: Job) -> pb::Job {
    let ended_at = job.ended_at().map(timestamp);
    let Job {
        id,
        connection,
        object_type,
        outgoing,
        payload,
        cause,
        status,
        started_at,
        at: _,
        counts,
        failure,
    } = job;
    let JobCounts {
        read,
        sent,
        acknowledged,
        applied,
        unchanged,
        parked,
        retracted,
        bytes,
    } = counts;
    let direction = if outgoing {
        pb::JobDirection::Export
    } else {
        pb::JobDirection::Import
    };
    let (error_reason, error) = failure.map_or_else(Default::default, |failure| {
        (failure.reason.word().to_owned(), failure.message)
    });
    pb::Job {
        job_id: id.to_string(),
        connection_id: connection.to_string(),
        r#type: object_type,
        direction: direction.into(),
        payload: payload_of(payload).into(),
        cause: cause_of(cause).into(),
        status: status_of(status).into(),
        started_at: Some(timestamp(started_at)),
        ended_at,
        read,
        sent,
        acknowledged,
        applied,
        unchanged,
        parked,
        retracted,
        bytes,
        error_reason,
        error,
    }
}

const fn payload_of(payload: Payload) -> pb::JobPayload {
    match payload {
        Payload::Data => pb::JobPayload::Data,
        Payload::Ack => pb::JobPayload::Ack,
    }
}

const fn cause_of(cause: Cause) -> pb::JobCause {
    match cause {
        Cause::Bootstrap => pb::JobCause::Bootstrap,
        Cause::Resume => pb::JobCause::Resume,
        Cause::Resync => pb::JobCause::Resync,
        Cause::Terms => pb::JobCause::Terms,
        Cause::Live => pb::JobCause::Live,
    }
}

const fn status_of(status: JobStatus) -> pb::JobStatus {
    match status {
        JobStatus::Running => pb::JobStatus::Running,
        JobStatus::Done => pb::JobStatus::Done,
        JobStatus::Failed => pb::JobStatus::Failed,
        JobStatus::Interrupted => pb::JobStatus::Interrupted,
    }
}
