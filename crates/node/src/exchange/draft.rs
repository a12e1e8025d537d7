//! A batch in the making.

use bytes::Bytes;
use peerd_core::policy::{self, Permit};
use peerd_core::{EnrollmentId, Reason};
use peerd_store::records::Mark;
use peerd_store::{Entry, Table};

use super::marks::Settle;
use super::offer::{Offer, offer};
use super::park::Poison;
use super::position::Standpoint;
use super::terms::ExportTerms;
use super::{Change, Flow, Item};
use crate::object::stored::Stored;
use crate::{Error, Node};

/// The most items of a batch.
const ITEMS_MAX: usize = 500;
/// When a batch has so many bytes it is full; only one that has a single item is larger.
const BYTES_FULL: usize = 1 << 20;

/// The items of a batch, and what must be written before it is handed out.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) at: Standpoint,
    pub(super) items: Vec<Item>,
    pub(super) marks: Vec<(Bytes, Mark, Option<Settle>)>,
    pub(super) poison: Vec<Poison>,
    /// How many places were taken in.
    pub(super) looked_at: u64,
    bytes: usize,
}

impl Draft {
    pub(super) fn new(at: Standpoint) -> Draft {
        Draft {
            at,
            items: Vec::new(),
            marks: Vec::new(),
            poison: Vec::new(),
            looked_at: 0,
            bytes: 0,
        }
    }

    /// Takes in one place of the feed. Answers whether there was room; if not, nothing was taken in.
    pub(super) fn add(
        &mut self,
        permit: &Permit<policy::Flow>,
        terms: &ExportTerms,
        me: EnrollmentId,
        (sequence, key, object): (u64, String, Option<Entry>),
        (place, mark): (Bytes, Option<Mark>),
    ) -> Result<bool, Error> {
        if self.items.len() == ITEMS_MAX {
            return Ok(false);
        }
        let offer = match &object {
            // It moved on in the feed meanwhile and will be met there.
            Some(entry) if entry.revision.0 != sequence => Offer::Nothing,
            Some(entry) => {
                let stored = Stored::decode(&entry.value)?;
                offer(permit, terms, &stored, mark.is_some(), me)
                    .map_err(|error| Error::of(Reason::StoreCorrupt).because(error))?
            }
            None => Offer::Withhold,
        };
        // What did not change, and is there in these words, need not be said again.
        let known = mark.is_some_and(|mark| {
            mark.sure && mark.sequence == sequence && mark.vocabulary == terms.vocabulary
        });
        let repeated = sequence <= self.at.floor;
        match offer {
            Offer::Send(_) if repeated && known => {}
            Offer::Send(bytes) => {
                if !self.items.is_empty() && self.bytes + bytes.len() + key.len() > BYTES_FULL {
                    return Ok(false);
                }
                self.bytes += bytes.len() + key.len();
                let next = Mark {
                    sequence,
                    vocabulary: terms.vocabulary,
                    sure: !repeated,
                };
                self.marks
                    .push((place, next, repeated.then_some(Settle::Confirm)));
                let change = Change::State(bytes);
                self.items.push(Item { key, change });
            }
            Offer::Withhold => {
                // Who was not told of it does not learn now that it is here.
                if let Some(mark) = mark.filter(|mark| *mark != Mark::THEIRS) {
                    let next = Mark { sure: false, ..mark };
                    self.marks.push((place, next, Some(Settle::Forget)));
                    self.bytes += key.len();
                    let change = Change::Retraction;
                    self.items.push(Item { key, change });
                }
            }
            Offer::TooLarge => self.poison.push(Poison {
                outgoing: true,
                remote_type: terms.feed.object_type.clone(),
                object_type: terms.feed.object_type.clone(),
                key,
                reason: Reason::TooLarge,
                message: format!("the object is larger than {} bytes", super::item::BYTES_MAX),
                bytes: None,
            }),
            Offer::Nothing => {}
        }
        self.at.sequence = sequence;
        self.looked_at += 1;
        Ok(true)
    }
}

impl Node {
    /// Writes what must be known before the batch may be seen.
    pub(super) async fn commit_draft(&self, flow: &Flow, draft: &mut Draft) -> Result<(), Error> {
        let mut batch = peerd_store::Batch::new();
        for (place, mark, _) in &draft.marks {
            batch.put(Table::Exported, place.clone(), mark.to_bytes());
        }
        self.park(&mut batch, flow.connection, std::mem::take(&mut draft.poison))
            .await?;
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch).await
    }
}
