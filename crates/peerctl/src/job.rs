//! `job`: what flowed over connections, run by run.

use clap::{Args, Subcommand, ValueEnum};
use peerd_wire::peering::v1 as pb;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::{optional, required, time, word};
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists jobs by connection, the latest first
    List(Filter),
    /// Shows one job
    Show {
        /// The job's id
        job: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only of this connection
    #[arg(long, value_name = "ID")]
    connection: Option<String>,
    /// Only of this object type, as this side calls it
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// Only this way
    #[arg(long, value_enum)]
    direction: Option<Direction>,
    /// Only in this status
    #[arg(long, value_enum)]
    status: Option<Status>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Direction {
    /// From here to the other side
    Export,
    /// From the other side to here
    Import,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    /// Not caught up yet
    Running,
    /// Caught up
    Done,
    /// The stream broke
    Failed,
    /// Ended from outside
    Interrupted,
}

/// A job.
#[derive(Debug, Serialize)]
struct Job {
    job_id: String,
    connection_id: String,
    r#type: String,
    direction: String,
    payload: String,
    cause: String,
    status: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    read: u64,
    sent: u64,
    acknowledged: u64,
    applied: u64,
    unchanged: u64,
    parked: u64,
    retracted: u64,
    bytes: u64,
    error_reason: Option<String>,
    error: Option<String>,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        match self {
            Command::List(filter) => list(app, filter).await?,
            Command::Show { job: job_id } => {
                let request = pb::GetJobRequest { job_id };
                let answer = app.client.call(app.client.jobs().get_job(request)).await?;
                output::show(app.format, &Job::from(required(answer.job, "job")?))?;
            }
        }
        Ok(DONE)
    }
}

async fn list(app: &App<'_>, filter: Filter) -> Result<(), Error> {
    let direction = filter
        .direction
        .map_or(pb::JobDirection::Unspecified, |way| match way {
            Direction::Export => pb::JobDirection::Export,
            Direction::Import => pb::JobDirection::Import,
        });
    let status = filter
        .status
        .map_or(pb::JobStatus::Unspecified, |status| match status {
            Status::Running => pb::JobStatus::Running,
            Status::Done => pb::JobStatus::Done,
            Status::Failed => pb::JobStatus::Failed,
            Status::Interrupted => pb::JobStatus::Interrupted,
        });
    let request = pb::ListJobsRequest {
        connection_id: filter.connection.unwrap_or_default(),
        r#type: filter.r#type.unwrap_or_default(),
        direction: direction.into(),
        status: status.into(),
        ..pb::ListJobsRequest::default()
    };
    let (client, asked) = (&app.client, &request);
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListJobsRequest {
            page_size,
            page_token,
            ..asked.clone()
        };
        let page = client.call(client.jobs().list_jobs(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Job> = items.await?.into_iter().map(Job::from).collect();
    let columns = [
        "job_id",
        "type",
        "direction",
        "payload",
        "cause",
        "status",
        "started_at",
        "ended_at",
        "read",
        "sent",
        "applied",
        "unchanged",
        "parked",
        "retracted",
        "bytes",
        "error_reason",
    ];
    output::list(app.format, &Page::whole(items), &columns)
}

impl From<pb::Job> for Job {
    fn from(job: pb::Job) -> Job {
        let pb::Job {
            job_id,
            connection_id,
            r#type,
            direction,
            payload,
            cause,
            status,
            started_at,
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
        } = job;
        Job {
            job_id,
            connection_id,
            r#type,
            direction: word(direction, pb::JobDirection::as_str_name, "JOB_DIRECTION_"),
            payload: word(payload, pb::JobPayload::as_str_name, "JOB_PAYLOAD_"),
            cause: word(cause, pb::JobCause::as_str_name, "JOB_CAUSE_"),
            status: word(status, pb::JobStatus::as_str_name, "JOB_STATUS_"),
            started_at: time(started_at),
            ended_at: time(ended_at),
            read,
            sent,
            acknowledged,
            applied,
            unchanged,
            parked,
            retracted,
            bytes,
            error_reason: optional(error_reason),
            error: optional(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_shows_its_words_counts_and_error() {
        let job = pb::Job {
            job_id: "job_1".into(),
            r#type: "airport".into(),
            direction: pb::JobDirection::Import.into(),
            payload: pb::JobPayload::Data.into(),
            cause: pb::JobCause::Bootstrap.into(),
            status: pb::JobStatus::Failed.into(),
            started_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            applied: 7,
            error_reason: "PEER_UNREACHABLE".into(),
            error: "the other side ended the stream".into(),
            ..pb::Job::default()
        };
        let shown = serde_json::to_value(Job::from(job)).expect("json");
        for (field, value) in [
            ("job_id", json!("job_1")),
            ("type", json!("airport")),
            ("direction", json!("import")),
            ("payload", json!("data")),
            ("cause", json!("bootstrap")),
            ("status", json!("failed")),
            ("started_at", json!("1970-01-01T00:00:00Z")),
            ("ended_at", json!(null)),
            ("applied", json!(7)),
            ("error_reason", json!("PEER_UNREACHABLE")),
        ] {
            assert_eq!(shown[field], value, "{field}");
        }
        let fine = serde_json::to_value(Job::from(pb::Job::default())).expect("json");
        assert_eq!(fine["error"], json!(null));
    }
}
