//! Schemas across a connection: every type of property by CSV and NDJSON, and one that drifts.

use std::fs;

use serde_json::{Value, json};

use crate::process::Enrollment;
use crate::world::{World, text};

const THINGS: &str = r"
object_types:
  - name: thing
    primary_key: id
    properties:
      id: string
      boolean: {type: boolean, nullable: true}
      integer: {type: integer, nullable: true}
      long: {type: long, nullable: true}
      double: {type: double, nullable: true}
      decimal: {type: decimal, nullable: true}
      date: {type: date, nullable: true}
      timestamp: {type: timestamp, nullable: true}
      geopoint: {type: geopoint, nullable: true}
      reference: {type: reference, to: thing, nullable: true}
      artifact: {type: artifact, nullable: true}
      array: {type: array, items: long, nullable: true}
      struct: {type: struct, fields: {name: string, tags: {type: array, items: string}}, nullable: true}
";

fn apply(side: &Enrollment, ontology: &str) {
    let file = side.data_dir().join("ontology.yaml");
    fs::write(&file, ontology).expect("a file");
    side.ctl(&["ontology", "apply", "flights", file.to_str().expect("a path")]);
}

/// Two sides with a space of this ontology and an active connection.
fn joined(ontology: &str) -> (World, String) {
    let world = World::strangers();
    world.allow();
    world.link();
    for side in [&world.north, &world.south] {
        side.say("space create flights");
        apply(side, ontology);
    }
    let id = world.connect();
    (world, id)
}

fn load(side: &Enrollment, name: &str, content: &str, of: &str) -> Value {
    let file = side.data_dir().join(name);
    fs::write(&file, content).expect("a file");
    let loaded = side.ctl(&["object", "load", "flights", of, file.to_str().expect("a path")]);
    assert_eq!(loaded["rejected"], 0, "{loaded}");
    loaded
}

fn properties(side: &Enrollment, key: &str) -> Value {
    side.say(&format!("object get flights thing {key}"))["properties"].clone()
}

fn count(side: &Enrollment, of: &str) -> Value {
    side.say(&format!("object count flights {of}"))["count"].clone()
}

#[test]
fn every_type_of_property_crosses_from_csv_ndjson_and_an_edit() {
    let (world, id) = joined(THINGS);
    let (north, south) = (&world.north, &world.south);
    for side in [north, south] {
        side.say(&format!("mapping share {id} thing"));
    }
    let mut expected = json!({
        "id": "J", "boolean": false, "integer": -7, "long": i64::MIN, "double": 0.25, "decimal": "12.5",
        "date": "2024-02-29", "timestamp": "2013-01-01T05:00:00.5Z", "geopoint": {"latitude": 40.5, "longitude": -74.25},
        "reference": "C", "artifact": "art_1", "array": [1, 2], "struct": {"name": "ä", "tags": ["x", "y"]},
    });
    load(
        north,
        "things.ndjson",
        &format!("{expected}\n{{\"id\": \"N\"}}\n"),
        "thing",
    );
    let csv = "id,boolean,integer,long,double,decimal,date,timestamp,geopoint,reference,artifact,array,struct\n\
        C,false,-7,-9223372036854775808,0.25,12.5,2024-02-29,2013-01-01T05:00:00.5Z,\"40.5,-74.25\",C,art_1,\"[1,2]\",\
        \"{\"\"name\"\":\"\"ä\"\",\"\"tags\"\":[\"\"x\"\",\"\"y\"\"]}\"\n";
    load(north, "things.csv", csv, "thing");
    north.say("object create flights thing id=E");
    let edits = [
        "boolean=false",
        "integer=-7",
        "long=-9223372036854775808",
        "double=0.25",
        "decimal=12.5",
        "date=2024-02-29",
        "timestamp=2013-01-01T05:00:00.5Z",
        "geopoint=40.5,-74.25",
        "reference=C",
        "artifact=art_1",
        "array=[1,2]",
        r#"struct={"name":"ä","tags":["x","y"]}"#,
    ];
    let line = ["object", "edit", "flights", "thing", "E"];
    north.ctl(&[&line[..], &edits[..]].concat());
    south.eventually("all things arrived", |south| {
        (count(south, "thing") == 4).then_some(())
    });
    south.eventually("with the edit", |south| {
        (properties(south, "E")["array"] == json!([1, 2])).then_some(())
    });
    for side in [north, south] {
        for key in ["J", "C", "E"] {
            expected["id"] = key.into();
            assert_eq!(properties(side, key), expected, "{key}");
        }
        assert_eq!(properties(side, "N"), json!({"id": "N"}));
    }
}

const NAMED: &str = "\
object_types:
  - {name: airport, primary_key: faa, properties: {faa: string, name: string}}
  - {name: gate, primary_key: id, properties: {id: string}}
";

#[test]
fn a_schema_that_drifts_stops_its_type_says_why_and_goes_on_by_itself() {
    let (world, id) = joined(NAMED);
    let (north, south) = (&world.north, &world.south);
    north.say(&format!("mapping share {id} airport gate --no-import"));
    south.say(&format!("mapping share {id} airport gate --no-export"));
    load(
        north,
        "first.csv",
        "faa,name\nEWR,Newark\nJFK,Kennedy\n",
        "airport",
    );
    south.eventually("two airports arrived", |south| {
        (count(south, "airport") == 2).then_some(())
    });

    let relaxed = NAMED.replace("name: string}", "name: {type: string, nullable: true}}");
    apply(north, &relaxed);
    for (side, why) in [(north, "drifted apart"), (south, "name must have a value here")] {
        let shown = side.eventually("the type has stopped", |side| {
            let shown = side.say(&format!("connection show {id}"));
            text(&shown["health"]["reason"]).contains(why).then_some(shown)
        });
        assert_eq!(shown["health"]["status"], "degraded", "{shown}");
        let feeds = shown["feeds"].as_array().expect("feeds").iter();
        let stopped: Vec<_> = feeds.filter(|feed| feed["reason"] != "").collect();
        assert_eq!(stopped.len(), 1, "{shown}");
        assert_eq!(
            (&stopped[0]["type"], &stopped[0]["in_sync"]),
            (&"airport".into(), &false.into())
        );
        let listed = side.say(&format!("mapping list {id}"));
        let airport = listed["items"]
            .as_array()
            .expect("types")
            .iter()
            .find(|it| it["local_type"] == "airport");
        assert!(
            text(&airport.expect("airports")["problem"]).contains(why),
            "{listed}"
        );
    }
    // What else is shared goes on; what stopped waits.
    load(north, "second.csv", "faa,name\nNEW,\n", "airport");
    north.say("object create flights gate id=A1");
    south.eventually("the gate arrived", |south| {
        (count(south, "gate") == 1).then_some(())
    });
    assert_eq!(count(south, "airport"), 2);

    apply(south, &relaxed);
    south.eventually("the third airport arrived", |south| {
        (count(south, "airport") == 3).then_some(())
    });
    for side in [north, south] {
        side.eventually("all is well again", |side| {
            (side.say(&format!("connection show {id}"))["health"]["status"] == "healthy").then_some(())
        });
    }
}
