//! Records of every kind but objects, as elements.

use std::fmt::Display;
use std::ops::RangeInclusive;

use data_encoding::BASE64;
use peerd_core::{Blob, Reason};
use peerd_node::exchange::Flow;
use peerd_wire::frame::{Ask, PIECE_BYTES_MAX, Piece, Receipt, SHARING_BYTES_MAX, Sharing, Signed};
use peerd_wire::lifecycle::BYTES_MAX as LIFECYCLE_BYTES_MAX;

use super::head::{bytes, count, key};
use super::out::Out;
use super::walk::{Element, Walk};
use crate::hash::sum_bytes;
use crate::record::{Ack, Anew, ContentPart, Heartbeat, KeyHash, Lifecycle, PartOf, Query, Refusal};
use crate::sealed::report::{digests, ranges};
use crate::sealed::{QUESTION_BYTES_MAX, SUMS_BYTES};
use crate::{Records, Refused};

/// Writes all records, each with its number.
pub(super) fn write_all(out: &mut Out, records: &Records) {
    match records {
        Records::Lifecycle(records) => each(out, records, write_lifecycle),
        Records::Sharing(records) => each(out, records, write_sharing),
        Records::Content(records) => each(out, records, write_content),
        Records::Ack(records) => each(out, records, write_ack),
        Records::Query(records) => each(out, records, write_query),
        Records::Heartbeat(records) => each(out, records, write_heartbeat),
        // Objects are written elsewhere, and redundancy is for the sealed form alone.
        Records::Objects(_) | Records::Parity(_) => {}
    }
}

fn each<T>(out: &mut Out, records: &[T], write: impl Fn(&mut Out, &dyn Display, &T)) {
    for (record, number) in records.iter().zip(1_u32..) {
        write(out, &number, record);
        out.line();
    }
}

/// Reads one record, whose element was opened, to its end. Says its number.
pub(super) fn read_one(
    walk: &mut Walk<'_>,
    element: &Element<'_>,
    records: &mut Records,
) -> Result<u32, Refused> {
    let [number] = walk.attributes(element, ["n"])?;
    let number = walk.number(&number)?;
    let word = element.word();
    match records {
        Records::Lifecycle(records) => records.push(read_lifecycle(walk, &word)?),
        Records::Sharing(records) if word == "sharing-of" => records.push(read_sharing(walk)?),
        Records::Content(records) if word == "part" => records.push(read_content(walk)?),
        Records::Ack(records) if word == "ack-of" => records.push(read_ack(walk)?),
        Records::Query(records) => records.push(read_query(walk, &word)?),
        Records::Heartbeat(records) => records.push(read_heartbeat(walk, &word)?),
        _ => return Err(walk.refused("the record is not of the bundle's kind")),
    }
    walk.close()?;
    Ok(number)
}

fn base64(out: &mut Out, name: &str, bytes: &[u8]) {
    out.leaf(name, &BASE64.encode(bytes));
}

fn truth(out: &mut Out, name: &str, value: bool) {
    out.leaf(name, if value { "true" } else { "false" });
}

fn write_flow(out: &mut Out, flow: &Flow) {
    out.leaf("connection", &flow.connection.to_string());
    out.leaf("type", &flow.object_type);
}

fn read_flow(walk: &mut Walk<'_>) -> Result<Flow, Refused> {
    Ok(Flow {
        connection: walk.leaf("connection")?,
        object_type: walk.leaf("type")?,
    })
}

fn reason(walk: &Walk<'_>, word: &str) -> Result<Reason, Refused> {
    Reason::from_word(word).ok_or_else(|| walk.refused("it is no reason"))
}

fn write_lifecycle(out: &mut Out, number: &dyn Display, record: &Lifecycle) {
    match record {
        Lifecycle::Message(Signed { payload, signature }) => {
            out.open_with("message", &[("n", number)]);
            base64(out, "payload", payload);
            base64(out, "message-signature", signature);
            out.close("message");
        }
        Lifecycle::Receipt(Receipt {
            message,
            refused,
            retry,
        }) => {
            out.open_with("receipt", &[("n", number)]);
            out.leaf("message-id", &message.to_string());
            if let Some(reason) = refused {
                out.leaf("refused", reason.word());
            }
            truth(out, "retry", *retry);
            out.close("receipt");
        }
    }
}

fn read_lifecycle(walk: &mut Walk<'_>, word: &str) -> Result<Lifecycle, Refused> {
    match word {
        "message" => Ok(Lifecycle::Message(Signed {
            payload: bytes(walk, "payload", LIFECYCLE_BYTES_MAX)?.into(),
            signature: bytes(walk, "message-signature", 64)?.into(),
        })),
        "receipt" => {
            let message = walk.leaf("message-id")?;
            let refused: Option<String> = walk.optional("refused")?;
            Ok(Lifecycle::Receipt(Receipt {
                message,
                refused: refused.map(|word| reason(walk, &word)).transpose()?,
                retry: walk.leaf("retry")?,
            }))
        }
        _ => Err(walk.refused("the record is not of the bundle's kind")),
    }
}

fn write_sharing(out: &mut Out, number: &dyn Display, record: &Sharing) {
    let Sharing {
        connection,
        revision,
        content,
    } = record;
    out.open_with("sharing-of", &[("n", number)]);
    out.leaf("connection", &connection.to_string());
    out.leaf("revision", &revision.to_string());
    base64(out, "terms", content);
    out.close("sharing-of");
}

fn read_sharing(walk: &mut Walk<'_>) -> Result<Sharing, Refused> {
    Ok(Sharing {
        connection: walk.leaf("connection")?,
        revision: count(walk, "revision")?,
        content: bytes(walk, "terms", SHARING_BYTES_MAX)?.into(),
    })
}

fn write_content(out: &mut Out, number: &dyn Display, record: &ContentPart) {
    let ContentPart {
        connection,
        artifact,
        blob,
        of,
        offset,
        bytes,
        last,
    } = record;
    out.open_with("part", &[("n", number)]);
    out.leaf("connection", &connection.to_string());
    out.text("artifact", artifact);
    out.leaf("hash", &blob.hash.to_string());
    out.leaf("size", &blob.size.to_string());
    match of {
        PartOf::Outline => out.empty("outline", &[]),
        PartOf::Group(group) => out.leaf("group", &group.to_string()),
    }
    out.leaf("offset", &offset.to_string());
    base64(out, "bytes", bytes);
    truth(out, "last", *last);
    out.close("part");
}

fn read_content(walk: &mut Walk<'_>) -> Result<ContentPart, Refused> {
    let connection = walk.leaf("connection")?;
    let artifact = key(walk, "artifact")?.ok_or_else(|| walk.refused("<artifact> is expected"))?;
    let blob = Blob {
        hash: walk.leaf("hash")?,
        size: count(walk, "size")?,
    };
    let of = if walk.is_at("outline")? {
        walk.open_plain("outline")?;
        walk.close()?;
        PartOf::Outline
    } else {
        PartOf::Group(count(walk, "group")?)
    };
    Ok(ContentPart {
        connection,
        artifact,
        blob,
        of,
        offset: count(walk, "offset")?,
        bytes: bytes(walk, "bytes", ContentPart::BYTES_MAX)?.into(),
        last: walk.leaf("last")?,
    })
}

fn write_ack(out: &mut Out, number: &dyn Display, record: &Ack) {
    let Ack {
        epoch,
        below,
        taken,
        wanted,
        refusals,
        anew,
    } = record;
    out.open_with("ack-of", &[("n", number)]);
    out.leaf("epoch", &epoch.to_string());
    out.leaf("below", &below.to_string());
    for (name, ranges) in [("taken", taken), ("wanted", wanted)] {
        for range in ranges {
            out.empty(name, &[("first", range.start()), ("last", range.end())]);
        }
    }
    for Refusal {
        sequence,
        record,
        key,
        reason,
    } in refusals
    {
        out.empty(
            "parked",
            &[
                ("sequence", sequence),
                ("record", record),
                ("key-hash", &key.0),
                ("reason", reason),
            ],
        );
    }
    for Anew { flow, generation } in anew {
        out.open_with("anew", &[("generation", generation)]);
        write_flow(out, flow);
        out.close("anew");
    }
    out.close("ack-of");
}

fn read_ack(walk: &mut Walk<'_>) -> Result<Ack, Refused> {
    let epoch = walk.leaf("epoch")?;
    let below = count(walk, "below")?;
    let taken = read_ranges(walk, "taken")?;
    let wanted = read_ranges(walk, "wanted")?;
    let mut refusals = Vec::new();
    while walk.is_at("parked")? {
        let element = walk.open("parked")?;
        let names = ["sequence", "record", "key-hash", "reason"];
        let [sequence, record, key, word] = walk.attributes(&element, names)?;
        walk.close()?;
        refusals.push(Refusal {
            sequence: walk.number(&sequence)?,
            record: walk.number(&record)?,
            key: KeyHash(key.parse().map_err(|_| walk.refused("a hash is not one"))?),
            reason: reason(walk, &word)?,
        });
        if refusals.len() > Ack::ENTRIES_MAX {
            return Err(walk.refused("there are too many refusals"));
        }
    }
    let mut anew = Vec::new();
    while walk.is_at("anew")? {
        let element = walk.open("anew")?;
        let [generation] = walk.attributes(&element, ["generation"])?;
        let (generation, flow) = (walk.number(&generation)?, read_flow(walk)?);
        walk.close()?;
        anew.push(Anew { flow, generation });
        if anew.len() > Ack::ENTRIES_MAX {
            return Err(walk.refused("too many types are asked for"));
        }
    }
    Ok(Ack {
        epoch,
        below,
        taken,
        wanted,
        refusals,
        anew,
    })
}

fn read_ranges(walk: &mut Walk<'_>, name: &str) -> Result<Vec<RangeInclusive<u64>>, Refused> {
    let mut found = Vec::new();
    while walk.is_at(name)? {
        let element = walk.open(name)?;
        let [first, last] = walk.attributes(&element, ["first", "last"])?;
        walk.close()?;
        found.push(walk.number(&first)?..=walk.number(&last)?);
        if found.len() > Ack::ENTRIES_MAX {
            return Err(walk.refused("there are too many ranges"));
        }
    }
    ranges(found.into_iter())
}

fn write_query(out: &mut Out, number: &dyn Display, record: &Query) {
    match record {
        Query::Ask(Ask { number: of, question }) => {
            out.open_with("ask", &[("n", number)]);
            out.leaf("number", &of.to_string());
            base64(out, "question", question);
            out.close("ask");
        }
        Query::Answer(Piece::Part {
            number: of,
            bytes,
            last,
        }) => {
            out.open_with("answer", &[("n", number)]);
            out.leaf("number", &of.to_string());
            base64(out, "piece", bytes);
            truth(out, "last", *last);
            out.close("answer");
        }
        Query::Answer(Piece::Refused { number: of, reason }) => {
            out.open_with("no-answer", &[("n", number)]);
            out.leaf("number", &of.to_string());
            out.leaf("refused", reason.word());
            out.close("no-answer");
        }
    }
}

fn read_query(walk: &mut Walk<'_>, word: &str) -> Result<Query, Refused> {
    let number = count(walk, "number")?;
    match word {
        "ask" => Ok(Query::Ask(Ask {
            number,
            question: bytes(walk, "question", QUESTION_BYTES_MAX)?.into(),
        })),
        "answer" => Ok(Query::Answer(Piece::Part {
            number,
            bytes: bytes(walk, "piece", PIECE_BYTES_MAX)?.into(),
            last: walk.leaf("last")?,
        })),
        "no-answer" => {
            let word: String = walk.leaf("refused")?;
            let reason = reason(walk, &word)?;
            Ok(Query::Answer(Piece::Refused { number, reason }))
        }
        _ => Err(walk.refused("the record is not of the bundle's kind")),
    }
}

fn write_heartbeat(out: &mut Out, number: &dyn Display, record: &Heartbeat) {
    match record {
        Heartbeat::Highest(highest) => {
            out.open_with("alive", &[("n", number)]);
            out.leaf("highest", &highest.to_string());
            out.close("alive");
        }
        Heartbeat::Digest { flow, digests } => {
            out.open_with("digest", &[("n", number)]);
            write_flow(out, flow);
            out.leaf("count", &digests.count().to_string());
            out.leaf("home", &digests.home().to_string());
            base64(out, "sums", &sum_bytes(digests.sums()));
            out.close("digest");
        }
    }
}

fn read_heartbeat(walk: &mut Walk<'_>, word: &str) -> Result<Heartbeat, Refused> {
    match word {
        "alive" => Ok(Heartbeat::Highest(count(walk, "highest")?)),
        "digest" => {
            let flow = read_flow(walk)?;
            let (count_of, home) = (count(walk, "count")?, count(walk, "home")?);
            let sums = bytes(walk, "sums", SUMS_BYTES)?;
            Ok(Heartbeat::Digest {
                flow,
                digests: digests(&sums, count_of, home)?,
            })
        }
        _ => Err(walk.refused("the record is not of the bundle's kind")),
    }
}
