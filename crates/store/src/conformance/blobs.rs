//! What a store of content is: one suite of cases that every backend passes.

#![expect(
    clippy::cast_possible_truncation,
    reason = "these are tests: all content fits in memory"
)]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use peerd_core::{Blob, ContentHash, Time, UploadId};

use crate::Error;
use crate::blobs::{Begun, Blobs, GROUP_BYTES, Outline, Outliner, group_bytes};

/// A backend under test, with a place of its own that nobody else uses.
#[async_trait]
pub trait BlobsBackend: Send + Sync {
    /// Opens the store; called again after it was dropped, it opens what was there.
    async fn open(&self) -> Arc<dyn Blobs>;

    /// Flips a bit of a kept blob behind the store's back.
    async fn flip(&self, hash: &ContentHash, at: u64);
}

/// Instantiates every case of the suite as a test, in a module of this name. The expression makes a fresh backend; it
/// sees what the enclosing module sees.
#[macro_export]
macro_rules! blobs_conformance {
    ($name:ident, $backend:expr) => {
        $crate::blobs_conformance!(@cases $name, $backend,
            b096_content_of_every_length_is_read_back
            b099_the_same_content_is_kept_once
            b098_an_upload_is_invisible_until_it_is_finished
            b092_an_upload_goes_on_where_it_was_durable
            b092_groups_come_in_any_order_and_stay
            b091_what_is_not_the_content_is_not_taken
            b091_a_flipped_bit_is_found_and_never_read
            b098_what_was_abandoned_is_gone
            small_contents_are_kept_together
            pages_of_blobs_cover_all_once
            what_came_in_lately_is_not_removed
        );
    };
    (@cases $name:ident, $backend:expr, $($case:ident)+) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::conformance::blobs::$case(&$backend).await;
                }
            )+
        }
    };
}

const GROUP: usize = 1 << 20;
const ID: UploadId = UploadId::from_bytes([3; 16]);
const LATE: Time = Time::from_micros(i64::MAX);

/// Bytes that do not repeat within a group.
fn content(length: usize, seed: u32) -> Bytes {
    let word = |at: usize| (at as u32 ^ seed).wrapping_mul(2_654_435_761).rotate_left(13);
    let words = (0..length.div_ceil(4)).flat_map(|at| word(at).to_le_bytes());
    words.take(length).collect()
}

fn outline(content: &[u8]) -> Outline {
    let mut outliner = Outliner::default();
    outliner.push(content);
    outliner.finish()
}

async fn put(blobs: &dyn Blobs, id: UploadId, content: &Bytes) -> Blob {
    let mut upload = blobs.upload(id).await.unwrap();
    let mut rest = content.clone();
    while !rest.is_empty() {
        let piece = rest.split_to(rest.len().min(300_000));
        upload.write(piece).await.unwrap();
    }
    upload.finish().await.unwrap()
}

async fn get(blobs: &dyn Blobs, hash: &ContentHash) -> Option<Vec<u8>> {
    let content = blobs.read(hash, 0..u64::MAX).await.unwrap()?;
    Some(content.try_collect::<Vec<Bytes>>().await.unwrap().concat())
}

fn group_of(content: &Bytes, group: u64) -> Bytes {
    let place = group_bytes(content.len() as u64, group);
    content.slice(place.start as usize..place.end as usize)
}

/// Content of nothing, of a bit, of exactly a group and around it.
pub async fn b096_content_of_every_length_is_read_back(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    for length in [0, 1, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP, 3 * GROUP + 12_345] {
        let content = content(length, 1);
        let blob = put(&*blobs, ID, &content).await;
        assert_eq!(
            blob.hash.as_bytes(),
            blake3::hash(&content).as_bytes(),
            "{length}"
        );
        assert_eq!(blobs.stat(&blob.hash).await.unwrap().unwrap().blob, blob);
        assert_eq!(get(&*blobs, &blob.hash).await.unwrap(), content, "{length}");
        assert_eq!(blobs.outline(&blob.hash).await.unwrap(), Some(outline(&content)));
    }
    let long = content(3 * GROUP + 12_345, 1);
    let hash = outline(&long).blob().hash;
    for range in [
        5..9,
        0..GROUP,
        GROUP - 3..2 * GROUP + 3,
        3 * GROUP..4 * GROUP,
        4 * GROUP..5 * GROUP,
        7..7,
    ] {
        let read = blobs
            .read(&hash, range.start as u64..range.end as u64)
            .await
            .unwrap()
            .unwrap();
        let read = read.try_collect::<Vec<Bytes>>().await.unwrap().concat();
        assert_eq!(read, long[range.start.min(long.len())..range.end.min(long.len())]);
    }
    assert!(
        blobs
            .read(&ContentHash::from_bytes([9; 32]), 0..1)
            .await
            .unwrap()
            .is_none()
    );
}

/// Whichever way it comes in.
pub async fn b099_the_same_content_is_kept_once(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let content = content(GROUP / 2, 1);
    let blob = put(&*blobs, ID, &content).await;
    assert_eq!(put(&*blobs, UploadId::from_bytes([4; 16]), &content).await, blob);
    blobs.keep(vec![(blob.hash, content.clone())]).await.unwrap();
    let partial = blobs.partial(&outline(&content)).await.unwrap();
    assert!(partial.write(0, vec![content.clone()]).await.unwrap());
    partial.complete().await.unwrap();
    assert_eq!(blobs.list(None, 10).await.unwrap().len(), 1);
    assert_eq!(get(&*blobs, &blob.hash).await.unwrap(), content);
}

/// Nothing is to be seen of it under any hash.
pub async fn b098_an_upload_is_invisible_until_it_is_finished(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let content = content(GROUP + 5, 1);
    let blob = outline(&content).blob();
    let mut upload = blobs.upload(ID).await.unwrap();
    upload.write(content).await.unwrap();
    upload.sync().await.unwrap();
    assert!(blobs.list(None, 10).await.unwrap().is_empty());
    assert!(blobs.stat(&blob.hash).await.unwrap().is_none());
    assert!(
        matches!(blobs.upload(ID).await, Err(Error::Unavailable(_))),
        "it has one writer"
    );
    assert_eq!(upload.finish().await.unwrap(), blob);
    assert_eq!(blobs.list(None, 10).await.unwrap().len(), 1);
    assert!(blobs.leftovers().await.unwrap().is_empty());
}

/// After a restart, too.
pub async fn b092_an_upload_goes_on_where_it_was_durable(backend: &dyn BlobsBackend) {
    for length in [GROUP, GROUP + 1, 3 * GROUP, 3 * GROUP + 99] {
        let content = content(length, length as u32);
        let mut from = 0;
        for end in [GROUP / 2, length / 2, length] {
            let blobs = backend.open().await;
            let mut upload = blobs.upload(ID).await.unwrap();
            assert_eq!(upload.offset(), from, "{length}");
            if end as u64 > from {
                upload.write(content.slice(from as usize..end)).await.unwrap();
            }
            from = upload.sync().await.unwrap();
            assert!(from <= end as u64 && from + GROUP_BYTES >= end as u64);
        }
        let blobs = backend.open().await;
        let mut upload = blobs.upload(ID).await.unwrap();
        upload.write(content.slice(from as usize..)).await.unwrap();
        assert_eq!(upload.finish().await.unwrap(), outline(&content).blob());
    }
}

/// After a restart, too.
pub async fn b092_groups_come_in_any_order_and_stay(backend: &dyn BlobsBackend) {
    let content = content(4 * GROUP + 77, 1);
    let outline = outline(&content);
    let hash = outline.blob().hash;
    {
        let blobs = backend.open().await;
        let partial = blobs.partial(&outline).await.unwrap();
        assert_eq!(partial.missing(), [0, 1, 2, 3, 4]);
        for group in [4, 1] {
            assert!(
                partial
                    .write(group, vec![group_of(&content, group)])
                    .await
                    .unwrap()
            );
        }
        let same = blobs.partial(&outline).await.unwrap();
        assert_eq!((same.missing(), same.bytes()), (vec![0, 2, 3], GROUP_BYTES + 77));
        assert!(partial.complete().await.is_err());
        assert!(blobs.stat(&hash).await.unwrap().is_none());
    }
    let blobs = backend.open().await;
    let partial = blobs.partial(&outline).await.unwrap();
    assert_eq!(
        (partial.missing(), partial.bytes()),
        (vec![0, 2, 3], GROUP_BYTES + 77)
    );
    for group in [0, 2, 3] {
        let (left, right) = (
            group_of(&content, group).slice(..9),
            group_of(&content, group).slice(9..),
        );
        assert!(partial.write(group, vec![left, right]).await.unwrap());
    }
    assert!(blobs.stat(&hash).await.unwrap().is_none());
    partial.complete().await.unwrap();
    partial.complete().await.unwrap();
    drop(partial);
    assert_eq!(get(&*blobs, &hash).await.unwrap(), content);
    assert!(blobs.leftovers().await.unwrap().is_empty());
}

/// Neither as a group nor as a whole.
pub async fn b091_what_is_not_the_content_is_not_taken(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let content = content(2 * GROUP, 1);
    let outline = outline(&content);
    let partial = blobs.partial(&outline).await.unwrap();
    for (group, of) in [(0, 1), (1, 0), (7, 0)] {
        assert!(!partial.write(group, vec![group_of(&content, of)]).await.unwrap());
    }
    assert!(!partial.write(0, vec![content.clone()]).await.unwrap());
    assert!(!partial.write(0, Vec::new()).await.unwrap());
    assert_eq!((partial.missing().len(), partial.bytes()), (2, 0));
    let hash = outline.blob().hash;
    let wrong = blobs.keep(vec![(hash, content.slice(..9))]).await;
    assert_eq!(wrong.unwrap(), [hash]);
    assert!(blobs.list(None, 10).await.unwrap().is_empty());
}

/// The error names the blob; bytes before the damage may have been read, the damaged ones not.
pub async fn b091_a_flipped_bit_is_found_and_never_read(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    for (length, at) in [(100, 99), (3 * GROUP, GROUP + 4)] {
        let content = content(length, 1);
        let blob = put(&*blobs, ID, &content).await;
        backend.flip(&blob.hash, at as u64).await;
        let mut read = blobs.read(&blob.hash, 0..u64::MAX).await.unwrap().unwrap();
        let mut good = Vec::new();
        let error = loop {
            match read.next().await {
                Some(Ok(piece)) => good.extend_from_slice(&piece),
                Some(Err(error)) => break error,
                None => panic!("the damage was not found"),
            }
        };
        assert!(content.starts_with(&good) && good.len() <= at);
        assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains(&blob.hash.to_string())));
    }
}

/// Unless it is in use.
pub async fn b098_what_was_abandoned_is_gone(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let content = content(2 * GROUP + 1, 1);
    let outline = outline(&content);
    let mut upload = blobs.upload(ID).await.unwrap();
    upload.write(content.clone()).await.unwrap();
    assert_eq!(upload.sync().await.unwrap(), 2 * GROUP_BYTES);
    blobs.abandon(Begun::Upload(ID)).await.unwrap();
    drop(upload);
    let partial = blobs.partial(&outline).await.unwrap();
    partial.write(1, vec![group_of(&content, 1)]).await.unwrap();
    drop(partial);
    let mut begun: Vec<Begun> = blobs
        .leftovers()
        .await
        .unwrap()
        .iter()
        .map(|one| one.begun)
        .collect();
    begun.sort();
    assert_eq!(begun, [Begun::Upload(ID), Begun::Partial(outline.blob().hash)]);
    assert_eq!(blobs.upload(ID).await.unwrap().offset(), 2 * GROUP_BYTES);
    for begun in begun {
        blobs.abandon(begun).await.unwrap();
        blobs.abandon(begun).await.unwrap();
    }
    assert!(blobs.leftovers().await.unwrap().is_empty());
    assert_eq!(blobs.upload(ID).await.unwrap().offset(), 0);
}

/// And are there after a restart.
pub async fn small_contents_are_kept_together(backend: &dyn BlobsBackend) {
    let contents: Vec<Bytes> = (0..100).map(|at| content(at * 13, at as u32)).collect();
    let named = contents.iter().map(|one| (outline(one).blob().hash, one.clone()));
    backend.open().await.keep(named.clone().collect()).await.unwrap();
    let blobs = backend.open().await;
    for (hash, content) in named {
        assert_eq!(get(&*blobs, &hash).await.unwrap(), content);
    }
    blobs.keep(Vec::new()).await.unwrap();
}

/// In the order of their hashes.
pub async fn pages_of_blobs_cover_all_once(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let contents = (0..25)
        .map(|at| content(10, at))
        .map(|one| (outline(&one).blob().hash, one));
    let contents: Vec<_> = contents.collect();
    blobs.keep(contents.clone()).await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = blobs.list(after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.blob.hash);
        seen.extend(page.iter().map(|held| held.blob.hash));
    }
    let mut all: Vec<ContentHash> = contents.iter().map(|(hash, _)| *hash).collect();
    all.sort();
    assert_eq!(seen, all);
}

/// However it came in.
pub async fn what_came_in_lately_is_not_removed(backend: &dyn BlobsBackend) {
    let blobs = backend.open().await;
    let long = content(2 * GROUP, 1);
    let hash = put(&*blobs, ID, &long).await.hash;
    let first = blobs.stat(&hash).await.unwrap().unwrap().kept_at;
    assert!(!blobs.remove(&hash, first).await.unwrap());
    put(&*blobs, ID, &long).await;
    assert!(blobs.stat(&hash).await.unwrap().unwrap().kept_at >= first);
    assert!(blobs.remove(&hash, LATE).await.unwrap());
    assert!(!blobs.remove(&hash, LATE).await.unwrap());
    assert!(blobs.stat(&hash).await.unwrap().is_none() && blobs.list(None, 9).await.unwrap().is_empty());
    assert_eq!(put(&*blobs, ID, &long).await.hash, hash);
    assert_eq!(get(&*blobs, &hash).await.unwrap(), long);
}
