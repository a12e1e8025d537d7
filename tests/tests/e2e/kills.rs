//! `kill -9` after every step of the handshake and in the middle of a load: the same outcome, nothing acknowledged lost.

use std::io::Write as _;

use crate::process::Enrollment;
use crate::world::{World, count, healthy, text};

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    North,
    South,
    Both,
}

/// The steps of the handshake, in order. The victims are killed as soon as the step's answer is there, which is before
/// the other side has heard of it.
const STEPS: [&str; 7] = [
    "allow", "link", "spaces", "request", "approve", "activate", "share",
];

#[test]
fn b046_kill_minus_9_after_any_step_of_the_handshake_ends_in_the_same_outcome() {
    for step in STEPS {
        for victim in [Victim::North, Victim::South] {
            handshake_with_a_kill_after(step, victim);
        }
    }
    handshake_with_a_kill_after("approve", Victim::Both);
    handshake_with_a_kill_after("activate", Victim::Both);
}

fn handshake_with_a_kill_after(step: &str, victim: Victim) {
    let mut world = World::strangers();
    let reached = |world: &mut World, now: &str| {
        if now == step {
            kill(world, victim);
        }
    };
    world.allow();
    reached(&mut world, "allow");
    let invited = world.north.ctl(&["link", "invite"]);
    world
        .south
        .ctl(&["link", "accept", &text(&invited["code"]), "--name", "north"]);
    reached(&mut world, "link");
    healthy(&world.south, "north");
    world.spaces();
    reached(&mut world, "spaces");
    let (id, code) = world.request();
    reached(&mut world, "request");
    world
        .south
        .ctl(&["connection", "approve", &code, "--space", "flights"]);
    reached(&mut world, "approve");
    world.north.ctl(&[
        "connection",
        "wait",
        &id,
        "--stage",
        "approved",
        "--timeout",
        "60s",
    ]);
    world.north.ctl(&["connection", "activate", &id]);
    reached(&mut world, "activate");
    world
        .south
        .ctl(&["connection", "wait", &id, "--stage", "active", "--timeout", "60s"]);
    for side in [&world.north, &world.south] {
        side.ctl(&["mapping", "share", &id, "airport"]);
    }
    reached(&mut world, "share");
    let create = [
        "object",
        "create",
        "flights",
        "airport",
        "faa=JFK",
        "name=Idlewild",
        "lat=1",
        "lon=2",
    ];
    world.north.ctl(&create);
    world.south.eventually(
        &format!("data after a kill of {victim:?} after {step}"),
        |south| (count(south) == 1).then_some(()),
    );
    for side in [&world.north, &world.south] {
        assert_eq!(side.ctl(&["connection", "show", &id])["stage"], "active");
        assert_eq!(side.ctl(&["audit", "verify"])["ok"], true);
    }
}

fn kill(world: &mut World, victim: Victim) {
    if victim != Victim::South {
        world.north.kill();
    }
    if victim != Victim::North {
        world.south.kill();
    }
    if victim != Victim::South {
        world.north.run();
    }
    if victim != Victim::North {
        world.south.run();
    }
}

/// Rows of the load that is interrupted.
const ROWS: usize = 20_000;

#[test]
fn b046_kill_minus_9_of_either_side_during_a_load_loses_nothing_acknowledged() {
    let (mut world, id) = World::peered();
    let file = big_file();
    let path = file.path().to_str().expect("a path").to_owned();
    let load = ["object", "load", "flights", "airport", path.as_str()];
    // The importer dies while it is importing; then the exporter dies while it is loading.
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| world.north.try_ctl(&load));
        let _ = loading.join().expect("a load");
    });
    world
        .south
        .eventually("some have arrived", |south| (count(south) > 0).then_some(()));
    world.south.crash();
    world.north.crash();
    assert_eq!(count(&world.north), ROWS as u64, "acknowledged rows survive");
    let again = world.north.ctl(&load);
    assert_eq!(again["written"].as_u64(), Some(0), "{again}");
    world.south.eventually("all have arrived", |south| {
        (count(south) == ROWS as u64).then_some(())
    });
    world
        .north
        .ctl(&["connection", "wait", &id, "--in-sync", "--timeout", "60s"]);
}

#[test]
fn a_load_that_is_cut_by_kill_minus_9_can_be_repeated() {
    let mut north = Enrollment::start("north");
    north.ctl(&["space", "create", "flights"]);
    let ontology = crate::world::sample("flights.yaml");
    north.ctl(&["ontology", "apply", "flights", ontology.to_str().expect("a path")]);
    let file = big_file();
    let path = file.path().to_str().expect("a path").to_owned();
    let cut = {
        let north = &north;
        std::thread::scope(|scope| {
            let load = ["object", "load", "flights", "airport", path.as_str()];
            let loading = scope.spawn(move || north.try_ctl(&load));
            north.eventually("rows are acknowledged", |north| {
                (count(north) > 500).then_some(())
            });
            north.kill_now();
            loading.join().expect("a load")
        })
    };
    assert_eq!(
        cut.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&cut.stderr)
    );
    let error: serde_json::Value = serde_json::from_slice(&cut.stderr).expect("one error document");
    let acknowledged: u64 = error["error"]["details"]["written"]
        .as_str()
        .and_then(|written| written.parse().ok())
        .unwrap_or(0);
    north.kill();
    north.run();
    assert!(
        count(&north) >= acknowledged,
        "{acknowledged} rows were acknowledged"
    );
    let again = north.ctl(&["object", "load", "flights", "airport", &path]);
    assert_eq!(again["read"].as_u64(), Some(ROWS as u64));
    assert_eq!(count(&north), ROWS as u64);
}

fn big_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new()
        .suffix(".csv")
        .tempfile()
        .expect("a file");
    writeln!(file, "faa,name,lat,lon,alt,tz,dst,tzone").expect("written");
    for row in 0..ROWS {
        writeln!(
            file,
            "X{row:05},Field {row},40.5,-73.5,{},-5,A,America/New_York",
            row % 9000
        )
        .expect("written");
    }
    file
}
