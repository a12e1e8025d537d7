use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::ontology::{ObjectType, Ontology, OntologyFile, PropertyId};
use crate::security::{Levels, Security};
use crate::value::{Properties, Row, Value};
use crate::{EnrollmentId, Time};

const FAA: PropertyId = PropertyId(1);
const NAME: PropertyId = PropertyId(2);
const ALT: PropertyId = PropertyId(3);
const SEEN: PropertyId = PropertyId(4);

fn me(n: u8) -> EnrollmentId {
    EnrollmentId::from_bytes([n; 32])
}

fn hlc(n: u64) -> Hlc {
    Hlc::new(n, 0).expect("in range")
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn row(name: &str) -> Row {
    let values: Properties = [(FAA, text("EWR")), (NAME, text(name))].into_iter().collect();
    Row::of(&values).expect("small")
}

fn name(value: &str) -> Changes {
    Changes(BTreeMap::from([(NAME, Some(text(value)))]))
}

fn airport(conflicts: &str) -> ObjectType {
    let timestamp = if conflicts == "most-recent-value" {
        "timestamp: seen"
    } else {
        ""
    };
    let yaml = format!(
        "object_types:
  - name: airport
    primary_key: faa
    conflicts: {conflicts}
    {timestamp}
    properties:
      faa: string
      name: {{type: string, nullable: true}}
      alt: {{type: integer, nullable: true}}
      seen: {{type: timestamp, nullable: true}}"
    );
    let file: OntologyFile = serde_yaml_ng::from_str(&yaml).expect("a file");
    Ontology::try_from(&file).expect("an ontology").object_types["airport"].clone()
}

fn key() -> ObjectKey {
    ObjectKey::new("airport".parse().expect("a name"), "EWR").expect("a key")
}

/// An object that the source of enrollment 1 loaded.
fn loaded() -> ObjectState {
    let mut state = ObjectState::blank(hlc(1), me(1));
    assert_eq!(state.load_row(row("Newark"), hlc(1), me(1)), Ok(true));
    state
}

fn edited(mut state: ObjectState, value: &str, at: u64, by: u8) -> ObjectState {
    state.edit(&name(value), hlc(at), me(by)).expect("live");
    state
}

/// Both copies after each has merged the other's: equal bytes.
fn exchanged(a: &ObjectState, b: &ObjectState) -> ObjectState {
    let (left, right) = (merge(a, b).expect("merges"), merge(b, a).expect("merges"));
    assert_eq!(left.state.encode(), right.state.encode());
    left.state
}

fn seen(state: &ObjectState) -> Option<Value> {
    let view = state.view(&airport("user-edits-win")).expect("decodes")?;
    view.properties.value(NAME).cloned()
}

#[test]
fn a_reader_sees_the_row_and_edits_over_it() {
    let state = edited(loaded(), "Liberty", 5, 2);
    let view = state
        .view(&airport("user-edits-win"))
        .expect("decodes")
        .expect("live");
    assert_eq!(view.properties.value(NAME), Some(&text("Liberty")));
    assert_eq!(view.properties.value(FAA), Some(&text("EWR")));
    assert_eq!(
        view.source.as_ref().and_then(|s| s.value(NAME)),
        Some(&text("Newark"))
    );
    assert_eq!(view.edits[&NAME].by.enrollment, me(2));
    let mut cleared = state;
    cleared
        .edit(&Changes(BTreeMap::from([(NAME, None)])), hlc(6), me(2))
        .expect("live");
    assert_eq!(seen(&cleared), None);
    assert!(cleared.is_live());
}

#[test]
fn most_recent_value_compares_the_rows_timestamp_with_the_edit() {
    let of = airport("most-recent-value");
    let name_at = |micros: i64| {
        let mut state = edited(loaded(), "Liberty", 1_000, 2);
        let at = Value::Timestamp(Time::from_micros(micros));
        let values: Properties = [(FAA, text("EWR")), (NAME, text("Newark")), (SEEN, at)]
            .into_iter()
            .collect();
        state
            .load_row(Row::of(&values).expect("small"), hlc(2_000), me(1))
            .expect("own");
        let view = state.view(&of).expect("decodes").expect("live");
        assert!(view.edits.contains_key(&NAME), "the edit is still listed");
        view.properties.value(NAME).cloned()
    };
    assert_eq!(name_at(999), Some(text("Liberty")));
    assert_eq!(name_at(1_001), Some(text("Newark")));
}

#[test]
fn loading_the_same_row_again_changes_nothing() {
    let mut state = loaded();
    let before = state.clone();
    assert_eq!(state.load_row(row("Newark"), hlc(9), me(1)), Ok(false));
    assert_eq!(state, before);
    // Even where the clock went back, a changed row is newer than the one before.
    assert_eq!(state.load_row(row("EWR"), hlc(0), me(1)), Ok(true));
    assert!(state.source().expect("a row").version > before.source().expect("a row").version);
}

#[test]
fn b081_a_row_of_a_stranger_is_refused() {
    let local = loaded();
    let mut foreign = ObjectState::blank(hlc(99), me(2));
    foreign.load_row(row("Mine"), hlc(99), me(2)).expect("own");
    let refused = MergeRefused::SourceOwned {
        owner: me(1),
        claimed: me(2),
    };
    assert_eq!(merge(&local, &foreign), Err(refused));
    let mut state = local.clone();
    assert_eq!(
        state.load_row(row("Mine"), hlc(9), me(2)),
        Err(Refused::SourceOwned(me(1)))
    );
    assert_eq!(state, local);
}

#[test]
fn b085_of_concurrent_edits_the_later_clock_wins_and_the_loser_is_kept() {
    let (a, b) = (edited(loaded(), "A", 10, 1), edited(loaded(), "B", 11, 2));
    let both = exchanged(&a, &b);
    assert_eq!(seen(&both), Some(text("B")));
    let conflicts = both.conflicts(&key());
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        conflicts[0]
            .loser
            .value
            .as_ref()
            .map(crate::value::EncodedValue::decode),
        Some(Ok(text("A")))
    );
    assert_eq!(conflicts[0].lost.enrollment, me(1));
    assert_eq!(
        conflicts[0].winner.as_ref().map(|(dot, _)| dot.enrollment),
        Some(me(2))
    );
    assert_eq!(both.conflicts(&key()), conflicts, "the id is derived, not drawn");
}

#[test]
fn b085_equal_clocks_are_decided_by_the_enrollment_id() {
    let both = exchanged(&edited(loaded(), "A", 10, 1), &edited(loaded(), "B", 10, 2));
    assert_eq!(seen(&both), Some(text("B")));
}

#[test]
fn b085_an_edit_by_someone_who_saw_the_other_is_no_conflict_whatever_the_clocks() {
    let first = edited(loaded(), "A", 1_000, 1);
    let second = edited(first.clone(), "B", 5, 2);
    let both = exchanged(&first, &second);
    assert_eq!(seen(&both), Some(text("B")));
    assert_eq!(both.conflicts(&key()), []);
}

#[test]
fn b085_edits_of_different_properties_do_not_conflict() {
    let mut alt = loaded();
    alt.edit(
        &Changes(BTreeMap::from([(ALT, Some(Value::Integer(18)))])),
        hlc(10),
        me(2),
    )
    .expect("live");
    let both = exchanged(&edited(loaded(), "A", 10, 1), &alt);
    assert_eq!(both.conflicts(&key()), []);
    assert_eq!(seen(&both), Some(text("A")));
}

#[test]
fn b085_a_conflict_is_dismissed_or_restored_and_an_edit_does_neither() {
    let both = exchanged(&edited(loaded(), "A", 10, 1), &edited(loaded(), "B", 11, 2));
    let id = both.conflicts(&key())[0].id;

    let later = edited(both.clone(), "C", 12, 1);
    assert_eq!(later.conflicts(&key()).len(), 1, "still to be decided");

    let mut dismissed = both.clone();
    dismissed
        .resolve(&key(), id, Keep::Winner, hlc(20), me(2))
        .expect("there");
    assert_eq!(
        (seen(&dismissed), dismissed.conflicts(&key())),
        (Some(text("B")), vec![])
    );
    // It is gone for the one who sees it, and does not come back from the one who did not.
    assert_eq!(exchanged(&dismissed, &both), dismissed);
    let again = dismissed.resolve(&key(), id, Keep::Winner, hlc(21), me(2));
    assert_eq!(again, Err(Refused::NoSuchConflict));

    let mut restored = both.clone();
    restored
        .resolve(&key(), id, Keep::Loser, hlc(20), me(1))
        .expect("there");
    assert_eq!(
        (seen(&restored), restored.conflicts(&key())),
        (Some(text("A")), vec![])
    );
    assert_eq!(exchanged(&restored, &both), restored);
}

#[test]
fn b086_a_delete_wins_over_a_concurrent_edit_which_is_kept() {
    let mut deleted = loaded();
    deleted.delete(hlc(10), me(1)).expect("live");
    let both = exchanged(&deleted, &edited(loaded(), "B", 99, 2));
    assert!(both.is_deleted() && !both.is_live());
    assert_eq!(seen(&both), None);
    let conflicts = both.conflicts(&key());
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].winner, None);

    let mut restored = both.clone();
    restored
        .resolve(&key(), conflicts[0].id, Keep::Loser, hlc(100), me(1))
        .expect("there");
    assert_eq!(seen(&restored), Some(text("B")));
    let view = restored
        .view(&airport("user-edits-win"))
        .expect("decodes")
        .expect("live");
    assert_eq!(
        view.properties.value(FAA),
        Some(&text("EWR")),
        "its row is seen again"
    );

    let mut dismissed = both;
    dismissed
        .resolve(&key(), conflicts[0].id, Keep::Winner, hlc(100), me(1))
        .expect("there");
    assert!(dismissed.is_deleted() && dismissed.conflicts(&key()).is_empty());
}

#[test]
fn b086_an_edit_that_the_deleter_saw_is_no_conflict() {
    let mut deleted = edited(loaded(), "A", 10, 2);
    let edited = deleted.clone();
    deleted.delete(hlc(11), me(1)).expect("live");
    let both = exchanged(&deleted, &edited);
    assert!(both.is_deleted());
    assert_eq!(both.conflicts(&key()), []);
    let mut state = both;
    assert_eq!(state.edit(&name("x"), hlc(12), me(1)), Err(Refused::NotLive));
    assert_eq!(state.delete(hlc(12), me(1)), Err(Refused::NotLive));
}

#[test]
fn b086_a_re_created_object_starts_afresh_and_a_late_edit_of_its_first_life_is_kept() {
    let mut again = edited(loaded(), "A", 10, 1);
    let late = edited(again.clone(), "late", 500, 2);
    again.delete(hlc(11), me(1)).expect("live");
    again
        .create(
            &Changes(BTreeMap::from([(ALT, Some(Value::Integer(3)))])),
            hlc(12),
            me(1),
        )
        .expect("deleted");
    assert_eq!(again.create(&name("x"), hlc(13), me(1)), Err(Refused::Exists));
    let both = exchanged(&again, &late);
    let view = both
        .view(&airport("user-edits-win"))
        .expect("decodes")
        .expect("live");
    assert_eq!(view.properties.value(ALT), Some(&Value::Integer(3)));
    assert_eq!(
        view.properties.value(NAME),
        None,
        "neither the row, nor the edit, nor the late edit"
    );
    assert_eq!(both.conflicts(&key()).len(), 1);
    // A newer row of the source belongs to the new life.
    let mut reloaded = both;
    reloaded.load_row(row("Newark"), hlc(600), me(1)).expect("own");
    assert_eq!(seen(&reloaded), Some(text("Newark")));
}

#[test]
fn b086_a_purge_always_wins_and_is_final() {
    let mut purged = loaded();
    purged
        .set_security(secret("medical"), hlc(2), me(1))
        .expect("written");
    assert_eq!(purged.purge(hlc(3), me(2)), Ok(true));
    assert_eq!(purged.purge(hlc(4), me(2)), Ok(false));
    let mut other = edited(loaded(), "B", 999, 3);
    other.delete(hlc(1_000), me(3)).expect("live");
    other.create(&name("C"), hlc(1_001), me(3)).expect("deleted");
    let mut both = exchanged(&purged, &other);
    assert!(both.is_purged() && both.source().is_none() && both.edits().next().is_none());
    assert_eq!(
        both.security(&Levels::default()),
        secret("medical"),
        "a tombstone is as secret as the object was"
    );
    assert_eq!(both.create(&name("x"), hlc(2_000), me(1)), Err(Refused::Purged));
    assert_eq!(both.load_row(row("x"), hlc(2_000), me(1)), Err(Refused::Purged));
}

fn secret(marking: &str) -> Security {
    Security {
        classification: None,
        markings: [marking.parse().expect("a name")].into(),
    }
}

#[test]
fn concurrent_security_is_joined_and_lowered_only_by_one_who_saw_it() {
    let with = |marking: &str, at, by| {
        let mut state = loaded();
        assert_eq!(state.set_security(secret(marking), hlc(at), me(by)), Ok(true));
        state
    };
    let (a, b) = (with("medical", 10, 1), with("eyes-only", 99, 2));
    let both = exchanged(&a, &b);
    let joined = secret("medical").join(secret("eyes-only"), &Levels::default());
    assert_eq!(both.security(&Levels::default()), joined);

    // One who saw only one of them lowers only that one.
    let mut blind = a.clone();
    assert_eq!(
        blind.set_security(Security::unrestricted(), hlc(500), me(1)),
        Ok(true)
    );
    assert_eq!(
        exchanged(&blind, &b).security(&Levels::default()),
        secret("eyes-only")
    );

    let mut lowered = both.clone();
    assert_eq!(lowered.set_security(secret("medical"), hlc(5), me(1)), Ok(true));
    assert_eq!(lowered.set_security(secret("medical"), hlc(6), me(1)), Ok(false));
    assert_eq!(
        exchanged(&lowered, &both).security(&Levels::default()),
        secret("medical")
    );
}

#[test]
fn an_export_that_leaves_a_property_out_does_not_remove_it_elsewhere() {
    let full = edited(loaded(), "A", 10, 1);
    let part = full.exported(Lanes::BOTH, &[FAA].into()).expect("small");
    assert_eq!(merge(&full, &part).map(|m| m.changed), Ok(false));
    assert_eq!(exchanged(&full, &part), full);
    let actions = Lanes {
        source: false,
        actions: true,
    };
    let no_row = full.exported(actions, &[FAA, NAME].into()).expect("small");
    assert!(no_row.source().is_none() && !no_row.is_live());
    let row_only = full
        .exported(
            Lanes {
                source: true,
                actions: false,
            },
            &[FAA, NAME].into(),
        )
        .expect("small");
    assert_eq!(seen(&row_only), Some(text("Newark")));
    assert_eq!(
        row_only.source().map(|s| &s.row),
        full.source().map(|s| &s.row),
        "copied as it is"
    );
}

#[test]
fn what_is_older_or_known_changes_nothing() {
    let old = edited(loaded(), "A", 10, 1);
    let new = edited(old.clone(), "B", 11, 2);
    assert_eq!(merge(&new, &old).map(|m| m.changed), Ok(false));
    assert_eq!(merge(&new, &new).map(|m| m.changed), Ok(false));
    assert_eq!(merge(&old, &new).map(|m| m.changed), Ok(true));
}

#[test]
fn b031_a_clock_that_runs_wild_is_clamped_and_dots_still_grow() {
    let now = Time::from_micros(1_000_000);
    let wild = Hlc::at(now.plus(Duration::from_hours(1_000)));
    let mine = Hlc::at(now).observe(wild, now, Duration::from_mins(1));
    assert!(mine < Hlc::at(now.plus(Duration::from_secs(61))));
    assert!(mine >= Hlc::at(now.plus(Duration::from_mins(1))));
    let near = Hlc::at(now.plus(Duration::from_secs(5)));
    assert!(Hlc::at(now).observe(near, now, Duration::from_mins(1)) > near);
    assert!(
        mine.tick(Time::EPOCH) > mine,
        "a clock set back does not set this one back"
    );
    let full = Hlc::new(7, u16::MAX).expect("in range");
    assert_eq!(full.successor(), Some(hlc(8)));
    assert_eq!(Hlc::MAX.successor(), None);

    // An edit of somebody with a wild clock is still followed, not lost to.
    let ahead = edited(loaded(), "ahead", wild.wall_micros(), 2);
    let after = edited(ahead.clone(), "after", 1_000_000, 1);
    assert_eq!(seen(&exchanged(&ahead, &after)), Some(text("after")));
    let end = edited(loaded(), "end", Hlc::MAX.wall_micros(), 2);
    let mut last = edited(end, "end", 1, 2);
    for _ in 0..3 {
        last.edit(&name("x"), hlc(1), me(1)).expect("counters are left");
    }
    let mut stuck = loaded();
    stuck.edit(&name("x"), Hlc::MAX, me(2)).expect("live");
    assert_eq!(
        stuck.edit(&name("y"), hlc(1), me(1)),
        Err(Refused::ClockExhausted)
    );
}

#[test]
fn rows_and_edits_are_checked_against_the_type() {
    let of = airport("user-edits-win");
    let row: Properties = [(FAA, text("EWR")), (NAME, text("Newark"))].into_iter().collect();
    assert_eq!(of.check_row(&row), Ok(key()));
    let nameless: Properties = [(NAME, text("Newark"))].into_iter().collect();
    assert_eq!(
        of.check_row(&nameless).map_err(|e| e.to_string()),
        Err("faa must have a value".into())
    );
    let wrong: Properties = [(FAA, text("EWR")), (ALT, text("high"))].into_iter().collect();
    assert_eq!(
        of.check_row(&wrong).map_err(|e| e.to_string()),
        Err("alt: not of type integer".into())
    );
    let change = |id, value| of.check_changes(&key(), &Changes(BTreeMap::from([(id, value)])));
    assert_eq!(change(NAME, None), Ok(()));
    assert!(matches!(change(FAA, None), Err(ObjectInvalid::Missing(_))));
    assert!(matches!(
        change(FAA, Some(text("JFK"))),
        Err(ObjectInvalid::KeyMismatch(_))
    ));
    assert!(matches!(
        change(PropertyId(9), None),
        Err(ObjectInvalid::UnknownProperty(_))
    ));
}

#[test]
fn a_merge_that_lowers_the_security_says_so() {
    let levels = Levels::default();
    let mut marked = loaded();
    marked
        .set_security(secret("medical"), hlc(10), me(1))
        .expect("written");
    let raised = merge(&loaded(), &marked).expect("merges");
    assert!(!raised.lowers_security_of(&loaded(), &levels));
    let mut open = marked.clone();
    open.set_security(Security::unrestricted(), hlc(11), me(2))
        .expect("written");
    let lowered = merge(&marked, &open).expect("merges");
    assert!(lowered.lowers_security_of(&marked, &levels));
}
