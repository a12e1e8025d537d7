//! What is known of artifacts, between two sides: which go, and what becomes of those that went.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use peerd_core::artifact::{Artifact, Selection, TYPE};
use peerd_core::object::{Changes, Hlc, ObjectState};
use peerd_core::peering::{DataTypes, Flow};
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_core::{ArtifactId, Blob, Clock as _, ContentHash, Reason};
use peerd_node::artifact::{ArtifactAt, ArtifactView, NewArtifact, Retag};
use peerd_node::object::{Edits, ObjectAt};
use peerd_store::{Batch, FeedId};
use peerd_testkit::Party;

use crate::pair::{reason, up_to};
use crate::world::{World, peer};

/// Everything both ways.
const ALL: Flow = Flow {
    exports: DataTypes::ALL,
    imports: DataTypes::ALL,
};
/// Airports with a photo.
const PHOTOS: &str = r#"{"object_types": [{"name": "airport", "primary_key": "faa",
    "properties": {"faa": "string", "photo": {"type": "artifact", "nullable": true}}}]}"#;

fn tags(tags: &[&str]) -> BTreeSet<String> {
    tags.iter().map(ToString::to_string).collect()
}

fn tagged(tag: &str) -> Selection {
    Selection::tagged(tags(&[tag])).unwrap()
}

fn at(id: ArtifactId) -> ArtifactAt {
    ArtifactAt {
        space: "main".into(),
        id,
    }
}

async fn put(party: &Party, name: &str, tag: &[&str]) -> ArtifactId {
    let content = Bytes::from(format!("the bytes of {name}"));
    let new = NewArtifact {
        space: "main".into(),
        name: name.into(),
        media_type: "text/plain".into(),
        size: Some(content.len() as u64),
        tags: tags(tag),
        security: Security::unrestricted(),
        replaces: None,
        upload: String::new(),
    };
    let hash = ContentHash::from_bytes(*blake3::hash(&content).as_bytes());
    let mut put = party.node().put_artifact(&party.admin, new).await.unwrap();
    put.write(content).await.unwrap();
    let view = put.finish(Some(hash)).await.unwrap();
    assert!(view.complete);
    view.id
}

async fn retag(party: &Party, id: ArtifactId, retag: Retag) {
    let tagged = party.node().tag_artifact(&party.admin, &at(id), &retag).await;
    tagged.unwrap();
}

async fn seen(party: &Party, id: ArtifactId) -> Option<ArtifactView> {
    party.node().artifact(&party.admin, &at(id)).await.ok()
}

async fn share(world: &World, party: &Party, selection: Selection) {
    let shared = party
        .node()
        .share_artifacts(&party.manager, world.connection, &selection)
        .await;
    assert_eq!(shared.unwrap().selection, Some(selection));
    world.tell().await;
}

async fn joined() -> World {
    World::joined_for(ALL, Security::unrestricted(), PHOTOS).await
}

async fn forth(world: &World) -> (usize, usize) {
    world.pump_type(&world.pair.a, &world.pair.b, TYPE).await
}

async fn back(world: &World) -> (usize, usize) {
    world.pump_type(&world.pair.b, &world.pair.a, TYPE).await
}

/// Both sides find that they have the same, so many artifacts.
async fn assert_equal(world: &World, count: u64) {
    for party in [&world.pair.a, &world.pair.b] {
        let verification = crate::verify::verify(world, party).await;
        assert!(verification.is_equal(), "{verification:?}");
        let report = &verification.types[TYPE];
        assert_eq!((report.here, report.there), (count, count));
    }
}

/// The types of artifacts that one side would send now.
async fn flows(from: &Party, to: &Party) -> usize {
    let flows = from.node().flows(&peer(from, to).await).await.unwrap();
    flows
        .exports
        .iter()
        .filter(|flow| flow.object_type == TYPE)
        .count()
}

#[tokio::test]
async fn nothing_goes_until_somebody_says_which_and_a_tag_sends_and_takes_back() {
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    world.tell().await;
    let shown = put(a, "shown", &["public", "x"]).await;
    let hidden = put(a, "hidden", &[]).await;
    assert_eq!(flows(a, b).await, 0, "nobody said which");

    share(&world, a, tagged("public")).await;
    assert_eq!(flows(a, b).await, 1);
    assert_eq!(forth(&world).await, (1, 0));
    let there = seen(b, shown).await.unwrap();
    let here = seen(a, shown).await.unwrap();
    assert_eq!(there.artifact, here.artifact);
    assert_eq!(
        (there.complete, there.origin),
        (false, a.id()),
        "its bytes come by another way"
    );
    assert!(seen(b, hidden).await.is_none());

    retag(a, hidden, Retag::Add(tags(&["public"]))).await;
    assert_eq!(forth(&world).await, (1, 0), "tagged later");
    assert!(seen(b, hidden).await.is_some());
    retag(a, shown, Retag::Remove(tags(&["public"]))).await;
    assert_eq!(forth(&world).await, (0, 1), "untagged");
    assert!(seen(b, shown).await.is_none());
    assert!(seen(a, shown).await.is_some());

    assert_equal(&world, 1).await;
    share(&world, a, Selection::All).await;
    assert_eq!(
        forth(&world).await,
        (1, 0),
        "what is selected anew, and nothing else"
    );
    assert_equal(&world, 2).await;
    let unshared = a.node().unshare_artifacts(&a.manager, world.connection).await;
    assert_eq!(unshared.unwrap().selection, None);
    world.tell().await;
    b.node().remove_due_imports().await.unwrap();
    assert!(seen(b, shown).await.is_none() && seen(b, hidden).await.is_none());
}

#[tokio::test]
async fn b106_an_artifact_whose_security_is_raised_goes_and_comes_back() {
    let world = World::joined_for(ALL, up_to("internal"), PHOTOS).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let id = put(a, "plan", &[]).await;
    share(&world, a, Selection::All).await;
    assert_eq!(forth(&world).await, (1, 0));
    let object = ObjectAt {
        space: "main".into(),
        object_type: TYPE.into(),
        key: id.to_string(),
    };
    for (level, moved, there) in [("secret", (0, 1), false), ("internal", (1, 0), true)] {
        let security = up_to(level);
        let set = a.node().set_object_security(&a.admin, &object, &security).await;
        set.unwrap();
        assert_eq!(forth(&world).await, moved, "{level}");
        assert_eq!(seen(b, id).await.is_some(), there, "{level}");
    }
}

#[tokio::test]
async fn artifacts_flow_where_both_sides_agreed_on_artifacts_and_nowhere_else() {
    let objects = DataTypes {
        artifacts: false,
        ..DataTypes::ALL
    };
    for flow in [
        Flow {
            exports: objects,
            imports: objects,
        },
        Flow {
            exports: objects,
            imports: DataTypes::ALL,
        },
    ] {
        let world = World::joined_for(flow, Security::unrestricted(), PHOTOS).await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        put(a, "x", &[]).await;
        let shared = a
            .node()
            .share_artifacts(&a.manager, world.connection, &Selection::All)
            .await;
        assert!(!shared.unwrap().problem.is_empty());
        world.tell().await;
        assert_eq!(flows(a, b).await, 0);
    }
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    share(&world, a, Selection::All).await;
    assert_eq!(flows(a, b).await, 1);
    world.forbid(a, Side::Egress).await;
    assert_eq!(flows(a, b).await, 0, "no policy lets them out");
}

#[tokio::test]
async fn edits_come_back_where_the_importer_shares_and_concurrent_tags_converge() {
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let id = put(a, "draft", &["one"]).await;
    share(&world, a, Selection::All).await;
    forth(&world).await;
    retag(b, id, Retag::Add(tags(&["from b"]))).await;
    assert_eq!(flows(b, a).await, 0, "b shares none");
    // Whatever b lets out by itself, what came from a goes back there.
    share(&world, b, tagged("nothing has this")).await;
    assert_eq!(back(&world).await, (1, 0));
    let both = tags(&["one", "from b"]);
    assert_eq!(seen(a, id).await.unwrap().artifact.tags, both);

    retag(a, id, Retag::Set(tags(&["a"]))).await;
    retag(b, id, Retag::Set(tags(&["b"]))).await;
    let renamed = b.node().rename_artifact(&b.admin, &at(id), "final").await;
    renamed.unwrap();
    forth(&world).await;
    back(&world).await;
    forth(&world).await;
    let (here, there) = (seen(a, id).await.unwrap(), seen(b, id).await.unwrap());
    assert_eq!(here.artifact, there.artifact);
    assert_eq!(here.artifact.name, "final", "another property");
    let (conflicts, _) = a.node().list_conflicts(&a.admin, "main", None, 10).await.unwrap();
    assert_eq!(
        conflicts.len(),
        1,
        "the tags that lost are kept, and nothing else was lost"
    );

    let deleted = b.node().delete_artifact(&b.admin, &at(id)).await;
    deleted.unwrap();
    assert_eq!(back(&world).await, (1, 0));
    assert!(seen(a, id).await.is_none(), "a deletion crosses as any edit does");
    forth(&world).await;
    assert_eq!(back(&world).await, (0, 0), "it comes to rest");
}

#[tokio::test]
async fn a_deletion_crosses_whatever_is_selected_and_a_reference_reads_back() {
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let id = put(a, "photo", &["public"]).await;
    share(&world, a, tagged("public")).await;
    for party in [a, b] {
        world.share(party, crate::world::BOTH).await;
    }
    world.tell().await;
    let values = [("faa".to_owned(), "JFK".to_owned())].into();
    let made = a.node().create_object(&a.admin, "main", "airport", &values).await;
    made.unwrap();
    let edits = Edits {
        set: [("photo".to_owned(), id.to_string())].into(),
        clear: Vec::new(),
    };
    let airport = crate::world::at("JFK");
    a.node().edit_object(&a.admin, &airport, &edits).await.unwrap();
    world.forth().await;
    forth(&world).await;
    let there = b.node().object(&b.admin, &airport).await.unwrap();
    let photo = there.properties.get("photo").unwrap();
    let peerd_core::value::Value::Artifact(photo) = photo else {
        panic!("{photo:?}");
    };
    assert!(seen(b, photo.parse().unwrap()).await.is_some());

    a.node().delete_artifact(&a.admin, &at(id)).await.unwrap();
    assert_eq!(forth(&world).await, (1, 0));
    assert!(seen(b, id).await.is_none());
}

#[tokio::test]
async fn what_grows_old_is_not_sent_anew_and_stays_where_it_is() {
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let sent = put(a, "sent", &[]).await;
    let hour = Duration::from_hours(1);
    share(&world, a, Selection::updated_within(hour).unwrap()).await;
    assert_eq!(forth(&world).await, (1, 0));
    a.clock().advance(hour / 2);
    let late = put(a, "late", &[]).await;
    a.clock().advance(hour + Duration::from_secs(1));
    assert_eq!(
        forth(&world).await,
        (0, 0),
        "it grew old before the stream came to it"
    );
    // Terms that change look at everything anew.
    share(&world, a, Selection::updated_within(hour * 2).unwrap()).await;
    assert_eq!(forth(&world).await, (1, 0), "a wider window");
    share(&world, a, Selection::updated_within(hour / 4).unwrap()).await;
    assert_eq!(forth(&world).await, (0, 0), "a narrower one takes nothing back");
    assert!(seen(b, sent).await.is_some() && seen(b, late).await.is_some());
    put(a, "young", &[]).await;
    assert_eq!(forth(&world).await, (1, 0));
    a.clock().advance(hour);
    assert_equal(&world, 3).await;
    retag(a, sent, Retag::Add(tags(&["new"]))).await;
    assert_eq!(forth(&world).await, (1, 0), "a change makes it young");
}

#[tokio::test]
async fn b095_what_is_no_artifact_is_parked_whatever_a_peer_says_and_the_rest_goes_on() {
    let world = joined().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    put(a, "sound", &[]).await;
    share(&world, a, Selection::All).await;
    let sound = Artifact {
        name: "x".into(),
        media_type: "text/plain".into(),
        content: Blob {
            hash: ContentHash::from_bytes([1; 32]),
            size: 1,
        },
        tags: BTreeSet::new(),
        updated_at: a.clock().now(),
        previous: Vec::new(),
    };
    let long = Artifact {
        name: "x".repeat(10_001),
        ..sound.clone()
    };
    let spaced = Artifact {
        tags: tags(&[" x"]),
        ..sound.clone()
    };
    let mut expected = BTreeSet::new();
    for (number, artifact, key) in [(1, long, None), (2, spaced, None), (3, sound, Some("../../x"))] {
        let id = ArtifactId::from_bytes([number; 16]);
        let key = key.map_or_else(|| id.to_string(), str::to_owned);
        plant(&world, &artifact.created(id), &key).await;
        expected.insert((key, "OBJECT_INVALID"));
    }
    assert_eq!(forth(&world).await, (4, 0));
    let parked = b
        .node()
        .list_parked(&b.manager, Some(world.connection), None, 10)
        .await;
    let (parked, _) = parked.unwrap();
    let parked: BTreeSet<_> = parked
        .into_iter()
        .map(|one| (one.key, one.reason.word()))
        .collect();
    assert_eq!(parked, expected);
    let listed = b
        .node()
        .list_artifacts(&b.admin, "main", &BTreeSet::new(), None, 10)
        .await;
    let names: Vec<String> = listed
        .unwrap()
        .artifacts
        .into_iter()
        .map(|one| one.artifact.name)
        .collect();
    assert_eq!(names, ["sound"]);
}

/// Puts an object into a's store that no call of a's would make.
async fn plant(world: &World, changes: &Changes, key: &str) {
    let a = &world.pair.a;
    let mut state = ObjectState::blank(Hlc::at(a.clock().now()), a.id());
    state.create(changes, Hlc::at(a.clock().now()), a.id()).unwrap();
    let feed = FeedId {
        space: a.connection(world.connection).await.unwrap().space.unwrap().id,
        object_type: TYPE.into(),
    };
    let place = [feed.prefix().as_slice(), key.as_bytes()].concat();
    let stored = [&[1, 0, 0], state.encode().as_slice()].concat();
    let mut batch = Batch::new();
    batch.put_in_feed(feed, place, stored);
    a.node().store().commit(batch).await.unwrap();
}

#[tokio::test]
async fn b049_who_may_not_say_which_artifacts_go_changes_nothing() {
    let world = joined().await;
    let a = &world.pair.a;
    let (node, id) = (a.node(), world.connection);
    for (caller, expected) in [
        (&a.viewer, Reason::RoleInsufficient),
        (&a.other_manager, Reason::NotFound),
    ] {
        let shared = node.share_artifacts(caller, id, &Selection::All).await;
        assert_eq!(reason(shared), expected);
        let unshared = node.unshare_artifacts(caller, id).await;
        assert_eq!(reason(unshared), expected);
    }
    let shown = node.show_connection(&a.manager, id).await.unwrap();
    assert_eq!(shown.shared_artifacts, "");
}

#[tokio::test]
async fn what_is_built_in_is_shared_mapped_and_written_by_its_own_calls_alone() {
    let world = joined().await;
    let a = &world.pair.a;
    let id = put(a, "x", &[]).await;
    let node = a.node();
    let types = [TYPE.to_owned()];
    let shared = node
        .share_types(&a.manager, world.connection, &types, crate::world::BOTH)
        .await;
    assert_eq!(reason(shared), Reason::FieldInvalid);
    let unshared = node.unshare_type(&a.manager, world.connection, TYPE).await;
    assert_eq!(reason(unshared), Reason::FieldInvalid);
    let object = ObjectAt {
        space: "main".into(),
        object_type: TYPE.into(),
        key: id.to_string(),
    };
    let edits = Edits {
        set: [("name".to_owned(), "y".to_owned())].into(),
        clear: Vec::new(),
    };
    let edited = node.edit_object(&a.admin, &object, &edits).await;
    assert_eq!(reason(edited), Reason::FieldInvalid);
    assert_eq!(
        reason(node.delete_object(&a.admin, &object).await),
        Reason::FieldInvalid
    );
    let created = node.create_object(&a.admin, "main", TYPE, &edits.set).await;
    assert_eq!(reason(created), Reason::FieldInvalid);
    let read = node.object(&a.admin, &object).await.unwrap();
    assert!(read.properties.contains_key("content"), "reading it does no harm");
    let views = node.list_mappings(&a.manager, world.connection).await.unwrap();
    assert!(views.iter().all(|view| view.local_type != TYPE));
}
