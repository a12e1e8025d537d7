//! Records that say how the relay itself goes: acknowledgements, questions, heartbeats, redundancy.

use std::ops::RangeInclusive;

use bytes::Bytes;
use peerd_node::exchange::verify::Digests;
use peerd_wire::frame::{Ask, PIECE_BYTES_MAX, Piece};
use peerd_wire::relay::v1 as pb;

use super::{QUESTION_BYTES_MAX, SHARD_BYTES_MAX, bounded, copied, read_flow, required, word, write_flow};
use crate::hash::sum_bytes;
use crate::parity::MEMBERS_MAX;
use crate::record::{Ack, Anew, Heartbeat, KeyHash, Member, Query, Refusal, Shard};
use crate::sealed::front::array;
use crate::{Digest, LinkEpoch, Refused};

pub(super) fn write_ack(record: &Ack) -> pb::Ack {
    let ranges = |ranges: &[RangeInclusive<u64>]| {
        let range = |range: &RangeInclusive<u64>| pb::Range {
            first: *range.start(),
            last: *range.end(),
        };
        ranges.iter().map(range).collect()
    };
    let refusal = |refusal: &Refusal| pb::Refusal {
        sequence: refusal.sequence,
        record: refusal.record,
        key_hash: copied(&refusal.key.0.0),
        reason: refusal.reason.word().to_owned(),
    };
    pb::Ack {
        epoch: copied(record.epoch.as_bytes()),
        below: record.below,
        taken: ranges(&record.taken),
        wanted: ranges(&record.wanted),
        refusals: record.refusals.iter().map(refusal).collect(),
        anew: record
            .anew
            .iter()
            .map(|anew| pb::Anew {
                flow: Some(write_flow(&anew.flow)),
                generation: anew.generation,
            })
            .collect(),
    }
}

pub(super) fn read_ack(record: pb::Ack) -> Result<Ack, Refused> {
    let pb::Ack {
        epoch,
        below,
        taken,
        wanted,
        refusals,
        anew,
    } = record;
    bounded("ack.refusals", refusals.len(), Ack::ENTRIES_MAX)?;
    bounded("ack.anew", anew.len(), Ack::ENTRIES_MAX)?;
    let anew = anew.into_iter().map(|pb::Anew { flow, generation }| {
        let flow = read_flow(required("anew.flow", flow)?)?;
        Ok(Anew { flow, generation })
    });
    let anew = anew.collect::<Result<_, Refused>>()?;
    let refusal = |refusal: &pb::Refusal| {
        Ok(Refusal {
            sequence: refusal.sequence,
            record: refusal.record,
            key: KeyHash(Digest(array("refusal.key_hash", &refusal.key_hash)?)),
            reason: word("refusal.reason", &refusal.reason)?,
        })
    };
    Ok(Ack {
        epoch: LinkEpoch::from_bytes(array("ack.epoch", &epoch)?),
        below,
        taken: ranges(taken.iter().map(|range| range.first..=range.last))?,
        wanted: ranges(wanted.iter().map(|range| range.first..=range.last))?,
        refusals: refusals.iter().map(refusal).collect::<Result<_, _>>()?,
        anew,
    })
}

/// Ranges that are not empty, ascend, and lie apart: one set of numbers has one list.
pub(crate) fn ranges(
    ranges: impl ExactSizeIterator<Item = RangeInclusive<u64>>,
) -> Result<Vec<RangeInclusive<u64>>, Refused> {
    bounded("ack.ranges", ranges.len(), Ack::ENTRIES_MAX)?;
    let ranges = ranges.collect::<Vec<_>>();
    let apart = ranges.is_sorted_by(|one, next| one.end().saturating_add(1) < *next.start());
    if !apart || ranges.iter().any(RangeInclusive::is_empty) {
        return Err(Refused::malformed(
            "ack: ranges are empty, out of order or not apart",
        ));
    }
    Ok(ranges)
}

pub(super) fn write_query(record: &Query) -> pb::Query {
    use pb::query::Part;
    let part = match record.clone() {
        Query::Ask(Ask { number, question }) => Part::Ask(pb::Ask { number, question }),
        Query::Answer(Piece::Part { number, bytes, last }) => Part::Answer(pb::Answer {
            number,
            piece: bytes,
            last,
            refused: String::new(),
        }),
        Query::Answer(Piece::Refused { number, reason }) => Part::Answer(pb::Answer {
            number,
            piece: Bytes::new(),
            last: true,
            refused: reason.word().to_owned(),
        }),
    };
    pb::Query { part: Some(part) }
}

pub(super) fn read_query(record: pb::Query) -> Result<Query, Refused> {
    use pb::query::Part;
    Ok(match required("query", record.part)? {
        Part::Ask(pb::Ask { number, question }) => {
            bounded("ask.question", question.len(), QUESTION_BYTES_MAX)?;
            Query::Ask(Ask { number, question })
        }
        Part::Answer(pb::Answer {
            number,
            piece,
            last,
            refused,
        }) => {
            bounded("answer.piece", piece.len(), PIECE_BYTES_MAX)?;
            Query::Answer(if refused.is_empty() {
                Piece::Part {
                    number,
                    bytes: piece,
                    last,
                }
            } else {
                Piece::Refused {
                    number,
                    reason: word("answer.refused", &refused)?,
                }
            })
        }
    })
}

pub(super) fn write_heartbeat(record: &Heartbeat) -> pb::Heartbeat {
    use pb::heartbeat::Part;
    let part = match record {
        Heartbeat::Highest(highest) => Part::Highest(*highest),
        Heartbeat::Digest { flow, digests } => Part::Digest(pb::Digest {
            flow: Some(write_flow(flow)),
            sums: sum_bytes(digests.sums()),
            count: digests.count(),
            home: digests.home(),
        }),
    };
    pb::Heartbeat { part: Some(part) }
}

pub(super) fn read_heartbeat(record: pb::Heartbeat) -> Result<Heartbeat, Refused> {
    use pb::heartbeat::Part;
    Ok(match required("heartbeat", record.part)? {
        Part::Highest(highest) => Heartbeat::Highest(highest),
        Part::Digest(pb::Digest {
            flow,
            sums,
            count,
            home,
        }) => Heartbeat::Digest {
            flow: read_flow(required("digest.flow", flow)?)?,
            digests: digests(&sums, count, home)?,
        },
    })
}

/// A table of digests from its bytes.
pub(crate) fn digests(sums: &[u8], count: u64, home: u64) -> Result<Digests, Refused> {
    let (sums, rest) = sums.as_chunks();
    let sums = sums.iter().map(|sum| u128::from_be_bytes(*sum)).collect();
    Digests::new(sums, count, home)
        .filter(|_| rest.is_empty())
        .ok_or_else(|| Refused::malformed("digest: it is no table of 4,096 sums"))
}

pub(super) fn write_shard(record: &Shard) -> pb::Shard {
    let Shard {
        first,
        members,
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    } = record.clone();
    pb::Shard {
        first,
        members: members.iter().flat_map(|member| member.to_bytes()).collect(),
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    }
}

pub(super) fn read_shard(record: pb::Shard) -> Result<Shard, Refused> {
    let pb::Shard {
        first,
        members,
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    } = record;
    bounded("shard.members", members.len(), MEMBERS_MAX * Member::BYTES)?;
    bounded("shard.bytes", bytes.len(), SHARD_BYTES_MAX)?;
    let (members, rest) = members.as_chunks();
    if !rest.is_empty() {
        return Err(Refused::malformed("shard.members are not whole"));
    }
    Ok(Shard {
        first,
        members: members.iter().map(Member::from_bytes).collect(),
        shard_bytes,
        recovery_shards,
        index,
        bytes,
    })
}
