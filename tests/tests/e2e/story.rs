//! The main job: two strangers become peers, and data follows.

use crate::world::{World, count, healthy, property, text};

#[test]
fn two_strangers_peer_and_airports_follow_live() {
    let world = World::strangers();
    let (north, south) = (&world.north, &world.south);
    world.spaces();

    // Denied first: no policy, no contact.
    let invited = north.ctl(&["link", "invite"]);
    let code = text(&invited["code"]);
    let seen = south.ctl(&["link", "inspect", &code]);
    assert_eq!(seen["problems"][0]["code"], "EGRESS_DENIED", "{seen}");
    south.ctl(&["link", "accept", &code, "--name", "north"]);
    let blocked = south.eventually("the link is blocked", |south| {
        let link = south.ctl(&["link", "show", "north"]);
        (link["status"] == "blocked").then_some(link)
    });
    assert!(text(&blocked["reason"]).contains("EGRESS_DENIED"), "{blocked}");

    // Allowed: the same code completes the link at both ends.
    world.allow();
    healthy(south, "north");
    healthy(north, &text(&invited["link_id"]));

    let (id, code) = world.request();
    let seen = south.ctl(&["connection", "inspect", &code]);
    assert_eq!(seen["problems"].as_array().map(Vec::len), Some(0), "{seen}");
    assert_eq!(seen["title"], "Agency north");
    south.ctl_fails(&["connection", "activate", &id], 3, "NOT_FOUND");
    south.ctl(&["connection", "approve", &code, "--space", "flights"]);
    south.ctl_fails(&["connection", "activate", &id], 4, "NOT_ORIGINATOR");
    north.ctl(&[
        "connection",
        "wait",
        &id,
        "--stage",
        "approved",
        "--timeout",
        "60s",
    ]);
    north.ctl(&["connection", "activate", &id]);
    south.ctl(&["connection", "wait", &id, "--stage", "active", "--timeout", "60s"]);

    for side in [north, south] {
        side.ctl(&["mapping", "share", &id, "airport"]);
    }
    let loaded = world.load();
    assert_eq!(
        (loaded["read"].as_u64(), loaded["written"].as_u64()),
        (Some(1458), Some(1458)),
        "{loaded}"
    );
    north.ctl(&["connection", "wait", &id, "--in-sync", "--timeout", "60s"]);
    south.eventually("all airports arrived", |south| {
        (count(south) == 1458).then_some(())
    });

    // Live edits, both ways.
    north.ctl(&["object", "edit", "flights", "airport", "JFK", "name=Idlewild"]);
    south.eventually("North's edit arrived", |south| {
        (property(south, "JFK", "name") == "Idlewild").then_some(())
    });
    south.ctl(&["object", "edit", "flights", "airport", "JFK", "alt=14"]);
    north.eventually("South's edit arrived", |north| {
        (property(north, "JFK", "alt") == 14).then_some(())
    });

    // Loading again moves nothing.
    let again = world.load();
    assert_eq!(
        (again["written"].as_u64(), again["unchanged"].as_u64()),
        (Some(0), Some(1458)),
        "{again}"
    );

    // The audit chain of both holds.
    for side in [north, south] {
        assert_eq!(side.ctl(&["audit", "verify"])["ok"], true);
    }
}

#[test]
fn b106_a_revoked_policy_stops_the_stream_and_a_new_one_resumes_it() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    world.load();
    south.eventually("all airports arrived", |south| {
        (count(south) == 1458).then_some(())
    });

    let policies = north.ctl(&["policy", "list", "--direction", "egress"]);
    let policy = text(&policies["items"][0]["policy_id"]);
    north.ctl(&["policy", "pause", &policy]);
    north.ctl(&["object", "edit", "flights", "airport", "JFK", "name=Hidden"]);
    let shown = north.ctl(&["connection", "show", &id]);
    assert_eq!(shown["health"]["status"], "blocked", "{shown}");
    north.ctl(&["policy", "resume", &policy]);
    south.eventually("the edit arrived once allowed", |south| {
        (property(south, "JFK", "name") == "Hidden").then_some(())
    });
}

#[test]
fn b071_both_daemons_may_crash_and_nothing_acknowledged_is_lost() {
    let (mut world, id) = World::peered();
    world.load();
    world.north.crash();
    world.south.crash();
    assert_eq!(count(&world.north), 1458, "acknowledged rows survive kill -9");
    world.south.eventually("all airports arrived", |south| {
        (count(south) == 1458).then_some(())
    });
    world
        .north
        .ctl(&["object", "edit", "flights", "airport", "JFK", "name=After"]);
    world.south.eventually("the stream resumed", |south| {
        (property(south, "JFK", "name") == "After").then_some(())
    });
    world
        .north
        .ctl(&["connection", "wait", &id, "--in-sync", "--timeout", "60s"]);
    assert_eq!(world.south.stop(), Some(0), "SIGTERM drains and exits 0");
}
