//! Every type of property crosses, by load and by edit, with a value and without, and reads back equal.

use std::collections::BTreeMap;

use peerd_core::security::Security;
use peerd_node::object::{Content, Edits, Line, LoadHeader, ObjectAt, ObjectView};
use peerd_testkit::Party;
use serde_json::{Value as Json, json};

use crate::world::{BOTH, World};

/// A property, its type in the ontology file, a value as NDJSON has it, and the same as text.
fn table() -> Vec<(&'static str, Json, Json, String)> {
    let text = |json: Json| json.to_string();
    let nested = json!([{"at": "2013-01-01T05:00:00Z", "tags": ["a", ""]}, {}]);
    vec![
        ("string", json!("string"), json!("ä\n\"x\""), "ä\n\"x\"".into()),
        ("boolean", json!("boolean"), json!(true), "true".into()),
        ("integer", json!("integer"), json!(i32::MIN), i32::MIN.to_string()),
        ("long", json!("long"), json!(i64::MAX), i64::MAX.to_string()),
        ("double", json!("double"), json!(-0.1), "-0.1".into()),
        (
            "decimal",
            json!("decimal"),
            json!("1234567890123456789012345678"),
            "1234567890123456789012345678".into(),
        ),
        ("date", json!("date"), json!("2000-02-29"), "2000-02-29".into()),
        (
            "timestamp",
            json!("timestamp"),
            json!("2013-01-01T05:00:00.123456Z"),
            "2013-01-01T05:00:00.123456Z".into(),
        ),
        (
            "geopoint",
            json!("geopoint"),
            json!({"lat": -33.9, "lon": 151.2}),
            "-33.9,151.2".into(),
        ),
        (
            "reference",
            json!({"type": "reference", "to": "thing"}),
            json!("L"),
            "L".into(),
        ),
        ("artifact", json!("artifact"), json!("art_1"), "art_1".into()),
        (
            "array",
            json!({"type": "array", "items": "long"}),
            json!([1, -2, 3]),
            "[1, -2, 3]".into(),
        ),
        (
            "struct",
            json!({"type": "struct", "fields": {"count": "integer", "name": "string"}}),
            json!({"count": 2, "name": "two"}),
            r#"{"name": "two", "count": 2}"#.into(),
        ),
        (
            "nested",
            json!({"type": "array", "items": {"type": "struct", "fields": {
                "at": "timestamp", "tags": {"type": "array", "items": "string"}}}}),
            nested.clone(),
            text(nested),
        ),
    ]
}

/// One type with all of them, each of which may be missing.
fn ontology() -> String {
    let nullable = |of: Json| match of {
        Json::Object(mut fields) => {
            fields.insert("nullable".into(), true.into());
            Json::Object(fields)
        }
        of => json!({"type": of, "nullable": true}),
    };
    let mut properties = serde_json::Map::from_iter([("id".to_owned(), json!("string"))]);
    properties.extend(
        table()
            .into_iter()
            .map(|(name, of, ..)| (name.to_owned(), nullable(of))),
    );
    json!({"object_types": [{"name": "thing", "primary_key": "id", "properties": properties}]}).to_string()
}

async fn load(party: &Party, columns: Vec<String>, content: Content) {
    let header = LoadHeader {
        space: "main".into(),
        object_type: "thing".into(),
        columns,
        ..LoadHeader::default()
    };
    let mut load = party.node().begin_load(&party.admin, header).await.unwrap();
    load.offer(vec![Line { number: 1, content }]).unwrap();
    while load.is_running() {
        load.step().await.unwrap();
    }
    let progress = load.progress();
    assert_eq!(progress.written, 1, "{:?}", progress.rejections);
}

fn at(key: &str) -> ObjectAt {
    ObjectAt {
        space: "main".into(),
        object_type: "thing".into(),
        key: key.into(),
    }
}

async fn seen(party: &Party, key: &str) -> ObjectView {
    party.node().object(&party.admin, &at(key)).await.unwrap()
}

/// The properties beside the key, as JSON.
async fn values(party: &Party, key: &str) -> BTreeMap<String, Json> {
    let properties = seen(party, key).await.properties.into_iter();
    let values = properties.map(|(name, value)| (name.to_string(), value.to_json()));
    values.filter(|(name, _)| name != "id").collect()
}

async fn things() -> World {
    let world = World::joined_with(Security::unrestricted(), &ontology()).await;
    for party in [&world.pair.a, &world.pair.b] {
        world.share_types(party, &["thing"], BOTH).await;
    }
    world.tell().await;
    world
}

#[tokio::test]
async fn every_type_of_property_crosses_and_reads_back_equal() {
    let world = things().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let expected: BTreeMap<String, Json> = table()
        .into_iter()
        .map(|(name, _, json, _)| (name.to_owned(), json))
        .collect();
    // Loaded as JSON, and as cells.
    let mut fields = serde_json::Map::from_iter([("id".to_owned(), json!("L"))]);
    fields.extend(expected.clone());
    load(a, Vec::new(), Content::Json(Json::Object(fields).to_string())).await;
    let (mut columns, mut cells) = (vec!["id".to_owned()], vec!["C".to_owned()]);
    for (name, _, _, text) in table() {
        columns.push(name.into());
        cells.push(text);
    }
    load(a, columns.clone(), Content::Cells(cells)).await;
    // Created empty and edited afterwards, property by property.
    let empty = [("id".to_owned(), "E".to_owned())].into();
    a.node()
        .create_object(&a.admin, "main", "thing", &empty)
        .await
        .unwrap();
    for (name, _, _, text) in table() {
        let edits = Edits {
            set: [(name.to_owned(), text)].into(),
            clear: Vec::new(),
        };
        a.node().edit_object(&a.admin, &at("E"), &edits).await.unwrap();
    }
    // Loaded with nothing but a key.
    let nulls = vec![String::new(); table().len()];
    load(a, columns, Content::Cells([vec!["N".to_owned()], nulls].concat())).await;

    assert_eq!(world.pump_type(a, b, "thing").await, (4, 0));
    for key in ["L", "C", "E"] {
        assert_eq!(values(a, key).await, expected, "{key}");
        assert_eq!(values(b, key).await, expected, "{key}");
    }
    assert_eq!((values(a, "N").await, values(b, "N").await), Default::default());
    for key in ["L", "C", "E", "N"] {
        let (here, there) = (seen(a, key).await, seen(b, key).await);
        assert_eq!((here.source, here.edits), (there.source, there.edits), "{key}");
    }
}

#[tokio::test]
async fn every_type_of_property_is_edited_and_taken_away_on_the_other_side() {
    let world = things().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut fields = serde_json::Map::from_iter([("id".to_owned(), json!("L"))]);
    fields.extend(
        table()
            .into_iter()
            .map(|(name, _, json, _)| (name.to_owned(), json)),
    );
    load(a, Vec::new(), Content::Json(Json::Object(fields).to_string())).await;
    world.pump_type(a, b, "thing").await;
    let names: Vec<String> = table().into_iter().map(|(name, ..)| name.to_owned()).collect();
    let clear = Edits {
        set: BTreeMap::new(),
        clear: names.clone(),
    };
    b.node().edit_object(&b.admin, &at("L"), &clear).await.unwrap();
    assert_eq!(world.pump_type(b, a, "thing").await, (1, 0));
    assert_eq!(
        values(a, "L").await,
        BTreeMap::new(),
        "an edit takes away what the source says"
    );
    assert_eq!(
        seen(a, "L").await.source.unwrap().properties.len(),
        names.len() + 1
    );
    let set = Edits {
        set: table()
            .into_iter()
            .map(|(name, _, _, text)| (name.to_owned(), text))
            .collect(),
        clear: Vec::new(),
    };
    b.node().edit_object(&b.admin, &at("L"), &set).await.unwrap();
    assert_eq!(world.pump_type(b, a, "thing").await, (1, 0));
    assert_eq!(values(a, "L").await, values(b, "L").await);
    assert_eq!(values(a, "L").await.len(), names.len());
}
