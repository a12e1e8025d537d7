//! Peering through guards: every file is XML, passes one pair of hands, and is what the schema says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Carrier, Enrollment};
use crate::relays::Relayed;
use crate::world::{World, count, text};

/// What befalls files behind the guard.
const ROUGH: [&str; 6] = ["--loss", "0.1", "--duplicate", "0.1", "--reorder", "8"];

/// The ontology of the samples, and one property more than it has.
const NICK: &str = "      nick: {type: string, nullable: true}\n";

/// Files of these kinds are held back.
type Held = Arc<Mutex<BTreeSet<&'static str>>>;

/// What passes files one way, and keeps a copy of each. What it lets through goes on with a carrier.
struct Guard {
    seen: PathBuf,
    held: Held,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _carrier: Carrier,
}

impl Guard {
    fn start(outbox: &Path, inbox: &Path, own: &Path, flags: &[&str]) -> Guard {
        let (seen, passed) = (own.join("seen"), own.join("passed"));
        for dir in [&seen, &passed] {
            fs::create_dir_all(dir).expect("a directory");
        }
        let carrier = Carrier::start(&passed, inbox, flags);
        let (held, over) = (Held::default(), Arc::new(AtomicBool::new(false)));
        let (holds, ends) = (Arc::clone(&held), Arc::clone(&over));
        let (from, copies) = (outbox.to_owned(), seen.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                // Whoever holds files back from now on waits until this round is over.
                pass(
                    &from,
                    &copies,
                    &passed,
                    &holds.lock().unwrap_or_else(PoisonError::into_inner),
                );
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        Guard {
            seen,
            held,
            over,
            thread: Some(thread),
            _carrier: carrier,
        }
    }

    fn hold(&self, kinds: &[&'static str]) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = kinds.iter().copied().collect();
    }

    /// The kinds of the files that crossed, and how many there were. Each is what the schema says.
    fn crossed(&self, schema: &Path) -> (BTreeSet<String>, usize) {
        let files: Vec<PathBuf> = fs::read_dir(&self.seen)
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        valid(schema, &files);
        let kind = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(".xml")?;
            Some(name.rsplit_once('.')?.1.to_owned())
        };
        (files.iter().filter_map(kind).collect(), files.len())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Passes what lies there now. A file that its sender takes back meanwhile is none.
fn pass(from: &Path, copies: &Path, to: &Path, held: &BTreeSet<&str>) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    for name in entries.flatten().map(|entry| entry.file_name()) {
        let is_held = |name: &str| held.iter().any(|kind| name.contains(&format!(".{kind}.")));
        let Some(name) = name
            .to_str()
            .filter(|name| !name.starts_with('.') && !is_held(name))
        else {
            continue;
        };
        if fs::copy(from.join(name), copies.join(name)).is_ok() {
            let _ = fs::rename(from.join(name), to.join(name));
        }
    }
}

/// Asks a program that is not ours, where there is one: the run of everything installs it.
fn valid(schema: &Path, files: &[PathBuf]) {
    for some in files.chunks(500) {
        let mut asked = Command::new("xmllint");
        asked
            .args(["--nonet", "--noout", "--schema"])
            .arg(schema)
            .args(some);
        let Ok(answer) = asked.output() else { return };
        let told = String::from_utf8_lossy(&answer.stderr);
        let wrong: Vec<&str> = told.lines().filter(|line| !line.ends_with("validates")).collect();
        assert!(answer.status.success(), "{}", wrong.join("\n"));
    }
}

/// Two enrollments, and a guard each way.
struct Guarded {
    north_to_south: Guard,
    south_to_north: Guard,
    relayed: Relayed,
}

impl Guarded {
    fn start(more: &[&str], faults: &[&str]) -> Guarded {
        let flags = [&["--form", "xml"], more].concat();
        let relayed = Relayed::start(&flags);
        let guard = |to: &str, from: &str, seed| {
            let (outbox, inbox) = (relayed.of(to, "outbox"), relayed.of(from, "inbox"));
            let flags = [faults, &["--seed", seed]].concat();
            Guard::start(&outbox, &inbox, &relayed.of(to, "guard"), &flags)
        };
        Guarded {
            north_to_south: guard("south", "north", "1"),
            south_to_north: guard("north", "south", "2"),
            relayed,
        }
    }

    /// Exports the schemas of a side.
    fn export(&self, side: &Enrollment, id: &str, dir: &str) -> (Value, PathBuf) {
        let dir = self.relayed.dir.path().join(dir);
        let exported = side.ctl(&["ontology", "export-xsd", id, dir.to_str().expect("a path")]);
        (exported, dir)
    }

    /// Waits until North's objects lie before the guard that holds them back.
    fn objects_are_held(&self) {
        let outbox = self.relayed.of("south", "outbox");
        self.relayed.world.north.eventually("a bundle lies there", |_| {
            let outbox = fs::read_dir(&outbox).expect("a directory");
            let mut names = outbox.flatten().map(|entry| entry.file_name());
            let is_held = names.any(|name| name.to_string_lossy().contains(".objects."));
            is_held.then_some(())
        });
    }

    /// Waits until the other side's sharing is here as it is there.
    fn told(&self, from: &Enrollment, to: &Enrollment, id: &str) {
        let (said, _) = self.export(from, id, "said");
        to.eventually("the sharing is here", |to| {
            let (heard, _) = self.export(to, id, "heard");
            let [said, heard] = [&said["outgoing"], &heard["incoming"]].map(|it| &it["sharing_revision"]);
            (said == heard).then_some(())
        });
    }
}

/// Applies the ontology of the samples with one property more.
fn grow(side: &Enrollment) {
    let before = fs::read_to_string(crate::world::sample("flights.yaml")).expect("a file");
    let after = "      faa: string\n";
    assert!(before.contains(after));
    let grown = before.replacen(after, &format!("{after}{NICK}"), 1);
    let file = side.data_dir().join("grown.yaml");
    fs::write(&file, grown).expect("written");
    side.ctl(&["ontology", "apply", "flights", file.to_str().expect("a path")]);
}

/// Nothing was put aside, nothing is missing, and nothing waits.
fn is_quiet(side: &Enrollment) {
    side.eventually("nothing is missing, and nothing waits", |side| {
        let relay = side.say("link show files")["relay"].clone();
        let open = ["gaps", "waiting", "unacknowledged"];
        open.iter().all(|key| relay[key] == 0).then_some(())
    });
    let relay = side.say("link show files")["relay"].clone();
    assert!(
        relay["refused"] == 0 && relay["quarantined"] == 0 && relay["form"] == "xml",
        "{relay}"
    );
}

#[test]
fn b120_everything_crosses_as_xml_that_the_exported_schemas_describe() {
    let guarded = Guarded::start(&["--bundle-bytes-max", "262144"], &ROUGH);
    let relayed = &guarded.relayed;
    let id = relayed.connect();
    relayed.world.share(&id);
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    relayed.both_have(many);
    let World { north, south } = &relayed.world;
    for round in 0..5 {
        north.say(&format!("object edit flights airport JFK name=north-{round}"));
        south.say(&format!("object edit flights airport EWR name=south-{round}"));
    }
    Relayed::becomes(south, "JFK", "name", &"north-4".into());
    Relayed::becomes(north, "EWR", "name", &"south-4".into());
    north.say("marking create medical");
    north.say("object set-security flights airport LGA --marking medical");
    south.eventually("the copy goes", |south| (count(south) == many - 1).then_some(()));
    relayed.is_equal(&id);
    is_quiet(north);
    is_quiet(south);
    let (exported, here) = guarded.export(north, &id, "north");
    let (_, there) = guarded.export(south, &id, "south");
    assert_eq!(
        exported["outgoing"]["object_types"],
        serde_json::json!(["airport"])
    );
    for (one, other) in [("outgoing.xsd", "incoming.xsd"), ("incoming.xsd", "outgoing.xsd")] {
        let [one, other] = [here.join(one), there.join(other)].map(fs::read_to_string);
        assert_eq!(one.expect("a file"), other.expect("a file"));
    }
    for (guard, schema) in [
        (&guarded.north_to_south, here.join("outgoing.xsd")),
        (&guarded.south_to_north, here.join("incoming.xsd")),
    ] {
        let (kinds, files) = guard.crossed(&schema);
        for kind in ["lifecycle", "sharing", "objects", "ack", "heartbeat", "query"] {
            assert!(kinds.contains(kind), "{kind} of {kinds:?}, {files} files");
        }
    }
    north.say(&format!("connection close {id} --imported keep"));
    relayed.world.stage(&id, "closed");
}

#[test]
fn b120_schemas_that_change_while_bundles_are_under_way_lose_and_refuse_nothing() {
    let guarded = Guarded::start(&[], &[]);
    let relayed = &guarded.relayed;
    let id = relayed.connect();
    relayed.world.share(&id);
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    relayed.both_have(many);
    let World { north, south } = &relayed.world;
    let way = &guarded.north_to_south;
    grow(south);
    // Objects overtake the sharing that has their schema: they wait for it.
    way.hold(&["sharing"]);
    grow(north);
    north.say("object edit flights airport JFK nick=Idlewild");
    south.eventually("objects wait", |south| {
        let waiting = south.say("link show files")["relay"]["waiting"].as_u64();
        (waiting > Some(0)).then_some(())
    });
    assert_ne!(crate::world::property(south, "JFK", "nick"), "Idlewild");
    way.hold(&[]);
    Relayed::becomes(south, "JFK", "nick", &"Idlewild".into());
    is_quiet(south);
    // Objects come late: what was shared after they were written is here already.
    way.hold(&["objects"]);
    north.say("object edit flights airport EWR name=Earlier nick=Early");
    guarded.objects_are_held();
    north.say(&format!("mapping share {id} airline"));
    guarded.told(north, south, &id);
    way.hold(&[]);
    Relayed::becomes(south, "EWR", "name", &"Earlier".into());
    Relayed::becomes(south, "EWR", "nick", &"Early".into());
    is_quiet(south);
    // A type that is let out no more is let go, unread, and comes anew when it is let out again.
    way.hold(&["objects"]);
    north.say("object edit flights airport LGA name=Guardia");
    guarded.objects_are_held();
    north.say(&format!("mapping unshare {id} airport"));
    guarded.told(north, south, &id);
    way.hold(&[]);
    is_quiet(north);
    is_quiet(south);
    north.say(&format!("mapping share {id} airport"));
    relayed.both_have(many);
    Relayed::becomes(south, "LGA", "name", &"Guardia".into());
    relayed.is_equal(&id);
    let (_, dir) = guarded.export(south, &id, "south");
    way.crossed(&dir.join("incoming.xsd"));
}

#[test]
fn b120_content_crosses_as_xml() {
    let guarded = Guarded::start(&["--bundle-bytes-max", "4194304"], &ROUGH);
    let relayed = &guarded.relayed;
    let id = relayed.connect_for("--export artifacts");
    let World { north, south } = &relayed.world;
    let file = relayed.dir.path().join("large.bin");
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(&file, &bytes).expect("written");
    north.ctl(&["artifact", "put", "flights", file.to_str().expect("a path")]);
    north.say(&format!("artifact share {id} --all"));
    let artifact = south.eventually("it is complete", |south| {
        let listed = south.say("artifact list flights");
        let items = listed["items"].as_array().expect("a list").clone();
        let complete = items.iter().find(|item| item["complete"] == true)?;
        Some(text(&complete["artifact_id"]))
    });
    let out = relayed.dir.path().join("out.bin");
    south.ctl(&[
        "artifact",
        "get",
        "flights",
        &artifact,
        out.to_str().expect("a path"),
    ]);
    assert_eq!(fs::read(out).expect("a file"), bytes);
    let (exported, dir) = guarded.export(north, &id, "north");
    assert_eq!(
        exported["outgoing"]["object_types"].as_array().map(Vec::len),
        Some(1)
    );
    let (kinds, _) = guarded.north_to_south.crossed(&dir.join("outgoing.xsd"));
    assert!(
        kinds.contains("content") && kinds.contains("objects"),
        "{kinds:?}"
    );
}
