//! Links between objects, from the command line and across a connection.

use std::fs;

use serde_json::{Value, json};

use crate::process::Enrollment;
use crate::world::{World, text};

const ONTOLOGY: &str = "\
object_types:
  - {name: airline, primary_key: carrier, properties: {carrier: string, name: {type: string, nullable: true}}}
  - {name: plane, primary_key: tail, properties: {tail: string, owner: {type: reference, to: airline}}}
  - name: lease
    primary_key: id
    properties: {id: string, plane: {type: reference, to: plane}, lessee: {type: reference, to: airline}}
link_types:
  - {name: codeshare, kind: many-to-many, between: [airline, airline]}
  - {name: owner, kind: foreign-key, from: plane.owner, to: airline}
  - {name: leased, kind: object-backed, via: lease, from: plane, to: lessee}
";

/// Link type, kind, end, other object, whether it is present.
fn links(side: &Enrollment, of: &str) -> Vec<Value> {
    let listed = side.say(&format!("object links flights {of}"));
    let items = listed["items"].as_array().expect("items").iter();
    items
        .map(|link| {
            let other = format!("{}/{}", text(&link["object_type"]), text(&link["key"]));
            json!([
                link["link_type"],
                link["kind"],
                link["end"],
                other,
                link["present"]
            ])
        })
        .collect()
}

/// A space with airlines, planes and leases, and what is shown of it applied once more.
fn space(side: &Enrollment) {
    side.say("space create flights");
    let file = side.data_dir().join("links.yaml");
    fs::write(&file, ONTOLOGY).expect("a file");
    side.ctl(&["ontology", "apply", "flights", file.to_str().expect("a path")]);
    let again = side.data_dir().join("again.yaml");
    let shown = side.say("ontology show flights");
    fs::write(&again, shown["ontology"].to_string()).expect("a file");
    let applied = side.ctl(&["ontology", "apply", "flights", again.to_str().expect("a path")]);
    assert_eq!(applied["changed"], false, "what is shown can be applied");
}

#[test]
fn links_of_every_kind_are_made_followed_and_replicated() {
    let world = World::strangers();
    world.allow();
    world.link();
    for side in [&world.north, &world.south] {
        space(side);
    }
    let id = world.connect();
    for side in [&world.north, &world.south] {
        side.say(&format!("mapping share {id} airline plane lease codeshare"));
    }
    let (north, south) = (&world.north, &world.south);
    for carrier in ["UA", "LH"] {
        north.say(&format!("object create flights airline carrier={carrier}"));
    }
    north.say("object create flights plane tail=N1 owner=UA");
    north.say("object create flights lease id=l1 plane=N1 lessee=LH");
    let made = north.say("object link flights codeshare UA LH");
    assert_eq!(made["key"], "2:LHUA", "{made}");
    assert_eq!(north.say("object link flights codeshare LH UA")["key"], "2:LHUA");
    north.say("object link flights codeshare UA ZZ");

    let of_ua = vec![
        json!(["codeshare", "many-to-many", "either", "airline/ZZ", false]),
        json!(["codeshare", "many-to-many", "either", "airline/LH", true]),
        json!(["owner", "foreign-key", "to", "plane/N1", true]),
    ];
    assert_eq!(links(north, "airline UA"), of_ua);
    assert_eq!(
        links(north, "plane N1"),
        [
            json!(["leased", "object-backed", "from", "airline/LH", true]),
            json!(["owner", "foreign-key", "from", "airline/UA", true]),
        ]
    );
    south.eventually("the links arrived", |south| {
        let found = south.try_ctl(&["object", "get", "flights", "airline", "LH"]);
        let count = &south.say("object count flights codeshare")["count"];
        let planes = &south.say("object count flights plane")["count"];
        (found.status.success() && *count == 2 && *planes == 1).then_some(())
    });
    assert_eq!(links(south, "airline UA"), of_ua);
    let feeds = south.say(&format!("connection show {id}"))["feeds"].clone();
    let feeds = feeds.as_array().expect("feeds").iter();
    assert!(
        feeds
            .into_iter()
            .any(|feed| feed["type"] == "codeshare" && feed["direction"] == "import"),
        "a feed of its own"
    );

    south.say("object unlink flights codeshare UA LH");
    north.eventually("the end of a link came back", |north| {
        (links(north, "airline LH").len() == 1).then_some(())
    });
}

#[test]
fn links_are_loaded_and_refused_as_they_should() {
    let south = Enrollment::start("south");
    space(&south);
    south.say("object create flights airline carrier=UA");
    south.say_fails("object unlink flights codeshare UA LH", 3, "NOT_FOUND");
    south.say_fails("object link flights owner N1 UA", 6, "FIELD_INVALID");
    south.say_fails("object links flights airline XX", 3, "NOT_FOUND");
    south.say_fails("object links flights airline UA --link-type nope", 3, "NOT_FOUND");

    let file = south.data_dir().join("codeshare.csv");
    fs::write(&file, "left,right\nAA,BA\nBA,AA\n").expect("a file");
    let loaded = south.ctl(&[
        "object",
        "load",
        "flights",
        "codeshare",
        file.to_str().expect("a path"),
    ]);
    assert_eq!((&loaded["written"], &loaded["rejected"]), (&1.into(), &1.into()));

    let viewer = south.principal("vera", "--role viewer --space flights");
    let as_viewer = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        south.try_ctl_as(&viewer, &words).status.code()
    };
    assert_eq!(as_viewer("object links flights airline UA"), Some(0));
    assert_eq!(as_viewer("object link flights codeshare UA LH"), Some(4));
    assert_eq!(as_viewer("object unlink flights codeshare UA ZZ"), Some(4));
}
