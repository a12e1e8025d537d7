//! `kill -9`, for real: a child process commits and says what was acknowledged; it is killed; the store must hold
//! every acknowledged batch, and no batch in part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use peerd_core::SpaceId;
use tokio::task::JoinSet;

use super::*;
use crate::{Revision, verify_chain};

/// Tells the child where the store is.
const DIRECTORY: &str = "PEERD_STORE_CRASH_TEST_DIRECTORY";

/// How many tasks of the child commit at once, and over how many objects each of them goes round.
const WRITERS: u64 = 4;
const OBJECTS: u64 = 10;

/// After how many acknowledgements each round kills.
const ROUNDS: [usize; 12] = [1, 5, 2, 17, 40, 3, 90, 25, 200, 0, 60, 11];

/// So small that memory is written to disk, and disk compacted, while the killing goes on.
fn options() -> Options {
    Options {
        memtable_bytes: 128 << 10,
        ..Options::default()
    }
}

fn feed() -> FeedId {
    FeedId {
        space: SpaceId::from_bytes([3; 16]),
        object_type: "ship".to_owned(),
    }
}

fn say(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The child: commits until it is killed.
async fn commit_for_ever(path: &Path) {
    say("opening\n");
    let store = Arc::new(Embedded::open(path, &options()).unwrap());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let first = store
                .count(Table::Jobs, format!("{writer}/").as_bytes())
                .await
                .unwrap();
            for n in first.. {
                let mut batch = Batch::new();
                let body = vec![b'x'; 4000];
                batch.put(Table::Jobs, format!("{writer}/{n:08}"), body);
                batch.put_in_feed(feed(), format!("{writer}/{}", n % OBJECTS), n.to_string());
                batch.put(Table::Parked, format!("{writer}/{n:08}"), "");
                batch.audit(format!("{writer}/{n:08}"));
                store.commit(batch).await.unwrap();
                say(&format!("acknowledged {writer}/{n:08}\n"));
            }
        });
    }
    writers.join_all().await;
}

fn spawn(path: &Path) -> Child {
    let test = "embedded::tests::crash::every_acknowledged_commit_survives_kill_9";
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(DIRECTORY, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a child until it has acknowledged so many batches, kills it, and answers all it has acknowledged.
fn run_and_kill(path: &Path, count: usize) -> BTreeSet<String> {
    let mut child = spawn(path);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut acknowledged = BTreeSet::new();
    let (mut line, mut opening, mut killed) = (String::new(), false, false);
    while lines.read_line(&mut line).unwrap() > 0 {
        // A line that the kill cut off says nothing.
        if let Some(batch) = line
            .strip_prefix("acknowledged ")
            .and_then(|l| l.strip_suffix('\n'))
        {
            acknowledged.insert(batch.to_owned());
        }
        opening |= line == "opening\n";
        if opening && acknowledged.len() >= count && !killed {
            child.kill().unwrap();
            killed = true;
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself");
    acknowledged
}

async fn keys(store: &dyn Store, table: Table) -> BTreeSet<String> {
    let all = store.range(Range::prefix(table, "", usize::MAX)).await.unwrap();
    all.into_iter()
        .map(|(key, _)| String::from_utf8(key.to_vec()).unwrap())
        .collect()
}

/// Checks that every batch is there whole or not at all, and answers which are, with the largest revision.
async fn check_whole(store: &dyn Store) -> (BTreeSet<String>, Revision) {
    let batches = keys(store, Table::Jobs).await;
    assert_eq!(keys(store, Table::Parked).await, batches);
    assert!(verify_chain(store).await.unwrap().ok);
    let audit = store.audit(1, usize::MAX).await.unwrap();
    assert_eq!(audit.len(), batches.len());
    let audit: BTreeSet<_> = audit
        .into_iter()
        .map(|e| String::from_utf8(e.body.to_vec()).unwrap())
        .collect();
    assert_eq!(audit, batches);

    let mut objects = BTreeMap::new();
    for batch in &batches {
        let (writer, n) = batch.split_once('/').unwrap();
        let n: u64 = n.parse().unwrap();
        objects.insert(format!("{writer}/{}", n % OBJECTS), n.to_string());
    }
    let changes = store.changes(&feed(), Sequence(0), usize::MAX).await.unwrap();
    assert_eq!(changes.len(), objects.len());
    let mut last = Revision(0);
    for change in changes {
        let object = store.read(Table::Objects, &change.key).await.unwrap().unwrap();
        assert_eq!(object.revision.0, change.sequence.0);
        assert_eq!(object.value, objects[std::str::from_utf8(&change.key).unwrap()]);
        last = last.max(object.revision);
    }
    (batches, last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_commit_survives_kill_9() {
    if let Some(path) = std::env::var_os(DIRECTORY) {
        return commit_for_ever(Path::new(&path)).await;
    }
    let directory = TempDir::new().unwrap();
    let mut acknowledged = BTreeSet::new();
    for (round, count) in ROUNDS.into_iter().enumerate() {
        acknowledged.append(&mut run_and_kill(directory.path(), count));
        let store = Embedded::open(directory.path(), &options()).unwrap();
        let (there, last) = check_whole(&store).await;
        let missing: Vec<_> = acknowledged.difference(&there).collect();
        assert!(
            missing.is_empty(),
            "round {round}: {missing:?} were acknowledged and are gone"
        );
        let next = store.commit(put("after", "the kill")).await.unwrap();
        assert!(next.revision > last, "round {round}: a revision was given twice");
        store.close().await;
    }
}

/// How many files and directories there are below this one.
fn entries(path: &Path) -> usize {
    let Ok(directory) = std::fs::read_dir(path) else {
        return 0;
    };
    directory.flatten().map(|entry| 1 + entries(&entry.path())).sum()
}

/// The engine alone cannot finish a database whose making was cut off; the staging directory can.
#[tokio::test]
async fn a_kill_while_the_store_is_made_leaves_nothing_or_a_whole_one() {
    for count in [1, 2, 3, 4, 6, 8, 10, 13, 16, 20] {
        let directory = TempDir::new().unwrap();
        let mut child = spawn(directory.path());
        // Bounded: once the store is in its place, its making is over.
        while entries(directory.path()) < count && !directory.path().join("store").exists() {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Embedded::open(directory.path(), &options()).unwrap();
        check_whole(&store).await;
        store.commit(put("after", "the kill")).await.unwrap();
    }
}
