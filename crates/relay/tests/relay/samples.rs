//! Two enrollments, and bundles of every kind between them.

use bytes::Bytes;
use peerd_core::name::Name;
use peerd_core::object::{Hlc, ObjectState};
use peerd_core::security::Security;
use peerd_core::signature::PublicKey;
use peerd_core::{Blob, ConnectionId, ContentHash, EnrollmentId, MessageId, Reason, Time};
use peerd_identity::{EcdsaVerifier, Identity, SealingKeys};
use peerd_node::exchange::verify::Digests;
use peerd_node::exchange::{Change, Flow, Item};
use peerd_relay::record::{
    Ack, Anew, ContentPart, Cover, Heartbeat, KeyHash, Lifecycle, Member, Objects, PartOf, Query, Refusal,
    Shard,
};
use peerd_relay::{
    Digest, Facts, Limits, LinkEpoch, OpenForm, Opened, Opening, Records, Refused, WriteForm, Writing, read,
    write,
};
use peerd_wire::frame::{Ask, Piece, Receipt, Sharing, Signed};
use tempfile::TempDir;

pub(crate) const NOW: Time = Time::from_micros(1_767_225_600_000_000);

/// One enrollment: its identity and what is sealed to it.
pub(crate) struct Side {
    _dir: TempDir,
    pub(crate) identity: Identity,
    pub(crate) sealing: SealingKeys,
}

impl Side {
    pub(crate) fn new() -> Side {
        let dir = TempDir::new().expect("a directory");
        let identity = Identity::create(dir.path(), NOW).expect("an identity");
        let sealing = SealingKeys::ensure(dir.path(), &identity).expect("sealing keys");
        Side {
            _dir: dir,
            identity,
            sealing,
        }
    }

    pub(crate) fn id(&self) -> EnrollmentId {
        self.identity.enrollment_id()
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.identity.public_key().clone()
    }
}

/// A sender and a recipient.
pub(crate) struct Pair {
    pub(crate) a: Side,
    pub(crate) b: Side,
    pub(crate) limits: Limits,
}

impl Pair {
    pub(crate) fn new() -> Pair {
        Pair {
            a: Side::new(),
            b: Side::new(),
            limits: Limits::default(),
        }
    }

    pub(crate) fn facts(&self, sequence: u64) -> Facts {
        Facts {
            sender: self.a.id(),
            recipient: self.b.id(),
            epoch: LinkEpoch::from_bytes([5; 16]),
            sequence,
            previous: Digest::default(),
            created_at: NOW,
            not_after: NOW.plus(std::time::Duration::from_hours(72)),
            security: Security {
                classification: Some(name("secret")),
                markings: [name("eyes-only"), name("medical")].into(),
            },
            schema_revision: 3,
            salt: [9; 16],
        }
    }

    pub(crate) fn seal(&self, sequence: u64, records: &Records) -> Bytes {
        let writing = Writing {
            signer: &self.a.identity,
            form: WriteForm::Sealed(self.b.sealing.public().expect("a key")),
            limits: &self.limits,
        };
        let written = write(&self.facts(sequence), records, &writing).expect("it can be written");
        written.bytes.into()
    }

    pub(crate) fn open(&self, bytes: impl Into<Bytes>) -> Result<Opened, Refused> {
        self.open_at(bytes, NOW)
    }

    pub(crate) fn open_at(&self, bytes: impl Into<Bytes>, now: Time) -> Result<Opened, Refused> {
        let opening = Opening {
            me: self.b.id(),
            from: self.a.id(),
            keys: &[self.a.key()],
            verifier: &EcdsaVerifier,
            now,
            form: OpenForm::Sealed(&self.b.sealing),
            limits: &self.limits,
        };
        read(bytes.into(), &opening)
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(crate) fn connection() -> ConnectionId {
    ConnectionId::from_bytes([1; 16])
}

pub(crate) fn flow() -> Flow {
    Flow {
        connection: connection(),
        object_type: "flight".to_owned(),
    }
}

/// An object that says nothing but who wrote it.
pub(crate) fn blank(key: &str) -> Item {
    let state = ObjectState::blank(Hlc::at(NOW), EnrollmentId::from_bytes([3; 32]));
    Item {
        key: key.to_owned(),
        change: Change::State([&[0][..], &state.encode()].concat().into()),
    }
}

pub(crate) fn objects(items: Vec<Item>) -> Records {
    Records::Objects(Objects {
        flow: flow(),
        caught_up: true,
        cover: Some(Cover {
            after: None,
            through: Some("z".to_owned()),
        }),
        items,
    })
}

/// Bundles of every kind.
pub(crate) fn every_kind() -> Vec<Records> {
    let gone = Item {
        key: "b".to_owned(),
        change: Change::Retraction,
    };
    vec![
        Records::Lifecycle(lifecycle()),
        Records::Sharing(vec![Sharing {
            connection: connection(),
            revision: 7,
            content: Bytes::from_static(b"sharing"),
        }]),
        objects(vec![blank("a"), gone, blank("c")]),
        objects(Vec::new()),
        Records::Content(content()),
        Records::Ack(vec![ack()]),
        Records::Query(queries()),
        Records::Heartbeat(vec![
            Heartbeat::Highest(12),
            Heartbeat::Digest {
                flow: flow(),
                digests: Digests::new((0..4_096).collect(), 9, 4).expect("a table"),
            },
        ]),
        Records::Parity(vec![Shard {
            first: 1,
            members: vec![Member {
                bytes: 3,
                digest: Digest([4; 32]),
            }],
            shard_bytes: 64,
            recovery_shards: 1,
            index: 0,
            bytes: vec![6; 64].into(),
        }]),
    ]
}

fn lifecycle() -> Vec<Lifecycle> {
    let receipt = |refused, retry| {
        Lifecycle::Receipt(Receipt {
            message: MessageId::from_bytes([2; 16]),
            refused,
            retry,
        })
    };
    vec![
        Lifecycle::Message(Signed {
            payload: Bytes::from_static(b"payload"),
            signature: vec![8; 64].into(),
        }),
        receipt(None, false),
        receipt(Some(Reason::MessageEarly), true),
    ]
}

fn content() -> Vec<ContentPart> {
    let part = |of, bytes: &'static [u8]| ContentPart {
        connection: connection(),
        artifact: "art_1".to_owned(),
        blob: Blob {
            hash: ContentHash::from_bytes([7; 32]),
            size: 3 << 20,
        },
        of,
        offset: 0,
        bytes: Bytes::from_static(bytes),
        last: true,
    };
    vec![
        part(PartOf::Outline, &[1; 96]),
        part(PartOf::Group(2), b"bytes of a group"),
    ]
}

fn ack() -> Ack {
    Ack {
        epoch: LinkEpoch::from_bytes([6; 16]),
        below: 4,
        taken: vec![5..=6, 9..=9],
        wanted: vec![4..=4, 7..=8],
        refusals: vec![Refusal {
            sequence: 3,
            record: 2,
            key: KeyHash::of("UA-1"),
            reason: Reason::ObjectInvalid,
        }],
        anew: vec![Anew {
            flow: Flow {
                connection: ConnectionId::from_bytes([3; 16]),
                object_type: "airport".to_owned(),
            },
            generation: 2,
        }],
    }
}

fn queries() -> Vec<Query> {
    vec![
        Query::Ask(Ask {
            number: 1,
            question: Bytes::from_static(b"question"),
        }),
        Query::Answer(Piece::Part {
            number: 1,
            bytes: Bytes::from_static(b"piece"),
            last: true,
        }),
        Query::Answer(Piece::Refused {
            number: 2,
            reason: Reason::NotFound,
        }),
    ]
}
