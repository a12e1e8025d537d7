//! From places of the feeds to what a watcher is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::name::Name;
use peerd_core::object::ObjectKey;
use peerd_core::ontology::ApiName;
use peerd_core::{EnrollmentId, Reason};
use peerd_store::records::Removal;
use peerd_store::{Change, Entry, FeedId, Found, Records as _, Sequence, Table};

use super::token::{Place, Resumption};
use super::{ObjectWatch, Told, WatchEvent, Watched};
use crate::Error;
use crate::object::stored::{Stored, found, key_in, object_of};

/// How many places of a feed are read at once: it bounds what a watcher holds.
const READ_MAX: usize = 64;

impl ObjectWatch {
    /// Tells some of what happened; answers whether there was anything.
    pub(super) async fn step(&mut self) -> Result<bool, Error> {
        let mut moved = false;
        let names: Vec<ApiName> = self.feeds.keys().cloned().collect();
        for name in names {
            moved |= self.step_in(&name).await?;
        }
        Ok(moved)
    }

    async fn step_in(&mut self, name: &ApiName) -> Result<bool, Error> {
        let Some(Watched { feed, place, .. }) = self.feeds.get(name) else {
            return Ok(false);
        };
        let (feed, place, store) = (feed.clone(), *place, Arc::clone(&self.node.store));
        // Changes are read before removals: what goes in between is in the removals.
        let changes = store.changes(&feed, Sequence(place.at), READ_MAX).await?;
        let removals = Removal::feed_of(&feed);
        let gone = store
            .changes(&removals, Sequence(place.removals), READ_MAX)
            .await?;
        let keys: Vec<Bytes> = changes.iter().map(|change| change.key.clone()).collect();
        let objects = store.read_many(Table::Objects, &keys).await?;
        if place.removals < self.node.removals_forgotten_to(&feed).await? {
            // It was not taken for so long that notes of removals went unseen.
            return Err(super::outdated());
        }
        let moved = !changes.is_empty() || !gone.is_empty();
        for change in gone {
            self.tell_removal(name, &feed, &change).await?;
            self.moved_to(name, |place| place.removals = change.sequence.0);
        }
        for (change, object) in changes.into_iter().zip(objects) {
            // It went meanwhile, and will be met among the removals: until then the place stays before it.
            let Some(object) = object else { break };
            self.moved_to(name, |place| place.at = change.sequence.0);
            self.tell_change(name, &feed, &change, &object)?;
        }
        Ok(moved)
    }

    fn moved_to(&mut self, name: &ApiName, to: impl FnOnce(&mut Place)) {
        if let Some(watched) = self.feeds.get_mut(name) {
            to(&mut watched.place);
        }
    }

    fn tell_change(
        &mut self,
        name: &ApiName,
        feed: &FeedId,
        change: &Change,
        object: &Entry,
    ) -> Result<(), Error> {
        let Some(Watched { of, snapshot_to, .. }) = self.feeds.get(name) else {
            return Ok(());
        };
        // It moved on and will be met again.
        if object.revision.0 != change.sequence.0 {
            return Ok(());
        }
        let in_snapshot = change.sequence.0 <= *snapshot_to;
        let Found { record: stored, .. } = found(object)?;
        let key = object_of(feed, &change.key)?;
        // What keeps the place of a copy that went: the feed of removals tells of it.
        if stored.state.is_hollow() {
            return Ok(());
        }
        if !self.sight.sees(&stored.state) {
            if self.known.forget(&key) {
                self.tell(WatchEvent::Removed(key));
            }
            return Ok(());
        }
        let skipped = if in_snapshot {
            !stored.state.is_live()
        } else {
            self.skip_imported && came_from_peering(&stored, self.node.enrollment_id())
        };
        if skipped {
            return Ok(());
        }
        let levels = &self.sight.levels;
        let view = self.node.view_object(self.space, of, &key, &stored, levels)?;
        if let Some(view) = view {
            if view.deleted {
                self.known.forget(&key);
            } else {
                self.known.remember(key);
            }
            self.tell(WatchEvent::Object(Box::new(view)));
        }
        Ok(())
    }

    async fn tell_removal(&mut self, name: &ApiName, feed: &FeedId, change: &Change) -> Result<(), Error> {
        let Some(place) = self.feeds.get(name).map(|watched| watched.place) else {
            return Ok(());
        };
        let Some(Found { record: removal, .. }) = self.node.store.find::<Removal>(&change.key).await? else {
            return Ok(());
        };
        let at = ObjectKey::new(name.clone(), removal.key.as_str())
            .map_err(|error| Error::of(Reason::StoreCorrupt).because(error))?;
        let known = self.known.forget(&at);
        // A deletion that the feed told needs no second word; what came from peering is skipped with the rest of it.
        let told = removal.deleted && place.at >= removal.place;
        let skipped = self.skip_imported && removal.imported && !known;
        let markings: BTreeSet<Name> = removal.markings.into_iter().collect();
        if told || skipped || !(known || self.sight.sees_marked(&markings)) {
            return Ok(());
        }
        // It came back meanwhile: then its feed tells.
        let key = key_in(feed, &removal.key);
        let here = self.node.store.read(Table::Objects, &key).await?;
        let here = here.as_ref().map(found).transpose()?;
        if here.is_none_or(|here| here.record.state.is_hollow()) {
            self.tell(WatchEvent::Removed(at));
        }
        Ok(())
    }

    pub(super) fn tell(&mut self, event: WatchEvent) {
        let token = if self.is_snapshot && !self.caught_up {
            Bytes::new()
        } else {
            self.token()
        };
        self.queue.push_back(Told { event, token });
    }

    fn token(&self) -> Bytes {
        let places = self.feeds.iter().map(|(name, watched)| (name, watched.place));
        Resumption::new(self.wanted.is_empty(), places).seal(&self.sealer, self.space, &self.open)
    }
}

/// Whether the last change of an object was made elsewhere: it is as a connection brought it, or its latest write is not
/// ours. Of writes that were made at the same time at both sides the later one decides.
fn came_from_peering(stored: &Stored, me: EnrollmentId) -> bool {
    if stored.provenance.is_imported() && stored.clean {
        return true;
    }
    let newest = stored.state.vector().iter().max();
    newest.is_some_and(|dot| dot.enrollment != me)
}
