//! One look at one feed.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::Time;
use peerd_core::object::ObjectKey;
use peerd_core::ontology::ApiName;
use peerd_core::peering::Connection;
use peerd_core::policy::Direction;
use peerd_store::records::{Collection, ExportCursor, ImportCursor, Mark, Milestone, Removal};
use peerd_store::{
    Batch, Entry, Expect, FeedId, Found, RecordBatch as _, Records as _, Revision, Sequence, Table,
};

use super::{Collected, PARTS, WALK_AGAIN, is_tombstone};
use crate::exchange::{Flow, marks};
use crate::object::stored::{Stored, found, object_of, remove_from_feed};
use crate::{Error, Node};

/// How many objects are looked at for one commit.
const PAGE: usize = 128;
/// The pause between two commits, so that the collection does not crowd out everything else.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection that may hold a tombstone of this feed.
#[derive(Debug)]
struct Holder {
    flow: Flow,
    /// The connection as it was when this was found out: the batch holds only while it is.
    revision: Revision,
    /// Up to where its export is acknowledged under the terms of now.
    passed: u64,
    /// Whether objects of the type have come over it.
    imports: bool,
}

/// A tombstone of a page, with its marks in the order of the holders.
#[derive(Debug)]
struct Tombstone {
    key: ObjectKey,
    found: Found<Stored>,
}

impl Node {
    pub(super) async fn collect_in(&self, feed: &FeedId) -> Result<Collected, Error> {
        let (mut record, mut revision) = self.begin_pass(feed).await?;
        let now = self.now();
        let mut done = Collected::default();
        let Some(old) = old_milestone(&record.milestones, now, self.settings.tombstone_age_min) else {
            return Ok(done);
        };
        done.removals = self
            .forget_removals(feed, old, &mut record, &mut revision)
            .await?;
        if now.since(record.walk_began_at) >= WALK_AGAIN {
            (record.walked, record.walk_began_at) = (0, now);
        }
        let Some(holders) = self.holders(feed, old.at).await? else {
            // Something may still come in that was written before a deletion was known: no tombstone goes.
            return Ok(done);
        };
        // The last change of the feed stays.
        let head = self.store.head(feed).await?.0;
        let until = old.head.min(head.saturating_sub(1));
        while record.walked < until {
            let after = Sequence(record.walked);
            let mut changes = self.store.changes(feed, after, PAGE).await?;
            changes.retain(|change| change.sequence.0 <= until);
            let Some(last) = changes.last() else { break };
            record.walked = last.sequence.0;
            let tombstones = self.tombstones(feed, &changes).await?;
            let page = self
                .collect_page(feed, &holders, tombstones, &mut record, &mut revision)
                .await?;
            done.add(page);
            if page.tombstones > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            tokio::task::yield_now().await;
        }
        let mut batch = Batch::new();
        batch.replace(&record, revision)?;
        self.commit(batch).await?;
        Ok(done)
    }

    /// The record of a feed with a milestone of about now, written.
    async fn begin_pass(&self, feed: &FeedId) -> Result<(Collection, Revision), Error> {
        self.retrying(async || {
            let now = self.now();
            let found = self.collection(feed).await?;
            let part = self.settings.tombstone_age_min / PARTS;
            let mut record = found.as_ref().map_or_else(
                || Collection {
                    space: feed.space,
                    object_type: feed.object_type.clone(),
                    milestones: Vec::new(),
                    walked: 0,
                    walk_began_at: now,
                    life_step_max: 0,
                    collected: 0,
                    removals_forgotten_to: 0,
                },
                |found| found.record.clone(),
            );
            let last = record.milestones.last();
            let due = last.is_none_or(|last| now.since(last.at) >= part && now > last.at);
            if let (Some(found), false) = (&found, due) {
                return Ok((found.record.clone(), found.revision));
            }
            record.milestones.push(self.milestone(feed, now).await?);
            let old = old_milestone(&record.milestones, now, self.settings.tombstone_age_min);
            if let Some(old) = old {
                record.milestones.retain(|milestone| milestone.at >= old.at);
            }
            let mut batch = Batch::new();
            match &found {
                Some(found) => batch.replace(&record, found.revision)?,
                None => batch.insert(&record)?,
            };
            let revision = self.store.commit(batch).await?.revision;
            Ok((record, revision))
        })
        .await
    }

    /// Forgets removals that are as old as a tombstone must be: whoever watches has seen them, or lists again.
    async fn forget_removals(
        &self,
        feed: &FeedId,
        old: Milestone,
        record: &mut Collection,
        revision: &mut Revision,
    ) -> Result<u64, Error> {
        let removals = Removal::feed_of(feed);
        let mut forgotten = 0;
        loop {
            let mut gone = self.store.changes(&removals, Sequence(0), PAGE).await?;
            gone.retain(|change| change.sequence.0 <= old.removals);
            let Some(last) = gone.last() else {
                return Ok(forgotten);
            };
            record.removals_forgotten_to = last.sequence.0.max(record.removals_forgotten_to);
            forgotten += gone.len() as u64;
            let mut batch = Batch::new();
            for change in gone {
                let as_read = Expect::At(Revision(change.sequence.0));
                batch.expect(Table::Objects, change.key.clone(), as_read);
                batch.delete_from_feed(removals.clone(), change.key);
            }
            batch.replace(record, *revision)?;
            *revision = self.store.commit(batch).await?.revision;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The connections of the feed's space that are not over; `None` while one of them may still bring something that
    /// was written before this time.
    async fn holders(&self, feed: &FeedId, since: Time) -> Result<Option<Vec<Holder>>, Error> {
        let name: ApiName = match feed.object_type.parse() {
            Ok(name) => name,
            Err(_) => return Ok(None),
        };
        let mut holders = Vec::new();
        for found in self.store.all::<Connection>(&[]).await? {
            let Found { record, revision } = found;
            let joined = record.space.as_ref().is_some_and(|space| space.id == feed.space);
            if record.stage.is_final() || !joined {
                continue;
            }
            let Some(imports) = self.come_in(&record, &name, since).await? else {
                return Ok(None);
            };
            let flow = Flow {
                connection: record.id,
                object_type: feed.object_type.clone(),
            };
            holders.push(Holder {
                passed: self.passed(&flow).await?,
                flow,
                revision,
                imports,
            });
        }
        Ok(Some(holders))
    }

    /// Whether a connection brings anything into a type; `None` when what it brought before this time may not be here.
    async fn come_in(
        &self,
        connection: &Connection,
        local_type: &ApiName,
        since: Time,
    ) -> Result<Option<bool>, Error> {
        let id = connection.id;
        let mut remote_types: Vec<String> = Vec::new();
        if connection.is_flowing()
            && let Some(standing) = self.standing(connection.clone()).await?
        {
            let imports = standing.agreed_flows().imports.into_iter();
            let imports = imports.filter(|(_, import)| import.mapping.local_type == *local_type);
            remote_types.extend(imports.map(|(name, _)| name.as_str().to_owned()));
        }
        let mut imports = false;
        for found in self.store.all::<ImportCursor>(&ImportCursor::prefix(id)).await? {
            let cursor = found.record;
            if cursor.local_type != local_type.as_str() {
                continue;
            }
            let settled = self
                .progress
                .is_settled(id, &cursor.remote_type, Direction::Import);
            let caught_up = settled || cursor.caught_up && cursor.at > since;
            // What is halted has not passed, however it stood.
            if !connection.is_flowing() || !caught_up {
                return Ok(None);
            }
            imports = true;
            remote_types.retain(|name| *name != cursor.remote_type);
        }
        // One is left when it may come and was never asked for.
        Ok(remote_types.is_empty().then_some(imports))
    }

    /// Up to where an export is acknowledged, if that was under the terms of now.
    async fn passed(&self, flow: &Flow) -> Result<u64, Error> {
        let Some(terms) = self.export_terms(flow).await? else {
            return Ok(0);
        };
        let key = ExportCursor::key_of(flow.connection, &flow.object_type);
        let found = self.store.find::<ExportCursor>(&key).await?;
        let current = found.filter(|found| found.record.terms == terms.digest);
        Ok(current.map_or(0, |found| found.record.acknowledged))
    }

    async fn tombstones(
        &self,
        feed: &FeedId,
        changes: &[peerd_store::Change],
    ) -> Result<Vec<Tombstone>, Error> {
        let keys: Vec<Bytes> = changes.iter().map(|change| change.key.clone()).collect();
        let entries = self.store.read_many(Table::Objects, &keys).await?;
        let mut tombstones = Vec::new();
        for (change, entry) in changes.iter().zip(entries) {
            let Some(entry) = entry.filter(|entry| entry.revision.0 == change.sequence.0) else {
                continue;
            };
            let (key, found) = (object_of(feed, &change.key)?, found(&entry)?);
            if is_tombstone(&key, &found.record) {
                tombstones.push(Tombstone { key, found });
            }
        }
        Ok(tombstones)
    }

    async fn collect_page(
        &self,
        feed: &FeedId,
        holders: &[Holder],
        tombstones: Vec<Tombstone>,
        record: &mut Collection,
        revision: &mut Revision,
    ) -> Result<Collected, Error> {
        let mut done = Collected::default();
        let mut batch = Batch::new();
        for Tombstone { key, found } in tombstones {
            let places = holders
                .iter()
                .map(|holder| marks::key_of(&holder.flow, key.primary_key()));
            let places: Vec<Bytes> = places.collect();
            let marks = self.store.read_many(Table::Exported, &places).await?;
            let mut passed = true;
            for (holder, mark) in holders.iter().zip(&marks) {
                passed &= has_passed(holder, mark.as_ref(), &found)?;
            }
            if !passed {
                done.held += 1;
                continue;
            }
            remove_from_feed(&mut batch, feed.space, &key, &found)?;
            for (place, mark) in places.into_iter().zip(marks) {
                match mark {
                    Some(mark) => {
                        let as_read = Expect::At(mark.revision);
                        batch.expect(Table::Exported, place.clone(), as_read);
                        batch.delete(Table::Exported, place);
                    }
                    None => drop(batch.expect(Table::Exported, place, Expect::Absent)),
                }
            }
            record.life_step_max = record.life_step_max.max(found.record.state.life().step);
            record.collected += 1;
            done.tombstones += 1;
        }
        if done.tombstones == 0 {
            return Ok(done);
        }
        for holder in holders {
            let id = Bytes::copy_from_slice(holder.flow.connection.as_bytes());
            batch.expect(Table::Connections, id, Expect::At(holder.revision));
        }
        batch.replace(record, *revision)?;
        *revision = self.store.commit(batch).await?.revision;
        Ok(done)
    }
}

/// Whether a connection has this very state, because it took it or brought it, or never had anything of the object.
fn has_passed(holder: &Holder, mark: Option<&Entry>, found: &Found<Stored>) -> Result<bool, Error> {
    let Found { record, revision } = found;
    let brought = record.provenance.via == Some(holder.flow.connection);
    if brought && record.clean {
        return Ok(true);
    }
    let Some(mark) = mark else {
        // Whoever brought it has it. So may another that brings objects of the type: of a copy, it is only known which way
        // was the shortest. An object of our own that came as well has a mark.
        let may_have = brought || holder.imports && record.provenance.is_imported();
        return Ok(!may_have);
    };
    let mark = Mark::from_bytes(&mark.value)?;
    Ok(mark.sure && mark.sequence == revision.0 && holder.passed >= revision.0)
}

/// The latest milestone that is at least this old.
fn old_milestone(milestones: &[Milestone], now: Time, age: Duration) -> Option<Milestone> {
    let old = milestones
        .iter()
        .rev()
        .find(|milestone| now.since(milestone.at) >= age);
    old.copied()
}
