//! What was parked is tried again by itself, a few times: when its stream opens, something may have changed since.

use peerd_core::policy::{self, Permit};
use peerd_store::records::Parked;
use peerd_store::{Records as _, Table};

use super::terms::ImportTerms;
use super::{Change, Flow, Item};
use crate::{Error, Node};

/// After so many attempts an object waits for an operator.
const ATTEMPTS_MAX: u64 = 5;

impl Node {
    /// Tries once more to apply what is parked of one stream. What still cannot be is parked on, and counted.
    pub(super) async fn take_parked(
        &self,
        permit: &Permit<policy::Flow>,
        flow: &Flow,
        terms: &ImportTerms,
    ) -> Result<(), Error> {
        let parked = self.store.all::<Parked>(&Parked::prefix(flow.connection)).await?;
        let parked = parked.into_iter().map(|found| found.record);
        let of_stream = parked.filter(|one| {
            !one.outgoing && one.remote_type == flow.object_type && u64::from(one.attempts) < ATTEMPTS_MAX
        });
        for one in of_stream {
            let bytes = self
                .store
                .read(Table::Parked, &Parked::bytes_key_of(one.id))
                .await?;
            let Some(bytes) = bytes else { continue };
            let item = Item {
                key: one.key,
                change: Change::State(bytes.value),
            };
            self.take_items(permit, flow, terms, &[item], None).await?;
        }
        Ok(())
    }
}
