//! Removing content that nothing refers to.
//!
//! Content goes when no live artifact of any space refers to it and it came in long enough ago. The age is what makes it
//! safe beside those who put: content comes in first, or comes in again, and then is young; the artifact that refers to it
//! follows soon. What an import refers to meanwhile, and loses, is fetched again. Nothing is removed unless all artifacts
//! could be read after it was found old; so a crash at any point leaves what is needed where it is.

use std::collections::BTreeSet;
use std::time::Duration;

use peerd_core::artifact::{Artifact, built_in};
use peerd_core::authz::Space;
use peerd_core::{ContentHash, Time};
use peerd_store::blobs::Begun;

use peerd_store::{FeedId, Range, Records as _, Table};

use crate::object::stored::{Stored, feed_of};
use crate::{Error, Node};

/// So many contents are held against all artifacts at once: it bounds what is remembered.
const CANDIDATES_MAX: usize = 100_000;
/// So many artifacts, or contents, are read at once.
const PAGE: usize = 1_000;
/// Into how many parts the age is divided: so much later than it could, content goes.
const PARTS: u32 = 12;
/// The shortest and the longest pause between two looks.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(15);
/// What was begun and is not wanted any more stays for so long: whoever began it may go on.
const BEGUN_AGE: Duration = Duration::from_hours(48);

/// What a look at all content came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemovedContent {
    /// Contents that went.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Uploads and partial contents that went.
    pub begun: u64,
}

impl Node {
    /// Background work: removes content that nothing refers to, again and again. Never ends.
    pub async fn keep_removing_content(&self) {
        let pause = (self.settings.content_age_min / PARTS).clamp(PAUSE_MIN, PAUSE_MAX);
        let mut interval = tokio::time::interval(pause);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match self.remove_unreferenced_content().await {
                Ok(removed) if removed == RemovedContent::default() => {}
                Ok(RemovedContent {
                    contents,
                    bytes,
                    begun,
                }) => tracing::info!(contents, bytes, begun, "content removed that nothing refers to"),
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "content not removed"),
            }
        }
    }

    /// Looks at all content once, and removes what nothing refers to.
    pub async fn remove_unreferenced_content(&self) -> Result<RemovedContent, Error> {
        let mut removed = RemovedContent::default();
        let cutoff = self.now().minus(self.settings.content_age_min);
        let mut after = None;
        loop {
            let (old, last) = self.old_content(after, cutoff).await?;
            let (contents, bytes) = self.remove_unless_referred(old, cutoff).await?;
            removed.contents += contents;
            removed.bytes += bytes;
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        removed.begun = self.abandon_begun().await?;
        Ok(removed)
    }

    /// Contents after this one that came in before the cutoff, and where to go on.
    async fn old_content(
        &self,
        mut after: Option<ContentHash>,
        cutoff: Time,
    ) -> Result<(BTreeSet<(ContentHash, u64)>, Option<ContentHash>), Error> {
        let mut old = BTreeSet::new();
        while old.len() < CANDIDATES_MAX {
            let page = self.blobs.list(after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok((old, None));
            };
            after = Some(last.blob.hash);
            let page = page.into_iter().filter(|held| held.kept_at < cutoff);
            old.extend(page.map(|held| (held.blob.hash, held.blob.size)));
        }
        Ok((old, after))
    }

    async fn remove_unless_referred(
        &self,
        old: BTreeSet<(ContentHash, u64)>,
        cutoff: Time,
    ) -> Result<(u64, u64), Error> {
        let mut hashes: BTreeSet<ContentHash> = old.iter().map(|(hash, _)| *hash).collect();
        self.strike_referred(&mut hashes).await?;
        let (mut contents, mut bytes) = (0, 0);
        for (hash, size) in old.into_iter().filter(|(hash, _)| hashes.contains(hash)) {
            if self.blobs.remove(&hash, cutoff).await? {
                contents += 1;
                bytes += size;
            }
        }
        Ok((contents, bytes))
    }

    /// Abandons uploads nobody went on with, and partial contents that no artifact wants.
    async fn abandon_begun(&self) -> Result<u64, Error> {
        let cutoff = self.now().minus(BEGUN_AGE.max(self.settings.content_age_min));
        let leftovers = self.blobs.leftovers().await?;
        let old: Vec<Begun> = leftovers
            .into_iter()
            .filter(|one| one.touched_at < cutoff)
            .map(|one| one.begun)
            .collect();
        let mut hashes: BTreeSet<ContentHash> = old
            .iter()
            .filter_map(|begun| match begun {
                Begun::Partial(hash) => Some(*hash),
                Begun::Upload(_) => None,
            })
            .collect();
        self.strike_referred(&mut hashes).await?;
        let mut abandoned = 0;
        for begun in old {
            if !matches!(begun, Begun::Partial(hash) if !hashes.contains(&hash)) {
                self.blobs.abandon(begun).await?;
                abandoned += 1;
            }
        }
        Ok(abandoned)
    }

    /// Takes out of these what any live artifact refers to.
    async fn strike_referred(&self, hashes: &mut BTreeSet<ContentHash>) -> Result<(), Error> {
        let Some(of) = built_in() else {
            hashes.clear();
            return Ok(());
        };
        for space in self.store.all::<Space>(&[]).await? {
            let feed = feed_of(space.record.id, &of.name);
            self.strike_referred_in(&feed, hashes).await?;
        }
        Ok(())
    }

    async fn strike_referred_in(
        &self,
        feed: &FeedId,
        hashes: &mut BTreeSet<ContentHash>,
    ) -> Result<(), Error> {
        let mut range = Range::prefix(Table::Objects, feed.prefix(), PAGE);
        while !hashes.is_empty() {
            let rows = self.store.range(range.clone()).await?;
            for (_, entry) in &rows {
                let state = Stored::decode(&entry.value)?.state;
                // What a peer said and nobody can understand refers to nothing.
                for blob in Artifact::blobs_of(&state) {
                    hashes.remove(&blob.hash);
                }
            }
            match rows.last() {
                Some((key, _)) => range = range.after(key.clone()),
                None => break,
            }
        }
        Ok(())
    }
}
