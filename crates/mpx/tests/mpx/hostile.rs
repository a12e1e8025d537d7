//! What strangers and misbehaving peers cannot do.

use std::sync::Arc;
use std::time::Duration;

use peerd_core::code::Proof;
use peerd_core::link::Direction;
use peerd_core::{LinkId, MessageId, Reason};
use peerd_identity::Identity;
use peerd_testkit::eventually;
use peerd_wire::frame::{self, Enroll, Frame, Receipt, Signed};
use peerd_wire::mpx::v1::{PullRequest, PushRequest};
use peerd_wire::status::refusal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::rogue::{client, control, end, hello, staying, stranger, tls};
use crate::site::{Plan, Site, linked_by};

const SOON: Duration = Duration::from_millis(200);
/// A machine that is busy with other tests is slow; a deadline that is not kept is much slower.
const LATE: Duration = Duration::from_secs(10);

fn impatient() -> Plan {
    let mut plan = Plan::default();
    plan.limits.handshake_timeout = SOON;
    plan.limits.session_timeout = SOON;
    plan.limits.answer_timeout = SOON;
    plan
}

/// A site, and the identity of its peer, which runs nothing any more.
async fn with_peer(plan: Plan) -> (Site, Arc<Identity>) {
    // Seen from the site, only the peer dials, so that nothing else happens.
    let (site, peer) = linked_by(Direction::IngressOnly, plan, Plan::default()).await;
    let ground = peer.stop().await;
    gone(&site).await;
    (site, ground.identity.identity())
}

async fn gone(site: &Site) {
    eventually("the session to end", async || {
        site.link().await?.life.session.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stranger_may_enroll_and_nothing_else() {
    let site = Site::fresh().await;
    let identity = stranger(&site);
    let mut client = client(&site, &identity, None).await;

    let control = control(&mut client, vec![hello(&site)]).await.unwrap_err();
    let pull = client.pull(staying::<PullRequest>(vec![])).await.unwrap_err();
    let push = client.push(staying::<PushRequest>(vec![])).await.unwrap_err();
    for status in [control, pull, push] {
        assert_eq!(status.code(), Code::PermissionDenied);
        let told = refusal(&status);
        assert_eq!(told.reason, Reason::IngressDenied);
        assert!(told.details.is_empty(), "a stranger learns no detail");
    }

    let code = site.invite(Direction::Bidirectional).await;
    assert!(!code.is_empty());
    let enroll = |link| Enroll {
        link,
        proof: Proof::from_bytes([1; 32]),
        title: None,
        addresses: Vec::new(),
        versions: frame::VERSIONS.to_vec(),
    };
    for link in [site.link_id().await, LinkId::from_bytes([9; 16])] {
        let status = client.enroll(tonic_request(enroll(link))).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(refusal(&status).reason, Reason::ProofInvalid);
    }
    let knocks = site.node.list_knocks(&site.caller).await.unwrap();
    assert!(!knocks.is_empty(), "the operator sees who tried");
}

fn tonic_request(enroll: Enroll) -> tonic::Request<peerd_wire::mpx::v1::EnrollRequest> {
    tonic::Request::new(enroll.into())
}

#[tokio::test]
async fn b019_anything_before_the_hello_ends_the_stream() {
    let (site, identity) = with_peer(Plan::default()).await;
    let receipt = Frame::Receipt(Receipt {
        message: MessageId::from_bytes([1; 16]),
        refused: None,
        retry: false,
    });
    for frames in [vec![receipt.clone()], vec![hello(&site), hello(&site)]] {
        let mut client = client(&site, &identity, None).await;
        let answers = control(&mut client, frames).await.unwrap();
        assert_eq!(
            end(answers).await,
            (Code::InvalidArgument, Reason::PeerMisbehaved)
        );
    }
    // A receipt for nothing is no better after the hello.
    let mut client = client(&site, &identity, None).await;
    let answers = control(&mut client, vec![hello(&site), receipt]).await.unwrap();
    assert_eq!(
        end(answers).await,
        (Code::InvalidArgument, Reason::PeerMisbehaved)
    );
}

#[tokio::test]
async fn versions_without_a_common_one_are_refused_by_name() {
    let (site, identity) = with_peer(Plan::default()).await;
    let mut client = client(&site, &identity, None).await;
    let Frame::Hello(mut hello) = hello(&site) else {
        unreachable!("it is a hello")
    };
    hello.versions = vec![77];
    let mut answers = control(&mut client, vec![Frame::Hello(hello)]).await.unwrap();
    let status = answers.message().await.unwrap_err();
    assert_eq!(refusal(&status).reason, Reason::VersionUnsupported);
    assert!(status.message().contains("77"), "{}", status.message());
}

#[tokio::test]
async fn a_forged_message_ends_the_session() {
    let (site, identity) = with_peer(Plan::default()).await;
    let mut client = client(&site, &identity, None).await;
    let message = peerd_core::peering::Message {
        id: MessageId::from_bytes([1; 16]),
        connection: peerd_core::ConnectionId::from_bytes([2; 16]),
        from: identity.enrollment_id(),
        to: site.node.enrollment_id(),
        sequence: 1,
        sent_at: peerd_testkit::TestClock::START,
        body: peerd_core::peering::Body::Closed,
    };
    let signed = Frame::Message(Signed {
        payload: peerd_wire::lifecycle::encode(&message).into(),
        signature: vec![0; 64].into(),
    });
    let answers = control(&mut client, vec![hello(&site), signed]).await.unwrap();
    assert_eq!(
        end(answers).await,
        (Code::InvalidArgument, Reason::PeerMisbehaved)
    );
}

#[tokio::test]
async fn whoever_sends_nothing_or_trickles_is_closed_in_time() {
    let site = Site::planned(impatient()).await;
    let identity = stranger(&site);

    let mut silent = TcpStream::connect(site.address()).await.unwrap();
    closes(&mut silent).await;

    let mut mute = tls(&site, &identity).await;
    closes(&mut mute).await;

    let mut trickling = tls(&site, &identity).await;
    let trickle = async {
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".iter().cycle() {
            if trickling.write_all(&[*byte]).await.is_err() || trickling.flush().await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LATE, trickle)
        .await
        .expect("the trickler is cut off");

    // A whole preface and then nothing is no session either.
    let mut idle = client(&site, &identity, None).await;
    tokio::time::sleep(2 * SOON).await;
    assert!(control(&mut idle, vec![hello(&site)]).await.is_err());
    let (a, b) = (site, Site::fresh().await);
    b.enter(&a.invite(Direction::Bidirectional).await).await;
    a.connected_after(0).await;
}

async fn closes(io: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(LATE, io.read_to_end(&mut rest)).await;
    // An end and an error are both an end.
    let _ = read.expect("the other side closes in time");
}

#[tokio::test]
async fn b068_a_new_session_takes_over_from_one_that_may_be_dead() {
    let (site, identity) = with_peer(Plan::default()).await;
    let mut first = client(&site, &identity, None).await;
    let old = control(&mut first, vec![hello(&site)]).await.unwrap();
    let number = site.connected_after(0).await;
    let mut second = client(&site, &identity, None).await;
    let _new = control(&mut second, vec![hello(&site)]).await.unwrap();
    site.connected_after(number).await;
    assert_eq!(end(old).await.1, Reason::LinkExists);
}

#[tokio::test]
async fn b067_a_silent_peer_is_cut_off_while_our_writer_is_blocked() {
    let plan = Plan {
        heartbeat_interval: Duration::from_millis(5),
        silence_max: Duration::from_millis(500),
        ..Plan::default()
    };
    let (site, identity) = with_peer(plan).await;
    // It grants less than one frame and never reads.
    let mut client = client(&site, &identity, Some(16)).await;
    let _unread = control(&mut client, vec![hello(&site)]).await.unwrap();
    site.connected_after(0).await;
    gone(&site).await;
    let failure = site.link().await.unwrap().life.failure.unwrap();
    assert_eq!(failure.reason, Reason::PeerUnreachable);
    assert!(failure.message.contains("nothing heard"), "{}", failure.message);
}

#[tokio::test]
async fn b063_an_oversized_frame_ends_the_session_and_nothing_else() {
    let mut plan = Plan::default();
    plan.limits.message_bytes_max = 64 * 1024;
    let (site, identity) = with_peer(plan).await;
    let mut client = client(&site, &identity, None).await;
    let large = Frame::Message(Signed {
        payload: vec![0; 100 * 1024].into(),
        signature: vec![].into(),
    });
    let answers = control(&mut client, vec![hello(&site), large]).await.unwrap();
    assert_eq!(end(answers).await, (Code::ResourceExhausted, Reason::TooLarge));
    let other = Site::fresh().await;
    other.enter(&site.invite(Direction::Bidirectional).await).await;
    other.connected_after(0).await;
}

#[tokio::test]
async fn b064_a_flood_of_resets_does_not_hurt_others() {
    let (a, b) = linked_by(Direction::IngressOnly, Plan::default(), Plan::default()).await;
    let number = a.link().await.unwrap().life.session.unwrap().number;
    let identity = stranger(&a);
    let mut flooding = client(&a, &identity, None).await;
    for _ in 0..500 {
        let mut call = Box::pin(control(&mut flooding, vec![hello(&a)]));
        let _ = futures::poll!(call.as_mut());
        tokio::task::yield_now().await;
    }
    a.ground.clock.advance(Duration::from_secs(1));
    let now = peerd_core::Clock::now(&*a.ground.clock);
    eventually("a heartbeat after the flood", async || {
        (a.link().await?.life.last_heard_at? >= now).then_some(())
    })
    .await;
    assert_eq!(a.link().await.unwrap().life.session.unwrap().number, number);
    drop(b);
}
