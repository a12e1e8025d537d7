//! Who calls the operator API, and the one place that lets a call pass.

use std::fmt;

use peerd_core::audit::{Actor, Fact};
use peerd_core::authz::{self, Access, Action, Denial, Principal, Role, Space, Token, allows};
use peerd_core::reason::Code;
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

    /// The caller as of now, for a call that goes on for long: a principal that was revoked ends what it began.
    pub async fn recheck(&self, caller: &Caller) -> Result<Caller, Error> {
        let refused = || Error::of(Reason::TokenInvalid);
        let id = caller.principal.id;
        let found = self.store.find::<Principal>(id.as_bytes()).await?;
        let principal = found.ok_or_else(refused)?.record;
        match principal.revoked_at {
            None => Ok(Caller { principal }),
            Some(_) => Err(refused()),
        }
    }

    /// Lets a call pass to where its fields are read, unless its caller may not take the action anywhere. Being listed
    /// as a manager of some space counts. A denial is audited.
    pub async fn admit_call(&self, caller: &Caller, action: Action) -> Result<(), Error> {
        let role = caller.principal.role;
        if allows(role, action) != Access::Never {
            return Ok(());
        }
        if allows(Role::SpaceManager, action) != Access::Never && self.manages_some_space(caller).await? {
            return Ok(());
        }
        let denial = Denial::Role { role, action };
        self.audit_denial(caller, action, None, denial.reason()).await?;
        Err(Error::new(denial.reason(), denial.to_string()))
    }

    /// Whether the caller is listed as a manager of some space, whatever else its role is.
    pub async fn manages_some_space(&self, caller: &Caller) -> Result<bool, Error> {
        let spaces = self.store.all::<Space>(&[]).await?;
        let id = caller.principal.id;
        Ok(spaces.iter().any(|found| found.record.managers.contains(&id)))
    }

    /// Records that somebody called without a valid token. What they sent instead is not kept.
    pub async fn audit_stranger(&self, from: impl fmt::Display) -> Result<(), Error> {
        let fact = Fact::new(self.now(), Actor::System, "authenticate").detail("from", from);
        let mut batch = Batch::new();
        crate::audit::record(&mut batch, &fact.denied(Reason::TokenInvalid))?;
        self.commit(batch).await
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

    /// Records that a core rule refused what a caller may otherwise do, or denied it.
    pub(crate) async fn audit_refusal(
        &self,
        caller: &Caller,
        action: Action,
        subject: impl fmt::Display,
        reason: Reason,
    ) -> Result<(), Error> {
        let fact = Fact::of_call(self.now(), &caller.principal, action).on(subject);
        let fact = match reason.code() {
            Code::Denied => fact.denied(reason),
            _ => fact.refused(reason),
        };
        let mut batch = Batch::new();
        crate::audit::record(&mut batch, &fact)?;
        self.commit(batch).await
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
