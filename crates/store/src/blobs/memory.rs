//! Content in memory, durable only as long as the value lives: for tests and demos.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use peerd_core::{Blob, Clock, ContentHash, Time, UploadId};

use super::{
    Begun, Blobs, Content, GROUP_BYTES, Held, Leftover, Outline, Outliner, Partial, Upload, corrupt,
    group_bytes,
};
use crate::Error;

/// Content in memory.
#[derive(Clone, Debug)]
pub struct MemoryBlobs {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    bytes_max: u64,
    held: BTreeMap<ContentHash, (Bytes, Outline, Time)>,
    uploads: BTreeMap<UploadId, (BytesMut, Time)>,
    writing: BTreeSet<UploadId>,
    partials: BTreeMap<ContentHash, (BTreeMap<u64, Bytes>, Time)>,
}

impl MemoryBlobs {
    /// Nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryBlobs {
        MemoryBlobs {
            clock,
            state: Arc::new(Mutex::new(State {
                bytes_max: u64::MAX,
                held: BTreeMap::new(),
                uploads: BTreeMap::new(),
                writing: BTreeSet::new(),
                partials: BTreeMap::new(),
            })),
        }
    }

    /// Lets no more than so many bytes in, whole or on their way.
    pub fn limit(&self, bytes_max: u64) {
        self.state().bytes_max = bytes_max;
    }

    /// Flips a bit of a blob behind the store's back: damage, for tests.
    pub fn danger_flip_for_tests(&self, hash: &ContentHash, at: usize) {
        if let Some((content, _, _)) = self.state().held.get_mut(hash) {
            let mut damaged = BytesMut::from(&content[..]);
            if let Some(byte) = damaged.get_mut(at) {
                *byte ^= 1;
            }
            *content = damaged.freeze();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_room(&self, more: usize) -> Result<(), Error> {
        let held = self.held.values().map(|(content, ..)| content.len());
        let uploads = self.uploads.values().map(|(content, _)| content.len());
        let groups = self
            .partials
            .values()
            .flat_map(|(groups, _)| groups.values().map(Bytes::len));
        let taken: usize = held.chain(uploads).chain(groups).sum();
        if (taken + more) as u64 > self.bytes_max {
            return Err(Error::Full("content takes all the room that it may take".into()));
        }
        Ok(())
    }
}

fn outline_of(content: &[u8]) -> Outline {
    let mut outliner = Outliner::default();
    outliner.push(content);
    outliner.finish()
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn stat(&self, hash: &ContentHash) -> Result<Option<Held>, Error> {
        let state = self.state();
        let found = state.held.get(hash);
        Ok(found.map(|(_, outline, kept_at)| Held {
            blob: outline.blob(),
            kept_at: *kept_at,
        }))
    }

    async fn outline(&self, hash: &ContentHash) -> Result<Option<Outline>, Error> {
        Ok(self.state().held.get(hash).map(|(_, outline, _)| outline.clone()))
    }

    async fn read(&self, hash: &ContentHash, range: Range<u64>) -> Result<Option<Content>, Error> {
        let Some((content, outline, _)) = self.state().held.get(hash).cloned() else {
            return Ok(None);
        };
        let (hash, size) = (*hash, outline.blob().size);
        let groups = (0..outline.len()).filter_map(move |group| {
            let place = group_bytes(size, group);
            let wanted = place.start.max(range.start)..place.end.min(range.end);
            (wanted.start < wanted.end).then(|| {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
                let part = |part: Range<u64>| content.slice(at(part.start)..at(part.end));
                if outline.is_group(group, &[part(place)]) {
                    Ok(part(wanted))
                } else {
                    Err(corrupt(&hash))
                }
            })
        });
        Ok(Some(stream::iter(groups).boxed()))
    }

    async fn upload(&self, id: UploadId) -> Result<Box<dyn Upload>, Error> {
        let mut state = self.state();
        if !state.writing.insert(id) {
            return Err(Error::Unavailable("the upload is being written to".into()));
        }
        let now = self.clock.now();
        state.uploads.entry(id).or_insert_with(|| (BytesMut::new(), now));
        Ok(Box::new(MemoryUpload {
            blobs: self.clone(),
            id,
        }))
    }

    async fn partial(&self, outline: &Outline) -> Result<Arc<dyn Partial>, Error> {
        let now = self.clock.now();
        let hash = outline.blob().hash;
        let mut state = self.state();
        state.check_room(usize::try_from(outline.blob().size).unwrap_or(usize::MAX / 2))?;
        state
            .partials
            .entry(hash)
            .or_insert_with(|| (BTreeMap::new(), now));
        Ok(Arc::new(MemoryPartial {
            blobs: self.clone(),
            outline: outline.clone(),
        }))
    }

    async fn keep(&self, contents: Vec<(ContentHash, Bytes)>) -> Result<Vec<ContentHash>, Error> {
        let now = self.clock.now();
        let (mut state, mut wrong) = (self.state(), Vec::new());
        for (hash, content) in contents {
            let outline = outline_of(&content);
            if outline.blob().hash != hash || content.len() as u64 > GROUP_BYTES {
                wrong.push(hash);
                continue;
            }
            state.check_room(content.len())?;
            state.held.insert(hash, (content, outline, now));
        }
        Ok(wrong)
    }

    async fn abandon(&self, begun: Begun) -> Result<(), Error> {
        let mut state = self.state();
        match begun {
            Begun::Upload(id) if !state.writing.contains(&id) => drop(state.uploads.remove(&id)),
            Begun::Upload(_) => {}
            Begun::Partial(hash) => drop(state.partials.remove(&hash)),
        }
        Ok(())
    }

    async fn list(&self, after: Option<ContentHash>, limit: usize) -> Result<Vec<Held>, Error> {
        let state = self.state();
        let rest = state
            .held
            .iter()
            .filter(|(hash, _)| after.is_none_or(|after| **hash > after));
        let held = rest.map(|(_, (_, outline, kept_at))| Held {
            blob: outline.blob(),
            kept_at: *kept_at,
        });
        Ok(held.take(limit).collect())
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let state = self.state();
        let uploads = state
            .uploads
            .iter()
            .map(|(id, (_, at))| (Begun::Upload(*id), *at));
        let partials = state
            .partials
            .iter()
            .map(|(hash, (_, at))| (Begun::Partial(*hash), *at));
        let all = uploads.chain(partials);
        Ok(all
            .map(|(begun, touched_at)| Leftover { begun, touched_at })
            .collect())
    }

    async fn remove(&self, hash: &ContentHash, kept_before: Time) -> Result<bool, Error> {
        let mut state = self.state();
        let old = state
            .held
            .get(hash)
            .is_some_and(|(.., kept_at)| *kept_at < kept_before);
        Ok(old && state.held.remove(hash).is_some())
    }
}

#[derive(Debug)]
struct MemoryUpload {
    blobs: MemoryBlobs,
    id: UploadId,
}

impl Drop for MemoryUpload {
    fn drop(&mut self) {
        let mut state = self.blobs.state();
        state.writing.remove(&self.id);
        // As on a disk: of what was not synced as a whole group, nothing is promised.
        if let Some((content, _)) = state.uploads.get_mut(&self.id) {
            let whole = content.len() as u64 / GROUP_BYTES * GROUP_BYTES;
            content.truncate(usize::try_from(whole).unwrap_or(0));
        }
    }
}

#[async_trait]
impl Upload for MemoryUpload {
    fn offset(&self) -> u64 {
        let state = self.blobs.state();
        state
            .uploads
            .get(&self.id)
            .map_or(0, |(content, _)| content.len() as u64)
    }

    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let now = self.blobs.clock.now();
        let mut state = self.blobs.state();
        state.check_room(bytes.len())?;
        let (content, touched_at) = state.uploads.entry(self.id).or_default();
        content.extend_from_slice(&bytes);
        *touched_at = now;
        Ok(())
    }

    async fn sync(&mut self) -> Result<u64, Error> {
        Ok(self.offset() / GROUP_BYTES * GROUP_BYTES)
    }

    async fn finish(self: Box<Self>) -> Result<Blob, Error> {
        let now = self.blobs.clock.now();
        let mut state = self.blobs.state();
        let (content, _) = state.uploads.remove(&self.id).unwrap_or_default();
        let outline = outline_of(&content);
        let blob = outline.blob();
        state.held.insert(blob.hash, (content.freeze(), outline, now));
        Ok(blob)
    }
}

#[derive(Debug)]
struct MemoryPartial {
    blobs: MemoryBlobs,
    outline: Outline,
}

impl MemoryPartial {
    fn with<T>(&self, look: impl FnOnce(&BTreeMap<u64, Bytes>) -> T) -> T {
        let state = self.blobs.state();
        let found = state.partials.get(&self.outline.blob().hash);
        look(found.map_or(&BTreeMap::new(), |(groups, _)| groups))
    }
}

#[async_trait]
impl Partial for MemoryPartial {
    fn outline(&self) -> &Outline {
        &self.outline
    }

    fn missing(&self) -> Vec<u64> {
        let all = 0..self.outline.len();
        self.with(|here| all.filter(|group| !here.contains_key(group)).collect())
    }

    fn bytes(&self) -> u64 {
        self.with(|here| here.values().map(|group| group.len() as u64).sum())
    }

    async fn write(&self, group: u64, pieces: Vec<Bytes>) -> Result<bool, Error> {
        if !self.outline.is_group(group, &pieces) {
            return Ok(false);
        }
        let now = self.blobs.clock.now();
        let content = pieces.concat();
        let mut state = self.blobs.state();
        state.check_room(content.len())?;
        let entry = state.partials.entry(self.outline.blob().hash).or_default();
        entry.0.insert(group, content.into());
        entry.1 = now;
        Ok(true)
    }

    async fn complete(&self) -> Result<(), Error> {
        let hash = self.outline.blob().hash;
        if !self.missing().is_empty() {
            let held = self.blobs.state().held.contains_key(&hash);
            let missing = || Error::Unavailable("the content is not whole yet".into());
            return held.then_some(()).ok_or_else(missing);
        }
        let now = self.blobs.clock.now();
        let mut state = self.blobs.state();
        if let Some((groups, _)) = state.partials.remove(&hash) {
            let content = groups.into_values().fold(BytesMut::new(), |mut all, group| {
                all.extend_from_slice(&group);
                all
            });
            state
                .held
                .insert(hash, (content.freeze(), self.outline.clone(), now));
        }
        Ok(())
    }
}
