//! Links in the shapes that networks force on them, and their codes.

use crate::process::Enrollment;
use crate::world::{World, count, healthy, property, text};

#[test]
fn a_link_that_only_one_side_may_dial_needs_both_codes_and_carries_data_both_ways() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    world.allow();
    let first = north.say("link invite --direction egress-only");
    let accepted = south.say(&format!("link accept {} --name north", text(&first["code"])));
    assert_eq!(accepted["needs_own_code"], true, "{accepted}");
    assert_eq!(accepted["direction"], "ingress-only", "{accepted}");
    south.say_fails("link dial north", 5, "WRONG_STAGE");

    let second = south.say("link invite --direction ingress-only");
    north.say(&format!("link accept {} --name south", text(&second["code"])));
    healthy(north, "south");
    healthy(south, "north");

    // Each side has one link, known by the id of either code.
    for (side, name, invited) in [(north, "south", &first), (south, "north", &second)] {
        let items = side.say("link list")["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(1), "{items}");
        let by_name = side.say(&format!("link show {name}"));
        let by_code = side.say(&format!("link show {}", text(&invited["link_id"])));
        assert_eq!(by_name["link_id"], by_code["link_id"]);
    }
    assert_eq!(north.say("link show south")["direction"], "egress-only");
    assert_eq!(south.say("link show north")["direction"], "ingress-only");

    world.spaces();
    let id = world.connect();
    world.share(&id);
    north.say("object create flights airport faa=JFK name=Idlewild lat=1 lon=2");
    south.say("object create flights airport faa=LHR name=Heathrow lat=3 lon=4");
    for side in [north, south] {
        side.eventually("both objects are on both sides", |side| {
            (count(side) == 2).then_some(())
        });
    }
    north.say("object edit flights airport LHR name=London");
    south.say("object edit flights airport JFK name=Kennedy");
    south.eventually("North's edit arrived", |south| {
        (property(south, "LHR", "name") == "London").then_some(())
    });
    north.eventually("South's edit arrived", |north| {
        (property(north, "JFK", "name") == "Kennedy").then_some(())
    });
}

#[test]
fn a_link_goes_only_when_nothing_uses_it() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    let refused = south.say_fails("link remove north", 5, "LINK_IN_USE");
    assert_eq!(refused["error"]["details"]["connection_id"], id, "{refused}");
    healthy(south, "north");

    south.say(&format!("connection close {id}"));
    world.stage(&id, "closed");
    south.say("link remove north");
    south.say_fails("link show north", 3, "NOT_FOUND");
    let items = south.say("link list")["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(0), "{items}");
    // North was not asked; whoever was forgotten is a stranger again.
    let link = world.link_id();
    north.eventually("the link is no longer healthy", |north| {
        (north.say(&format!("link show {link}"))["status"] != "healthy").then_some(())
    });

    // Once both have let go, they link anew, under the same name.
    north.say(&format!("link remove {link}"));
    world.link();
    let again = world.connect();
    assert_ne!(again, id);
    world.share(&again);
    north.say("object create flights airport faa=JFK name=Idlewild lat=1 lon=2");
    south.eventually("data flows anew", |south| (count(south) == 1).then_some(()));
}

#[test]
fn b070_the_second_address_is_used_when_the_first_is_dead() {
    // Nothing listens on port 1.
    let mut south = Enrollment::init_with("south", &["--advertise", "127.0.0.1:1"]);
    south.run();
    let world = World {
        north: Enrollment::start("north"),
        south,
    };
    let (north, south) = (&world.north, &world.south);
    north.say(
        "policy egress propose --destination 127.0.0.1 --port 1-65535 --enrollment any --justification pilot --approve",
    );
    south.say("policy ingress propose --source 127.0.0.0/8 --enrollment any --justification pilot --approve");
    let invited = south.say("link invite --direction ingress-only");
    let code = text(&invited["code"]);
    let seen = north.say(&format!("link inspect {code}"));
    assert_eq!(seen["addresses"][0], "127.0.0.1:1", "{seen}");
    assert_eq!(seen["addresses"][1], south.mpx, "{seen}");
    north.say(&format!("link accept {code} --name south"));
    healthy(north, "south");
    healthy(south, &text(&invited["link_id"]));
}

#[test]
fn a_knock_names_whom_a_policy_must_admit() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    let (host, port) = north.mpx.split_once(':').expect("host:port");
    south.say(&format!(
        "policy egress propose --destination {host} --port {port} --enrollment any --justification pilot --approve"
    ));
    // North lets somebody in from there, but not South.
    let admit = |who: &str| {
        north.say(&format!(
            "policy ingress propose --source 127.0.0.0/8 --enrollment {who} --justification pilot --approve"
        ))
    };
    admit(&north.id());
    let invited = north.say("link invite");
    south.say(&format!("link accept {} --name north", text(&invited["code"])));

    let stranger = south.id();
    let knock = north.eventually("South's attempt is kept", |north| {
        let knocks = north.say("link knocks");
        let mut items = knocks["items"].as_array()?.iter();
        items.find(|knock| knock["enrollment_id"] == stranger).cloned()
    });
    assert_eq!(knock["reason"], "INGRESS_DENIED", "{knock}");
    assert!(text(&knock["address"]).starts_with("127.0.0.1"), "{knock}");
    assert_ne!(south.say("link show north")["status"], "healthy");

    admit(&text(&knock["enrollment_id"]));
    south.say("link dial north");
    healthy(south, "north");
    healthy(north, &text(&invited["link_id"]));
}

#[test]
fn b004_an_expired_link_code_is_refused_and_says_so_before_it_is_entered() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    world.allow();
    let code = text(&north.say("link invite --expires 1s")["code"]);
    south.eventually("the code has expired", |south| {
        let seen = south.say(&format!("link inspect {code}"));
        let problems = seen["problems"].as_array()?;
        problems
            .iter()
            .any(|problem| problem["code"] == "CODE_EXPIRED")
            .then_some(())
    });
    south.say_fails(&format!("link accept {code} --name north"), 5, "CODE_EXPIRED");
    let items = south.say("link list")["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(0), "{items}");
}

#[test]
fn b003_a_link_code_that_was_used_gives_a_third_nothing() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    world.allow();
    let invited = north.say("link invite");
    let code = text(&invited["code"]);
    south.say(&format!("link accept {code} --name north"));
    healthy(south, "north");
    let before = north.say(&format!("link show {}", text(&invited["link_id"])));

    let third = Enrollment::start("third");
    let (host, port) = north.mpx.split_once(':').expect("host:port");
    third.say(&format!(
        "policy egress propose --destination {host} --port {port} --enrollment any --justification pilot --approve"
    ));
    third.say(&format!("link accept {code} --name north"));
    let stranger = third.id();
    north.eventually("the attempt is kept", |north| {
        let knocks = north.say("link knocks");
        let mut items = knocks["items"].as_array()?.iter();
        items
            .any(|knock| knock["enrollment_id"] == stranger && knock["reason"] == "PROOF_INVALID")
            .then_some(())
    });
    assert_ne!(third.say("link show north")["status"], "healthy");
    let after = north.say(&format!("link show {}", text(&invited["link_id"])));
    for field in ["remote_enrollment_id", "remote_fingerprint", "status", "name"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert_eq!(after["remote_enrollment_id"], south.id());
    let items = north.say("link list")["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1), "{items}");
}
