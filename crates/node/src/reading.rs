//! How an enrollment is at one moment, in numbers: what a scrape reads.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use peerd_core::link::Status;
use peerd_core::peering::Connection;
use peerd_core::{ConnectionId, Time};
use peerd_store::Records as _;

use crate::connection::FeedProgress;
use crate::exchange::Tally;
use crate::{Error, Node};

/// Of so many connections each feed is told; of more, only how many there are.
const CONNECTIONS_MAX: usize = 200;

/// An enrollment in numbers. It names connections by their ids, and types; no person, title or key.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How many links have each status.
    pub links: BTreeMap<&'static str, u32>,
    /// How many connections are in each stage.
    pub connections: BTreeMap<&'static str, u32>,
    /// The connections that are not over, at most 200 of them.
    pub open: Vec<OpenConnection>,
    /// How many more there are.
    pub omitted: usize,
    /// Lifecycle messages refused since the start.
    pub refused_messages: u64,
    /// Whether the policies can be read; where not, everything is denied.
    pub policies_readable: bool,
}

/// A connection that is not over.
#[derive(Clone, Debug)]
pub struct OpenConnection {
    /// Which.
    pub id: ConnectionId,
    /// How it is.
    pub status: Status,
    /// When progress was last acknowledged.
    pub last_acknowledged_at: Option<Time>,
    /// What flows.
    pub feeds: Vec<FeedProgress>,
}

impl Node {
    /// How the enrollment is now.
    pub async fn reading(&self) -> Result<Reading, Error> {
        let mut connections = BTreeMap::new();
        let (mut open, mut omitted) = (Vec::new(), 0);
        for found in self.store.all::<Connection>(&[]).await? {
            let connection = found.record;
            *connections.entry(connection.stage.name()).or_default() += 1;
            if connection.stage.is_final() {
                continue;
            }
            if open.len() == CONNECTIONS_MAX {
                omitted += 1;
                continue;
            }
            let id = connection.id;
            let view = self.view_connection(connection).await?;
            open.push(OpenConnection {
                id,
                status: view.status,
                last_acknowledged_at: view.last_acknowledged_at,
                feeds: view.feeds,
            });
        }
        Ok(Reading {
            links: self.links_by_status().await?,
            connections,
            open,
            omitted,
            refused_messages: self.refused_messages.load(Ordering::Relaxed),
            policies_readable: !self.policies_are_unreadable(),
        })
    }

    /// What this process counted.
    pub fn tally(&self) -> &Tally {
        &self.progress.tally
    }
}
