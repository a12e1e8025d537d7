//! Spaces: finding them.

use peerd_core::SpaceId;
use peerd_core::authz::Space;
use peerd_store::records::NameKind;
use peerd_store::{Found, Records as _};

use crate::{Error, Node};

impl Node {
    /// The space with this name or id.
    pub(crate) async fn space(&self, name_or_id: &str) -> Result<Found<Space>, Error> {
        let id = match (name_or_id.parse::<SpaceId>(), name_or_id.parse()) {
            (Ok(id), _) => Some(*id.as_bytes()),
            (_, Ok(name)) => self.holder(NameKind::Space, &name).await?,
            _ => None,
        };
        let missing = || Error::not_found("space");
        self.store
            .find::<Space>(&id.ok_or_else(missing)?)
            .await?
            .ok_or_else(missing)
    }

    /// The space with this id.
    pub(crate) async fn space_by_id(&self, id: SpaceId) -> Result<Found<Space>, Error> {
        self.store
            .find::<Space>(id.as_bytes())
            .await?
            .ok_or_else(|| Error::not_found("space"))
    }
}
