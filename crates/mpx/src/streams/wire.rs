//! What goes over a stream of objects, between messages and the types of the node.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_node::exchange::{Ack, Batch, Change, Flow, Item, Position, Refusal};
use peerd_wire::frame;
use peerd_wire::mpx::v1 as pb;
use peerd_wire::mpx::v1::item::Change as PbChange;
use peerd_wire::status;

/// The longest cursor, in bytes.
const CURSOR_BYTES_MAX: usize = 1_024;
/// The most changes of one batch, and refusals of one acknowledgement.
const ITEMS_MAX: usize = 65_536;

pub(super) fn flow(flow: frame::Flow) -> Flow {
    let frame::Flow {
        connection,
        object_type,
    } = flow;
    Flow {
        connection,
        object_type,
    }
}

pub(crate) fn frame_flow(flow: Flow) -> frame::Flow {
    let Flow {
        connection,
        object_type,
    } = flow;
    frame::Flow {
        connection,
        object_type,
    }
}

/// The opening of a stream; with where the importer stands, if the importer wrote it.
pub(super) fn subscription(
    subscribe: Option<pb::Subscribe>,
) -> Result<(Flow, Option<Position>), status::Refusal> {
    let pb::Subscribe {
        flow: asked,
        position,
    } = subscribe.ok_or_else(|| status::Refusal::field("subscribe", "must come first"))?;
    let asked = asked.ok_or_else(|| status::Refusal::field("flow", "is required"))?;
    let asked: frame::Flow = asked.try_into()?;
    Ok((flow(asked), position.map(read_position).transpose()?))
}

pub(super) fn subscribe(flow: Flow, position: Option<Position>) -> pb::Subscribe {
    pb::Subscribe {
        flow: Some(frame_flow(flow).into()),
        position: position.map(write_position),
    }
}

pub(super) fn read_position(position: pb::Position) -> Result<Position, status::Refusal> {
    let pb::Position { cursor } = position;
    read_cursor("position.cursor", cursor)
}

pub(super) fn write_position(position: Position) -> pb::Position {
    let Position(cursor) = position;
    pb::Position { cursor }
}

pub(super) fn read_batch(batch: Option<pb::Batch>) -> Result<Batch, status::Refusal> {
    let pb::Batch {
        number,
        previous,
        cursor,
        sharing_revision,
        items,
        caught_up,
    } = batch.ok_or_else(|| status::Refusal::field("batch", "is required"))?;
    bounded("batch.items", items.len())?;
    Ok(Batch {
        number,
        previous: read_cursor("batch.previous", previous)?,
        cursor: read_cursor("batch.cursor", cursor)?,
        sharing_revision,
        items: items.into_iter().map(read_item).collect::<Result<_, _>>()?,
        caught_up,
    })
}

pub(super) fn write_batch(batch: Batch) -> pb::Batch {
    let Batch {
        number,
        previous,
        cursor,
        sharing_revision,
        items,
        caught_up,
    } = batch;
    let item = |Item { key, change }| pb::Item {
        key,
        change: Some(match change {
            Change::State(state) => PbChange::State(state),
            Change::Retraction => PbChange::Retraction(pb::Retraction {}),
        }),
    };
    pb::Batch {
        number,
        previous: previous.0,
        cursor: cursor.0,
        sharing_revision,
        items: items.into_iter().map(item).collect(),
        caught_up,
    }
}

pub(super) fn read_ack(ack: pb::Ack) -> Result<Ack, status::Refusal> {
    let pb::Ack {
        number,
        cursor,
        refusals,
    } = ack;
    bounded("ack.refusals", refusals.len())?;
    let refusal = |pb::Refusal { key, reason }| Refusal {
        key,
        // A word of a newer version is still a refusal.
        reason: Reason::from_word(&reason).unwrap_or(Reason::RemoteRefused),
    };
    Ok(Ack {
        number,
        cursor: read_cursor("ack.cursor", cursor)?,
        refusals: refusals.into_iter().map(refusal).collect(),
    })
}

pub(super) fn write_ack(ack: Ack) -> pb::Ack {
    let Ack {
        number,
        cursor,
        refusals,
    } = ack;
    let refusal = |Refusal { key, reason }| pb::Refusal {
        key,
        reason: reason.word().to_owned(),
    };
    pb::Ack {
        number,
        cursor: cursor.0,
        refusals: refusals.into_iter().map(refusal).collect(),
    }
}

fn read_item(item: pb::Item) -> Result<Item, status::Refusal> {
    let pb::Item { key, change } = item;
    let change = match change.ok_or_else(|| status::Refusal::field("item.change", "is required"))? {
        PbChange::State(state) => Change::State(state),
        PbChange::Retraction(pb::Retraction {}) => Change::Retraction,
    };
    Ok(Item { key, change })
}

fn read_cursor(name: &str, cursor: Bytes) -> Result<Position, status::Refusal> {
    if cursor.len() > CURSOR_BYTES_MAX {
        return Err(status::Refusal::field(name, "is too long"));
    }
    Ok(Position(cursor))
}

fn bounded(name: &str, count: usize) -> Result<(), status::Refusal> {
    if count > ITEMS_MAX {
        return Err(status::Refusal::field(name, "are too many"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use peerd_core::ConnectionId;

    use super::*;

    fn position(byte: u8) -> Position {
        Position(Bytes::from(vec![byte; 8]))
    }

    #[test]
    fn batches_and_acknowledgements_read_back() {
        let batch = Batch {
            number: 3,
            previous: position(1),
            cursor: position(2),
            sharing_revision: 7,
            items: vec![
                Item {
                    key: "k1".to_owned(),
                    change: Change::State(Bytes::from_static(b"state")),
                },
                Item {
                    key: "k2".to_owned(),
                    change: Change::Retraction,
                },
            ],
            caught_up: true,
        };
        assert_eq!(read_batch(Some(write_batch(batch.clone()))), Ok(batch));
        let ack = Ack {
            number: 3,
            cursor: position(2),
            refusals: vec![Refusal {
                key: "k1".to_owned(),
                reason: Reason::ObjectInvalid,
            }],
        };
        assert_eq!(read_ack(write_ack(ack.clone())), Ok(ack));
    }

    #[test]
    fn a_subscription_reads_back_with_and_without_a_position() {
        let flow = Flow {
            connection: ConnectionId::from_bytes([1; 16]),
            object_type: "ship".to_owned(),
        };
        for at in [None, Some(position(1))] {
            let read = subscription(Some(subscribe(flow.clone(), at.clone())));
            assert_eq!(read, Ok((flow.clone(), at)));
        }
    }

    #[test]
    fn what_is_missing_or_too_long_is_refused() {
        assert!(read_batch(None).is_err());
        assert!(subscription(None).is_err());
        let whole = pb::Batch {
            items: vec![pb::Item::default()],
            ..pb::Batch::default()
        };
        assert!(read_batch(Some(whole)).is_err(), "an item without a change");
        let cursor = vec![0; CURSOR_BYTES_MAX + 1].into();
        assert!(read_position(pb::Position { cursor }).is_err());
    }
}
