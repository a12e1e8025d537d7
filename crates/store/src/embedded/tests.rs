use tempfile::TempDir;

use super::*;
use crate::conformance::Backend;

/// A directory of its own, and the store that is open there.
struct OnDisk {
    directory: TempDir,
    open: Mutex<Option<Arc<Embedded>>>,
}

impl OnDisk {
    fn new() -> OnDisk {
        OnDisk {
            directory: TempDir::new().unwrap(),
            open: Mutex::default(),
        }
    }
}

#[async_trait]
impl Backend for OnDisk {
    async fn open(&self) -> Arc<dyn Store> {
        let store = Arc::new(Embedded::open(self.directory.path(), &Options::default()).unwrap());
        *self.open.lock().unwrap() = Some(Arc::clone(&store));
        store
    }

    async fn overwrite(&self, table: Table, key: &[u8], value: &[u8]) {
        let store = self.open.lock().unwrap().clone().unwrap();
        store.danger_overwrite_for_tests(table, key, value).unwrap();
    }
}

crate::conformance!(conformance, OnDisk::new());

mod crash;

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::Meta, key.to_owned(), value.to_owned());
    batch
}

fn open(directory: &TempDir) -> Result<Embedded, Error> {
    Embedded::open(directory.path().join("data"), &Options::default())
}

#[tokio::test]
async fn a_directory_has_one_store_at_a_time() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory).unwrap();
    let second = open(&directory).unwrap_err();
    let Error::Unavailable(cause) = &second else {
        panic!("{second:?}")
    };
    assert!(cause.to_string().contains("in use by another process"), "{cause}");
    first.commit(put("a", "still mine")).await.unwrap();
    first.close().await;
    let second = open(&directory).unwrap();
    assert_eq!(
        second.read(Table::Meta, b"a").await.unwrap().unwrap().value,
        "still mine"
    );
    assert!(matches!(
        first.read(Table::Meta, b"a").await,
        Err(Error::Unavailable(_))
    ));
}

#[tokio::test]
async fn a_store_that_is_dropped_has_kept_everything_and_frees_its_directory() {
    let directory = TempDir::new().unwrap();
    for round in 0..3 {
        let store = open(&directory).unwrap();
        assert_eq!(store.count(Table::Meta, b"").await.unwrap(), round);
        store.commit(put(&round.to_string(), "x")).await.unwrap();
    }
}

#[tokio::test]
async fn a_format_that_this_version_cannot_read_is_refused_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    store.commit(put("a", "kept")).await.unwrap();
    store.close().await;
    let format = directory.path().join("data/store/format");
    let good = std::fs::read(&format).unwrap();
    for (text, says) in [
        ("peerd store 2\n", "upgrade"),
        ("peerd store 0\n", "does not name a format"),
        ("something else", "does not name a format"),
        ("", "does not name a format"),
    ] {
        std::fs::write(&format, text).unwrap();
        let error = open(&directory).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(std::fs::read_to_string(&format).unwrap(), text);
    }
    std::fs::write(&format, good).unwrap();
    let store = open(&directory).unwrap();
    assert_eq!(
        store.read(Table::Meta, b"a").await.unwrap().unwrap().value,
        "kept"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_commits_serves_reads_and_recovers() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let before = store.commit(put("a", "kept")).await.unwrap();
    let woken = store.watch(&Topic::Table(Table::Meta));
    store.room.reserve_for_tests(u64::MAX);
    for _ in 0..3 {
        assert!(matches!(
            store.commit(put("a", "lost")).await,
            Err(Error::Full(_))
        ));
        assert_eq!(
            store.read(Table::Meta, b"a").await.unwrap().unwrap().value,
            "kept"
        );
    }
    assert!(!woken.has_changed().unwrap());
    store.room.reserve_for_tests(0);
    let after = store.commit(put("a", "new")).await.unwrap();
    assert!(after.revision > before.revision);
    assert_eq!(store.read(Table::Meta, b"a").await.unwrap().unwrap().value, "new");
}

#[tokio::test]
async fn b118_a_store_is_made_of_the_copy_of_another() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory).unwrap();
    let feed = FeedId {
        space: peerd_core::SpaceId::from_bytes([1; 16]),
        object_type: "airport".to_owned(),
    };
    let key = [feed.prefix().as_slice(), b"JFK"].concat();
    let mut batch = put("a", "1");
    batch
        .put_in_feed(feed.clone(), key.clone(), "an object")
        .audit("done");
    first.commit(batch).await.unwrap();
    let last = first.commit(put("gone", "x")).await.unwrap().revision;
    let mut removal = Batch::new();
    removal.delete(Table::Meta, "gone");
    first.commit(removal).await.unwrap();

    let target = directory.path().join("second");
    let mut restoring = Embedded::restore(&target, &Options::default()).unwrap();
    assert!(
        Embedded::open(&target, &Options::default()).is_err(),
        "it is in the making"
    );
    let mut heads = Revision(0);
    let mut copying = first.copy();
    while let Some(part) = copying.next().await {
        match part.unwrap() {
            Copied::Heads(revision) => heads = revision,
            Copied::Rows(table, rows) => restoring.put(table, rows).unwrap(),
        }
    }
    assert!(heads >= last, "no revision is given out again");
    assert!(!target.join("store").exists());
    restoring.finish(heads).unwrap();

    let second = Embedded::open(&target, &Options::default()).unwrap();
    assert_eq!(second.horizon(), Some(heads));
    let tail = second.tail(&feed, Sequence(0), 9).await.unwrap();
    assert_eq!(tail, first.tail(&feed, Sequence(0), 9).await.unwrap());
    assert!(crate::verify_chain(&second).await.unwrap().ok);
    assert!(second.commit(put("b", "2")).await.unwrap().revision > heads);
    second.close().await;
    let again = Embedded::restore(&target, &Options::default());
    assert!(again.is_err(), "a store that is there stays");
}
