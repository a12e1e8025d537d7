//! A batch in the making.

use bytes::Bytes;
use peerd_core::Reason;
use peerd_store::records::Mark;

use super::marks::Settle;
use super::offer::Offer;
use super::park::Poison;
use super::position::{Standpoint, Walk};
use super::terms::ExportTerms;
use super::{Change, Item};

/// The most items of a batch.
const ITEMS_MAX: usize = 500;
/// When a batch has so many bytes it is full; only one that has a single item is larger.
const BYTES_FULL: usize = 1 << 20;
/// So many places are looked at before the policies are asked again, when nothing of them goes.
const LOOK_MAX: u64 = 4_096;

/// One object on the way into a batch.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its place in the feed.
    pub(super) sequence: u64,
    /// Its primary key.
    pub(super) key: String,
    /// Where its mark is kept.
    pub(super) place: Bytes,
    /// What was decided about it.
    pub(super) offer: Offer,
}

/// A mark that a batch leaves.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) place: Bytes,
    pub(super) mark: Mark,
    /// What the acknowledgement does to it.
    pub(super) settle: Option<Settle>,
    /// The mark only says anew what is known of the object: nothing is lost when it is written late, or never.
    pub(super) renewed: bool,
}

/// The items of a batch, and what must be written before it is handed out.
#[derive(Debug)]
pub(super) struct Draft {
    /// How far the walk has come.
    pub(super) at: Standpoint,
    /// How far it has come as the other side may learn, by what it is sent.
    pub(super) told: Standpoint,
    pub(super) items: Vec<Item>,
    pub(super) marks: Vec<Marked>,
    pub(super) poison: Vec<Poison>,
    /// How many places of the walk were looked at.
    pub(super) looked_at: u64,
    bytes: usize,
}

impl Draft {
    pub(super) fn new(at: Standpoint) -> Draft {
        Draft {
            told: at.clone(),
            at,
            items: Vec::new(),
            marks: Vec::new(),
            poison: Vec::new(),
            looked_at: 0,
            bytes: 0,
        }
    }

    /// Whether the mark of a candidate decides about it.
    pub(super) fn needs_mark(&self, candidate: &Candidate) -> bool {
        match candidate.offer {
            Offer::Send(_) | Offer::SendBack(_) => candidate.sequence <= self.at.floor,
            Offer::SendToHolders(_) | Offer::Withhold => true,
            Offer::Nothing | Offer::TooLarge => false,
        }
    }

    /// Whether it is full, or so much was looked at that the policies should be asked again.
    pub(super) fn is_worth_sending(&self) -> bool {
        self.items.len() == ITEMS_MAX || self.bytes >= BYTES_FULL || self.looked_at >= LOOK_MAX
    }

    /// Takes in one place of the walk. Answers whether there was room; if not, nothing was taken in.
    pub(super) fn add(&mut self, terms: &ExportTerms, candidate: Candidate, mark: Option<Mark>) -> bool {
        let bytes = match &candidate.offer {
            Offer::Send(bytes) | Offer::SendToHolders(bytes) | Offer::SendBack(bytes) => {
                bytes.len() + candidate.key.len()
            }
            _ => 0,
        };
        if self.items.len() == ITEMS_MAX || !self.items.is_empty() && self.bytes + bytes > BYTES_FULL {
            return false;
        }
        let Candidate {
            sequence,
            key,
            place,
            offer,
        } = candidate;
        let passed = key.clone();
        let is_known = mark.is_some_and(|mark| is_known(mark, sequence, terms));
        match offer {
            // What did not change, and is there in these words, need not be said again.
            Offer::Send(_) | Offer::SendToHolders(_) | Offer::SendBack(_)
                if sequence <= self.at.floor && is_known => {}
            Offer::Send(bytes) => self.send(terms, (sequence, key, place), bytes, mark),
            // That a deletion was told must be known for certain, before it is forgotten here.
            Offer::SendBack(bytes) => self.send(terms, (sequence, key, place), bytes, None),
            Offer::SendToHolders(bytes) if mark.is_some() => {
                self.send(terms, (sequence, key, place), bytes, None);
            }
            Offer::Withhold => self.retract(key, place, mark),
            Offer::TooLarge => self.poison.push(Poison {
                outgoing: true,
                remote_type: terms.feed.object_type.clone(),
                object_type: terms.feed.object_type.clone(),
                key,
                reason: Reason::TooLarge,
                message: format!("the object is larger than {} bytes", super::item::BYTES_MAX),
                bytes: None,
            }),
            Offer::SendToHolders(_) | Offer::Nothing => {}
        }
        self.pass(sequence, passed);
        true
    }

    /// The scan is over: the feed is followed. What changed while it went on, up to `head`, is partly told.
    pub(super) fn follow(&mut self, head: u64) {
        if let Walk::Scan { from, .. } = self.at.walk {
            self.at.walk = Walk::Follow(from);
            self.at.floor = self.at.floor.max(head);
            self.told = self.at.clone();
        }
    }

    fn send(
        &mut self,
        terms: &ExportTerms,
        (sequence, key, place): (u64, String, Bytes),
        bytes: Bytes,
        known: Option<Mark>,
    ) {
        let repeated = sequence <= self.at.floor;
        self.bytes += bytes.len() + key.len();
        self.marks.push(Marked {
            place,
            mark: Mark {
                sequence,
                vocabulary: terms.vocabulary,
                sure: !repeated,
            },
            settle: repeated.then_some(Settle::Confirm),
            renewed: !repeated && known.is_some_and(|mark| mark.sure),
        });
        let change = Change::State(bytes);
        self.items.push(Item { key, change });
    }

    fn retract(&mut self, key: String, place: Bytes, mark: Option<Mark>) {
        // Who was not told of it does not learn now that it is here.
        let Some(mark) = mark.filter(|mark| *mark != Mark::THEIRS) else {
            return;
        };
        self.marks.push(Marked {
            place,
            mark: Mark { sure: false, ..mark },
            settle: Some(Settle::Forget),
            renewed: false,
        });
        self.bytes += key.len();
        let change = Change::Retraction;
        self.items.push(Item { key, change });
    }

    fn pass(&mut self, sequence: u64, key: String) {
        self.looked_at += 1;
        match &mut self.at.walk {
            Walk::Follow(at) => {
                *at = sequence;
                self.told = self.at.clone();
            }
            Walk::Scan { after, .. } => {
                // A key that is withheld must not even show by its length.
                if let (Walk::Scan { after: told, .. }, Some(item)) = (&mut self.told.walk, self.items.last())
                    && item.key == key
                {
                    told.clone_from(&key);
                }
                *after = key;
            }
        }
    }
}

fn is_known(mark: Mark, sequence: u64, terms: &ExportTerms) -> bool {
    mark.sure && mark.sequence == sequence && mark.vocabulary == terms.vocabulary
}
