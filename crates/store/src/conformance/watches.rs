//! Waking up.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Backend, feed, put, put_in_feed, value};
use crate::{Batch, Expect, Revision, Sequence, Table, Topic};

/// A commit marks the tables and feeds it touched, and nothing else; a refused one marks nothing.
pub async fn a_watcher_wakes_for_its_topic_only(backend: &dyn Backend) {
    let store = backend.open().await;
    let topics = [
        Topic::Table(Table::Links),
        Topic::Table(Table::Objects),
        Topic::Table(Table::Audit),
        Topic::Feed(feed("ship")),
        Topic::Feed(feed("port")),
    ];
    let mut watchers = topics.map(|topic| store.watch(&topic));
    let mut woken = || {
        watchers.each_mut().map(|w| {
            let changed = w.has_changed().unwrap();
            w.mark_unchanged();
            changed
        })
    };
    assert_eq!(woken(), [false; 5]);
    store.commit(put(Table::Links, "a", "x")).await.unwrap();
    assert_eq!(woken(), [true, false, false, false, false]);
    store.commit(put_in_feed(&feed("ship"), "a", "x")).await.unwrap();
    assert_eq!(woken(), [false, true, false, true, false]);
    let mut batch = Batch::new();
    batch.delete(Table::Links, "never").audit("x");
    batch.delete_from_feed(feed("port"), "never");
    store.commit(batch).await.unwrap();
    assert_eq!(woken(), [true, true, true, false, true]);
    let mut batch = put(Table::Links, "a", "y");
    batch.expect(Table::Links, "a", Expect::At(Revision(0)));
    store.commit(batch).await.unwrap_err();
    store.commit(put(Table::Policies, "a", "x")).await.unwrap();
    assert_eq!(woken(), [false; 5]);
}

/// Whoever waits for one id is woken for its record and those that belong to it, and for no other's.
pub async fn a_watcher_of_an_id_wakes_for_its_records_only(backend: &dyn Backend) {
    let store = backend.open().await;
    let (ours, theirs) = ([1; 16], [2; 16]);
    let mut wake = store.watch(&Topic::Of(Table::Outbox, ours));
    let mut woken = || {
        let changed = wake.has_changed().unwrap();
        wake.mark_unchanged();
        changed
    };
    let row = |id: [u8; 16], rest: &[u8]| [id.as_slice(), rest].concat();
    store
        .commit(put(Table::Outbox, row(theirs, b"1"), "x"))
        .await
        .unwrap();
    store
        .commit(put(Table::Links, row(ours, b""), "x"))
        .await
        .unwrap();
    store
        .commit(put(Table::Outbox, ours[..15].to_vec(), "shorter"))
        .await
        .unwrap();
    assert!(!woken());
    for key in [row(ours, b""), row(ours, b"1")] {
        store.commit(put(Table::Outbox, key, "x")).await.unwrap();
        assert!(woken());
    }
    let mut batch = Batch::new();
    batch.put(Table::Outbox, row(theirs, b"2"), "x");
    batch.delete(Table::Outbox, row(ours, b"1"));
    store.commit(batch).await.unwrap();
    assert!(woken(), "a removal, and beside others");
}

/// Whoever is woken finds what woke them.
pub async fn what_woke_a_watcher_is_visible(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut wake = store.watch(&Topic::Table(Table::Jobs));
    for n in 0..50 {
        let commit = {
            let store = Arc::clone(&store);
            JoinSet::from_iter([async move { store.commit(put(Table::Jobs, format!("{n}"), "x")).await }])
        };
        wake.changed().await.unwrap();
        let there = value(&*store, Table::Jobs, format!("{n}").as_bytes()).await;
        assert!(there.is_some(), "woken for {n} before it could be read");
        for committed in commit.join_all().await {
            committed.unwrap();
        }
    }
}

/// A watcher that reads until it finds nothing and then waits sees the last write of many, every time.
pub async fn no_wake_up_is_lost(backend: &dyn Backend) {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 25;
    let store = backend.open().await;
    let mut wake = store.watch(&Topic::Feed(feed("ship")));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let batch = put_in_feed(&feed("ship"), format!("{writer}/{round}"), "x");
                store.commit(batch).await.unwrap();
            }
        });
    }
    let mut cursor = Sequence(0);
    let mut seen = 0;
    while seen < WRITERS * ROUNDS {
        let page = store.changes(&feed("ship"), cursor, 3).await.unwrap();
        match page.last() {
            Some(last) => {
                cursor = last.sequence;
                seen += page.len() as u64;
            }
            None => wake.changed().await.unwrap(),
        }
    }
    writers.join_all().await;
}
