//! Lifecycle messages as bytes: what is signed, and what travels over MPX and relay alike.

use bytes::Bytes;
use peerd_core::code::Proof;
use peerd_core::peering::{self, Body, Decision, Message, TermsDigest};
use peerd_core::security;
use peerd_core::{ChangeRequestId, ConnectionId, EnrollmentId, MessageId, Reason};
use prost::Message as _;

use crate::field::{array, bounded, optional, parsed, required, time, timestamp};
use crate::mpx::v1 as pb;
use crate::mpx::v1::lifecycle::Body as PbBody;
use crate::mpx::v1::security_decided::Decision as PbDecision;
use crate::status::Refusal;

/// The longest encoded message, in bytes.
pub const BYTES_MAX: usize = 64 * 1024;
/// The most markings a security names.
const MARKINGS_MAX: usize = 256;

/// The message as bytes.
pub fn encode(message: &Message) -> Vec<u8> {
    let Message {
        id,
        connection,
        from,
        to,
        sequence,
        sent_at,
        body,
    } = message;
    let lifecycle = pb::Lifecycle {
        message_id: bytes(id.as_bytes()),
        connection_id: bytes(connection.as_bytes()),
        from: bytes(from.as_bytes()),
        to: bytes(to.as_bytes()),
        sequence: *sequence,
        sent_at: Some(timestamp(*sent_at)),
        body: Some(encode_body(body)),
    };
    lifecycle.encode_to_vec()
}

/// The message in these bytes. The error names the field that is missing or malformed.
pub fn decode(payload: &[u8]) -> Result<Message, Refusal> {
    if payload.len() > BYTES_MAX {
        let told = format!("a lifecycle message has at most {BYTES_MAX} bytes");
        return Err(Refusal::new(Reason::TooLarge, told));
    }
    let pb::Lifecycle {
        message_id,
        connection_id,
        from,
        to,
        sequence,
        sent_at,
        body,
    } = pb::Lifecycle::decode(payload)
        .map_err(|_| Refusal::field("payload", "is not a lifecycle message"))?;
    if sequence == 0 {
        return Err(Refusal::field("sequence", "counts from 1"));
    }
    Ok(Message {
        id: MessageId::from_bytes(array("message_id", &message_id)?),
        connection: ConnectionId::from_bytes(array("connection_id", &connection_id)?),
        from: EnrollmentId::from_bytes(array("from", &from)?),
        to: EnrollmentId::from_bytes(array("to", &to)?),
        sequence,
        sent_at: time("sent_at", sent_at)?,
        body: decode_body(required("body", body)?)?,
    })
}

/// The id of a message that may otherwise be unreadable, so that it can be answered.
pub fn message_id(payload: &[u8]) -> Option<MessageId> {
    let lifecycle = payload
        .get(..payload.len().min(BYTES_MAX))
        .and_then(|payload| pb::Lifecycle::decode(payload).ok())?;
    array("message_id", &lifecycle.message_id)
        .ok()
        .map(MessageId::from_bytes)
}

fn encode_body(body: &Body) -> PbBody {
    match body {
        Body::Approved {
            space,
            title,
            security,
            proof,
        } => PbBody::Approved(pb::Approved {
            space: space.to_string(),
            title: title.as_ref().map(ToString::to_string).unwrap_or_default(),
            security: Some(encode_security(security)),
            proof: bytes(proof.as_bytes()),
        }),
        Body::Rejected { remark, proof } => PbBody::Rejected(pb::Rejected {
            remark: remark.to_string(),
            proof: bytes(proof.as_bytes()),
        }),
        Body::Revoked => PbBody::Revoked(pb::Revoked {}),
        Body::Expired => PbBody::Expired(pb::Expired {}),
        Body::Activated { terms } => PbBody::Activated(pb::Activated {
            terms: bytes(terms.as_bytes()),
        }),
        Body::Disabled => PbBody::Disabled(pb::Disabled {}),
        Body::Enabled => PbBody::Enabled(pb::Enabled {}),
        Body::DataTypesSet { flow } => PbBody::DataTypesSet(pb::DataTypesSet {
            exports: Some(encode_types(flow.exports)),
            imports: Some(encode_types(flow.imports)),
        }),
        Body::SecurityProposed { id, security } => PbBody::SecurityProposed(pb::SecurityProposed {
            change_id: bytes(id.as_bytes()),
            security: Some(encode_security(security)),
        }),
        Body::SecurityDecided { id, decision } => PbBody::SecurityDecided(pb::SecurityDecided {
            change_id: bytes(id.as_bytes()),
            decision: Some(match decision {
                Decision::Approve => PbDecision::Approved(pb::ChangeApproved {}),
                Decision::Reject { remark } => PbDecision::Rejected(pb::ChangeRejected {
                    remark: remark.to_string(),
                }),
            }),
        }),
        Body::Closed => PbBody::Closed(pb::Closed {}),
    }
}

fn decode_body(body: PbBody) -> Result<Body, Refusal> {
    Ok(match body {
        PbBody::Approved(pb::Approved {
            space,
            title,
            security,
            proof,
        }) => Body::Approved {
            space: parsed("approved.space", &space)?,
            title: optional("approved.title", &title)?,
            security: decode_security("approved.security", security)?,
            proof: Proof::from_bytes(array("approved.proof", &proof)?),
        },
        PbBody::Rejected(pb::Rejected { remark, proof }) => Body::Rejected {
            remark: parsed("rejected.remark", &remark)?,
            proof: Proof::from_bytes(array("rejected.proof", &proof)?),
        },
        PbBody::Revoked(pb::Revoked {}) => Body::Revoked,
        PbBody::Expired(pb::Expired {}) => Body::Expired,
        PbBody::Activated(pb::Activated { terms }) => Body::Activated {
            terms: TermsDigest::from_bytes(array("activated.terms", &terms)?),
        },
        PbBody::Disabled(pb::Disabled {}) => Body::Disabled,
        PbBody::Enabled(pb::Enabled {}) => Body::Enabled,
        PbBody::DataTypesSet(pb::DataTypesSet { exports, imports }) => Body::DataTypesSet {
            flow: peering::Flow {
                exports: decode_types("data_types_set.exports", exports)?,
                imports: decode_types("data_types_set.imports", imports)?,
            },
        },
        PbBody::SecurityProposed(pb::SecurityProposed { change_id, security }) => Body::SecurityProposed {
            id: ChangeRequestId::from_bytes(array("security_proposed.change_id", &change_id)?),
            security: decode_security("security_proposed.security", security)?,
        },
        PbBody::SecurityDecided(pb::SecurityDecided { change_id, decision }) => Body::SecurityDecided {
            id: ChangeRequestId::from_bytes(array("security_decided.change_id", &change_id)?),
            decision: match required("security_decided.decision", decision)? {
                PbDecision::Approved(pb::ChangeApproved {}) => Decision::Approve,
                PbDecision::Rejected(pb::ChangeRejected { remark }) => Decision::Reject {
                    remark: parsed("security_decided.rejected.remark", &remark)?,
                },
            },
        },
        PbBody::Closed(pb::Closed {}) => Body::Closed,
    })
}

fn encode_security(security: &security::Security) -> pb::Security {
    let security::Security {
        classification,
        markings,
    } = security;
    pb::Security {
        classification: classification
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        markings: markings.iter().map(ToString::to_string).collect(),
    }
}

fn decode_security(name: &str, security: Option<pb::Security>) -> Result<security::Security, Refusal> {
    let pb::Security {
        classification,
        markings,
    } = required(name, security)?;
    bounded(&format!("{name}.markings"), markings.len(), MARKINGS_MAX)?;
    let named = format!("{name}.markings");
    let count = markings.len();
    let security = security::Security {
        classification: optional(&format!("{name}.classification"), &classification)?,
        markings: markings
            .iter()
            .map(|marking| parsed(&named, marking))
            .collect::<Result<_, _>>()?,
    };
    if security.markings.len() != count {
        return Err(Refusal::field(&named, "names one marking twice"));
    }
    Ok(security)
}

fn encode_types(types: peering::DataTypes) -> pb::DataTypes {
    let peering::DataTypes { objects, artifacts } = types;
    pb::DataTypes { objects, artifacts }
}

fn decode_types(name: &str, types: Option<pb::DataTypes>) -> Result<peering::DataTypes, Refusal> {
    let pb::DataTypes { objects, artifacts } = required(name, types)?;
    Ok(peering::DataTypes { objects, artifacts })
}

fn bytes(slice: &[u8]) -> Bytes {
    Bytes::copy_from_slice(slice)
}
