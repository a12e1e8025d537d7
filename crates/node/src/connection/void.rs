//! Requests that were open when a backup was made: their codes may have been used since.

use peerd_core::audit::{Actor, Fact};
use peerd_core::peering::{Command, Connection, Role, Stage};
use peerd_store::Records as _;

use crate::{Error, Node};

impl Node {
    /// Takes back every request of this side that nobody answered. Answers how many there were.
    pub(crate) async fn void_requests(&self) -> Result<u64, Error> {
        let mut void = 0;
        for found in self.store.all::<Connection>(&[]).await? {
            let asked = matches!(found.record.stage, Stage::Requested { .. });
            if !asked || found.record.role != Role::Originator {
                continue;
            }
            let step = found.record.command(&Command::Revoke, self.now());
            let step = step.map_err(super::step::refused)?;
            let fact = Fact::new(self.now(), Actor::System, "restore");
            self.take(Some(&found), step, fact).await?;
            void += 1;
        }
        Ok(void)
    }
}
