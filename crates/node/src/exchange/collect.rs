//! Collecting tombstones: the one place where it is decided that a deletion need not be remembered any longer.
//!
//! A tombstone goes when nobody can bring back, by mistake, what it deleted. All of this must hold:
//!
//! - It is a deletion, not a purge, which is final for its key; it has no source row, which its source would say again; it
//!   has no conflict that waits for somebody.
//! - It was written here at least `tombstone_age_min` ago, by the order of the feed and not by anybody's clock.
//! - Whoever may have the object from here has acknowledged this very tombstone, under the terms of now: of each
//!   connection that is not over, the mark of the object says that this state was sent and taken, and the export has been
//!   acknowledged past its place; or the connection itself brought this state. Where there is no mark nobody was told of the
//!   object, unless the connection brought it, or may have brought the same copy by a longer way.
//! - Whatever could come in under the same type has come in: each import into it is caught up, at this moment or at one
//!   after the tombstone's age began. What a peer wrote before it knew of the deletion is here, and was merged into it.
//! - It is not the last change of its feed, whose sequence says that a position is not from the future.
//!
//! A connection that is disabled, denied, or down, and has not passed, holds the tombstone until it is closed. So do a
//! restored or lying peer's own doings: what it missed or claims is its loss, and a new connection makes it good.
//! What was collected leaves the highest step of life behind, from which an object under a free key goes on.

mod pass;

use std::time::Duration;

use peerd_core::object::{ObjectKey, ObjectState};
use peerd_core::{SpaceId, Time};
use peerd_store::records::{Collection, Milestone, Removal};
use peerd_store::{FeedId, Found, Records as _};

use crate::object::stored::{Stored, feed_of};
use crate::{Error, Node};

/// Into how many parts the age of a tombstone is divided: so much later than it could, it goes.
const PARTS: u32 = 24;
/// The shortest and the longest pause between two looks.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_hours(1);
/// How often a feed is walked anew from its beginning, for tombstones that could not go when the walk came by.
const WALK_AGAIN: Duration = Duration::from_hours(24);

/// What a look at one feed, or at all, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Tombstones that went.
    pub tombstones: u64,
    /// Tombstones that could not go yet, among those that were looked at.
    pub held: u64,
    /// Notes of removals that were forgotten.
    pub removals: u64,
}

impl Collected {
    fn add(&mut self, other: Collected) {
        self.tombstones += other.tombstones;
        self.held += other.held;
        self.removals += other.removals;
    }
}

impl Node {
    /// Background work: collects tombstones, again and again. Never ends.
    pub async fn keep_collecting(&self) {
        let pause = (self.settings.tombstone_age_min / PARTS).clamp(PAUSE_MIN, PAUSE_MAX);
        let mut interval = tokio::time::interval(pause);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match self.collect_tombstones().await {
                Ok(Collected {
                    tombstones: 0,
                    removals: 0,
                    ..
                }) => {}
                Ok(Collected {
                    tombstones,
                    held,
                    removals,
                }) => tracing::info!(tombstones, held, removals, "tombstones collected"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "tombstones not collected"
                ),
            }
        }
    }

    /// Collects the tombstones that may go now, in every feed.
    pub async fn collect_tombstones(&self) -> Result<Collected, Error> {
        self.record_jobs().await?;
        let mut all = Collected::default();
        for space in self.store.all::<peerd_core::authz::Space>(&[]).await? {
            let space = space.record.id;
            for name in self.ontology(space).await?.feed_types() {
                match self.collect_in(&feed_of(space, name)).await {
                    // Something came between; what is still to be done is found again.
                    Err(error) if error.is_lost_race() => {}
                    collected => all.add(collected?),
                }
            }
        }
        Ok(all)
    }

    /// The highest step of life that a tombstone had which was collected from the feed of this key.
    pub(crate) async fn life_step_of_collected(&self, space: SpaceId, key: &ObjectKey) -> Result<u32, Error> {
        let found = self.collection(&feed_of(space, key.object_type())).await?;
        Ok(found.map_or(0, |found| found.record.life_step_max))
    }

    /// Up to where the removals from a feed are forgotten.
    pub(crate) async fn removals_forgotten_to(&self, feed: &FeedId) -> Result<u64, Error> {
        let found = self.collection(feed).await?;
        Ok(found.map_or(0, |found| found.record.removals_forgotten_to))
    }

    async fn collection(&self, feed: &FeedId) -> Result<Option<Found<Collection>>, Error> {
        Ok(self.store.find(&Collection::key_of(feed)).await?)
    }

    /// Where a feed stands now, as a milestone.
    async fn milestone(&self, feed: &FeedId, at: Time) -> Result<Milestone, Error> {
        Ok(Milestone {
            at,
            head: self.store.head(feed).await?.0,
            removals: self.store.head(&Removal::feed_of(feed)).await?.0,
        })
    }
}

/// Whether a state is a deletion that nothing but its peers may hold.
fn is_tombstone(key: &ObjectKey, stored: &Stored) -> bool {
    let state = &stored.state;
    state.is_deleted()
        && !state.is_purged()
        && state.source().is_none()
        && state.life().step <= ObjectState::COLLECTED_STEP_MAX
        && state.conflicts(key).is_empty()
}
