//! What operators see of content on its way.

use std::collections::{BTreeMap, btree_map};

use peerd_core::authz::Action;
use peerd_core::peering::Connection;
use peerd_core::{ArtifactId, ConnectionId};

use super::seen;
use crate::exchange::blobs::Transfer;
use crate::{Caller, Error, Node};

/// The content of an artifact on its way, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferView {
    /// The artifact.
    pub id: ArtifactId,
    /// What people call it.
    pub name: String,
    /// How its content comes along.
    pub transfer: Transfer,
}

impl Node {
    /// Content on its way, or of one connection: of those artifacts that the caller may see.
    pub async fn transfers(
        &self,
        caller: &Caller,
        connection: Option<ConnectionId>,
    ) -> Result<Vec<TransferView>, Error> {
        let mut connections = BTreeMap::new();
        if let Some(id) = connection {
            let shown = self.connection_for(caller, Action::ArtifactList, id).await?;
            connections.insert(id, Some(shown.record));
        }
        let sight = self.sight(caller).await?;
        let mut views = Vec::new();
        for transfer in self.all_transfers() {
            let id = transfer.connection;
            if connection.is_some_and(|wanted| wanted != id) {
                continue;
            }
            let known: &Option<Connection> = match connections.entry(id) {
                btree_map::Entry::Occupied(known) => known.into_mut(),
                btree_map::Entry::Vacant(new) => {
                    // One that the caller may not show does not exist for them.
                    let shown = self.connection_for(caller, Action::ArtifactList, id).await;
                    new.insert(shown.ok().map(|shown| shown.record))
                }
            };
            let Some(space) = known.as_ref().and_then(|known| known.space.as_ref()) else {
                continue;
            };
            let Ok(artifact) = transfer.artifact.parse::<ArtifactId>() else {
                continue;
            };
            let Some(found) = self.stored(space.id, &artifact.key()?).await? else {
                continue;
            };
            if let Some(known) = seen(&found.record.state)?.filter(|_| sight.sees(&found.record.state)) {
                views.push(TransferView {
                    id: artifact,
                    name: known.name,
                    transfer,
                });
            }
        }
        Ok(views)
    }
}
