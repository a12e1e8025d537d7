//! Spaces: making them, finding them, and who manages them.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::audit::Fact;
use peerd_core::authz::{self, Action, Space};
use peerd_core::name::{Name, Title};
use peerd_core::{Reason, SpaceId};
use peerd_store::records::NameKind;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::{Caller, Error, Node, audit, names};

impl Node {
    /// Makes a space with nobody in it.
    pub async fn create_space(
        &self,
        caller: &Caller,
        name: Name,
        title: Option<Title>,
    ) -> Result<Space, Error> {
        self.authorize(caller, Action::SpaceCreate, None).await?;
        let space = Space {
            id: self.mint(SpaceId::from_uuid),
            name,
            title,
            managers: BTreeSet::new(),
        };
        self.retrying(|| self.create_space_once(caller, &space)).await?;
        Ok(space)
    }

    async fn create_space_once(&self, caller: &Caller, space: &Space) -> Result<(), Error> {
        if self.holder(NameKind::Space, &space.name).await?.is_some() {
            return Err(Error::new(
                Reason::NameTaken,
                format!("a space named {} exists", space.name),
            ));
        }
        let mut batch = Batch::new();
        batch.insert(space)?;
        names::take(&mut batch, NameKind::Space, &space.name, *space.id.as_bytes())?;
        let fact = Fact::of_call(self.now(), caller.principal(), Action::SpaceCreate).on(space.id);
        audit::record(&mut batch, &fact.detail("name", &space.name))?;
        self.commit(batch).await
    }

    /// The spaces the caller may see, oldest first.
    pub async fn list_spaces(
        &self,
        caller: &Caller,
        after: Option<SpaceId>,
        limit: usize,
    ) -> Result<(Vec<Space>, Option<SpaceId>), Error> {
        self.authorize(caller, Action::SpaceList, None).await?;
        let mut spaces = Vec::new();
        let mut after = after.map(|id| Bytes::copy_from_slice(id.as_bytes()));
        loop {
            let page = self.store.page::<Space>(&[], after, limit).await?;
            for found in page.records {
                let space = found.record;
                if authz::authorize(Some(caller.principal()), Action::SpaceShow, Some(&space)).is_err() {
                    continue;
                }
                let id = space.id;
                spaces.push(space);
                if spaces.len() == limit {
                    return Ok((spaces, Some(id)));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok((spaces, None));
            }
        }
    }

    /// Lets a principal manage the space, whatever its role is otherwise.
    pub async fn add_space_manager(
        &self,
        caller: &Caller,
        space: &str,
        principal: &str,
    ) -> Result<Space, Error> {
        let action = Action::SpaceAddManager;
        self.authorize(caller, action, None).await?;
        self.retrying(|| self.set_manager_once(caller, action, space, principal))
            .await
    }

    /// Ends that.
    pub async fn remove_space_manager(
        &self,
        caller: &Caller,
        space: &str,
        principal: &str,
    ) -> Result<Space, Error> {
        let action = Action::SpaceRemoveManager;
        self.authorize(caller, action, None).await?;
        self.retrying(|| self.set_manager_once(caller, action, space, principal))
            .await
    }

    async fn set_manager_once(
        &self,
        caller: &Caller,
        action: Action,
        space: &str,
        principal: &str,
    ) -> Result<Space, Error> {
        let Found {
            record: mut space,
            revision,
        } = self.space(space).await?;
        let principal = self.principal(principal).await?.record;
        let changed = match action {
            Action::SpaceAddManager if principal.revoked_at.is_some() => {
                return Err(Error::not_found("principal"));
            }
            Action::SpaceAddManager => space.managers.insert(principal.id),
            _ => space.managers.remove(&principal.id),
        };
        if changed {
            let mut batch = Batch::new();
            batch.replace(&space, revision)?;
            let fact = Fact::of_call(self.now(), caller.principal(), action);
            audit::record(&mut batch, &fact.on(space.id).on(principal.id))?;
            self.commit(batch).await?;
        }
        Ok(space)
    }

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
}
