//! The importing side: what came over a connection and is there still, and what would become of what came now.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::mapping::Projection;
use peerd_core::object::ObjectKey;
use peerd_core::policy::{self, Permit};
use peerd_store::{Range, Table};

use super::digest::{Digests, ItemHash};
use super::{Entry, Offered};
use crate::exchange::intake::{Arrival, Intake, Outcome};
use crate::exchange::position::Digest;
use crate::exchange::terms::ImportTerms;
use crate::exchange::{Flow, marks};
use crate::object::stored::{Stored, found, object_of};
use crate::{Error, Node};

/// How many objects are read at once: they are large at worst.
const PAGE: usize = 64;

/// On which side a differing object is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// Only the exporter has it: it is missing here, or parked.
    Exporter,
    /// Only the importer has it: a copy that should be gone.
    Importer,
    /// Both have it, and it is not the same.
    Both,
}

/// What was found about one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// If it came now, nothing would change.
    Same {
        /// It is here, and not because it came.
        met: bool,
    },
    /// Something would.
    Differs(Holder),
}

/// Goes through everything that came over a connection and is live, in the order of keys. The policies are asked for
/// every page, and terms that change end it with [`Reason::ConcurrentChange`].
pub(super) struct HeldWalk<'a> {
    node: &'a Node,
    flow: &'a Flow,
    terms: Option<Digest>,
    after: Option<Bytes>,
}

impl<'a> HeldWalk<'a> {
    pub(super) fn new(node: &'a Node, flow: &'a Flow) -> HeldWalk<'a> {
        HeldWalk {
            node,
            flow,
            terms: None,
            after: None,
        }
    }

    /// The next page, in the words of the other side; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let (_, terms) = self.node.may_import(self.flow).await?;
        if *self.terms.get_or_insert(terms.digest) != terms.digest {
            return Err(Error::of(Reason::ConcurrentChange));
        }
        let range = Range::prefix(Table::Objects, terms.feed.prefix(), PAGE);
        let range = match &self.after {
            Some(after) => range.after(after.clone()),
            None => range,
        };
        let page = self.node.store.range(range).await?;
        let Some((last, _)) = page.last() else {
            return Ok(None);
        };
        self.after = Some(last.clone());
        let view = Held::new(self.node, &terms);
        let mut entries = Vec::new();
        for (place, entry) in &page {
            let stored = found(entry)?.record;
            if stored.provenance.via != Some(self.flow.connection) {
                continue;
            }
            let key = object_of(&terms.feed, place)?;
            if let Some(hash) = view.live_hash(key.primary_key(), &stored)? {
                entries.push(Entry {
                    key: key.primary_key().to_owned(),
                    hash,
                    home: false,
                });
            }
        }
        Ok(Some(entries))
    }
}

/// What is here, as the other side would say it.
pub(super) struct Held<'a> {
    terms: &'a ImportTerms,
    projection: Projection,
}

impl<'a> Held<'a> {
    pub(super) fn new(node: &Node, terms: &'a ImportTerms) -> Held<'a> {
        Held {
            terms,
            projection: Projection::of(&terms.import, node.enrollment_id()),
        }
    }

    /// The hash of an object's part that could have come, if that is live.
    pub(super) fn live_hash(&self, key: &str, stored: &Stored) -> Result<Option<ItemHash>, Error> {
        let part = self.projection.part(&stored.state);
        let part = part.map_err(|error| Error::of(Reason::StoreCorrupt).because(error))?;
        Ok(part.is_live().then(|| ItemHash::of(key, &part.encode())))
    }

    fn came(&self, stored: &Stored) -> bool {
        stored.provenance.via == Some(self.terms.connection.id)
    }

    /// Whether an object is the same here as what was offered with this hash, without looking at what that is.
    pub(super) fn is_same(
        &self,
        key: &str,
        stored: &Stored,
        theirs: ItemHash,
    ) -> Result<Option<Verdict>, Error> {
        let equal = self.live_hash(key, stored)? == Some(theirs);
        let met = !self.came(stored);
        Ok(equal.then_some(Verdict::Same { met }))
    }

    /// What would become of an object if that which is offered of it came now.
    ///
    /// Of an object that is here by itself the other side learns nothing unless it is `known` that both have it: to say
    /// that something would not change, or that it would, tells that it is here.
    pub(super) fn judge(
        &self,
        permit: &Permit<policy::Flow>,
        (key, offered): (&str, &Offered),
        (stored, known): (Option<&Stored>, bool),
        me: peerd_core::EnrollmentId,
    ) -> Result<Verdict, Error> {
        let stored = stored.filter(|stored| known || self.came(stored));
        let held = match stored {
            Some(stored) => self.live_hash(key, stored)?.is_some(),
            None => false,
        };
        let met = stored.is_some_and(|stored| !self.came(stored));
        let (there, same) = match offered {
            Offered::Nothing if met => (false, true),
            Offered::Nothing => (false, false),
            Offered::TooLarge => (true, false),
            Offered::Item(bytes) => match Arrival::read(bytes) {
                Ok(arrival) => {
                    let intake = Intake {
                        permit,
                        terms: self.terms,
                        me,
                        // What an earlier connection brought is this one's only once it came over this one.
                        succeeded: &BTreeSet::new(),
                    };
                    let outcome = intake.take(key, &arrival, stored);
                    (arrival.state.is_live(), matches!(outcome, Ok(Outcome::Unchanged)))
                }
                Err(_) => (true, false),
            },
        };
        Ok(match (there, held) {
            _ if same => Verdict::Same { met },
            (false, false) => Verdict::Same { met: false },
            (true, false) => Verdict::Differs(Holder::Exporter),
            (false, true) => Verdict::Differs(Holder::Importer),
            (true, true) => Verdict::Differs(Holder::Both),
        })
    }
}

impl Node {
    /// Whether what came is just what the other side told that it offers, as far as the other side has it by itself.
    pub async fn holds(&self, flow: &Flow, told: &Digests) -> Result<bool, Error> {
        Ok(self.held_digests(flow).await?.differing(told).is_empty())
    }

    /// The digests of all that came over a connection and is live.
    pub(super) async fn held_digests(&self, flow: &Flow) -> Result<Digests, Error> {
        let mut walk = HeldWalk::new(self, flow);
        let mut digests = Digests::default();
        while let Some(entries) = walk.next().await? {
            for Entry { key, hash, home } in entries {
                digests.add(&key, hash, home);
            }
        }
        Ok(digests)
    }

    /// Which of these objects, of those here, the other side is known to have, or to have had from here.
    pub(super) async fn known_there(&self, terms: &ImportTerms, keys: &[&str]) -> Result<Vec<bool>, Error> {
        // Marks are of exports, which bear our name of the type.
        let flow = Flow {
            connection: terms.connection.id,
            object_type: terms.local.name.as_str().to_owned(),
        };
        let places: Vec<Bytes> = keys.iter().map(|key| marks::key_of(&flow, key)).collect();
        let found = self.store.read_many(Table::Exported, &places).await?;
        Ok(found.into_iter().map(|mark| mark.is_some()).collect())
    }

    /// Of these keys those that no object can have are left out.
    pub(super) fn keys_of<'k>(terms: &ImportTerms, keys: impl Iterator<Item = &'k str>) -> Vec<&'k str> {
        let name = &terms.local.name;
        keys.filter(|key| ObjectKey::new(name.clone(), *key).is_ok())
            .collect()
    }
}
