//! `object load`: a file of rows into the source lane.

mod batch;

use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use peerd_wire::data::v1 as pb;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::rows::{self, Rejection};
use crate::cli::{App, DONE};
use crate::error::Error;
use crate::output;
use crate::security::SecurityArgs;
use batch::{Pumped, pump};

/// How many batches may be under way between disk and wire.
const QUEUE: usize = 2;

/// How many rejected rows are listed; all are counted.
pub(super) const REJECTIONS_MAX: usize = 1_000;

/// How many rejected rows a person is shown.
const WARNINGS_MAX: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Name or id of the space
    space: String,
    /// The object type
    #[arg(value_name = "TYPE")]
    object_type: String,
    /// A .csv, .csv.gz, .ndjson or .ndjson.gz file
    file: PathBuf,
    /// Ignore columns and keys that are no properties
    #[arg(long)]
    ignore_extra: bool,
    /// A text that means null beside the empty one; may be given several times
    #[arg(long = "null", value_name = "TEXT")]
    nulls: Vec<String>,
    /// Build the primary key by joining these columns with `|`
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    key_from: Vec<String>,
    #[command(flatten)]
    security: SecurityArgs,
}

/// What a load came to.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Totals {
    read: u64,
    written: u64,
    unchanged: u64,
    rejected: u64,
    /// The first ones, by line.
    rejections: Vec<Rejection>,
}

impl Load {
    /// Rejected rows are in the answer and do not fail the command: a script that loads the same file again shall not stop at
    /// them.
    pub(super) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let totals = self.load(app).await?;
        totals.warn();
        output::show(app.format, &totals)?;
        Ok(DONE)
    }

    async fn load(&self, app: &App<'_>) -> Result<Totals, Error> {
        let bar = bar();
        let mut rows = rows::open(&self.file, &bar)?;
        let header = self.header(rows.columns());
        let (queue, batches) = mpsc::channel(QUEUE);
        let reader = tokio::task::spawn_blocking(move || pump(&mut rows, &queue));
        let mut totals = Totals::default();
        let sent = send(app, header, batches, &bar, &mut totals).await;
        // The queue is gone by now, so that the reader ends even when the daemon did not take everything.
        let pumped = reader.await.map_err(|error| {
            Error::refused(peerd_core::Reason::Internal, format!("reading failed: {error}"))
        })?;
        bar.finish_and_clear();
        let fault = pumped.fault.as_ref().map(|fault| Error::file(&self.file, fault));
        totals.merge(pumped);
        if let Some(error) = sent.err().or(fault) {
            return Err(error
                .with("written", &totals.written)
                .with("unchanged", &totals.unchanged));
        }
        Ok(totals)
    }

    fn header(&self, columns: &[String]) -> pb::LoadHeader {
        pb::LoadHeader {
            space: self.space.clone(),
            object_type: self.object_type.clone(),
            columns: columns.to_vec(),
            ignore_extra: self.ignore_extra,
            nulls: self.nulls.clone(),
            key_from: self.key_from.clone(),
            classification: self.security.classification.clone().unwrap_or_default(),
            markings: self.security.markings.clone(),
        }
    }
}

/// Sends the batches and adds up the answers until the daemon has said its last. One task does both, so that a refusal
/// stops the sending.
async fn send(
    app: &App<'_>,
    header: pb::LoadHeader,
    mut batches: mpsc::Receiver<pb::LoadRows>,
    bar: &ProgressBar,
    totals: &mut Totals,
) -> Result<(), Error> {
    let (wire, parts) = mpsc::channel(QUEUE);
    let forward = async move {
        while let Some(rows) = batches.recv().await {
            if wire
                .send(part(pb::load_objects_request::Part::Rows(rows)))
                .await
                .is_err()
            {
                break;
            }
        }
    };
    let first = tokio_stream::once(part(pb::load_objects_request::Part::Header(header)));
    let parts = first.chain(ReceiverStream::new(parts));
    let follow = async {
        let mut objects = app.client.objects();
        let mut answers = objects.load_objects(parts).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            totals.advance(answer);
            bar.set_message(totals.progress(bar));
        }
        Ok::<(), tonic::Status>(())
    };
    let (mut forward, mut follow) = (pin!(forward), pin!(follow));
    let mut forwarding = true;
    loop {
        tokio::select! {
            ended = &mut follow => return ended.map_err(Error::from),
            () = &mut forward, if forwarding => forwarding = false,
        }
    }
}

fn part(part: pb::load_objects_request::Part) -> pb::LoadObjectsRequest {
    pb::LoadObjectsRequest { part: Some(part) }
}

/// Drawn on stderr, and only on a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Totals {
    /// Takes in an answer: its counts are totals so far, its rejections are new.
    fn advance(&mut self, answer: pb::LoadObjectsResponse) {
        let pb::LoadObjectsResponse {
            read,
            written,
            unchanged,
            rejected,
            rejections,
        } = answer;
        (self.read, self.written, self.unchanged, self.rejected) = (read, written, unchanged, rejected);
        let room = REJECTIONS_MAX.saturating_sub(self.rejections.len());
        self.rejections
            .extend(rejections.into_iter().take(room).map(|rejection| {
                let pb::Rejection {
                    line,
                    reason,
                    message,
                } = rejection;
                Rejection {
                    line,
                    reason,
                    message,
                }
            }));
    }

    /// Adds the rows that were rejected on this side and never sent.
    fn merge(&mut self, pumped: Pumped) {
        self.read += pumped.rejected;
        self.rejected += pumped.rejected;
        self.rejections.extend(pumped.rejections);
        self.rejections.sort_by_key(|rejection| rejection.line);
        self.rejections.truncate(REJECTIONS_MAX);
    }

    fn progress(&self, bar: &ProgressBar) -> String {
        let milliseconds = u64::try_from(bar.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let rate = self.read.saturating_mul(1_000) / milliseconds;
        format!("{} rows, {rate} rows/s", self.read)
    }

    fn warn(&self) {
        if self.rejected == 0 {
            return;
        }
        eprintln!("warning: {} rows were rejected", self.rejected);
        for rejection in self.rejections.iter().take(WARNINGS_MAX) {
            let message = output::printable(&rejection.message);
            eprintln!("  line {}: {message} ({})", rejection.line, rejection.reason);
        }
    }
}

#[cfg(test)]
mod tests;
