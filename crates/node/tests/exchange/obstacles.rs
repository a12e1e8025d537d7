//! What stands in the way of content, and what becomes of content that nothing stands for any more.

use std::time::Duration;

use futures::FutureExt as _;
use peerd_core::Reason;
use peerd_core::policy::Side;
use peerd_node::exchange::blobs::{Ask, Part, RemovedContent, What};
use peerd_store::Blobs as _;
use tokio::sync::mpsc;

use crate::blobs::{
    GROUP, ask_for, at, blob, content, delayed, exporter, fetch, forth, held, importer, put, put_in, ready,
    shared,
};

#[tokio::test(start_paused = true)]
async fn b098_a_full_disk_pauses_and_goes_on_when_there_is_room() {
    let world = shared().await;
    let b = &world.pair.b;
    let (small, large) = (content(5_000, 1), content(3 * GROUP, 2));
    for content in [&small, &large] {
        put(&world.pair.a, content).await;
    }
    forth(&world).await;
    b.blobs().limit(1_000);
    let (mut importer, mut exporter) = (importer(&world).await, exporter(&world).await);
    fetch(&mut importer, &mut exporter).await;
    assert_eq!(delayed(b), [Reason::StoreFull; 2]);
    assert!(!held(b, &small).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    fetch(&mut importer, &mut exporter).await;
    assert_eq!(delayed(b), [Reason::StoreFull; 2], "still");
    b.blobs().limit(u64::MAX);
    tokio::time::advance(Duration::from_secs(20)).await;
    fetch(&mut importer, &mut exporter).await;
    assert!(held(b, &small).await && held(b, &large).await);
    assert!(b.node().all_transfers().is_empty());
}

#[tokio::test]
async fn b106_a_policy_that_is_revoked_midway_ends_the_answer_and_the_fetching() {
    for side in [Side::Egress, Side::Ingress] {
        let world = shared().await;
        let (a, b) = (&world.pair.a, &world.pair.b);
        let large = content(3 * GROUP, 2);
        let id = put(a, &large).await;
        forth(&world).await;
        let mut exporter = exporter(&world).await;
        let ask = Ask {
            what: What::Groups(0..3),
            ..ask_for(world.connection, id, blob(&large))
        };
        if side == Side::Egress {
            let (parts, mut arriving) = mpsc::channel(1);
            let sending = exporter.answer(&ask, &parts);
            tokio::pin!(sending);
            assert!(sending.as_mut().now_or_never().is_none(), "it waits for room");
            world.forbid(a, side).await;
            let told = tokio::join!(sending, async {
                let first = arriving.recv().await.unwrap();
                assert_eq!(first.reason, None);
                arriving.recv().await.unwrap()
            });
            assert_eq!((told.1.reason, told.1.last), (Some(Reason::NotFound), true));
        } else {
            let mut importer = importer(&world).await;
            let turn = ready(&mut importer).unwrap();
            assert!(importer.until_denied().now_or_never().is_none());
            world.forbid(b, side).await;
            importer.until_denied().await;
            drop(turn);
            assert!(ready(&mut importer).is_none());
        }
        assert!(!held(b, &large).await);
        assert_eq!(b.blobs().list(None, 10).await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_not_asked_for_again() {
    let world = shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let id = put(a, &content(5_000, 1)).await;
    forth(&world).await;
    let mut importer = importer(&world).await;
    let mut turn = ready(&mut importer).unwrap();
    let refused = Part {
        number: 1,
        last: true,
        reason: Some(Reason::NotFound),
        ..Part::default()
    };
    turn.take(refused).await.unwrap();
    assert_eq!(delayed(b), [Reason::NotFound]);
    a.node().delete_artifact(&a.admin, &at(id)).await.unwrap();
    forth(&world).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(ready(&mut importer).is_none());
    assert!(b.node().all_transfers().is_empty());
}

#[tokio::test]
async fn content_that_nothing_refers_to_goes_when_it_is_old() {
    let world = shared().await;
    let a = &world.pair.a;
    let (kept, both, gone) = (content(10, 1), content(20, 2), content(3 * GROUP, 3));
    let first = put(a, &both).await;
    put(a, &both).await;
    put(a, &kept).await;
    let last = put(a, &gone).await;
    let replaced = put(a, &content(30, 4)).await;
    put_in(a, &content(40, 5), Some(replaced), "shown").await;
    for id in [first, last] {
        a.node().delete_artifact(&a.admin, &at(id)).await.unwrap();
    }
    let none = RemovedContent::default();
    assert_eq!(
        a.node().remove_unreferenced_content().await.unwrap(),
        none,
        "it is young"
    );
    a.clock().advance(Duration::from_hours(2));
    // Whoever puts the same content meanwhile has it.
    let mut upload = a
        .blobs()
        .upload(peerd_core::UploadId::from_bytes([1; 16]))
        .await
        .unwrap();
    upload.write(gone.clone()).await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(a.node().remove_unreferenced_content().await.unwrap(), none);
    a.clock().advance(Duration::from_hours(2));
    let removed = a.node().remove_unreferenced_content().await.unwrap();
    assert_eq!((removed.contents, removed.bytes), (1, gone.len() as u64));
    assert!(!held(a, &gone).await && held(a, &both).await && held(a, &kept).await);
    assert!(
        held(a, &content(30, 4)).await,
        "what was replaced can be restored"
    );
    assert_eq!(a.node().remove_unreferenced_content().await.unwrap(), none);
}

#[tokio::test]
async fn what_was_begun_and_is_not_wanted_goes_in_the_end() {
    let world = shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let (wanted, unwanted) = (content(3 * GROUP, 1), content(3 * GROUP, 2));
    put(a, &wanted).await;
    let id = put(a, &unwanted).await;
    forth(&world).await;
    for content in [&wanted, &unwanted] {
        let outline = a.blobs().outline(&blob(content).hash).await.unwrap().unwrap();
        let partial = b.blobs().partial(&outline).await.unwrap();
        partial.write(0, vec![content.slice(..GROUP)]).await.unwrap();
    }
    drop(
        b.blobs()
            .upload(peerd_core::UploadId::from_bytes([1; 16]))
            .await
            .unwrap(),
    );
    a.node().delete_artifact(&a.admin, &at(id)).await.unwrap();
    forth(&world).await;
    assert_eq!(b.node().remove_unreferenced_content().await.unwrap().begun, 0);
    b.clock().advance(Duration::from_hours(50));
    assert_eq!(b.node().remove_unreferenced_content().await.unwrap().begun, 2);
    let begun = b.blobs().leftovers().await.unwrap();
    assert_eq!(begun.len(), 1, "what is wanted goes on where it was");
}
