//! The audit chain.

use super::{Backend, put};
use crate::audit::{ChainReport, hash};
use crate::{Batch, Error, Expect, Revision, Store, Table, verify_chain};

async fn append(store: &dyn Store, bodies: &[&'static str]) {
    let mut batch = Batch::new();
    for body in bodies {
        batch.audit(*body);
    }
    store.commit(batch).await.unwrap();
}

/// Records are numbered from one, each carries the hash of the one before, also across a reopening.
pub async fn the_audit_chain_grows_and_verifies(backend: &dyn Backend) {
    let store = backend.open().await;
    let empty = ChainReport {
        ok: true,
        records: 0,
        head: [0; 32],
        first_bad: None,
    };
    assert_eq!(verify_chain(&*store).await.unwrap(), empty);
    append(&*store, &["one", "two"]).await;
    store.close().await;
    let store = backend.open().await;
    append(&*store, &["", "four"]).await;

    let chain = store.audit(1, 10).await.unwrap();
    assert_eq!(store.audit(0, 10).await.unwrap(), chain);
    let mut previous = [0; 32];
    for (entry, (number, body)) in chain.iter().zip((1..).zip(["one", "two", "", "four"])) {
        assert_eq!((entry.number, &entry.body[..]), (number, body.as_bytes()));
        assert_eq!(entry.previous, previous);
        assert_eq!(entry.hash, hash(number, &previous, body.as_bytes()));
        previous = entry.hash;
    }
    assert_eq!(chain.len(), 4);
    assert_eq!(store.audit(3, 1).await.unwrap(), chain[2..3]);
    assert_eq!(store.audit(5, 10).await.unwrap(), []);
    assert_eq!(store.audit(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(store.audit(1, 0).await.unwrap(), []);
    for _ in 0..200 {
        append(&*store, &["a", "b", "c", "d", "e"]).await;
    }
    let report = verify_chain(&*store).await.unwrap();
    assert_eq!((report.ok, report.records), (true, 1004));
    assert_eq!(report.head, store.audit(1004, 1).await.unwrap()[0].hash);
}

/// Numbers have no holes where batches were refused.
pub async fn a_refused_batch_leaves_no_audit_record(backend: &dyn Backend) {
    let store = backend.open().await;
    for n in 0..6 {
        let mut batch = put(Table::Meta, format!("{n}"), "x");
        batch.audit("x");
        if n % 2 == 0 {
            batch.expect(Table::Meta, "nowhere", Expect::At(Revision(1)));
        }
        assert_eq!(store.commit(batch).await.is_ok(), n % 2 == 1);
    }
    let report = verify_chain(&*store).await.unwrap();
    assert_eq!((report.ok, report.records), (true, 3));
}

/// One changed byte anywhere in a record shows, and everything before it still counts as right.
pub async fn a_changed_audit_record_is_found(backend: &dyn Backend) {
    let store = backend.open().await;
    append(&*store, &["one", "two", "three", "four"]).await;
    let key = 3_u64.to_be_bytes();
    let stored = store.read(Table::Audit, &key).await.unwrap().unwrap().value;
    for at in [0, 32, stored.len() - 1] {
        let mut changed = stored.to_vec();
        changed[at] ^= 1;
        backend.overwrite(Table::Audit, &key, &changed).await;
        let report = verify_chain(&*store).await.unwrap();
        assert_eq!((report.ok, report.records, report.first_bad), (false, 2, Some(3)));
    }
    // A record whose own hash fits, but which is not what the next one was built on.
    let entry = &store.audit(2, 1).await.unwrap()[0];
    let forged = [&entry.hash[..], &hash(3, &entry.hash, b"forged"), b"forged"].concat();
    backend.overwrite(Table::Audit, &key, &forged).await;
    let report = verify_chain(&*store).await.unwrap();
    assert_eq!((report.ok, report.first_bad), (false, Some(4)));
    backend.overwrite(Table::Audit, &key, &stored).await;
    assert!(verify_chain(&*store).await.unwrap().ok);
}

/// A record that is too short to be one is an error for a reader, and a finding for the verification.
pub async fn an_unreadable_audit_record_is_found(backend: &dyn Backend) {
    let store = backend.open().await;
    append(&*store, &["one", "two", "three"]).await;
    backend
        .overwrite(Table::Audit, &2_u64.to_be_bytes(), b"short")
        .await;
    assert!(matches!(store.audit(1, 10).await, Err(Error::Corrupt { .. })));
    let report = verify_chain(&*store).await.unwrap();
    assert_eq!((report.ok, report.records, report.first_bad), (false, 1, Some(2)));
}
