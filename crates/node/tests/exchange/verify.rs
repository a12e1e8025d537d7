//! Whether both sides have the same, asked by either, with questions carried by hand.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::{Either, select};
use peerd_core::policy::Side;
use peerd_core::security::Security;
use peerd_core::{LinkId, Reason};
use peerd_node::exchange::verify::{
    Answer, Digests, Entry, ItemHash, Offered, Question, TypeReport, Verification, Where,
};
use peerd_node::presence::Session;
use peerd_node::sharing::{Ways, Wish};
use peerd_node::{Asked, Error};
use peerd_store::{Batch, FeedId, Table};
use peerd_testkit::{Party, carry};

use crate::pair::{reason, up_to};
use crate::terms::agree;
use crate::world::{BOTH, World, apply, at, classify, count, create, edit, name, peer};

async fn link(party: &Party, other: &Party) -> LinkId {
    party.link_to(other.id()).await.unwrap().id
}

/// What a verification at `asks` comes to, with the other side connected.
async fn outcome(world: &World, asks: &Party) -> Result<Verification, Error> {
    let (a, b) = (&world.pair.a, &world.pair.b);
    let other = if asks.id() == a.id() { b } else { a };
    carry::verify(asks, other, world.connection).await
}

pub(crate) async fn verify(world: &World, asks: &Party) -> Verification {
    outcome(world, asks).await.unwrap()
}

/// The one type that flows.
fn airports(verification: &Verification) -> &TypeReport {
    assert_eq!(verification.types.len(), 1, "{verification:?}");
    &verification.types["airport"]
}

pub(crate) fn differences(verification: &Verification) -> Vec<(&str, Where)> {
    let differences = airports(verification).differences.iter();
    differences.map(|one| (one.key.as_str(), one.place)).collect()
}

/// Both sides are asked: each sees the other's view turned round.
async fn seen_by_both(world: &World, at_a: &[(&str, Where)]) {
    let turned: Vec<_> = at_a
        .iter()
        .map(|(key, place)| {
            let place = match place {
                Where::Here => Where::There,
                Where::There => Where::Here,
                Where::Both => Where::Both,
            };
            (*key, place)
        })
        .collect();
    let verification = verify(world, &world.pair.a).await;
    assert_eq!(differences(&verification), at_a);
    assert_eq!(verification.is_equal(), at_a.is_empty());
    assert_eq!(differences(&verify(world, &world.pair.b).await), turned);
}

/// The feed of airports of a party.
async fn feed(world: &World, party: &Party) -> FeedId {
    let connection = party.connection(world.connection).await.unwrap();
    FeedId {
        space: connection.space.unwrap().id,
        object_type: "airport".into(),
    }
}

/// The stored bytes of an airport.
async fn stored(party: &Party, key: &str) -> (Bytes, Bytes) {
    let rows = party.contents(&[Table::Objects]).await;
    let mut found = rows
        .into_iter()
        .filter(|(_, place, _)| place.ends_with(key.as_bytes()));
    let (_, place, value) = found.next().unwrap();
    (place, value)
}

/// Writes something into the store that no peer sent and no operator asked for.
async fn behind_its_back(world: &World, party: &Party, key: &str, value: Option<Bytes>) {
    let feed = feed(world, party).await;
    let place = [feed.prefix().as_slice(), key.as_bytes()].concat();
    let mut batch = Batch::new();
    match value {
        Some(value) => batch.put_in_feed(feed, place, value),
        None => batch.delete_from_feed(feed, place),
    };
    party.node().store().commit(batch).await.unwrap();
}

/// Three airports of a at both.
async fn brought() -> World {
    let world = World::shared().await;
    for key in ["EWR", "JFK", "LGA"] {
        create(&world.pair.a, key, "of a").await;
    }
    world.forth().await;
    world.back().await;
    world
}

#[tokio::test(start_paused = true)]
async fn what_was_brought_is_equal_whoever_asks() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(b, "LHR", "of b").await;
    edit(b, "EWR", "edited by b").await;
    world.back().await;
    world.forth().await;
    seen_by_both(&world, &[]).await;
    for party in [a, b] {
        let verification = verify(&world, party).await;
        let report = airports(&verification);
        assert_eq!((report.here, report.there), (4, 4), "each object once");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_shared_is_equal_and_a_connection_that_is_not_active_is_refused() {
    let world = World::joined(Security::unrestricted()).await;
    let a = &world.pair.a;
    assert_eq!(verify(&world, a).await, Verification::default());
    let halted = a.node().disable_connection(&a.manager, world.connection).await;
    halted.unwrap();
    assert_eq!(reason(outcome(&world, a).await), Reason::WrongStage);
}

#[tokio::test(start_paused = true)]
async fn damage_on_either_side_is_found_and_named() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let (_, value) = stored(b, "LGA").await;
    behind_its_back(&world, b, "JFK", None).await;
    behind_its_back(&world, b, "ZZZ", Some(value)).await;
    // The copy of the importer says an older thing than it was told.
    let (_, old) = stored(b, "EWR").await;
    edit(a, "EWR", "changed").await;
    world.forth().await;
    behind_its_back(&world, b, "EWR", Some(old)).await;
    let found = [("EWR", Where::Both), ("JFK", Where::Here), ("ZZZ", Where::There)];
    seen_by_both(&world, &found).await;
    let verification = verify(&world, a).await;
    let report = airports(&verification);
    assert_eq!((report.here, report.there), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_lost_an_object_has_less_than_the_importer() {
    let world = brought().await;
    behind_its_back(&world, &world.pair.a, "JFK", None).await;
    seen_by_both(&world, &[("JFK", Where::There)]).await;
}

#[tokio::test(start_paused = true)]
async fn edits_and_deletions_that_stay_at_the_importer_are_no_differences() {
    let world = World::one_way().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK", "LGA", "MDW"] {
        create(a, key, "of a").await;
    }
    create(b, "LHR", "of b").await;
    create(b, "MDW", "of b").await;
    world.forth().await;
    edit(b, "EWR", "edited by b").await;
    b.node().delete_object(&b.admin, &at("JFK")).await.unwrap();
    a.node().delete_object(&a.admin, &at("LGA")).await.unwrap();
    world.forth().await;
    seen_by_both(&world, &[]).await;
    let verification = verify(&world, a).await;
    let report = airports(&verification);
    assert_eq!(report.here, 3);
    edit(a, "EWR", "changed by a").await;
    seen_by_both(&world, &[("EWR", Where::Both)]).await;
}

#[tokio::test(start_paused = true)]
async fn b101_what_is_withheld_is_not_compared_counted_or_named() {
    let world = World::shared_with(up_to("internal")).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    create(a, "AREA51", "of a").await;
    classify(a, "AREA51", Some("secret")).await;
    world.forth().await;
    seen_by_both(&world, &[]).await;
    assert_eq!(airports(&verify(&world, a).await).here, 1);
    let flow = world.flow();
    let ask = async |question| a.node().answer(&peer(a, b).await, question).await.unwrap();
    let Answer::Digests(digests) = ask(Question::Digests(flow.clone())).await else {
        panic!("no digests");
    };
    assert_eq!(digests.count(), 1);
    let entries = Question::Entries {
        flow: flow.clone(),
        buckets: (0..4_096).collect(),
        after: None,
    };
    let Answer::Entries { entries, more: false } = ask(entries).await else {
        panic!("no entries");
    };
    assert_eq!(
        entries.iter().map(|entry| &entry.key).collect::<Vec<_>>(),
        ["EWR"]
    );
    let items = Question::Items {
        flow,
        keys: ["AREA51", "NONE", ""].map(str::to_owned).to_vec(),
        patient: false,
    };
    let Answer::Items { items, .. } = ask(items).await else {
        panic!("no items");
    };
    assert_eq!(items, [Offered::Nothing, Offered::Nothing, Offered::Nothing]);
}

/// What b finds when a offers this of one key, whatever it is.
async fn found_of_crafted(world: &World, key: &str, item: Offered) -> Answer {
    let (a, b) = (&world.pair.a, &world.pair.b);
    let mut line = b.node().open_line(link(b, a).await);
    let asker = peer(b, a).await;
    let found = b.node().answer(&asker, Question::Comparison(world.flow()));
    let lying = Box::pin(async {
        loop {
            let Asked { question, answer } = line.next().await;
            let told = match question {
                Question::Digests(_) => {
                    let mut sums = vec![0; 4_096];
                    sums.fill(7);
                    Answer::Digests(Digests::new(sums, 1, 1).unwrap())
                }
                Question::Entries { .. } => Answer::Entries {
                    entries: vec![Entry {
                        key: key.to_owned(),
                        hash: ItemHash(7),
                        home: true,
                    }],
                    more: false,
                },
                Question::Items { .. } => Answer::Items {
                    items: vec![item.clone()],
                    settled: true,
                },
                Question::Comparison(_) => panic!("b imports"),
            };
            answer.send(Ok(told)).unwrap();
        }
    });
    match select(Box::pin(found), lying).await {
        Either::Left((answer, _)) => answer.unwrap(),
        Either::Right(((), _)) => unreachable!(),
    }
}

#[tokio::test(start_paused = true)]
async fn an_exporter_learns_nothing_of_what_the_importer_has_by_itself() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(b, "AREA51", "of b").await;
    classify(b, "AREA51", Some("secret")).await;
    // What b has by itself in a's own words: to b it would change nothing.
    let (_, value) = stored(b, "AREA51").await;
    let mut item = vec![0];
    item.extend_from_slice(&value[3..]);
    create(a, "EWR", "of a").await;
    let (_, unknown) = stored(a, "EWR").await;
    let mut other = vec![0];
    other.extend_from_slice(&unknown[3..]);
    for item in [item, other] {
        let item = Offered::Item(item.into());
        let Answer::Comparison(there) = found_of_crafted(&world, "AREA51", item.clone()).await else {
            panic!("no comparison");
        };
        let Answer::Comparison(nowhere) = found_of_crafted(&world, "AREA52", item).await else {
            panic!("no comparison");
        };
        assert_eq!(there.differences.len(), 1);
        assert_eq!(there.differences[0].holder, nowhere.differences[0].holder);
        assert_eq!((there.held, there.met), (nowhere.held, nowhere.met));
    }
}

#[tokio::test(start_paused = true)]
async fn renamed_types_and_a_subset_of_their_properties_are_compared_in_the_exporters_words() {
    let world = World::joined(Security::unrestricted()).await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    apply(
        b,
        r#"{"object_types": [{"name": "airport", "primary_key": "faa",
        "properties": {"faa": "string", "name": {"type": "string", "nullable": true}}},
        {"name": "field", "primary_key": "code", "properties": {"note": {"type": "string", "nullable": true},
        "code": "string"}}]}"#,
    )
    .await;
    world
        .share(
            a,
            Ways {
                export: true,
                import: false,
            },
        )
        .await;
    world.tell().await;
    let wish = Wish {
        local_type: "field".into(),
        remote_type: "airport".into(),
        properties: vec![("code".into(), "faa".into())],
        source: None,
        actions: None,
    };
    let mapped = b.node().create_mapping(&b.manager, world.connection, &wish).await;
    mapped.unwrap();
    world.tell().await;
    for key in ["EWR", "JFK"] {
        create(a, key, "a name that b does not take").await;
    }
    assert_eq!(world.forth().await, (2, 0));
    let at_a = verify(&world, a).await;
    assert!(at_a.is_equal(), "{at_a:?}");
    assert_eq!((at_a.types["airport"].here, at_a.types["airport"].there), (2, 2));
    let at_b = verify(&world, b).await;
    assert!(at_b.is_equal(), "{at_b:?}");
    assert_eq!(at_b.types.keys().collect::<Vec<_>>(), ["field"]);
    edit(a, "EWR", "still nothing that b takes").await;
    assert!(verify(&world, b).await.is_equal());
}

#[tokio::test(start_paused = true)]
async fn copies_of_what_the_other_side_does_not_send_any_more_are_found() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    // a keeps to itself what it shared, and b has not heard of it yet.
    let ways = |export, import| Some(Ways { export, import });
    let wish = Wish {
        local_type: "airport".into(),
        remote_type: "airport".into(),
        properties: Vec::new(),
        source: ways(false, false),
        actions: ways(false, true),
    };
    let mapped = a.node().create_mapping(&a.manager, world.connection, &wish).await;
    mapped.unwrap();
    assert_eq!(
        differences(&verify(&world, a).await),
        [],
        "to a, the type does not go out"
    );
    let here = ["EWR", "JFK", "LGA"].map(|key| (key, Where::Here));
    assert_eq!(differences(&verify(&world, b).await), here);
    world.tell().await;
    b.node().remove_due_imports().await.unwrap();
    assert_eq!(differences(&verify(&world, b).await), []);
}

#[tokio::test(start_paused = true)]
async fn what_the_policies_stop_is_refused_with_the_rule_here_and_with_a_word_there() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    world.forbid(a, Side::Egress).await;
    let here = outcome(&world, a).await.unwrap_err();
    assert_eq!(here.reason(), Reason::EgressDenied);
    let there = outcome(&world, b).await.unwrap_err();
    assert_eq!(there.reason(), Reason::EgressDenied);
    assert_eq!(there.told(), Reason::EgressDenied.explanation().trim());
    assert!(there.details().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_managers_of_the_space_verify_and_only_the_peer_of_the_link_asks() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let by = |caller| a.node().verify_connection(caller, world.connection);
    assert_eq!(reason(by(&a.viewer).await), Reason::RoleInsufficient);
    assert_eq!(reason(by(&a.other_manager).await), Reason::NotFound);
    let foreign = peerd_node::exchange::Flow {
        connection: peerd_core::ConnectionId::from_bytes([9; 16]),
        object_type: "airport".into(),
    };
    let asker = peer(a, b).await;
    for question in [Question::Digests(foreign.clone()), Question::Comparison(foreign)] {
        assert_eq!(reason(a.node().answer(&asker, question).await), Reason::NotFound);
    }
    let unshared = peerd_node::exchange::Flow {
        object_type: "airline".into(),
        ..world.flow()
    };
    let told = a.node().answer(&asker, Question::Digests(unshared)).await;
    assert_eq!(
        told.unwrap(),
        Answer::Digests(Digests::default()),
        "as if there were none"
    );
    let halted = a.node().disable_connection(&a.manager, world.connection).await;
    halted.unwrap();
    let told = a.node().answer(&asker, Question::Digests(world.flow())).await;
    assert_eq!(reason(told), Reason::WrongStage);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_away_and_one_of_an_older_version_are_told_apart() {
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    let by = async || a.node().verify_connection(&a.manager, world.connection).await;
    assert_eq!(reason(by().await), Reason::PeerUnreachable);
    let session = Session {
        number: 1,
        dialled_here: true,
        since: a.node().now(),
    };
    a.node().presence().connected(link(a, b).await, session);
    assert_eq!(reason(by().await), Reason::VersionUnsupported);
    // A line whose carrier is gone in the middle of a question.
    let mut line = a.node().open_line(link(a, b).await);
    let lost = async {
        drop(line.next().await);
    };
    let (outcome, ()) = futures::join!(by(), lost);
    assert_eq!(reason(outcome), Reason::PeerUnreachable);
}

/// A stream whose every batch is under way for a while.
async fn slowly(world: &World, from: &Party, to: &Party) {
    let mut importer = world.importer(from, to).await;
    let mut exporter = world.exporter(from, to, &importer).await;
    loop {
        let batch = exporter.next().await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let ack = importer.apply(batch).await.unwrap();
        exporter.acknowledged(ack).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_waited_for_also_under_steady_writes() {
    const WRITES: usize = 400;
    let world = brought().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for key in ["EWR", "JFK", "LGA"] {
        edit(a, key, "not brought yet").await;
    }
    a.node().delete_object(&a.admin, &at("LGA")).await.unwrap();
    let moving = async {
        for n in 0..WRITES {
            edit(a, "EWR", &format!("edit {n}")).await;
            create(a, &format!("N{n}"), "new").await;
            if n % 3 == 0 {
                a.node()
                    .delete_object(&a.admin, &at(&format!("N{n}")))
                    .await
                    .unwrap();
            }
            edit(b, "JFK", &format!("edit {n}")).await;
            tokio::task::yield_now().await;
        }
        // Whoever asks now and later sees an end.
        std::future::pending::<()>().await;
    };
    let forth = slowly(&world, a, b);
    let back = slowly(&world, b, a);
    let asking = async {
        for party in [a, b] {
            for _ in 0..4 {
                let verification = verify(&world, party).await;
                assert!(verification.is_equal(), "{verification:?}");
            }
        }
    };
    tokio::select! {
        () = moving => unreachable!(),
        () = forth => unreachable!(),
        () = back => unreachable!(),
        () = asking => {}
    }
}

#[tokio::test(start_paused = true)]
async fn what_stands_still_is_a_difference_after_a_while() {
    let world = brought().await;
    edit(&world.pair.a, "EWR", "never brought").await;
    create(&world.pair.a, "MDW", "never brought").await;
    seen_by_both(&world, &[("EWR", Where::Both), ("MDW", Where::Here)]).await;
    world.forth().await;
    seen_by_both(&world, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn b082_a_difference_that_the_caller_may_not_see_is_counted_and_not_named() {
    let marked = Security {
        markings: BTreeSet::from(["crew".parse().unwrap()]),
        ..Security::unrestricted()
    };
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    for party in [a, b] {
        let made = party
            .node()
            .create_marking(&party.admin, "crew".parse().unwrap())
            .await;
        made.unwrap();
    }
    agree(&world, marked.clone()).await;
    let crew = "crew".parse().unwrap();
    let granted = a.node().grant_marking(&a.admin, &crew, "admin").await;
    granted.unwrap();
    create(a, "EWR", "of a").await;
    create(a, "JFK", "of a").await;
    let set = a.node().set_object_security(&a.admin, &at("JFK"), &marked).await;
    set.unwrap();
    world.forth().await;
    let (_, old) = stored(b, "EWR").await;
    behind_its_back(&world, b, "JFK", None).await;
    behind_its_back(&world, b, "EWR", None).await;
    let verification = verify(&world, a).await;
    assert_eq!(differences(&verification), [("EWR", Where::Here)]);
    assert_eq!(
        (airports(&verification).hidden, verification.is_equal()),
        (1, false)
    );
    // To b both are gone, and of what is not there it cannot tell what it carries.
    let verification = verify(&world, b).await;
    assert_eq!(
        (differences(&verification), airports(&verification).hidden),
        (vec![], 2)
    );
    behind_its_back(&world, b, "EWR", Some(old)).await;
    assert_eq!(count(b).await, 1);
    assert!(name(b, "EWR").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn many_differences_are_listed_up_to_a_limit() {
    let world = World::shared().await;
    let (a, b) = (&world.pair.a, &world.pair.b);
    create(a, "EWR", "of a").await;
    world.forth().await;
    world.share(b, BOTH).await;
    let (place, value) = stored(b, "EWR").await;
    let feed = feed(&world, b).await;
    let prefix = place.slice(..place.len() - 3);
    for chunk in (0..10_050_u32).collect::<Vec<_>>().chunks(1_000) {
        let mut batch = Batch::new();
        for n in chunk {
            let place = [&prefix, format!("X{n:05}").as_bytes()].concat();
            batch.put_in_feed(feed.clone(), place, value.clone());
        }
        b.node().store().commit(batch).await.unwrap();
    }
    let verification = verify(&world, a).await;
    let report = airports(&verification);
    assert_eq!((report.differences.len(), report.more), (10_000, true));
    assert_eq!((report.here, report.there), (1, 10_051));
    assert!(!verification.is_equal());
}
