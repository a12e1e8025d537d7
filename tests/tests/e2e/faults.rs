//! Two daemons, a network that fails between them, writers on both sides, and `kill -9` in a loop; then all is healed,
//! and everything that was acknowledged is there, on both sides, once.
//!
//! It takes 20 seconds; `PEERD_FAULTS_SECONDS=600` makes it a soak. What happens follows from a seed as far as two
//! processes and their scheduler allow: `PEERD_FAULTS_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::chance::Chance;
use crate::process::{Ends, Enrollment, peerctl};
use crate::proxy::Proxy;
use crate::world::{World, count, text};

/// How long the faults last unless the environment says otherwise.
const SECONDS: u64 = 20;
/// How many airports both sides edit.
const SHARED: u64 = 40;
/// How many rows each load brings.
const ROWS: u64 = 60;
/// How many writes are acknowledged between two kills: at least, and less than.
const BETWEEN_KILLS: (u64, u64) = (5, 25);

#[test]
fn b078_b079_faults_of_network_and_processes_lose_and_repeat_nothing() {
    let (seed, lasts) = settings();
    let replay = "cargo test -p peerd-tests --test e2e faults_of_network -- --nocapture";
    eprintln!(
        "replay: PEERD_FAULTS_SEED={seed} PEERD_FAULTS_SECONDS={} {replay}",
        lasts.as_secs()
    );
    let mut chance = Chance::new(seed);
    let (mut world, proxy, id) = peered(&mut chance);
    let (acks, acknowledged) = channel();
    let over = AtomicBool::new(false);
    let writers = [
        Writer::new(
            &world.north,
            ("name", "first"),
            Some('L'),
            chance.split(),
            acks.clone(),
        ),
        Writer::new(&world.south, ("tzone", ""), None, chance.split(), acks),
    ];
    let histories: Vec<History> = std::thread::scope(|scope| {
        let over = &over;
        let writing = writers.map(|writer| scope.spawn(move || writer.write(over)));
        {
            let _ends = Ends(over);
            kill_on_and_on(&mut world, &mut chance, lasts, &acknowledged);
        }
        let ended = writing.map(|writing| writing.join().expect("a history"));
        ended.into()
    });
    eprintln!(
        "{} cuts, {} acknowledged writes",
        proxy.cuts(),
        histories.iter().map(|history| history.acknowledged).sum::<u64>()
    );
    assert!(histories.iter().all(|history| history.acknowledged > 0));
    proxy.heal();
    settled(&world, &id);
    for history in &histories {
        nothing_is_missing(&world, history);
    }
    nothing_happened_twice(&world, &id);
}

/// The seed and how long the faults last.
fn settings() -> (u64, Duration) {
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seed = number("PEERD_FAULTS_SEED").unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "a new seed each time is what is wanted")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        u64::from(now.subsec_nanos())
    });
    let seconds = number("PEERD_FAULTS_SECONDS").unwrap_or(SECONDS);
    (seed, Duration::from_secs(seconds))
}

/// Two sides with shared airports. South dials North, and nothing but the failing network leads there.
fn peered(chance: &mut Chance) -> (World, Proxy, String) {
    let mut north = Enrollment::init("north");
    let proxy = Proxy::start(north.mpx.parse().expect("an address"), chance.split());
    north.advertise(&proxy.address.to_string());
    north.run();
    let world = World {
        north,
        south: Enrollment::start("south"),
    };
    let out = |side: &Enrollment, to: &str| {
        let (host, port) = to.rsplit_once(':').expect("host:port");
        side.say(&format!(
            "policy egress propose --destination {host} --port {port} --enrollment any --justification pilot --approve"
        ));
        side.say(
            "policy ingress propose --source 127.0.0.0/8 --enrollment any --justification pilot --approve",
        );
    };
    out(&world.north, &world.south.mpx);
    out(&world.south, &proxy.address.to_string());
    let invited = world.north.say("link invite --direction ingress-only");
    let code = text(&invited["code"]);
    world.south.ctl(&["link", "accept", &code, "--name", "north"]);
    until_connected(&world);
    world.spaces();
    // The handshake goes through the same network.
    let (id, code) = world.request();
    world
        .south
        .ctl(&["connection", "approve", &code, "--space", "flights"]);
    until(&world, "the approval at North", |world| {
        world.north.say(&format!("connection show {id}"))["stage"] == "approved"
    });
    world.north.say(&format!("connection activate {id}"));
    until(&world, "the activation at South", |world| {
        world.south.say(&format!("connection show {id}"))["stage"] == "active"
    });
    world.share(&id);
    for n in 0..SHARED {
        let key = format!("faa=S{n:03}");
        world.north.ctl(&[
            "object",
            "create",
            "flights",
            "airport",
            &key,
            "name=first",
            "lat=1",
            "lon=2",
        ]);
    }
    until(&world, "the shared airports at South", |world| {
        count(&world.south) == SHARED
    });
    (world, proxy, id)
}

/// Dials until something is so: the network fails, and the schedule alone would take its time.
fn until(world: &World, what: &str, is_so: impl Fn(&World) -> bool) {
    world.south.eventually(what, |south| {
        if south.say("link show north")["status"] != "healthy" {
            let _ = south.try_ctl(&["link", "dial", "north"]);
        }
        is_so(world).then_some(())
    });
}

fn until_connected(world: &World) {
    until(world, "a link", |world| {
        world.south.say("link show north")["status"] == "healthy"
    });
}

/// Kills one daemon or the other, or stops one, each time some writes were acknowledged, and starts it again.
fn kill_on_and_on(world: &mut World, chance: &mut Chance, lasts: Duration, acknowledged: &Receiver<()>) {
    let began = Instant::now();
    while began.elapsed() < lasts {
        let mut wanted = chance.between(BETWEEN_KILLS.0, BETWEEN_KILLS.1);
        while wanted > 0 && began.elapsed() < lasts {
            match acknowledged.recv_timeout(Duration::from_millis(500)) {
                Ok(()) => wanted -= 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("the writers are gone"),
            }
            // An operator who wants it connected: the schedule would wait ever longer.
            if wanted.is_multiple_of(4) {
                let _ = world.south.try_ctl(&["link", "dial", "north"]);
            }
        }
        match chance.between(0, 6) {
            0 => {
                world.north.kill();
                world.south.crash();
                world.north.run();
            }
            1 => {
                assert_eq!(world.south.stop(), Some(0));
                world.south.run();
            }
            2 | 3 => world.north.crash(),
            _ => world.south.crash(),
        }
    }
}

/// What a writer tried and what was acknowledged.
#[derive(Debug, Default)]
struct History {
    property: &'static str,
    acknowledged: u64,
    /// Of each airport the last acknowledged value, and those that were tried since without an answer.
    edits: BTreeMap<String, BTreeSet<String>>,
    /// The keys of rows whose load was acknowledged.
    loaded: BTreeSet<String>,
}

/// Writes at one side, through `peerctl`.
struct Writer {
    endpoint: String,
    token: PathBuf,
    property: &'static str,
    /// What the property is before anybody edits it.
    first: &'static str,
    loads: Option<char>,
    chance: Chance,
    acks: Sender<()>,
}

impl Writer {
    fn new(
        side: &Enrollment,
        (property, first): (&'static str, &'static str),
        loads: Option<char>,
        chance: Chance,
        acks: Sender<()>,
    ) -> Writer {
        Writer {
            endpoint: format!("http://{}", side.api),
            token: side.data_dir().join("admin.token"),
            property,
            first,
            loads,
            chance,
            acks,
        }
    }

    fn write(mut self, over: &AtomicBool) -> History {
        let mut history = History {
            property: self.property,
            ..History::default()
        };
        let mut number = 0;
        while !over.load(Ordering::Relaxed) {
            number += 1;
            let written = match self.loads {
                Some(letter) if number % 8 == 0 => self.load(letter, number, &mut history),
                _ => self.edit(number, &mut history),
            };
            if written {
                history.acknowledged += 1;
                // Who counts them may have seen enough.
                let _ = self.acks.send(());
            } else {
                // The daemon is down; it is back in a moment.
                std::thread::park_timeout(Duration::from_millis(50));
            }
        }
        history
    }

    fn edit(&mut self, number: u64, history: &mut History) -> bool {
        let key = format!("S{:03}", self.chance.between(0, SHARED));
        let value = format!("{}-{number}", self.property);
        let edit = format!("{}={value}", self.property);
        let first = || BTreeSet::from([self.first.to_owned()]);
        let known = history.edits.entry(key.clone()).or_insert_with(first);
        known.insert(value.clone());
        let output = peerctl(
            &self.endpoint,
            &self.token,
            &["object", "edit", "flights", "airport", &key, &edit],
        );
        if output.status.success() {
            known.retain(|tried| *tried == value);
        }
        output.status.success()
    }

    fn load(&self, letter: char, number: u64, history: &mut History) -> bool {
        let file = tempfile::Builder::new()
            .suffix(".csv")
            .tempfile()
            .expect("a file");
        let keys: Vec<String> = (0..ROWS)
            .map(|row| format!("{letter}{number:05}{row:03}"))
            .collect();
        let mut rows = String::new();
        for key in &keys {
            writeln!(rows, "{key},Field,40.5,-73.5").expect("a text");
        }
        std::fs::write(file.path(), format!("faa,name,lat,lon\n{rows}")).expect("written");
        let path = file.path().to_str().expect("a path");
        let load = ["object", "load", "flights", "airport", path];
        let loaded = peerctl(&self.endpoint, &self.token, &load).status.success();
        if loaded {
            history.loaded.extend(keys);
        }
        loaded
    }
}

/// Both sides are in sync and have the same, whoever is asked.
fn settled(world: &World, id: &str) {
    until_connected(world);
    for side in [&world.north, &world.south] {
        side.say(&format!("connection wait {id} --in-sync --timeout 60s"));
    }
    for side in [&world.north, &world.south] {
        let found = side.say(&format!("connection verify {id}"));
        assert_eq!(found["equal"], true, "{found}");
        assert_eq!(found["types"][0]["local"], count(side), "{found}");
    }
}

fn nothing_is_missing(world: &World, history: &History) {
    for side in [&world.north, &world.south] {
        let listed = side.say("object list flights airport --limit 1000000");
        let items = listed["items"].as_array().expect("airports").iter();
        let airports: BTreeMap<&str, &Value> = items
            .map(|item| (item["key"].as_str().expect("a key"), item))
            .collect();
        for (key, possible) in &history.edits {
            let got = &airports[key.as_str()]["properties"][history.property];
            let value = got.as_str().unwrap_or_default();
            assert!(possible.contains(value), "{key} is {value}, not of {possible:?}");
        }
        for key in &history.loaded {
            assert!(
                airports.contains_key(key.as_str()),
                "{key} was loaded and is missing"
            );
        }
    }
}

/// Each property has one writer, so a write that was applied twice as two writes would be a conflict. And nobody has
/// anything to say any more: what came is not sent back.
fn nothing_happened_twice(world: &World, id: &str) {
    let heads = |side: &Enrollment| -> Vec<Value> {
        let shown = side.say(&format!("connection show {id}"));
        let feeds = shown["feeds"].as_array().expect("feeds").clone();
        feeds.into_iter().map(|feed| feed["head"].clone()).collect()
    };
    let before = [heads(&world.north), heads(&world.south)];
    for side in [&world.north, &world.south] {
        let conflicts = side.say("object conflicts flights");
        assert_eq!(conflicts["items"], serde_json::json!([]));
        assert_eq!(side.say("audit verify")["ok"], true);
        assert_eq!(side.say("parked list")["items"], serde_json::json!([]));
    }
    settled(world, id);
    assert_eq!(before, [heads(&world.north), heads(&world.south)]);
}

/// How many objects of a megabyte each side sends: more than a stream's window holds, both ways at once.
const LARGE: u64 = 24;

#[test]
fn b065_both_sides_flood_each_other_and_neither_blocks() {
    let (world, id) = World::peered();
    let flood = |side: &Enrollment, letter: char| {
        let file = tempfile::Builder::new()
            .suffix(".ndjson")
            .tempfile()
            .expect("a file");
        let name = "x".repeat(1 << 20);
        let mut rows = String::new();
        for n in 0..LARGE {
            let row = serde_json::json!({"faa": format!("{letter}{n}"), "name": name, "lat": 1, "lon": 2});
            writeln!(rows, "{row}").expect("a text");
        }
        std::fs::write(file.path(), rows).expect("written");
        side.ctl(&[
            "object",
            "load",
            "flights",
            "airport",
            file.path().to_str().expect("a path"),
        ]);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| flood(&world.north, 'N'));
        scope.spawn(|| flood(&world.south, 'S'));
    });
    for side in [&world.north, &world.south] {
        side.eventually("everything is on both sides", |side| {
            (count(side) == 2 * LARGE).then_some(())
        });
    }
    settled(&world, &id);
}
