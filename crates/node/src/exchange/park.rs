//! Parked objects: those that could not be sent or applied. The rest of their batch went on.

use bytes::Bytes;
use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::policy::Direction;
use peerd_core::{ConnectionId, ParkedId, Reason};
use peerd_store::records::Parked;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _, Table};

use super::terms::digest;
use super::{Change, Flow, Item};
use crate::{Caller, Error, Node, audit};

/// The most objects that are parked for one connection: what a broken peer sends must not fill the store.
const PARKED_MAX: u64 = 1_000;
/// Up to this size the bytes are kept, so that a retry needs nothing from the other side.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// An object that has to be parked.
#[derive(Clone, Debug)]
pub(super) struct Poison {
    pub(super) outgoing: bool,
    pub(super) remote_type: String,
    pub(super) object_type: String,
    pub(super) key: String,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) bytes: Option<Bytes>,
}

/// Where an object of a connection is parked.
pub(super) fn place(
    connection: ConnectionId,
    outgoing: bool,
    remote_type: &str,
    key: &str,
) -> Result<ParkedId, Error> {
    Ok(Parked::id_of(connection, digest(&(outgoing, remote_type, key))?))
}

/// What came of another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retried {
    /// Whether it was applied; if not, it is parked still.
    pub applied: bool,
    /// Why not, in words.
    pub message: String,
}

impl Node {
    /// Adds to a batch that these objects are parked. One that was is counted on; beyond the limit new ones are only
    /// logged.
    pub(super) async fn park(
        &self,
        batch: &mut Batch,
        connection: ConnectionId,
        poison: Vec<Poison>,
    ) -> Result<(), Error> {
        if poison.is_empty() {
            return Ok(());
        }
        let prefix = Parked::prefix(connection);
        let mut count = self.store.count(Table::Parked, &prefix).await?;
        for one in poison {
            let id = place(connection, one.outgoing, &one.remote_type, &one.key)?;
            let known = self.store.find::<Parked>(&Parked::key_of(id)).await?;
            let reason = one.reason;
            if known.is_none() && count >= PARKED_MAX {
                tracing::warn!(%connection, %reason, "too many parked objects: one more was refused and is not listed");
                continue;
            }
            if known.is_none() {
                tracing::warn!(%connection, %reason, "an object was parked");
                count += 1;
            }
            let known = known.map(|found| found.record);
            batch.upsert(&Parked {
                id,
                connection,
                outgoing: one.outgoing,
                remote_type: one.remote_type,
                object_type: one.object_type,
                // A key that is none can be of any length.
                key: one.key.chars().take(512).collect(),
                reason,
                message: one.message,
                attempts: known.as_ref().map_or(1, |known| known.attempts.saturating_add(1)),
                at: known.map_or(self.now(), |known| known.at),
            })?;
            match one.bytes.filter(|bytes| bytes.len() <= KEPT_BYTES_MAX) {
                Some(bytes) => batch.put(Table::Parked, Parked::bytes_key_of(id), bytes),
                None => batch.delete(Table::Parked, Parked::bytes_key_of(id)),
            };
        }
        Ok(())
    }

    /// Parked objects of one connection, or of all whose space the caller manages; oldest first within a connection.
    pub async fn list_parked(
        &self,
        caller: &Caller,
        connection: Option<ConnectionId>,
        after: Option<ParkedId>,
        limit: usize,
    ) -> Result<(Vec<Parked>, Option<ParkedId>), Error> {
        let prefix = if let Some(id) = connection {
            self.connection_for(caller, Action::MappingList, id).await?;
            Parked::prefix(id)
        } else {
            self.authorize(caller, Action::ParkedList, None).await?;
            vec![0]
        };
        let mut listed = Vec::new();
        let mut after = after.map(|id| Bytes::from(Parked::key_of(id)));
        loop {
            let page = self.store.page::<Parked>(&prefix, after, limit).await?;
            for found in page.records {
                if !self.may_see_parked(caller, &found.record).await? {
                    continue;
                }
                let id = found.record.id;
                listed.push(found.record);
                if listed.len() == limit {
                    return Ok((listed, Some(id)));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((listed, None)),
            }
        }
    }

    /// Tries again to apply a parked object.
    pub async fn retry_parked(&self, caller: &Caller, id: ParkedId) -> Result<Retried, Error> {
        let parked = self.parked_for(caller, Action::ParkedRetry, id).await?.record;
        let not = |message: &str| Retried {
            applied: false,
            message: message.to_owned(),
        };
        if parked.outgoing {
            return Ok(not("it is sent when it changes"));
        }
        let Some(bytes) = self.store.read(Table::Parked, &Parked::bytes_key_of(id)).await? else {
            return Ok(not("its bytes were not kept: it is applied when it comes again"));
        };
        let flow = Flow {
            connection: parked.connection,
            object_type: parked.remote_type,
        };
        let Some(terms) = self.import_terms(&flow).await? else {
            return Ok(not("its type does not come in now"));
        };
        let permit = self
            .permit_flow(terms.connection.remote, Direction::Import, flow.data())
            .map_err(|denial| crate::peer::explained(&denial))?;
        let item = Item {
            key: parked.key,
            change: Change::State(bytes.value),
        };
        let refusals = self.take_items(&permit, &flow, &terms, &[item], None).await?;
        self.audit_parked(caller, Action::ParkedRetry, parked.connection, id)
            .await?;
        Ok(match refusals.first() {
            None => Retried {
                applied: true,
                message: String::new(),
            },
            Some(refusal) => not(refusal.reason.explanation().trim()),
        })
    }

    /// Gives up on a parked object.
    pub async fn drop_parked(&self, caller: &Caller, id: ParkedId) -> Result<(), Error> {
        let parked = self.parked_for(caller, Action::ParkedDrop, id).await?.record;
        let mut batch = Batch::new();
        unpark(&mut batch, id);
        let fact = Fact::of_call(self.now(), caller.principal(), Action::ParkedDrop);
        audit::record(&mut batch, &fact.on(parked.connection).detail("parked", id))?;
        self.commit(batch).await
    }

    async fn parked_for(
        &self,
        caller: &Caller,
        action: Action,
        id: ParkedId,
    ) -> Result<Found<Parked>, Error> {
        let missing = || Error::not_found("parked object");
        let found = self.store.find::<Parked>(&Parked::key_of(id)).await?;
        let found = found.ok_or_else(missing)?;
        match self.connection_for(caller, action, found.record.connection).await {
            Ok(_) => Ok(found),
            Err(error) if error.reason() == Reason::NotFound => Err(missing()),
            Err(error) => Err(error),
        }
    }

    async fn may_see_parked(&self, caller: &Caller, parked: &Parked) -> Result<bool, Error> {
        let Some(connection) = self.store_connection(parked.connection).await? else {
            return Ok(false);
        };
        let space = self.space_of(&connection).await?;
        Ok(self.may_show(caller, space.as_ref()))
    }

    async fn audit_parked(
        &self,
        caller: &Caller,
        action: Action,
        connection: ConnectionId,
        id: ParkedId,
    ) -> Result<(), Error> {
        let fact = Fact::of_call(self.now(), caller.principal(), action).on(connection);
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact.detail("parked", id))?;
        self.commit(batch).await
    }
}

/// Adds to a batch that an object is parked no more.
pub(super) fn unpark(batch: &mut Batch, id: ParkedId) {
    batch.delete(Table::Parked, Parked::key_of(id));
    batch.delete(Table::Parked, Parked::bytes_key_of(id));
}
