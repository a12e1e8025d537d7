//! Questions between peers, over real sessions: whoever dialled, and whatever a hostile or older peer makes of them.

use std::sync::Arc;

use peerd_core::link::Direction;
use peerd_core::{ConnectionId, Reason};
use peerd_identity::Identity;
use peerd_node::exchange::verify::{Verification, Where};
use peerd_store::{Batch, FeedId, Range, Store as _, Table};
use peerd_testkit::eventually;
use peerd_wire::frame::{Ask, Flow, Frame, PIECE_BYTES_MAX, Piece, VERIFY};
use peerd_wire::mpx::v1 as pb;
use peerd_wire::mpx::v1::question::Question;
use peerd_wire::mpx::v1::{ControlRequest, ControlResponse};
use peerd_wire::verify::encode_question;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::link::{brought, with_airports};
use crate::rogue::{client, control_with, hello, request};
use crate::site::{Plan, SPACE, Site, linked_by};

async fn verify(site: &Site, connection: ConnectionId) -> Result<Verification, Reason> {
    let verified = site.node.verify_connection(&site.caller, connection).await;
    verified.map_err(|error| error.reason())
}

/// Takes an airport out of a store, as no use-case would.
async fn lose(site: &Site, key: &str) {
    let range = Range::prefix(Table::Objects, Vec::new(), 100);
    let rows = site.ground.store.range(range).await.unwrap();
    let mut found = rows
        .into_iter()
        .filter(|(place, _)| place.ends_with(key.as_bytes()));
    let (place, _) = found.next().unwrap();
    let feed = FeedId {
        space: peerd_core::SpaceId::from_bytes([2; 16]),
        object_type: "airport".to_owned(),
    };
    let mut batch = Batch::new();
    batch.delete_from_feed(feed, place);
    site.ground.store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn either_side_verifies_both_directions_whoever_dialled() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let connection = with_airports(&a, &b).await;
    for key in ["LGA", "EWR"] {
        brought(&a, &b, key).await;
    }
    brought(&b, &a, "JFK").await;
    for site in [&a, &b] {
        let verification = verify(site, connection).await.unwrap();
        assert!(verification.is_equal(), "{verification:?}");
        let report = &verification.types["airport"];
        assert_eq!((report.here, report.there), (3, 3));
    }
    lose(&b, "EWR").await;
    lose(&a, "JFK").await;
    for (site, places) in [
        (&a, [Where::Here, Where::There]),
        (&b, [Where::There, Where::Here]),
    ] {
        let verification = verify(site, connection).await.unwrap();
        let differences = &verification.types["airport"].differences;
        let found: Vec<_> = differences
            .iter()
            .map(|one| (one.key.as_str(), one.place))
            .collect();
        assert_eq!(found, [("EWR", places[0]), ("JFK", places[1])]);
    }
}

#[tokio::test]
async fn a_peer_that_went_away_is_an_error() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let connection = with_airports(&a, &b).await;
    brought(&a, &b, "LGA").await;
    b.stop().await;
    eventually("the session to end", async || {
        a.link().await?.life.session.is_none().then_some(())
    })
    .await;
    assert_eq!(verify(&a, connection).await, Err(Reason::PeerUnreachable));
}

/// A site with an active connection, and the identity of its peer, which runs nothing any more.
async fn with_peer() -> (Site, Arc<Identity>, ConnectionId) {
    let (site, peer) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let connection = with_airports(&site, &peer).await;
    brought(&site, &peer, "LGA").await;
    let ground = peer.stop().await;
    eventually("the session to end", async || {
        site.link().await?.life.session.is_none().then_some(())
    })
    .await;
    (site, ground.identity.identity(), connection)
}

/// The peer as it pleases.
struct Rogue {
    says: mpsc::Sender<ControlRequest>,
    hears: Streaming<ControlResponse>,
}

impl Rogue {
    async fn connect(site: &Site, identity: &Arc<Identity>, features: &[&str]) -> Rogue {
        let (says, waiting) = mpsc::channel(64);
        let Frame::Hello(mut hello) = hello(site) else {
            unreachable!("it is a hello")
        };
        hello.features = features.iter().map(|&feature| feature.to_owned()).collect();
        says.send(request(Frame::Hello(hello))).await.unwrap();
        let mut client = client(site, identity, None).await;
        let hears = control_with(&mut client, ReceiverStream::new(waiting))
            .await
            .unwrap();
        site.connected_after(0).await;
        // The client may go: the stream lives by itself.
        Rogue { says, hears }
    }

    async fn say(&self, frame: Frame) {
        self.says.send(request(frame)).await.unwrap();
    }

    async fn ask(&self, number: u64, question: Question) {
        let question = pb::Question {
            question: Some(question),
        };
        let question = encode_question(&question);
        self.say(Frame::Ask(Ask { number, question })).await;
    }

    /// The next question or part of an answer.
    async fn hear(&mut self) -> Result<Frame, Reason> {
        loop {
            let frame = match self.hears.message().await {
                Ok(Some(ControlResponse { frame })) => Frame::try_from(frame).unwrap(),
                Ok(None) => panic!("the stream ended without a reason"),
                Err(status) => return Err(peerd_wire::status::refusal(&status).reason),
            };
            if matches!(frame, Frame::Ask(_) | Frame::Answer(_)) {
                return Ok(frame);
            }
        }
    }
}

fn flow(connection: ConnectionId, object_type: &str) -> pb::Flow {
    let flow = Flow {
        connection,
        object_type: object_type.to_owned(),
    };
    flow.into()
}

#[tokio::test]
async fn a_peer_asks_about_its_own_connections_and_gets_a_word_otherwise() {
    let (site, identity, connection) = with_peer().await;
    let mut rogue = Rogue::connect(&site, &identity, &[VERIFY]).await;
    let digests = |flow| Question::Digests(pb::DigestsQuestion { flow });
    let foreign = ConnectionId::from_bytes([9; 16]);
    let asked = [
        (digests(Some(flow(foreign, "airport"))), Reason::NotFound),
        (digests(None), Reason::FieldInvalid),
    ];
    for (number, (question, reason)) in (1..).zip(asked) {
        rogue.ask(number, question).await;
        let refused = Piece::Refused { number, reason };
        assert_eq!(rogue.hear().await, Ok(Frame::Answer(refused)));
    }
    rogue.ask(4, digests(Some(flow(connection, "airport")))).await;
    let Ok(Frame::Answer(Piece::Part {
        number: 4,
        last: true,
        bytes,
    })) = rogue.hear().await
    else {
        panic!("no digests");
    };
    assert!(bytes.len() > 65_536);
}

#[tokio::test]
async fn too_many_comparisons_at_once_are_refused() {
    let (site, identity, connection) = with_peer().await;
    let mut rogue = Rogue::connect(&site, &identity, &[VERIFY]).await;
    for number in 1..=3 {
        let flow = Some(flow(connection, "airport"));
        rogue
            .ask(number, Question::Comparison(pb::ComparisonQuestion { flow }))
            .await;
    }
    // Each that is made asks back, and waits.
    let (mut asked_back, mut refused) = (0, 0);
    for _ in 0..3 {
        match rogue.hear().await.unwrap() {
            Frame::Ask(_) => asked_back += 1,
            Frame::Answer(Piece::Refused { number: 3, reason }) => {
                assert_eq!(reason, Reason::RateLimited);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((asked_back, refused), (2, 1));
}

#[tokio::test]
async fn an_older_peer_is_not_asked() {
    let (site, identity, connection) = with_peer().await;
    let _rogue = Rogue::connect(&site, &identity, &[]).await;
    assert_eq!(verify(&site, connection).await, Err(Reason::VersionUnsupported));
}

#[tokio::test]
async fn an_answer_that_is_none_fails_its_question_alone() {
    let (site, identity, connection) = with_peer().await;
    let mut rogue = Rogue::connect(&site, &identity, &[VERIFY]).await;
    let answering = async {
        let Ok(Frame::Ask(Ask { number, .. })) = rogue.hear().await else {
            panic!("no question");
        };
        let garbage = Piece::Part {
            number,
            bytes: bytes::Bytes::from_static(b"\xff\xff"),
            last: true,
        };
        rogue.say(Frame::Answer(garbage)).await;
    };
    let (verified, ()) = futures::join!(verify(&site, connection), answering);
    assert_eq!(verified, Err(Reason::PeerMisbehaved));
    let session = site.link().await.unwrap().life.session;
    assert!(session.is_some(), "the session goes on");
}

#[tokio::test]
async fn an_answer_to_nothing_or_without_an_end_ends_the_session() {
    let (site, identity, connection) = with_peer().await;
    let mut rogue = Rogue::connect(&site, &identity, &[VERIFY]).await;
    let nothing = Piece::Part {
        number: 77,
        bytes: bytes::Bytes::new(),
        last: true,
    };
    rogue.say(Frame::Answer(nothing)).await;
    assert_eq!(rogue.hear().await, Err(Reason::PeerMisbehaved));

    let number = site
        .link()
        .await
        .unwrap()
        .life
        .session
        .map_or(0, |session| session.number);
    let mut rogue = Rogue::connect(&site, &identity, &[VERIFY]).await;
    site.connected_after(number).await;
    let flooding = async {
        let Ok(Frame::Ask(Ask { number, .. })) = rogue.hear().await else {
            panic!("no question");
        };
        let bytes = bytes::Bytes::from(vec![0; PIECE_BYTES_MAX]);
        for _ in 0..=20 {
            let part = Piece::Part {
                number,
                bytes: bytes.clone(),
                last: false,
            };
            rogue.say(Frame::Answer(part)).await;
        }
        rogue.hear().await
    };
    let (verified, end) = futures::join!(verify(&site, connection), flooding);
    assert_eq!(verified, Err(Reason::PeerUnreachable));
    assert_eq!(end, Err(Reason::PeerMisbehaved));
}

/// An airport with a name of this length, made at one side.
async fn make(site: &Site, key: &str, length: usize) -> Result<(), Reason> {
    let properties = [("faa", key.to_owned()), ("name", "x".repeat(length))];
    let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
    let made = site
        .node
        .create_object(&site.caller, SPACE, "airport", &properties)
        .await;
    made.map(drop).map_err(|error| error.reason())
}

async fn count(site: &Site) -> u64 {
    let counted = site.node.count_objects(&site.caller, SPACE, "airport").await;
    counted.unwrap()
}

#[tokio::test]
async fn a_full_disk_stops_a_stream_which_goes_on_by_itself_when_there_is_room() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let connection = with_airports(&a, &b).await;
    brought(&a, &b, "LGA").await;
    for (full, other) in [(&a, &b), (&b, &a)] {
        let before = count(full).await;
        full.ground.room.fill();
        assert_eq!(make(full, "FULL", 1).await, Err(Reason::StoreFull));
        make(other, &format!("N{before}"), 1).await.unwrap();
        full.ground.room.clear();
        eventually("the object on the other side", async || {
            (count(full).await > before).then_some(())
        })
        .await;
        assert!(verify(full, connection).await.unwrap().is_equal());
    }
}
