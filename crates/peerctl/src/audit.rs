//! `audit`: the hash-chained log.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Subcommand;
use peerd_core::Time;
use peerd_core::reason::Code;
use peerd_wire::admin::v1 as pb;
use peerd_wire::status;
use prost_types::Timestamp;
use serde::Serialize;

use crate::cli::{App, DONE};
use crate::error::Error;
use crate::field::time;
use crate::output::{self, Page};
use crate::{client, duration};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists records, oldest first
    List {
        /// Only the records of this last while
        #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
        since: Option<Duration>,
    },
    /// Recomputes the whole chain; exit code 0 when it holds, 1 when not
    Verify,
}

/// One record.
#[derive(Debug, Serialize)]
struct Record {
    number: u64,
    at: Option<String>,
    actor: String,
    action: String,
    subject: String,
    outcome: String,
    reason: String,
    policy_id: String,
    details: BTreeMap<String, String>,
    hash: String,
}

/// What the chain showed.
#[derive(Debug, Serialize)]
struct Chain {
    ok: bool,
    records: u64,
    head: String,
    first_bad: Option<u64>,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        match self {
            Command::List { since } => {
                list(app, since.map(|ago| timestamp(app.clock.now().minus(ago)))).await?;
                Ok(DONE)
            }
            Command::Verify => {
                let request = pb::VerifyAuditRequest {};
                let answer = app.client.call(app.client.audit().verify_audit(request)).await?;
                let chain = Chain::from(answer);
                output::show(app.format, &chain)?;
                Ok(if chain.ok {
                    DONE
                } else {
                    status::exit(Code::Internal)
                })
            }
        }
    }
}

async fn list(app: &App<'_>, since: Option<Timestamp>) -> Result<(), Error> {
    let client = &app.client;
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListAuditRequest {
            since,
            page_size,
            page_token,
        };
        let page = client.call(client.audit().list_audit(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Record> = items.await?.into_iter().map(Record::from).collect();
    let columns = [
        "number", "at", "actor", "action", "subject", "outcome", "reason", "details",
    ];
    output::list(app.format, &Page::whole(items), &columns)
}

fn timestamp(at: Time) -> Timestamp {
    let micros = at.as_micros();
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

impl From<pb::AuditRecord> for Record {
    fn from(record: pb::AuditRecord) -> Record {
        let pb::AuditRecord {
            number,
            at,
            actor,
            action,
            subject,
            outcome,
            reason,
            policy_id,
            details,
            hash,
        } = record;
        Record {
            number,
            at: time(at),
            actor,
            action,
            subject,
            outcome,
            reason,
            policy_id,
            details,
            hash,
        }
    }
}

impl From<pb::VerifyAuditResponse> for Chain {
    fn from(answer: pb::VerifyAuditResponse) -> Chain {
        let pb::VerifyAuditResponse {
            ok,
            records,
            head,
            first_bad,
        } = answer;
        Chain {
            ok,
            records,
            head,
            first_bad: (first_bad != 0).then_some(first_bad),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_epoch_is_a_valid_message() {
        let before = timestamp(Time::from_micros(-1));
        assert_eq!((before.seconds, before.nanos), (-1, 999_999_000));
    }
}
