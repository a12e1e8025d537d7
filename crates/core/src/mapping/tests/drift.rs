//! Schemas that drift apart: what each side says and does about it.

use super::*;

const STRICT: &str =
    r#"[{"name": "airport", "primary_key": "faa", "properties": {"faa": "string", "name": "string"}}]"#;
const RELAXED: &str = r#"[{"name": "airport", "primary_key": "faa",
    "properties": {"faa": "string", "name": {"type": "string", "nullable": true}}}]"#;

#[test]
fn what_the_other_side_calls_unfit_is_not_sent_until_it_says_so_no_more() {
    let (strict, relaxed) = (ordered(STRICT), ordered(RELAXED));
    let here = share(&strict, &[("airport", false, true)]);
    let mut there = share(&relaxed, &[("airport", true, false)]);
    let importer = between(&here, &[], &strict);
    let told = unfit(importer, &there);
    assert_eq!(told, BTreeSet::from([name("airport")]));
    let seen = flows(importer, &there);
    assert_eq!((seen.imports.len(), seen.blocked.len()), (0, 1));

    // The exporter would send; once it is told, it does not, and knows why.
    let mut heard = here.clone();
    let exporter = |heard: &Sharing| flows(between(&there, &[], &relaxed), heard);
    assert_eq!(
        (exporter(&heard).exports.len(), exporter(&heard).unfit.len()),
        (1, 0)
    );
    heard.unfit = told;
    assert_eq!(
        (exporter(&heard).exports.len(), exporter(&heard).unfit.len()),
        (0, 1)
    );
    // What would not go out anyway is not called stopped.
    there.types.clear();
    let nothing = flows(between(&there, &[], &relaxed), &heard);
    assert!(nothing.unfit.is_empty() && nothing.exports.is_empty());

    let back = share(&strict, &[("airport", true, false)]);
    assert!(unfit(importer, &back).is_empty(), "it fits again");
}

#[test]
fn a_sharing_with_nothing_unfit_is_written_as_it_always_was() {
    let sharing = share(&ordered(STRICT), &[("airport", true, true)]);
    let json = serde_json::to_value(&sharing).expect("serialises");
    assert!(json.get("unfit").is_none() && json.get("held_to").is_none());
    assert_eq!(serde_json::from_value::<Sharing>(json).expect("reads"), sharing);
}

#[test]
fn what_a_mapping_holds_back_is_told_and_not_waited_for() {
    let types = ordered(STRICT);
    let schema = types.schema_of("airport").expect("airport");
    let here = share(&types, &[("airport", true, true)]);
    let imported = |held: Lanes| {
        let mut mapping = Mapping::by_equal_names(&types.object_types["airport"], &schema).expect("maps");
        mapping.export = held;
        let mut there = share(&types, &[("airport", true, true)]);
        there.held_to = held_to(&[mapping], &there.types);
        let found = flows(between(&here, &[], &types), &there);
        found.imports.get("airport").map(|import| import.lanes)
    };
    assert_eq!(imported(Lanes::BOTH), Some(Lanes::BOTH));
    let actions = Lanes {
        source: false,
        actions: true,
    };
    assert_eq!(imported(actions), Some(actions));
    assert_eq!(imported(Lanes::default()), None);
}

#[test]
fn links_are_mapped_end_to_end_or_not_at_all() {
    let both = |ends: &str| {
        let file = format!(
            r#"{{"object_types": [
                {{"name": "pilot", "primary_key": "id", "properties": {{"id": "string"}}}},
                {{"name": "plane", "primary_key": "id", "properties": {{"id": "string"}}}}],
                "link_types": [{{"name": "rated", "kind": "many-to-many", "between": {ends}}}]}}"#
        );
        let file: OntologyFile = serde_json::from_str(&file).expect("a file");
        Ontology::default().evolve(&file).expect("an ontology")
    };
    let (one, other) = (both(r#"["pilot", "plane"]"#), both(r#"["plane", "pilot"]"#));
    let local = one.feed_type("rated").expect("a link type");
    let same = Mapping::by_equal_names(&local, &one.schema_of("rated").expect("a schema"));
    assert_eq!(same.map(|mapping| mapping.properties.len()), Ok(3));
    let reversed = other.schema_of("rated").expect("a schema");
    assert!(Mapping::by_equal_names(&local, &reversed).is_err());
    let crossed = [("link", "link"), ("left", "right"), ("right", "left")];
    let crossed = crossed.map(|(here, there)| (name(here), name(there)));
    let refused = Mapping::new(
        &local,
        &reversed,
        crossed.to_vec(),
        Lanes::default(),
        Lanes::BOTH,
        &BTreeMap::new(),
    );
    assert_eq!(
        refused,
        Err(MappingError::Ends),
        "the key says which end is which"
    );
}
