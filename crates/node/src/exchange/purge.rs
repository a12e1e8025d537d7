//! Removing what was imported over a connection that is over.

use peerd_core::ConnectionId;
use peerd_store::records::PurgeDue;
use peerd_store::{Batch, RecordBatch as _};

use crate::{Error, Node};

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
}
