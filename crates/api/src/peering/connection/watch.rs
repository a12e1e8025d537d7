//! Watching connections: their state first, then each change.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use futures::future::select_all;
use peerd_core::ConnectionId;
use peerd_node::{Caller, Node};
use peerd_wire::peering::v1 as pb;
use tonic::Status;

use crate::error::refuse;
use crate::view::peering as view;

/// How many connections are read at once.
const PAGE: usize = 100;

/// The stream of a watcher. It ends when the caller goes away; it holds nothing else.
pub(crate) type Watching = Pin<Box<dyn Stream<Item = Result<pb::WatchConnectionsResponse, Status>> + Send>>;

/// Starts watching one connection, or all that the caller may see.
pub(crate) async fn start(
    node: Arc<Node>,
    caller: Caller,
    only: Option<ConnectionId>,
) -> Result<Watching, Status> {
    let watcher = Watcher { changes: node.connection_changes(), node, caller, only, seen: BTreeMap::new() };
    // The first look answers with a refusal instead of a stream that ends at once.
    watcher.look().await?;
    Ok(Box::pin(futures::stream::unfold((watcher, Vec::new()), |(mut watcher, mut waiting)| async move {
        loop {
            if let Some(connection) = waiting.pop() {
                let response = pb::WatchConnectionsResponse { connection: Some(connection) };
                return Some((Ok(response), (watcher, waiting)));
            }
            match watcher.next().await {
                Ok(news) => waiting = news,
                Err(status) => return Some((Err(status), (watcher, waiting))),
            }
        }
    })))
}

struct Watcher {
    node: Arc<Node>,
    caller: Caller,
    only: Option<ConnectionId>,
    changes: [tokio::sync::watch::Receiver<u64>; 4],
    /// What was told last of each connection.
    seen: BTreeMap<String, pb::Connection>,
}

impl Watcher {
    /// What is different from what was told, the latest last; waits while nothing is.
    async fn next(&mut self) -> Result<Vec<pb::Connection>, Status> {
        loop {
            for changes in &mut self.changes {
                changes.mark_unchanged();
            }
            let mut news = Vec::new();
            for connection in self.look().await? {
                if self.seen.get(&connection.connection_id) != Some(&connection) {
                    self.seen.insert(connection.connection_id.clone(), connection.clone());
                    news.push(connection);
                }
            }
            if !news.is_empty() {
                news.reverse();
                return Ok(news);
            }
            let changed = self.changes.iter_mut().map(|changes| Box::pin(changes.changed()));
            // A sender is only gone when the node is; the next look then fails and ends the stream.
            let _ = select_all(changed).await;
        }
    }

    async fn look(&self) -> Result<Vec<pb::Connection>, Status> {
        if let Some(id) = self.only {
            let found = self.node.show_connection(&self.caller, id).await.map_err(refuse)?;
            return Ok(vec![view::connection(&found)]);
        }
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.node.list_connections(&self.caller, after, PAGE).await;
            let (views, next) = page.map_err(refuse)?;
            all.extend(views.iter().map(view::connection));
            after = next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}
