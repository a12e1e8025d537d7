use std::time::Duration;

use super::*;
use crate::object::Hlc;
use crate::ontology::{Ontology, OntologyFile};
use crate::{ContentHash, EnrollmentId};

const ME: EnrollmentId = EnrollmentId::from_bytes([7; 32]);
const NOW: Time = Time::from_micros(1_700_000_000_000_000);

fn blob(byte: u8) -> Blob {
    Blob {
        hash: ContentHash::from_bytes([byte; 32]),
        size: u64::from(byte),
    }
}

fn artifact() -> Artifact {
    Artifact {
        name: "report.pdf".into(),
        media_type: "application/pdf".into(),
        content: blob(1),
        tags: ["b".into(), "a".into()].into(),
        updated_at: NOW,
        previous: Vec::new(),
    }
}

fn hlc(at: u64) -> Hlc {
    Hlc::new(1_700_000_000_000_000 + at, 0).unwrap()
}

fn stored(artifact: &Artifact) -> ObjectState {
    let mut state = ObjectState::blank(hlc(0), ME);
    let id = ArtifactId::from_bytes([3; 16]);
    state.create(&artifact.created(id), hlc(0), ME).unwrap();
    state
}

#[test]
fn what_is_written_reads_back_and_what_does_not_change_is_not_written() {
    let mut one = artifact();
    let mut state = stored(&one);
    assert_eq!(Artifact::of(&state).unwrap(), Some(one.clone()));
    let of = built_in().expect("the built-in type can be made");
    let view = state.view(of).unwrap().unwrap();
    assert_eq!(view.properties.iter().count(), 5, "all but what it was before");

    let before = one.clone();
    one.tags.insert("c".into());
    let changes = one.changes(Some(&before));
    assert_eq!(changes.0.len(), 1);
    state.edit(&changes, hlc(1), ME).unwrap();
    one.updated_at = NOW.plus(Duration::from_micros(1));
    assert_eq!(Artifact::of(&state).unwrap(), Some(one.clone()));
    assert!(one.changes(Some(&one)).0.is_empty());

    state.delete(hlc(2), ME).unwrap();
    assert_eq!(Artifact::of(&state).unwrap(), None);
}

#[test]
fn b100_contents_that_were_replaced_are_kept_up_to_a_limit_and_each_once() {
    let mut one = artifact();
    for byte in 2..=6 {
        one.replace(blob(byte));
    }
    assert_eq!(
        (one.content, &one.previous),
        (blob(6), &vec![blob(5), blob(4), blob(3)])
    );
    one.replace(blob(4));
    assert_eq!(
        (one.content, &one.previous),
        (blob(4), &vec![blob(6), blob(5), blob(3)])
    );
    one.replace(blob(4));
    assert_eq!(one.previous.len(), 3);
    let mut state = stored(&one);
    assert_eq!(Artifact::blobs_of(&state).len(), 4);
    assert_eq!(Artifact::of(&state).unwrap(), Some(one.clone()));
    // Another enrollment that did not see it chooses other bytes, and loses nothing by it.
    let mut theirs = one.clone();
    theirs.content = blob(9);
    let other = EnrollmentId::from_bytes([8; 32]);
    let mut there = stored(&artifact());
    let mut here = there.clone();
    here.edit(&one.changes(Some(&artifact())), hlc(4), ME).unwrap();
    there
        .edit(&theirs.changes(Some(&artifact())), hlc(5), other)
        .unwrap();
    let merged = crate::object::merge(&here, &there).unwrap().state;
    assert!(Artifact::blobs_of(&merged).contains(&blob(9)));
    assert!(
        Artifact::blobs_of(&merged).contains(&one.content),
        "what lost is kept, too"
    );
    state.delete(hlc(6), ME).unwrap();
    assert!(Artifact::blobs_of(&state).is_empty());
    assert!(
        schema().unwrap().named("previous").is_none(),
        "a peer is not told of it"
    );
}

#[test]
fn b095_any_name_is_data_and_only_what_is_no_text_of_use_is_refused() {
    let longest = "\u{1f4c4}".repeat(Artifact::NAME_MAX);
    for name in [
        "../../x",
        "/etc/passwd",
        "CON",
        "a\u{202e}fdp.exe",
        "..",
        " ",
        "a\nb",
        &longest,
    ] {
        let one = Artifact {
            name: name.into(),
            ..artifact()
        };
        one.check().unwrap();
        assert_eq!(Artifact::of(&stored(&one)).unwrap().unwrap().name, name);
    }
    for name in ["", "a\0b", &format!("{longest}x")] {
        let one = Artifact {
            name: (*name).into(),
            ..artifact()
        };
        assert_eq!(one.check(), Err(InvalidArtifact::Name), "{name:.20}");
    }
}

#[test]
fn words_out_of_bounds_are_refused_wherever_they_come_from() {
    for media_type in [
        "",
        "text",
        "text/",
        "/plain",
        "a/b/c",
        "text/pl\u{e4}in",
        "text/plain\n",
    ] {
        let one = Artifact {
            media_type: media_type.into(),
            ..artifact()
        };
        assert_eq!(one.check(), Err(InvalidArtifact::MediaType), "{media_type:?}");
    }
    for tag in ["", " a", "a\n", &"x".repeat(64)] {
        let one = Artifact {
            tags: [tag.to_string()].into(),
            ..artifact()
        };
        assert_eq!(one.check(), Err(InvalidArtifact::Tag), "{tag:?}");
    }
    let of = built_in().unwrap();
    let sent = |name: &str, value: Value| {
        let bytes = EncodedValue::of(&value).unwrap();
        check_value(of.named(name).unwrap(), bytes.as_bytes())
    };
    let text = |text: &str| Value::String(text.into());
    assert!(sent("tags", Value::Array(vec![text("a"), text("b")])).is_ok());
    assert!(
        sent("tags", Value::Array(vec![text("b"), text("a")])).is_err(),
        "out of order"
    );
    assert!(
        sent("tags", Value::Array(vec![text("a"), text("a")])).is_err(),
        "twice"
    );
    assert!(sent("name", text("")).is_err());
    assert!(sent("artifact_id", text("../x")).is_err());
    assert!(sent("content", written(blob(1))).is_ok());
    assert!(sent("content", Value::Struct(BTreeMap::new())).is_err());
}

#[test]
fn an_object_that_a_peer_sent_has_an_id_and_is_whole_while_it_is_live() {
    let id = ArtifactId::from_bytes([3; 16]).key().unwrap();
    let mut state = stored(&artifact());
    check_object(&id, &state).unwrap();
    let named = ObjectKey::new(TYPE.parse().unwrap(), "../x").unwrap();
    assert!(check_object(&named, &state).is_err());
    let half = Changes([(CONTENT, None)].into());
    state.edit(&half, hlc(1), ME).unwrap();
    assert!(check_object(&id, &state).is_err());
    state.delete(hlc(2), ME).unwrap();
    check_object(&id, &state).unwrap();
}

#[test]
fn a_selection_says_what_goes_and_time_alone_takes_nothing_away() {
    let one = artifact();
    let later = NOW.plus(Duration::from_secs(61));
    let tagged = |tag: &str| Selection::tagged([tag.to_owned()].into()).unwrap();
    let window = Selection::updated_within(Duration::from_mins(1)).unwrap();
    assert_eq!(Selection::All.selects(&one, later), Selected::Yes);
    assert_eq!(tagged("a").selects(&one, later), Selected::Yes);
    assert_eq!(tagged("c").selects(&one, later), Selected::No);
    assert_eq!(window.selects(&one, NOW), Selected::Yes);
    assert_eq!(window.selects(&one, later), Selected::WhereItIs);
    for (selection, json) in [
        (Selection::All, r#""all""#),
        (tagged("a"), r#"{"tags":["a"]}"#),
        (window, r#"{"updated-within":{"secs":60,"nanos":0}}"#),
    ] {
        assert_eq!(
            serde_json::to_string(&selection).unwrap(),
            json,
            "as it is stored"
        );
        assert_eq!(serde_json::from_str::<Selection>(json).unwrap(), selection);
    }
    assert_eq!(Selection::tagged(BTreeSet::new()), Err(InvalidArtifact::Tags));
    assert_eq!(
        Selection::updated_within(Duration::ZERO),
        Err(InvalidArtifact::Window)
    );
}

#[test]
fn no_file_defines_a_type_of_a_reserved_name_and_every_space_has_the_built_in_one() {
    let file = |name: &str| -> OntologyFile {
        let text = serde_json::json!({
            "object_types": [{"name": name, "primary_key": "id", "properties": {"id": "string"}}],
        });
        serde_json::from_value(text).unwrap()
    };
    let error = Ontology::try_from(&file(TYPE)).unwrap_err();
    assert!(error.to_string().contains("reserved"), "{error}");
    assert!(Ontology::try_from(&file("peerd_other")).is_err());
    let ontology = Ontology::try_from(&file("artifact")).unwrap();
    assert_eq!(ontology.feed_type(TYPE).as_deref(), built_in());
    let names: Vec<&str> = ontology.feed_types().map(ApiName::as_str).collect();
    assert_eq!(names, ["artifact", TYPE]);
    assert_eq!(Ontology::default().feed_types().count(), 1);
}
