//! Security that both sides agree on, while streams are open.

use crate::process::Enrollment;
use crate::world::{World, count, text};

fn create(side: &Enrollment, key: &str) {
    side.ctl(&[
        "object",
        "create",
        "flights",
        "airport",
        &format!("faa={key}"),
        "name=Somewhere",
        "lat=1",
        "lon=2",
    ]);
}

/// North proposes, South agrees.
fn agree(world: &World, id: &str, security: [&str; 2]) {
    let propose = ["connection", "propose-security", id];
    world.north.ctl(&[&propose[..], &security[..]].concat());
    let change = world.south.eventually("the proposal arrived", |south| {
        let waiting = south.say("connection change-requests");
        let first = &waiting["items"][0];
        (first["ours"] == false).then(|| text(&first["change_request_id"]))
    });
    world.south.say(&format!("connection approve-security {change}"));
}

#[test]
fn b106_a_change_of_security_acts_on_open_streams_once_both_agree() {
    let (world, id) = World::peered();
    let (north, south) = (&world.north, &world.south);
    north.say("marking create medical");
    north.say("marking grant medical admin");
    for key in ["EWR", "JFK"] {
        create(north, key);
    }
    north.say("object set-security flights airport JFK --marking medical");
    south.eventually("what is unmarked arrived", |south| {
        (count(south) == 1).then_some(())
    });
    north.say(&format!("connection wait {id} --in-sync --timeout 60s"));
    assert_eq!(count(south), 1);

    agree(&world, &id, ["--marking", "medical"]);
    // It arrives with a marking that South did not know: stored, and seen by nobody until somebody may.
    south.eventually("the marking is known", |south| {
        let markings = south.say("marking list");
        (markings["items"][0]["name"] == "medical").then_some(())
    });
    assert_eq!(count(south), 1);
    south.say_fails("object get flights airport JFK", 3, "NOT_FOUND");
    south.say("marking grant medical admin");
    south.eventually("whoever may sees it", |south| (count(south) == 2).then_some(()));

    agree(&world, &id, ["--classification", ""]);
    south.eventually("it was taken back", |south| (count(south) == 1).then_some(()));
    assert_eq!(count(north), 2);
}
