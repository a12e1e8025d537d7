//! Ranges, pages, counts and bytes.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::task::JoinSet;

use super::{Backend, put, value};
use crate::{Batch, Copied, Range, Store, Table};

async fn keys(store: &dyn Store, range: Range) -> Vec<Vec<u8>> {
    let page = store.range(range).await.unwrap();
    page.into_iter().map(|(key, _)| key.to_vec()).collect()
}

/// Prefix, `after` and `limit`, at their edges.
pub async fn ranges_hold_their_bounds(backend: &dyn Backend) {
    let store = backend.open().await;
    let all: [&[u8]; 8] = [
        &[0],
        &[0, 0],
        b"a",
        b"ab",
        b"b",
        &[0xfe, 0xff],
        &[0xff],
        &[0xff, 0xff],
    ];
    let mut batch = Batch::new();
    for key in all {
        batch.put(Table::Names, key, "x");
    }
    store.commit(batch).await.unwrap();
    let range = |prefix: &[u8], limit| Range::prefix(Table::Names, prefix.to_vec(), limit);

    assert_eq!(keys(&*store, range(b"", 100)).await, all);
    assert_eq!(keys(&*store, range(b"", 3)).await, all[..3]);
    assert_eq!(keys(&*store, range(b"", 0)).await, all[..0]);
    assert_eq!(keys(&*store, range(b"", 0).after("a")).await, all[..0]);
    assert_eq!(keys(&*store, range(b"", usize::MAX).after("a")).await, all[3..]);
    assert_eq!(keys(&*store, range(b"a", 100)).await, all[2..4]);
    assert_eq!(keys(&*store, range(b"a", 100).after("a")).await, all[3..4]);
    assert_eq!(keys(&*store, range(b"a", 100).after("ab")).await, all[..0]);
    assert_eq!(keys(&*store, range(b"a", 100).after("A")).await, all[2..4]);
    assert_eq!(keys(&*store, range(b"a", 100).after("z")).await, all[..0]);
    assert_eq!(keys(&*store, range(&[0xfe, 0xff], 100)).await, all[5..6]);
    assert_eq!(keys(&*store, range(&[0xff], 100)).await, all[6..]);
    assert_eq!(keys(&*store, range(&[0xff, 0xff], 100)).await, all[7..]);
    assert_eq!(
        keys(&*store, range(&[0xff], 100).after(vec![0xff, 0xff])).await,
        all[..0]
    );
    assert_eq!(keys(&*store, range(b"nothing", 100)).await, all[..0]);
    for (prefix, count) in [(&b""[..], 8), (b"a", 2), (&[0xff], 2), (&[0], 2), (b"x", 0)] {
        assert_eq!(store.count(Table::Names, prefix).await.unwrap(), count);
    }
}

/// Page by page, a range gives every record once and in order, however large the page.
pub async fn pages_cover_a_range_once(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut batch = Batch::new();
    for n in 0..100_u8 {
        batch.put(Table::Names, vec![b'p', n], vec![n]);
        batch.put(Table::Names, vec![b'q', n], vec![n]);
    }
    store.commit(batch).await.unwrap();
    for limit in [1, 7, 50, 100, 101] {
        let mut seen = Vec::new();
        let mut next = Range::prefix(Table::Names, "p", limit);
        loop {
            let page = store.range(next.clone()).await.unwrap();
            assert!(page.len() <= limit);
            let Some((last, _)) = page.last() else { break };
            next = next.after(last.clone());
            seen.extend(page.into_iter().map(|(_, entry)| entry.value[0]));
        }
        assert_eq!(seen, (0..100).collect::<Vec<u8>>());
    }
}

/// While every batch gives all records one new value, no range answers with two.
pub async fn a_range_sees_whole_batches(backend: &dyn Backend) {
    const ROUNDS: u32 = 60;
    let store = backend.open().await;
    let writer = Arc::clone(&store);
    let mut writers = JoinSet::new();
    writers.spawn(async move {
        for round in 1..=ROUNDS {
            let mut batch = Batch::new();
            for n in 0..200_u8 {
                batch.put(Table::Names, vec![n], round.to_string());
            }
            writer.commit(batch).await.unwrap();
        }
    });
    loop {
        let all = store.range(Range::prefix(Table::Names, "", 1000)).await.unwrap();
        let (first, last) = (all.first(), all.last());
        let value = first.map(|(_, entry)| entry.value.clone());
        assert_eq!(value, last.map(|(_, entry)| entry.value.clone()));
        assert!(all.is_empty() || all.len() == 200, "half a batch: {}", all.len());
        assert!(all.iter().all(|(_, entry)| Some(&entry.value) == value.as_ref()));
        if value.is_some_and(|value| value == ROUNDS.to_string()) {
            break;
        }
    }
    writers.join_all().await;
}

/// The same key in every table is a record of its own, and no scan leaves its table.
pub async fn tables_do_not_mix(backend: &dyn Backend) {
    let plain = |table: &&Table| !matches!(table, Table::Objects | Table::Feed | Table::Audit);
    let store = backend.open().await;
    for table in Table::ALL.iter().filter(plain) {
        let mut batch = put(*table, "k", table.name());
        batch
            .put(*table, vec![0xff; 40], "last")
            .put(*table, vec![0], "first");
        store.commit(batch).await.unwrap();
    }
    for table in Table::ALL.iter().filter(plain) {
        assert_eq!(value(&*store, *table, b"k").await.unwrap(), table.name());
        let all = keys(&*store, Range::prefix(*table, "", 100)).await;
        assert_eq!(all, [vec![0], b"k".to_vec(), vec![0xff; 40]]);
        assert_eq!(store.count(*table, b"").await.unwrap(), 3);
        let mut batch = Batch::new();
        batch.delete(*table, "k");
        store.commit(batch).await.unwrap();
        assert_eq!(store.count(*table, b"").await.unwrap(), 2);
    }
}

/// Empty and large values, and keys of any bytes, come back as they were.
pub async fn values_and_keys_are_any_bytes(backend: &dyn Backend) {
    let store = backend.open().await;
    let large: Bytes = (0..1 << 20)
        .map(|n: u32| n.to_le_bytes()[n as usize % 3])
        .collect();
    let every_byte: Bytes = (0..=255_u8).collect();
    let records = [
        (Bytes::from_static(b"empty"), Bytes::new()),
        (Bytes::from_static(b"large"), large),
        (every_byte.clone(), every_byte),
        (Bytes::from_static(&[0]), Bytes::from_static(&[0])),
    ];
    for (key, value) in &records {
        store
            .commit(put(Table::Meta, key.clone(), value.clone()))
            .await
            .unwrap();
    }
    store.close().await;
    let store = backend.open().await;
    for (key, expected) in &records {
        assert_eq!(value(&*store, Table::Meta, key).await.as_ref(), Some(expected));
    }
    assert_eq!(store.count(Table::Meta, b"").await.unwrap(), 4);
}

/// Answers stand where their keys stood, absent and repeated ones too.
pub async fn many_reads_answer_in_order(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut batch = Batch::new();
    for n in 0..40_u8 {
        batch.put(Table::Names, vec![n], vec![n]);
    }
    store.commit(batch).await.unwrap();
    for count in [0, 3, 200_u8] {
        let keys: Vec<Bytes> = (0..count).rev().map(|n| vec![n / 2].into()).collect();
        let found = store.read_many(Table::Names, &keys).await.unwrap();
        assert_eq!(found.len(), keys.len());
        for (key, entry) in keys.iter().zip(found) {
            assert_eq!(entry.map(|entry| entry.value), (key[0] < 40).then(|| key.clone()));
        }
    }
}

/// A copy is of one moment, and has every record of every table.
pub async fn b118_a_copy_has_everything_of_one_moment(backend: &dyn Backend) {
    let store = backend.open().await;
    let mut batch = Batch::new();
    for number in 0..200_u8 {
        batch.put(Table::Links, vec![number], vec![number; 3]);
    }
    batch.put(Table::Meta, "a", "1");
    batch.audit("done");
    store.commit(batch).await.unwrap();
    let copying = store.copy();
    let mut later = Batch::new();
    later.put(Table::Meta, "b", "2");
    let after = store.commit(later).await.unwrap().revision;
    let parts: Vec<Copied> = copying.map(Result::unwrap).collect().await;
    let mut tables = std::collections::BTreeMap::new();
    for (place, part) in parts.into_iter().enumerate() {
        match part {
            Copied::Heads(revision) => {
                assert_eq!(place, 0, "the heads come first");
                assert!(revision <= after);
            }
            Copied::Rows(table, rows) => tables.entry(table).or_insert_with(Vec::new).extend(rows),
        }
    }
    assert_eq!(tables[&Table::Links].len(), 200);
    assert_eq!(tables[&Table::Audit].len(), 1);
    for (key, entry) in &tables[&Table::Links] {
        assert_eq!(store.read(Table::Links, key).await.unwrap().as_ref(), Some(entry));
    }
}
