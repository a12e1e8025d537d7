//! Feeds that schemas stopped: what is shown of them while they wait, with their place kept, until the schemas fit.

use peerd_core::mapping::Flows;
use peerd_core::object::Lanes;
use peerd_core::ontology::ApiName;
use peerd_core::policy::Direction;
use peerd_store::Records as _;
use peerd_store::records::ImportCursor;

use super::progress::{FeedProgress, ParkedCounts, lane};
use crate::object::stored::feed_of;
use crate::sharing::{Standing, UNFIT};
use crate::{Error, Node};

impl Node {
    pub(super) async fn stopped_feeds(
        &self,
        standing: &Standing,
        flows: &Flows,
        parked: &ParkedCounts,
    ) -> Result<Vec<FeedProgress>, Error> {
        let id = standing.connection.id;
        let count = |name: &ApiName, outgoing| parked.get(&(outgoing, name.as_str().to_owned()));
        let mut feeds = Vec::new();
        for name in &flows.unfit {
            let feed = feed_of(standing.space, name);
            feeds.push(FeedProgress {
                cursor: self.progress.of(id, name.as_str(), Direction::Export).reached,
                head: self.store.head(&feed).await?.0,
                parked: count(name, true).copied().unwrap_or(0),
                ..stopped(name, Direction::Export, UNFIT)
            });
        }
        for (name, why) in &flows.blocked {
            let key = ImportCursor::key_of(id, name.as_str());
            let found = self.store.find::<ImportCursor>(&key).await?;
            let cursor = found.map(|found| found.record);
            let applied = cursor.as_ref().map_or(0, |cursor| cursor.applied);
            feeds.push(FeedProgress {
                cursor: applied,
                head: applied,
                parked: count(name, false).copied().unwrap_or(0),
                last_acknowledged_at: cursor.map(|cursor| cursor.at),
                ..stopped(standing.local_name(name), Direction::Import, &why.to_string())
            });
        }
        Ok(feeds)
    }
}

fn stopped(name: &ApiName, direction: Direction, why: &str) -> FeedProgress {
    FeedProgress {
        object_type: name.as_str().to_owned(),
        direction,
        lane: lane(Lanes::default()),
        cursor: 0,
        head: 0,
        lag: 0,
        parked: 0,
        in_sync: false,
        last_acknowledged_at: None,
        resyncs: 0,
        dropped: 0,
        reason: why.to_owned(),
    }
}
