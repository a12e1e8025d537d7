//! What a transport needs of a link: whom to dial, what to say first, what the other side said.

use std::time::Duration;

use peerd_core::backoff::Backoff;
use peerd_core::link::{Address, Link, Stage};
use peerd_core::name::Title;
use peerd_core::{LinkId, Reason, Time};
use peerd_store::records::DialState;
use peerd_store::{Batch, RecordBatch as _, Records as _, Table, Topic};
use tokio::sync::watch;

use crate::peer::Peer;
use crate::{Error, Node};

/// What each side says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its platform title.
    pub title: Option<Title>,
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// Its clock.
    pub clock: Time,
}

impl Node {
    /// The links that lead somewhere and that this side may dial.
    pub async fn dialable_links(&self) -> Result<Vec<Link>, Error> {
        let links = self
            .store
            .all::<Link>(&[])
            .await?
            .into_iter()
            .map(|found| found.record);
        let live = |link: &Link| !matches!(link.stage, Stage::Removed { .. } | Stage::Invited { .. });
        Ok(links
            .filter(|link| live(link) && link.is_dialled() && link.direction.we_may_dial())
            .collect())
    }

    /// The link as it is stored now; `None` when it is gone.
    pub async fn live_link(&self, id: LinkId) -> Result<Option<Link>, Error> {
        let found = self
            .store
            .find::<Link>(id.as_bytes())
            .await?
            .map(|found| found.record);
        Ok(found.filter(|link| !matches!(link.stage, Stage::Removed { .. })))
    }

    /// Marked changed whenever a link was made, changed or removed.
    pub fn link_changes(&self) -> watch::Receiver<u64> {
        self.store.watch(&Topic::Table(Table::Links))
    }

    /// Marked changed whenever this link was changed or removed: what waits for one link is not woken by all.
    pub fn changes_of_link(&self, link: LinkId) -> watch::Receiver<u64> {
        self.store.watch(&Topic::Of(Table::Links, *link.as_bytes()))
    }

    /// Marked changed whenever a lifecycle message for this link was queued or answered.
    pub fn outbox_changes(&self, link: LinkId) -> watch::Receiver<u64> {
        self.store.watch(&Topic::Of(Table::Outbox, *link.as_bytes()))
    }

    /// What this side says first.
    pub async fn greeting(&self) -> Result<Greeting, Error> {
        let (title, addresses) = (self.title().await?, self.own_addresses()?);
        Ok(Greeting {
            title,
            addresses,
            clock: self.now(),
        })
    }

    /// What the other side said first. Clocks that are too far apart end the session: expiries would mean different
    /// things on both sides.
    pub async fn greeted(&self, peer: &Peer, theirs: Greeting) -> Result<(), Error> {
        let skew: Duration = theirs.clock.distance(self.now());
        if skew > self.settings().clock_skew_max {
            let told = format!("the clocks of both sides are {} s apart", skew.as_secs());
            return Err(Error::new(Reason::ClockSkew, told));
        }
        self.retrying(|| self.learn(peer.enrollment(), theirs.title.clone(), theirs.addresses.clone()))
            .await?;
        let link = self.live_link(peer.link()).await?;
        if link.is_some_and(|link| matches!(link.stage, Stage::Accepted { .. })) {
            // Who says hello has pinned us: our enrolment arrived there, and its answer did not arrive here.
            self.enrolled(peer.link(), theirs.title, None).await?;
        }
        Ok(())
    }

    /// How dialling this link went so far; kept over restarts.
    pub async fn backoff(&self, link: LinkId) -> Result<Backoff, Error> {
        let found = self.store.find::<DialState>(&DialState::key_of(link)).await?;
        Ok(found.map(|found| found.record.backoff).unwrap_or_default())
    }

    /// Keeps how dialling this link went.
    pub async fn keep_backoff(&self, link: LinkId, backoff: Backoff) -> Result<(), Error> {
        let mut batch = Batch::new();
        batch.upsert(&DialState { link, backoff })?;
        self.commit(batch).await
    }

    /// A random number, to spread attempts.
    pub fn chance(&self) -> u64 {
        let mut bytes = [0; 8];
        self.rng.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
