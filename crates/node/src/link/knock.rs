//! Knocks: refused attempts, kept for the operator who expected them.

use peerd_core::KnockId;
use peerd_core::authz::Action;
use peerd_core::link::{Attempt, Knock, record};
use peerd_store::{Batch, RecordBatch as _, Records as _, Table};

use crate::{Caller, Error, Node};

impl Node {
    /// Keeps a refused attempt. What a stranger can make us write is bounded by `core::link::record`.
    pub(crate) async fn knocked(&self, attempt: Attempt) -> Result<(), Error> {
        self.progress.tally.knocks.add(1);
        let kept: Vec<Knock> = self
            .store
            .all::<Knock>(&[])
            .await?
            .into_iter()
            .map(|found| found.record)
            .collect();
        let Some(recorded) = record(&kept, attempt, self.mint(KnockId::from_uuid), self.now()) else {
            return Ok(());
        };
        let mut batch = Batch::new();
        batch.upsert(&recorded.knock)?;
        if let Some(dropped) = recorded.dropped {
            batch.delete(Table::Knocks, dropped.as_bytes().to_vec());
        }
        self.commit(batch).await
    }

    /// Refused attempts, latest first. They are few: `core::link` bounds them.
    pub async fn list_knocks(&self, caller: &Caller) -> Result<Vec<Knock>, Error> {
        self.authorize(caller, Action::LinkKnocks, None).await?;
        let mut knocks: Vec<Knock> = self
            .store
            .all::<Knock>(&[])
            .await?
            .into_iter()
            .map(|found| found.record)
            .collect();
        knocks.sort_by_key(|knock| std::cmp::Reverse((knock.last_seen_at, knock.id)));
        Ok(knocks)
    }
}
