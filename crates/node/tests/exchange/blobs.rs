//! The content of artifacts, between two nodes without a network: what is answered, and what becomes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, TryStreamExt as _};
use peerd_core::artifact::{Selection, TYPE};
use peerd_core::peering::{DataTypes, Flow};
use peerd_core::security::Security;
use peerd_core::{ArtifactId, Blob, ConnectionId, ContentHash, Reason};
use peerd_node::artifact::{ArtifactAt, NewArtifact};
use peerd_node::exchange::blobs::{Ask, BlobExporter, BlobImporter, Part, TransferStanding, Turn, What};
use peerd_store::Blobs as _;
use peerd_testkit::Party;
use tokio::sync::mpsc;

use crate::pair::reason;
use crate::world::{AIRPORTS, World, peer};

const ALL: Flow = Flow {
    exports: DataTypes::ALL,
    imports: DataTypes::ALL,
};
pub(crate) const GROUP: usize = 1 << 20;
/// More parts than any answer here has.
const PARTS: usize = 1_024;

pub(crate) fn content(length: usize, seed: u64) -> Bytes {
    let mut bytes = vec![0; length];
    let mut seeded = blake3::Hasher::new();
    seeded.update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.into()
}

pub(crate) fn blob(content: &Bytes) -> Blob {
    Blob {
        hash: ContentHash::from_bytes(*blake3::hash(content).as_bytes()),
        size: content.len() as u64,
    }
}

pub(crate) fn at(id: ArtifactId) -> ArtifactAt {
    ArtifactAt {
        space: "main".into(),
        id,
    }
}

pub(crate) async fn put_in(
    party: &Party,
    content: &Bytes,
    replaces: Option<ArtifactId>,
    tag: &str,
) -> ArtifactId {
    let new = NewArtifact {
        space: "main".into(),
        name: "a file".into(),
        media_type: "text/plain".into(),
        size: Some(content.len() as u64),
        tags: BTreeSet::from([tag.to_owned()]),
        security: Security::unrestricted(),
        replaces,
        upload: String::new(),
    };
    let mut put = party.node().put_artifact(&party.admin, new).await.unwrap();
    put.write(content.clone()).await.unwrap();
    put.finish(Some(blob(content).hash)).await.unwrap().id
}

pub(crate) async fn put(party: &Party, content: &Bytes) -> ArtifactId {
    put_in(party, content, None, "shown").await
}

pub(crate) async fn held(party: &Party, content: &Bytes) -> bool {
    let hash = blob(content).hash;
    let Some(read) = party.blobs().read(&hash, 0..u64::MAX).await.unwrap() else {
        return false;
    };
    assert_eq!(
        read.try_collect::<Vec<Bytes>>().await.unwrap().concat(),
        content[..]
    );
    true
}

/// What tells of artifacts goes from a to b, of those that are shown.
pub(crate) async fn shared() -> World {
    let world = World::joined_for(ALL, Security::unrestricted(), AIRPORTS).await;
    let selection = Selection::tagged(BTreeSet::from(["shown".to_owned()])).unwrap();
    let a = &world.pair.a;
    let shared = a
        .node()
        .share_artifacts(&a.manager, world.connection, &selection)
        .await;
    shared.unwrap();
    world.tell().await;
    world
}

pub(crate) async fn forth(world: &World) {
    world.pump_type(&world.pair.a, &world.pair.b, TYPE).await;
}

pub(crate) async fn importer(world: &World) -> BlobImporter {
    importer_of(world, &world.pair.b, &world.pair.a).await
}

async fn importer_of(world: &World, to: &Party, from: &Party) -> BlobImporter {
    let opened = BlobImporter::open(to.node(), &peer(to, from).await, world.connection).await;
    opened.unwrap()
}

pub(crate) async fn exporter(world: &World) -> BlobExporter {
    exporter_of(&world.pair.a, &world.pair.b).await
}

async fn exporter_of(from: &Party, to: &Party) -> BlobExporter {
    BlobExporter::open(from.node(), &peer(from, to).await)
}

/// The next turn, if there is one without anything else happening.
pub(crate) fn ready(importer: &mut BlobImporter) -> Option<Turn> {
    importer.next().now_or_never().map(Result::unwrap)
}

/// All parts of the answer to one ask.
pub(crate) async fn answer(exporter: &mut BlobExporter, ask: &Ask) -> Vec<Part> {
    let (parts, mut arriving) = mpsc::channel(PARTS);
    exporter.answer(ask, &parts).await.unwrap();
    drop(parts);
    let mut all = Vec::new();
    while let Some(part) = arriving.recv().await {
        all.push(part);
    }
    all
}

/// Takes all turns that are ready, and says what was asked.
pub(crate) async fn fetch(importer: &mut BlobImporter, exporter: &mut BlobExporter) -> Vec<Ask> {
    let mut asked = Vec::new();
    while let Some(mut turn) = ready(importer) {
        for ask in turn.asks() {
            for part in answer(exporter, &ask).await {
                turn.take(part).await.unwrap();
            }
            asked.push(ask);
        }
        assert!(turn.is_over());
    }
    asked
}

pub(crate) fn delayed(party: &Party) -> Vec<Reason> {
    let transfers = party.node().all_transfers().into_iter();
    let delayed = transfers.filter_map(|one| match one.standing {
        TransferStanding::Delayed(reason) => Some(reason),
        TransferStanding::Waiting | TransferStanding::Running => None,
    });
    delayed.collect()
}

pub(crate) fn ask_for(connection: ConnectionId, id: ArtifactId, blob: Blob) -> Ask {
    Ask {
        number: 1,
        connection,
        artifact: id.to_string(),
        blob,
        what: What::Groups(0..1),
    }
}

#[tokio::test]
async fn b099_the_same_content_is_asked_for_once() {
    let world = shared().await;
    let (once, large) = (content(5_000, 1), content(3 * GROUP + 1, 2));
    for content in [&once, &large, &once, &large] {
        put(&world.pair.a, content).await;
    }
    forth(&world).await;
    let asked = fetch(&mut importer(&world).await, &mut exporter(&world).await).await;
    let of = |content: &Bytes| asked.iter().filter(|ask| ask.blob == blob(content)).count();
    assert_eq!(
        (of(&once), of(&large)),
        (1, 2),
        "an outline and the groups of the large one"
    );
    put(&world.pair.a, &large).await;
    forth(&world).await;
    assert!(ready(&mut importer(&world).await).is_none(), "it is here already");
    assert!(held(&world.pair.b, &once).await && held(&world.pair.b, &large).await);
}

#[tokio::test]
async fn b101_what_is_not_offered_is_answered_like_what_is_not_there() {
    let world = shared().await;
    let a = &world.pair.a;
    let (shown, hidden) = (content(100, 1), content(100, 2));
    let id = put(a, &shown).await;
    let secret = put_in(a, &hidden, None, "hidden").await;
    let mut exporter = exporter(&world).await;
    let other = ConnectionId::from_bytes([9; 16]);
    let longer = Blob {
        size: 101,
        ..blob(&shown)
    };
    let nothing = Part {
        number: 1,
        last: true,
        reason: Some(Reason::NotFound),
        ..Part::default()
    };
    for ask in [
        ask_for(world.connection, secret, blob(&hidden)),
        ask_for(world.connection, id, blob(&hidden)),
        ask_for(world.connection, id, blob(&content(9, 9))),
        ask_for(world.connection, id, longer),
        ask_for(other, id, blob(&shown)),
        ask_for(world.connection, ArtifactId::from_bytes([3; 16]), blob(&shown)),
    ] {
        assert_eq!(
            answer(&mut exporter, &ask).await,
            std::slice::from_ref(&nothing),
            "{ask:?}"
        );
    }
    let told = answer(&mut exporter, &ask_for(world.connection, id, blob(&shown))).await;
    assert_eq!((told.len(), &told[0].piece, told[0].last), (1, &shown, true));
}

#[tokio::test]
async fn content_that_is_replaced_there_comes_back_and_what_a_peer_names_is_not_handed_out() {
    let world = shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let shared = b
        .node()
        .share_artifacts(&b.manager, world.connection, &Selection::All)
        .await;
    shared.unwrap();
    world.tell().await;
    let (old, new) = (content(100, 1), content(3 * GROUP, 2));
    let id = put(a, &old).await;
    forth(&world).await;
    fetch(&mut importer(&world).await, &mut exporter(&world).await).await;
    put_in(b, &new, Some(id), "shown").await;
    world.pump_type(b, a, TYPE).await;
    // The replaced content is known to both now, and on its way.
    forth(&world).await;
    let asked = fetch(&mut importer_of(&world, a, b).await, &mut exporter_of(b, a).await).await;
    assert_eq!(asked.len(), 2);
    assert!(held(a, &new).await);

    // Here it lies as well, whoever put it; who named it learns nothing of that.
    let told = answer(
        &mut exporter(&world).await,
        &ask_for(world.connection, id, blob(&new)),
    )
    .await;
    assert_eq!((told.len(), told[0].reason), (1, Some(Reason::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn b091_what_came_damaged_is_asked_for_again_and_never_seen() {
    let world = shared().await;
    let (small, large) = (content(5_000, 1), content(3 * GROUP, 2));
    for content in [&small, &large] {
        put(&world.pair.a, content).await;
    }
    forth(&world).await;
    let (mut importer, mut exporter) = (importer(&world).await, exporter(&world).await);
    // The small one, the outline, the groups.
    for _ in 0..3 {
        let mut turn = ready(&mut importer).unwrap();
        for ask in turn.asks() {
            for (at, mut part) in answer(&mut exporter, &ask).await.into_iter().enumerate() {
                if at == 0 && ask.what != What::Outline {
                    let mut damaged = part.piece.to_vec();
                    damaged[7] ^= 1;
                    part.piece = damaged.into();
                }
                turn.take(part).await.unwrap();
            }
        }
    }
    assert!(ready(&mut importer).is_none(), "not at once");
    assert_eq!(delayed(&world.pair.b), [Reason::PeerMisbehaved; 2]);
    assert!(!held(&world.pair.b, &small).await && !held(&world.pair.b, &large).await);
    tokio::time::advance(Duration::from_secs(2)).await;
    let asked = fetch(&mut importer, &mut exporter).await;
    let groups = asked
        .iter()
        .filter(|ask| ask.blob == blob(&large))
        .map(|ask| ask.what.clone());
    assert_eq!(
        groups.collect::<Vec<_>>(),
        [What::Outline, What::Groups(0..1)],
        "only what was damaged"
    );
    assert!(held(&world.pair.b, &small).await && held(&world.pair.b, &large).await);
}

#[tokio::test(start_paused = true)]
async fn b091_what_is_damaged_at_the_source_is_reported_and_the_rest_goes_on() {
    let world = shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let (bad, worse, good) = (content(5_000, 1), content(3 * GROUP, 2), content(700, 3));
    for content in [&bad, &worse, &good] {
        put(a, content).await;
    }
    a.blobs().danger_flip_for_tests(&blob(&bad).hash, 9);
    a.blobs().danger_flip_for_tests(&blob(&worse).hash, 2 * GROUP + 9);
    forth(&world).await;
    fetch(&mut importer(&world).await, &mut exporter(&world).await).await;
    assert!(held(b, &good).await);
    assert!(b.blobs().stat(&blob(&bad).hash).await.unwrap().is_none());
    assert!(b.blobs().stat(&blob(&worse).hash).await.unwrap().is_none());
    assert_eq!(delayed(a), [Reason::StoreCorrupt; 2], "seen where the damage is");
}

#[tokio::test]
async fn b094_a_failure_after_the_first_bytes_is_an_error() {
    let world = shared().await;
    let large = content(3 * GROUP, 2);
    put(&world.pair.a, &large).await;
    world
        .pair
        .a
        .blobs()
        .danger_flip_for_tests(&blob(&large).hash, 2 * GROUP + 9);
    forth(&world).await;
    let (mut importer, mut exporter) = (importer(&world).await, exporter(&world).await);
    let asked = fetch(&mut importer, &mut exporter).await;
    let parts = answer(&mut exporter, asked.last().unwrap()).await;
    assert!(parts.len() > 4 && parts[..4].iter().all(|part| part.reason.is_none()));
    let last = parts.last().unwrap();
    assert_eq!((last.last, last.reason), (true, Some(Reason::StoreCorrupt)));
    assert_eq!(delayed(&world.pair.b), [Reason::StoreCorrupt]);
    assert!(!held(&world.pair.b, &large).await);
}

#[tokio::test]
async fn b093_an_answer_that_ends_too_early_or_too_late_is_an_error() {
    let world = shared().await;
    let (small, large) = (content(5_000, 1), content(2 * GROUP, 2));
    for content in [&small, &large] {
        put(&world.pair.a, content).await;
    }
    forth(&world).await;
    let (mut importer, mut exporter) = (importer(&world).await, exporter(&world).await);
    let mut turn = ready(&mut importer).unwrap();
    let part = |piece: Bytes, last| Part {
        number: 1,
        piece,
        last,
        reason: None,
    };
    turn.take(part(small.clone(), false)).await.unwrap();
    drop(turn);
    assert!(!held(&world.pair.b, &small).await, "the last part never came");
    let mut turn = ready(&mut importer).unwrap();
    let first = turn.asks()[0].number;
    let late = Part {
        number: first,
        ..part(content(5_001, 1), true)
    };
    assert_eq!(reason(turn.take(late).await), Reason::PeerMisbehaved);
    drop(turn);

    fetch(&mut importer, &mut exporter).await;
    assert!(held(&world.pair.b, &small).await && held(&world.pair.b, &large).await);
    let third = content(4 * GROUP, 3);
    put(&world.pair.a, &third).await;
    forth(&world).await;
    let mut outline = ready(&mut importer).unwrap();
    for part in answer(&mut exporter, &outline.asks()[0]).await {
        outline.take(part).await.unwrap();
    }
    let mut turn = ready(&mut importer).unwrap();
    let mut parts = answer(&mut exporter, &turn.asks()[0]).await;
    parts.truncate(5);
    parts[4].last = true;
    let mut outcome = Ok(());
    for part in parts {
        outcome = turn.take(part).await;
    }
    assert_eq!(reason(outcome), Reason::PeerMisbehaved);
    assert!(!held(&world.pair.b, &third).await);
}

#[tokio::test]
async fn b092_after_a_restart_only_what_is_missing_is_asked_for() {
    let mut world = shared().await;
    let large = content(20 * GROUP + 5, 1);
    put(&world.pair.a, &large).await;
    forth(&world).await;
    {
        let (mut importer, mut exporter) = (importer(&world).await, exporter(&world).await);
        for _ in 0..2 {
            let mut turn = ready(&mut importer).unwrap();
            for part in answer(&mut exporter, &turn.asks()[0]).await {
                turn.take(part).await.unwrap();
            }
        }
        let mut turn = ready(&mut importer).unwrap();
        let parts = answer(&mut exporter, &turn.asks()[0]).await;
        // A group and a half.
        for part in parts.into_iter().take(6) {
            turn.take(part).await.unwrap();
        }
        let running = world.pair.b.node().all_transfers();
        assert_eq!(running[0].bytes_done, 9 * GROUP as u64);
        assert_eq!(running[0].standing, TransferStanding::Running);
    }
    world.pair.b.restart().await;
    world.pair.a.restart().await;
    let asked = fetch(&mut importer(&world).await, &mut exporter(&world).await).await;
    let asked: Vec<What> = asked.into_iter().map(|ask| ask.what).collect();
    assert_eq!(asked, [What::Outline, What::Groups(9..17), What::Groups(17..21)]);
    assert!(held(&world.pair.b, &large).await);
}
