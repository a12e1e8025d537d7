//! What goes over a stream of content, between messages and the types of the node.

use bytes::Bytes;
use peerd_core::{Blob, ConnectionId, ContentHash, Reason};
use peerd_node::exchange::blobs::{Ask, GROUPS_MAX, PIECE_BYTES_MAX, Part, What};
use peerd_wire::mpx::v1 as pb;
use peerd_wire::mpx::v1::blob_ask::What as PbWhat;
use peerd_wire::status::Refusal;

/// The longest key of an artifact, in bytes.
const KEY_BYTES_MAX: usize = 512;

pub(super) fn open(connection: ConnectionId) -> pb::SendBlobOpen {
    pb::SendBlobOpen {
        connection_id: Bytes::copy_from_slice(connection.as_bytes()),
    }
}

pub(super) fn read_open(open: Option<pb::SendBlobOpen>) -> Result<ConnectionId, Refusal> {
    let pb::SendBlobOpen { connection_id } = open.ok_or_else(|| Refusal::field("open", "must come first"))?;
    connection(&connection_id)
}

pub(super) fn write_ask(ask: Ask) -> pb::BlobAsk {
    let Ask {
        number,
        connection,
        artifact,
        blob: Blob { hash, size },
        what,
    } = ask;
    pb::BlobAsk {
        number,
        connection_id: Bytes::copy_from_slice(connection.as_bytes()),
        artifact,
        hash: Bytes::copy_from_slice(hash.as_bytes()),
        size,
        what: Some(match what {
            What::Outline => PbWhat::Outline(pb::BlobOutline {}),
            What::Groups(groups) => PbWhat::Groups(pb::BlobGroups {
                first: groups.start,
                count: u32::try_from(groups.end - groups.start).unwrap_or(u32::MAX),
            }),
        }),
    }
}

pub(super) fn read_ask(ask: Option<pb::BlobAsk>) -> Result<Ask, Refusal> {
    let pb::BlobAsk {
        number,
        connection_id,
        artifact,
        hash,
        size,
        what,
    } = ask.ok_or_else(|| Refusal::field("ask", "is required"))?;
    if artifact.is_empty() || artifact.len() > KEY_BYTES_MAX {
        return Err(Refusal::field("ask.artifact", "is not a key"));
    }
    let hash = hash.as_ref().try_into();
    let hash = hash.map_err(|_| Refusal::field("ask.hash", "must be 32 bytes"))?;
    let what = match what.ok_or_else(|| Refusal::field("ask.what", "is required"))? {
        PbWhat::Outline(pb::BlobOutline {}) => What::Outline,
        PbWhat::Groups(pb::BlobGroups { first, count }) => {
            let end = first.checked_add(count.into());
            let bounded = (1..=GROUPS_MAX).contains(&count.into());
            let end = end.filter(|_| bounded);
            What::Groups(first..end.ok_or_else(|| Refusal::field("ask.groups", "are too many or none"))?)
        }
    };
    Ok(Ask {
        number,
        connection: connection(&connection_id)?,
        artifact,
        blob: Blob {
            hash: ContentHash::from_bytes(hash),
            size,
        },
        what,
    })
}

pub(super) fn write_part(part: Part) -> pb::BlobPart {
    let Part {
        number,
        piece,
        last,
        reason,
    } = part;
    pb::BlobPart {
        number,
        piece,
        last,
        reason: reason.map_or_else(String::new, |reason| reason.word().to_owned()),
    }
}

pub(super) fn read_part(part: Option<pb::BlobPart>) -> Result<Part, Refusal> {
    let pb::BlobPart {
        number,
        piece,
        last,
        reason,
    } = part.ok_or_else(|| Refusal::field("part", "is required"))?;
    if piece.len() > PIECE_BYTES_MAX {
        return Err(Refusal::field("part.piece", "is too long"));
    }
    // A word of a newer version is still a refusal.
    let word = |word: &str| Reason::from_word(word).unwrap_or(Reason::RemoteRefused);
    Ok(Part {
        number,
        piece,
        last,
        reason: (!reason.is_empty()).then(|| word(&reason)),
    })
}

fn connection(id: &Bytes) -> Result<ConnectionId, Refusal> {
    let id = id.as_ref().try_into();
    let id = id.map_err(|_| Refusal::field("connection_id", "must be 16 bytes"))?;
    Ok(ConnectionId::from_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(what: What) -> Ask {
        Ask {
            number: 7,
            connection: ConnectionId::from_bytes([1; 16]),
            artifact: "art_1".to_owned(),
            blob: Blob {
                hash: ContentHash::from_bytes([2; 32]),
                size: 3,
            },
            what,
        }
    }

    #[test]
    fn asks_and_parts_read_back() {
        for what in [What::Outline, What::Groups(5..9)] {
            assert_eq!(read_ask(Some(write_ask(ask(what.clone())))), Ok(ask(what)));
        }
        for reason in [None, Some(Reason::NotFound)] {
            let part = Part {
                number: 3,
                piece: Bytes::from_static(b"piece"),
                last: true,
                reason,
            };
            assert_eq!(read_part(Some(write_part(part.clone()))), Ok(part));
        }
        let id = ConnectionId::from_bytes([1; 16]);
        assert_eq!(read_open(Some(open(id))), Ok(id));
    }

    #[test]
    fn what_is_missing_or_out_of_bounds_is_refused() {
        let whole = || write_ask(ask(What::Outline));
        assert!(read_ask(None).is_err());
        for broken in [
            pb::BlobAsk {
                what: None,
                ..whole()
            },
            pb::BlobAsk {
                hash: Bytes::from_static(&[1; 31]),
                ..whole()
            },
            pb::BlobAsk {
                connection_id: Bytes::new(),
                ..whole()
            },
            pb::BlobAsk {
                artifact: String::new(),
                ..whole()
            },
            pb::BlobAsk {
                artifact: "a".repeat(KEY_BYTES_MAX + 1),
                ..whole()
            },
            write_ask(ask(What::Groups(3..3))),
            write_ask(ask(What::Groups(0..GROUPS_MAX + 1))),
        ] {
            assert!(read_ask(Some(broken)).is_err());
        }
        assert!(read_part(None).is_err());
        let piece = vec![0; PIECE_BYTES_MAX + 1].into();
        assert!(
            read_part(Some(pb::BlobPart {
                piece,
                ..pb::BlobPart::default()
            }))
            .is_err()
        );
        assert!(read_open(None).is_err());
    }
}
