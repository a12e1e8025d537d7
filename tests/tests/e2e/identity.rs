//! An identity that is replaced while data flows, and a daemon that dies with it.

use crate::process::Enrollment;
use crate::world::{World, count, healthy, property, text};

fn edited(from: &Enrollment, to: &Enrollment, name: &str) {
    let set = format!("name={name}");
    from.ctl(&["object", "edit", "flights", "airport", "EWR", &set]);
    to.eventually("the edit to arrive", |to| {
        (property(to, "EWR", "name") == name).then_some(())
    });
}

fn fingerprint(side: &Enrollment) -> String {
    text(&side.say("enrollment show")["identity_fingerprint"])
}

#[test]
fn b027_an_identity_is_replaced_under_a_connection_and_through_kills() {
    let (mut world, id) = World::peered();
    let loaded = world.load()["written"].as_u64();
    let South { pinned } = South::of(&world);
    world.south.eventually("all airports", |south| {
        (Some(count(south)) == loaded).then_some(())
    });
    let (enrollment, before) = (world.north.say("enrollment show"), fingerprint(&world.north));
    assert_eq!(pinned, before);
    let after = world.north.say("enrollment rotate-identity");
    assert_eq!(after["enrollment_id"], enrollment["enrollment_id"]);
    assert_ne!(text(&after["identity_fingerprint"]), before);
    // It ends as it stands, and starts as the new one.
    world.north.crash();
    assert_eq!(fingerprint(&world.north), text(&after["identity_fingerprint"]));
    healthy(&world.south, "north");
    edited(&world.north, &world.south, "one");
    edited(&world.south, &world.north, "two");
    // The other side was away for two replacements, on both sides.
    world.south.kill();
    for _ in 0..2 {
        world.north.say("enrollment rotate-identity");
    }
    world.south.run();
    world.south.say("enrollment rotate-identity");
    edited(&world.north, &world.south, "three");
    edited(&world.south, &world.north, "four");
    assert_eq!(South::of(&world).pinned, fingerprint(&world.north));
    assert_eq!(world.north.say(&format!("connection verify {id}"))["equal"], true);
    for side in [&world.north, &world.south] {
        assert_eq!(side.say("audit verify")["ok"], true);
    }
    // A viewer may not.
    let token = text(
        &world
            .north
            .say("principal create vera --role viewer --space flights")["token"],
    );
    let file = world.north.data_dir().join("vera.token");
    std::fs::write(&file, token).expect("written");
    let refused = world.north.try_ctl_as(&file, &["enrollment", "rotate-identity"]);
    assert_eq!(refused.status.code(), Some(4));
}

/// What South knows of North.
struct South {
    pinned: String,
}

impl South {
    fn of(world: &World) -> South {
        South {
            pinned: text(&world.south.say("link show north")["remote_fingerprint"]),
        }
    }
}
