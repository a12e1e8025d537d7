//! Relay links: made by entering the other side's code, on each side for itself.

use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::code::LinkCode;
use peerd_core::link::{Form, Link, Meeting, Relay, RelayLimits};
use peerd_core::name::Name;
use peerd_core::sealing::SealingKey;
use peerd_core::{Fingerprint, LinkId, Reason};
use peerd_store::records::NameKind;
use peerd_store::{Batch, RecordBatch as _, Records as _};

use super::LinkView;
use crate::{Caller, Error, Node, audit, names};

/// What an operator says of a new relay link.
#[derive(Clone, Debug)]
pub struct AddRelay {
    /// What it shall be called here.
    pub name: Name,
    /// The other side's link code.
    pub code: String,
    /// Where bundles are written to, an absolute path.
    pub outbox: String,
    /// Where they are read from.
    pub inbox: String,
    /// The form of what goes out.
    pub form: Form,
    /// Whether nothing comes back.
    pub one_way: bool,
    /// How much there may be.
    pub limits: RelayLimits,
}

impl Node {
    /// Enters another enrollment's code for a link over files: pins its identity and is complete. Who made the code
    /// enters one of ours.
    pub async fn add_relay_link(&self, caller: &Caller, ask: AddRelay) -> Result<LinkView, Error> {
        self.authorize(caller, Action::LinkAddRelay, None).await?;
        let code = self.read_link_code(&ask.code)?;
        if let Some(problem) = code.inspect(self.enrollment_id(), self.now()).into_iter().next() {
            return Err(Error::new(problem.reason, problem.message));
        }
        let sealing = code.sealing.clone();
        if let Some(sealing) = &sealing {
            SealingKey::read(sealing, code.lineage.key(), &*self.verifier).map_err(|error| {
                Error::new(
                    Reason::CodeContentInvalid,
                    "the code's sealing key is not its issuer's",
                )
                .because(error)
            })?;
        }
        let relay = Relay {
            outbox: ask.outbox,
            inbox: ask.inbox,
            form: ask.form,
            one_way: ask.one_way,
            limits: ask.limits,
            sealing,
        };
        relay
            .check()
            .map_err(|invalid| Error::field(invalid.field, invalid.why))?;
        let link = self
            .retrying(|| self.add_relay_once(caller, &ask.name, &code, &relay))
            .await?;
        self.view_link(link).await
    }

    async fn add_relay_once(
        &self,
        caller: &Caller,
        name: &Name,
        code: &LinkCode,
        relay: &Relay,
    ) -> Result<Link, Error> {
        if let Some(known) = self.link_to(code.enrollment()).await? {
            return self.follow_relay(caller, known.id, code, relay).await;
        }
        if self.holder(NameKind::Link, name).await?.is_some() {
            let told = format!("a link named {name} exists");
            return Err(Error::new(Reason::NameTaken, told));
        }
        let links = self.relay_links().await?;
        let mut others = links.iter().filter_map(|link| Some((link, link.relay.as_ref()?)));
        if let Some((other, _)) = others.find(|(_, other)| other.overlaps(relay)) {
            let told = format!("the link {} uses one of the directories", other.name);
            return Err(Error::field("outbox", told));
        }
        let now = self.now();
        let id = self.mint(LinkId::from_uuid);
        let link = Link::relay(id, name.clone(), code, relay.clone(), now);
        let mut batch = Batch::new();
        batch.insert(&link)?;
        names::take(&mut batch, NameKind::Link, name, *id.as_bytes())?;
        names::take_remote(&mut batch, code.enrollment(), id)?;
        let fact = Fact::of_call(now, caller.principal(), Action::LinkAddRelay).on(id);
        let fact = fact.on(code.enrollment()).detail("form", relay.form.as_str());
        let fact = fact.detail("outbox", &relay.outbox).detail("inbox", &relay.inbox);
        audit::record(&mut batch, &fact.detail("one_way", relay.one_way))?;
        self.commit(batch).await?;
        Ok(link)
    }

    /// A code of the enrollment that a relay link leads to. Where its issuer replaced its identity, the link follows: over
    /// files nothing else shows the new one. All else must be as it was.
    async fn follow_relay(
        &self,
        caller: &Caller,
        id: LinkId,
        code: &LinkCode,
        relay: &Relay,
    ) -> Result<Link, Error> {
        let exists = || Error::of(Reason::LinkExists).with("link_id", id.to_string());
        let found = self.store.find::<Link>(id.as_bytes()).await?.ok_or_else(exists)?;
        let remote = found.record.remote.as_ref();
        let meeting = remote.map(|remote| remote.meet(&code.lineage, &code.certificate));
        let as_it_was = found.record.relay.as_ref().map(|known| Relay {
            sealing: relay.sealing.clone(),
            ..known.clone()
        });
        let (Some(Meeting::Successor(next)), true) = (meeting, as_it_was.as_ref() == Some(relay)) else {
            return Err(exists());
        };
        let now = self.now();
        let fact = Fact::of_call(now, caller.principal(), Action::LinkAddRelay).on(id);
        let fact = fact.on(code.enrollment());
        let fact = fact.detail("fingerprint", Fingerprint::of(&next.certificate));
        let followed = Link {
            remote: Some(next),
            relay: as_it_was,
            changed_at: now,
            ..found.record
        };
        let mut batch = Batch::new();
        batch.replace(&followed, found.revision)?;
        audit::record(&mut batch, &fact)?;
        self.commit(batch).await?;
        Ok(followed)
    }
}
