//! Principals: who may call the operator API.

use bytes::Bytes;
use peerd_core::audit::{Actor, Fact};
use peerd_core::authz::{Action, Principal, Role, Token};
use peerd_core::name::Name;
use peerd_core::{PrincipalId, Reason, SpaceId};
use peerd_store::records::{NameKind, TokenOwner};
use peerd_store::{Batch, Expect, Found, Record as _, RecordBatch as _, Records as _, Table, meta_record};
use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Node, audit, names};

/// The name of the first principal.
const FIRST_ADMIN: &str = "admin";

/// That the first admin was made, and who it is. There is never a second one: once it was revoked, the token of
/// `peerd init` opens nothing.
#[derive(Debug, Serialize, Deserialize)]
struct FirstAdmin {
    principal: PrincipalId,
}

meta_record!(FirstAdmin, b"first_admin", 1);

impl Node {
    /// Makes the first enrollment admin, for the token that `peerd init` wrote. Does nothing when that was done before.
    pub async fn bootstrap_admin(&self, token: &Token) -> Result<(), Error> {
        self.retrying(|| self.bootstrap_admin_once(token)).await
    }

    async fn bootstrap_admin_once(&self, token: &Token) -> Result<(), Error> {
        if self.store.find::<FirstAdmin>(b"first_admin").await?.is_some() {
            return Ok(());
        }
        let name = FIRST_ADMIN
            .parse()
            .map_err(|error| Error::of(Reason::Internal).because(error))?;
        let principal = self.new_principal(name, Role::EnrollmentAdmin, None, token);
        let mut batch = Batch::new();
        batch.insert(&FirstAdmin {
            principal: principal.id,
        })?;
        let fact = Fact::new(self.now(), Actor::System, Action::PrincipalCreate.word());
        add(&mut batch, &principal, fact)?;
        self.commit(batch).await
    }

    /// Makes a principal. The token is shown this once and kept only as its hash.
    ///
    /// Space managers, editors and viewers are for one space, named by `space`; the other roles have none.
    pub async fn create_principal(
        &self,
        caller: &Caller,
        name: Name,
        role: Role,
        space: Option<&str>,
    ) -> Result<(Principal, Token), Error> {
        self.authorize(caller, Action::PrincipalCreate, None).await?;
        let of_one_space = matches!(role, Role::SpaceManager | Role::Editor | Role::Viewer);
        let space = match space {
            Some(space) if of_one_space => Some(self.space(space).await?.record.id),
            None if !of_one_space => None,
            Some(_) => return Err(Error::field("space", format!("the role {role} is for no space"))),
            None => return Err(Error::field("space", format!("the role {role} is for one space"))),
        };
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        let token = Token::from_bytes(bytes);
        let principal = self.new_principal(name, role, space, &token);
        self.retrying(|| self.create_principal_once(caller, &principal))
            .await?;
        Ok((principal, token))
    }

    async fn create_principal_once(&self, caller: &Caller, principal: &Principal) -> Result<(), Error> {
        if self.holder(NameKind::Principal, &principal.name).await?.is_some() {
            return Err(Error::new(
                Reason::NameTaken,
                format!("a principal named {} exists", principal.name),
            ));
        }
        let mut batch = Batch::new();
        let fact = Fact::of_call(self.now(), caller.principal(), Action::PrincipalCreate);
        add(&mut batch, principal, fact)?;
        self.commit(batch).await
    }

    fn new_principal(&self, name: Name, role: Role, space: Option<SpaceId>, token: &Token) -> Principal {
        Principal {
            id: self.mint(PrincipalId::from_uuid),
            name,
            role,
            space,
            token: token.hash(),
            created_at: self.now(),
            revoked_at: None,
        }
    }

    /// Principals, revoked ones too, oldest first.
    pub async fn list_principals(
        &self,
        caller: &Caller,
        after: Option<PrincipalId>,
        limit: usize,
    ) -> Result<(Vec<Principal>, Option<PrincipalId>), Error> {
        self.authorize(caller, Action::PrincipalList, None).await?;
        let after = after.map(|id| Bytes::copy_from_slice(id.as_bytes()));
        let page = self.store.page::<Principal>(&[], after, limit).await?;
        let principals: Vec<Principal> = page.records.into_iter().map(|found| found.record).collect();
        let next = page.next.and_then(|_| principals.last().map(|last| last.id));
        Ok((principals, next))
    }

    /// Ends a principal and frees its name. Ending it again changes nothing. The last enrollment admin stays.
    pub async fn revoke_principal(&self, caller: &Caller, name_or_id: &str) -> Result<Principal, Error> {
        self.authorize(caller, Action::PrincipalRevoke, None).await?;
        self.retrying(|| self.revoke_principal_once(caller, name_or_id))
            .await
    }

    async fn revoke_principal_once(&self, caller: &Caller, name_or_id: &str) -> Result<Principal, Error> {
        let Found { record, revision } = match self.principal(name_or_id).await {
            // Its name is free by now: the last one that had it is meant.
            Err(error) if error.reason() == Reason::NotFound => {
                return self.revoked_principal(name_or_id).await?.ok_or(error);
            }
            found => found?,
        };
        if record.revoked_at.is_some() {
            return Ok(record);
        }
        let mut batch = Batch::new();
        if record.role == Role::EnrollmentAdmin {
            let Some(other) = self.another_admin(record.id).await? else {
                let reason = Reason::WrongStage;
                self.audit_refusal(caller, Action::PrincipalRevoke, record.id, reason)
                    .await?;
                return Err(Error::new(reason, "the last enrollment admin cannot be revoked"));
            };
            // Two admins that revoke each other at the same moment: one of them finds this broken.
            batch.expect(Table::Principals, other.record.key(), Expect::At(other.revision));
        }
        let now = self.now();
        let revoked = Principal {
            revoked_at: Some(now),
            ..record
        };
        batch.replace(&revoked, revision)?;
        names::free(&mut batch, NameKind::Principal, &revoked.name);
        let fact = Fact::of_call(now, caller.principal(), Action::PrincipalRevoke).on(revoked.id);
        audit::record(&mut batch, &fact.detail("name", &revoked.name))?;
        self.commit(batch).await?;
        Ok(revoked)
    }

    /// The principal with this id, or the one that has this name now.
    pub(crate) async fn principal(&self, name_or_id: &str) -> Result<Found<Principal>, Error> {
        let id = match (name_or_id.parse::<PrincipalId>(), name_or_id.parse()) {
            (Ok(id), _) => Some(*id.as_bytes()),
            (_, Ok(name)) => self.holder(NameKind::Principal, &name).await?,
            _ => None,
        };
        let missing = || Error::not_found("principal");
        self.store
            .find::<Principal>(&id.ok_or_else(missing)?)
            .await?
            .ok_or_else(missing)
    }

    async fn revoked_principal(&self, name: &str) -> Result<Option<Principal>, Error> {
        let all = self.store.all::<Principal>(&[]).await?;
        let had_it =
            |principal: &Principal| principal.name.as_str() == name && principal.revoked_at.is_some();
        let last = all.into_iter().rev().find(|found| had_it(&found.record));
        Ok(last.map(|found| found.record))
    }

    async fn another_admin(&self, than: PrincipalId) -> Result<Option<Found<Principal>>, Error> {
        let all = self.store.all::<Principal>(&[]).await?;
        let counts = |principal: &Principal| {
            principal.role == Role::EnrollmentAdmin && principal.revoked_at.is_none() && principal.id != than
        };
        Ok(all.into_iter().find(|found| counts(&found.record)))
    }
}

/// Writes a new principal with its name, its token's hash and the fact.
fn add(batch: &mut Batch, principal: &Principal, fact: Fact) -> Result<(), Error> {
    batch.insert(principal)?.insert(&TokenOwner {
        token: principal.token,
        principal: principal.id,
    })?;
    let id = *principal.id.as_bytes();
    names::take(batch, NameKind::Principal, &principal.name, id)?;
    let fact = fact.on(principal.id).detail("name", &principal.name);
    audit::record(batch, &fact.detail("role", principal.role))
}
