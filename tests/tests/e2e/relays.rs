//! Peering by files alone: two daemons that cannot reach each other, directories, and something that carries.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Carrier, Enrollment};
use crate::world::{World, count, property, text};

/// Times as short as the tests need them.
const QUICK: [(&str, &str); 9] = [
    ("PEERD_RELAY__POLL", "100ms"),
    ("PEERD_RELAY__SETTLE", "30ms"),
    ("PEERD_RELAY__ACKNOWLEDGE_AFTER", "100ms"),
    ("PEERD_RELAY__HEARTBEAT", "500ms"),
    ("PEERD_RELAY__ON_THE_WAY", "700ms"),
    ("PEERD_RELAY__RETRY_AFTER", "500ms"),
    ("PEERD_RELAY__REPEAT_EVERY", "700ms"),
    ("PEERD_RELAY__SNAPSHOT_EVERY", "2s"),
    ("PEERD_LIMITS__CLOCK_SKEW_MAX", "2h"),
];

/// What befalls files on the way.
const ROUGH: [&str; 8] = [
    "--loss",
    "0.1",
    "--duplicate",
    "0.1",
    "--reorder",
    "8",
    "--tear",
    "0.05",
];

/// Two enrollments with a relay between them.
pub(crate) struct Relayed {
    pub(crate) world: World,
    pub(crate) dir: TempDir,
    carriers: Vec<Carrier>,
}

impl Relayed {
    /// Two daemons that admit each other and share nothing but directories.
    pub(crate) fn start(flags: &[&str]) -> Relayed {
        let started = |name| {
            let mut side = Enrollment::init(name);
            side.environment.extend(QUICK);
            side.run();
            side
        };
        let world = World {
            north: started("north"),
            south: started("south"),
        };
        world.allow();
        let relayed = Relayed {
            world,
            dir: tempfile::tempdir().expect("a directory"),
            carriers: Vec::new(),
        };
        let World { north, south } = &relayed.world;
        for (side, other, name) in [(north, south, "south"), (south, north, "north")] {
            let code = text(&other.ctl(&["link", "invite"])["code"]);
            let added = side.try_ctl(&relayed.adding(name, &code, flags));
            assert!(
                added.status.success(),
                "{}",
                String::from_utf8_lossy(&added.stderr)
            );
            assert_eq!(Relayed::link(side)["kind"], "relay");
        }
        relayed.world.spaces();
        relayed
    }

    /// The words that enter a code of `peer`.
    fn adding(&self, peer: &str, code: &str, flags: &[&str]) -> Vec<String> {
        let words = ["link", "add-relay", "--name", "files", "--peer", code];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        for what in ["outbox", "inbox"] {
            words.push(format!("--{what}"));
            words.push(self.of(peer, what).to_str().expect("a path").to_owned());
        }
        words.extend(flags.iter().map(ToString::to_string));
        words
    }

    /// A directory of the side that talks to `peer`.
    pub(crate) fn of(&self, peer: &str, what: &str) -> PathBuf {
        self.dir.path().join(format!("to-{peer}")).join(what)
    }

    /// Lets files be carried both ways, in place of how they were so far.
    fn carry(&mut self, flags: &[&str]) {
        self.carriers.clear();
        for (from, to, seed) in [("south", "north", "1"), ("north", "south", "2")] {
            let mut flags = flags.to_vec();
            flags.extend(["--seed", seed]);
            let (outbox, inbox) = (self.of(from, "outbox"), self.of(to, "inbox"));
            self.carriers.push(Carrier::start(&outbox, &inbox, &flags));
        }
    }

    /// Asks, approves and activates a connection for objects both ways.
    pub(crate) fn connect(&self) -> String {
        self.connect_for("--export objects --import objects")
    }

    pub(crate) fn connect_for(&self, data: &str) -> String {
        let World { north, south } = &self.world;
        let asked = north.say(&format!("connection request --space flights --link files {data}"));
        let (id, code) = (text(&asked["connection_id"]), text(&asked["code"]));
        south.ctl(&["connection", "approve", &code, "--space", "flights"]);
        north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
        north.say(&format!("connection activate {id}"));
        south.say(&format!("connection wait {id} --stage active --timeout 60s"));
        id
    }

    fn link(side: &Enrollment) -> Value {
        side.say("link show files")
    }

    /// Waits until both sides have so many airports.
    pub(crate) fn both_have(&self, many: u64) {
        for side in [&self.world.north, &self.world.south] {
            side.eventually(&format!("{many} airports"), |side| {
                (count(side) == many).then_some(())
            });
        }
    }

    /// Both sides have the same, as each of them sees it.
    pub(crate) fn is_equal(&self, id: &str) {
        for side in [&self.world.north, &self.world.south] {
            side.eventually("both sides have the same", |side| {
                let verified = side.try_ctl(&["connection", "verify", id]);
                verified.status.success().then_some(())
            });
        }
    }

    /// Waits until a property has this value at a side.
    pub(crate) fn becomes(side: &Enrollment, key: &str, name: &str, value: &Value) {
        side.eventually(&format!("{key} has {name} {value}"), |side| {
            (property(side, key, name) == *value).then_some(())
        });
    }
}

#[test]
fn b120_a_connection_is_made_fed_and_closed_by_files_alone() {
    let mut relayed = Relayed::start(&[]);
    relayed.carry(&[]);
    let id = relayed.connect();
    relayed.world.share(&id);
    let loaded = relayed.world.load();
    let many = loaded["written"].as_u64().expect("a number");
    relayed.both_have(many);
    let World { north, south } = &relayed.world;
    // Edits both ways.
    south.say("object edit flights airport JFK name=Idlewild");
    north.say("object edit flights airport LGA name=Guardia");
    Relayed::becomes(north, "JFK", "name", &"Idlewild".into());
    Relayed::becomes(south, "LGA", "name", &"Guardia".into());
    // What must not cross any longer goes there.
    north.say("marking create medical");
    north.say("object set-security flights airport EWR --marking medical");
    south.eventually("the copy goes", |south| (count(south) == many - 1).then_some(()));
    relayed.is_equal(&id);
    // More may cross, once the other side agrees.
    south.say("marking create medical");
    south.say("marking grant medical admin");
    let change = north.say(&format!("connection propose-security {id} --marking medical"));
    let change = text(&change["change_request_id"]);
    south.eventually("the change request arrives", |south| {
        let waiting = south.say("connection change-requests");
        let waiting = waiting["items"].as_array().expect("a list").len();
        (waiting == 1).then_some(())
    });
    south.say(&format!("connection approve-security {change}"));
    south.eventually("the object comes again", |south| {
        (count(south) == many).then_some(())
    });
    // A stop from either side.
    south.say(&format!("connection disable {id}"));
    relayed.world.stage(&id, "disabled");
    north.say("object edit flights airport LGA name=Later");
    south.say(&format!("connection enable {id}"));
    relayed.world.stage(&id, "active");
    Relayed::becomes(south, "LGA", "name", &"Later".into());
    let shown = Relayed::link(north);
    assert_eq!(shown["status"], "healthy", "{shown}");
    assert_eq!(shown["relay"]["form"], "sealed");
    assert!(shown["relay"]["last_sequence_in"].as_u64() > Some(0), "{shown}");
    north.say(&format!("connection close {id} --imported keep"));
    relayed.world.stage(&id, "closed");
    assert_eq!(north.say("audit verify")["ok"], true);
}

#[test]
fn b120_loss_repetition_reordering_and_tearing_come_to_the_same() {
    let mut relayed = Relayed::start(&["--bundle-bytes-max", "65536"]);
    relayed.carry(&ROUGH);
    let id = relayed.connect();
    relayed.world.share(&id);
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    relayed.both_have(many);
    let World { north, south } = &relayed.world;
    for round in 0..10 {
        north.say(&format!("object edit flights airport JFK name=north-{round}"));
        south.say(&format!("object edit flights airport EWR name=south-{round}"));
    }
    relayed.both_have(many);
    Relayed::becomes(south, "JFK", "name", &"north-9".into());
    Relayed::becomes(north, "EWR", "name", &"south-9".into());
    for side in [north, south] {
        side.eventually("nothing is missing", |side| {
            let shown = side.say("link show files");
            (shown["relay"]["gaps"] == 0 && shown["relay"]["unacknowledged"] == 0).then_some(())
        });
    }
    relayed.is_equal(&id);
}

#[test]
fn b027_a_replaced_identity_is_followed_by_a_code_that_is_entered_once_more() {
    let mut relayed = Relayed::start(&[]);
    relayed.carry(&[]);
    let id = relayed.connect();
    relayed.world.share(&id);
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    relayed.both_have(many);
    let World { north, south } = &relayed.world;
    let same = text(&south.ctl(&["link", "invite"])["code"]);
    let again = north.try_ctl(&relayed.adding("south", &same, &[]));
    assert_eq!(again.status.code(), Some(5), "nothing to follow");
    north.say("enrollment rotate-identity");
    north.say("object edit flights airport LGA name=Guardia");
    south.eventually("what the new key signed is put aside", |south| {
        (Relayed::link(south)["relay"]["quarantined"].as_u64() > Some(0)).then_some(())
    });
    // The other way goes on.
    south.say("object edit flights airport JFK name=Idlewild");
    Relayed::becomes(north, "JFK", "name", &"Idlewild".into());
    let code = text(&north.ctl(&["link", "invite"])["code"]);
    let elsewhere = south.try_ctl(&relayed.adding("south", &code, &[]));
    assert_eq!(elsewhere.status.code(), Some(5), "all else stays as it was");
    let followed = south.try_ctl(&relayed.adding("north", &code, &[]));
    assert!(
        followed.status.success(),
        "{}",
        String::from_utf8_lossy(&followed.stderr)
    );
    Relayed::becomes(south, "LGA", "name", &"Guardia".into());
    relayed.is_equal(&id);
}

#[test]
fn b120_kill_minus_9_of_either_side_at_any_bundle_loses_and_repeats_nothing() {
    let mut relayed = Relayed::start(&["--bundle-bytes-max", "65536"]);
    relayed.carry(&ROUGH);
    let id = relayed.connect();
    relayed.world.share(&id);
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    relayed.world.south.eventually("some came", |south| {
        let here = south.try_ctl(&["object", "get", "flights", "airport", "LGA"]);
        here.status.success().then_some(())
    });
    for round in 0..6 {
        let World { north, south } = &mut relayed.world;
        north.say(&format!("object edit flights airport JFK name=north-{round}"));
        south.say(&format!("object edit flights airport LGA name=south-{round}"));
        match round % 3 {
            0 => north.crash(),
            1 => south.crash(),
            _ => {
                north.crash();
                south.crash();
            }
        }
    }
    let World { north, south } = &relayed.world;
    relayed.both_have(many);
    Relayed::becomes(south, "JFK", "name", &"north-5".into());
    Relayed::becomes(north, "LGA", "name", &"south-5".into());
    relayed.is_equal(&id);
    for side in [north, south] {
        assert_eq!(side.say("connection list")["items"][0]["stage"], "active");
        assert_eq!(
            side.say("object conflicts flights")["items"],
            serde_json::json!([])
        );
        assert_eq!(side.say("audit verify")["ok"], true);
    }
}

#[test]
fn b120_content_follows_its_artifact() {
    let mut relayed = Relayed::start(&[]);
    relayed.carry(&ROUGH[..6]);
    let id = relayed.connect_for("--export artifacts");
    let World { north, south } = &relayed.world;
    let small = relayed.dir.path().join("small.txt");
    std::fs::write(&small, b"a few bytes").expect("written");
    let large = relayed.dir.path().join("large.bin");
    let bytes: Vec<u8> = (0..3_500_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    std::fs::write(&large, &bytes).expect("written");
    for file in [&small, &large] {
        north.ctl(&["artifact", "put", "flights", file.to_str().expect("a path")]);
    }
    north.say(&format!("artifact share {id} --all"));
    south.eventually("both are complete", |south| {
        let listed = south.say("artifact list flights");
        let items = listed["items"].as_array().expect("a list").clone();
        (items.len() == 2 && items.iter().all(|item| item["complete"] == true)).then_some(())
    });
    let listed = south.say("artifact list flights");
    let of_large = listed["items"].as_array().expect("a list").iter();
    let id = of_large
        .clone()
        .find(|item| item["name"] == "large.bin")
        .expect("the artifact");
    let out = relayed.dir.path().join("out.bin");
    let got = [
        "artifact",
        "get",
        "flights",
        id["artifact_id"].as_str().expect("an id"),
    ];
    south.ctl(&[got.as_slice(), &[out.to_str().expect("a path")]].concat());
    assert_eq!(std::fs::read(out).expect("a file"), bytes);
}

#[test]
fn b120_a_one_way_link_needs_nothing_back_for_data() {
    let mut relayed = Relayed::start(&["--one-way", "--bundle-bytes-max", "262144"]);
    // A person carries what must go back until the connection stands.
    relayed.carry(&[]);
    let id = relayed.connect_for("--export objects");
    relayed.world.share(&id);
    relayed
        .world
        .north
        .eventually("what is wanted there arrived", |north| {
            let shown = north.say(&format!("connection show {id}"));
            (shown["feeds"].as_array().is_some_and(|feeds| !feeds.is_empty())).then_some(())
        });
    let (outbox, inbox) = (relayed.of("south", "outbox"), relayed.of("north", "inbox"));
    relayed.carriers.clear();
    let flags = [
        "--loss",
        "0.1",
        "--duplicate",
        "0.1",
        "--reorder",
        "8",
        "--seed",
        "7",
    ];
    relayed.carriers.push(Carrier::start(&outbox, &inbox, &flags));
    let many = relayed.world.load()["written"].as_u64().expect("a number");
    let World { north, south } = &relayed.world;
    south.eventually("all came", |south| (count(south) == many).then_some(()));
    north.say("object edit flights airport JFK name=Idlewild");
    Relayed::becomes(south, "JFK", "name", &"Idlewild".into());
    north.say("marking create medical");
    north.say("object set-security flights airport EWR --marking medical");
    south.eventually("the copy goes", |south| (count(south) == many - 1).then_some(()));
    south.eventually("the digests are equal", |south| {
        (south.say("link show files")["relay"]["equal"] == true).then_some(())
    });
}

#[test]
fn b120_what_is_not_a_bundle_for_this_link_is_put_aside_counted_and_audited() {
    let mut relayed = Relayed::start(&[]);
    let World { south, .. } = &relayed.world;
    let inbox = relayed.of("north", "inbox");
    std::fs::write(inbox.join("noise.sealed"), b"PEERDRLY and then noise").expect("written");
    // What South itself wrote is for somebody else.
    let own = relayed.of("north", "outbox");
    south.eventually("a heartbeat lies in the outbox", |_| {
        let first = std::fs::read_dir(&own).expect("a directory").flatten().next()?;
        std::fs::copy(first.path(), inbox.join("own.sealed"))
            .ok()
            .map(drop)
    });
    south.eventually("both are put aside", |south| {
        let shown = south.say("link show files");
        let relay = &shown["relay"];
        (relay["refused"] == 2 && relay["quarantined"] == 2).then_some(())
    });
    let audit = south.say("audit list").to_string();
    assert!(
        audit.contains("refuse bundle") && audit.contains("BUNDLE_NOT_FOR_US"),
        "{audit}"
    );
    // Nobody collects, and nothing comes: the link says so.
    south.eventually("the link is not healthy", |south| {
        let shown = south.say("link show files");
        (shown["status"] != "healthy" && shown["reason"].as_str()?.contains("nobody collects")).then_some(())
    });
    relayed.carry(&[]);
    south_is_healthy(&relayed);
    south_is_blocked_without_policies(&relayed);
}

fn south_is_healthy(relayed: &Relayed) {
    relayed.world.south.eventually("the link is healthy", |south| {
        (south.say("link show files")["status"] == "healthy").then_some(())
    });
}

fn south_is_blocked_without_policies(relayed: &Relayed) {
    let south = &relayed.world.south;
    let policies = south.say("policy list");
    for policy in policies["items"].as_array().expect("a list") {
        south.say(&format!("policy revoke {}", text(&policy["policy_id"])));
    }
    let shown = south.say("link show files");
    assert_eq!(shown["status"], "blocked", "{shown}");
    south.say_fails(
        "connection request --space flights --link files --export objects",
        4,
        "EGRESS_DENIED",
    );
}
