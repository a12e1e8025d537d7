//! Artifacts with the real binaries.

use std::fs;
use std::path::Path;

use peerd_core::ContentHash;
use serde_json::Value;

use crate::process::Enrollment;
use crate::world::{World, text};

/// Bytes that do not compress, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn hash(content: &[u8]) -> String {
    ContentHash::from_bytes(*blake3::hash(content).as_bytes()).to_string()
}

pub(crate) fn put(side: &Enrollment, file: &Path, rest: &[&str]) -> Value {
    let file = file.to_str().expect("a path");
    side.ctl(&[&["artifact", "put", "flights", file], rest].concat())
}

fn get(side: &Enrollment, id: &str, out: &Path) -> Value {
    side.ctl(&["artifact", "get", "flights", id, out.to_str().expect("a path")])
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn b092_b095_a_file_is_put_listed_got_and_got_on_with_and_its_name_is_no_path() {
    let mut north = Enrollment::start("north");
    north.say("space create flights");
    let files = tempfile::tempdir().expect("a directory");
    let content = noise(7, (3 << 20) + 77);
    let file = files.path().join("report.pdf");
    fs::write(&file, &content).expect("written");

    let put_it = put(
        &north,
        &file,
        &["--name", "../../etc/report.pdf", "--tag", "b", "--tag", "a"],
    );
    assert_eq!(put_it["name"], "../../etc/report.pdf");
    assert_eq!(put_it["media_type"], "application/pdf");
    assert_eq!(put_it["size_bytes"], content.len());
    assert_eq!(put_it["blake3"], hash(&content).as_str());
    assert_eq!(put_it["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(put_it["complete"], true);
    assert_eq!(put_it["classification"], Value::Null);
    let id = text(&put_it["artifact_id"]);
    let listed = north.say("artifact list flights");
    assert_eq!(listed["items"], serde_json::json!([put_it]));
    assert_eq!(listed["next_page_token"], "");

    // What came in an earlier run is gone on with; nothing else is left beside the file.
    let here = tempfile::tempdir().expect("a directory");
    let out = here.path().join("out.pdf");
    let part = here
        .path()
        .join(format!(".peerctl-{}.part", &hash(&content)[..32]));
    fs::write(&part, &content[..1 << 20]).expect("written");
    get(&north, &id, &out);
    assert!(fs::read(&out).expect("a file") == content);
    assert_eq!(names(here.path()), ["out.pdf"]);
    // Bytes of an earlier run that are not those of the artifact are found out, and not kept.
    let mut wrong = content[..1 << 20].to_vec();
    wrong[9] ^= 1;
    fs::write(&part, wrong).expect("written");
    let again = here.path().join("again.pdf");
    let line = format!("artifact get flights {id} {}", again.display());
    north.say_fails(&line, 6, "CONTENT_MISMATCH");
    assert_eq!(names(here.path()), ["out.pdf"]);
    get(&north, &id, &again);
    let streamed = north.try_ctl(&["artifact", "get", "flights", &id, "-"]);
    assert!(streamed.status.success() && streamed.stdout == content);

    // A restart loses nothing, and a deleted artifact is not there.
    north.stop();
    north.run();
    get(&north, &id, &out);
    let renamed = north.say(&format!("artifact tag flights {id} a --remove"));
    assert_eq!(renamed["tags"], serde_json::json!(["b"]));
    north.say(&format!("artifact delete flights {id}"));
    north.say_fails(&format!("artifact show flights {id}"), 3, "NOT_FOUND");
}

#[test]
fn b100_content_is_replaced_and_restored_and_who_may_not_is_told_so() {
    let north = Enrollment::start("north");
    north.say("space create flights");
    let files = tempfile::tempdir().expect("a directory");
    let file = files.path().join("plan");
    fs::write(&file, b"one").expect("written");
    let first = put(&north, &file, &[]);
    let id = text(&first["artifact_id"]);
    assert_eq!(first["media_type"], "application/octet-stream");
    fs::write(&file, b"").expect("written");
    let second = put(&north, &file, &["--replace", &id]);
    assert_eq!(
        (&second["artifact_id"], &second["size_bytes"]),
        (&first["artifact_id"], &0.into())
    );
    assert_eq!(second["previous_blake3"], serde_json::json!([first["blake3"]]));
    let restored = north.say(&format!("artifact restore flights {id}"));
    assert_eq!(restored["blake3"], first["blake3"]);

    let viewer = north.principal("vera", "--role viewer --space flights");
    let path = file.to_str().expect("a path");
    let denied = north.try_ctl_as(&viewer, &["artifact", "put", "flights", path]);
    assert_eq!(denied.status.code(), Some(4));
    let seen = north.try_ctl_as(&viewer, &["artifact", "get", "flights", &id, "-"]);
    assert!(seen.status.success() && seen.stdout == b"one");
    let missing = files.path().join("missing");
    let line = format!("artifact put flights {}", missing.display());
    north.say_fails(&line, 6, "FILE_INVALID");
}

/// An active connection for objects and artifacts, both ways.
pub(crate) fn connected() -> (World, String) {
    let world = World::strangers();
    world.allow();
    world.link();
    world.spaces();
    let kinds = "--export objects,artifacts --import objects,artifacts";
    let link = world.link_id();
    let asked = world.north.say(&format!(
        "connection request --space flights --link {link} {kinds}"
    ));
    let (id, code) = (text(&asked["connection_id"]), text(&asked["code"]));
    world
        .south
        .say(&format!("connection approve {code} --space flights"));
    world
        .north
        .say(&format!("connection wait {id} --stage approved --timeout 60s"));
    world.north.say(&format!("connection activate {id}"));
    world
        .south
        .say(&format!("connection wait {id} --stage active --timeout 60s"));
    (world, id)
}

pub(crate) fn shown(side: &Enrollment, id: &str) -> Option<Value> {
    let listed = side.say("artifact list flights");
    let items = listed["items"].as_array().expect("a list").clone();
    items.into_iter().find(|item| item["artifact_id"] == id)
}

#[test]
fn b096_what_is_shared_by_tag_arrives_whole_and_goes_with_its_tag() {
    let (world, connection) = connected();
    let (north, south) = (&world.north, &world.south);
    let files = tempfile::tempdir().expect("a directory");
    let mut put_here = Vec::new();
    for (number, size) in [0, 1 << 16, 1 << 20, (5 << 20) + 9].into_iter().enumerate() {
        let content = noise(number as u64 + 1, size);
        let file = files.path().join(format!("{number}"));
        fs::write(&file, &content).expect("written");
        let artifact = put(north, &file, &["--tag", "public", "--name", "../../CON"]);
        put_here.push((text(&artifact["artifact_id"]), content));
    }
    let file = files.path().join("0");
    let hidden = text(&put(north, &file, &["--tag", "private"])["artifact_id"]);

    let share = north.say(&format!("artifact share {connection} --tag public"));
    assert_eq!(share["selection"], serde_json::json!({"tags": ["public"]}));
    for side in [north, south] {
        side.say(&format!("connection wait {connection} --in-sync --timeout 60s"));
    }
    for (id, content) in &put_here {
        let there = shown(south, id).expect("an artifact");
        assert_eq!(there["complete"], true, "in sync is with all content: {there}");
        assert_eq!(there["blake3"], hash(content).as_str());
        assert_eq!(there["name"], "../../CON");
        let out = files.path().join("out");
        get(south, id, &out);
        assert!(
            fs::read(&out).expect("a file") == *content,
            "{} bytes",
            content.len()
        );
    }
    assert!(shown(south, &hidden).is_none());
    let state = north.say(&format!("connection show {connection}"));
    assert_eq!(state["shared_artifacts"], "with tag public");
    let feeds = state["feeds"].as_array().expect("feeds");
    let feed = feeds.iter().find(|feed| feed["type"] == "peerd_artifact");
    assert_eq!(feed.expect("a feed")["lane"], "actions", "{state}");
    let verified = north.say(&format!("connection verify {connection}"));
    assert_eq!(verified["equal"], true, "{verified}");
    let jobs = north.say(&format!(
        "job list --connection {connection} --type peerd_artifact"
    ));
    assert!(!jobs["items"].as_array().expect("jobs").is_empty());

    north.say(&format!("artifact tag flights {hidden} public"));
    south.eventually("it is tagged later", |side| shown(side, &hidden));
    north.say(&format!("artifact tag flights {hidden} public --remove"));
    south.eventually("it is taken back", |side| {
        shown(side, &hidden).is_none().then_some(())
    });
    let (first, _) = &put_here[0];
    north.say(&format!("artifact delete flights {first}"));
    south.eventually("it is deleted", |side| shown(side, first).is_none().then_some(()));
    north.say(&format!("artifact unshare {connection}"));
    south.eventually("nothing is left", |side| {
        let listed = side.say("artifact list flights");
        listed["items"]
            .as_array()
            .expect("a list")
            .is_empty()
            .then_some(())
    });
    assert!(shown(north, &put_here[1].0).is_some(), "here they stay");
}
