//! What goes over the control stream of an MPX link, and the call that completes a link.

use std::time::Duration;

use bytes::Bytes;
use peerd_core::code::Proof;
use peerd_core::link::Address;
use peerd_core::name::Title;
use peerd_core::{ConnectionId, LinkId, MessageId, Reason, Time};

use crate::field::{array, bounded, list, optional, optional_array, required, time, timestamp};
use crate::mpx::v1 as pb;
use crate::mpx::v1::control_frame::Frame as PbFrame;
use crate::status::Refusal;

mod ask;

pub use ask::{Ask, PIECE_BYTES_MAX, Piece};

/// The versions of the protocol that this side speaks.
pub const VERSIONS: &[u32] = &[1];
/// The feature of a side that answers questions.
pub const VERIFY: &str = "verify";
/// The longest list of versions or features that is read.
const WORDS_MAX: usize = 64;
/// The longest content of a sharing, in bytes.
pub const SHARING_BYTES_MAX: usize = 1024 * 1024;
/// The longest name of an object type, in bytes.
const TYPE_BYTES_MAX: usize = 256;
/// The most flows one side is ready for.
pub const FLOWS_MAX: usize = 4_096;

/// One frame of a control stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// First, once, from both sides.
    Hello(Hello),
    /// A signed lifecycle message.
    Message(Signed),
    /// The answer to one.
    Receipt(Receipt),
    /// What the sender makes available on a connection.
    Sharing(Sharing),
    /// Which streams the sender is ready for.
    Flows(Flows),
    /// Proof of life.
    Heartbeat(Heartbeat),
    /// A question.
    Ask(Ask),
    /// A part of an answer.
    Answer(Piece),
}

/// What each side says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The protocol versions it speaks.
    pub versions: Vec<u32>,
    /// Optional features it has.
    pub features: Vec<String>,
    /// Its platform title.
    pub title: Option<Title>,
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// Its clock.
    pub clock: Time,
    /// How often it sends heartbeats.
    pub heartbeat_interval: Duration,
}

/// A lifecycle message as it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What the signature covers; see [`crate::lifecycle`].
    pub payload: Bytes,
    /// The signature; it may have any length until it is verified.
    pub signature: Bytes,
}

/// The answer to a lifecycle message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message answered.
    pub message: MessageId,
    /// Why it was not accepted; `None` when it was.
    pub refused: Option<Reason>,
    /// Whether the same message may be accepted later.
    pub retry: bool,
}

/// What the sender makes available on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// The connection.
    pub connection: ConnectionId,
    /// Higher is newer.
    pub revision: u64,
    /// The canonical encoding of it.
    pub content: Bytes,
}

/// One type's stream in one direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// The connection.
    pub connection: ConnectionId,
    /// The object type, by its name at the exporting side.
    pub object_type: String,
}

/// Which streams the sender is ready for now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// What it would send.
    pub exports: Vec<Flow>,
    /// What it would take.
    pub imports: Vec<Flow>,
}

/// Proof of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Counts up within one control stream.
    pub number: u64,
    /// The highest of the other side seen so far.
    pub seen: u64,
    /// The sender's clock.
    pub clock: Time,
}

/// What an identity shows to complete a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enroll {
    /// The link's id at the side that made the code.
    pub link: LinkId,
    /// The proof that it holds the code.
    pub proof: Proof,
    /// What it calls itself.
    pub title: Option<Title>,
    /// Where it can be dialled.
    pub addresses: Vec<Address>,
    /// The protocol versions it speaks.
    pub versions: Vec<u32>,
}

/// The link is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The acceptor's title.
    pub title: Option<Title>,
    /// The caller's own link whose code the acceptor had entered.
    pub your_link: Option<LinkId>,
}

/// The highest version both sides speak, or the refusal that names both lists.
pub fn common_version(theirs: &[u32]) -> Result<u32, Refusal> {
    let common = VERSIONS
        .iter()
        .copied()
        .filter(|ours| theirs.contains(ours))
        .max();
    common.ok_or_else(|| {
        let told = format!("no common protocol version: here {VERSIONS:?}, there {theirs:?}");
        Refusal::new(Reason::VersionUnsupported, told)
    })
}

impl TryFrom<Option<pb::ControlFrame>> for Frame {
    type Error = Refusal;

    fn try_from(frame: Option<pb::ControlFrame>) -> Result<Frame, Refusal> {
        let pb::ControlFrame { frame } = required("frame", frame)?;
        Ok(match required("frame", frame)? {
            PbFrame::Hello(hello) => Frame::Hello(hello.try_into()?),
            PbFrame::Message(message) => {
                let pb::SignedMessage { payload, signature } = message;
                Frame::Message(Signed { payload, signature })
            }
            PbFrame::Receipt(receipt) => Frame::Receipt(receipt.try_into()?),
            PbFrame::Sharing(sharing) => Frame::Sharing(sharing.try_into()?),
            PbFrame::Flows(flows) => Frame::Flows(flows.try_into()?),
            PbFrame::Heartbeat(pb::Heartbeat { number, seen, clock }) => Frame::Heartbeat(Heartbeat {
                number,
                seen,
                clock: time("heartbeat.clock", clock)?,
            }),
            PbFrame::Ask(ask) => Frame::Ask(ask.try_into()?),
            PbFrame::Answer(answer) => Frame::Answer(answer.try_into()?),
        })
    }
}

impl From<Frame> for pb::ControlFrame {
    fn from(frame: Frame) -> pb::ControlFrame {
        let frame = match frame {
            Frame::Hello(hello) => PbFrame::Hello(hello.into()),
            Frame::Message(Signed { payload, signature }) => {
                PbFrame::Message(pb::SignedMessage { payload, signature })
            }
            Frame::Receipt(Receipt {
                message,
                refused,
                retry,
            }) => PbFrame::Receipt(pb::Receipt {
                message_id: Bytes::copy_from_slice(message.as_bytes()),
                accepted: refused.is_none(),
                reason: refused.map(|reason| reason.word().to_owned()).unwrap_or_default(),
                retry,
            }),
            Frame::Sharing(Sharing {
                connection,
                revision,
                content,
            }) => PbFrame::Sharing(pb::Sharing {
                connection_id: Bytes::copy_from_slice(connection.as_bytes()),
                revision,
                content,
            }),
            Frame::Flows(Flows { exports, imports }) => PbFrame::Flows(pb::Flows {
                exports: exports.into_iter().map(Into::into).collect(),
                imports: imports.into_iter().map(Into::into).collect(),
            }),
            Frame::Heartbeat(Heartbeat { number, seen, clock }) => PbFrame::Heartbeat(pb::Heartbeat {
                number,
                seen,
                clock: Some(timestamp(clock)),
            }),
            Frame::Ask(ask) => PbFrame::Ask(ask.into()),
            Frame::Answer(piece) => PbFrame::Answer(piece.into()),
        };
        pb::ControlFrame { frame: Some(frame) }
    }
}

impl TryFrom<pb::Hello> for Hello {
    type Error = Refusal;

    fn try_from(hello: pb::Hello) -> Result<Hello, Refusal> {
        let pb::Hello {
            protocol_versions,
            features,
            title,
            addresses,
            clock,
            heartbeat_interval_ms,
        } = hello;
        bounded("hello.protocol_versions", protocol_versions.len(), WORDS_MAX)?;
        bounded("hello.features", features.len(), WORDS_MAX)?;
        Ok(Hello {
            versions: protocol_versions,
            features,
            title: optional("hello.title", &title)?,
            addresses: list("hello.addresses", &addresses, Address::COUNT_MAX)?,
            clock: time("hello.clock", clock)?,
            heartbeat_interval: Duration::from_millis(heartbeat_interval_ms.into()),
        })
    }
}

impl From<Hello> for pb::Hello {
    fn from(hello: Hello) -> pb::Hello {
        let Hello {
            versions,
            features,
            title,
            addresses,
            clock,
            heartbeat_interval,
        } = hello;
        pb::Hello {
            protocol_versions: versions,
            features,
            title: text(title),
            addresses: texts(&addresses),
            clock: Some(timestamp(clock)),
            heartbeat_interval_ms: u32::try_from(heartbeat_interval.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

impl TryFrom<pb::Receipt> for Receipt {
    type Error = Refusal;

    fn try_from(receipt: pb::Receipt) -> Result<Receipt, Refusal> {
        let pb::Receipt {
            message_id,
            accepted,
            reason,
            retry,
        } = receipt;
        // A word of a newer version is still a refusal.
        let word = Reason::from_word(&reason).unwrap_or(Reason::RemoteRefused);
        Ok(Receipt {
            message: MessageId::from_bytes(array("receipt.message_id", &message_id)?),
            refused: (!accepted).then_some(word),
            retry,
        })
    }
}

impl TryFrom<pb::Sharing> for Sharing {
    type Error = Refusal;

    fn try_from(sharing: pb::Sharing) -> Result<Sharing, Refusal> {
        let pb::Sharing {
            connection_id,
            revision,
            content,
        } = sharing;
        bounded("sharing.content", content.len(), SHARING_BYTES_MAX)?;
        Ok(Sharing {
            connection: ConnectionId::from_bytes(array("sharing.connection_id", &connection_id)?),
            revision,
            content,
        })
    }
}

impl TryFrom<pb::Flows> for Flows {
    type Error = Refusal;

    fn try_from(flows: pb::Flows) -> Result<Flows, Refusal> {
        let pb::Flows { exports, imports } = flows;
        let read = |name, flows: Vec<pb::Flow>| {
            bounded(name, flows.len(), FLOWS_MAX)?;
            flows.into_iter().map(Flow::try_from).collect::<Result<_, _>>()
        };
        Ok(Flows {
            exports: read("flows.exports", exports)?,
            imports: read("flows.imports", imports)?,
        })
    }
}

impl TryFrom<pb::Flow> for Flow {
    type Error = Refusal;

    fn try_from(flow: pb::Flow) -> Result<Flow, Refusal> {
        let pb::Flow {
            connection_id,
            r#type,
        } = flow;
        if r#type.is_empty() || r#type.len() > TYPE_BYTES_MAX {
            return Err(Refusal::field("flow.type", "is empty or too long"));
        }
        Ok(Flow {
            connection: ConnectionId::from_bytes(array("flow.connection_id", &connection_id)?),
            object_type: r#type,
        })
    }
}

impl From<Flow> for pb::Flow {
    fn from(flow: Flow) -> pb::Flow {
        let Flow {
            connection,
            object_type,
        } = flow;
        pb::Flow {
            connection_id: Bytes::copy_from_slice(connection.as_bytes()),
            r#type: object_type,
        }
    }
}

impl TryFrom<pb::EnrollRequest> for Enroll {
    type Error = Refusal;

    fn try_from(request: pb::EnrollRequest) -> Result<Enroll, Refusal> {
        let pb::EnrollRequest {
            link_id,
            proof,
            title,
            addresses,
            protocol_versions,
        } = request;
        bounded("protocol_versions", protocol_versions.len(), WORDS_MAX)?;
        Ok(Enroll {
            link: LinkId::from_bytes(array("link_id", &link_id)?),
            proof: Proof::from_bytes(array("proof", &proof)?),
            title: optional("title", &title)?,
            addresses: list("addresses", &addresses, Address::COUNT_MAX)?,
            versions: protocol_versions,
        })
    }
}

impl From<Enroll> for pb::EnrollRequest {
    fn from(enroll: Enroll) -> pb::EnrollRequest {
        let Enroll {
            link,
            proof,
            title,
            addresses,
            versions,
        } = enroll;
        pb::EnrollRequest {
            link_id: Bytes::copy_from_slice(link.as_bytes()),
            proof: Bytes::copy_from_slice(proof.as_bytes()),
            title: text(title),
            addresses: texts(&addresses),
            protocol_versions: versions,
        }
    }
}

impl TryFrom<pb::EnrollResponse> for Enrolled {
    type Error = Refusal;

    fn try_from(response: pb::EnrollResponse) -> Result<Enrolled, Refusal> {
        let pb::EnrollResponse { title, your_link_id } = response;
        Ok(Enrolled {
            title: optional("title", &title)?,
            your_link: optional_array("your_link_id", &your_link_id)?.map(LinkId::from_bytes),
        })
    }
}

impl From<Enrolled> for pb::EnrollResponse {
    fn from(enrolled: Enrolled) -> pb::EnrollResponse {
        let Enrolled { title, your_link } = enrolled;
        pb::EnrollResponse {
            title: text(title),
            your_link_id: your_link
                .map(|link| Bytes::copy_from_slice(link.as_bytes()))
                .unwrap_or_default(),
        }
    }
}

fn text(title: Option<Title>) -> String {
    title.map(String::from).unwrap_or_default()
}

fn texts(addresses: &[Address]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
