//! What the collection of tombstones, and watchers of objects, remember of a feed.

use peerd_core::name::Name;
use peerd_core::{SpaceId, Time};
use serde::{Deserialize, Serialize};

use crate::{FeedId, Record, Table};

/// Where a feed stood at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// When.
    pub at: Time,
    /// The sequence of its latest change then.
    pub head: u64,
    /// The sequence of the latest change of the feed of its removals then.
    pub removals: u64,
}

/// The collection of tombstones in one feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// The space.
    pub space: SpaceId,
    /// The object type.
    pub object_type: String,
    /// Where the feed stood, oldest first: what came before a milestone is at least as old as it.
    pub milestones: Vec<Milestone>,
    /// How far the walk that looks for tombstones has come.
    pub walked: u64,
    /// When that walk began.
    pub walk_began_at: Time,
    /// The highest step of life that a collected tombstone had. An object whose key is free begins its life after it, so
    /// that a tombstone which somebody still keeps does not take it for the one that was deleted.
    pub life_step_max: u32,
    /// How many tombstones were collected.
    pub collected: u64,
    /// Removals up to this place of the feed of removals are forgotten.
    pub removals_forgotten_to: u64,
}

impl Collection {
    /// The key of a feed's record.
    pub fn key_of(feed: &FeedId) -> Vec<u8> {
        feed.prefix()
    }
}

impl Record for Collection {
    const TABLE: Table = Table::Collections;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        Collection::key_of(&FeedId {
            space: self.space,
            object_type: self.object_type.clone(),
        })
    }
}

/// That an object left a feed without a state that says so: its imported copy was taken back, or its tombstone was
/// collected. It is kept in a feed of its own beside the object's, for those who watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The space.
    pub space: SpaceId,
    /// The object type.
    pub object_type: String,
    /// The object's primary key.
    pub key: String,
    /// Its last place in its feed.
    pub place: u64,
    /// The markings it carried: who may not see them does not learn that it went.
    pub markings: Vec<Name>,
    /// Whether it was a copy of another enrollment's object.
    pub imported: bool,
    /// Whether it was deleted before, which its feed told.
    pub deleted: bool,
}

impl Removal {
    /// The feed of the removals from a feed. No object type has this name.
    pub fn feed_of(feed: &FeedId) -> FeedId {
        FeedId {
            space: feed.space,
            object_type: format!("~{}", feed.object_type),
        }
    }
}

impl Record for Removal {
    const TABLE: Table = Table::Objects;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        let mut key = Removal::feed_of(&FeedId {
            space: self.space,
            object_type: self.object_type.clone(),
        })
        .prefix();
        key.extend(self.key.as_bytes());
        key
    }
}
