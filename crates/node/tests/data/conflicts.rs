use peerd_core::authz::Role;
use peerd_core::object::{Changes, Hlc, Keep, ObjectKey, ObjectState, merge};
use peerd_core::value::Value;
use peerd_core::{EnrollmentId, Reason};
use peerd_store::records::ConflictEntry;
use peerd_store::{Batch, RecordBatch as _, Store as _};

use crate::world::{SPACE, World, airport, marked, text};

/// Two enrollments edited the name of EWR at once, and both edits arrived: as an import leaves it in the store.
async fn with_a_conflict(world: &World) {
    let feed = world.feed().await;
    let of = world.it.node.show_ontology(&world.admin, SPACE).await.unwrap();
    let of = of.object_type("airport").unwrap();
    let key = ObjectKey::new(of.name.clone(), "EWR").unwrap();
    let base = Hlc::at(world.it.node.now());
    let (one, two) = ([1, 2]).map(|n| EnrollmentId::from_bytes([n; 32])).into();
    let text = |text: &str| Some(Value::String(text.into()));
    let changes = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        Changes(
            pairs
                .map(|(name, value)| (of.named(name).unwrap().id, text(value)))
                .collect(),
        )
    };
    let mut first = ObjectState::blank(base, one);
    first.create(&changes(&[("faa", "EWR")]), base, one).unwrap();
    let mut second = first.clone();
    let later = base.successor().unwrap();
    first.edit(&changes(&[("name", "lost")]), later, one).unwrap();
    second
        .edit(&changes(&[("name", "won")]), later.successor().unwrap(), two)
        .unwrap();
    let merged = merge(&first, &second).unwrap().state;
    let conflict = merged.conflicts(&key)[0].id;
    let place = [feed.prefix().as_slice(), b"EWR"].concat();
    let stored = [&[1, 0, 0], merged.encode().as_slice()].concat();
    let mut batch = Batch::new();
    let space = feed.space;
    batch.put_in_feed(feed, place, stored);
    batch
        .upsert(&ConflictEntry {
            space,
            conflict,
            object: key,
        })
        .unwrap();
    world.it.store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn b085_a_losing_value_is_listed_and_restored_or_dismissed() {
    for (keep, name) in [(Keep::Winner, "won"), (Keep::Loser, "lost")] {
        let world = World::new().await;
        let node = &world.it.node;
        with_a_conflict(&world).await;
        let (listed, next) = node.list_conflicts(&world.admin, SPACE, None, 10).await.unwrap();
        assert_eq!((listed.len(), next), (1, None));
        let conflict = &listed[0];
        assert_eq!(conflict.property.as_ref().unwrap().as_str(), "name");
        assert_eq!(conflict.loser.value, Some(Value::String("lost".into())));
        let winner = conflict.winner.as_ref().unwrap();
        assert_eq!(winner.value, Some(Value::String("won".into())));

        let settled = node
            .resolve_conflict(&world.admin, conflict.id, keep)
            .await
            .unwrap();
        assert_eq!(text(&settled, "name").as_deref(), Some(name));
        let (left, _) = node.list_conflicts(&world.admin, SPACE, None, 10).await.unwrap();
        assert!(left.is_empty());
        let twice = node.resolve_conflict(&world.admin, conflict.id, keep).await;
        assert_eq!(twice.unwrap_err().reason(), Reason::NotFound);
    }
}

#[tokio::test]
async fn conflicts_of_unseen_objects_are_not_there() {
    let world = World::new().await;
    world.secure().await;
    with_a_conflict(&world).await;
    let node = &world.it.node;
    let (listed, _) = node.list_conflicts(&world.admin, SPACE, None, 10).await.unwrap();
    let set = node
        .set_object_security(&world.admin, &airport("EWR"), &marked(&["medical"]))
        .await;
    set.unwrap();
    let (unseen, _) = node.list_conflicts(&world.admin, SPACE, None, 10).await.unwrap();
    assert!(unseen.is_empty());
    let settled = node
        .resolve_conflict(&world.admin, listed[0].id, Keep::Loser)
        .await;
    assert_eq!(settled.unwrap_err().reason(), Reason::NotFound);
    let viewer = world.principal("vic", Role::Viewer).await;
    let denied = node.resolve_conflict(&viewer, listed[0].id, Keep::Loser).await;
    assert_eq!(denied.unwrap_err().reason(), Reason::RoleInsufficient);
}
