//! Backups of a running daemon, and a daemon that was restored from an old one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::process::Enrollment;
use crate::world::{World, count, property, sample, text};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn back_up(side: &Enrollment, file: &Path, flags: &[&str]) -> Output {
    let mut args = vec!["backup", file.to_str().expect("a path")];
    args.extend(flags);
    side.peerd(&args)
}

/// Stops a side, throws its directory away and restores it from this file.
fn restored_from(side: &mut Enrollment, file: &Path) {
    side.kill();
    std::fs::remove_dir_all(side.data_dir()).expect("gone");
    let output = side.peerd(&["restore", file.to_str().expect("a path")]);
    assert!(output.status.success(), "{}", stderr(&output));
    side.run();
}

fn file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("north.backup")
}

/// Both sides say that they have the same.
fn equal(world: &World, id: &str) {
    for side in [&world.north, &world.south] {
        side.eventually("both sides have the same", |side| {
            let output = side.try_ctl(&["connection", "verify", id]);
            output.status.success().then_some(())
        });
    }
}

#[test]
fn b118_a_backup_is_whole_for_its_owner_only_and_never_written_over() {
    let north = Enrollment::start("north");
    let dir = tempfile::tempdir().expect("a directory");
    let written = back_up(&north, &file(&dir), &[]);
    assert!(written.status.success(), "{}", stderr(&written));
    let mode = std::fs::metadata(file(&dir))
        .expect("a backup")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = back_up(&north, &file(&dir), &[]);
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));

    // Without the identity in it, or beside it, it is of no use; and no key is in it.
    let bytes = std::fs::read(file(&dir)).expect("a backup");
    let key = std::fs::read_to_string(north.data_dir().join("identity.key")).expect("a key");
    let line = key.lines().nth(1).expect("the key's first line").as_bytes();
    assert!(!bytes.windows(line.len()).any(|part| part == line));
    let target = dir.path().join("restored");
    let restore = |flags: &[&str]| {
        let target = target.to_str().expect("a path");
        let backup = file(&dir);
        let mut args = vec!["restore", backup.to_str().expect("a path"), "--data-dir", target];
        args.extend(flags);
        crate::process::program("peerd")
            .args(args)
            .output()
            .expect("peerd runs")
    };
    let without = restore(&[]);
    assert_eq!(without.status.code(), Some(6), "{}", stderr(&without));
    let stranger = Enrollment::init("stranger");
    let other = restore(&["--identity", stranger.data_dir().to_str().expect("a path")]);
    assert_eq!(other.status.code(), Some(6), "{}", stderr(&other));
    assert!(!target.exists(), "nothing is left of what failed");
    let right = restore(&["--identity", north.data_dir().to_str().expect("a path")]);
    assert!(right.status.success(), "{}", stderr(&right));
    let twice = restore(&["--identity", north.data_dir().to_str().expect("a path")]);
    assert_eq!(twice.status.code(), Some(5), "{}", stderr(&twice));

    // Damaged anywhere, or cut off, it is refused before anything is written.
    let third = dir.path().join("third");
    for damaged in [
        {
            let mut altered = bytes.clone();
            let middle = altered.len() / 2;
            altered[middle] ^= 1;
            altered
        },
        bytes[..bytes.len() - 7].to_vec(),
        b"something else".to_vec(),
    ] {
        let path = dir.path().join("damaged");
        std::fs::write(&path, damaged).expect("written");
        let output = crate::process::program("peerd")
            .args(["restore", path.to_str().expect("a path"), "--data-dir"])
            .arg(&third)
            .output()
            .expect("peerd runs");
        assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
        assert!(!third.exists());
    }
}

#[test]
fn b118_only_an_admin_makes_a_backup() {
    let north = Enrollment::start("north");
    let officer = north.principal("olga", "--role security-officer");
    let dir = tempfile::tempdir().expect("a directory");
    let token = officer.to_str().expect("a path");
    let denied = back_up(&north, &file(&dir), &["--token-file", token]);
    assert_eq!(denied.status.code(), Some(1), "{}", stderr(&denied));
    assert!(!file(&dir).exists());
    let left = std::fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(left, 0, "nothing is left of it");
}

/// What happens after the backup: edits at both sides, which the other acknowledges; a creation at North; and at South a
/// deletion, and an object that may not cross any more.
fn later(world: &World, written: u64) {
    let (north, south) = (&world.north, &world.south);
    north.say("object edit flights airport JFK name=Idlewild");
    north.say("object create flights airport faa=XN1 name=After lat=2 lon=2");
    south.say("object edit flights airport LAX name=Mines");
    south.say("object edit flights airport XO1 name=Later");
    south.say("object delete flights airport XG1");
    south.say("marking create secret");
    south.say("object set-security flights airport XR1 --marking secret");
    south.eventually("LAX is edited", |south| {
        (property(south, "LAX", "name") == "Mines").then_some(())
    });
    north.eventually("it arrives", |north| {
        (property(north, "LAX", "name") == "Mines").then_some(())
    });
    // What South has of LAX is then just what North sent last, with South's own edit in it.
    north.say("object edit flights airport LAX lat=3");
    is_later(world, written);
}

/// Both sides have all of that.
fn is_later(world: &World, written: u64) {
    for side in [&world.north, &world.south] {
        side.eventually("all of it went over", |side| {
            (property(side, "JFK", "name") == "Idlewild"
                && property(side, "LAX", "name") == "Mines"
                && property(side, "LAX", "lat") == 3.0
                && property(side, "XO1", "name") == "Later"
                && property(side, "XN1", "name") == "After")
                .then_some(())
        });
    }
    world.north.eventually("what South took back is gone", |north| {
        let taken_back = north.try_ctl(&["object", "get", "flights", "airport", "XR1"]);
        (taken_back.status.code() == Some(3) && count(north) == written + 2).then_some(())
    });
}

/// Somebody tries a link code of North's that was open when the backup was made.
fn try_old_code(north: &Enrollment, code: &str) {
    let east = Enrollment::start("east");
    let (host, port) = north.mpx.split_once(':').expect("host:port");
    east.say(&format!(
        "policy egress propose --destination {host} --port {port} --enrollment any --justification pilot --approve"
    ));
    east.say(&format!("link accept {code} --name north"));
    north.eventually("the code is refused", |north| {
        let knocks = north.say("link knocks")["items"].to_string();
        knocks.contains(&east.id()).then_some(())
    });
    assert_ne!(east.say("link show north")["status"], "healthy");
}

/// A write after the restore wins over those before it, both ways, and what is shared then flows.
fn goes_on(world: &World, id: &str) {
    let (north, south) = (&world.north, &world.south);
    north.say("object edit flights airport JFK name=Again");
    south.eventually("it arrives", |south| {
        (property(south, "JFK", "name") == "Again").then_some(())
    });
    south.say("object edit flights airport XN1 name=Agreed");
    north.eventually("it arrives", |north| {
        (property(north, "XN1", "name") == "Agreed").then_some(())
    });
    north.say(&format!("mapping share {id} airline"));
    south.say(&format!("mapping share {id} airline"));
    let airlines = sample("airlines.csv");
    let airlines = airlines.to_str().expect("a path");
    north.ctl(&["object", "load", "flights", "airline", airlines]);
    equal(world, id);
}

#[test]
fn b118_a_restored_daemon_takes_no_used_code_and_undoes_no_write() {
    let (mut world, id) = World::peered();
    let dir = tempfile::tempdir().expect("a directory");
    let written = world.load()["written"].as_u64().expect("a number");
    let (north, south) = (&world.north, &world.south);
    south.eventually("all have arrived", |south| {
        (count(south) == written).then_some(())
    });
    for key in ["XO1", "XG1", "XR1"] {
        south.say(&format!(
            "object create flights airport faa={key} name=Before lat=1 lon=1"
        ));
    }
    north.eventually("they have arrived", |north| {
        (count(north) == written + 3).then_some(())
    });
    let open_code = text(&north.say("link invite")["code"]);
    let (asked, invite) = world.request();
    let output = back_up(north, &file(&dir), &["--with-identity"]);
    assert!(output.status.success(), "{}", stderr(&output));

    later(&world, written);
    south.say(&format!("connection approve {invite} --space flights"));
    north.say(&format!("connection wait {asked} --stage approved --timeout 60s"));
    equal(&world, &id);

    restored_from(&mut world.north, &file(&dir));
    let north = &world.north;
    assert!(north.log().contains("restored from a backup"), "{}", north.log());
    let shown = north.say(&format!("connection show {asked}"));
    assert_eq!(
        shown["stage"], "revoked",
        "what was open may have been used since: {shown}"
    );
    try_old_code(north, &open_code);

    is_later(&world, written);
    equal(&world, &id);
    assert!(
        north.log().contains("foreign position"),
        "the new history is seen"
    );
    goes_on(&world, &id);
    assert_eq!(north.say("audit verify")["ok"], true);
}
