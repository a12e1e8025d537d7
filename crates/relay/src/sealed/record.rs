//! Records between messages and the types of this crate.

use bytes::Bytes;
use peerd_core::object::ObjectKey;
use peerd_core::{Blob, ConnectionId, ContentHash, MessageId, Reason};
use peerd_node::exchange::{Change, Flow, Item};
use peerd_wire::frame::{PIECE_BYTES_MAX, Receipt, SHARING_BYTES_MAX, Sharing, Signed};
use peerd_wire::lifecycle::BYTES_MAX as LIFECYCLE_BYTES_MAX;
use prost::Message;

use super::front::array;
use super::{next_part, pb};
use crate::parity::MEMBERS_MAX;
use crate::record::{Ack, ContentPart, Cover, Lifecycle, Objects, PartOf, Scope};
use crate::{CannotWrite, Header, Kind, Records, Refused};

pub(crate) mod report;

use report::{
    read_ack, read_heartbeat, read_query, read_shard, write_ack, write_heartbeat, write_query, write_shard,
};

/// The longest scope: two keys and a flow.
const SCOPE_BYTES_MAX: usize = 4 * 1024;
/// The longest name of an object type.
const TYPE_BYTES_MAX: usize = 256;
/// The most bytes a record of this kind takes besides its longest field.
const FRAME_BYTES_MAX: usize = 2 * 1024;
/// The longest question.
pub(crate) const QUESTION_BYTES_MAX: usize = 512 * 1024;
/// The length of a table of sums.
pub(crate) const SUMS_BYTES: usize = 65_536;
/// The largest object, with its hops.
const ITEM_BYTES_MAX: usize = 4 << 20;
/// The longest shard: as long as a bundle may be.
const SHARD_BYTES_MAX: usize = 64 << 20;

/// The longest encoded record of a kind.
fn bytes_max(kind: Kind) -> usize {
    FRAME_BYTES_MAX
        + match kind {
            Kind::Lifecycle => LIFECYCLE_BYTES_MAX,
            Kind::Sharing => SHARING_BYTES_MAX,
            Kind::Objects => ITEM_BYTES_MAX,
            Kind::Content => ContentPart::BYTES_MAX,
            // A range takes at most 24 bytes, a refusal 128, a type asked for anew 48 and its name.
            Kind::Ack => Ack::ENTRIES_MAX * (2 * 24 + 128 + 48 + TYPE_BYTES_MAX),
            Kind::Query => QUESTION_BYTES_MAX.max(PIECE_BYTES_MAX),
            Kind::Heartbeat => SUMS_BYTES,
            Kind::Parity => SHARD_BYTES_MAX + MEMBERS_MAX * 48,
        }
}

/// The scope and the records, each with its length before it.
pub(super) fn write_all(scope: &Scope, records: &Records) -> Result<Vec<u8>, CannotWrite> {
    let mut out = Out {
        bytes: Vec::new(),
        max: bytes_max(records.kind()),
        number: 0,
    };
    out.put(&write_scope(scope))?;
    match records {
        Records::Lifecycle(records) => out.all(records, write_lifecycle),
        Records::Sharing(records) => out.all(records, write_sharing),
        Records::Objects(Objects { items, .. }) => out.all(items, write_item),
        Records::Content(records) => out.all(records, write_content),
        Records::Ack(records) => out.all(records, write_ack),
        Records::Query(records) => out.all(records, write_query),
        Records::Heartbeat(records) => out.all(records, write_heartbeat),
        Records::Parity(records) => out.all(records, write_shard),
    }?;
    Ok(out.bytes)
}

struct Out {
    bytes: Vec<u8>,
    max: usize,
    /// Of the record that comes next; the scope is 0.
    number: u32,
}

impl Out {
    fn put(&mut self, message: &impl Message) -> Result<(), CannotWrite> {
        let length = message.encoded_len();
        if length > self.max || message.encode_length_delimited(&mut self.bytes).is_err() {
            return Err(CannotWrite::Record {
                number: self.number,
                detail: format!("it has {length} bytes, and {} is the most of its kind", self.max),
            });
        }
        self.number += 1;
        Ok(())
    }

    fn all<T, M: Message>(&mut self, records: &[T], message: impl Fn(&T) -> M) -> Result<(), CannotWrite> {
        records.iter().try_for_each(|record| self.put(&message(record)))
    }
}

/// Reads the scope and exactly as many records as the header says.
pub(super) fn read_all(mut rest: Bytes, header: &Header) -> Result<(Scope, Records), Refused> {
    let scope = read_scope(decoded(next_part(&mut rest, SCOPE_BYTES_MAX)?)?)?;
    if scope.flow.is_some() != (header.kind == Kind::Objects) {
        return Err(Refused::malformed("the scope does not fit the kind"));
    }
    let mut records = Records::none(header.kind, &scope)
        .ok_or_else(|| Refused::malformed("the scope does not fit the kind"))?;
    let max = bytes_max(header.kind);
    for _ in 0..header.records {
        let part = next_part(&mut rest, max)?;
        match &mut records {
            Records::Lifecycle(records) => records.push(read_lifecycle(decoded(part)?)?),
            Records::Sharing(records) => records.push(read_sharing(decoded(part)?)?),
            Records::Objects(objects) => objects.items.push(read_item(decoded(part)?)?),
            Records::Content(records) => records.push(read_content(decoded(part)?)?),
            Records::Ack(records) => records.push(read_ack(decoded(part)?)?),
            Records::Query(records) => records.push(read_query(decoded(part)?)?),
            Records::Heartbeat(records) => records.push(read_heartbeat(decoded(part)?)?),
            Records::Parity(records) => records.push(read_shard(decoded(part)?)?),
        }
    }
    if rest.is_empty() {
        Ok((scope, records))
    } else {
        Err(Refused::malformed("there are more records than the header says"))
    }
}

fn decoded<M: Message + Default>(part: Bytes) -> Result<M, Refused> {
    M::decode(part).map_err(|_| Refused::malformed("a record is not of the bundle's kind"))
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Refused> {
    value.ok_or_else(|| Refused::malformed(format!("{name} is required")))
}

fn bounded(name: &str, length: usize, max: usize) -> Result<(), Refused> {
    if length > max {
        return Err(Refused::malformed(format!(
            "{name} has {length}, and {max} is the most"
        )));
    }
    Ok(())
}

fn word(name: &str, word: &str) -> Result<Reason, Refused> {
    Reason::from_word(word).ok_or_else(|| Refused::malformed(format!("{name} is no reason")))
}

fn connection(bytes: &[u8]) -> Result<ConnectionId, Refused> {
    Ok(ConnectionId::from_bytes(array("connection_id", bytes)?))
}

fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn write_flow(flow: &Flow) -> pb::Flow {
    pb::Flow {
        connection_id: copied(flow.connection.as_bytes()),
        r#type: flow.object_type.clone(),
    }
}

fn read_flow(flow: pb::Flow) -> Result<Flow, Refused> {
    let pb::Flow {
        connection_id,
        r#type,
    } = flow;
    bounded("flow.type", r#type.len(), TYPE_BYTES_MAX)?;
    Ok(Flow {
        connection: connection(&connection_id)?,
        object_type: r#type,
    })
}

fn write_scope(scope: &Scope) -> pb::Scope {
    let Scope {
        salt,
        flow,
        cover,
        caught_up,
    } = scope;
    let key = |key: &Option<String>| key.clone().unwrap_or_default();
    pb::Scope {
        salt: copied(salt),
        flow: flow.as_ref().map(write_flow),
        cover: cover.as_ref().map(|Cover { after, through }| pb::Cover {
            after: key(after),
            through: key(through),
        }),
        caught_up: *caught_up,
    }
}

fn read_scope(scope: pb::Scope) -> Result<Scope, Refused> {
    let pb::Scope {
        salt,
        flow,
        cover,
        caught_up,
    } = scope;
    let key = |key: String| (!key.is_empty()).then_some(key);
    Ok(Scope {
        salt: array("scope.salt", &salt)?,
        flow: flow.map(read_flow).transpose()?,
        cover: cover.map(|pb::Cover { after, through }| Cover {
            after: key(after),
            through: key(through),
        }),
        caught_up,
    })
}

fn write_lifecycle(record: &Lifecycle) -> pb::Lifecycle {
    use pb::lifecycle::Part;
    let part = match record.clone() {
        Lifecycle::Message(Signed { payload, signature }) => {
            Part::Message(pb::Message { payload, signature })
        }
        Lifecycle::Receipt(Receipt {
            message,
            refused,
            retry,
        }) => Part::Receipt(pb::Receipt {
            message_id: copied(message.as_bytes()),
            refused: refused.map(|reason| reason.word().to_owned()).unwrap_or_default(),
            retry,
        }),
    };
    pb::Lifecycle { part: Some(part) }
}

fn read_lifecycle(record: pb::Lifecycle) -> Result<Lifecycle, Refused> {
    use pb::lifecycle::Part;
    Ok(match required("lifecycle", record.part)? {
        Part::Message(pb::Message { payload, signature }) => {
            bounded("message.payload", payload.len(), LIFECYCLE_BYTES_MAX)?;
            let signature: [u8; 64] = array("message.signature", &signature)?;
            Lifecycle::Message(Signed {
                payload,
                signature: copied(&signature),
            })
        }
        Part::Receipt(pb::Receipt {
            message_id,
            refused,
            retry,
        }) => Lifecycle::Receipt(Receipt {
            message: MessageId::from_bytes(array("receipt.message_id", &message_id)?),
            refused: (!refused.is_empty())
                .then(|| word("receipt.refused", &refused))
                .transpose()?,
            retry,
        }),
    })
}

fn write_sharing(record: &Sharing) -> pb::Sharing {
    let Sharing {
        connection,
        revision,
        content,
    } = record.clone();
    pb::Sharing {
        connection_id: copied(connection.as_bytes()),
        revision,
        content,
    }
}

fn read_sharing(record: pb::Sharing) -> Result<Sharing, Refused> {
    let pb::Sharing {
        connection_id,
        revision,
        content,
    } = record;
    bounded("sharing.content", content.len(), SHARING_BYTES_MAX)?;
    Ok(Sharing {
        connection: connection(&connection_id)?,
        revision,
        content,
    })
}

fn write_item(record: &Item) -> pb::Item {
    let Item { key, change } = record.clone();
    pb::Item {
        key,
        change: Some(match change {
            Change::State(state) => pb::item::Change::State(state),
            Change::Retraction => pb::item::Change::Retraction(pb::Retraction {}),
        }),
    }
}

fn read_item(record: pb::Item) -> Result<Item, Refused> {
    let pb::Item { key, change } = record;
    ObjectKey::check(&key).map_err(|_| Refused::malformed("item.key is not a key"))?;
    let change = match required("item.change", change)? {
        pb::item::Change::State(state) => Change::State(state),
        pb::item::Change::Retraction(pb::Retraction {}) => Change::Retraction,
    };
    Ok(Item { key, change })
}

fn write_content(record: &ContentPart) -> pb::ContentPart {
    let ContentPart {
        connection,
        artifact,
        blob,
        of,
        offset,
        bytes,
        last,
    } = record.clone();
    pb::ContentPart {
        connection_id: copied(connection.as_bytes()),
        artifact,
        hash: copied(blob.hash.as_bytes()),
        size: blob.size,
        of: Some(match of {
            PartOf::Outline => pb::content_part::Of::Outline(pb::Outline {}),
            PartOf::Group(group) => pb::content_part::Of::Group(group),
        }),
        offset,
        bytes,
        last,
    }
}

fn read_content(record: pb::ContentPart) -> Result<ContentPart, Refused> {
    let pb::ContentPart {
        connection_id,
        artifact,
        hash,
        size,
        of,
        offset,
        bytes,
        last,
    } = record;
    ObjectKey::check(&artifact).map_err(|_| Refused::malformed("content.artifact is not a key"))?;
    bounded("content.bytes", bytes.len(), ContentPart::BYTES_MAX)?;
    Ok(ContentPart {
        connection: connection(&connection_id)?,
        artifact,
        blob: Blob {
            hash: ContentHash::from_bytes(array("content.hash", &hash)?),
            size,
        },
        of: match required("content.of", of)? {
            pb::content_part::Of::Outline(pb::Outline {}) => PartOf::Outline,
            pb::content_part::Of::Group(group) => PartOf::Group(group),
        },
        offset,
        bytes,
        last,
    })
}
