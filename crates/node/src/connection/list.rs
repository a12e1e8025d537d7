//! Connections as operators see them.

use peerd_core::authz::{self, Action, Space};
use peerd_core::link::Status;
use peerd_core::peering::{Connection, Halt, Rejection, Side, Stage};
use peerd_core::{ChangeRequestId, ConnectionId, Reason, Time};
use peerd_store::{Records as _, Table, Topic};
use tokio::sync::watch;

use crate::link::LinkView;
use crate::{Caller, Error, Node};

pub use crate::exchange::FeedProgress;

/// A connection as an operator sees it.
#[derive(Clone, Debug)]
pub struct ConnectionView {
    /// The record.
    pub connection: Connection,
    /// The other side's platform title.
    pub remote_title: Option<String>,
    /// How it is.
    pub status: Status,
    /// Why, in words.
    pub reason: String,
    /// When progress was last acknowledged.
    pub last_acknowledged_at: Option<Time>,
    /// What flows.
    pub feeds: Vec<FeedProgress>,
    /// Which artifacts this side lets out, in words; empty for none.
    pub shared_artifacts: String,
}

impl Node {
    /// The connection with its health and feeds.
    pub(crate) async fn view_connection(&self, connection: Connection) -> Result<ConnectionView, Error> {
        let link = self
            .store
            .find::<peerd_core::link::Link>(connection.link.as_bytes())
            .await?;
        let link = match link {
            Some(found) => Some(self.view_link(found.record).await?),
            None => None,
        };
        let feeds = self.feeds(&connection).await?;
        let (status, reason) = self.connection_health(&connection, link.as_ref(), &feeds);
        let remote = link.as_ref().and_then(|view| view.link.remote.as_ref());
        Ok(ConnectionView {
            shared_artifacts: self.artifact_share(&connection).await?.in_words(),
            remote_title: remote
                .and_then(|remote| remote.title.as_ref())
                .map(ToString::to_string),
            last_acknowledged_at: feeds.iter().filter_map(|feed| feed.last_acknowledged_at).max(),
            connection,
            status,
            reason,
            feeds,
        })
    }

    /// How a connection is: its stage, then policy, then its link, then its feeds.
    fn connection_health(
        &self,
        connection: &Connection,
        link: Option<&LinkView>,
        feeds: &[FeedProgress],
    ) -> (Status, String) {
        if connection.stage.is_final() {
            return (Status::Down, stage_reason(connection));
        }
        let Some(link) = link else {
            return (Status::Down, "its link is gone".into());
        };
        if connection.is_flowing()
            && let Err(denied) = self.decide_peering(&link.link, connection.remote, connection.flow())
        {
            return (Status::Blocked, format!("{}: {}", denied.reason(), denied.told()));
        }
        match link.health.status {
            Status::Healthy => {}
            // A link that was never complete is no state of a connection that exists.
            Status::Pending => return (Status::Degraded, link.health.cause.to_string()),
            status => {
                return (
                    status,
                    link.failure
                        .clone()
                        .unwrap_or_else(|| link.health.cause.to_string()),
                );
            }
        }
        let parked: u64 = feeds.iter().map(|feed| feed.parked).sum();
        let stopped = feeds.iter().find(|feed| !feed.reason.is_empty());
        match &connection.stage {
            Stage::Active { .. } if let Some(feed) = stopped => {
                let told = format!("{} has stopped: {}", feed.object_type, feed.reason);
                (Status::Degraded, told)
            }
            Stage::Active { .. } if parked > 0 => (Status::Degraded, format!("{parked} objects are parked")),
            Stage::Active { .. } => (Status::Healthy, link.health.cause.to_string()),
            _ => (Status::Healthy, stage_reason(connection)),
        }
    }

    /// Connections the caller may see, oldest first.
    pub async fn list_connections(
        &self,
        caller: &Caller,
        after: Option<ConnectionId>,
        limit: usize,
    ) -> Result<(Vec<ConnectionView>, Option<ConnectionId>), Error> {
        self.authorize(caller, Action::ConnectionList, None).await?;
        let mut views = Vec::new();
        let mut after = after.map(|id| id.as_bytes().to_vec().into());
        loop {
            let page = self.store.page::<Connection>(&[], after, limit).await?;
            for found in page.records {
                let space = self.space_of(&found.record).await?;
                if !self.may_show(caller, space.as_ref()) {
                    continue;
                }
                let id = found.record.id;
                views.push(self.view_connection(found.record).await?);
                if views.len() == limit {
                    return Ok((views, Some(id)));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((views, None)),
            }
        }
    }

    /// The records of all connections the caller may see, oldest first: without health and feeds, which cost more.
    pub async fn connection_records(&self, caller: &Caller) -> Result<Vec<Connection>, Error> {
        self.authorize(caller, Action::ConnectionList, None).await?;
        let spaces = self.store.all::<Space>(&[]).await?;
        let mut records = Vec::new();
        for found in self.store.all::<Connection>(&[]).await? {
            let space = found.record.space.as_ref().map(|space| space.id);
            let space = space.and_then(|id| spaces.iter().find(|known| known.record.id == id));
            if self.may_show(caller, space.map(|space| &space.record)) {
                records.push(found.record);
            }
        }
        Ok(records)
    }

    /// One connection.
    pub async fn show_connection(&self, caller: &Caller, id: ConnectionId) -> Result<ConnectionView, Error> {
        let found = self.connection_for(caller, Action::ConnectionShow, id).await?;
        self.view_connection(found.record).await
    }

    /// Connections with a change of security that waits for a decision.
    pub async fn list_change_requests(&self, caller: &Caller) -> Result<Vec<Connection>, Error> {
        self.authorize(caller, Action::ConnectionChangeRequests, None)
            .await?;
        let mut waiting = Vec::new();
        for found in self.store.all::<Connection>(&[]).await? {
            let space = self.space_of(&found.record).await?;
            if found.record.change.is_some() && self.may_show(caller, space.as_ref()) {
                waiting.push(found.record);
            }
        }
        Ok(waiting)
    }

    /// Receivers that are marked changed when what a connection's view shows may have changed.
    pub fn connection_changes(&self) -> [watch::Receiver<u64>; 4] {
        [
            self.store.watch(&Topic::Table(Table::Connections)),
            self.store.watch(&Topic::Table(Table::Sharing)),
            self.presence.changes(),
            self.progress_changes(),
        ]
    }

    /// The connection that waits for a decision on this change request.
    pub(super) async fn connection_with_change(
        &self,
        change: ChangeRequestId,
    ) -> Result<ConnectionId, Error> {
        let connections = self.store.all::<Connection>(&[]).await?;
        let waits = |connection: &Connection| connection.change.as_ref().is_some_and(|it| it.id == change);
        let found = connections.into_iter().find(|found| waits(&found.record));
        found.map(|found| found.record.id).ok_or_else(|| {
            Error::new(
                Reason::ChangeUnknown,
                "no such change request, or it was decided already",
            )
        })
    }

    /// A connection that is not over and uses this link.
    pub(crate) async fn connection_on(
        &self,
        link: peerd_core::LinkId,
    ) -> Result<Option<ConnectionId>, Error> {
        let connections = self.store.all::<Connection>(&[]).await?;
        let uses = |connection: &Connection| connection.link == link && !connection.stage.is_final();
        Ok(connections
            .into_iter()
            .find(|found| uses(&found.record))
            .map(|found| found.record.id))
    }

    /// The space a connection joins, while it exists.
    pub(crate) async fn space_of(&self, connection: &Connection) -> Result<Option<Space>, Error> {
        match &connection.space {
            Some(space) => Ok(self
                .store
                .find::<Space>(space.id.as_bytes())
                .await?
                .map(|found| found.record)),
            None => Ok(None),
        }
    }

    /// Whether the caller may see a connection of this space.
    #[expect(clippy::unused_self, reason = "reads as the other questions about callers do")]
    pub(crate) fn may_show(&self, caller: &Caller, space: Option<&Space>) -> bool {
        authz::authorize(Some(caller.principal()), Action::ConnectionShow, space).is_ok()
    }
}

impl ConnectionView {
    /// Why the connection is in its stage, in words.
    pub fn stage_reason(&self) -> String {
        stage_reason(&self.connection)
    }
}

fn stage_reason(connection: &Connection) -> String {
    let who = |side: Side| match side {
        Side::Here => "this side",
        Side::There => "the other side",
    };
    match &connection.stage {
        Stage::Requested { until, .. } => format!("waits for an approval until {until}"),
        Stage::Approved { .. } => "approved; waits for the originator to activate it".into(),
        Stage::Active { since } => format!("active since {since}"),
        Stage::Disabled {
            halt: Halt::Here(at), ..
        } => format!("disabled by this side at {at}"),
        Stage::Disabled {
            halt: Halt::There(at),
            ..
        } => format!("disabled by the other side at {at}"),
        Stage::Disabled {
            halt: Halt::Both { .. },
            ..
        } => "disabled by both sides".into(),
        Stage::Closed { at, by, .. } => format!("closed by {} at {at}", who(*by)),
        Stage::Rejected {
            by,
            why: Rejection::Remark(remark),
            ..
        } => {
            format!("rejected by {}: {remark}", who(*by))
        }
        Stage::Rejected {
            by,
            why: Rejection::Refused(reason),
            ..
        } => {
            format!("refused by {}: {reason}", who(*by))
        }
        Stage::Expired { at } => format!("nobody approved it in time; expired at {at}"),
        Stage::Revoked { at } => format!("withdrawn at {at}"),
    }
}
