use peerd_core::authz::Role;
use peerd_core::object::{Hlc, ObjectState};
use peerd_core::security::Security;
use peerd_core::value::{Properties, Row, STRING_BYTES_MAX, Value};
use peerd_core::{EnrollmentId, Reason};
use peerd_node::object::{Content, Line, LoadHeader};
use peerd_store::{Sequence, Store as _};

use crate::world::{CLEAN, IMPORTED, World, airport, cells, header, json, marked, text};

#[tokio::test]
async fn a_load_is_idempotent_and_an_unchanged_row_moves_nothing() {
    let world = World::new().await;
    let columns = ["faa", "name", "alt"];
    let first = world
        .load(&columns, &[&["EWR", "Newark", "18"], &["JFK", "Kennedy", "NA"]])
        .await;
    assert_eq!((first.read, first.written, first.unchanged), (2, 2, 0));
    let head = world.head().await;

    let again = world
        .load(&columns, &[&["EWR", "Newark", "18"], &["JFK", "Kennedy", ""]])
        .await;
    assert_eq!((again.written, again.unchanged), (0, 2));
    assert_eq!(world.head().await, head);

    let one = world
        .load(&columns, &[&["EWR", "Newark", "19"], &["JFK", "Kennedy", ""]])
        .await;
    assert_eq!((one.written, one.unchanged), (1, 1));
    let world = world.restarted().await;
    let seen = world.airport(&world.admin, "EWR").await.unwrap();
    assert_eq!(seen.properties["alt"], Value::Integer(19));
    assert_eq!(seen.source.unwrap().owner, world.it.node.enrollment_id());
    let seen = world.airport(&world.admin, "JFK").await.unwrap();
    assert!(!seen.properties.contains_key("alt"));
}

#[tokio::test]
async fn each_bad_row_of_cells_is_rejected_with_its_line_and_the_others_are_loaded() {
    let world = World::new().await;
    let huge = "x".repeat(STRING_BYTES_MAX + 1);
    let long_key = "k".repeat(513);
    let progress = world
        .load(
            &["faa", "name", "alt", "lat", "opened", "open"],
            &[
                &["EWR", "Newark", "18", "40.7", "1928-10-01", "true"],
                &["", "no key", "", "", "", ""],
                &["NA", "null key", "", "", "", ""],
                &["EWR", "twice", "", "", "", ""],
                &["A", "", "eighteen", "", "", ""],
                &["B", "", "2147483648", "", "", ""],
                &["C", "", "1.5", "", "", ""],
                &["D", "", "", "inf", "", ""],
                &["E", "", "", "", "1928-13-01", ""],
                &["F", "", "", "", "", "yes"],
                &["G", "few"],
                &["H", "", "", "", "", "", "many"],
                &["I", &huge, "", "", "", ""],
                &["J\0", "", "", "", "", ""],
                &[&long_key, "", "", "", "", ""],
                &["JFK", "Kennedy", "13", "", "", ""],
            ],
        )
        .await;
    let lines: Vec<u64> = progress.rejections.iter().map(|it| it.line).collect();
    assert_eq!(lines, (3..=16).collect::<Vec<u64>>());
    assert_eq!((progress.read, progress.written, progress.rejected), (16, 2, 14));
    let of_line = |line: u64| progress.rejections.iter().find(|it| it.line == line).unwrap();
    assert_eq!(of_line(3).message, "faa must have a value");
    assert_eq!(of_line(5).reason, Reason::KeyRepeated);
    assert_eq!(of_line(5).message, "this load had a row with the key EWR before");
    assert_eq!(of_line(6).message, "alt: not of type integer");
    assert_eq!(of_line(7).message, "alt: out of range for type integer");
    assert_eq!(of_line(12).message, "2 cells where there are 6 columns");
    assert!(progress.rejections.iter().all(|it| it.message.len() < 200));
    assert_eq!(world.count(&world.admin).await, 2);
    let seen = world.airport(&world.admin, "EWR").await.unwrap();
    assert_eq!(
        text(&seen, "name").as_deref(),
        Some("Newark"),
        "the first row stays"
    );
}

#[tokio::test]
async fn each_bad_json_row_is_rejected_and_the_others_are_loaded() {
    let world = World::new().await;
    let progress = world
        .load_with(
            header(&[]),
            json(&[
                r#"{"faa": "EWR", "alt": 18, "tags": ["a", "b"]}"#,
                r#"{"name": "no key"}"#,
                r#"{"faa": null}"#,
                r#"{"faa": 7}"#,
                r#"{"faa": "A", "alt": "18"}"#,
                r#"{"faa": "B", "alt": 3000000000}"#,
                r#"{"faa": "C", "tags": "a"}"#,
                r#"{"faa": "D", "tags": [1]}"#,
                r#"{"faa": "E", "colour": "red"}"#,
                r#"["EWR"]"#,
                "{",
                "",
                r#"{"faa": ""}"#,
            ]),
        )
        .await
        .unwrap();
    assert_eq!((progress.written, progress.rejected), (1, 12));
    let extra = progress.rejections.iter().find(|it| it.line == 10).unwrap();
    assert_eq!(extra.message, "airport has no property colour");
    let tags = &world.airport(&world.admin, "EWR").await.unwrap().properties["tags"];
    assert_eq!(
        *tags,
        Value::Array(vec![Value::String("a".into()), Value::String("b".into())])
    );
}

#[tokio::test]
async fn a_header_that_does_not_fit_the_type_is_refused_before_any_row() {
    let world = World::new().await;
    let refused = async |header: LoadHeader| {
        let begun = world.it.node.begin_load(&world.admin, header).await;
        begun.map(drop).unwrap_err()
    };
    for columns in [&["faa", "colour"][..], &["faa", "faa"]] {
        let error = refused(header(columns)).await;
        assert_eq!(error.details()["field"], "columns", "{columns:?}");
    }
    let mut built = header(&["name"]);
    built.key_from = vec!["carrier".into()];
    assert_eq!(refused(built).await.details()["field"], "key_from");
    let mut number = header(&[]);
    number.object_type = "gate".into();
    number.key_from = vec!["letter".into()];
    assert_eq!(refused(number).await.details()["field"], "key_from");
    let mut unknown = header(&[]);
    unknown.object_type = "boat".into();
    assert_eq!(refused(unknown).await.reason(), Reason::NotFound);
    let mut unknown = header(&[]);
    unknown.security = marked(&["eyes-only"]);
    assert_eq!(refused(unknown).await.reason(), Reason::MarkingUnknown);
    let mut unknown = header(&[]);
    unknown.security.classification = Some("cosmic".parse().unwrap());
    assert_eq!(refused(unknown).await.reason(), Reason::LevelUnknown);

    let editor = world.principal("eve", Role::Editor).await;
    let denied = world.it.node.begin_load(&editor, header(&["faa"])).await;
    assert_eq!(denied.map(drop).unwrap_err().reason(), Reason::RoleInsufficient);
}

#[tokio::test]
async fn a_key_is_built_from_columns_and_never_ambiguous() {
    let world = World::new().await;
    let mut header = header(&["carrier", "number", "name"]);
    header.key_from = vec!["carrier".into(), "number".into()];
    let rows: &[&[&str]] = &[
        &["UA", "1545", "x"],
        &["UA", "", "no part"],
        &["a|b", "c", "a bar"],
    ];
    let progress = world.load_with(header.clone(), cells(rows)).await.unwrap();
    assert_eq!((progress.written, progress.rejected), (1, 2));
    assert!(world.airport(&world.admin, "UA|1545").await.is_ok());
    header.columns.clear();
    let rows = json(&[
        r#"{"carrier": "UA", "number": 1546}"#,
        r#"{"carrier": "UA", "number": 1, "faa": "own"}"#,
    ]);
    let progress = world.load_with(header, rows).await.unwrap();
    assert_eq!((progress.written, progress.rejected), (1, 1));
    assert!(world.airport(&world.admin, "UA|1546").await.is_ok());
}

#[tokio::test]
async fn many_rows_go_in_many_batches_and_a_thousand_rejections_are_told() {
    let world = World::new().await;
    let mut lines: Vec<Line> = Vec::new();
    for number in 0..3_000_u64 {
        let key = if number < 1_700 {
            format!("k{number:05}")
        } else {
            String::new()
        };
        let content = Content::Cells(vec![key, "x".repeat(100)]);
        lines.push(Line { number, content });
    }
    let progress = world.load_with(header(&["faa", "name"]), lines).await.unwrap();
    assert_eq!(
        (progress.read, progress.written, progress.rejected),
        (3_000, 1_700, 1_300)
    );
    assert_eq!(progress.rejections.len(), 1_000);
    assert_eq!(world.count(&world.admin).await, 1_700);
}

#[tokio::test]
async fn a_load_raises_security_and_never_lowers_it() {
    let world = World::new().await;
    world.secure().await;
    let node = &world.it.node;
    let me = world.admin.principal().id.to_string();
    for name in ["medical", "crew"] {
        let name = name.parse().unwrap();
        node.grant_marking(&world.admin, &name, &me).await.unwrap();
    }
    let load = async |security: Security| {
        let mut header = header(&["faa"]);
        header.security = security;
        world.load_with(header, cells(&[&["EWR"]])).await.unwrap().written
    };
    assert_eq!(load(marked(&["medical"])).await, 1);
    assert_eq!(load(Security::unrestricted()).await, 0);
    assert_eq!(load(marked(&["crew"])).await, 1);
    let seen = world.airport(&world.admin, "EWR").await.unwrap();
    assert_eq!(seen.security, marked(&["medical", "crew"]));
    let lowered = node
        .set_object_security(&world.admin, &airport("EWR"), &marked(&[]))
        .await;
    assert_eq!(lowered.unwrap().security, Security::unrestricted());
}

#[tokio::test]
async fn a_load_beside_edits_of_the_same_objects_loses_neither() {
    let world = World::new().await;
    world.load(&["faa", "name"], &[&["EWR", "one"]]).await;
    let edits = peerd_node::object::Edits {
        set: crate::world::texts(&[("alt", "5")]),
        clear: Vec::new(),
    };
    let at = airport("EWR");
    let (loaded, edited) = tokio::join!(
        world.load(&["faa", "name"], &[&["EWR", "two"]]),
        world.it.node.edit_object(&world.admin, &at, &edits),
    );
    edited.unwrap();
    assert_eq!(loaded.written, 1);
    let seen = world.airport(&world.admin, "EWR").await.unwrap();
    assert_eq!(text(&seen, "name").as_deref(), Some("two"));
    assert_eq!(seen.properties["alt"], Value::Integer(5));
}

#[tokio::test]
async fn b081_a_row_of_another_enrollments_source_is_rejected_and_edits_end_that_it_is_clean() {
    let world = World::new().await;
    let node = &world.it.node;
    let of = node
        .show_ontology(&world.admin, crate::world::SPACE)
        .await
        .unwrap();
    let of = of.object_type("airport").unwrap();
    let key = (of.primary_key, Value::String("EWR".into()));
    let row = Row::of(&Properties::from_iter([key])).unwrap();
    let (hlc, other) = (Hlc::at(node.now()), EnrollmentId::from_bytes([9; 32]));
    let mut state = ObjectState::blank(hlc, other);
    state.load_row(row, hlc, other).unwrap();
    world.import("EWR", &state).await;
    let head = world.head().await;

    let loaded = world
        .load(&["faa", "name"], &[&["EWR", "mine"], &["JFK", "mine"]])
        .await;
    assert_eq!((loaded.written, loaded.rejected), (1, 1));
    assert_eq!(loaded.rejections[0].reason, Reason::SourceOwned);
    assert_eq!(loaded.rejections[0].line, 2);
    let (feed, head) = (world.feed().await, Sequence(head));
    let moved = world.it.store.changes(&feed, head, 10).await.unwrap();
    assert_eq!(moved.len(), 1);
    assert!(moved[0].key.ends_with(b"JFK"), "the other object alone moved");
    assert_eq!(world.flags("EWR").await, IMPORTED | CLEAN);

    let edits = peerd_node::object::Edits {
        set: crate::world::texts(&[("name", "ours")]),
        clear: Vec::new(),
    };
    let edited = node
        .edit_object(&world.admin, &airport("EWR"), &edits)
        .await
        .unwrap();
    assert_eq!(edited.origin, other);
    assert_eq!(edited.rid.enrollment, node.enrollment_id());
    assert_eq!(world.flags("EWR").await, IMPORTED);
}
