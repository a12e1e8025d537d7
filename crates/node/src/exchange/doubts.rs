//! Copies that the other side took back while this one forgot: after a restore from a backup.
//!
//! A restored importer is told everything again, but not what was taken back after the backup was made: the exporter
//! told that once, and it was acknowledged. So when all has come, the importer compares, as `connection verify` does,
//! and what it holds and is not offered goes.

use std::time::Duration;

use peerd_core::peering::Connection;
use peerd_store::records::ImportCursor;
use peerd_store::{Batch, Expect, Found, RecordBatch as _, Records as _, Revision, Table, Topic};

use super::Flow;
use super::verify::Holder;
use crate::object::stored::{feed_of, found, key_in, object_of};
use crate::{Error, Node};

/// How long to wait when something is in the way: the link is down, or something came between.
const PAUSE: Duration = Duration::from_secs(1);

impl Node {
    /// Background work: settles the doubts that a restore left. Never ends.
    pub async fn keep_settling_doubts(&self) {
        let mut cursors = self.store.watch(&Topic::Table(Table::Cursors));
        loop {
            cursors.mark_unchanged();
            match self.settle_doubts().await {
                // Only a restore leaves doubts, and it is over before this begins.
                Ok(0) => std::future::pending().await,
                Ok(_) => {
                    let _ = cursors.changed().await;
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "doubts not settled yet");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Settles the doubts that can be settled now; answers how many are left.
    pub async fn settle_doubts(&self) -> Result<usize, Error> {
        let mut left = 0;
        let mut failure = None;
        for connection in self.store.all::<Connection>(&[]).await? {
            let connection = connection.record;
            if connection.stage.is_final() {
                continue;
            }
            let prefix = ImportCursor::prefix(connection.id);
            for cursor in self.store.all::<ImportCursor>(&prefix).await? {
                if !cursor.record.doubted || cursor.record.withdrawn {
                    continue;
                }
                left += 1;
                if !cursor.record.caught_up {
                    continue;
                }
                match self.settle_doubt(&connection, cursor).await {
                    Ok(()) => left -= 1,
                    Err(error) => failure = Some(error),
                }
            }
        }
        failure.map_or(Ok(left), Err)
    }

    async fn settle_doubt(&self, connection: &Connection, cursor: Found<ImportCursor>) -> Result<(), Error> {
        let flow = Flow {
            connection: connection.id,
            object_type: cursor.record.remote_type.clone(),
        };
        let (mut all, mut gone) = (false, 0_usize);
        while !all {
            let horizon = self.store.horizon();
            let compared = self.compare(connection.link, &flow).await?;
            all = !compared.more;
            for difference in compared.differences {
                if difference.holder == Holder::Importer {
                    let taken = self.take_back(connection, &cursor.record, &difference.key, horizon);
                    gone += usize::from(taken.await?);
                }
            }
        }
        if gone > 0 {
            tracing::info!(connection = %connection.id, object_type = flow.object_type, gone,
                "copies that the other side took back after the backup");
        }
        self.retrying(async || {
            let Some(found) = self.import_cursor(&flow).await? else {
                return Ok(());
            };
            let settled = ImportCursor {
                doubted: false,
                ..found.record
            };
            let mut batch = Batch::new();
            batch.replace(&settled, found.revision)?;
            self.commit(batch).await
        })
        .await
    }

    /// Removes a copy that is not offered, unless it changed since the comparison began.
    async fn take_back(
        &self,
        connection: &Connection,
        cursor: &ImportCursor,
        key: &str,
        horizon: Option<Revision>,
    ) -> Result<bool, Error> {
        let Some(space) = &connection.space else {
            return Ok(false);
        };
        let name = cursor.local_type.parse();
        let feed = feed_of(space.id, &name.map_err(|error| Error::field("type", error))?);
        let place = key_in(&feed, key);
        let Some(entry) = self.store.read(Table::Objects, &place).await? else {
            return Ok(false);
        };
        let stored = found(&entry)?;
        let is_theirs = stored.record.provenance.via == Some(connection.id);
        if !is_theirs || horizon.is_none_or(|horizon| entry.revision > horizon) {
            return Ok(false);
        }
        let mut batch = Batch::new();
        batch.expect(Table::Objects, place.clone(), Expect::At(entry.revision));
        let onward = self.onward(space.id, connection.id).await?;
        let key = object_of(&feed, &place)?;
        self.withdraw(&mut batch, space.id, &key, &stored, &onward)
            .await?;
        self.commit(batch).await?;
        Ok(true)
    }
}
