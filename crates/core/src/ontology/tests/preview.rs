use super::*;

fn preview(from: &str, to: &str) -> Preview {
    assert!(FLIGHTS.contains(from), "{from}");
    flights().preview(&file(&FLIGHTS.replacen(from, to, 1)))
}

#[test]
fn a_preview_says_all_that_would_change_and_changes_nothing() {
    let grown = FLIGHTS
        .replacen("lat: double", "lat: {type: double, nullable: true}", 1)
        .replacen(
            "      tags:",
            "      city: {type: string, nullable: true}\n      tags:",
            1,
        )
        .replacen("title: Airport", "title: Field", 1)
        .replacen(
            "link_types:",
            "  - name: gate\n    primary_key: id\n    properties: {id: string}\nlink_types:",
            1,
        );
    let before = flights();
    let preview = before.preview(&file(&grown));
    assert!(preview.refusals.is_empty());
    assert_eq!(preview.revision, before.revision + 1);
    let mut told: Vec<String> = preview.changes.iter().map(ToString::to_string).collect();
    told.sort();
    assert_eq!(
        told,
        [
            "airport.city is new, of type string",
            "airport.lat may be without a value",
            "object type airport has another title",
            "object type gate is new, with 1 properties",
        ]
    );
    assert_eq!(before, flights());
    let same = before.preview(&file(FLIGHTS));
    assert_eq!((same.revision, same.changes.len()), (before.revision, 0));
    assert!(same.refusals.is_empty());
}

#[test]
fn a_preview_says_everything_that_stands_against_a_file_at_once() {
    let broken = FLIGHTS
        .replacen("      lat: double\n", "", 1)
        .replacen("name: string", "name: integer", 1)
        .replacen("      tags:", "      city: string\n      tags:", 1);
    let preview = flights().preview(&file(&broken));
    let told: Vec<String> = preview.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter()
            .any(|one| one.contains("airport.lat cannot be removed"))
    );
    assert!(told.iter().any(|one| one.contains("cannot become integer")));
    assert!(
        told.iter()
            .any(|one| one.contains("airport.city must be nullable"))
    );
    assert_eq!(preview.revision, flights().revision);
}

#[test]
fn a_preview_refuses_whatever_applying_refuses() {
    for (from, to) in [
        ("      lat: double\n", ""),
        ("primary_key: faa", "primary_key: name"),
        (
            "  - {name: near, kind: many-to-many, between: [airport, airport]}\n",
            "",
        ),
        ("lat: double", "lat: nothing"),
        ("between: [airport, airport]", "between: [airport, flight]"),
    ] {
        assert!(changed(from, to).is_err(), "{to}");
        assert!(!preview(from, to).refusals.is_empty(), "{to}");
    }
}
