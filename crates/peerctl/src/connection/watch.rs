//! Connections as they change. A daemon that restarts is waited for.

use std::time::Duration;

use peerd_core::reason::Code;
use peerd_wire::peering::v1 as pb;
use tonic::Streaming;

use super::COLUMNS;
use super::view::Connection;
use crate::cli::App;
use crate::client::Client;
use crate::error::Error;
use crate::output;

/// The pause before a stream that broke is opened again: doubled each time, up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A stream of connections that outlives the daemon's restarts.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    client: &'a Client,
    connection_id: String,
    stream: Option<Streaming<pb::WatchConnectionsResponse>>,
    pause: Duration,
}

impl<'a> Watch<'a> {
    /// Watches one connection, or all when the id is empty.
    pub(super) fn new(client: &'a Client, connection_id: String) -> Watch<'a> {
        Watch {
            client,
            connection_id,
            stream: None,
            pause: PAUSE_MIN,
        }
    }

    /// The next state. The present one comes first, and again after the stream was opened anew.
    pub(super) async fn next(&mut self) -> Result<pb::Connection, Error> {
        loop {
            match self.try_next().await {
                Ok(Some(connection)) => {
                    self.pause = PAUSE_MIN;
                    return Ok(connection);
                }
                // A daemon that stops ends its streams in an orderly way.
                Ok(None) => {}
                Err(error) if error.reason().code() == Code::Unavailable => {}
                Err(error) => return Err(error),
            }
            self.stream = None;
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_next(&mut self) -> Result<Option<pb::Connection>, Error> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let connection_id = self.connection_id.clone();
            let request = pb::WatchConnectionsRequest { connection_id };
            let answer = self.client.connections().watch_connections(request).await?;
            self.stream.insert(answer.into_inner())
        };
        Ok(stream.message().await?.and_then(|answer| answer.connection))
    }
}

/// `connection watch`, until it is interrupted.
pub(super) async fn run(app: &App<'_>, id: Option<String>) -> Result<u8, Error> {
    let mut watch = Watch::new(&app.client, id.unwrap_or_default());
    loop {
        let connection = Connection::from(watch.next().await?);
        output::line(app.format, &connection, &COLUMNS)?;
    }
}
