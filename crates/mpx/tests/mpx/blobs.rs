//! The content of artifacts, from the side that has it to the side that wants it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::TryStreamExt as _;
use peerd_core::artifact::Selection;
use peerd_core::link::Direction;
use peerd_core::peering::{DataTypes, Flow};
use peerd_core::security::Security;
use peerd_core::{Blob, ConnectionId};
use peerd_node::artifact::{ArtifactAt, ArtifactView, NewArtifact};
use peerd_node::connection::Ask;
use peerd_store::Blobs as _;
use peerd_testkit::eventually;

use crate::link::peered_as;
use crate::site::{Plan, SPACE, Site, linked_by};

const GROUP: usize = 1 << 20;

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dials {
    Importer,
    Exporter,
}

/// A connection over which all artifacts go from the first to the second.
async fn shared(dials: Dials) -> (Site, Site, ConnectionId) {
    let (accepts, dialler) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let (a, b) = match dials {
        Dials::Importer => (accepts, dialler),
        Dials::Exporter => (dialler, accepts),
    };
    let artifacts = DataTypes {
        objects: false,
        artifacts: true,
    };
    let ask = Ask {
        flow: Flow {
            exports: artifacts,
            imports: artifacts,
        },
        ..a.ask().await
    };
    let connection = peered_as(&a, &b, ask).await;
    a.node
        .share_artifacts(&a.caller, connection, &Selection::All)
        .await
        .unwrap();
    (a, b, connection)
}

fn content(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes.into()
}

async fn put(site: &Site, content: &Bytes) -> ArtifactView {
    let new = NewArtifact {
        space: SPACE.to_owned(),
        name: "a file".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        size: Some(content.len() as u64),
        tags: BTreeSet::new(),
        security: Security::default(),
        replaces: None,
        upload: String::new(),
    };
    let mut put = site.node.put_artifact(&site.caller, new).await.unwrap();
    put.write(content.clone()).await.unwrap();
    let hash = peerd_core::ContentHash::from_bytes(*blake3::hash(content).as_bytes());
    put.finish(Some(hash)).await.unwrap()
}

async fn read(site: &Site, blob: Blob) -> Option<Vec<u8>> {
    let content = site.blobs().read(&blob.hash, 0..u64::MAX).await.unwrap()?;
    Some(content.try_collect::<Vec<Bytes>>().await.ok()?.concat())
}

async fn arrived(site: &Site, view: &ArtifactView, content: &Bytes) {
    let at = ArtifactAt {
        space: SPACE.to_owned(),
        id: view.id,
    };
    eventually("the whole artifact", async || {
        let view = site.node.artifact(&site.caller, &at).await.ok()?;
        view.complete.then_some(())
    })
    .await;
    assert_eq!(
        read(site, view.artifact.content).await.as_deref(),
        Some(&content[..])
    );
}

#[tokio::test]
async fn b096_content_of_every_length_comes_whoever_dialled() {
    for dials in [Dials::Importer, Dials::Exporter] {
        let (a, b, _) = shared(dials).await;
        let mut put_all = Vec::new();
        for length in [0, 1, GROUP, GROUP + 1, 3 * GROUP, 20 * GROUP + 7] {
            let content = content(length, 1);
            put_all.push((put(&a, &content).await, content));
        }
        for (view, content) in &put_all {
            arrived(&b, view, content).await;
        }
        assert!(b.node.all_transfers().is_empty());
    }
}

#[tokio::test]
async fn many_small_contents_come_together() {
    let (a, b, _) = shared(Dials::Importer).await;
    let mut put_all = Vec::new();
    for seed in 0..300 {
        let content = content(3_000, seed);
        put_all.push((put(&a, &content).await, content));
    }
    for (view, content) in &put_all {
        arrived(&b, view, content).await;
    }
}
