//! Change feeds.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use peerd_core::SpaceId;
use tokio::task::JoinSet;

use super::{Backend, feed, put_in_feed, value};
use crate::{Batch, FeedId, Sequence, Store, Table, Topic};

async fn keys(store: &dyn Store, feed: &FeedId) -> Vec<Bytes> {
    let changes = store.changes(feed, Sequence(0), usize::MAX).await.unwrap();
    assert!(changes.is_sorted_by(|a, b| a.sequence < b.sequence));
    let head = store.head(feed).await.unwrap();
    assert_eq!(changes.last().map_or(Sequence(0), |change| change.sequence), head);
    for change in &changes {
        let object = store.read(Table::Objects, &change.key).await.unwrap().unwrap();
        assert_eq!(
            object.revision.0, change.sequence.0,
            "the revision is the sequence"
        );
    }
    changes.into_iter().map(|change| change.key).collect()
}

/// Writing an object again moves it to the end.
pub async fn a_feed_holds_each_object_once_at_its_latest_change(backend: &dyn Backend) {
    let store = backend.open().await;
    let feed = feed("ship");
    assert_eq!(store.head(&feed).await.unwrap(), Sequence(0));
    assert_eq!(keys(&*store, &feed).await, Vec::<Bytes>::new());
    for key in ["a", "b", "c", "a", "b", "b"] {
        let committed = store.commit(put_in_feed(&feed, key, "x")).await.unwrap();
        assert_eq!(store.head(&feed).await.unwrap().0, committed.revision.0);
    }
    assert_eq!(keys(&*store, &feed).await, ["c", "a", "b"]);

    let all = store.changes(&feed, Sequence(0), 100).await.unwrap();
    let page = |after, limit| store.changes(&feed, after, limit);
    assert_eq!(page(all[0].sequence, 100).await.unwrap(), all[1..]);
    assert_eq!(page(all[0].sequence, 1).await.unwrap(), all[1..2]);
    assert_eq!(page(all[2].sequence, 100).await.unwrap(), []);
    assert_eq!(page(Sequence(u64::MAX), 100).await.unwrap(), []);
    assert_eq!(page(Sequence(0), 0).await.unwrap(), []);
}

/// One batch that writes, moves, removes and writes again leaves one entry.
pub async fn a_batch_may_move_an_object_more_than_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let feed = feed("ship");
    for _ in 0..2 {
        let mut batch = put_in_feed(&feed, "a", "1");
        batch.put_in_feed(feed.clone(), "b", "1");
        batch.put_in_feed(feed.clone(), "a", "2");
        batch.delete_from_feed(feed.clone(), "b");
        batch.put_in_feed(feed.clone(), "c", "1");
        batch.delete_from_feed(feed.clone(), "c");
        batch.put_in_feed(feed.clone(), "c", "2");
        store.commit(batch).await.unwrap();
        assert_eq!(keys(&*store, &feed).await, ["a", "c"]);
        assert_eq!(value(&*store, Table::Objects, b"c").await.unwrap(), "2");
    }
}

/// What a tail tells of a feed, followed or not, is what the feed and the objects say, however often it moves.
pub async fn a_tail_tells_the_objects_of_a_feed_as_they_are(backend: &dyn Backend) {
    let store = backend.open().await;
    let feed = feed("ship");
    let told = async |after| -> Vec<(Bytes, Bytes)> {
        let tail = store.tail(&feed, after, usize::MAX).await.unwrap();
        let changes = store.changes(&feed, after, usize::MAX).await.unwrap();
        let places = tail.iter().map(|(_, entry)| entry.revision.0);
        assert!(places.eq(changes.iter().map(|change| change.sequence.0)));
        assert!(
            tail.iter()
                .map(|(key, _)| key)
                .eq(changes.iter().map(|change| &change.key))
        );
        tail.into_iter().map(|(key, entry)| (key, entry.value)).collect()
    };
    let pairs = |pairs: &[(&'static str, &'static str)]| -> Vec<(Bytes, Bytes)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect()
    };
    assert_eq!(told(Sequence(0)).await, []);
    store.commit(put_in_feed(&feed, "a", "1")).await.unwrap();
    store.commit(put_in_feed(&feed, "b", "1")).await.unwrap();
    // Whoever follows from here on may be served from memory, with what came before from elsewhere.
    let _follows = store.watch(&Topic::Feed(feed.clone()));
    let middle = store.commit(put_in_feed(&feed, "c", "1")).await.unwrap();
    assert_eq!(
        told(Sequence(0)).await,
        pairs(&[("a", "1"), ("b", "1"), ("c", "1")])
    );
    let mut batch = put_in_feed(&feed, "b", "2");
    batch.put_in_feed(feed.clone(), "d", "1");
    batch.delete_from_feed(feed.clone(), "c");
    batch.put_in_feed(feed.clone(), "d", "2");
    store.commit(batch).await.unwrap();
    let after = Sequence(middle.revision.0);
    assert_eq!(told(after).await, pairs(&[("b", "2"), ("d", "2")]));
    assert_eq!(
        told(Sequence(0)).await,
        pairs(&[("a", "1"), ("b", "2"), ("d", "2")])
    );
    let mut batch = Batch::new();
    batch.delete_from_feed(feed.clone(), "b");
    store.commit(batch).await.unwrap();
    assert_eq!(told(after).await, pairs(&[("d", "2")]));
    let one = store.tail(&feed, Sequence(0), 1).await.unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].0, "a");
}

/// A feed of more than is kept in memory is told whole.
pub async fn a_tail_that_is_long_skips_nothing(backend: &dyn Backend) {
    let store = backend.open().await;
    let feed = feed("ship");
    let _follows = store.watch(&Topic::Feed(feed.clone()));
    let value = Bytes::from(vec![7; 512 << 10]);
    for n in 0..40_u8 {
        store
            .commit(put_in_feed(&feed, vec![n], value.clone()))
            .await
            .unwrap();
    }
    let (mut after, mut seen) = (Sequence(0), Vec::new());
    loop {
        let page = store.tail(&feed, after, 3).await.unwrap();
        let Some((_, last)) = page.last() else { break };
        after = Sequence(last.revision.0);
        seen.extend(page.iter().map(|(key, _)| key[0]));
    }
    assert!(seen.into_iter().eq(0..40));
}

/// Removal takes the object and its entry; what was never there is no error.
pub async fn an_object_that_is_removed_leaves_its_feed(backend: &dyn Backend) {
    let store = backend.open().await;
    let feed = feed("ship");
    for key in ["a", "b", "c"] {
        store.commit(put_in_feed(&feed, key, "x")).await.unwrap();
    }
    for key in ["c", "never"] {
        let mut batch = Batch::new();
        batch.delete_from_feed(feed.clone(), key);
        store.commit(batch).await.unwrap();
    }
    assert_eq!(keys(&*store, &feed).await, ["a", "b"]);
    assert_eq!(value(&*store, Table::Objects, b"c").await, None);
    store.commit(put_in_feed(&feed, "c", "again")).await.unwrap();
    assert_eq!(keys(&*store, &feed).await, ["a", "b", "c"]);
}

/// Types whose names start alike, and the same type in two spaces, are feeds of their own.
pub async fn feeds_with_similar_names_do_not_mix(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut feeds: Vec<_> = ["s", "sh", "ship", "ship\0", "ship\0\0\0\0\0\0\0\0", "ships"]
        .map(feed)
        .into();
    let mut elsewhere = feed("ship");
    elsewhere.space = SpaceId::from_bytes([0xff; 16]);
    feeds.push(elsewhere);
    for round in 0..2 {
        for (n, feed) in feeds.iter().enumerate() {
            let batch = put_in_feed(feed, format!("object {n}"), format!("{round}"));
            store.commit(batch).await.unwrap();
        }
    }
    for (n, feed) in feeds.iter().enumerate() {
        assert_eq!(keys(&*store, feed).await, [format!("object {n}")]);
    }
}

/// Eight writers write; a reader that follows its cursor through `changes` ends up with the last state of every
/// object, which it could not if any page had skipped a change that came to light later.
pub async fn a_reader_of_a_busy_feed_skips_nothing(backend: &dyn Backend) {
    const WRITERS: u32 = 8;
    const ROUNDS: u32 = 40;
    let store = backend.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let mut batch = Batch::new();
                for n in 0..3 {
                    // Some objects are written by all writers, some by one.
                    let key = format!("{}/{n}", if round % 2 == 0 { writer } else { 99 });
                    batch.put_in_feed(feed("ship"), key, format!("{writer}/{round}"));
                }
                store.commit(batch).await.unwrap();
            }
        });
    }
    let reader = async {
        let mut wake = store.watch(&Topic::Feed(feed("ship")));
        let mut seen = BTreeMap::new();
        let mut cursor = Sequence(0);
        let mut writing = true;
        loop {
            let page = store.changes(&feed("ship"), cursor, 5).await.unwrap();
            for change in &page {
                assert!(change.sequence > cursor, "changes come in order");
                cursor = change.sequence;
                seen.insert(change.key.clone(), cursor);
            }
            if page.is_empty() {
                if !writing {
                    return seen;
                }
                tokio::select! {
                    woken = wake.changed() => woken.unwrap(),
                    done = writers.join_next() => match done {
                        Some(done) => done.unwrap(),
                        None => writing = false,
                    },
                }
            }
        }
    };
    let seen = reader.await;
    let last = store
        .changes(&feed("ship"), Sequence(0), usize::MAX)
        .await
        .unwrap();
    let last: BTreeMap<_, _> = last.into_iter().map(|c| (c.key, c.sequence)).collect();
    assert_eq!(last.len(), 3 * (WRITERS as usize + 1));
    assert_eq!(seen, last);
}
