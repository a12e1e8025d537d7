//! The content of artifacts while processes are killed, and while there is no room.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::artifacts::{connected, hash, noise, put, shown};
use crate::process::Enrollment;
use crate::world::{World, text};

/// How long a transfer may show no progress.
const STUCK: Duration = Duration::from_mins(1);
/// The content that is on its way while processes are killed: more than a few lives of a process bring.
const LENGTH: usize = 160 << 20;

fn held(side: &Enrollment, hash: &str) -> PathBuf {
    side.data_dir().join("blobs/held").join(hash)
}

/// How much of some content is on the disk of a side; all when it is whole.
fn progress(side: &Enrollment, hash: &str) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let partial = side
        .data_dir()
        .join("blobs/spool")
        .join(format!("{hash}.partial"));
    let taken = fs::metadata(partial).map_or(0, |found| found.blocks() * 512);
    let whole = fs::metadata(held(side, hash)).map_or(0, |found| found.len());
    taken.max(whole)
}

/// Kills one end as soon as more has come than before.
fn kill_midway(world: &mut World, hash: &str, south: bool) {
    let before = progress(&world.south, hash);
    let began = Instant::now();
    while progress(&world.south, hash) <= before {
        assert!(
            began.elapsed() < STUCK,
            "no progress; the log:\n{}",
            world.south.log()
        );
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let victim = if south { &mut world.south } else { &mut world.north };
    victim.crash();
}

#[test]
fn b092_twenty_kills_in_the_middle_of_a_transfer_and_the_content_is_the_same() {
    let (mut world, connection) = connected();
    let files = tempfile::tempdir().expect("a directory");
    let content = noise(5, LENGTH);
    let file = files.path().join("large");
    fs::write(&file, &content).expect("written");
    let name = hash(&content);
    drop(content);
    let id = text(&put(&world.north, &file, &[])["artifact_id"]);
    world.north.say(&format!("artifact share {connection} --all"));
    for kill in 0..20 {
        assert!(
            !held(&world.south, &name).exists(),
            "it came whole before kill {kill}"
        );
        kill_midway(&mut world, &name, kill % 4 != 3);
        let seen = shown(&world.south, &id);
        assert!(seen.is_none_or(|seen| seen["complete"] == false));
    }
    world.south.eventually("the artifact is whole", |south| {
        shown(south, &id).filter(|item| item["complete"] == true)
    });
    let out = files.path().join("out");
    let path = out.to_str().expect("a path");
    world.south.ctl(&["artifact", "get", "flights", &id, path]);
    assert_eq!(hash(&fs::read(&out).expect("a file")), name);
    let left = fs::read_dir(world.south.data_dir().join("blobs/spool")).expect("a directory");
    assert_eq!(left.count(), 1, "nothing but the lock");
}
