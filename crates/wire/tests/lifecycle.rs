//! The bytes of lifecycle messages: they are signed, so they never change for what is said already.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use peerd_core::code::Proof;
use peerd_core::peering::{Body, DataTypes, Decision, Flow, Message, TermsDigest};
use peerd_core::security::Security;
use peerd_core::{ChangeRequestId, ConnectionId, EnrollmentId, MessageId, Reason, Time};
use peerd_wire::lifecycle::{BYTES_MAX, decode, encode, message_id};
use peerd_wire::mpx::v1 as pb;
use prost::Message as _;

const GOLDEN: &str = include_str!("golden/lifecycle.txt");

fn message(body: Body) -> Message {
    Message {
        id: MessageId::from_bytes([1; 16]),
        connection: ConnectionId::from_bytes([2; 16]),
        from: EnrollmentId::from_bytes([3; 32]),
        to: EnrollmentId::from_bytes([4; 32]),
        sequence: 5,
        sent_at: Time::from_micros(1_767_225_600_123_456),
        body,
    }
}

fn every_body() -> Vec<Body> {
    let security = Security {
        classification: Some("restricted".parse().unwrap()),
        markings: BTreeSet::from(["eyes-only".parse().unwrap(), "medical".parse().unwrap()]),
    };
    let proof = Proof::from_bytes([6; 32]);
    let remark: peerd_core::peering::Remark = "not now".parse().unwrap();
    let id = ChangeRequestId::from_bytes([7; 16]);
    let flow = Flow {
        exports: DataTypes::ALL,
        imports: DataTypes {
            objects: true,
            artifacts: false,
        },
    };
    vec![
        Body::Approved {
            space: "harbour".parse().unwrap(),
            title: Some("Harbour Authority".parse().unwrap()),
            security: security.clone(),
            proof,
        },
        Body::Approved {
            space: "harbour".parse().unwrap(),
            title: None,
            security: Security::unrestricted(),
            proof,
        },
        Body::Rejected {
            remark: remark.clone(),
            proof,
        },
        Body::Revoked,
        Body::Expired,
        Body::Activated {
            terms: TermsDigest::from_bytes([8; 32]),
        },
        Body::Disabled,
        Body::Enabled,
        Body::DataTypesSet { flow },
        Body::SecurityProposed { id, security },
        Body::SecurityDecided {
            id,
            decision: Decision::Approve,
        },
        Body::SecurityDecided {
            id,
            decision: Decision::Reject { remark },
        },
        Body::Closed,
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn every_message_has_the_bytes_it_always_had() {
    let lines = every_body()
        .into_iter()
        .map(|body| format!("{} {}\n", body.name(), hex(&encode(&message(body.clone())))));
    assert_eq!(lines.collect::<String>(), GOLDEN);
}

#[test]
fn every_message_reads_back() {
    for body in every_body() {
        let message = message(body);
        let bytes = encode(&message);
        assert_eq!(decode(&bytes), Ok(message.clone()));
        assert_eq!(message_id(&bytes), Some(message.id));
    }
}

/// An encoded message of each kind, spoilt in one field, and the field that the refusal must name.
fn refused(spoil: impl Fn(&mut pb::Lifecycle), body: usize) -> String {
    let bytes = encode(&message(every_body().swap_remove(body)));
    let mut lifecycle = pb::Lifecycle::decode(&*bytes).unwrap();
    spoil(&mut lifecycle);
    let refusal = decode(&lifecycle.encode_to_vec()).unwrap_err();
    assert_eq!(refusal.reason, Reason::FieldInvalid);
    refusal.details["field"].clone()
}

#[test]
fn each_missing_or_malformed_field_is_refused_by_name() {
    assert_eq!(refused(|it| it.message_id.clear(), 0), "message_id");
    assert_eq!(refused(|it| it.connection_id.truncate(15), 0), "connection_id");
    assert_eq!(refused(|it| it.from.clear(), 0), "from");
    assert_eq!(refused(|it| it.to.clear(), 0), "to");
    assert_eq!(refused(|it| it.sequence = 0, 0), "sequence");
    assert_eq!(refused(|it| it.sent_at = None, 0), "sent_at");
    assert_eq!(refused(|it| it.body = None, 0), "body");
}

#[test]
fn each_malformed_body_is_refused_by_name() {
    use pb::lifecycle::Body as B;
    let body = |body: B| refused(move |it| it.body = Some(body.clone()), 0);
    let approved = |spoil: fn(&mut pb::Approved)| {
        let bytes = encode(&message(every_body().swap_remove(0)));
        let Some(B::Approved(mut approved)) = pb::Lifecycle::decode(&*bytes).unwrap().body else {
            unreachable!("the first body is an approval")
        };
        spoil(&mut approved);
        body(B::Approved(approved))
    };
    assert_eq!(approved(|it| it.space = "No Name".into()), "approved.space");
    assert_eq!(approved(|it| it.title = "\u{202e}".into()), "approved.title");
    assert_eq!(approved(|it| it.security = None), "approved.security");
    assert_eq!(approved(|it| it.proof.clear()), "approved.proof");
    let twice = |it: &mut pb::Approved| {
        let security = it.security.as_mut().unwrap();
        security.markings = vec!["medical".into(), "medical".into()];
    };
    assert_eq!(approved(twice), "approved.security.markings");
    let many = |it: &mut pb::Approved| {
        let security = it.security.as_mut().unwrap();
        security.markings = (0..257).map(|number| format!("m{number}")).collect();
    };
    assert_eq!(approved(many), "approved.security.markings");

    let empty = pb::Activated::default();
    assert_eq!(body(B::Activated(empty)), "activated.terms");
    assert_eq!(body(B::Rejected(pb::Rejected::default())), "rejected.remark");
    assert_eq!(
        body(B::DataTypesSet(pb::DataTypesSet::default())),
        "data_types_set.exports"
    );
    assert_eq!(
        body(B::SecurityProposed(pb::SecurityProposed::default())),
        "security_proposed.change_id"
    );
    let undecided = pb::SecurityDecided {
        change_id: vec![7; 16].into(),
        decision: None,
    };
    assert_eq!(body(B::SecurityDecided(undecided)), "security_decided.decision");
}

#[test]
fn what_is_no_message_or_too_long_is_refused() {
    assert_eq!(decode(b"\xff\xff").unwrap_err().reason, Reason::FieldInvalid);
    assert_eq!(decode(&[]).unwrap_err().reason, Reason::FieldInvalid);
    let long = vec![0; BYTES_MAX + 1];
    assert_eq!(decode(&long).unwrap_err().reason, Reason::TooLarge);
    assert_eq!(message_id(b"\xff\xff"), None);
}
