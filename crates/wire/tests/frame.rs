//! Frames of a control stream: what is sent reads back, and what is malformed is refused by name.
#![cfg(test)]

use std::time::Duration;

use bytes::Bytes;
use peerd_core::code::Proof;
use peerd_core::{ConnectionId, LinkId, MessageId, Reason, Time};
use peerd_wire::frame::{
    Ask, Enroll, Enrolled, Flow, Flows, Frame, Heartbeat, Hello, PIECE_BYTES_MAX, Piece, Receipt,
    SHARING_BYTES_MAX, Sharing, Signed, common_version,
};
use peerd_wire::mpx::v1 as pb;
use peerd_wire::mpx::v1::control_frame::Frame as PbFrame;

fn hello() -> Hello {
    Hello {
        versions: vec![1, 2],
        features: vec!["relay".to_owned()],
        title: Some("Harbour Authority".parse().unwrap()),
        addresses: vec!["peer.example:7443".parse().unwrap()],
        clock: Time::from_micros(1_767_225_600_123_456),
        heartbeat_interval: Duration::from_secs(5),
    }
}

fn flow() -> Flow {
    Flow {
        connection: ConnectionId::from_bytes([1; 16]),
        object_type: "ship".to_owned(),
    }
}

fn enroll() -> Enroll {
    Enroll {
        link: LinkId::from_bytes([1; 16]),
        proof: Proof::from_bytes([2; 32]),
        title: None,
        addresses: vec!["[2001:db8::1]:7443".parse().unwrap()],
        versions: vec![1],
    }
}

#[test]
fn every_frame_reads_back() {
    let receipt = |refused, retry| {
        Frame::Receipt(Receipt {
            message: MessageId::from_bytes([1; 16]),
            refused,
            retry,
        })
    };
    let frames = [
        Frame::Hello(hello()),
        Frame::Message(Signed {
            payload: Bytes::from_static(b"payload"),
            signature: Bytes::from_static(b"signature"),
        }),
        receipt(None, false),
        receipt(Some(Reason::MessageEarly), true),
        Frame::Sharing(Sharing {
            connection: ConnectionId::from_bytes([1; 16]),
            revision: 7,
            content: Bytes::from_static(b"content"),
        }),
        Frame::Flows(Flows {
            exports: vec![flow()],
            imports: vec![flow(), flow()],
        }),
        Frame::Heartbeat(Heartbeat {
            number: 3,
            seen: 2,
            clock: Time::from_micros(1),
        }),
        Frame::Ask(Ask {
            number: 1,
            question: Bytes::from_static(b"question"),
        }),
        Frame::Answer(Piece::Part {
            number: 2,
            bytes: Bytes::from_static(b"part"),
            last: true,
        }),
        Frame::Answer(Piece::Refused {
            number: 3,
            reason: Reason::RateLimited,
        }),
    ];
    for frame in frames {
        let sent = pb::ControlFrame::from(frame.clone());
        assert_eq!(Frame::try_from(Some(sent)), Ok(frame));
    }
}

#[test]
fn an_enrollment_and_its_answer_read_back() {
    let sent = pb::EnrollRequest::from(enroll());
    assert_eq!(Enroll::try_from(sent), Ok(enroll()));
    for your_link in [None, Some(LinkId::from_bytes([3; 16]))] {
        let enrolled = Enrolled {
            title: None,
            your_link,
        };
        let sent = pb::EnrollResponse::from(enrolled.clone());
        assert_eq!(Enrolled::try_from(sent), Ok(enrolled));
    }
}

fn field(frame: PbFrame) -> String {
    let refusal = Frame::try_from(Some(pb::ControlFrame { frame: Some(frame) })).unwrap_err();
    refusal.details["field"].clone()
}

#[test]
fn what_is_malformed_is_refused_by_name() {
    assert!(Frame::try_from(None).is_err());
    assert!(Frame::try_from(Some(pb::ControlFrame { frame: None })).is_err());

    let hello = |spoil: fn(&mut pb::Hello)| {
        let mut sent = pb::Hello::from(hello());
        spoil(&mut sent);
        field(PbFrame::Hello(sent))
    };
    assert_eq!(hello(|it| it.clock = None), "hello.clock");
    assert_eq!(hello(|it| it.title = "\n".into()), "hello.title");
    assert_eq!(
        hello(|it| it.addresses = vec!["no port".into()]),
        "hello.addresses"
    );
    let many = |it: &mut pb::Hello| it.addresses = vec!["peer.example:7443".into(); 17];
    assert_eq!(hello(many), "hello.addresses");
    assert_eq!(
        hello(|it| it.protocol_versions = vec![1; 65]),
        "hello.protocol_versions"
    );
    assert_eq!(
        hello(|it| it.features = vec![String::new(); 65]),
        "hello.features"
    );

    assert_eq!(
        field(PbFrame::Receipt(pb::Receipt::default())),
        "receipt.message_id"
    );
    let large = pb::Sharing {
        content: vec![0; SHARING_BYTES_MAX + 1].into(),
        ..pb::Sharing::default()
    };
    assert_eq!(field(PbFrame::Sharing(large)), "sharing.content");
    let question = vec![0; 512 * 1024 + 1].into();
    assert_eq!(
        field(PbFrame::Ask(pb::Ask { number: 1, question })),
        "ask.question"
    );
    let large = pb::Answer {
        piece: vec![0; PIECE_BYTES_MAX + 1].into(),
        ..pb::Answer::default()
    };
    assert_eq!(field(PbFrame::Answer(large)), "answer.piece");
    let nameless = pb::Flows {
        exports: vec![pb::Flow::default()],
        imports: Vec::new(),
    };
    assert_eq!(field(PbFrame::Flows(nameless)), "flow.type");
    assert_eq!(
        field(PbFrame::Heartbeat(pb::Heartbeat::default())),
        "heartbeat.clock"
    );
}

#[test]
fn a_refusal_of_a_newer_version_is_still_a_refusal() {
    let receipt = pb::Receipt {
        message_id: vec![1; 16].into(),
        accepted: false,
        reason: "SOMETHING_NEW".to_owned(),
        retry: false,
    };
    assert_eq!(
        Receipt::try_from(receipt).unwrap().refused,
        Some(Reason::RemoteRefused)
    );
}

#[test]
fn versions_without_a_common_one_are_named() {
    assert_eq!(common_version(&[7, 1]), Ok(1));
    let refusal = common_version(&[7]).unwrap_err();
    assert_eq!(refusal.reason, Reason::VersionUnsupported);
    assert!(refusal.message.contains("[1]") && refusal.message.contains("[7]"));
}
