//! What went out: numbered, kept until it need not be written again, and how far each type has come.

use peerd_core::{ConnectionId, EnrollmentId, EpochId, LinkId};
use peerd_store::records::{RelayContent, RelayExport, RelayOut, RelaySent};
use peerd_store::{Batch, Range, RecordBatch as _, Records as _, Table, records};

use crate::exchange::{Flow, Position};
use crate::{Error, Node};

/// How many records are removed in one commit.
const PAGE: usize = 1_000;

/// What a link's task starts with.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where the numbering stands.
    pub out: RelayOut,
    /// What is kept, in order.
    pub kept: Vec<RelaySent>,
}

/// What else becomes durable with a bundle.
#[derive(Clone, Debug, Default)]
pub struct Spooled {
    /// How far the objects of its type have come with it.
    pub export: Option<RelayExport>,
    /// Content that is to follow it, or how far content has come with it.
    pub content: Vec<RelayContent>,
}

impl Node {
    /// Where this link's numbering stands, and what is kept. `None` when it never began, began in a store that was
    /// restored since, or under an identity that was replaced: then a new epoch is to begin.
    pub async fn relay_outgoing(&self, link: LinkId) -> Result<Option<Outgoing>, Error> {
        let feeds = self.sealer().await?.epoch();
        let Some(found) = self.store.find::<RelayOut>(&RelayOut::key_of(link)).await? else {
            return Ok(None);
        };
        let kept = self.store.all::<RelaySent>(&RelaySent::prefix(link)).await?;
        let current = found.record.feeds == feeds && found.record.signed_by == self.signs_as();
        Ok(current.then(|| Outgoing {
            out: found.record,
            kept: kept.into_iter().map(|found| found.record).collect(),
        }))
    }

    fn signs_as(&self) -> EnrollmentId {
        self.public_key().enrollment_id()
    }

    /// Begins a new epoch: nothing is kept, and everything will be sent anew.
    pub async fn relay_begin(&self, link: LinkId) -> Result<Outgoing, Error> {
        let feeds = self.sealer().await?.epoch();
        let before = self.store.find::<RelayOut>(&RelayOut::key_of(link)).await?;
        let before = before.map(|found| found.record.epoch);
        let prefixes = [
            RelaySent::prefix(link),
            RelayExport::prefix(link),
            RelayContent::prefix(link),
        ];
        for prefix in prefixes {
            self.remove_all(Table::Relays, prefix).await?;
        }
        let mut epoch = self.mint(EpochId::from_uuid);
        // The clock may have gone back; the other side takes the greater epoch for the newer one.
        if let Some(before) = before.filter(|before| *before >= epoch) {
            epoch = EpochId::from_bytes(
                u128::from_be_bytes(*before.as_bytes())
                    .saturating_add(1)
                    .to_be_bytes(),
            );
        }
        let out = RelayOut {
            link,
            epoch,
            feeds,
            signed_by: self.signs_as(),
            last: 0,
            previous: [0; 32],
            passing: 0,
        };
        let mut batch = Batch::new();
        batch.upsert(&out)?;
        self.commit(batch).await?;
        Ok(Outgoing {
            out,
            kept: Vec::new(),
        })
    }

    /// A bundle is in the spool: from now on it counts.
    pub async fn relay_spooled(&self, out: &RelayOut, sent: &RelaySent, with: Spooled) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.upsert(out)?.upsert(sent)?;
        let Spooled { export, content } = with;
        if let Some(export) = export {
            batch.upsert(&export)?;
        }
        for content in content {
            batch.upsert(&content)?;
        }
        self.commit(batch).await
    }

    /// The numbering of what is not acknowledged moves on.
    pub async fn relay_passed(&self, out: &RelayOut) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.upsert(out)?;
        self.commit(batch).await
    }

    /// Bundles were written to the outbox.
    pub async fn relay_put(&self, sent: &[RelaySent]) -> Result<(), Error> {
        let mut batch = Batch::new();
        for sent in sent {
            batch.upsert(sent)?;
        }
        match sent {
            [] => Ok(()),
            _ => self.commit(batch).await,
        }
    }

    /// Bundles need not be kept any longer.
    pub async fn relay_settled(&self, link: LinkId, sequences: &[u64]) -> Result<(), Error> {
        for sequences in sequences.chunks(PAGE) {
            let mut batch = Batch::new();
            for sequence in sequences {
                batch.delete(Table::Relays, RelaySent::key_of(link, *sequence));
            }
            self.commit(batch).await?;
        }
        Ok(())
    }

    /// How far a type's objects were written to bundles; `None` before the first.
    pub async fn relay_export(
        &self,
        link: LinkId,
        connection: ConnectionId,
        object_type: &str,
    ) -> Result<Option<(Position, u64)>, Error> {
        let key = RelayExport::key_of(link, connection, object_type);
        let found = self.store.find::<RelayExport>(&key).await?;
        Ok(found.map(|found| (Position(found.record.position.into()), found.record.generation)))
    }

    /// The other side asked for all of a type: what was written before counts no longer.
    pub async fn relay_export_anew(&self, link: LinkId, flow: &Flow, generation: u64) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.upsert(&RelayExport {
            link,
            connection: flow.connection,
            object_type: flow.object_type.clone(),
            position: Vec::new(),
            generation,
        })?;
        self.commit(batch).await
    }

    /// Content that is still to be written.
    pub async fn relay_content(&self, link: LinkId, limit: usize) -> Result<Vec<RelayContent>, Error> {
        let page = self
            .store
            .page::<RelayContent>(&RelayContent::prefix(link), None, limit)
            .await?;
        Ok(page.records.into_iter().map(|found| found.record).collect())
    }

    /// Content of an artifact need not be written any more.
    pub async fn relay_content_over(&self, content: &RelayContent) -> Result<(), Error> {
        let mut batch = Batch::new();
        let RelayContent {
            link,
            connection,
            artifact,
            ..
        } = content;
        batch.delete(Table::Relays, RelayContent::key_of(*link, *connection, artifact));
        self.commit(batch).await
    }

    /// Removes all that a removed relay link remembered.
    pub(crate) async fn forget_relay(&self, link: LinkId) -> Result<(), Error> {
        self.relays.forget(link);
        self.remove_all(Table::Relays, records::relay_prefix(link))
            .await?;
        self.remove_all(Table::Heard, records::heard_prefix(link)).await
    }

    pub(super) async fn remove_all(&self, table: Table, prefix: Vec<u8>) -> Result<(), Error> {
        loop {
            let page = self
                .store
                .range(Range::prefix(table, prefix.clone(), PAGE))
                .await?;
            let mut batch = Batch::new();
            for (key, _) in &page {
                batch.delete(table, key.clone());
            }
            if !batch.is_empty() {
                self.commit(batch).await?;
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}
