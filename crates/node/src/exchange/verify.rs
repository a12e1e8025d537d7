//! Whether both sides of a connection have the same: what the exporter would send now, against what the importer holds.
//!
//! Nothing is kept up to date for it; what is really stored is read when somebody asks. The importing side compares:
//! tables of digests first, then the entries of the buckets that differ, then, for the objects that still differ, what
//! would become of them if they came now. Nothing would change: that is what *equal* means, so an edit that was made
//! here and goes nowhere is no difference.
//!
//! The side whose operator asks compares what it imports, and asks the other side to compare what that imports.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::peering::Connection;

use super::Flow;
use crate::peer::Peer;
use crate::{Error, Node};

mod compare;
mod digest;
mod entries;
mod held;
mod offered;
mod report;

pub use compare::{Compared, Difference, Holder};
pub use digest::{Digests, ItemHash};
pub use offered::OfferedPage;
pub use report::{Differing, TypeReport, Verification, Where};

/// The most keys that are asked for at once.
pub const KEYS_MAX: usize = 500;
/// The most entries of one answer.
pub const ENTRIES_MAX: usize = 4_000;
/// When an answer has so many bytes it is full; only one that has a single item is larger.
const ANSWER_BYTES_FULL: usize = 1 << 20;
/// The most differences that are listed, of one type in one direction and altogether.
pub const DIFFERENCES_MAX: usize = 10_000;

/// What one side asks the other about one type in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// To the exporter: the digests of all it offers.
    Digests(Flow),
    /// To the exporter: what it offers in these buckets, in the order of keys, from after this one.
    Entries {
        /// Of what.
        flow: Flow,
        /// The buckets that differ.
        buckets: BTreeSet<u16>,
        /// The last key of the answer before.
        after: Option<String>,
    },
    /// To the exporter: what it offers of these objects.
    Items {
        /// Of what.
        flow: Flow,
        /// Which objects.
        keys: Vec<String>,
        /// Whether to answer only when the stream has brought what is answered, if it comes to that in time.
        patient: bool,
    },
    /// To the importer: what it finds when it compares.
    Comparison(Flow),
}

impl Question {
    /// What it is about.
    pub fn flow(&self) -> &Flow {
        match self {
            Question::Digests(flow)
            | Question::Comparison(flow)
            | Question::Entries { flow, .. }
            | Question::Items { flow, .. } => flow,
        }
    }
}

/// What the other side answers, each to its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The digests of all that is offered.
    Digests(Digests),
    /// A part of what is offered.
    Entries {
        /// In the order of keys.
        entries: Vec<Entry>,
        /// Whether there may be more after the last.
        more: bool,
    },
    /// What is offered of the objects asked for, in the order they were asked for; the last ones may be left out, the
    /// first never.
    Items {
        /// One for each key.
        items: Vec<Offered>,
        /// Whether the stream has brought all of it.
        settled: bool,
    },
    /// What the importer found.
    Comparison(Compared),
}

/// An object that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its primary key.
    pub key: String,
    /// The hash of what is offered of it.
    pub hash: ItemHash,
    /// Whether it did not come to the exporter over this connection.
    pub home: bool,
}

/// What is offered of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// This, as a stream would bring it.
    Item(Bytes),
    /// It would have to go and is too large.
    TooLarge,
    /// Nothing. Why is not told.
    Nothing,
}

impl Node {
    /// Answers a peer's question. It is told what a stream would bring it, or what it brought here itself, and nothing
    /// else; a connection of another peer does not exist for it.
    pub async fn answer(&self, peer: &Peer, question: Question) -> Result<Answer, Error> {
        self.connection_of(peer, question.flow().connection).await?;
        Ok(match question {
            Question::Digests(flow) => Answer::Digests(self.offered_digests(&flow).await?),
            Question::Entries { flow, buckets, after } => {
                self.offered_entries(&flow, &buckets, after).await?
            }
            Question::Items { flow, keys, patient } => self.offered_items(&flow, &keys, patient).await?,
            Question::Comparison(flow) => {
                self.at_work(&flow).await?;
                // What does not come in is not compared: then nothing is offered for it either.
                let compared = match self.import_terms(&flow).await? {
                    Some(_) => self.compare(peer.link(), &flow).await?,
                    None => Compared::default(),
                };
                Answer::Comparison(compared)
            }
        })
    }

    /// The connection of a flow, while data may flow at all.
    async fn at_work(&self, flow: &Flow) -> Result<Connection, Error> {
        let connection = self.store_connection(flow.connection).await?;
        let stopped = || Error::new(Reason::WrongStage, "nothing flows on the connection now");
        connection.filter(Connection::is_flowing).ok_or_else(stopped)
    }
}

fn misbehaved(told: &str) -> Error {
    Error::new(Reason::PeerMisbehaved, told)
}
