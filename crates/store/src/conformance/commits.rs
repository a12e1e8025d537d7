//! Conditions, all-or-nothing, revisions, closing.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Backend, feed, is_conflict, put, value};
use crate::{Batch, Error, Expect, Range, Revision, Sequence, Table};

/// What was committed is read, by the same store and by the one opened after it.
pub async fn a_commit_is_read_back_and_survives_reopening(backend: &dyn Backend) {
    let store = backend.open().await;
    assert_eq!(store.read(Table::Links, b"a").await.unwrap(), None);
    let mut batch = put(Table::Links, "a", "one");
    batch.put(Table::Policies, "b", "two").audit("done");
    let committed = store.commit(batch).await.unwrap();
    let a = store.read(Table::Links, b"a").await.unwrap().unwrap();
    let b = store.read(Table::Policies, b"b").await.unwrap().unwrap();
    assert_eq!((a.value.as_ref(), b.value.as_ref()), (&b"one"[..], &b"two"[..]));
    assert!(a.revision < b.revision && b.revision <= committed.revision);
    store.close().await;
    drop(store);

    let store = backend.open().await;
    assert_eq!(store.read(Table::Links, b"a").await.unwrap(), Some(a));
    assert_eq!(store.read(Table::Policies, b"b").await.unwrap(), Some(b));
    assert_eq!(store.audit(1, 10).await.unwrap().len(), 1);
}

/// Each kind of condition refuses its batch, wherever in the batch it stands, and nothing of it is written.
pub async fn a_condition_that_fails_leaves_nothing_behind(backend: &dyn Backend) {
    let store = backend.open().await;
    let was = store
        .commit(put(Table::Links, "a", "old"))
        .await
        .unwrap()
        .revision;
    let failing = [
        ("a", Expect::Absent),
        ("a", Expect::At(Revision(was.0 + 1))),
        ("a", Expect::At(Revision(0))),
        ("absent", Expect::At(was)),
    ];
    for (key, expect) in failing {
        let mut batch = put(Table::Links, "a", "new");
        batch.put(Table::Links, "b", "new").delete(Table::Links, "a");
        batch.put_in_feed(feed("t"), "object", "new").audit("new");
        batch.expect(Table::Links, key, expect);
        let answer = store.commit(batch).await;
        assert!(is_conflict(&answer), "{key} {expect:?}: {answer:?}");
    }
    assert_eq!(value(&*store, Table::Links, b"a").await.unwrap(), "old");
    assert_eq!(value(&*store, Table::Links, b"b").await, None);
    assert_eq!(value(&*store, Table::Objects, b"object").await, None);
    assert_eq!(store.head(&feed("t")).await.unwrap(), Sequence(0));
    assert_eq!(store.audit(1, 10).await.unwrap(), []);

    let mut batch = put(Table::Links, "a", "new");
    batch.expect(Table::Links, "a", Expect::At(was));
    batch.expect(Table::Links, "b", Expect::Absent);
    store.commit(batch).await.unwrap();
    assert_eq!(value(&*store, Table::Links, b"a").await.unwrap(), "new");
}

/// A batch's own writes do not change what its conditions mean, whatever the order.
pub async fn conditions_are_about_the_state_before_the_batch(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut batch = put(Table::Links, "a", "one");
    batch.expect(Table::Links, "a", Expect::Absent);
    let one = store.commit(batch).await.unwrap().revision;
    let mut batch = Batch::new();
    batch.delete(Table::Links, "a");
    batch.expect(Table::Links, "a", Expect::At(one));
    store.commit(batch).await.unwrap();
    assert_eq!(value(&*store, Table::Links, b"a").await, None);

    let mut only_asks = Batch::new();
    only_asks.expect(Table::Links, "a", Expect::Absent);
    store.commit(only_asks).await.unwrap();
    store.commit(Batch::new()).await.unwrap();
}

/// A key that no backend can keep is an error, never a panic, and takes its whole batch with it.
pub async fn a_batch_that_cannot_be_stored_is_refused_whole(backend: &dyn Backend) {
    let store = backend.open().await;
    let long = Bytes::from(vec![b'k'; 100_000]);
    for key in [Bytes::new(), long.clone()] {
        let mut batch = put(Table::Links, "a", "one");
        batch.put(Table::Links, key.clone(), "two");
        assert!(matches!(store.commit(batch).await, Err(Error::Corrupt { .. })));
        let mut batch = put(Table::Links, "a", "one");
        batch.put_in_feed(feed("t"), key.clone(), "two");
        assert!(matches!(store.commit(batch).await, Err(Error::Corrupt { .. })));
        assert_eq!(store.read(Table::Links, &key).await.unwrap(), None);
    }
    let mut batch = put(Table::Links, "a", "one");
    batch.put_in_feed(feed(&"t".repeat(100_000)), "object", "two");
    assert!(matches!(store.commit(batch).await, Err(Error::Corrupt { .. })));
    assert_eq!(value(&*store, Table::Links, b"a").await, None);
    let mut fits = put(Table::Links, long.slice(..32 * 1024), "fits");
    fits.expect(Table::Links, long, Expect::Absent);
    store.commit(fits).await.unwrap();
}

/// Many rounds of two writers on one record: one of them writes, the other is told.
pub async fn of_two_racing_writers_exactly_one_wins(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut revision = store.commit(put(Table::Links, "a", "0")).await.unwrap().revision;
    for _ in 0..100 {
        let race = |name: &'static str| {
            let store = Arc::clone(&store);
            async move {
                let mut batch = put(Table::Links, "a", name);
                batch.expect(Table::Links, "a", Expect::At(revision));
                (name, store.commit(batch).await)
            }
        };
        let mut racers = JoinSet::from_iter([race("left"), race("right")]);
        let (one, other) = (racers.join_next().await, racers.join_next().await);
        let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
        let (winner, loser) = if one.1.is_ok() { (one, other) } else { (other, one) };
        assert!(is_conflict(&loser.1), "{loser:?}");
        let entry = store.read(Table::Links, b"a").await.unwrap().unwrap();
        assert_eq!(entry.value, winner.0);
        assert_eq!(entry.revision, winner.1.unwrap().revision);
        revision = entry.revision;
    }
}

/// 64 writers at once, every third batch with a condition that cannot hold: those are refused, the others written,
/// and no batch is half there.
pub async fn conflicts_do_not_fail_their_neighbours(backend: &dyn Backend) {
    const WRITERS: u32 = 64;
    const ROUNDS: u32 = 6;
    let store = backend.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..ROUNDS {
                let bad = (writer + round) % 3 == 0;
                let mut batch = Batch::new();
                for part in ["x", "y"] {
                    let key = format!("{writer:02}/{round}/{part}");
                    batch.put(Table::Jobs, key.clone(), part);
                    batch.put_in_feed(feed("t"), key, part);
                }
                batch.audit(format!("{writer}/{round}"));
                if bad {
                    batch.expect(Table::Jobs, "nowhere", Expect::At(Revision(1)));
                }
                let answer = store.commit(batch).await;
                assert_eq!(is_conflict(&answer), bad, "{answer:?}");
                assert_eq!(answer.is_ok(), !bad);
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let good = (0..WRITERS).flat_map(|w| (0..ROUNDS).filter(move |r| (w + r) % 3 != 0));
    let good = good.count();
    assert_eq!(store.count(Table::Jobs, b"").await.unwrap(), 2 * good as u64);
    let changes = store.changes(&feed("t"), Sequence(0), usize::MAX).await.unwrap();
    assert_eq!(changes.len(), 2 * good);
    let report = crate::verify_chain(&*store).await.unwrap();
    assert_eq!((report.ok, report.records), (true, good as u64));
}

/// Every write has its own revision, larger than all before it, also after a reopening.
pub async fn revisions_grow_and_are_never_given_twice(backend: &dyn Backend) {
    let mut seen = BTreeSet::new();
    let mut last = Revision(0);
    for round in 0..3 {
        let store = backend.open().await;
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let mut batch = Batch::new();
                for n in 0..4 {
                    batch.put(Table::Jobs, format!("{writer}/{n}"), "job");
                    batch.put_in_feed(feed("t"), format!("{writer}/{n}"), "object");
                }
                store.commit(batch).await.unwrap()
            });
        }
        let committed: Vec<_> = writers.join_all().await;
        let mut lowest = Revision(u64::MAX);
        for table in [Table::Jobs, Table::Objects] {
            let all = store.range(Range::prefix(table, "", 100)).await.unwrap();
            assert_eq!(all.len(), 32);
            for (_, entry) in all {
                assert!(seen.insert(entry.revision), "round {round}: given twice");
                lowest = lowest.min(entry.revision);
            }
        }
        assert!(lowest > last, "round {round}: {lowest:?} comes after {last:?}");
        last = committed.iter().map(|c| c.revision).max().unwrap();
        assert_eq!(seen.last(), Some(&last));
        // The last thing before the reopening leaves no record that would carry the largest revision.
        let removed = store.commit(put(Table::Jobs, "gone", "soon")).await.unwrap();
        let mut batch = Batch::new();
        batch.delete(Table::Jobs, "gone");
        store.commit(batch).await.unwrap();
        last = removed.revision;
        store.close().await;
    }
}

/// Objects, feeds and the audit chain are consistent because only the commit writes them.
pub async fn what_the_commit_keeps_in_step_cannot_be_written_apart(backend: &dyn Backend) {
    let store = backend.open().await;
    for table in [Table::Objects, Table::Feed, Table::Audit] {
        let mut delete = Batch::new();
        delete.delete(table, "a");
        for batch in [put(table, "a", "one"), delete] {
            assert!(matches!(store.commit(batch).await, Err(Error::Corrupt { .. })));
        }
    }
}

/// Closing waits for what was being written; what comes later is refused.
pub async fn a_closed_store_refuses_commits(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut writers = JoinSet::new();
    for n in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move { (n, store.commit(put(Table::Jobs, format!("{n}"), "job")).await) });
    }
    store.close().await;
    let answer = store.commit(put(Table::Jobs, "late", "job")).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    store.close().await;
    let answers = writers.join_all().await;
    drop(store);

    let store = backend.open().await;
    assert_eq!(value(&*store, Table::Jobs, b"late").await, None);
    for (n, answer) in answers {
        let there = value(&*store, Table::Jobs, format!("{n}").as_bytes()).await;
        match answer {
            Ok(_) => assert!(there.is_some(), "{n} was acknowledged"),
            Err(Error::Unavailable(_)) => assert_eq!(there, None, "{n} was refused"),
            other => panic!("{other:?}"),
        }
    }
}

/// A condition that was read after the horizon holds as long as nothing was written since, and not a moment longer.
pub async fn what_was_read_after_the_horizon_is_checked_against_what_came_since(backend: &dyn Backend) {
    let store = backend.open().await;
    let key = Bytes::from_static(b"a");
    let write = |horizon, expect, text: &'static str| {
        let mut batch = Batch::read_at(horizon);
        batch.expect(Table::Objects, key.clone(), expect);
        batch.put_in_feed(feed("ship"), key.clone(), text);
        store.commit(batch)
    };
    let early = store.horizon();
    let first = write(early, Expect::Absent, "1").await.unwrap();
    assert!(is_conflict(&write(early, Expect::Absent, "lost").await));
    let later = store.horizon();
    assert!(later >= early);
    let second = write(later, Expect::At(first.revision), "2").await.unwrap();
    assert!(is_conflict(
        &write(later, Expect::At(first.revision), "lost").await
    ));
    assert!(is_conflict(&write(later, Expect::Absent, "lost").await));
    let third = write(store.horizon(), Expect::At(second.revision), "3").await;
    assert!(third.is_ok());
    assert_eq!(value(&*store, Table::Objects, b"a").await.unwrap(), "3");
    let changes = store.changes(&feed("ship"), Sequence(0), 10).await.unwrap();
    assert_eq!(changes.len(), 1, "it is in its feed once");
    // Of two writers that read the same, one comes first.
    let horizon = store.horizon();
    let at = Expect::At(third.unwrap().revision);
    let (one, other) = tokio::join!(write(horizon, at, "x"), write(horizon, at, "y"));
    assert_ne!(is_conflict(&one), is_conflict(&other));
}
