//! The schemas that both sides of a connection published: a form that people can read names properties by them.
//!
//! An ontology only grows: a type keeps its properties under their names, numbers and types, and new ones come after them.
//! So what was said under an earlier revision is read by a later one's schemas word for word, and one set is enough.

use std::collections::BTreeMap;

use peerd_core::artifact;
use peerd_core::authz::Action;
use peerd_core::mapping::Sharing;
use peerd_core::ontology::{ApiName, Schema};
use peerd_core::policy::DataType;
use peerd_core::{ConnectionId, Reason};
use peerd_store::Records as _;
use peerd_store::records::Shared;

use crate::peer::Peer;
use crate::{Caller, Error, Node};

/// The schemas of one side, as of a revision of its sharing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The revision; 0 where nothing was said yet.
    pub revision: u64,
    /// The types that it lets out, by their name there.
    pub types: BTreeMap<ApiName, Schema>,
}

impl Published {
    fn of(sharing: Sharing) -> Published {
        let exported = sharing.types.into_iter().filter(|(_, share)| share.export);
        Published {
            revision: sharing.revision,
            types: exported.map(|(name, share)| (name, share.schema)).collect(),
        }
    }

    /// The schema of a type, good for what was said under this revision; `None` while that revision has not come, and
    /// where the type is not let out any more.
    pub fn schema(&self, object_type: &str, revision: u64) -> Option<&Schema> {
        let said = self.revision >= revision;
        let name: ApiName = object_type.parse().ok().filter(|_| said)?;
        self.types.get(&name)
    }
}

impl Node {
    /// What this side published on a connection; nothing where it is not this peer's.
    pub async fn published_here(&self, peer: &Peer, connection: ConnectionId) -> Result<Published, Error> {
        let shared = self.shared_with(peer, connection).await?;
        Ok(shared
            .map(|shared| Published::of(shared.ours))
            .unwrap_or_default())
    }

    /// What the peer published on a connection; nothing where it is not this peer's.
    pub async fn published_there(&self, peer: &Peer, connection: ConnectionId) -> Result<Published, Error> {
        let shared = self.shared_with(peer, connection).await?;
        Ok(shared
            .map(|shared| Published::of(shared.theirs))
            .unwrap_or_default())
    }

    /// What may go out on a connection and what may come in, for whoever guards the way.
    pub async fn export_schemas(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<(Published, Published), Error> {
        let connection = self.connection_for(caller, Action::OntologyExportXsd, id).await?;
        let connection = connection.record;
        let agreed = connection.flow();
        let is_agreed = |data: DataType, name: &ApiName| artifact::data_of(name.as_str()) == data;
        let Some(standing) = self.standing(connection).await? else {
            let told = "this side has not said yet which space the connection joins";
            return Err(Error::new(Reason::WrongStage, told));
        };
        let mut ours = Published::of(standing.shared.ours);
        let mut theirs = Published::of(standing.shared.theirs);
        for data in [DataType::Objects, DataType::Artifacts] {
            if !agreed.exports.contains(data) {
                ours.types.retain(|name, _| !is_agreed(data, name));
            }
            if !agreed.imports.contains(data) {
                theirs.types.retain(|name, _| !is_agreed(data, name));
            }
        }
        Ok((ours, theirs))
    }

    async fn shared_with(&self, peer: &Peer, connection: ConnectionId) -> Result<Option<Shared>, Error> {
        match self.connection_of(peer, connection).await {
            Ok(_) => Ok(self
                .store
                .find::<Shared>(connection.as_bytes())
                .await?
                .map(|found| found.record)),
            Err(error) if error.reason() == Reason::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
