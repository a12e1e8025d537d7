//! The life of a connection: refused, narrowed, stopped, changed, closed, begun anew.

use serde_json::{Value, json};

use crate::process::Enrollment;
use crate::world::{World, count, property, text};

/// What proposing an egress policy for anywhere needs besides `policy egress propose`.
const ANYWHERE: &str =
    "--destination 127.0.0.1 --port 1-65535 --enrollment any --justification pilot --approve";

/// Two enrollments with a link, a space each, levels, and two markings that their admins may see.
fn linked() -> World {
    let world = World::strangers();
    world.allow();
    world.link();
    world.spaces();
    for side in [&world.north, &world.south] {
        side.say("classification set-levels low high");
        for marking in ["medical", "legal"] {
            side.say(&format!("marking create {marking}"));
            side.say(&format!("marking grant {marking} admin"));
        }
    }
    world
}

/// A peer request of North with more flags; the connection and its code.
fn request(world: &World, more: &str) -> (String, String) {
    let asked = world.north.say(&format!(
        "connection request --space flights --link {} --export objects --import objects {more}",
        world.link_id()
    ));
    (text(&asked["connection_id"]), text(&asked["code"]))
}

fn create(side: &Enrollment, key: &str) {
    side.say(&format!(
        "object create flights airport faa={key} name=New-{key} lat=1 lon=2"
    ));
}

fn holds(side: &Enrollment, objects: u64) {
    side.eventually(&format!("{objects} objects are here"), |side| {
        (count(side) == objects).then_some(())
    });
}

fn shown(side: &Enrollment, id: &str) -> Value {
    side.say(&format!("connection show {id}"))
}

/// Proposes at one side and approves at the other.
fn agree(side: &Enrollment, other: &Enrollment, proposal: &[&str]) {
    let proposed = side.ctl(proposal);
    let change = text(&proposed["change_request_id"]);
    other.eventually("the change request arrived", |other| {
        let waiting = other.say("connection change-requests");
        let mut items = waiting["items"].as_array()?.iter();
        items
            .any(|item| item["change_request_id"] == change && item["ours"] == false)
            .then_some(())
    });
    other.say(&format!("connection approve-security {change}"));
}

#[test]
fn b040_a_rejection_reaches_the_originator_with_its_reason() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let (id, code) = request(&world, "");
    north.say_fails(
        &format!("connection wait {id} --stage approved --timeout 1s"),
        7,
        "WAIT_TIMEOUT",
    );
    south.say(&format!("connection reject {code} --reason not-before-spring"));
    let wait = format!("connection wait {id} --stage active --timeout 60s");
    let refused = north.say_fails(&wait, 5, "WRONG_STAGE");
    assert_eq!(refused["error"]["details"]["stage"], "rejected", "{refused}");
    let seen = shown(north, &id);
    assert_eq!(seen["stage"], "rejected", "{seen}");
    assert!(
        text(&seen["stage_reason"]).contains("not-before-spring"),
        "{seen}"
    );

    // It is final: neither side goes on with it.
    south.say_fails(
        &format!("connection approve {code} --space flights"),
        5,
        "CODE_USED",
    );
    north.say_fails(&format!("connection activate {id}"), 5, "WRONG_STAGE");
    world.stage(&id, "rejected");
}

#[test]
fn b005_a_request_that_was_revoked_cannot_become_active() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let (id, code) = request(&world, "");
    north.say(&format!("connection revoke {id}"));
    // South does not know yet; what it approves is refused by North.
    south.say(&format!("connection approve {code} --space flights"));
    south.eventually("South learns that it was revoked", |south| {
        (shown(south, &id)["stage"] == "revoked").then_some(())
    });
    assert_eq!(shown(north, &id)["stage"], "revoked");
    north.say_fails(&format!("connection activate {id}"), 5, "WRONG_STAGE");
}

#[test]
fn b004_an_expired_request_is_refused_and_says_so_before_it_is_approved() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let (id, code) = request(&world, "--expires 1s");
    south.eventually("the code has expired", |south| {
        let seen = south.say(&format!("connection inspect {code}"));
        let mut problems = seen["problems"].as_array()?.iter();
        problems
            .any(|problem| problem["code"] == "CODE_EXPIRED")
            .then_some(())
    });
    let approve = format!("connection approve {code} --space flights");
    south.say_fails(&approve, 5, "CODE_EXPIRED");
    south.say_fails(&format!("connection show {id}"), 3, "NOT_FOUND");
    north.eventually("the request is over", |north| {
        (shown(north, &id)["stage"] == "expired").then_some(())
    });
}

#[test]
fn b002_a_reissued_code_replaces_the_earlier_one_and_keeps_the_connection() {
    let world = linked();
    let (id, earlier) = request(&world, "");
    let reissued = world.north.say(&format!("connection reissue {id}"));
    assert_eq!(reissued["connection_id"], id.as_str());
    let code = reissued["code"].as_str().expect("a code");
    assert_ne!(code, earlier);
    world
        .south
        .say(&format!("connection approve {code} --space flights"));
    world.stage(&id, "approved");
    world
        .north
        .say_fails(&format!("connection reissue {id}"), 5, "WRONG_STAGE");

    let (id, earlier) = request(&world, "");
    world.north.say(&format!("connection reissue {id}"));
    world
        .south
        .say(&format!("connection approve {earlier} --space flights"));
    world.south.eventually("the earlier code is refused", |south| {
        (south.say(&format!("connection show {id}"))["stage"] == "rejected").then_some(())
    });
    assert_eq!(
        world.north.say(&format!("connection show {id}"))["stage"],
        "requested"
    );
}

#[test]
fn b011_inspecting_a_request_contacts_nobody() {
    let mut world = linked();
    let (id, code) = request(&world, "--classification low --marking medical");
    let north = world.north.id();
    let fingerprint = world.north.say("enrollment show")["identity_fingerprint"].clone();
    world.north.kill();
    let seen = world.south.say(&format!("connection inspect {code}"));
    let golden = json!({
        "fingerprint": fingerprint,
        "connection_id": id, "enrollment_id": north, "title": "Agency north", "space": "flights",
        "exports": ["objects"], "imports": ["objects"], "classification": "low", "markings": ["medical"],
        "problems": [],
    });
    for (field, value) in golden.as_object().expect("fields") {
        assert_eq!(&seen[field], value, "{field}: {seen}");
    }
    // The secret is in the code alone.
    assert!(!seen.to_string().contains(&code[code.len() - 20..]), "{seen}");
    let none = world.south.say("connection list")["items"].clone();
    assert_eq!(none, json!([]));
}

#[test]
fn approval_narrows_security_and_never_widens_it() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let (id, code) = request(&world, "--classification low --marking medical");
    let approve = format!("connection approve {code} --space flights");
    for wider in [
        "--classification high --marking medical",
        "--classification low --marking medical --marking legal",
        "--classification low --marking legal",
    ] {
        south.say_fails(&format!("{approve} {wider}"), 4, "SECURITY_WIDENED");
    }
    south.say_fails(&format!("{approve} --classification unheard"), 6, "LEVEL_UNKNOWN");
    let none = south.say("connection list")["items"].clone();
    assert_eq!(none.as_array().map(Vec::len), Some(0), "{none}");

    south.say(&format!("{approve} --classification low"));
    north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
    let offered = shown(north, &id);
    assert_eq!(offered["stage"], "approved", "{offered}");
    assert_eq!(offered["classification"], "low", "{offered}");
    assert_eq!(offered["markings"], json!([]), "{offered}");
    north.say(&format!("connection activate {id}"));
    world.stage(&id, "active");
    for side in [north, south] {
        assert_eq!(shown(side, &id)["markings"], json!([]));
    }
}

#[test]
fn activation_needs_a_policy_that_is_still_in_force() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let (id, code) = request(&world, "");
    south.say(&format!("connection approve {code} --space flights"));
    north.say(&format!("connection wait {id} --stage approved --timeout 60s"));
    let policies = north.say("policy list --direction egress");
    let policy = text(&policies["items"][0]["policy_id"]);
    north.say(&format!("policy revoke {policy}"));
    north.say_fails(&format!("connection activate {id}"), 4, "EGRESS_DENIED");
    world.stage(&id, "approved");

    north.say(&format!("policy egress propose {ANYWHERE}"));
    north.say(&format!("connection activate {id}"));
    world.stage(&id, "active");
    world.share(&id);
    create(north, "JFK");
    holds(south, 1);
}

#[test]
fn b111_either_side_stops_all_data_and_only_that_side_lifts_its_stop() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    create(north, "JFK");
    holds(south, 1);
    for (round, (stops, other)) in [(north, south), (south, north)].into_iter().enumerate() {
        stops.say(&format!("connection disable {id}"));
        world.stage(&id, "disabled");
        let (there, here) = (format!("N{round}"), format!("S{round}"));
        let before = (count(north), count(south));
        create(north, &there);
        create(south, &here);
        // The other side has no stop to lift, and this one stays.
        other.say(&format!("connection enable {id}"));
        world.stage(&id, "disabled");
        assert_eq!((count(north), count(south)), (before.0 + 1, before.1 + 1));

        stops.say(&format!("connection enable {id}"));
        world.stage(&id, "active");
        holds(north, before.0 + 2);
        holds(south, before.1 + 2);
        assert_eq!(property(south, &there, "name"), format!("New-{there}"));
        assert_eq!(property(north, &here, "name"), format!("New-{here}"));
    }
}

#[test]
fn a_marking_crosses_only_while_both_sides_agreed_on_it() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    for key in ["JFK", "LGA"] {
        create(north, key);
    }
    north.say("object set-security flights airport JFK --marking medical");
    let id = world.connect();
    world.share(&id);
    holds(south, 1);
    assert_eq!(property(south, "LGA", "name"), "New-LGA");
    south.say_fails("object get flights airport JFK", 3, "NOT_FOUND");

    agree(
        north,
        south,
        &["connection", "propose-security", &id, "--marking", "medical"],
    );
    holds(south, 2);
    let arrived = south.say("object get flights airport JFK");
    assert_eq!(arrived["markings"], json!(["medical"]), "{arrived}");
    for side in [north, south] {
        assert_eq!(shown(side, &id)["markings"], json!(["medical"]));
    }

    // The other side takes the marking off again: what came under it goes.
    agree(
        south,
        north,
        &["connection", "propose-security", &id, "--classification", ""],
    );
    holds(south, 1);
    south.say_fails("object get flights airport JFK", 3, "NOT_FOUND");
    assert_eq!(property(south, "LGA", "name"), "New-LGA");
    assert_eq!(count(north), 2, "the exporter's own object stays");
}

#[test]
fn a_rejected_change_of_security_changes_nothing() {
    let world = linked();
    let (north, south) = (&world.north, &world.south);
    let id = world.connect();
    let proposed = north.say(&format!("connection propose-security {id} --marking medical"));
    let change = text(&proposed["change_request_id"]);
    north.say_fails(
        &format!("connection propose-security {id} --marking legal"),
        5,
        "CHANGE_PENDING",
    );
    south.eventually("the change request arrived", |south| {
        let waiting = south.say("connection change-requests");
        (waiting["items"][0]["change_request_id"] == change).then_some(())
    });
    south.say(&format!("connection reject-security {change} --reason no"));
    north.eventually("the change request is over", |north| {
        let waiting = north.say("connection change-requests")["items"].clone();
        (waiting == json!([])).then_some(())
    });
    for side in [north, south] {
        assert_eq!(shown(side, &id)["markings"], json!([]));
    }
    south.say_fails(
        &format!("connection approve-security {change}"),
        3,
        "CHANGE_UNKNOWN",
    );
}

#[test]
fn objects_stop_when_a_side_no_longer_exports_them() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    create(north, "JFK");
    holds(south, 1);
    north.say(&format!("connection set {id} --export none"));
    south.eventually("South knows that nothing comes", |south| {
        (shown(south, &id)["imports"] == json!([])).then_some(())
    });
    assert_eq!(shown(north, &id)["exports"], json!([]));
    create(north, "LGA");
    // The other way goes on, and what it carries shows that the link is alive.
    create(south, "LHR");
    north.eventually("South's object arrived", |north| {
        (count(north) == 3).then_some(())
    });
    south.say_fails("object get flights airport LGA", 3, "NOT_FOUND");
    assert_eq!(property(south, "LHR", "name"), "New-LHR");

    north.say(&format!("connection set {id} --export objects"));
    holds(south, 3);
    assert_eq!(property(south, "LGA", "name"), "New-LGA");
}

#[test]
fn b112_closing_with_purge_removes_what_was_imported_and_nothing_else() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    create(north, "JFK");
    create(north, "LGA");
    create(south, "LHR");
    for side in [north, south] {
        holds(side, 3);
    }
    south.say(&format!("connection close {id} --imported purge"));
    world.stage(&id, "closed");
    holds(south, 1);
    assert_eq!(property(south, "LHR", "name"), "New-LHR");
    south.say_fails("object get flights airport JFK", 3, "NOT_FOUND");
    assert_eq!(count(north), 3, "North keeps its own, and what it imported");
    // Closing again is no error, and the record stays.
    south.say(&format!("connection close {id} --imported purge"));
    assert_eq!(shown(south, &id)["stage"], "closed");
    assert_eq!(count(south), 1);
}

#[test]
fn b114_whoever_was_away_when_it_was_closed_learns_at_the_next_contact() {
    let (mut world, id) = World::peered();
    create(&world.north, "JFK");
    holds(&world.south, 1);
    world.south.kill();
    world.north.say(&format!("connection close {id}"));
    world.south.run();
    world.stage(&id, "closed");
    assert_eq!(count(&world.south), 1, "nobody asked South to purge");
}

#[test]
fn b116_after_a_forced_close_the_two_peer_again_with_the_old_objects_there() {
    let (mut world, id) = World::peered();
    create(&world.north, "JFK");
    create(&world.south, "LHR");
    for side in [&world.north, &world.south] {
        holds(side, 2);
    }
    world.south.kill();
    world.north.say(&format!("connection close {id} --force"));
    assert_eq!(shown(&world.north, &id)["stage"], "closed");
    world.south.run();
    world.stage(&id, "closed");

    let again = world.connect();
    assert_ne!(again, id);
    world.share(&again);
    let (north, south) = (&world.north, &world.south);
    north.say("object edit flights airport JFK name=Kennedy");
    south.say("object edit flights airport LHR name=London");
    south.eventually("North's edit arrived", |south| {
        (property(south, "JFK", "name") == "Kennedy").then_some(())
    });
    north.eventually("South's edit arrived", |north| {
        (property(north, "LHR", "name") == "London").then_some(())
    });
    for side in [north, south] {
        assert_eq!(count(side), 2, "no object is there twice");
    }
}
