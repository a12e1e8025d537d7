//! Peer connections: what operators do with them.

use std::time::Duration;

use peerd_core::audit::Fact;
use peerd_core::authz::{Action, Space};
use peerd_core::code::{InviteCode, ProofKey};
use peerd_core::name::Title;
use peerd_core::peering::{
    Approval, Command, Connection, Decision, Flow, Imported, LocalSpace, Remark, Request, Stage,
};
use peerd_core::security::Security;
use peerd_core::{ChangeRequestId, ConnectionId, Reason, Secret, Time};
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::link::{Invitation, checked_lifetime};
use crate::{Caller, Error, Node, audit};

mod inspect;
mod lifecycle;
mod list;
mod permit;
mod step;
mod void;

pub use inspect::Inspection;
pub use lifecycle::{Receipt, Received, Signed};
pub use list::{ConnectionView, FeedProgress};

/// What an operator asks another enrollment for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Name or id of the space here.
    pub space: String,
    /// Name or id of the link.
    pub link: String,
    /// The data types, seen from here.
    pub flow: Flow,
    /// The security proposed.
    pub security: Security,
    /// How long the code is valid.
    pub lifetime: Option<Duration>,
}

impl Node {
    /// Makes a peer request and its invite code.
    pub async fn request_connection(
        &self,
        caller: &Caller,
        ask: Ask,
    ) -> Result<Invitation<ConnectionId>, Error> {
        let space = self.space(&ask.space).await?.record;
        self.authorize(caller, Action::ConnectionRequest, Some(&space))
            .await?;
        let title = self
            .title()
            .await?
            .ok_or_else(|| Error::of(Reason::TitleMissing))?;
        let link = self.link(&ask.link).await?.record;
        let remote = link.enrollment().filter(|_| link.is_established());
        let remote = remote.ok_or_else(|| Error::of(Reason::LinkMissing))?;
        self.check_security(&ask.security).await?;
        let permit = self
            .permit_peering(caller.into(), &link, remote, ask.flow)
            .await?;
        let now = self.now();
        let until = now.plus(checked_lifetime(ask.lifetime)?);
        let secret = self.secret();
        let request = Request {
            id: self.mint(ConnectionId::from_uuid),
            link: link.id,
            local: self.enrollment_id(),
            remote,
            space: local(&space),
            flow: ask.flow,
            security: ask.security,
            key: ProofKey::of(&secret),
            until,
        };
        let step = Connection::request(request, &permit, now).map_err(step::refused)?;
        let code = self.invite_code(&step.next, title, secret, until)?;
        let mut batch = Batch::new();
        batch.insert(&step.next)?;
        let fact = Fact::of_call(now, caller.principal(), Action::ConnectionRequest);
        audit::record(
            &mut batch,
            &step::describe(fact, &step).by_policy(permit.policy()),
        )?;
        self.commit(batch).await?;
        Ok(Invitation {
            id: step.next.id,
            code,
            expires_at: until,
        })
    }

    /// Makes a new invite code for a request that nobody has approved yet; the earlier one is void.
    pub async fn reissue_invite(
        &self,
        caller: &Caller,
        id: ConnectionId,
        lifetime: Option<Duration>,
    ) -> Result<Invitation<ConnectionId>, Error> {
        let lifetime = checked_lifetime(lifetime)?;
        let action = Action::ConnectionReissue;
        self.retrying(async || {
            let found = self.connection_for(caller, action, id).await?;
            let connection = &found.record;
            let title = self
                .title()
                .await?
                .ok_or_else(|| Error::of(Reason::TitleMissing))?;
            let link = self.link(&connection.link.to_string()).await?.record;
            let permit = self
                .permit_peering(caller.into(), &link, connection.remote, connection.ours)
                .await?;
            let (now, secret) = (self.now(), self.secret());
            let command = Command::Reissue {
                key: ProofKey::of(&secret),
                until: now.plus(lifetime),
            };
            let step = connection.command(&command, now).map_err(step::refused)?;
            let code = self.invite_code(connection, title, secret, now.plus(lifetime))?;
            let fact = Fact::of_call(now, caller.principal(), action).by_policy(permit.policy());
            self.take(Some(&found), step, fact).await?;
            Ok(Invitation {
                id,
                code,
                expires_at: now.plus(lifetime),
            })
        })
        .await
    }

    /// The text of the invite code of a request that is recorded.
    fn invite_code(
        &self,
        connection: &Connection,
        title: Title,
        secret: Secret,
        expires_at: Time,
    ) -> Result<String, Error> {
        let space = connection
            .space
            .as_ref()
            .ok_or_else(|| Error::not_found("space"))?;
        let code = InviteCode {
            connection: connection.id,
            originator: self.enrollment_id(),
            key: self.public_key(),
            title,
            space: space.name.clone(),
            recipient: connection.remote,
            flow: connection.ours,
            security: connection.asked.clone(),
            secret,
            issued_at: self.now(),
            expires_at,
        };
        let text = code.issue(&*self.identity);
        let text = text.map_err(|error| Error::new(error.reason(), error.to_string()))?;
        Ok(text.expose().to_owned())
    }

    /// Approves what an invite code asks for, for a space here; may narrow its security.
    pub async fn approve_connection(
        &self,
        caller: &Caller,
        text: &str,
        space: &str,
        security: Option<Security>,
    ) -> Result<ConnectionView, Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::ConnectionApprove, Some(&space))
            .await?;
        let code = self.read_invite(text)?;
        self.usable(&code)?;
        if let Some(security) = &security {
            self.check_security(security).await?;
        }
        let next = self
            .retrying(|| self.approve_once(caller, &code, &space, security.clone()))
            .await?;
        self.view_connection(next).await
    }

    async fn approve_once(
        &self,
        caller: &Caller,
        code: &InviteCode,
        space: &Space,
        security: Option<Security>,
    ) -> Result<Connection, Error> {
        let link = self.link_for(code).await?;
        let existing = self.store.find::<Connection>(code.connection.as_bytes()).await?;
        let permit = self
            .permit_peering(caller.into(), &link, code.originator, code.flow.mirrored())
            .await?;
        let approval = Approval {
            local: self.enrollment_id(),
            title: self.title().await?,
            link: link.id,
            space: local(space),
            security,
        };
        let levels = self.levels().await?;
        let known = existing.as_ref().map(|found| &found.record);
        let now = self.now();
        let step =
            Connection::approve(code, approval, known, &permit, &levels, now).map_err(step::refused)?;
        let fact = Fact::of_call(now, caller.principal(), Action::ConnectionApprove);
        self.take(existing.as_ref(), step, fact.by_policy(permit.policy()))
            .await
    }

    /// Turns an invite code down; the reason reaches the originator.
    pub async fn reject_connection(
        &self,
        caller: &Caller,
        text: &str,
        why: &Remark,
    ) -> Result<ConnectionView, Error> {
        self.authorize(caller, Action::ConnectionReject, None).await?;
        let code = self.read_invite(text)?;
        self.usable(&code)?;
        let next = self
            .retrying(async || {
                let link = self.link_for(&code).await?;
                let existing = self.store.find::<Connection>(code.connection.as_bytes()).await?;
                let known = existing.as_ref().map(|found| &found.record);
                let now = self.now();
                let own = self.enrollment_id();
                let step = Connection::reject(&code, own, link.id, why.clone(), known, now)
                    .map_err(step::refused)?;
                let fact = Fact::of_call(now, caller.principal(), Action::ConnectionReject);
                self.take(existing.as_ref(), step, fact).await
            })
            .await?;
        self.view_connection(next).await
    }

    /// Starts an approved connection. The originator's alone.
    pub async fn activate_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, Error> {
        let next = self
            .retrying(async || {
                let found = self
                    .connection_for(caller, Action::ConnectionActivate, id)
                    .await?;
                let connection = &found.record;
                let link = self.link(&connection.link.to_string()).await?.record;
                let permit = self
                    .permit_peering(caller.into(), &link, connection.remote, connection.flow())
                    .await?;
                let now = self.now();
                let step = connection.activate(&permit, now).map_err(step::refused)?;
                let fact = Fact::of_call(now, caller.principal(), Action::ConnectionActivate);
                self.take(Some(&found), step, fact.by_policy(permit.policy()))
                    .await
            })
            .await?;
        self.view_connection(next).await
    }

    /// Withdraws a request that is not active yet.
    pub async fn revoke_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, Error> {
        self.command(caller, Action::ConnectionRevoke, id, |_| Ok(Command::Revoke))
            .await
    }

    /// Stops all data both ways; cursors are kept.
    pub async fn disable_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, Error> {
        self.command(caller, Action::ConnectionDisable, id, |_| Ok(Command::Disable))
            .await
    }

    /// Lifts this side's stop.
    pub async fn enable_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
    ) -> Result<ConnectionView, Error> {
        self.command(caller, Action::ConnectionEnable, id, |_| Ok(Command::Enable))
            .await
    }

    /// Sets what this side lets flow. What the other side does not allow waits until it does.
    pub async fn set_data_types(
        &self,
        caller: &Caller,
        id: ConnectionId,
        change: impl Fn(Flow) -> Flow + Send + Sync,
    ) -> Result<ConnectionView, Error> {
        let command = |connection: &Connection| Ok(Command::SetDataTypes(change(connection.ours)));
        self.command(caller, Action::ConnectionSet, id, command).await
    }

    /// Allows or forbids what came over other connections on this one. What had gone out is taken back.
    pub async fn set_re_export(
        &self,
        caller: &Caller,
        id: ConnectionId,
        allowed: bool,
    ) -> Result<ConnectionView, Error> {
        self.command(caller, Action::ConnectionSet, id, |_| {
            Ok(Command::SetReExport(allowed))
        })
        .await
    }

    /// Ends a connection.
    pub async fn close_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
        imported: Imported,
        force: bool,
    ) -> Result<ConnectionView, Error> {
        let command = |_: &Connection| Ok(Command::Close { imported, force });
        self.command(caller, Action::ConnectionClose, id, command).await
    }

    /// Proposes another security to the other side.
    pub async fn propose_security(
        &self,
        caller: &Caller,
        id: ConnectionId,
        security: Security,
    ) -> Result<ChangeRequestId, Error> {
        self.check_security(&security).await?;
        let change = self.mint(ChangeRequestId::from_uuid);
        let command = |_: &Connection| {
            Ok(Command::ProposeSecurity {
                id: change,
                security: security.clone(),
            })
        };
        self.command(caller, Action::ConnectionProposeSecurity, id, command)
            .await?;
        Ok(change)
    }

    /// Decides on the other side's proposal.
    pub async fn decide_security(
        &self,
        caller: &Caller,
        change: ChangeRequestId,
        decision: Decision,
    ) -> Result<ConnectionView, Error> {
        let action = match decision {
            Decision::Approve => Action::ConnectionApproveSecurity,
            Decision::Reject { .. } => Action::ConnectionRejectSecurity,
        };
        let id = self.connection_with_change(change).await?;
        let command = |_: &Connection| {
            Ok(Command::DecideSecurity {
                id: change,
                decision: decision.clone(),
            })
        };
        self.command(caller, action, id, command).await
    }

    /// One step by a command of `core`.
    async fn command(
        &self,
        caller: &Caller,
        action: Action,
        id: ConnectionId,
        command: impl Fn(&Connection) -> Result<Command, Error> + Send + Sync,
    ) -> Result<ConnectionView, Error> {
        let next = self
            .retrying(async || {
                let found = self.connection_for(caller, action, id).await?;
                let now = self.now();
                let step = found
                    .record
                    .command(&command(&found.record)?, now)
                    .map_err(step::refused)?;
                self.take(Some(&found), step, Fact::of_call(now, caller.principal(), action))
                    .await
            })
            .await?;
        self.view_connection(next).await
    }

    /// The connection with this id, if the caller may take the action in its space. Who may not even see it is told
    /// that it does not exist.
    pub(crate) async fn connection_for(
        &self,
        caller: &Caller,
        action: Action,
        id: ConnectionId,
    ) -> Result<Found<Connection>, Error> {
        let missing = || Error::not_found("connection");
        let found = self
            .store
            .find::<Connection>(id.as_bytes())
            .await?
            .ok_or_else(missing)?;
        let space = self.space_of(&found.record).await?;
        if !self.may_show(caller, space.as_ref()) {
            return Err(missing());
        }
        self.authorize(caller, action, space.as_ref()).await?;
        Ok(found)
    }

    /// Connections whose invite code nobody used in time end.
    pub async fn expire_connections(&self) -> Result<(), Error> {
        for found in self.store.all::<Connection>(&[]).await? {
            let now = self.now();
            if !matches!(found.record.stage, Stage::Requested { until, .. } if until <= now) {
                continue;
            }
            let step = found.record.expire(now).map_err(step::refused)?;
            let fact = Fact::new(now, peerd_core::audit::Actor::System, "connection expire");
            match self.take(Some(&found), step, fact).await {
                Err(error) if error.is_lost_race() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// When the next invite code ends by itself.
    pub async fn next_expiry(&self) -> Result<Option<Time>, Error> {
        let connections = self.store.all::<Connection>(&[]).await?;
        let until = |found: &Found<Connection>| match found.record.stage {
            Stage::Requested { until, .. } => Some(until),
            _ => None,
        };
        Ok(connections.iter().filter_map(until).min())
    }
}

fn local(space: &Space) -> LocalSpace {
    LocalSpace {
        id: space.id,
        name: space.name.clone(),
    }
}
