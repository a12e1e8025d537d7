//! Removing imported copies: of a connection that is over, and of types the other side no longer offers; then what was
//! remembered of the connection.
//!
//! All of it is found in the store, not remembered: an open mark of a purge, an import cursor whose type is not offered
//! any more, a connection that is over. So the work goes on after a restart where it has to, and doing it twice does nothing.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::ontology::ApiName;
use peerd_core::peering::Connection;
use peerd_core::{ConnectionId, SpaceId};
use peerd_store::records::{ImportCursor, Job, Parked, PurgeDue};
use peerd_store::{
    Batch, Expect, FeedId, Found, Range, RecordBatch as _, Records as _, Revision, Table, Topic,
};

use crate::object::stored::{feed_of, found, object_of};
use crate::{Error, Node};

/// How many objects are looked at for one commit.
const PAGE: usize = 256;
/// The same for items, which can be large.
const PAGE_OF_BYTES: usize = 16;
/// The pause between two commits, so that a large removal does not crowd out everything else.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait after the store failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What has to hold while copies are removed.
type Condition = (Table, Vec<u8>, Revision);

impl Node {
    /// Marks, in the batch that closes a connection, that its imported data is to be removed; the mark goes when the
    /// last object has.
    pub(crate) fn mark_for_purge(&self, batch: &mut Batch, connection: ConnectionId) -> Result<(), Error> {
        batch.upsert(&PurgeDue {
            connection,
            since: self.now(),
        })?;
        Ok(())
    }

    /// Background work: removes imported copies that are to go, whenever there are some. Never ends.
    pub async fn remove_imports(&self) {
        let mut work = self.work().and(self.store.watch(&Topic::Table(Table::Purges)));
        loop {
            match self.remove_due_imports().await {
                Ok(()) => work.changed().await,
                // Something came between; what is still to be done is found again.
                Err(error) if error.is_lost_race() => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "imported copies not removed"
                    );
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Removes all imported copies that are to go now.
    pub async fn remove_due_imports(&self) -> Result<(), Error> {
        for due in self.store.all::<PurgeDue>(&[]).await? {
            self.purge_imported(&due).await?;
        }
        for connection in self.store.all::<Connection>(&[]).await? {
            let id = connection.record.id;
            for cursor in self.store.all::<ImportCursor>(&ImportCursor::prefix(id)).await? {
                self.remove_withdrawn(cursor).await?;
            }
            if connection.record.stage.is_final() {
                self.forget(id).await?;
            }
        }
        Ok(())
    }

    /// Removes what replication remembers of a connection that is over. Who peers again makes a connection of its own,
    /// with new marks and cursors; what it takes over are the copies, and for that the record of this one is enough.
    async fn forget(&self, id: ConnectionId) -> Result<(), Error> {
        let parked = Parked::prefixes(id);
        let [records, bytes] = parked.map(|prefix| (Table::Parked, prefix, PAGE_OF_BYTES));
        let of_id = id.as_bytes().to_vec();
        for (table, prefix, limit) in [
            (Table::Sharing, of_id.clone(), PAGE),
            (Table::Cursors, of_id.clone(), PAGE),
            (Table::Exported, of_id, PAGE),
            (Table::Jobs, Job::prefix(id), PAGE),
            records,
            bytes,
        ] {
            loop {
                let page = self
                    .store
                    .range(Range::prefix(table, prefix.clone(), limit))
                    .await?;
                let full = page.len() == limit;
                let mut batch = Batch::new();
                for (key, _) in page {
                    batch.delete(table, key);
                }
                if !batch.is_empty() {
                    self.commit(batch).await?;
                }
                if !full {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Removes everything that was imported over a connection that is over.
    async fn purge_imported(&self, due: &Found<PurgeDue>) -> Result<(), Error> {
        let id = due.record.connection;
        let condition = (Table::Purges, id.as_bytes().to_vec(), due.revision);
        let space = self.store_connection(id).await?.and_then(|it| it.space);
        if let Some(space) = space {
            for name in self.ontology(space.id).await?.feed_types() {
                self.remove_copies(id, space.id, feed_of(space.id, name), &condition)
                    .await?;
            }
        }
        let mut batch = Batch::new();
        batch.remove::<PurgeDue>(id.as_bytes(), due.revision);
        self.commit(batch).await
    }

    /// Removes the copies of a type that the other side no longer offers, then the cursor, so that an offer made again
    /// is taken from the beginning.
    async fn remove_withdrawn(&self, cursor: Found<ImportCursor>) -> Result<(), Error> {
        let Found { record, revision } = cursor;
        let Some(connection) = self.store_connection(record.connection).await? else {
            return Ok(());
        };
        let shared = self.shared(record.connection).await?.record;
        let offered = shared.theirs.types.keys();
        let mut offered = offered
            .filter(|name| shared.theirs.offers(name).any())
            .map(ApiName::as_str);
        let Some(space) = connection.space.filter(|_| !connection.stage.is_final()) else {
            return Ok(());
        };
        if offered.any(|name| name == record.remote_type) {
            return Ok(());
        }
        // First the position goes: should the type be offered again half-way, all of it comes again.
        let key = ImportCursor::key_of(record.connection, &record.remote_type);
        let withdrawn = ImportCursor {
            position: Vec::new(),
            withdrawn: true,
            ..record
        };
        let mut batch = Batch::new();
        batch.replace(&withdrawn, revision)?;
        let revision = self.store.commit(batch).await?.revision;
        let Ok(local_type) = withdrawn.local_type.parse() else {
            return Ok(());
        };
        let condition = (Table::Cursors, key.clone(), revision);
        let feed = feed_of(space.id, &local_type);
        self.remove_copies(withdrawn.connection, space.id, feed, &condition)
            .await?;
        let mut batch = Batch::new();
        batch.remove::<ImportCursor>(&key, revision);
        self.commit(batch).await
    }

    /// Removes from one feed what came over a connection, page by page.
    async fn remove_copies(
        &self,
        connection: ConnectionId,
        space: SpaceId,
        feed: FeedId,
        (table, key, revision): &Condition,
    ) -> Result<(), Error> {
        let mut after: Option<Bytes> = None;
        let onward = self.onward(space, connection).await?;
        loop {
            let range = Range {
                after,
                ..Range::prefix(Table::Objects, feed.prefix(), PAGE)
            };
            let page = self.store.range(range).await?;
            let mut batch = Batch::new();
            batch.expect(*table, key.clone(), Expect::At(*revision));
            let mut removes = false;
            for (place, entry) in &page {
                let stored = found(entry)?;
                if stored.record.provenance.via == Some(connection) {
                    let key = object_of(&feed, place)?;
                    self.withdraw(&mut batch, space, &key, &stored, &onward).await?;
                    removes = true;
                }
            }
            if removes {
                self.commit(batch).await?;
                tokio::time::sleep(PAUSE).await;
            }
            after = match page.last() {
                Some((place, _)) if page.len() == PAGE => Some(place.clone()),
                _ => return Ok(()),
            };
        }
    }
}
