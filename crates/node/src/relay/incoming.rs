//! What came: which bundles of the other side were taken.

use peerd_core::LinkId;
use peerd_core::relay::Ledger;
use peerd_store::records::RelayIn;
use peerd_store::{Batch, RecordBatch as _, Records as _, Table, records};

use crate::{Error, Node};

impl Node {
    /// What came over a link, as far as it was noted.
    pub async fn relay_ledger(&self, link: LinkId) -> Result<Option<Ledger>, Error> {
        let found = self.store.find::<RelayIn>(&RelayIn::key_of(link)).await?;
        Ok(found.map(|found| found.record.ledger))
    }

    /// Notes what came. Where nothing is missing any more, what was heard out of order need not be remembered.
    pub async fn relay_took(&self, link: LinkId, ledger: &Ledger) -> Result<(), Error> {
        let mut batch = Batch::new();
        self.note_ledger(&mut batch, link, ledger)?;
        self.commit(batch).await
    }

    /// Forgets what was heard out of order: nothing that was made before it can come any more.
    pub async fn relay_unhear(&self, link: LinkId) -> Result<(), Error> {
        self.remove_all(Table::Heard, records::heard_prefix(link)).await
    }

    pub(crate) fn note_ledger(&self, batch: &mut Batch, link: LinkId, ledger: &Ledger) -> Result<(), Error> {
        batch.upsert(&RelayIn {
            link,
            ledger: ledger.clone(),
            at: self.now(),
        })?;
        Ok(())
    }
}
