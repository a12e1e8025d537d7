use serde_json::json;

use super::*;
use crate::object::{Changes, Hlc, ObjectKey, ObjectState};
use crate::ontology::{Ontology, OntologyFile};
use crate::value::{Properties, Row, Value};
use crate::{EnrollmentId, Reason};

mod drift;

const ME: EnrollmentId = EnrollmentId::from_bytes([1; 32]);
const PEER: EnrollmentId = EnrollmentId::from_bytes([2; 32]);

fn ontology(types: &serde_json::Value) -> Ontology {
    let file: OntologyFile = serde_json::from_value(json!({ "object_types": types })).expect("a file");
    Ontology::try_from(&file).expect("an ontology")
}

fn name(text: &str) -> ApiName {
    text.parse().expect("a name")
}

/// From text: unlike a JSON value, a text keeps its order, and the numbers follow from it.
fn ordered(types: &str) -> Ontology {
    let file: OntologyFile = serde_json::from_str(&format!("{{\"object_types\": {types}}}")).expect("a file");
    Ontology::try_from(&file).expect("an ontology")
}

fn ours() -> Ontology {
    ordered(
        r#"[
        {"name": "airport", "primary_key": "faa", "properties": {
            "faa": "string", "name": "string", "alt": {"type": "integer", "nullable": true}}},
        {"name": "flight", "primary_key": "id", "properties": {
            "id": "long", "origin": {"type": "reference", "to": "airport", "nullable": true}}}
        ]"#,
    )
}

/// The other side: an airport with other numbers and more properties, and a type of another name.
fn theirs() -> Ontology {
    ordered(
        r#"[
        {"name": "airport", "primary_key": "faa", "properties": {
            "name": "string", "secret": {"type": "string", "nullable": true}, "faa": "string",
            "alt": {"type": "string", "nullable": true}}},
        {"name": "field", "primary_key": "code", "properties": {"code": "string", "label": "string"}}
        ]"#,
    )
}

fn share(of: &Ontology, types: &[(&str, bool, bool)]) -> Sharing {
    let types = types.iter().map(|(ty, export, import)| {
        let share = TypeShare {
            schema: of.schema_of(ty).expect("a type"),
            export: *export,
            import: *import,
        };
        (name(ty), share)
    });
    Sharing {
        revision: 1,
        types: types.collect(),
        wanted: BTreeMap::new(),
        unfit: BTreeSet::new(),
        held_to: BTreeMap::new(),
    }
}

fn between<'a>(sharing: &'a Sharing, mappings: &'a [Mapping], ontology: &'a Ontology) -> OurSide<'a> {
    OurSide {
        sharing,
        mappings,
        ontology,
    }
}

fn incoming(values: &[(u16, Value)]) -> ObjectState {
    let hlc = Hlc::new(5, 0).expect("in range");
    let values: Properties = values
        .iter()
        .map(|(id, value)| (PropertyId(*id), value.clone()))
        .collect();
    let mut state = ObjectState::blank(hlc, PEER);
    state
        .load_row(Row::of(&values).expect("small"), hlc, PEER)
        .expect("own");
    state
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn key(object_type: &str, primary_key: &str) -> ObjectKey {
    ObjectKey::new(name(object_type), primary_key).expect("a key")
}

/// Translates an airport of the other side under the mapping by equal names.
fn airport(primary_key: &str, state: &ObjectState) -> Result<Translated, ItemRefusal> {
    let (ours, schema) = (ours(), theirs().schema_of("airport").expect("airport"));
    let local = ours.object_type("airport").expect("airport");
    let mapping = Mapping::by_equal_names(local, &schema).expect("maps");
    translate(
        &key("airport", primary_key),
        state,
        &mapping,
        Lanes::BOTH,
        local,
        (ME, None),
    )
}

#[test]
fn equal_names_map_properties_of_equal_name_and_type_only() {
    let schema = theirs().schema_of("airport").expect("airport");
    let mapping = Mapping::by_equal_names(&ours().object_types["airport"], &schema).expect("maps");
    let pairs: Vec<(u16, u16)> = mapping
        .properties
        .iter()
        .map(|p| (p.local.0, p.remote.0))
        .collect();
    assert_eq!(
        pairs,
        [(2, 1), (1, 3)],
        "alt has another type, secret another name"
    );
    assert_eq!(mapping.remote_schema, schema.digest());
}

#[test]
fn a_type_that_cannot_be_filled_is_not_mapped() {
    let map = |remote: serde_json::Value| {
        let remote = ontology(&json!([remote])).schema_of("airport").expect("airport");
        Mapping::by_equal_names(&ours().object_types["airport"], &remote)
    };
    let nameless = json!({"name": "airport", "primary_key": "faa", "properties": {"faa": "string"}});
    assert_eq!(map(nameless), Err(MappingError::Required(name("name"))));
    let maybe = json!({"name": "airport", "primary_key": "faa", "properties": {
        "faa": "string", "name": {"type": "string", "nullable": true}}});
    assert_eq!(map(maybe), Err(MappingError::Required(name("name"))));
    let other_key =
        json!({"name": "airport", "primary_key": "name", "properties": {"faa": "string", "name": "string"}});
    assert_eq!(map(other_key), Err(MappingError::PrimaryKey));
}

fn field_mapping(pairs: &[(&str, &str)], export: Lanes, import: Lanes) -> Result<Mapping, MappingError> {
    let pairs = pairs.iter().map(|(local, remote)| (name(local), name(remote)));
    let schema = theirs().schema_of("field").expect("field");
    Mapping::new(
        &ours().object_types["airport"],
        &schema,
        pairs,
        export,
        import,
        &BTreeMap::new(),
    )
}

#[test]
fn a_draft_says_everything_that_is_wrong_and_about_which_property() {
    let (ours, theirs) = (ours(), theirs());
    let (local, remote) = (
        ours.object_type("airport").unwrap(),
        theirs.schema_of("field").unwrap(),
    );
    let pairs = [("alt", "label"), ("name", "nope")].map(|(here, there)| (name(here), name(there)));
    let drafted = Mapping::draft(local, &remote, pairs, Lanes::BOTH, Lanes::BOTH, &BTreeMap::new());
    let (_, problems) = drafted;
    let about: Vec<_> = problems
        .iter()
        .map(|problem| problem.property().map(ToString::to_string))
        .collect();
    let about: Vec<_> = about.iter().map(Option::as_deref).collect();
    assert_eq!(about, [None, None, Some("alt"), None, Some("faa"), Some("name")]);
    assert_eq!(
        problems.first(),
        Some(&MappingError::SourceBothWays),
        "as one who saves it is told"
    );
}

#[test]
fn a_chosen_mapping_is_checked() {
    let source = Lanes {
        source: true,
        actions: false,
    };
    let none = Lanes::default();
    let good = [("faa", "code"), ("name", "label")];
    assert!(field_mapping(&good, none, Lanes::BOTH).is_ok());
    assert_eq!(
        field_mapping(&good, source, source),
        Err(MappingError::SourceBothWays)
    );
    assert_eq!(
        field_mapping(&good[..1], none, source),
        Err(MappingError::Required(name("name")))
    );
    assert!(
        field_mapping(&good[..1], source, none).is_ok(),
        "what only goes out need not be complete here"
    );
    assert_eq!(
        field_mapping(&good[1..], source, none),
        Err(MappingError::PrimaryKey)
    );
    let unknown = field_mapping(&[("faa", "nope")], none, source);
    assert_eq!(unknown, Err(MappingError::Unknown("property nope".into())));
    let twice = field_mapping(&[("faa", "code"), ("faa", "label")], none, source);
    assert_eq!(twice, Err(MappingError::Twice(name("faa"))));
    let types = field_mapping(&[("faa", "code"), ("alt", "label")], none, source);
    assert!(matches!(types, Err(MappingError::TypesDiffer { .. })));
}

#[test]
fn b083_only_mapped_properties_come_in_and_the_rest_is_counted() {
    let state = incoming(&[
        (1, text("Newark")),
        (2, text("hush")),
        (3, text("EWR")),
        (4, text("18")),
    ]);
    let translated = airport("EWR", &state).expect("fits");
    assert_eq!(translated.dropped, 2);
    assert_eq!(translated.key, key("airport", "EWR"));
    let row = &translated.state.source().expect("a row").row;
    let expected: Properties = [(PropertyId(1), text("EWR")), (PropertyId(2), text("Newark"))]
        .into_iter()
        .collect();
    assert_eq!(row.decode(), Ok(expected));
}

#[test]
fn b062_what_does_not_fit_the_type_is_refused_by_item() {
    let refusal = |primary_key: &str, values: &[(u16, Value)]| {
        let refused = airport(primary_key, &incoming(values)).expect_err("refused");
        assert_eq!(refused.reason(), Reason::ObjectInvalid);
        refused.to_string()
    };
    assert_eq!(
        refusal("EWR", &[(1, Value::Integer(1)), (3, text("EWR"))]),
        "name: not of type string"
    );
    assert_eq!(refusal("EWR", &[(3, text("EWR"))]), "name must have a value");
    assert_eq!(refusal("EWR", &[(1, text("Newark"))]), "faa must have a value");
    let other = refusal("JFK", &[(1, text("Newark")), (3, text("EWR"))]);
    assert_eq!(other, "faa does not match the object's key");
    let wrong_type = translate(
        &key("field", "EWR"),
        &incoming(&[(1, text("EWR"))]),
        &field_mapping(
            &[("faa", "code"), ("name", "label")],
            Lanes::default(),
            Lanes::BOTH,
        )
        .expect("maps"),
        Lanes::BOTH,
        &ours().object_types["flight"],
        (ME, None),
    );
    assert_eq!(wrong_type, Err(ItemRefusal::WrongType));
}

#[test]
fn b062_an_edit_of_the_wrong_type_or_of_the_key_is_refused() {
    let hlc = Hlc::new(9, 0).expect("in range");
    let edited = |id: u16, value: Option<Value>| {
        let mut state = incoming(&[(1, text("Newark")), (3, text("EWR"))]);
        let changes = Changes(BTreeMap::from([(PropertyId(id), value)]));
        state.edit(&changes, hlc, PEER).expect("live");
        airport("EWR", &state).map(|t| t.state.edit_of(PropertyId(2)).is_some())
    };
    assert_eq!(edited(1, Some(text("Liberty"))), Ok(true));
    assert_eq!(edited(2, Some(text("hush"))), Ok(false), "not mapped");
    assert!(edited(1, Some(Value::Boolean(true))).is_err());
    assert!(edited(1, None).is_err(), "the name must have a value here");
    assert!(edited(3, Some(text("JFK"))).is_err());
}

#[test]
fn b081_nobody_else_writes_our_source() {
    let mut forged = incoming(&[(1, text("Newark")), (3, text("EWR"))]);
    forged.source = forged
        .source
        .map(|source| crate::object::SourceRow { owner: ME, ..source });
    let lowered = crate::security::Security {
        classification: None,
        markings: ["medical".parse().expect("a name")].into(),
    };
    forged
        .set_security(lowered, Hlc::new(9, 0).expect("in range"), PEER)
        .expect("written");
    assert_eq!(airport("EWR", &forged), Err(ItemRefusal::SourceOwned));
    assert_eq!(ItemRefusal::SourceOwned.reason(), Reason::SourceOwned);

    // Our own row coming back is not an offence, and changes nothing.
    let (ontology, schema) = (ours(), theirs().schema_of("airport").expect("airport"));
    let local = ontology.object_type("airport").expect("airport");
    let mapping = Mapping::by_equal_names(local, &schema).expect("maps");
    let own = airport("EWR", &incoming(&[(1, text("Newark")), (3, text("EWR"))]))
        .expect("fits")
        .state;
    let own = {
        let mut own = own;
        own.source = own
            .source
            .map(|source| crate::object::SourceRow { owner: ME, ..source });
        own
    };
    let airport_key = key("airport", "EWR");
    let echo = translate(
        &airport_key,
        &forged,
        &mapping,
        Lanes::BOTH,
        local,
        (ME, Some(&own)),
    );
    let echo = echo.expect("an echo").state;
    assert_eq!(
        echo.security.seen().len(),
        1,
        "with the actions lane its security may change"
    );
    let source_only = Lanes {
        source: true,
        actions: false,
    };
    let closed = translate(
        &airport_key,
        &forged,
        &mapping,
        source_only,
        local,
        (ME, Some(&own)),
    );
    assert!(
        closed.expect("an echo").state.security.is_empty(),
        "without it nothing of ours may"
    );
    assert_eq!(
        crate::object::merge(&own, &echo).map(|merged| merged.state.source == own.source),
        Ok(true)
    );
}

#[test]
fn b083_a_lane_that_is_closed_lets_nothing_through() {
    let mapping = |import| {
        field_mapping(&[("faa", "code"), ("name", "label")], Lanes::default(), import).expect("maps")
    };
    let actions = Lanes {
        source: false,
        actions: true,
    };
    let state = incoming(&[(1, text("EWR")), (2, text("Newark"))]);
    let through = |mapping: &Mapping, lanes| {
        let local = &ours().object_types["airport"];
        translate(&key("field", "EWR"), &state, mapping, lanes, local, (ME, None)).map(|t| t.key)
    };
    assert_eq!(
        through(&mapping(Lanes::BOTH), Lanes::BOTH),
        Ok(key("airport", "EWR"))
    );
    assert_eq!(
        through(&mapping(actions), Lanes::BOTH),
        Err(ItemRefusal::NothingMapped)
    );
    assert_eq!(
        through(&mapping(Lanes::BOTH), actions),
        Err(ItemRefusal::NothingMapped)
    );
}

#[test]
fn b103_a_type_flows_only_when_both_sides_say_so() {
    let (here, there) = (ours(), theirs());
    for bits in 0..16_u8 {
        let bit = |n: u8| bits & (1 << n) != 0;
        let (a, b) = (
            share(&here, &[("airport", bit(0), bit(1))]),
            share(&there, &[("airport", bit(2), bit(3))]),
        );
        let flows = flows(between(&a, &[], &here), &b);
        assert_eq!(
            flows.exports.contains_key("airport"),
            bit(0) && bit(3),
            "{bits:04b}"
        );
        assert_eq!(
            flows.imports.contains_key("airport"),
            bit(2) && bit(1),
            "{bits:04b}"
        );
        assert!(flows.blocked.is_empty());
    }
    let nothing = Sharing::default();
    let all = share(&there, &[("airport", true, true), ("field", true, true)]);
    assert_eq!(flows(between(&nothing, &[], &here), &all), Flows::default());
}

#[test]
fn b083_an_export_names_only_what_the_other_side_wants() {
    let (here, there) = (ours(), theirs());
    let a = share(&here, &[("airport", true, true)]);
    let b = share(&there, &[("airport", true, true)]);
    let export = flows(between(&a, &[], &here), &b).exports["airport"].clone();
    assert_eq!(export.properties, [PropertyId(1), PropertyId(2)].into());
    assert_eq!(export.lanes, Lanes::BOTH);

    let source = Lanes {
        source: true,
        actions: false,
    };
    let mut wants = Sharing::default();
    wants.wanted.insert(
        name("airport"),
        Wanted {
            lanes: source,
            properties: [PropertyId(1), PropertyId(3), PropertyId(77)].into(),
        },
    );
    let export = flows(between(&a, &[], &here), &wants).exports["airport"].clone();
    assert_eq!(
        (export.lanes, export.properties),
        (source, [PropertyId(1), PropertyId(3)].into())
    );
    wants
        .wanted
        .get_mut("airport")
        .expect("there")
        .properties
        .remove(&PropertyId(1));
    assert!(
        flows(between(&a, &[], &here), &wants).exports.is_empty(),
        "objects without their key are of no use"
    );
}

#[test]
fn a_chosen_mapping_needs_the_exporters_share_and_obeys_a_local_ban() {
    let (here, there) = (ours(), theirs());
    let chosen = [field_mapping(
        &[("faa", "code"), ("name", "label")],
        Lanes::default(),
        Lanes::BOTH,
    )
    .expect("maps")];
    let theirs = share(&there, &[("field", true, false)]);
    let silent = Sharing::default();
    let found = flows(between(&silent, &chosen, &here), &theirs);
    assert_eq!(found.imports["field"].mapping, chosen[0]);
    assert!(
        flows(
            between(&silent, &chosen, &here),
            &share(&there, &[("field", false, true)])
        )
        .imports
        .is_empty()
    );
    let banned = share(&here, &[("airport", true, false)]);
    assert!(
        flows(between(&banned, &chosen, &here), &theirs)
            .imports
            .is_empty()
    );
    // The mapping lets nothing out, whatever the share says.
    let eager = share(&here, &[("airport", true, true)]);
    let both = share(&there, &[("airport", true, true)]);
    assert!(flows(between(&eager, &chosen, &here), &both).exports.is_empty());
}

#[test]
fn drift_that_breaks_a_mapping_blocks_the_type_and_says_why() {
    let here = ours();
    let chosen = [field_mapping(
        &[("faa", "code"), ("name", "label")],
        Lanes::default(),
        Lanes::BOTH,
    )
    .expect("maps")];
    let drifted = |label: serde_json::Value| {
        let there = ontology(&json!([{"name": "field", "primary_key": "code",
            "properties": {"code": "string", "label": label, "more": "string"}}]));
        flows(
            between(&Sharing::default(), &chosen, &here),
            &share(&there, &[("field", true, false)]),
        )
    };
    assert!(
        drifted(json!("string")).blocked.is_empty(),
        "a property more is no harm"
    );
    let blocked = drifted(json!("integer"));
    assert!(blocked.imports.is_empty());
    assert!(matches!(
        blocked.blocked["field"],
        MappingError::TypesDiffer { .. }
    ));
    let nullable = drifted(json!({"type": "string", "nullable": true}));
    assert_eq!(nullable.blocked["field"], MappingError::Required(name("name")));
}

#[test]
fn a_peers_sharing_is_checked() {
    let good = share(&theirs(), &[("airport", true, true)]);
    assert!(good.is_sound());
    let mut lying = good.clone();
    let airport = lying.types.remove("airport").expect("there");
    lying.types.insert(name("field"), airport);
    assert!(!lying.is_sound());
    let json = serde_json::to_string(&good).expect("serialises");
    assert_eq!(serde_json::from_str::<Sharing>(&json).expect("reads"), good);
}

/// The same ontology on both sides, so that all numbers are equal.
#[test]
fn what_passes_as_it_is_is_what_a_translation_would_come_to() {
    let local = ours();
    let airport = local.object_type("airport").expect("a type");
    let schema = local.schema_of("airport").expect("a type");
    let mapping = Mapping::by_equal_names(airport, &schema).expect("equal types");
    let id = |name: &str| airport.named(name).expect("a property").id;
    let text = |text: &str| Value::String(text.to_owned());
    let good = [
        (id("faa"), text("EWR")),
        (id("name"), text("Newark")),
        (id("alt"), Value::Integer(18)),
    ];
    let mut rows = vec![
        good.to_vec(),
        good[..2].to_vec(),
        good[..1].to_vec(),
        good[1..].to_vec(),
        vec![],
    ];
    for (place, wrong) in [
        (0, text("JFK")),
        (1, Value::Integer(1)),
        (2, text("18")),
        (2, Value::Long(18)),
    ] {
        let mut row = good.to_vec();
        row[place].1 = wrong;
        rows.push(row);
    }
    let mut passed = 0;
    for row in rows {
        let row = Row::of(&row.into_iter().collect()).expect("small");
        let hlc = Hlc::new(5, 0).expect("in range");
        for owner in [PEER, ME] {
            let mut state = ObjectState::blank(hlc, owner);
            state.load_row(row.clone(), hlc, owner).expect("a row");
            let key = ObjectKey::new(name("airport"), "EWR").expect("a key");
            for lanes in [
                Lanes::BOTH,
                Lanes {
                    source: true,
                    actions: false,
                },
                Lanes::default(),
            ] {
                let plain = state.as_plain().expect("a row and nothing else");
                let quick = pass_plain("EWR", &plain, &mapping, lanes, airport, ME);
                let Some(quick) = quick else { continue };
                passed += 1;
                let translated = translate(&key, &state, &mapping, lanes, airport, (ME, None));
                assert_eq!(quick, translated.clone().map(drop), "{row:?}");
                assert!(translated.is_ok_and(|it| it.state == state) || quick.is_err());
            }
        }
    }
    assert!(passed > 10, "most of these are plain, and the peer's own");
    let renumbered = theirs();
    let schema = renumbered.schema_of("airport").expect("a type");
    let mapping = Mapping::by_equal_names(airport, &schema).expect("keys and names are equal");
    let hlc = Hlc::new(5, 0).expect("in range");
    let mut state = ObjectState::blank(hlc, PEER);
    let row = Row::of(&good.into_iter().collect()).expect("small");
    state.load_row(row, hlc, PEER).expect("a row");
    let plain = state.as_plain().expect("plain");
    assert_eq!(
        pass_plain("EWR", &plain, &mapping, Lanes::BOTH, airport, ME),
        None,
        "other numbers"
    );
}
