//! What flowed, run by run: counted, kept, bounded, shown to those who may know.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::peering::Imported;
use peerd_core::policy::Direction;
use peerd_node::exchange::{Cause, Change, Job, JobStatus, Payload, Position};
use peerd_node::job::JobFilter;
use peerd_store::Table;
use peerd_testkit::Party;

use crate::world::{World, classify, create, drain, edit, peer, ready};

async fn jobs_with(party: &Party, filter: &JobFilter) -> Vec<Job> {
    let listed = party.node().list_jobs(&party.manager, filter, None, 1_000).await;
    listed.unwrap().0
}

async fn jobs(party: &Party) -> Vec<Job> {
    jobs_with(party, &JobFilter::default()).await
}

#[tokio::test]
async fn a_bootstrap_is_one_job_at_each_side_and_says_what_it_moved() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for n in 0..1_200 {
        create(a, &format!("K{n}"), "first").await;
    }
    world.forth().await;
    let [out] = &jobs(a).await[..] else {
        panic!("one job")
    };
    assert_eq!(
        (out.cause, out.status, out.payload),
        (Cause::Bootstrap, JobStatus::Done, Payload::Data)
    );
    let counts = out.counts;
    assert_eq!(
        (counts.read, counts.sent, counts.acknowledged),
        (1_200, 1_200, 1_200)
    );
    assert_eq!(
        (out.object_type.as_str(), out.outgoing, out.failure.is_none()),
        ("airport", true, true)
    );
    let [into] = &jobs(b).await[..] else {
        panic!("one job")
    };
    assert_eq!(
        (into.cause, into.status, into.outgoing),
        (Cause::Bootstrap, JobStatus::Done, false)
    );
    assert_eq!(
        (into.counts.read, into.counts.applied, into.counts.bytes),
        (1_200, 1_200, counts.bytes)
    );
    assert!(counts.bytes > 1_200 && into.ended_at().is_some());
    // Another stream that finds nothing new is no job.
    world.forth().await;
    assert_eq!((jobs(a).await.len(), jobs(b).await.len()), (1, 1));
}

#[tokio::test]
async fn live_edits_go_into_one_job_for_a_minute() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    for minute in 0..3 {
        for second in 0..4 {
            edit(a, "EWR", &format!("{minute}:{second}")).await;
            drain(&mut exporter, &mut importer).await;
            world.pair.clock.advance(Duration::from_secs(10));
            a.node().record_jobs().await.unwrap();
        }
        world.pair.clock.advance(Duration::from_mins(2));
    }
    for party in [a, b] {
        let all = jobs(party).await;
        let live: Vec<&Job> = all.iter().filter(|job| job.cause == Cause::Live).collect();
        assert_eq!((all.len(), live.len()), (4, 3));
        assert!(
            live.iter()
                .all(|job| job.status == JobStatus::Done && job.counts.read == 4)
        );
        assert!(
            all.is_sorted_by(|one, next| one.started_at >= next.started_at),
            "the latest first"
        );
    }
    assert_eq!(jobs(b).await[0].counts.applied, 4);
}

#[tokio::test]
async fn parked_retracted_and_unchanged_objects_are_told_apart() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK", "LGA"] {
        create(a, key, "of a").await;
    }
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    let mut batch = ready(&mut exporter).unwrap();
    batch.items[0].change = Change::State(Bytes::from_static(b"\0poison"));
    let ack = importer.apply(batch).await.unwrap();
    exporter.acknowledged(ack).await.unwrap();
    let (out, into) = (&jobs(a).await[0], &jobs(b).await[0]);
    assert_eq!((out.counts.sent, out.counts.parked), (3, 1));
    assert_eq!(
        (into.counts.applied, into.counts.parked, into.counts.unchanged),
        (2, 1, 0)
    );
    classify(a, "JFK", Some("secret")).await;
    drain(&mut exporter, &mut importer).await;
    let (out, into) = (&jobs(a).await[0], &jobs(b).await[0]);
    assert_eq!((out.counts.retracted, into.counts.retracted), (1, 1));
    // Everything once more brings nothing new.
    let foreign = Position(Bytes::from_static(b"from another epoch"));
    let mut again = peerd_node::exchange::Exporter::open(a.node(), &peer(a, b).await, world.flow(), foreign)
        .await
        .unwrap();
    assert!(ready(&mut again).is_some());
    assert_eq!(jobs(a).await[0].cause, Cause::Resync);
}

#[tokio::test]
async fn other_terms_are_a_run_of_their_own() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    let levels = ["internal", "secret", "top"].map(|level| level.parse().unwrap());
    let levels = peerd_core::security::Levels::new(levels.to_vec()).unwrap();
    a.node().set_levels(&a.admin, levels).await.unwrap();
    create(a, "JFK", "Kennedy").await;
    drain(&mut exporter, &mut importer).await;
    let job = &jobs(a).await[0];
    assert_eq!(
        (job.cause, job.status, job.counts.sent),
        (Cause::Terms, JobStatus::Done, 1)
    );
}

#[tokio::test]
async fn a_stream_that_breaks_fails_its_job_once_and_one_ended_from_outside_interrupts_it() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    for _ in 0..3 {
        let importer = world.importer(a, b).await;
        let mut exporter = world.exporter(a, b, &importer).await;
        exporter.broke(Reason::PeerUnreachable, "no answer in time");
    }
    let [failed] = &jobs(a).await[..] else {
        panic!("one job")
    };
    let failure = failed.failure.as_ref().unwrap();
    assert_eq!(
        (failed.status, failure.reason),
        (JobStatus::Failed, Reason::PeerUnreachable)
    );
    assert_eq!(failure.message, "no answer in time");
    let importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    ready(&mut exporter).unwrap();
    let running = &jobs(a).await[0];
    assert_eq!((running.status, running.ended_at()), (JobStatus::Running, None));
    drop(exporter);
    assert_eq!(jobs(a).await[0].status, JobStatus::Interrupted);
    assert_eq!(jobs(a).await[0].id, running.id);
    // What was idle when it broke is no job.
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    exporter.broke(Reason::PeerUnreachable, "gone");
    drop(exporter);
    assert_eq!(jobs(a).await[0].status, JobStatus::Done);
    assert_eq!(jobs(a).await.len(), 3);
}

#[tokio::test]
async fn a_job_that_a_crash_cut_off_is_interrupted() {
    let mut world = World::shared().await;
    create(&world.pair.a, "EWR", "Newark").await;
    let importer = world.importer(&world.pair.a, &world.pair.b).await;
    let mut exporter = world.exporter(&world.pair.a, &world.pair.b, &importer).await;
    ready(&mut exporter).unwrap();
    world.pair.a.node().record_jobs().await.unwrap();
    world.pair.a.restart().await;
    let a = &world.pair.a;
    let [job] = &jobs(a).await[..] else {
        panic!("one job")
    };
    assert_eq!((job.status, job.counts.sent), (JobStatus::Interrupted, 1));
    assert!(job.ended_at().is_some());
    let filter = JobFilter {
        status: Some(JobStatus::Running),
        ..JobFilter::default()
    };
    assert_eq!(jobs_with(a, &filter).await, []);
}

#[tokio::test]
async fn b049_jobs_are_shown_to_managers_of_the_space_alone() {
    let world = World::shared().await;
    let a = &world.pair.a;
    create(a, "EWR", "Newark").await;
    world.forth().await;
    let job = jobs(a).await[0].id;
    let of = |connection| JobFilter {
        connection,
        ..JobFilter::default()
    };
    let node = a.node();
    for filter in [of(None), of(Some(world.connection))] {
        let denied = node.list_jobs(&a.viewer, &filter, None, 10).await.unwrap_err();
        assert_eq!(denied.reason(), Reason::RoleInsufficient);
    }
    assert_eq!(
        node.show_job(&a.viewer, job).await.unwrap_err().reason(),
        Reason::RoleInsufficient
    );
    let (theirs, _) = node
        .list_jobs(&a.other_manager, &of(None), None, 10)
        .await
        .unwrap();
    assert_eq!(theirs, []);
    let named = node
        .list_jobs(&a.other_manager, &of(Some(world.connection)), None, 10)
        .await;
    assert_eq!(named.unwrap_err().reason(), Reason::NotFound);
    assert_eq!(
        node.show_job(&a.other_manager, job).await.unwrap_err().reason(),
        Reason::NotFound
    );
    assert_eq!(node.show_job(&a.admin, job).await.unwrap().id, job);
}

#[tokio::test]
async fn a_list_is_filtered_and_paged_and_old_jobs_go() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    for n in 0..600 {
        edit(a, "EWR", &n.to_string()).await;
        drain(&mut exporter, &mut importer).await;
        world.pair.clock.advance(Duration::from_mins(2));
        a.node().record_jobs().await.unwrap();
    }
    let node = a.node();
    let all = jobs(a).await;
    assert!((500..=550).contains(&all.len()), "{}", all.len());
    let (page, next) = node
        .list_jobs(&a.manager, &JobFilter::default(), None, 7)
        .await
        .unwrap();
    assert_eq!(page, all[..7]);
    let (page, _) = node
        .list_jobs(&a.manager, &JobFilter::default(), next, 7)
        .await
        .unwrap();
    assert_eq!(page, all[7..14]);
    let import = JobFilter {
        direction: Some(Direction::Import),
        ..JobFilter::default()
    };
    assert_eq!(jobs_with(a, &import).await, []);
    let other = JobFilter {
        object_type: Some("airline".into()),
        ..JobFilter::default()
    };
    assert_eq!(jobs_with(a, &other).await, []);
    // Age counts as well as number.
    world.pair.clock.advance(Duration::from_hours(40 * 24));
    for n in 0..60 {
        edit(a, "EWR", &format!("later {n}")).await;
        drain(&mut exporter, &mut importer).await;
        world.pair.clock.advance(Duration::from_mins(2));
        a.node().record_jobs().await.unwrap();
    }
    assert!(jobs(a).await.len() < 120, "{}", jobs(a).await.len());
}

#[tokio::test]
async fn nothing_is_left_of_jobs_when_their_connection_is_over() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "Newark").await;
    let mut importer = world.importer(a, b).await;
    let mut exporter = world.exporter(a, b, &importer).await;
    drain(&mut exporter, &mut importer).await;
    for party in [a, b] {
        assert_eq!(jobs(party).await.len(), 1);
    }
    let closed = b
        .node()
        .close_connection(&b.manager, world.connection, Imported::Keep, false);
    closed.await.unwrap();
    world.pair.carry().await;
    for party in [a, b] {
        party.node().remove_due_imports().await.unwrap();
    }
    drop((exporter, importer));
    for party in [a, b] {
        party.node().record_jobs().await.unwrap();
        assert_eq!(party.contents(&[Table::Jobs, Table::Cursors]).await, []);
    }
}
