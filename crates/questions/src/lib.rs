//! Questions of a verification and their answers, between messages and the types of the node: the same for every transport.
#![warn(missing_docs)]

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_node::exchange::Flow;
use peerd_node::exchange::verify::{
    Answer, Compared, DIFFERENCES_MAX, Difference, Digests, ENTRIES_MAX, Entry, Holder, ItemHash, KEYS_MAX,
    Offered, Question,
};
use peerd_wire::frame;
use peerd_wire::mpx::v1 as pb;
use peerd_wire::mpx::v1::offered_item::Offered as PbOffered;
use peerd_wire::mpx::v1::question::Question as PbQuestion;
use peerd_wire::mpx::v1::reply::Reply as PbReply;
use peerd_wire::status::Refusal;

/// The longest key that is read; no object has one as long.
const KEY_BYTES_MAX: usize = 1_024;
/// How many bytes have a bit for each bucket.
const BUCKETS_BYTES: usize = 512;

/// Reads a question.
pub fn read_question(question: pb::Question) -> Result<Question, Refusal> {
    let pb::Question { question } = question;
    Ok(match required("question", question)? {
        PbQuestion::Digests(pb::DigestsQuestion { flow }) => Question::Digests(read_flow(flow)?),
        PbQuestion::Comparison(pb::ComparisonQuestion { flow }) => Question::Comparison(read_flow(flow)?),
        PbQuestion::Entries(pb::EntriesQuestion { flow, buckets, after }) => Question::Entries {
            flow: read_flow(flow)?,
            buckets: read_buckets(&buckets)?,
            after: (!after.is_empty()).then(|| read_key(after)).transpose()?,
        },
        PbQuestion::Items(pb::ItemsQuestion { flow, keys, patient }) => {
            bounded("items.keys", keys.len(), KEYS_MAX)?;
            Question::Items {
                flow: read_flow(flow)?,
                keys: keys.into_iter().map(read_key).collect::<Result<_, _>>()?,
                patient,
            }
        }
    })
}

/// Writes a question.
pub fn write_question(question: Question) -> pb::Question {
    let question = match question {
        Question::Digests(flow) => PbQuestion::Digests(pb::DigestsQuestion {
            flow: Some(frame_flow(flow).into()),
        }),
        Question::Comparison(flow) => PbQuestion::Comparison(pb::ComparisonQuestion {
            flow: Some(frame_flow(flow).into()),
        }),
        Question::Entries { flow, buckets, after } => PbQuestion::Entries(pb::EntriesQuestion {
            flow: Some(frame_flow(flow).into()),
            buckets: write_buckets(&buckets),
            after: after.unwrap_or_default(),
        }),
        Question::Items { flow, keys, patient } => PbQuestion::Items(pb::ItemsQuestion {
            flow: Some(frame_flow(flow).into()),
            keys,
            patient,
        }),
    };
    pb::Question {
        question: Some(question),
    }
}

/// Reads an answer.
pub fn read_reply(reply: pb::Reply) -> Result<Answer, Refusal> {
    let pb::Reply { reply } = reply;
    Ok(match required("reply", reply)? {
        PbReply::Digests(digests) => Answer::Digests(read_digests(digests)?),
        PbReply::Entries(pb::EntriesReply { entries, more }) => {
            bounded("entries", entries.len(), ENTRIES_MAX)?;
            let entries = entries.into_iter().map(read_entry).collect::<Result<_, _>>()?;
            Answer::Entries { entries, more }
        }
        PbReply::Items(pb::ItemsReply { items, settled }) => {
            bounded("items", items.len(), KEYS_MAX)?;
            let items = items.into_iter().map(read_offered).collect::<Result<_, _>>()?;
            Answer::Items { items, settled }
        }
        PbReply::Comparison(comparison) => Answer::Comparison(read_comparison(comparison)?),
    })
}

/// Writes an answer.
pub fn write_reply(answer: Answer) -> pb::Reply {
    let reply = match answer {
        Answer::Digests(digests) => PbReply::Digests(pb::DigestsReply {
            sums: digests.sums().iter().flat_map(|sum| sum.to_be_bytes()).collect(),
            count: digests.count(),
            home: digests.home(),
        }),
        Answer::Entries { entries, more } => PbReply::Entries(pb::EntriesReply {
            entries: entries.into_iter().map(write_entry).collect(),
            more,
        }),
        Answer::Items { items, settled } => PbReply::Items(pb::ItemsReply {
            items: items.into_iter().map(write_offered).collect(),
            settled,
        }),
        Answer::Comparison(comparison) => PbReply::Comparison(write_comparison(comparison)),
    };
    pb::Reply { reply: Some(reply) }
}

fn frame_flow(flow: Flow) -> frame::Flow {
    let Flow {
        connection,
        object_type,
    } = flow;
    frame::Flow {
        connection,
        object_type,
    }
}

fn read_flow(flow: Option<pb::Flow>) -> Result<Flow, Refusal> {
    let frame::Flow {
        connection,
        object_type,
    } = required("flow", flow)?.try_into()?;
    Ok(Flow {
        connection,
        object_type,
    })
}

fn read_key(key: String) -> Result<String, Refusal> {
    bounded("key", key.len(), KEY_BYTES_MAX)?;
    Ok(key)
}

fn read_buckets(bits: &Bytes) -> Result<BTreeSet<u16>, Refusal> {
    if bits.len() != BUCKETS_BYTES {
        return Err(Refusal::field("buckets", "must be 512 bytes"));
    }
    let bytes = (0_u16..).step_by(8).zip(bits);
    let set = bytes.flat_map(|(first, byte)| {
        let bits = (0..8).filter(move |bit| byte & (1 << bit) != 0);
        bits.map(move |bit| first + bit)
    });
    Ok(set.collect())
}

fn write_buckets(buckets: &BTreeSet<u16>) -> Bytes {
    let mut bits = vec![0; BUCKETS_BYTES];
    for bucket in buckets {
        if let Some(byte) = bits.get_mut(usize::from(bucket / 8)) {
            *byte |= 1 << (bucket % 8);
        }
    }
    bits.into()
}

fn read_digests(digests: pb::DigestsReply) -> Result<Digests, Refusal> {
    let pb::DigestsReply { sums, count, home } = digests;
    let (sums, rest) = sums.as_chunks();
    let sums = sums.iter().map(|sum| u128::from_be_bytes(*sum)).collect();
    let digests = Digests::new(sums, count, home).filter(|_| rest.is_empty());
    digests.ok_or_else(|| Refusal::field("digests", "is no table of digests"))
}

fn read_entry(entry: pb::DigestEntry) -> Result<Entry, Refusal> {
    let pb::DigestEntry { key, hash, home } = entry;
    let hash = hash.as_ref().try_into().map(u128::from_be_bytes);
    Ok(Entry {
        key: read_key(key)?,
        hash: ItemHash(hash.map_err(|_| Refusal::field("entry.hash", "must be 16 bytes"))?),
        home,
    })
}

fn write_entry(entry: Entry) -> pb::DigestEntry {
    let Entry { key, hash, home } = entry;
    pb::DigestEntry {
        key,
        hash: Bytes::copy_from_slice(&hash.0.to_be_bytes()),
        home,
    }
}

fn read_offered(item: pb::OfferedItem) -> Result<Offered, Refusal> {
    let pb::OfferedItem { offered } = item;
    Ok(match required("item.offered", offered)? {
        PbOffered::State(bytes) => Offered::Item(bytes),
        PbOffered::TooLarge(pb::TooLargeToOffer {}) => Offered::TooLarge,
        PbOffered::Nothing(pb::NotOffered {}) => Offered::Nothing,
    })
}

fn write_offered(offered: Offered) -> pb::OfferedItem {
    let offered = match offered {
        Offered::Item(bytes) => PbOffered::State(bytes),
        Offered::TooLarge => PbOffered::TooLarge(pb::TooLargeToOffer {}),
        Offered::Nothing => PbOffered::Nothing(pb::NotOffered {}),
    };
    pb::OfferedItem {
        offered: Some(offered),
    }
}

fn read_comparison(comparison: pb::ComparisonReply) -> Result<Compared, Refusal> {
    let pb::ComparisonReply {
        offered,
        home,
        held,
        met,
        differences,
        more,
    } = comparison;
    bounded("comparison.differences", differences.len(), DIFFERENCES_MAX)?;
    let difference = |difference: pb::KeyDifference| {
        let pb::KeyDifference { key, holder } = difference;
        let holder = match pb::Holder::try_from(holder) {
            Ok(pb::Holder::Exporter) => Holder::Exporter,
            Ok(pb::Holder::Importer) => Holder::Importer,
            Ok(pb::Holder::Both) => Holder::Both,
            Ok(pb::Holder::Unspecified) | Err(_) => {
                return Err(Refusal::field(
                    "comparison.differences.holder",
                    "is none that is known",
                ));
            }
        };
        let key = read_key(key)?;
        Ok(Difference { key, holder })
    };
    Ok(Compared {
        offered,
        home,
        held,
        met,
        differences: differences
            .into_iter()
            .map(difference)
            .collect::<Result<_, _>>()?,
        more,
    })
}

fn write_comparison(comparison: Compared) -> pb::ComparisonReply {
    let Compared {
        offered,
        home,
        held,
        met,
        differences,
        more,
    } = comparison;
    let difference = |Difference { key, holder }| pb::KeyDifference {
        key,
        holder: match holder {
            Holder::Exporter => pb::Holder::Exporter,
            Holder::Importer => pb::Holder::Importer,
            Holder::Both => pb::Holder::Both,
        }
        .into(),
    };
    pb::ComparisonReply {
        offered,
        home,
        held,
        met,
        differences: differences.into_iter().map(difference).collect(),
        more,
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(name, "is required"))
}

fn bounded(name: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        return Err(Refusal::field(name, format_args!("at most {max}, not {count}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use peerd_core::ConnectionId;

    use super::*;

    fn flow() -> Flow {
        Flow {
            connection: ConnectionId::from_bytes([1; 16]),
            object_type: "ship".to_owned(),
        }
    }

    #[test]
    fn questions_read_back() {
        let buckets = BTreeSet::from([0, 7, 8, 4_095]);
        for question in [
            Question::Digests(flow()),
            Question::Comparison(flow()),
            Question::Entries {
                flow: flow(),
                buckets: buckets.clone(),
                after: None,
            },
            Question::Entries {
                flow: flow(),
                buckets,
                after: Some("k".to_owned()),
            },
            Question::Items {
                flow: flow(),
                keys: vec!["a".to_owned(), "b".to_owned()],
                patient: true,
            },
        ] {
            assert_eq!(read_question(write_question(question.clone())), Ok(question));
        }
    }

    #[test]
    fn answers_read_back() {
        let sums = (0..4_096).map(|bucket| u128::MAX - bucket).collect();
        let difference = |holder| Difference {
            key: "k".to_owned(),
            holder,
        };
        let differences = [Holder::Exporter, Holder::Importer, Holder::Both];
        for answer in [
            Answer::Digests(Digests::new(sums, 9, 3).unwrap()),
            Answer::Entries {
                entries: vec![Entry {
                    key: "k".to_owned(),
                    hash: ItemHash(5),
                    home: true,
                }],
                more: true,
            },
            Answer::Items {
                items: vec![
                    Offered::Item(Bytes::from_static(b"state")),
                    Offered::TooLarge,
                    Offered::Nothing,
                ],
                settled: true,
            },
            Answer::Comparison(Compared {
                offered: 4,
                home: 3,
                held: 2,
                met: 1,
                differences: differences.map(difference).to_vec(),
                more: true,
            }),
        ] {
            assert_eq!(read_reply(write_reply(answer.clone())), Ok(answer));
        }
    }

    #[test]
    fn what_is_missing_or_of_another_size_is_refused() {
        assert!(read_question(pb::Question::default()).is_err());
        assert!(read_reply(pb::Reply::default()).is_err());
        assert!(read_buckets(&Bytes::from_static(&[0; 511])).is_err());
        assert!(read_key("k".repeat(KEY_BYTES_MAX + 1)).is_err());
        assert!(read_offered(pb::OfferedItem::default()).is_err());
        let short = pb::DigestsReply {
            sums: vec![0; 65_535].into(),
            ..pb::DigestsReply::default()
        };
        assert!(read_digests(short).is_err());
        let unknown = pb::ComparisonReply {
            differences: vec![pb::KeyDifference::default()],
            ..pb::ComparisonReply::default()
        };
        assert!(read_comparison(unknown).is_err());
    }
}
