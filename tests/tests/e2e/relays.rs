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
struct Relayed {
    world: World,
    dir: TempDir,
    carriers: Vec<Carrier>,
}

impl Relayed {
    /// Two daemons that admit each other and share nothing but directories.
    fn start(flags: &[&str]) -> Relayed {
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
            let (outbox, inbox) = (relayed.of(name, "outbox"), relayed.of(name, "inbox"));
            let mut words = vec!["link", "add-relay", "--name", "files", "--peer", &code];
            let [outbox, inbox] = [&outbox, &inbox].map(|path| path.to_str().expect("a path"));
            words.extend(["--outbox", outbox, "--inbox", inbox]);
            words.extend(flags);
            let link = side.ctl(&words);
            assert_eq!(link["kind"], "relay", "{link}");
        }
        relayed.world.spaces();
        relayed
    }

    /// A directory of the side that talks to `peer`.
    fn of(&self, peer: &str, what: &str) -> PathBuf {
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
    fn connect(&self) -> String {
        let World { north, south } = &self.world;
        let asked =
            north.say("connection request --space flights --link files --export objects --import objects");
        let (id, code) = (text(&asked["connection_id"]), text(&asked["code"]));
        south.ctl(&["connection", "approve", &code, "--space", "flights"]);
        north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
        north.say(&format!("connection activate {id}"));
        south.say(&format!("connection wait {id} --stage active --timeout 60s"));
        id
    }

    fn link(&self, side: &Enrollment) -> Value {
        side.say("link show files")
    }

    /// Waits until both sides have so many airports.
    fn both_have(&self, many: u64) {
        for side in [&self.world.north, &self.world.south] {
            side.eventually(&format!("{many} airports"), |side| {
                (count(side) == many).then_some(())
            });
        }
    }

    /// Waits until a property has this value at a side.
    fn becomes(side: &Enrollment, key: &str, name: &str, value: &Value) {
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
    // A stop from either side.
    south.say(&format!("connection disable {id}"));
    relayed.world.stage(&id, "disabled");
    north.say("object edit flights airport LGA name=Later");
    south.say(&format!("connection enable {id}"));
    relayed.world.stage(&id, "active");
    Relayed::becomes(south, "LGA", "name", &"Later".into());
    let shown = relayed.link(north);
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
}
