//! Artifacts over the wire.

use peerd_wire::data::v1::artifact_selection::Selection;
use peerd_wire::data::v1::artifact_service_client::ArtifactServiceClient;
use peerd_wire::data::v1::put_artifact_request::Part;
use peerd_wire::data::v1::read_artifact_response::Part as Read;
use prost::bytes::Bytes;
use tokio_stream::StreamExt as _;

use super::{Channel, Reason, Request, SPACE, Status, World, mpsc, pb, refusal};

const MIB: usize = 1 << 20;

fn header(name: &str, size: usize) -> Part {
    Part::Header(pb::PutHeader {
        space: SPACE.into(),
        name: name.into(),
        size_bytes: size as u64,
        tags: vec!["b".into(), "a".into()],
        upload_id: "mine".into(),
        ..pb::PutHeader::default()
    })
}

fn chunk(bytes: &[u8]) -> Part {
    Part::Chunk(Bytes::copy_from_slice(bytes))
}

fn end(content: &[u8]) -> Part {
    let blake3 = blake3::hash(content).to_hex().to_string();
    Part::End(pb::PutEnd { blake3 })
}

impl World {
    fn artifacts(&self) -> ArtifactServiceClient<Channel> {
        ArtifactServiceClient::new(self.channel.clone())
    }

    /// Everything at once; the answers up to the end or the error.
    async fn put(&self, parts: Vec<Part>) -> Result<Vec<pb::PutArtifactResponse>, Status> {
        let parts = parts
            .into_iter()
            .map(|part| pb::PutArtifactRequest { part: Some(part) });
        let request = self.ask(tokio_stream::iter(parts.collect::<Vec<_>>()));
        let answers = self.artifacts().put_artifact(request).await?.into_inner();
        answers.collect::<Result<Vec<_>, Status>>().await
    }

    async fn read(&self, artifact_id: &str, offset: u64) -> Result<(pb::Artifact, Vec<u8>), Status> {
        let request = pb::ReadArtifactRequest {
            space: SPACE.into(),
            artifact_id: artifact_id.into(),
            offset,
        };
        let parts = self
            .artifacts()
            .read_artifact(self.ask(request))
            .await?
            .into_inner();
        let parts: Vec<_> = parts.collect::<Result<_, Status>>().await?;
        let mut parts = parts.into_iter().map(|answer| answer.part.unwrap());
        let Some(Read::Artifact(artifact)) = parts.next() else {
            panic!("the artifact comes first");
        };
        let mut bytes = Vec::new();
        for part in parts {
            let Read::Chunk(chunk) = part else {
                panic!("then chunks");
            };
            assert!(!chunk.is_empty() && chunk.len() <= MIB);
            bytes.extend(chunk);
        }
        Ok((artifact, bytes))
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Reason {
    refusal(&outcome.unwrap_err()).reason
}

#[tokio::test]
async fn b092_a_put_that_broke_off_goes_on_from_what_is_durable_and_is_read_from_anywhere() {
    let world = World::new().await;
    let content: Vec<u8> = (0..2 * MIB + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let chunks = |from: usize| content[from..].chunks(MIB).map(chunk);
    let mut parts = vec![header("big", content.len())];
    parts.extend(chunks(0).take(1));
    assert_eq!(
        reason(world.put(parts).await),
        Reason::FieldInvalid,
        "no end: nothing was put"
    );

    // Only what the daemon says is missing is sent.
    let (queue, parts) = mpsc::channel(1);
    let part = |part| pb::PutArtifactRequest { part: Some(part) };
    queue.send(part(header("big", content.len()))).await.unwrap();
    let request = world.ask(tokio_stream::wrappers::ReceiverStream::new(parts));
    let mut answers = world
        .artifacts()
        .put_artifact(request)
        .await
        .unwrap()
        .into_inner();
    let durable = answers.message().await.unwrap().unwrap().durable_bytes;
    assert_eq!(durable, MIB as u64);
    for chunk in chunks(MIB) {
        queue.send(part(chunk)).await.unwrap();
    }
    queue.send(part(end(&content))).await.unwrap();
    let artifact = answers.message().await.unwrap().unwrap().artifact.unwrap();
    assert!(answers.message().await.unwrap().is_none());
    assert_eq!(artifact.blake3, blake3::hash(&content).to_hex().as_str());
    assert_eq!(artifact.tags, ["a", "b"]);
    assert_eq!(artifact.media_type, "application/octet-stream");
    assert!(artifact.complete);

    for from in [0, 1, MIB, content.len(), content.len() + 9] {
        let (of, bytes) = world.read(&artifact.artifact_id, from as u64).await.unwrap();
        assert_eq!(of.size_bytes, content.len() as u64);
        assert!(bytes == content[from.min(content.len())..], "from {from}");
    }
}

#[tokio::test]
async fn b094_a_failure_after_data_started_ends_the_stream_with_an_error() {
    let world = World::new().await;
    let content = vec![7; 4 * MIB];
    let mut parts = vec![header("rotten", content.len())];
    parts.extend(content.chunks(MIB).map(chunk));
    parts.push(end(&content));
    let answers = world.put(parts).await.unwrap();
    let artifact = answers.last().unwrap().artifact.clone().unwrap();
    let hash = artifact.blake3.parse().unwrap();
    world.it.blobs.danger_flip_for_tests(&hash, 3 * MIB + 1);
    let request = pb::ReadArtifactRequest {
        space: SPACE.into(),
        artifact_id: artifact.artifact_id,
        offset: 0,
    };
    let mut parts = world
        .artifacts()
        .read_artifact(world.ask(request))
        .await
        .unwrap()
        .into_inner();
    let mut came = 0;
    let error = loop {
        match parts.message().await {
            Ok(Some(pb::ReadArtifactResponse {
                part: Some(Read::Chunk(chunk)),
            })) => came += chunk.len(),
            Ok(Some(_)) => {}
            Ok(None) => panic!("an end is a whole file"),
            Err(error) => break error,
        }
    };
    assert_eq!(came, 3 * MIB, "what was sound came");
    assert_eq!(
        refusal(&error).reason.code(),
        peerd_core::reason::Code::Internal,
        "the log says more"
    );
    let none = world
        .artifacts()
        .list_transfers(world.ask(pb::ListTransfersRequest::default()))
        .await;
    assert!(none.unwrap().into_inner().items.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_put_is_told_by_field() {
    let world = World::new().await;
    let no_header = world.put(vec![chunk(b"abc")]).await;
    assert_eq!(reason(no_header), Reason::FieldInvalid);
    let named = |name: &str| world.put(vec![header(name, 0), end(b"")]);
    assert_eq!(reason(named("").await), Reason::FieldInvalid);
    let long = world.put(vec![header("x", 2), chunk(b"abc"), end(b"abc")]).await;
    assert_eq!(reason(long), Reason::ContentMismatch);
    let other = world.put(vec![header("y", 3), chunk(b"abc"), end(b"abd")]).await;
    assert_eq!(reason(other), Reason::ContentMismatch);
    let twice = world.put(vec![header("z", 3), header("z", 3)]).await;
    assert_eq!(reason(twice), Reason::FieldInvalid);
    let large = world
        .put(vec![header("w", 2 * MIB), chunk(&vec![0; MIB + 1])])
        .await;
    assert_eq!(reason(large), Reason::FieldInvalid);
    let listed = pb::ListArtifactsRequest {
        space: SPACE.into(),
        ..pb::ListArtifactsRequest::default()
    };
    let listed = world.artifacts().list_artifacts(world.ask(listed)).await.unwrap();
    assert!(listed.into_inner().items.is_empty());
}

#[tokio::test]
async fn what_is_known_of_an_artifact_is_changed_by_its_calls() {
    let world = World::new().await;
    let answers = world
        .put(vec![header("one", 3), chunk(b"abc"), end(b"abc")])
        .await
        .unwrap();
    let id = answers.last().unwrap().artifact.clone().unwrap().artifact_id;
    let tag = |mode: pb::TagMode, tags: &[&str]| {
        let request = pb::TagArtifactRequest {
            space: SPACE.into(),
            artifact_id: id.clone(),
            tags: tags.iter().map(ToString::to_string).collect(),
            mode: mode.into(),
        };
        let (mut artifacts, request) = (world.artifacts(), world.ask(request));
        async move { artifacts.tag_artifact(request).await }
    };
    for (mode, tags, expected) in [
        (pb::TagMode::Unspecified, &["c"][..], &["a", "b", "c"][..]),
        (pb::TagMode::Remove, &["a"], &["b", "c"]),
        (pb::TagMode::Set, &[], &[]),
    ] {
        let tagged = tag(mode, tags).await.unwrap().into_inner();
        assert_eq!(tagged.artifact.unwrap().tags, expected);
    }
    assert_eq!(reason(tag(pb::TagMode::Add, &[]).await), Reason::FieldInvalid);
    let renamed = pb::RenameArtifactRequest {
        space: SPACE.into(),
        artifact_id: id.clone(),
        name: "../two".into(),
    };
    let renamed = world
        .artifacts()
        .rename_artifact(world.ask(renamed))
        .await
        .unwrap();
    assert_eq!(renamed.into_inner().artifact.unwrap().name, "../two");
    let restored = pb::RestoreArtifactRequest {
        space: SPACE.into(),
        artifact_id: id.clone(),
        blake3: String::new(),
    };
    let restored = world.artifacts().restore_artifact(world.ask(restored)).await;
    assert_eq!(reason(restored), Reason::NotFound, "it never had another content");
    let delete = || pb::DeleteArtifactRequest {
        space: SPACE.into(),
        artifact_id: id.clone(),
    };
    world
        .artifacts()
        .delete_artifact(world.ask(delete()))
        .await
        .unwrap();
    let again = world.artifacts().delete_artifact(world.ask(delete())).await;
    assert_eq!(reason(again), Reason::NotFound);
    assert_eq!(reason(world.read(&id, 0).await), Reason::NotFound);
    let garbage = world.read("../../etc/passwd", 0).await;
    assert_eq!(reason(garbage), Reason::FieldInvalid);
}

#[tokio::test]
async fn a_selection_says_which() {
    let world = World::new().await;
    let ask = |selection: Option<Selection>| {
        let request = pb::ShareArtifactsRequest {
            connection_id: "con_00000000000000000000000000000001".into(),
            selection: selection.map(|one| pb::ArtifactSelection { selection: Some(one) }),
        };
        let (mut artifacts, request): (_, Request<_>) = (world.artifacts(), world.ask(request));
        async move { artifacts.share_artifacts(request).await }
    };
    assert_eq!(reason(ask(None).await), Reason::FieldInvalid);
    assert_eq!(
        reason(ask(Some(Selection::All(false))).await),
        Reason::FieldInvalid
    );
    let none = pb::SelectedTags { tags: Vec::new() };
    assert_eq!(
        reason(ask(Some(Selection::Tags(none))).await),
        Reason::FieldInvalid
    );
    let nothing = prost_types::Duration::default();
    let window = ask(Some(Selection::UpdatedWithin(nothing))).await;
    assert_eq!(reason(window), Reason::FieldInvalid);
    assert_eq!(reason(ask(Some(Selection::All(true))).await), Reason::NotFound);
}
