//! Outbox, inbox and what carries files between them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use peerd_core::{Reason, Time};
use peerd_relay::carry::{Carrier, Faults};
use peerd_relay::inbox::{CannotTake, Look};
use peerd_relay::outbox::CannotPut;
use peerd_relay::{Inbox, InboxLimits, Outbox, Refused};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::samples::NOW;

struct Place {
    dir: TempDir,
    inbox: Inbox,
    now: Time,
}

impl Place {
    fn new(limits: InboxLimits) -> Place {
        let dir = TempDir::new().unwrap();
        let inbox = Inbox::open(&dir.path().join("in"), &dir.path().join("quarantine"), limits).unwrap();
        Place { dir, inbox, now: NOW }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("in").join(name)
    }

    /// Two looks that are far enough apart.
    fn settled(&mut self) -> Look {
        self.inbox.look(self.now).unwrap();
        self.now = self.now.plus(self.inbox.settle());
        self.inbox.look(self.now).unwrap()
    }

    fn arrived(&mut self) -> Vec<String> {
        self.settled().arrived.into_iter().map(|file| file.name).collect()
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    names.sort();
    names
}

fn refused() -> Refused {
    Refused {
        reason: Reason::BundleDamaged,
        detail: "the body is not what was written".to_owned(),
    }
}

#[test]
fn an_outbox_shows_whole_files_only_and_stops_at_its_quota() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out");
    let outbox = Outbox::open(&path, 10).unwrap();
    outbox.put("a.sealed", b"12345").unwrap();
    outbox.put("b.sealed", b"67890").unwrap();
    let full = outbox.put("c.sealed", b"1").unwrap_err();
    assert_eq!(full.reason(), Reason::OutboxFull);
    assert!(matches!(full, CannotPut::Full { used: 10, quota: 10 }));
    assert_eq!(names(&path), ["a.sealed", "b.sealed"]);
    // Somebody collects.
    fs::remove_file(path.join("a.sealed")).unwrap();
    outbox.put("c.sealed", b"1").unwrap();
    assert!(outbox.holds("c.sealed") && !outbox.holds("a.sealed"));
    assert_eq!(outbox.usage().unwrap().bytes, 6);
    for name in ["", ".", "..", "a/b", "../a", ".hidden", "a.tmp", "a\0b"] {
        assert!(matches!(outbox.put(name, b""), Err(CannotPut::Name)), "{name:?}");
    }
    // What an interrupted write left goes, what others left stays.
    fs::write(path.join(".bundle-x.tmp"), b"half").unwrap();
    fs::write(path.join("foreign"), b"file").unwrap();
    Outbox::open(&path, 10).unwrap();
    assert_eq!(names(&path), ["b.sealed", "c.sealed", "foreign"]);
}

#[test]
fn a_file_arrives_once_it_no_longer_changes() {
    let mut place = Place::new(InboxLimits::default());
    fs::write(place.path("a.sealed"), b"half").unwrap();
    let look = place.inbox.look(place.now).unwrap();
    assert_eq!((look.arrived.len(), look.unsettled), (0, 1));
    // It grows: the wait begins anew.
    fs::write(place.path("a.sealed"), b"half and half").unwrap();
    place.now = place.now.plus(place.inbox.settle());
    assert_eq!(place.inbox.look(place.now).unwrap().unsettled, 1);
    place.now = place.now.plus(place.inbox.settle());
    assert_eq!(place.inbox.look(place.now).unwrap().arrived.len(), 1);
    assert_eq!(&place.inbox.read("a.sealed").unwrap()[..], b"half and half");
    place.inbox.remove("a.sealed").unwrap();
    place.inbox.remove("a.sealed").unwrap();
    assert!(place.arrived().is_empty());
    assert!(matches!(place.inbox.read("a.sealed"), Err(CannotTake::Gone)));
}

#[test]
fn what_is_no_plain_file_is_left_alone_and_never_followed_or_waited_for() {
    let mut place = Place::new(InboxLimits::default());
    let secret = place.dir.path().join("secret");
    fs::write(&secret, b"not for the relay").unwrap();
    symlink(&secret, place.path("link.sealed")).unwrap();
    symlink("nowhere", place.path("dangling.sealed")).unwrap();
    fs::create_dir(place.path("dir.sealed")).unwrap();
    let fifo = place.path("fifo.sealed");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let long = "x".repeat(220);
    fs::write(place.path(&long), b"long").unwrap();
    for name in [".hidden", "a.part", "b.tmp", "c.filepart", "d~"] {
        fs::write(place.path(name), b"being written").unwrap();
    }
    fs::write(place.path("good.sealed"), b"good").unwrap();

    let look = place.settled();
    assert_eq!(look.arrived.len(), 1);
    assert_eq!(look.odd, 5);
    for name in ["link.sealed", "dir.sealed", "fifo.sealed", &long, "../secret"] {
        assert!(
            matches!(place.inbox.read(name), Err(CannotTake::NoFile)),
            "{name}"
        );
    }
    assert!(matches!(
        place.inbox.read("dangling.sealed"),
        Err(CannotTake::NoFile)
    ));
    // Even quarantine does not follow: the link moves, what it names stays.
    place
        .inbox
        .quarantine("link.sealed", &refused(), place.now)
        .unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"not for the relay");
}

#[test]
fn a_file_that_is_too_large_is_not_read_and_too_many_are_seen() {
    let mut place = Place::new(InboxLimits {
        bundle_bytes_max: 4,
        files_max: 3,
        bytes_max: 11,
        ..InboxLimits::default()
    });
    fs::write(place.path("a"), b"12345").unwrap();
    assert!(matches!(
        place.inbox.read("a"),
        Err(CannotTake::TooLarge { bytes: 5, max: 4 })
    ));
    assert!(!place.settled().full);
    fs::write(place.path("b"), b"1234567").unwrap();
    assert!(place.settled().full, "too many bytes");
    fs::remove_file(place.path("b")).unwrap();
    assert!(!place.settled().full);
    for name in ["c", "d", "e"] {
        fs::write(place.path(name), b"").unwrap();
    }
    let look = place.settled();
    assert!(look.full, "too many files");
    assert!(look.arrived.len() <= 3);
}

#[test]
fn quarantine_says_why_and_drops_the_oldest() {
    let mut place = Place::new(InboxLimits {
        quarantine_files_max: 4,
        ..InboxLimits::default()
    });
    for number in 0..3_u64 {
        let name = format!("{number}.sealed");
        fs::write(place.path(&name), format!("bad {number}")).unwrap();
        place.now = place.now.plus(Duration::from_secs(1));
        place.inbox.quarantine(&name, &refused(), place.now).unwrap();
    }
    place
        .inbox
        .quarantine("gone.sealed", &refused(), place.now)
        .unwrap();
    let quarantine = place.dir.path().join("quarantine");
    let kept = names(&quarantine);
    assert_eq!(kept.len(), 4);
    assert!(kept[0].ends_with("-1.sealed") && kept[3].ends_with("-2.sealed.reason"));
    let reason = fs::read_to_string(quarantine.join(&kept[3])).unwrap();
    assert!(reason.starts_with("reason: BUNDLE_DAMAGED\ndetail: the body"));
    assert_eq!(fs::read(quarantine.join(&kept[2])).unwrap(), b"bad 2");
    assert_eq!(place.inbox.quarantined().unwrap().files, 4);
    assert!(place.arrived().is_empty());
}

#[test]
fn an_inbox_rings_when_a_file_comes_and_looks_by_itself_when_nothing_rings() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let place = Place::new(InboxLimits::default());
    runtime.block_on(async {
        let watch = place.inbox.watch(Duration::from_hours(1));
        assert!(watch.is_notified());
        // Before the wait or during it: it is not missed.
        fs::write(place.path("a"), b"1").unwrap();
        watch.changed(Duration::from_hours(1)).await;
        let polling = place.inbox.watch(Duration::from_millis(1));
        polling.changed(Duration::from_hours(1)).await;
    });
}

#[test]
fn a_carrier_without_faults_brings_everything_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let mut carrier = Carrier::new(&from, &to, Faults::default()).unwrap();
    for name in ["b", "a", ".c.tmp"] {
        fs::write(from.join(name), name).unwrap();
    }
    let turn = carrier.turn(NOW, true).unwrap();
    assert_eq!((turn.found, turn.delivered, turn.waiting), (2, 2, 0));
    assert_eq!(names(&from), [".c.tmp"]);
    assert_eq!(names(&to), ["a", "b"]);
    // The same name again is carried again.
    fs::write(from.join("a"), "new").unwrap();
    assert_eq!(carrier.turn(NOW, false).unwrap().delivered, 1);
    assert_eq!(fs::read(to.join("a")).unwrap(), b"new");
}

#[test]
fn a_delayed_file_waits_in_the_outbox_so_that_stopping_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let faults = Faults {
        delay: Duration::from_mins(1),
        ..Faults::default()
    };
    let mut carrier = Carrier::new(&from, &to, faults).unwrap();
    fs::write(from.join("a"), "a").unwrap();
    assert_eq!(carrier.turn(NOW, true).unwrap().waiting, 1);
    assert_eq!(names(&from), ["a"]);
    drop(carrier);
    let mut again = Carrier::new(&from, &to, faults).unwrap();
    assert_eq!(again.turn(NOW, true).unwrap().waiting, 1);
    let later = NOW.plus(Duration::from_mins(1));
    assert_eq!(again.turn(later, true).unwrap().delivered, 1);
    assert_eq!(names(&to), ["a"]);
}

/// Carries so many files and says what came of it, and what lies where.
fn carried(faults: Faults, files: usize) -> (peerd_relay::carry::Carried, Vec<(String, Vec<u8>)>) {
    let dir = TempDir::new().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let mut carrier = Carrier::new(&from, &to, faults).unwrap();
    for number in 0..files {
        fs::write(from.join(format!("{number:04}")), vec![7; 100]).unwrap();
    }
    let turn = carrier.turn(NOW, true).unwrap();
    assert!(names(&from).is_empty());
    let bytes = |name: String| (name.clone(), fs::read(to.join(name)).unwrap());
    (turn, names(&to).into_iter().map(bytes).collect())
}

#[test]
fn faults_come_about_as_often_as_asked_and_the_same_from_the_same_seed() {
    let faults = Faults {
        loss: 0.2,
        duplicate: 0.2,
        tear: 0.2,
        reorder: 5,
        seed: 7,
        ..Faults::default()
    };
    let (counts, files) = carried(faults, 400);
    assert!((40..=120).contains(&counts.lost), "{counts:?}");
    assert!((30..=110).contains(&counts.torn), "{counts:?}");
    assert!((20..=100).contains(&counts.duplicated), "{counts:?}");
    assert_eq!(
        counts.lost + counts.torn + counts.delivered - counts.duplicated,
        400
    );
    let torn = files.iter().filter(|(_, bytes)| bytes.len() < 100).count();
    assert_eq!(torn, counts.torn);
    assert_eq!(carried(faults, 400), (counts, files));
    let other = Faults { seed: 8, ..faults };
    assert_ne!(carried(other, 400).0, counts);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_not_lost_or_torn_arrives_whole_whatever_the_order(
        reorder in 0_usize..8,
        duplicate in 0.0..1.0_f64,
        seed: u64,
        files in 1_usize..30,
    ) {
        let faults = Faults { reorder, duplicate, seed, ..Faults::default() };
        let (counts, found) = carried(faults, files);
        prop_assert_eq!(counts.delivered, files + counts.duplicated);
        let whole = found.iter().map(|(name, _)| name.trim_start_matches("again-")).collect::<BTreeSet<_>>();
        prop_assert_eq!(whole.len(), files);
        prop_assert!(found.iter().all(|(_, bytes)| bytes.len() == 100));
    }
}
