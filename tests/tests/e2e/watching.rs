//! Watching objects and looking at jobs, with the real binaries.

use std::path::Path;

use serde_json::Value;

use crate::process::Enrollment;
use crate::world::{World, property, text};

/// The key of the next change, and the token to go on after it.
fn next(lines: &mut impl Iterator<Item = Value>) -> (String, String) {
    let line = lines.next().expect("a line");
    let key = line["key"].as_str().unwrap_or_default();
    let event = line["event"].as_str().expect("a word");
    (format!("{event} {key}"), text(&line["resume_token"]))
}

fn edit(side: &Enrollment, key: &str, name: &str) {
    side.ctl(&[
        "object",
        "edit",
        "flights",
        "airport",
        key,
        &format!("name={name}"),
    ]);
}

#[test]
fn a_watcher_that_skips_what_came_hears_of_its_own_sides_edits_and_loses_none_over_a_crash() {
    let (mut world, id) = World::peered();
    world.load();
    for side in [&world.north, &world.south] {
        side.ctl(&["connection", "wait", &id, "--in-sync", "--timeout", "60s"]);
    }
    let watch = ["object", "watch", "flights", "airport", "--skip-imported"];
    let mut watching = world.south.stream(&watch);
    assert_eq!(next(&mut watching).0, "caught-up ");
    edit(&world.north, "JFK", "Idlewild");
    world.south.eventually("the edit arrives", |south| {
        (property(south, "JFK", "name") == "Idlewild").then_some(())
    });
    edit(&world.south, "LGA", "Fiorello");
    let (first, token) = next(&mut watching);
    assert_eq!(first, "changed LGA", "north's edit is skipped");
    drop(watching);
    let viewer = world.south.principal("vic", "--role viewer --space flights");
    jobs_tell_what_flowed(&world, &id, &viewer, &["done"]);

    edit(&world.south, "EWR", "Liberty");
    world.south.crash();
    edit(&world.north, "JFK", "Kennedy");
    let mut resumed = world.south.stream(&[&watch[..], &["--from", &token]].concat());
    assert_eq!(next(&mut resumed).0, "changed EWR");
    assert_eq!(next(&mut resumed).0, "caught-up ");

    // What was on its way when the other side crashed did not end well.
    jobs_tell_what_flowed(&world, &id, &viewer, &["done", "interrupted", "failed"]);
    // A watcher does not hold up a stop, and goes on when the daemon is back.
    assert_eq!(world.south.stop(), Some(0));
    world.south.run();
    edit(&world.south, "EWR", "Newark");
    let edited = resumed.find(|line| line["key"].is_string());
    assert_eq!(edited.expect("a line")["key"], "EWR");
}

fn jobs_tell_what_flowed(world: &World, id: &str, viewer: &Path, ended: &[&str]) {
    let list = |side: &Enrollment, direction: &str| -> Vec<Value> {
        let listed = side.say(&format!(
            "job list --connection {id} --type airport --direction {direction}"
        ));
        listed["items"].as_array().expect("items").clone()
    };
    let all = |side: &Enrollment, direction: &str, count: &str| -> u64 {
        let jobs = list(side, direction);
        jobs.iter().filter_map(|job| job[count].as_u64()).sum()
    };
    let loaded = all(&world.north, "export", "acknowledged");
    assert!(loaded >= 1_000, "{loaded}");
    assert!(all(&world.south, "import", "applied") >= 1_000);
    let first = list(&world.north, "export").pop().expect("a job");
    let job = text(&first["job_id"]);
    let shown = world.north.say(&format!("job show {job}"));
    assert_eq!(shown["job_id"], first["job_id"]);
    for field in [
        "connection_id",
        "type",
        "direction",
        "payload",
        "status",
        "started_at",
    ] {
        assert!(shown[field].is_string(), "{field}: {shown}");
    }
    assert_eq!(
        (&shown["direction"], &shown["payload"]),
        (&"export".into(), &"data".into())
    );
    assert!(ended.contains(&text(&shown["status"]).as_str()), "{shown}");
    if shown["status"] == "done" {
        assert_eq!(shown["error"], Value::Null);
    }
    let denied = world.south.try_ctl_as(viewer, &["job", "list"]);
    assert_eq!(denied.status.code(), Some(4));
    world
        .north
        .say_fails("job show job_00000000000000000000000000000000", 3, "NOT_FOUND");
}
