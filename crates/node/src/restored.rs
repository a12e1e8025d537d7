//! The first start on a store that was restored from a backup.
//!
//! What happened after the backup was made is forgotten here and not elsewhere. So the history is a new one: positions
//! that were given out mean nothing any more, which peers notice, and everything is told again both ways. What was open
//! then may have been used since: codes and requests are void. And no write gets a name that was given out before.

use peerd_core::audit::{Actor, Fact};
use peerd_core::link::{CodeState, IssuedCode};
use peerd_core::peering::Connection;
use peerd_store::records::{ImportCursor, Restored, Shared};
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::exchange::end_epoch;
use crate::{Error, Node, audit};

/// Revisions that may have been told after the backup was made: nobody shares and maps this often.
const REVISIONS_PASSED: u64 = 1 << 32;

impl Node {
    /// Does what follows from a restore, once; nothing where there was none. To be called before anybody is served: a
    /// start that is cut short does it again.
    pub async fn settle_restore(&self) -> Result<(), Error> {
        let Some(Found { record, revision }) = self.store.find::<Restored>(Restored::KEY).await? else {
            return Ok(());
        };
        let codes = self.void_link_codes().await?;
        let requests = self.void_requests().await?;
        self.begin_again().await?;
        let mut batch = Batch::new();
        end_epoch(&mut batch);
        self.pass_lost_clocks(&mut batch, record.backed_up_at).await?;
        batch.remove::<Restored>(Restored::KEY, revision);
        let fact = Fact::new(self.now(), Actor::System, "restore")
            .detail("backed_up_at", record.backed_up_at)
            .detail("restored_at", record.restored_at)
            .detail("void_link_codes", codes)
            .detail("void_requests", requests);
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await?;
        tracing::warn!(backed_up_at = %record.backed_up_at, codes, requests,
            "restored from a backup: codes that were open then are void, and peers are told everything again");
        Ok(())
    }

    async fn void_link_codes(&self) -> Result<u64, Error> {
        let mut void = 0;
        for Found { record, revision } in self.store.all::<IssuedCode>(&[]).await? {
            if record.state != CodeState::Open {
                continue;
            }
            let revoked = record.revoke(self.now());
            let mut batch = Batch::new();
            batch.replace(&revoked.map_err(Error::of)?, revision)?;
            self.commit(batch).await?;
            void += 1;
        }
        Ok(void)
    }

    /// What flows begins again: imports from the beginning, and what this side shares is told as news.
    async fn begin_again(&self) -> Result<(), Error> {
        for connection in self.store.all::<Connection>(&[]).await? {
            let connection = connection.record;
            if connection.stage.is_final() {
                continue;
            }
            let mut batch = Batch::new();
            let prefix = ImportCursor::prefix(connection.id);
            for Found { record, revision } in self.store.all::<ImportCursor>(&prefix).await? {
                let begun = ImportCursor {
                    position: Vec::new(),
                    caught_up: false,
                    doubted: true,
                    ..record
                };
                batch.replace(&begun, revision)?;
            }
            let shared = self.store.find::<Shared>(connection.id.as_bytes()).await?;
            if let Some(Found { mut record, revision }) = shared
                && record.ours.revision > 0
            {
                record.ours.revision = record.ours.revision.saturating_add(REVISIONS_PASSED);
                batch.replace(&record, revision)?;
            }
            if !batch.is_empty() {
                self.commit(batch).await?;
            }
        }
        Ok(())
    }
}
