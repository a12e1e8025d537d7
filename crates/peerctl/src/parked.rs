//! `parked`: objects that came over a connection and could not be applied.

use clap::Subcommand;
use peerd_wire::peering::v1 as pb;
use serde::Serialize;
use serde_json::json;

use crate::cli::{App, DONE};
use crate::client;
use crate::error::Error;
use crate::field::time;
use crate::output::{self, Page};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists parked objects, oldest first
    List {
        /// Only those of this connection
        connection: Option<String>,
    },
    /// Tries again now
    Retry {
        /// The parked object's id
        id: String,
    },
    /// Gives up on it
    Drop {
        /// The parked object's id
        id: String,
    },
}

/// A parked object.
#[derive(Debug, Serialize)]
struct Parked {
    parked_id: String,
    connection_id: String,
    r#type: String,
    key: String,
    reason: String,
    message: String,
    attempts: u32,
    at: Option<String>,
}

/// What became of a retry.
#[derive(Debug, Serialize)]
struct Retried {
    parked_id: String,
    applied: bool,
    message: String,
}

impl Command {
    pub(crate) async fn run(self, app: &App<'_>) -> Result<u8, Error> {
        let client = &app.client;
        match self {
            Command::List { connection } => list(app, connection.unwrap_or_default()).await?,
            Command::Retry { id: parked_id } => {
                let request = pb::RetryParkedRequest {
                    parked_id: parked_id.clone(),
                };
                let answer = client.call(client.parked().retry_parked(request)).await?;
                let pb::RetryParkedResponse { applied, message } = answer;
                let view = Retried {
                    parked_id,
                    applied,
                    message,
                };
                output::show(app.format, &view)?;
            }
            Command::Drop { id: parked_id } => {
                let request = pb::DropParkedRequest {
                    parked_id: parked_id.clone(),
                };
                client.call(client.parked().drop_parked(request)).await?;
                output::show(app.format, &json!({"parked_id": parked_id, "dropped": true}))?;
            }
        }
        Ok(DONE)
    }
}

async fn list(app: &App<'_>, connection_id: String) -> Result<(), Error> {
    let (client, of) = (&app.client, &connection_id);
    let items = client::all(|page_size, page_token| async move {
        let request = pb::ListParkedRequest {
            connection_id: of.clone(),
            page_size,
            page_token,
        };
        let page = client.call(client.parked().list_parked(request)).await?;
        Ok((page.items, page.next_page_token))
    });
    let items: Vec<Parked> = items.await?.into_iter().map(Parked::from).collect();
    let columns = [
        "parked_id",
        "connection_id",
        "type",
        "key",
        "reason",
        "message",
        "attempts",
        "at",
    ];
    output::list(app.format, &Page::whole(items), &columns)
}

impl From<pb::Parked> for Parked {
    fn from(parked: pb::Parked) -> Parked {
        let pb::Parked {
            parked_id,
            connection_id,
            r#type,
            key,
            reason,
            message,
            attempts,
            at,
        } = parked;
        Parked {
            parked_id,
            connection_id,
            r#type,
            key,
            reason,
            message,
            attempts,
            at: time(at),
        }
    }
}
