use super::*;

mod links;
mod preview;

const FLIGHTS: &str = r"
object_types:
  - name: airport
    title: Airport
    primary_key: faa
    conflicts: user-edits-win
    properties:
      faa: string
      name: string
      lat: double
      alt: {type: integer, nullable: true}
      tags: {type: array, items: string, nullable: true}
  - name: flight
    primary_key: id
    conflicts: most-recent-value
    timestamp: seen
    properties:
      id: string
      origin: {type: reference, to: airport}
      seen: timestamp
      crew:
        type: struct
        nullable: true
        fields: {pilot: string, ages: {type: array, items: integer}}
link_types:
  - {name: flight_origin, kind: foreign-key, from: flight.origin, to: airport}
  - {name: near, kind: many-to-many, between: [airport, airport]}
";

fn file(yaml: &str) -> OntologyFile {
    serde_yaml_ng::from_str(yaml).expect("the shape of an ontology file")
}

fn flights() -> Ontology {
    Ontology::default()
        .evolve(&file(FLIGHTS))
        .expect("a valid ontology")
}

/// The flights ontology with one piece of text replaced, applied to the original one.
fn changed(from: &str, to: &str) -> Result<Ontology, ApplyError> {
    assert!(FLIGHTS.contains(from), "{from}");
    flights().evolve(&file(&FLIGHTS.replacen(from, to, 1)))
}

fn invalid(from: &str, to: &str) -> String {
    match changed(from, to) {
        Err(ApplyError::Invalid(why)) => why.to_string(),
        other => panic!("expected invalid, got {other:?}"),
    }
}

fn incompatible(from: &str, to: &str) -> String {
    match changed(from, to) {
        Err(ApplyError::Incompatible(why)) => why.to_string(),
        other => panic!("expected incompatible, got {other:?}"),
    }
}

#[test]
fn a_file_becomes_an_ontology_with_numbers_in_its_order() {
    let ontology = flights();
    assert_eq!(ontology.revision, 1);
    let airport = ontology.object_type("airport").expect("airport");
    let names: Vec<(u16, &str)> = airport
        .properties
        .iter()
        .map(|p| (p.id.0, p.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [(1, "faa"), (2, "name"), (3, "lat"), (4, "alt"), (5, "tags")]
    );
    assert_eq!(airport.primary_key, PropertyId(1));
    assert!(airport.named("alt").is_some_and(|alt| alt.nullable));
    let flight = ontology.object_type("flight").expect("flight");
    assert_eq!(
        flight.conflicts,
        Conflicts::MostRecentValue {
            timestamp: PropertyId(3)
        }
    );
    let crew = flight.named("crew").expect("crew");
    assert_eq!(
        crew.of.to_string(),
        "struct (ages: array of integer, pilot: string)"
    );
    assert_eq!(ontology.link_types.len(), 2);
}

#[test]
fn the_same_file_in_json_is_the_same_ontology_and_a_stored_one_reads_back() {
    let json = serde_json::json!({"object_types": [{
        "name": "airport", "primary_key": "faa", "properties": {"faa": "string", "alt": {"type": "integer"}}
    }]});
    let file: OntologyFile = serde_json::from_value(json).expect("the shape");
    assert_eq!(Ontology::try_from(&file).map(|o| o.object_types.len()), Ok(1));
    let stored = serde_json::to_string(&flights()).expect("serialises");
    assert_eq!(
        serde_json::from_str::<Ontology>(&stored).expect("reads"),
        flights()
    );
}

#[test]
fn an_unknown_type_names_the_type_and_the_property() {
    assert_eq!(
        invalid("name: string", "name: sting"),
        "airport.name: unknown type \"sting\""
    );
    assert_eq!(
        invalid("items: integer", "items: {type: number}"),
        "flight.crew: unknown type \"number\""
    );
}

#[test]
fn what_a_file_gets_wrong_is_said_with_its_place() {
    assert_eq!(
        invalid("to: airport}", "to: port}"),
        "flight.origin: there is no object type port"
    );
    assert!(invalid("primary_key: faa", "primary_key: alt").contains("airport: primary key alt"));
    assert!(invalid("primary_key: faa", "primary_key: lat").contains("airport: primary key lat"));
    assert!(invalid("primary_key: faa", "primary_key: nope").contains("airport: primary key nope"));
    assert!(invalid("timestamp: seen", "timestamp: id").starts_with("flight: conflicts"));
    assert!(invalid("conflicts: user-edits-win", "conflicts: newest").starts_with("airport: conflicts"));
    assert!(invalid("from: flight.origin", "from: flight.id2").starts_with("link type flight_origin"));
    assert!(invalid("from: flight.origin", "from: flight.seen").starts_with("link type flight_origin"));
    assert!(invalid("kind: many-to-many", "kind: many").starts_with("link type near"));
    assert!(invalid("lat: double", "lat: {type: double, items: string}").starts_with("airport.lat"));
    assert!(invalid("lat: double", "lat: array").starts_with("airport.lat"));
    let deep =
        "lat: {type: array, items: {type: array, items: {type: array, items: {type: array, items: long}}}}";
    assert!(invalid("lat: double", deep).contains("four deep"));
    assert_eq!(
        invalid("name: flight\n", "name: airport\n"),
        "airport is named twice"
    );
}

#[test]
fn a_file_with_an_unknown_key_or_a_property_twice_is_refused() {
    let read = |from: &str, to: &str| {
        serde_yaml_ng::from_str::<OntologyFile>(&FLIGHTS.replacen(from, to, 1)).map_err(|e| e.to_string())
    };
    assert!(read("title: Airport", "titel: Airport").is_err_and(|e| e.contains("titel")));
    assert!(read("nullable: true}", "nulable: true}").is_err_and(|e| e.contains("nulable")));
    assert!(read("name: string", "faa: string").is_err_and(|e| e.contains("faa")));
    assert!(read("faa: string", "2faa: string").is_err_and(|e| e.contains("api name")));
}

#[test]
fn applying_the_same_file_again_changes_nothing() {
    let ontology = flights();
    assert_eq!(ontology.evolve(&file(FLIGHTS)), Ok(ontology.clone()));
}

#[test]
fn an_ontology_grows_and_old_numbers_stay() {
    let grown = changed(
        "name: string",
        "icao: {type: string, nullable: true}\n      name: string",
    )
    .expect("grows");
    assert_eq!(grown.revision, 2);
    let airport = grown.object_type("airport").expect("airport");
    assert_eq!(airport.named("name").map(|p| p.id), Some(PropertyId(2)));
    assert_eq!(airport.named("icao").map(|p| p.id), Some(PropertyId(6)));
    let relaxed = changed("lat: double", "lat: {type: double, nullable: true}").expect("relaxes");
    assert!(
        relaxed
            .object_type("airport")
            .and_then(|a| a.named("lat"))
            .is_some_and(|p| p.nullable)
    );
    let moved = changed("      id: string\n", "").err();
    assert!(moved.is_some());
    // A new order in the file gives no new numbers, not even to links and timestamps.
    let reordered = changed(
        "id: string\n      origin: {type: reference, to: airport}\n      seen: timestamp",
        "seen: timestamp\n      origin: {type: reference, to: airport}\n      id: string",
    );
    assert_eq!(reordered, Ok(flights()));
}

#[test]
fn what_would_break_objects_is_refused_with_its_place() {
    assert_eq!(
        incompatible("      lat: double\n", ""),
        "airport.lat cannot be removed"
    );
    assert_eq!(
        incompatible("lat: double", "lat: decimal"),
        "airport.lat is double and cannot become decimal"
    );
    assert!(
        incompatible("type: integer, nullable: true", "type: integer")
            .starts_with("airport.alt must be nullable")
    );
    assert!(
        incompatible("lat: double", "lat: double\n      lon: double")
            .starts_with("airport.lon must be nullable")
    );
    assert_eq!(
        incompatible("primary_key: faa", "primary_key: name"),
        "the primary key of airport cannot change"
    );
    assert!(incompatible("between: [airport, airport]", "between: [airport, flight]").contains("near"));
    let (airport_only, _) = FLIGHTS.split_once("  - name: flight\n").expect("two types");
    assert_eq!(
        flights().evolve(&file(airport_only)),
        Err(Incompatible::ObjectTypeRemoved("flight".parse().expect("a name")).into())
    );
}

#[test]
fn a_schema_shows_one_type_and_its_digest_shows_drift() {
    let before = flights().schema_of("airport").expect("airport");
    assert_eq!(before.properties().len(), 5);
    assert!(flights().schema_of("nope").is_none());
    let title = changed("title: Airport", "title: Aerodrome").expect("grows");
    assert_eq!(
        title.schema_of("airport").map(|s| s.digest()),
        Some(before.digest())
    );
    for (from, to) in [
        ("lat: double", "lat: {type: double, nullable: true}"),
        (
            "name: string",
            "name: string\n      iata: {type: string, nullable: true}",
        ),
    ] {
        let drifted = changed(from, to)
            .expect("grows")
            .schema_of("airport")
            .expect("airport");
        assert_ne!(drifted.digest(), before.digest());
    }
}

#[test]
fn a_schema_from_a_peer_is_checked() {
    let schema = flights().schema_of("airport").expect("airport");
    let json = serde_json::to_value(&schema).expect("serialises");
    assert_eq!(
        serde_json::from_value::<Schema>(json.clone()).expect("reads"),
        schema
    );
    let broken = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        change(&mut json);
        serde_json::from_value::<Schema>(json).is_err()
    };
    assert!(broken(&|json| json["primary_key"] = 9.into()));
    assert!(broken(&|json| json["primary_key"] = 3.into()));
    assert!(broken(&|json| json["properties"][1]["id"] = 1.into()));
    assert!(broken(&|json| json["properties"][1]["name"] = "faa".into()));
    assert!(broken(&|json| json["extra"] = 1.into()));
    let deep = serde_json::json!({"array": {"array": {"array": {"array": "string"}}}});
    assert!(broken(&|json| json["properties"][1]["of"] = deep.clone()));
}
