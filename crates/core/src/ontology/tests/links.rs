//! Link types: what a file may say, how they grow, and the types that carry links.

use super::*;
use crate::object::{Changes, ObjectKey};
use crate::value::{Properties, Value};

const DUTIES: &str = r"
object_types:
  - {name: pilot, primary_key: id, properties: {id: string}}
  - {name: plane, primary_key: tail, properties: {tail: string}}
  - name: duty
    primary_key: id
    properties:
      id: string
      hours: {type: integer, nullable: true}
      pilot: {type: reference, to: pilot}
      plane: {type: reference, to: plane}
link_types:
  - {name: duties, kind: object-backed, via: duty, from: pilot, to: plane}
  - {name: rated, kind: many-to-many, between: [pilot, plane]}
  - {name: knows, kind: many-to-many, between: [pilot, pilot]}
";

fn duties() -> Ontology {
    Ontology::default().evolve(&file(DUTIES)).expect("valid")
}

fn changed(from: &str, to: &str) -> Result<Ontology, ApplyError> {
    assert!(DUTIES.contains(from), "{from}");
    duties().evolve(&file(&DUTIES.replacen(from, to, 1)))
}

fn refused(from: &str, to: &str) -> String {
    changed(from, to).expect_err(to).to_string()
}

#[test]
fn an_object_backed_link_type_names_two_references_of_one_type() {
    let ontology = duties();
    let of = |name: &str| ontology.ends_of(&ontology.link_types[name]).expect("ends");
    let name = |text: &str| text.parse::<ApiName>().expect("a name");
    assert_eq!(of("duties"), (name("pilot"), name("plane")));
    assert_eq!(of("rated"), (name("pilot"), name("plane")));
    assert_eq!(
        ontology.link_types["duties"].kind,
        LinkKind::ObjectBacked {
            via: name("duty"),
            from: PropertyId(3),
            to: PropertyId(4)
        }
    );
    let stored = serde_json::to_string(&ontology).expect("serialises");
    assert_eq!(
        serde_json::from_str::<Ontology>(&stored).expect("reads"),
        ontology
    );
    assert!(!stored.contains("ends"), "what carries links is not stored");
}

#[test]
fn what_a_link_type_gets_wrong_is_said() {
    for (from, to, told) in [
        ("from: pilot,", "from: hours,", "references"),
        ("from: pilot,", "from: nope,", "references"),
        ("from: pilot,", "from: plane,", "two references"),
        ("via: duty", "via: nope", "there is no object type nope"),
        (", from: pilot, to: plane", "", "object-backed with"),
        ("via: duty, ", "", "object-backed with"),
        (
            "between: [pilot, plane]",
            "between: [pilot, plane], via: duty",
            "it is foreign-key",
        ),
    ] {
        assert!(refused(from, to).contains(told), "{}", refused(from, to));
    }
}

#[test]
fn link_types_are_added_and_never_removed_or_changed() {
    let none = "  - {name: knows, kind: many-to-many, between: [pilot, pilot]}\n";
    for (from, to) in [
        (none, ""),
        ("from: pilot, to: plane", "from: plane, to: pilot"),
        ("between: [pilot, plane]", "between: [plane, pilot]"),
        (
            "kind: many-to-many, between: [pilot, pilot]",
            "kind: object-backed, via: duty, from: pilot, to: plane",
        ),
    ] {
        assert!(refused(from, to).contains("cannot be removed or changed"), "{to}");
    }
    let more = changed(
        none,
        &format!("{none}  - {{name: flown, kind: many-to-many, between: [plane, pilot]}}\n"),
    );
    assert_eq!(more.map(|it| (it.revision, it.link_types.len())), Ok((2, 4)));
    // Properties beside those it names come and move as they like.
    let moved = changed(
        "hours: {type: integer, nullable: true}\n      pilot: {type: reference, to: pilot}",
        "pilot: {type: reference, to: pilot}\n      hours: {type: integer, nullable: true}\n      \
         note: {type: string, nullable: true}",
    );
    assert_eq!(moved.map(|it| it.link_types == duties().link_types), Ok(true));
}

#[test]
fn a_name_is_for_an_object_type_or_for_a_link_type() {
    let twice = DUTIES.replacen("name: rated", "name: plane", 1);
    let refused = Ontology::default().evolve(&file(&twice)).expect_err("twice");
    assert_eq!(refused.to_string(), "plane is named twice");
    let later = "  - {name: pilot, primary_key: id, properties: {id: string}}\n";
    let added = format!("{later}  - {{name: rated, primary_key: id, properties: {{id: string}}}}\n");
    assert!(changed(later, &added).is_err());
    // What was stored before that was a rule still grows; the object type has the name.
    let both: Ontology = Ontology::try_from(&file(&twice)).expect("once allowed");
    let grown = both.evolve(&file(&twice)).expect("as it was");
    assert!(grown.feed_type("plane").is_some_and(|of| of.ends.is_none()));
    assert_eq!(
        grown.feed_types().filter(|name| name.as_str() == "plane").count(),
        1
    );
}

#[test]
fn links_are_objects_of_a_type_that_follows_from_the_link_type() {
    let ontology = duties();
    let rated = ontology.feed_type("rated").expect("a carrier");
    let schema = Schema::of(&rated);
    assert_eq!(
        Schema::new(
            schema.name().clone(),
            schema.primary_key(),
            schema.properties().to_vec()
        ),
        Ok(schema)
    );
    let key = |text: &str| ObjectKey::new(rated.name.clone(), text).expect("a key");
    let reference = |text: &str| Value::Reference(text.into());
    let row = |left: &str, right: &str, given: Option<&str>| {
        let mut row = Properties::default();
        row.insert(Ends::LEFT, reference(left));
        row.insert(Ends::RIGHT, reference(right));
        if let Some(given) = given {
            row.insert(Ends::LINK, Value::String(given.into()));
        }
        rated.complete(&mut row);
        rated.check_row(&row)
    };
    assert_eq!(row("ann", "N1", None), Ok(key("3:annN1")));
    assert_eq!(row("ann", "N1", Some("3:annN1")), Ok(key("3:annN1")));
    assert!(row("ann", "N1", Some("3:annN2")).is_err());
    assert!(row("ann", "N1", Some("ann")).is_err());
    let edit = |id, value| {
        let changes = Changes([(id, Some(value))].into());
        rated.check_changes(&key("3:annN1"), &changes)
    };
    assert_eq!(edit(Ends::LEFT, reference("ann")), Ok(()));
    assert!(edit(Ends::LEFT, reference("bob")).is_err());
    assert!(edit(Ends::RIGHT, reference("N2")).is_err());
    let knows = ontology.feed_type("knows").expect("a carrier");
    assert_eq!(knows.ends, Some(Ends { symmetric: true }));
    assert!(
        ontology.feed_type("duties").is_none(),
        "its links have a type already"
    );
}
