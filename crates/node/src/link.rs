//! Links: giving out codes, entering codes, listing, removing.

use std::time::Duration;

use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::code::{LinkCode, Problem};
use peerd_core::link::{Address, Direction, IssuedCode, Link};
use peerd_core::name::Name;
use peerd_core::{LinkId, Reason, Time};
use peerd_store::records::NameKind;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::{Caller, Error, Node, audit, names};

mod enroll;
mod knock;
mod session;
mod vitals;

pub use enroll::{EnrollAttempt, Enrolled, EnrollmentDue};
pub use session::Greeting;
pub use vitals::LinkView;

/// How long a code is valid when nobody says.
pub const CODE_LIFETIME: Duration = Duration::from_hours(72);
/// The longest a code may be valid.
pub const CODE_LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);

/// A code that was given out: the only time its text is seen.
#[derive(Debug)]
pub struct Invitation<Id> {
    /// What it is for.
    pub id: Id,
    /// The code.
    pub code: String,
    /// When it ends.
    pub expires_at: Time,
}

/// A code that was entered.
#[derive(Debug)]
pub struct Accepted {
    /// The link.
    pub link: LinkView,
    /// Whether the other side must enter a code of ours too, since we may not dial it.
    pub needs_own_code: bool,
}

impl Node {
    /// Makes a link and its one-time code.
    pub async fn invite_link(
        &self,
        caller: &Caller,
        direction: Direction,
        lifetime: Option<Duration>,
    ) -> Result<Invitation<LinkId>, Error> {
        self.authorize(caller, Action::LinkInvite, None).await?;
        let now = self.now();
        let expires_at = now.plus(checked_lifetime(lifetime)?);
        let id = self.mint(LinkId::from_uuid);
        let code = LinkCode {
            link: id,
            lineage: self.identity.lineage(),
            certificate: self.identity.certificate(),
            title: self.title().await?,
            addresses: self.own_addresses()?,
            direction,
            secret: self.secret(),
            issued_at: now,
            expires_at,
        };
        let text = code
            .issue(&*self.identity)
            .map_err(|error| Error::new(error.reason(), error.to_string()))?;
        let link = Link::invite(id, provisional_name(id)?, direction, expires_at, now);
        let mut batch = Batch::new();
        batch.insert(&link)?.insert(&IssuedCode::of(&code))?;
        names::take(&mut batch, NameKind::Link, &link.name, *id.as_bytes())?;
        let fact = Fact::of_call(now, caller.principal(), Action::LinkInvite).on(id);
        audit::record(
            &mut batch,
            &fact.detail("direction", direction).detail("expires", expires_at),
        )?;
        self.commit(batch).await?;
        Ok(Invitation {
            id,
            code: text.expose().to_owned(),
            expires_at,
        })
    }

    /// What a link code says, and what stands against using it now. Contacts nobody.
    pub async fn inspect_link_code(
        &self,
        caller: &Caller,
        text: &str,
    ) -> Result<(LinkCode, Vec<Problem>), Error> {
        self.authorize(caller, Action::LinkInspect, None).await?;
        let code = self.read_link_code(text)?;
        let mut problems = code.inspect(self.enrollment_id(), self.now());
        if let Some(link) = self.link_to(code.enrollment()).await? {
            let message = format!("link {} leads to that enrollment already", link.name);
            problems.push(Problem::new(Reason::LinkExists, message));
        }
        if code.direction.they_may_dial() && !self.may_reach(code.enrollment(), &code.addresses) {
            let message = "no active egress policy lets this enrollment dial any of its addresses";
            problems.push(Problem::new(Reason::EgressDenied, message));
        }
        if code.direction.we_may_dial() && !self.may_be_reached(code.enrollment()) {
            let message = "no active ingress policy admits that enrollment";
            problems.push(Problem::new(Reason::IngressDenied, message));
        }
        Ok((code, problems))
    }

    /// Enters another enrollment's code: pins its identity. Where this side may dial, its transport enrolls next.
    pub async fn accept_link(&self, caller: &Caller, text: &str, name: &Name) -> Result<Accepted, Error> {
        self.authorize(caller, Action::LinkAccept, None).await?;
        let code = self.read_link_code(text)?;
        let now = self.now();
        if let Some(problem) = code.inspect(self.enrollment_id(), now).into_iter().next() {
            return Err(Error::new(problem.reason, problem.message));
        }
        let link = self
            .retrying(|| self.accept_link_once(caller, &code, name, now))
            .await?;
        let needs_own_code = !link.direction.we_may_dial() && !link.is_established();
        Ok(Accepted {
            link: self.view_link(link).await?,
            needs_own_code,
        })
    }

    async fn accept_link_once(
        &self,
        caller: &Caller,
        code: &LinkCode,
        name: &Name,
        now: Time,
    ) -> Result<Link, Error> {
        if let Some(known) = self.link_to(code.enrollment()).await? {
            // The second code of a pair, entered by the side that had the first: it is the same link.
            return match self.second_code(&known, code, now).await? {
                Some(link) => Ok(link),
                None => Err(Error::of(Reason::LinkExists).with("link_id", known.id.to_string())),
            };
        }
        if self.holder(NameKind::Link, name).await?.is_some() {
            return Err(Error::new(
                Reason::NameTaken,
                format!("a link named {name} exists"),
            ));
        }
        let link = Link::accept(self.mint(LinkId::from_uuid), name.clone(), code, now);
        let mut batch = Batch::new();
        batch.insert(&link)?;
        names::take(&mut batch, NameKind::Link, name, *link.id.as_bytes())?;
        names::take_remote(&mut batch, code.enrollment(), link.id)?;
        let fact = Fact::of_call(now, caller.principal(), Action::LinkAccept).on(link.id);
        audit::record(
            &mut batch,
            &fact.on(code.enrollment()).detail("direction", link.direction),
        )?;
        self.commit(batch).await?;
        Ok(link)
    }

    /// Links that are not over, oldest first.
    pub async fn list_links(
        &self,
        caller: &Caller,
        after: Option<LinkId>,
        limit: usize,
    ) -> Result<(Vec<LinkView>, Option<LinkId>), Error> {
        self.authorize(caller, Action::LinkList, None).await?;
        let mut views = Vec::new();
        let mut after = after.map(|id| id.as_bytes().to_vec().into());
        loop {
            let page = self.store.page::<Link>(&[], after, limit).await?;
            for found in page.records {
                if matches!(found.record.stage, peerd_core::link::Stage::Removed { .. }) {
                    continue;
                }
                let id = found.record.id;
                views.push(self.view_link(found.record).await?);
                if views.len() == limit {
                    return Ok((views, Some(id)));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((views, None)),
            }
        }
    }

    /// One link, by name or id.
    pub async fn show_link(&self, caller: &Caller, name_or_id: &str) -> Result<LinkView, Error> {
        self.authorize(caller, Action::LinkShow, None).await?;
        let link = self.link(name_or_id).await?.record;
        self.view_link(link).await
    }

    /// Asks the transport to dial a link now.
    pub async fn dial_link(&self, caller: &Caller, name_or_id: &str) -> Result<LinkView, Error> {
        self.authorize(caller, Action::LinkDial, None).await?;
        let link = self.link(name_or_id).await?.record;
        if !link.direction.we_may_dial() {
            let told = format!("the link is {}: only the other side dials", link.direction);
            return Err(Error::new(Reason::WrongStage, told));
        }
        self.presence.request_dial(link.id);
        self.view_link(link).await
    }

    /// Removes a link that no connection needs any more.
    pub async fn remove_link(&self, caller: &Caller, name_or_id: &str) -> Result<(), Error> {
        self.authorize(caller, Action::LinkRemove, None).await?;
        let id = self
            .retrying(|| self.remove_link_once(caller, name_or_id))
            .await?;
        self.presence.forget(id);
        Ok(())
    }

    async fn remove_link_once(&self, caller: &Caller, name_or_id: &str) -> Result<LinkId, Error> {
        let found = self.link(name_or_id).await?;
        let (link, now) = (&found.record, self.now());
        if let Some(connection) = self.connection_on(link.id).await? {
            let error = Error::of(Reason::LinkInUse).with("connection_id", connection.to_string());
            return Err(error);
        }
        let mut batch = Batch::new();
        batch.replace(&link.remove(now), found.revision)?;
        names::free(&mut batch, NameKind::Link, &link.name);
        if let Some(enrollment) = link.enrollment() {
            names::free_remote(&mut batch, enrollment);
        }
        if let Some(code) = self.store.find::<IssuedCode>(link.id.as_bytes()).await?
            && let Ok(revoked) = code.record.revoke(now)
        {
            batch.replace(&revoked, code.revision)?;
        }
        let fact = Fact::of_call(now, caller.principal(), Action::LinkRemove).on(link.id);
        audit::record(&mut batch, &link.enrollment().into_iter().fold(fact, Fact::on))?;
        self.commit(batch).await?;
        Ok(link.id)
    }

    /// The link with this name or id, following an alias to the link it was merged into.
    pub(crate) async fn link(&self, name_or_id: &str) -> Result<Found<Link>, Error> {
        let missing = || Error::not_found("link");
        let id = match (name_or_id.parse::<LinkId>(), name_or_id.parse()) {
            (Ok(id), _) => *id.as_bytes(),
            (_, Ok(name)) => self.holder(NameKind::Link, &name).await?.ok_or_else(missing)?,
            _ => return Err(missing()),
        };
        let mut found = self.store.find::<Link>(&id).await?.ok_or_else(missing)?;
        if let Some(merged) = found.record.alias_of() {
            found = self
                .store
                .find::<Link>(merged.as_bytes())
                .await?
                .ok_or_else(missing)?;
        }
        match found.record.stage {
            peerd_core::link::Stage::Removed { .. } => Err(missing()),
            _ => Ok(found),
        }
    }

    /// The addresses link codes list.
    pub(crate) fn own_addresses(&self) -> Result<Vec<Address>, Error> {
        let texts = &self.settings().addresses;
        texts
            .iter()
            .map(|text| text.parse().map_err(|error| Error::field("advertise", error)))
            .collect()
    }

    fn read_link_code(&self, text: &str) -> Result<LinkCode, Error> {
        LinkCode::read(text, &*self.verifier).map_err(|error| Error::new(error.reason(), error.to_string()))
    }
}

/// The name of a link whose other side is not known yet.
fn provisional_name(id: LinkId) -> Result<Name, Error> {
    let text = id.to_string();
    let tail = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
    format!("invite-{tail}")
        .parse()
        .map_err(|error| Error::of(Reason::Internal).because(error))
}

/// A code's lifetime within its bounds.
pub(crate) fn checked_lifetime(asked: Option<Duration>) -> Result<Duration, Error> {
    let lifetime = asked.unwrap_or(CODE_LIFETIME);
    if lifetime.is_zero() || lifetime > CODE_LIFETIME_MAX {
        return Err(Error::field(
            "expires_in",
            "a code is valid for more than nothing and at most 30 days",
        ));
    }
    Ok(lifetime)
}
