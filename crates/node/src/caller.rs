//! Who calls the operator API, and the one place that lets a call pass.

use peerd_core::audit::Fact;
use peerd_core::authz::{self, Access, Action, Principal, Space, Token, allows};
use peerd_core::{Reason, SpaceId};
use peerd_store::records::TokenOwner;
use peerd_store::{Batch, Records as _};

use crate::{Error, Node};

/// A principal that showed a valid token. Only [`Node::authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
}

impl Caller {
    /// Who it is.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether the role allows the action at all, in whichever space. A call that cannot pass is refused before its
    /// fields are looked at.
    pub fn may_ever(&self, action: Action) -> bool {
        let manages = allows(authz::Role::SpaceManager, action) != Access::Never;
        allows(self.principal.role, action) != Access::Never || manages && self.principal.space.is_none()
    }
}

impl Node {
    /// The principal that this token belongs to. An unknown, malformed or revoked token is one answer.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        let refused = || Error::of(Reason::TokenInvalid);
        let token: Token = token.parse().map_err(|_| refused())?;
        let owner = self
            .store
            .find::<TokenOwner>(token.hash().as_bytes())
            .await?
            .ok_or_else(refused)?;
        let found = self
            .store
            .find::<Principal>(owner.record.principal.as_bytes())
            .await?;
        let principal = found.ok_or_else(refused)?.record;
        match principal.revoked_at {
            None => Ok(Caller { principal }),
            Some(_) => Err(refused()),
        }
    }

    /// Lets the caller pass if it may take the action, in this space when it is about one. A denial is audited.
    pub async fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        space: Option<&Space>,
    ) -> Result<(), Error> {
        let Err(denial) = authz::authorize(Some(&caller.principal), action, space) else {
            return Ok(());
        };
        self.audit_denial(caller, action, space.map(|space| space.id), denial.reason())
            .await?;
        Err(Error::new(denial.reason(), denial.to_string()))
    }

    /// Records that a caller was denied an action.
    pub async fn audit_denial(
        &self,
        caller: &Caller,
        action: Action,
        space: Option<SpaceId>,
        reason: Reason,
    ) -> Result<(), Error> {
        let fact = Fact::of_call(self.now(), &caller.principal, action).denied(reason);
        let fact = space.into_iter().fold(fact, Fact::on);
        let mut batch = Batch::new();
        crate::audit::record(&mut batch, &fact)?;
        self.commit(batch).await
    }
}
