//! Watching objects: what changes, as one caller sees it.
//!
//! The changes are those of the feeds, so an object that changed often while nobody took anything is told once, as it
//! is. An object that left its feed is told from the feed of removals beside it. What the caller may not see is passed
//! over in silence; an object that was told and then became invisible is told to be removed, and one that was not told in
//! this stream is not, since its key alone would say that it exists.
//!
//! Whatever changes what the caller may see as a whole ends the stream: objects would have to appear and go that no feed
//! moves. The watcher lists them again and goes on from there.

mod known;
mod telling;
mod token;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::authz::{Action, Space};
use peerd_core::name::Name;
use peerd_core::object::ObjectKey;
use peerd_core::ontology::{ApiName, ObjectType};
use peerd_core::{Reason, SpaceId};
use peerd_store::records::Removal;
use peerd_store::{FeedId, Records as _, Table, Topic};
use tokio::sync::OwnedSemaphorePermit;

use super::ObjectView;
use super::sight::Sight;
use super::stored::feed_of;
use crate::exchange::Sealer;
use crate::sharing::Work;
use crate::{Caller, Error, Node};
use known::Known;
use token::{Place, Resumption};

/// Where a watch begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// With what changes from now on.
    Now,
    /// With all live objects, then what changes.
    Snapshot,
    /// After the message that had this token.
    Token(Bytes),
}

/// What somebody wants to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRequest {
    /// Name or id of the space.
    pub space: String,
    /// Only these types; empty for all.
    pub object_types: Vec<String>,
    /// Leave out changes that came over a connection.
    pub skip_imported: bool,
    /// Where to begin.
    pub since: Since,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// An object is now this, or deleted.
    Object(Box<ObjectView>),
    /// An object is seen no more.
    Removed(ObjectKey),
    /// All there was at the beginning was told.
    CaughtUp,
}

/// One thing that happened, and where to go on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub event: WatchEvent,
    /// A token for [`Since::Token`]; empty while a snapshot is told.
    pub token: Bytes,
}

/// One feed, and how far it was told.
#[derive(Debug)]
struct Watched {
    of: ObjectType,
    feed: FeedId,
    place: Place,
    /// Up to here it is the snapshot.
    snapshot_to: u64,
}

/// A stream of changes.
#[derive(Debug)]
pub struct ObjectWatch {
    node: Arc<Node>,
    caller: Caller,
    space: SpaceId,
    wanted: BTreeSet<String>,
    skip_imported: bool,
    sealer: Sealer,
    sight: Sight,
    /// The markings that are open to the caller; with others it would be another stream.
    open: BTreeSet<Name>,
    feeds: BTreeMap<ApiName, Watched>,
    /// What decides about the stream as a whole.
    world: Work,
    moved: Work,
    queue: VecDeque<Told>,
    known: Known,
    is_snapshot: bool,
    caught_up: bool,
    _permit: OwnedSemaphorePermit,
}

impl Node {
    /// Begins to watch objects.
    pub async fn watch_objects(
        self: &Arc<Node>,
        caller: &Caller,
        request: WatchRequest,
    ) -> Result<ObjectWatch, Error> {
        let WatchRequest {
            space,
            object_types,
            skip_imported,
            since,
        } = request;
        let space = self.space(&space).await?.record;
        self.authorize(caller, Action::ObjectWatch, Some(&space)).await?;
        for name in &object_types {
            self.object_type(space.id, name).await?;
        }
        let permit = Arc::clone(&self.watches).try_acquire_owned();
        let permit = permit
            .map_err(|_| Error::new(Reason::RateLimited, "too many streams of object changes are open"))?;
        let world = [
            Table::Principals,
            Table::Spaces,
            Table::Markings,
            Table::Ontologies,
            Table::Meta,
        ];
        let world = world.map(|table| self.store.watch(&Topic::Table(table)));
        let sight = self.sight(caller).await?;
        let mut watch = ObjectWatch {
            node: Arc::clone(self),
            caller: caller.clone(),
            space: space.id,
            wanted: object_types.into_iter().collect(),
            skip_imported,
            sealer: self.sealer().await?,
            open: sight.open_markings(),
            sight,
            feeds: BTreeMap::new(),
            world: Work::of(world.into()),
            moved: Work::of(Vec::new()),
            queue: VecDeque::new(),
            known: Known::default(),
            is_snapshot: since == Since::Snapshot,
            caught_up: false,
            _permit: permit,
        };
        watch.begin(&since).await?;
        // What changed before it was watched for is seen here.
        watch.recheck().await?;
        Ok(watch)
    }
}

impl ObjectWatch {
    /// What happened next; waits while nothing does. May be cancelled and called again. An error ends the stream:
    /// [`Reason::ResumeTokenOutdated`] says to list the objects again.
    pub async fn next(&mut self) -> Result<Told, Error> {
        loop {
            if self.world.take_changed() {
                self.recheck().await?;
            }
            if let Some(told) = self.queue.pop_front() {
                return Ok(told);
            }
            self.moved.take_changed();
            if self.step().await? {
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                self.tell(WatchEvent::CaughtUp);
                continue;
            }
            tokio::select! {
                () = self.world.changed() => self.recheck().await?,
                () = self.moved.changed() => {}
            }
        }
    }

    /// Finds the places to begin at.
    async fn begin(&mut self, since: &Since) -> Result<(), Error> {
        let resumption = match since {
            Since::Token(token) => Some(self.read_token(token)?),
            Since::Now | Since::Snapshot => None,
        };
        for of in self.types().await? {
            let feed = feed_of(self.space, &of.name);
            // The removals first: what goes meanwhile is told, perhaps for nothing, and not missed.
            let forgotten = self.node.removals_forgotten_to(&feed).await?;
            let removals = self.node.store.head(&Removal::feed_of(&feed)).await?.0;
            let removals = removals.max(forgotten);
            let head = self.node.store.head(&feed).await?.0;
            let place = match (&resumption, since) {
                (Some(resumption), _) => resumption.place_of(&of.name).ok_or_else(outdated)?,
                (None, Since::Snapshot) => Place { at: 0, removals },
                (None, _) => Place { at: head, removals },
            };
            if place.removals < forgotten {
                return Err(outdated());
            }
            let snapshot_to = if self.is_snapshot { head } else { 0 };
            self.add(of, feed, place, snapshot_to);
        }
        if *since == Since::Now {
            self.caught_up = true;
            self.tell(WatchEvent::CaughtUp);
        }
        Ok(())
    }

    fn add(&mut self, of: ObjectType, feed: FeedId, place: Place, snapshot_to: u64) {
        let name = of.name.clone();
        let watched = Watched {
            of,
            feed,
            place,
            snapshot_to,
        };
        self.feeds.insert(name, watched);
        let feeds = self.feeds.values();
        let topics = feeds.flat_map(|it| [it.feed.clone(), Removal::feed_of(&it.feed)]);
        let topics = topics.map(|feed| self.node.store.watch(&Topic::Feed(feed)));
        self.moved = Work::of(topics.collect());
    }

    async fn types(&self) -> Result<Vec<ObjectType>, Error> {
        let ontology = self.node.ontology(self.space).await?;
        let wanted = |name: &&ApiName| self.wanted.is_empty() || self.wanted.contains(name.as_str());
        let names = ontology.feed_types().filter(wanted);
        let types = names.filter_map(|name| ontology.feed_type(name.as_str()));
        Ok(types.map(Cow::into_owned).collect())
    }

    /// Whether the stream may go on as it began, after something that decides about it changed.
    async fn recheck(&mut self) -> Result<(), Error> {
        self.caller = self.node.recheck(&self.caller).await?;
        let space = self.node.store.find::<Space>(self.space.as_bytes()).await?;
        let space = space.ok_or_else(|| Error::not_found("space"))?.record;
        self.node
            .authorize(&self.caller, Action::ObjectWatch, Some(&space))
            .await?;
        self.sight = self.node.sight(&self.caller).await?;
        if self.sight.open_markings() != self.open {
            return Err(outdated());
        }
        let mut types = self.types().await?;
        self.feeds
            .retain(|name, _| types.iter().any(|of| of.name == *name));
        types.retain(|of| match self.feeds.get_mut(&of.name) {
            Some(watched) => {
                watched.of = of.clone();
                false
            }
            None => true,
        });
        for of in types {
            let feed = feed_of(self.space, &of.name);
            self.add(of, feed, Place::default(), 0);
        }
        Ok(())
    }

    fn read_token(&self, token: &[u8]) -> Result<Resumption, Error> {
        Resumption::open(&self.sealer, self.space, &self.open, token).ok_or_else(outdated)
    }
}

fn outdated() -> Error {
    Error::of(Reason::ResumeTokenOutdated)
}
