//! `connection verify` between real processes: equal, damaged, edited, mapped, denied and alone.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::damage::{behind_its_back, row};
use crate::process::{Ends, Enrollment, refused, words};
use crate::world::{World, count};

/// Runs `connection verify`; the document, whose exit code must fit what it says.
fn verify(side: &Enrollment, id: &str) -> Value {
    let output = side.try_ctl(&["connection", "verify", id]);
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let equal = document["equal"] == true;
    assert_eq!(
        output.status.code(),
        Some(if equal { 0 } else { 5 }),
        "{document}"
    );
    document
}

/// The differences of the only type, as `(key, side)`.
fn differences(found: &Value) -> Vec<(String, String)> {
    let types = found["types"].as_array().expect("types");
    assert_eq!(types.len(), 1, "{found}");
    let of = |one: &Value, field: &str| one[field].as_str().expect("a text").to_owned();
    let differences = types[0]["differences"].as_array().expect("differences");
    differences
        .iter()
        .map(|one| (of(one, "key"), of(one, "side")))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected.iter();
    pairs
        .map(|(key, side)| ((*key).to_owned(), (*side).to_owned()))
        .collect()
}

/// Both sides have the sample's airports, as each of them says.
fn in_sync(world: &World, id: &str) {
    world
        .north
        .say(&format!("connection wait {id} --in-sync --timeout 60s"));
    world
        .south
        .say(&format!("connection wait {id} --in-sync --timeout 60s"));
}

fn loaded() -> (World, String) {
    let (world, id) = World::peered();
    let written = world.load()["written"].as_u64().expect("a number");
    world.south.eventually("all have arrived", |south| {
        (count(south) == written).then_some(())
    });
    in_sync(&world, &id);
    (world, id)
}

#[test]
fn both_operators_see_that_both_sides_have_the_same_and_what_is_damaged() {
    let (mut world, id) = loaded();
    world.south.say("object edit flights airport JFK name=Idlewild");
    world.north.eventually("the edit is at North", |north| {
        (crate::world::property(north, "JFK", "name") == "Idlewild").then_some(())
    });
    let live = count(&world.north);
    for side in [&world.north, &world.south] {
        let found = verify(side, &id);
        let expected = json!({"equal": true, "types": [
            {"type": "airport", "local": live, "remote": live, "differences": [], "hidden": 0, "more": false},
        ]});
        assert_eq!(found, expected);
    }

    // South loses one, finds one that never came, and has an older one.
    assert_eq!(world.south.stop(), Some(0));
    let mut old = None;
    behind_its_back(&world.south, |rows, changes| {
        changes.lose(row(rows, "LGA"));
        changes.copy(row(rows, "EWR"), "ZZZ");
        old = Some(row(rows, "BOS").value.clone());
    });
    world.south.run();
    world.north.say("object edit flights airport BOS name=Logan");
    world.south.eventually("the edit is at South", |south| {
        (crate::world::property(south, "BOS", "name") == "Logan").then_some(())
    });
    assert_eq!(world.south.stop(), Some(0));
    behind_its_back(&world.south, |rows, changes| {
        changes.overwrite(row(rows, "BOS"), &old.expect("an older one"));
    });
    world.south.run();
    crate::world::healthy(&world.south, "north");
    in_sync(&world, &id);
    let found = verify(&world.north, &id);
    assert_eq!(
        differences(&found),
        pairs(&[("BOS", "both"), ("LGA", "local"), ("ZZZ", "remote")])
    );
    let found = verify(&world.south, &id);
    assert_eq!(
        differences(&found),
        pairs(&[("BOS", "both"), ("LGA", "remote"), ("ZZZ", "local")])
    );
}

#[test]
fn steady_writes_on_both_sides_are_no_differences() {
    let (world, id) = loaded();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (side, property) in [(&world.north, "name"), (&world.south, "tzone")] {
            let over = &over;
            scope.spawn(move || {
                let mut written = 0;
                while !over.load(Ordering::Relaxed) {
                    written += 1;
                    for key in ["JFK", "LGA", "EWR"] {
                        side.say(&format!(
                            "object edit flights airport {key} {property}=edit-{written}"
                        ));
                    }
                    let (key, value) = (format!("faa=W{property}{written}"), "name=new");
                    side.ctl(&[
                        "object", "create", "flights", "airport", &key, value, "lat=1", "lon=2",
                    ]);
                    if written % 2 == 0 {
                        side.say(&format!("object delete flights airport W{property}{written}"));
                    }
                }
            });
        }
        let _ends = Ends(&over);
        let found: Vec<Value> = (0..6)
            .flat_map(|_| [&world.north, &world.south])
            .map(|side| verify(side, &id))
            .collect();
        for found in found {
            assert_eq!(found["equal"], true, "{found}");
        }
    });
}

#[test]
fn what_stays_at_one_side_by_agreement_is_no_difference() {
    let (world, id) = World::peered();
    world.south.say(&format!(
        "mapping create {id} airport airport --property faa=faa --property name=name --property lat=lat --property \
         lon=lon --source import --actions import"
    ));
    world.load();
    let all = count(&world.north);
    world
        .south
        .eventually("all have arrived", |south| (count(south) == all).then_some(()));
    // Too secret for the connection, and never seen there.
    world.north.say("classification set-levels internal secret");
    world
        .north
        .say("object set-security flights airport EWR --classification secret");
    world
        .south
        .eventually("it is withdrawn", |south| (count(south) == all - 1).then_some(()));
    world.south.say("object edit flights airport JFK name=Idlewild");
    world.south.say("object delete flights airport BOS");
    world.north.say("object edit flights airport LGA alt=1");
    for side in [&world.north, &world.south] {
        let found = verify(side, &id);
        assert_eq!(found["equal"], true, "{found}");
        assert!(!found.to_string().contains("EWR"), "{found}");
    }
    assert_eq!(verify(&world.south, &id)["types"][0]["remote"], all - 1);
}

#[test]
fn b049_only_managers_verify_and_a_peer_that_is_down_or_denied_is_told_apart() {
    let (mut world, id) = loaded();
    let line = format!("connection verify {id}");
    let viewer = world.north.principal("vera", "--role viewer --space flights");
    let output = world.north.try_ctl_as(&viewer, &words(&line));
    refused("a viewer", &output, 4, "ROLE_INSUFFICIENT");
    world.north.say("space create elsewhere");
    let stranger = world
        .north
        .principal("else", "--role space-manager --space elsewhere");
    let output = world.north.try_ctl_as(&stranger, &words(&line));
    refused("another space's manager", &output, 3, "NOT_FOUND");
    world
        .north
        .say_fails("connection verify con_1", 6, "FIELD_INVALID");

    let policies = world.south.say("policy list --direction egress");
    let policy = policies["items"][0]["policy_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    world.south.say(&format!("policy pause {policy}"));
    let told = world.north.eventually("South denies", |north| {
        let output = north.try_ctl(&words(&line));
        (output.status.code() == Some(4)).then_some(output)
    });
    let error = refused("South denies", &told, 4, "EGRESS_DENIED");
    assert!(!error.to_string().contains(&policy), "{error}");
    let error = world.south.say_fails(&line, 4, "EGRESS_DENIED");
    assert_eq!(error["error"]["details"]["policy_id"], policy, "{error}");
    world.south.say(&format!("policy resume {policy}"));
    world.north.eventually("it is verified again", |north| {
        (north.try_ctl(&words(&line)).status.code() == Some(0)).then_some(())
    });

    world.south.kill();
    world.north.eventually("South is down", |north| {
        let output = north.try_ctl(&words(&line));
        (output.status.code() == Some(1)).then_some(())
    });
    world.north.say_fails(&line, 1, "PEER_UNREACHABLE");
    world.north.say(&format!("connection disable {id}"));
    world.north.say_fails(&line, 5, "WRONG_STAGE");
}
