//! Removing imported copies that may have gone on over other connections: whoever has them from us is to give them back.
//!
//! An object that leaves its feed is met by no exporter any more. So where a copy may have gone on, an empty object keeps
//! its place: no reader sees it, an import takes it for nothing, and an exporter that meets it retracts what it sent.

use peerd_core::object::{ObjectKey, ObjectState};
use peerd_core::peering::Connection;
use peerd_core::{ConnectionId, SpaceId};
use peerd_store::records::Mark;
use peerd_store::{Batch, Found, Records as _, Table};

use super::{Flow, marks};
use crate::object::removal;
use crate::object::stored::{Stored, feed_of, put_in_feed, remove_from_feed};
use crate::{Error, Node};

impl Node {
    /// The other connections of a space, over which a copy that came over this one may have gone on.
    pub(super) async fn onward(&self, space: SpaceId, via: ConnectionId) -> Result<Vec<Connection>, Error> {
        let all = self.store.all::<Connection>(&[]).await?.into_iter();
        let of_space = |connection: &Connection| connection.space.as_ref().is_some_and(|it| it.id == space);
        Ok(all
            .map(|found| found.record)
            .filter(|one| one.id != via && !one.stage.is_final() && of_space(one))
            .collect())
    }

    /// Adds to a batch that a copy goes, here and wherever it went from here.
    pub(super) async fn withdraw(
        &self,
        batch: &mut Batch,
        space: SpaceId,
        key: &ObjectKey,
        before: &Found<Stored>,
        onward: &[Connection],
    ) -> Result<(), Error> {
        if !self.went_on(key, onward).await? {
            return remove_from_feed(batch, space, key, before);
        }
        removal::note(batch, &feed_of(space, key.object_type()), key, before)?;
        let empty = ObjectState::blank(self.tick().await?, self.enrollment_id());
        put_in_feed(batch, space, key, &Stored::own(empty), Some(before))
    }

    /// Whether a copy may have gone on. Where it may go at this moment the marks do not tell yet.
    async fn went_on(&self, key: &ObjectKey, onward: &[Connection]) -> Result<bool, Error> {
        if onward.iter().any(|connection| connection.re_export) {
            return Ok(true);
        }
        let place = |connection: &Connection| {
            let flow = Flow {
                connection: connection.id,
                object_type: key.object_type().as_str().to_owned(),
            };
            marks::key_of(&flow, key.primary_key())
        };
        let places: Vec<_> = onward.iter().map(place).collect();
        for entry in self.store.read_many(Table::Exported, &places).await? {
            if marks::read(entry.as_ref())?.is_some_and(|mark| mark != Mark::THEIRS) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
