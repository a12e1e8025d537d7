//! Storing a step: the record, its messages and its audit fact in one conditional commit.

use peerd_core::MessageId;
use peerd_core::audit::Fact;
use peerd_core::peering::{Connection, Effect, Message, Refused, Stage, Step};
use peerd_store::records::Queued;
use peerd_store::{Batch, Found, RecordBatch as _};

use crate::{Error, Node, audit};

impl Node {
    /// Stores a step of a connection, new or found. Nobody is told before this returns. A step that changes nothing
    /// writes nothing.
    pub(super) async fn take(
        &self,
        found: Option<&Found<Connection>>,
        step: Step,
        fact: Fact,
    ) -> Result<Connection, Error> {
        let changed = found.is_none_or(|found| found.record != step.next);
        if !changed && step.is_noop() {
            return Ok(step.next);
        }
        let mut batch = Batch::new();
        match found {
            Some(found) => batch.replace(&step.next, found.revision)?,
            None => batch.insert(&step.next)?,
        };
        self.queue(&mut batch, &step)?;
        if step.effects.contains(&Effect::PurgeImported) {
            self.mark_for_purge(&mut batch, step.next.id)?;
        }
        if step.fact.is_some() {
            audit::record(&mut batch, &describe(fact, &step))?;
        }
        self.commit(batch).await?;
        Ok(step.next)
    }

    /// Adds the messages of a step to the outbox.
    fn queue(&self, batch: &mut Batch, step: &Step) -> Result<(), Error> {
        let now = self.now();
        for effect in &step.effects {
            let Effect::Send { sequence, body } = effect else {
                continue;
            };
            let id = self.mint(MessageId::from_uuid);
            let message = Message::of(&step.next, id, *sequence, body.clone(), now);
            batch.upsert(&Queued {
                link: step.next.link,
                message,
                queued_at: now,
            })?;
        }
        Ok(())
    }
}

/// What the audit log says of a step.
pub(super) fn describe(fact: Fact, step: &Step) -> Fact {
    let connection = &step.next;
    let fact = fact
        .on(connection.id)
        .on(connection.remote)
        .detail("stage", connection.stage.name());
    let fact = fact.detail("security", &connection.security);
    let fact = connection
        .space
        .iter()
        .fold(fact, |fact, space| fact.detail("space", &space.name));
    match &connection.stage {
        Stage::Closed { imported, forced, .. } => fact
            .detail("imported", format!("{imported:?}").to_lowercase())
            .detail("forced", forced),
        _ => fact,
    }
}

/// A refused step as its caller may read it.
pub(super) fn refused(refused: Refused) -> Error {
    Error::new(refused.reason, refused.to_string())
        .with("stage", refused.stage)
        .with("event", refused.event)
}
