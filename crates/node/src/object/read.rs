//! Showing, listing and counting objects.

use bytes::Bytes;
use peerd_core::artifact;
use peerd_core::authz::{Action, Space};
use peerd_core::object::ObjectKey;
use peerd_core::ontology::ObjectType;
use peerd_store::{FeedId, Range, Table};

use super::sight::Sight;
use super::stored::{Stored, feed_of, found, key_in, object_of};
use super::{ObjectAt, ObjectView, no_such_object};
use crate::{Caller, Error, Node};

/// How many objects one read of the store asks for.
const CHUNK: usize = 128;

/// A page ends early when what it was made of is larger than this: a message has a limit.
const PAGE_BYTES_MAX: usize = 2 << 20;

/// Some objects in the order of their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<ObjectView>,
    /// The primary key that the next page starts after; `None` on the last page.
    pub next: Option<String>,
}

impl Node {
    /// One object; a deleted one is shown as such.
    pub async fn object(&self, caller: &Caller, at: &ObjectAt) -> Result<ObjectView, Error> {
        let (space, of) = self
            .readable(caller, Action::ObjectRead, &at.space, &at.object_type)
            .await?;
        let key = at.key_of(&of)?;
        let sight = self.sight(caller).await?;
        let found = self.stored(space.id, &key).await?;
        let seen = found.filter(|found| sight.sees(&found.record.state));
        let stored = seen.ok_or_else(no_such_object)?.record;
        self.view_object(space.id, &of, &key, &stored, &sight.levels)?
            .ok_or_else(no_such_object)
    }

    /// At most `limit` live objects that the caller may see, after this primary key when given.
    pub async fn list_objects(
        &self,
        caller: &Caller,
        space: &str,
        object_type: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ObjectPage, Error> {
        let (space, of) = self
            .readable(caller, Action::ObjectList, space, object_type)
            .await?;
        let sight = self.sight(caller).await?;
        let feed = feed_of(space.id, &of.name);
        let mut page = ObjectPage {
            objects: Vec::new(),
            next: None,
        };
        let mut bytes = 0;
        let mut last = after.map(|key| key_in(&feed, key));
        loop {
            let chunk = self.live_chunk(&feed, last.as_ref(), &sight).await?;
            for Seen { key, stored, size } in chunk.seen {
                if page.objects.len() == limit || bytes > PAGE_BYTES_MAX {
                    page.next = page
                        .objects
                        .last()
                        .map(|object| object.key.primary_key().to_owned());
                    return Ok(page);
                }
                bytes += size;
                let view = self.view_object(space.id, &of, &key, &stored, &sight.levels)?;
                page.objects.extend(view);
            }
            last = chunk.next;
            if last.is_none() {
                return Ok(page);
            }
        }
    }

    /// How many live objects there are that the caller may see. Reads them all.
    pub async fn count_objects(&self, caller: &Caller, space: &str, object_type: &str) -> Result<u64, Error> {
        let (space, of) = self
            .readable(caller, Action::ObjectCount, space, object_type)
            .await?;
        let sight = self.sight(caller).await?;
        let feed = feed_of(space.id, &of.name);
        let (mut count, mut last) = (0, None);
        loop {
            let chunk = self.live_chunk(&feed, last.as_ref(), &sight).await?;
            count += chunk.seen.len() as u64;
            last = chunk.next;
            if last.is_none() {
                return Ok(count);
            }
        }
    }

    /// The space and the type, once the caller may take this action there.
    pub(super) async fn readable(
        &self,
        caller: &Caller,
        action: Action,
        space: &str,
        object_type: &str,
    ) -> Result<(Space, ObjectType), Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, action, Some(&space)).await?;
        let of = self.object_type(space.id, object_type).await?;
        Ok((space, of))
    }

    /// The same for what changes objects of the type. What is built in is changed by calls of its own.
    pub(super) async fn writable(
        &self,
        caller: &Caller,
        action: Action,
        space: &str,
        object_type: &str,
    ) -> Result<(Space, ObjectType), Error> {
        let found = self.readable(caller, action, space, object_type).await?;
        if artifact::is_reserved(found.1.name.as_str()) {
            let told =
                format!("{object_type} is built in: artifacts are put, tagged and deleted as artifacts");
            return Err(Error::field("object_type", told));
        }
        Ok(found)
    }

    /// What is live and seen among the next few objects of a feed.
    async fn live_chunk(&self, feed: &FeedId, after: Option<&Bytes>, sight: &Sight) -> Result<Chunk, Error> {
        let mut range = Range::prefix(Table::Objects, feed.prefix(), CHUNK);
        range.after = after.cloned();
        let entries = self.store.range(range).await?;
        let full = entries.len() == CHUNK;
        let next = entries.last().filter(|_| full).map(|(key, _)| key.clone());
        let mut seen = Vec::with_capacity(entries.len());
        for (key, entry) in entries {
            let stored = found(&entry)?.record;
            if stored.state.is_live() && sight.sees(&stored.state) {
                let key = object_of(feed, &key)?;
                let size = entry.value.len();
                seen.push(Seen { key, stored, size });
            }
        }
        Ok(Chunk { seen, next })
    }
}

struct Chunk {
    seen: Vec<Seen>,
    /// The key to go on after; `None` at the end of the feed.
    next: Option<Bytes>,
}

struct Seen {
    key: ObjectKey,
    stored: Stored,
    size: usize,
}
