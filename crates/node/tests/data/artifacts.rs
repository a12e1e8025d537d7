//! Artifacts as operators use them.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::TryStreamExt as _;
use peerd_core::authz::Role;
use peerd_core::{ArtifactId, ContentHash, Reason};
use peerd_node::artifact::{ArtifactAt, ArtifactView, NewArtifact, Put, Retag};
use peerd_node::{Caller, Error};

use crate::world::{SPACE, World, marked};

const MIB: usize = 1 << 20;

fn hash(content: &[u8]) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(content).as_bytes())
}

fn new(name: &str, size: usize) -> NewArtifact {
    NewArtifact {
        space: SPACE.into(),
        name: name.into(),
        media_type: "application/octet-stream".into(),
        size: Some(size as u64),
        tags: BTreeSet::new(),
        security: marked(&[]),
        replaces: None,
        upload: String::new(),
    }
}

fn at(id: ArtifactId) -> ArtifactAt {
    ArtifactAt {
        space: SPACE.into(),
        id,
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    outcome.unwrap_err().reason()
}

fn tags(tags: &[&str]) -> BTreeSet<String> {
    tags.iter().map(ToString::to_string).collect()
}

impl World {
    async fn begin(&self, new: NewArtifact) -> Result<Put, Error> {
        self.it.node.put_artifact(&self.admin, new).await
    }

    async fn put_whole(&self, new: NewArtifact, content: &[u8]) -> Result<ArtifactView, Error> {
        let mut put = self.begin(new).await?;
        for chunk in content.chunks(MIB) {
            put.write(Bytes::copy_from_slice(chunk)).await?;
        }
        put.finish(Some(hash(content))).await
    }

    async fn read(&self, caller: &Caller, id: ArtifactId, offset: u64) -> Result<Vec<u8>, Error> {
        let content = self.it.node.artifact_content(caller, &at(id), offset).await?;
        let pieces: Vec<Bytes> = content.content.try_collect().await?;
        Ok(pieces.concat())
    }

    async fn listed(&self, caller: &Caller, tag: &[&str]) -> Vec<String> {
        let page = self
            .it
            .node
            .list_artifacts(caller, SPACE, &tags(tag), None, 100)
            .await;
        page.unwrap()
            .artifacts
            .into_iter()
            .map(|view| view.artifact.name)
            .collect()
    }
}

#[tokio::test]
async fn b096_files_of_every_awkward_size_are_put_and_read_back_from_anywhere() {
    let world = World::new().await;
    for size in [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB] {
        let content: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let view = world.put_whole(new("some", size), &content).await.unwrap();
        assert!(view.complete);
        assert_eq!(
            (view.artifact.content.size, view.artifact.content.hash),
            (size as u64, hash(&content))
        );
        for offset in [0, 1, size / 2, size, size + 1] {
            let rest = world.read(&world.admin, view.id, offset as u64).await.unwrap();
            assert!(rest == content[offset.min(size)..], "{size} from {offset}");
        }
    }
}

#[tokio::test]
async fn b093_b096_what_was_not_announced_is_not_put() {
    let world = World::new().await;
    let short = world.put_whole(new("short", 4), b"abc").await;
    assert_eq!(reason(short), Reason::ContentMismatch);
    let long = world.put_whole(new("long", 2), b"abc").await;
    assert_eq!(reason(long), Reason::ContentMismatch);
    let mut other = world.begin(new("other", 3)).await.unwrap();
    other.write(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(
        reason(other.finish(Some(hash(b"abd"))).await),
        Reason::ContentMismatch
    );
    let mut ended = world.begin(new("ended", 3)).await.unwrap();
    ended.write(Bytes::from_static(b"abc")).await.unwrap();
    ended.pause().await.unwrap();
    assert!(world.listed(&world.admin, &[]).await.is_empty());
}

#[tokio::test]
async fn b092_an_upload_goes_on_where_it_broke_also_after_a_restart_and_for_its_caller_alone() {
    let content = vec![7; 3 * MIB + 5];
    let named = || NewArtifact {
        upload: "mine".into(),
        ..new("big", content.len())
    };
    let world = World::new().await;
    let mut put = world.begin(named()).await.unwrap();
    assert_eq!(put.offset(), 0);
    put.write(Bytes::copy_from_slice(&content[..2 * MIB + 9]))
        .await
        .unwrap();
    assert_eq!(
        reason(world.begin(named()).await),
        Reason::StoreUnavailable,
        "one at a time"
    );
    assert_eq!(put.pause().await.unwrap(), 2 * MIB as u64);

    let world = world.restarted().await;
    let editor = world.principal("ed", Role::Editor).await;
    let others = world.it.node.put_artifact(&editor, named()).await.unwrap();
    assert_eq!(
        others.offset(),
        0,
        "another caller's upload of that name is another one"
    );
    let mut put = world.begin(named()).await.unwrap();
    let offset = usize::try_from(put.offset()).unwrap();
    assert_eq!(offset, 2 * MIB);
    put.write(Bytes::copy_from_slice(&content[offset..]))
        .await
        .unwrap();
    let view = put.finish(Some(hash(&content))).await.unwrap();
    assert_eq!(world.read(&world.admin, view.id, 0).await.unwrap(), content);
}

#[tokio::test]
async fn b098_a_full_disk_is_told_and_the_upload_goes_on_once_there_is_room() {
    let world = World::new().await;
    let content = vec![1; 2 * MIB];
    let named = || NewArtifact {
        upload: "mine".into(),
        ..new("big", content.len())
    };
    world.it.blobs.limit(MIB as u64);
    let full = async {
        let mut put = world.begin(named()).await?;
        put.write(Bytes::copy_from_slice(&content)).await?;
        put.finish(Some(hash(&content))).await
    };
    assert_eq!(reason(full.await), Reason::StoreFull);
    assert!(
        world.listed(&world.admin, &[]).await.is_empty(),
        "nothing of it is visible"
    );
    world.it.blobs.limit(u64::MAX);
    let mut put = world.begin(named()).await.unwrap();
    let offset = usize::try_from(put.offset()).unwrap();
    put.write(Bytes::copy_from_slice(&content[offset..]))
        .await
        .unwrap();
    put.finish(Some(hash(&content))).await.unwrap();
}

#[tokio::test]
async fn b091_bytes_that_the_disk_changed_are_never_handed_out() {
    let world = World::new().await;
    let content = vec![3; 2 * MIB];
    let view = world
        .put_whole(new("rotten", content.len()), &content)
        .await
        .unwrap();
    world
        .it
        .blobs
        .danger_flip_for_tests(&view.artifact.content.hash, MIB + 7);
    assert_eq!(
        reason(world.read(&world.admin, view.id, 0).await),
        Reason::StoreCorrupt
    );
    let sound = world.put_whole(new("sound", 3), b"abc").await.unwrap();
    assert_eq!(
        world.read(&world.admin, sound.id, 0).await.unwrap(),
        b"abc",
        "others go on"
    );
}

#[tokio::test]
async fn b082_an_artifact_with_a_marking_exists_for_its_members_alone() {
    let world = World::new().await;
    world.secure().await;
    let secret = NewArtifact {
        security: marked(&["medical"]),
        ..new("chart", 3)
    };
    let view = world.put_whole(secret, b"abc").await.unwrap();
    let node = &world.it.node;
    assert!(
        world.listed(&world.admin, &[]).await.is_empty(),
        "admins included"
    );
    let id = view.id;
    assert_eq!(
        reason(node.artifact(&world.admin, &at(id)).await),
        Reason::NotFound
    );
    assert_eq!(reason(world.read(&world.admin, id, 0).await), Reason::NotFound);
    let retag = Retag::Add(tags(&["x"]));
    assert_eq!(
        reason(node.tag_artifact(&world.admin, &at(id), &retag).await),
        Reason::NotFound
    );
    assert_eq!(
        reason(node.delete_artifact(&world.admin, &at(id)).await),
        Reason::NotFound
    );
    let doctor = world.principal("doctor", Role::Editor).await;
    let marking = "medical".parse().unwrap();
    node.grant_marking(&world.admin, &marking, "doctor")
        .await
        .unwrap();
    assert_eq!(world.listed(&doctor, &[]).await, ["chart"]);
    assert_eq!(world.read(&doctor, id, 0).await.unwrap(), b"abc");
}

#[tokio::test]
async fn b082_a_read_under_way_ends_when_its_reader_may_not_see_the_artifact_any_more() {
    let world = World::new().await;
    let content = vec![5; 20 * MIB];
    let view = world
        .put_whole(new("long", content.len()), &content)
        .await
        .unwrap();
    let node = &world.it.node;
    for way in ["token", "artifact"] {
        let reader = world.principal(way, Role::Viewer).await;
        let mut read = node
            .artifact_content(&reader, &at(view.id), 0)
            .await
            .unwrap()
            .content;
        let mut came = read.try_next().await.unwrap().unwrap().len();
        if way == "token" {
            node.revoke_principal(&world.admin, way).await.unwrap();
        } else {
            node.delete_artifact(&world.admin, &at(view.id)).await.unwrap();
        }
        let error = loop {
            match read.try_next().await {
                Ok(Some(piece)) => came += piece.len(),
                Ok(None) => panic!("an end is a whole file"),
                Err(error) => break error,
            }
        };
        assert!(came < content.len());
        let expected = [Reason::TokenInvalid, Reason::NotFound];
        assert!(expected.contains(&error.reason()), "{error:?}");
    }
}

#[tokio::test]
async fn who_may_not_put_is_refused_before_any_byte_and_who_may_not_tag_changes_nothing() {
    let world = World::new().await;
    let node = &world.it.node;
    let view = world.put_whole(new("x", 0), b"").await.unwrap();
    let viewer = world.principal("vera", Role::Viewer).await;
    assert_eq!(
        reason(node.put_artifact(&viewer, new("y", 0)).await),
        Reason::RoleInsufficient
    );
    let retag = Retag::Add(tags(&["x"]));
    let tagged = node.tag_artifact(&viewer, &at(view.id), &retag).await;
    assert_eq!(reason(tagged), Reason::RoleInsufficient);
    let deleted = node.delete_artifact(&viewer, &at(view.id)).await;
    assert_eq!(reason(deleted), Reason::RoleInsufficient);
    assert_eq!(world.listed(&viewer, &[]).await, ["x"]);
}

#[tokio::test]
async fn tags_are_added_taken_away_and_set_and_choose_what_is_listed() {
    let world = World::new().await;
    let node = &world.it.node;
    let id = world.put_whole(new("one", 0), b"").await.unwrap().id;
    world.it.clock.advance(std::time::Duration::from_millis(1));
    world.put_whole(new("two", 0), b"").await.unwrap();
    for (retag, expected) in [
        (Retag::Add(tags(&["b", "a"])), tags(&["a", "b"])),
        (Retag::Remove(tags(&["b", "c"])), tags(&["a"])),
        (Retag::Set(tags(&["c"])), tags(&["c"])),
    ] {
        let view = node.tag_artifact(&world.admin, &at(id), &retag).await.unwrap();
        assert_eq!(view.artifact.tags, expected, "{retag:?}");
    }
    assert_eq!(world.listed(&world.admin, &["c", "d"]).await, ["one"]);
    assert_eq!(world.listed(&world.admin, &[]).await, ["one", "two"]);
    let wrong = node
        .tag_artifact(&world.admin, &at(id), &Retag::Add(tags(&["a\n"])))
        .await;
    assert_eq!(reason(wrong), Reason::FieldInvalid);
}

#[tokio::test]
async fn b100_content_that_was_replaced_is_restored_and_a_name_taken_twice_is_two_artifacts() {
    let world = World::new().await;
    let node = &world.it.node;
    let first = world.put_whole(new("report", 3), b"one").await.unwrap();
    let second = world.put_whole(new("report", 3), b"two").await.unwrap();
    assert_ne!(first.id, second.id);
    let replace = NewArtifact {
        replaces: Some(first.id),
        ..new("ignored", 5)
    };
    let replaced = world.put_whole(replace, b"three").await.unwrap();
    assert_eq!(
        (replaced.id, replaced.artifact.name.as_str()),
        (first.id, "report")
    );
    assert_eq!(world.read(&world.admin, first.id, 0).await.unwrap(), b"three");
    assert_eq!(replaced.artifact.previous, [first.artifact.content]);
    let unknown = node
        .restore_artifact(&world.admin, &at(first.id), Some(hash(b"two")))
        .await;
    assert_eq!(reason(unknown), Reason::NotFound);
    node.restore_artifact(&world.admin, &at(first.id), None)
        .await
        .unwrap();
    assert_eq!(world.read(&world.admin, first.id, 0).await.unwrap(), b"one");
    let again = Some(hash(b"three"));
    node.restore_artifact(&world.admin, &at(first.id), again)
        .await
        .unwrap();
    assert_eq!(world.read(&world.admin, first.id, 0).await.unwrap(), b"three");
}

#[tokio::test]
async fn b095_names_are_data_whatever_they_say() {
    let world = World::new().await;
    let longest = "\u{1f4c4}".repeat(10_000);
    let names = [
        "../../x",
        "/etc/passwd",
        "CON",
        "a\u{202e}fdp.exe",
        "\\\\host\\share",
        &longest,
    ];
    for name in names {
        let view = world.put_whole(new(name, 2), b"hi").await.unwrap();
        assert_eq!(view.artifact.name, name);
        assert_eq!(world.read(&world.admin, view.id, 0).await.unwrap(), b"hi");
    }
    let listed: BTreeSet<String> = world.listed(&world.admin, &[]).await.into_iter().collect();
    assert!(listed == tags(&names));
    let longer = format!("{longest}x");
    for name in ["", "a\0b", &longer] {
        assert_eq!(reason(world.begin(new(name, 2)).await), Reason::FieldInvalid);
    }
}

#[tokio::test]
async fn pages_give_every_artifact_once_the_oldest_first() {
    let world = World::new().await;
    let names: Vec<String> = (0..150).map(|n| format!("n{n:03}")).collect();
    for name in &names {
        world.put_whole(new(name, 0), b"").await.unwrap();
        world.it.clock.advance(std::time::Duration::from_millis(1));
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let none = BTreeSet::new();
        let page = world
            .it
            .node
            .list_artifacts(&world.admin, SPACE, &none, after, 40)
            .await
            .unwrap();
        assert!(page.artifacts.len() <= 40);
        seen.extend(page.artifacts.into_iter().map(|view| view.artifact.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, names);
}
