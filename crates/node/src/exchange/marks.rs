//! Marks: which objects the other side may have from us.
//!
//! A mark is durable before its batch is handed out, so whatever the other side has can be retracted. What is not
//! certain until it is acknowledged, a retraction or a repetition under new terms, makes its mark unsure: an unsure
//! mark never keeps an object from being sent again.

use std::collections::BTreeMap;

use bytes::Bytes;
use peerd_store::records::Mark;
use peerd_store::{Batch, Entry, Expect, Table};

use super::draft::Marked;
use super::{Flow, Refusal};
use crate::{Error, Node};

/// What an acknowledgement does to a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// The other side has the object.
    Confirm,
    /// The other side has it no more.
    Forget,
}

/// Marks that wait for the acknowledgement of a batch.
#[derive(Debug, Default)]
pub(super) struct Unsettled(BTreeMap<Bytes, (u64, Mark, Settle)>);

impl Unsettled {
    /// A batch wrote these marks; those with nothing to settle replace an earlier wait.
    pub(super) fn wait(&mut self, number: u64, marks: Vec<Marked>) {
        for Marked {
            place, mark, settle, ..
        } in marks
        {
            match settle {
                Some(settle) => drop(self.0.insert(place, (number, mark, settle))),
                None if self.0.is_empty() => {}
                None => drop(self.0.remove(&place)),
            }
        }
    }

    fn due(&self, number: u64) -> Vec<(Bytes, Mark, Settle)> {
        let due = self.0.iter().filter(|(_, (waits_for, ..))| *waits_for <= number);
        due.map(|(key, (_, mark, settle))| (key.clone(), *mark, *settle))
            .collect()
    }

    fn forget(&mut self, number: u64) {
        self.0.retain(|_, (waits_for, ..)| *waits_for > number);
    }
}

/// Marks that are written when there is something else to write: they say anew what an earlier one said. Lost, they
/// cost that their objects are said again under other terms.
#[derive(Debug, Default)]
pub(super) struct Renewed(BTreeMap<Bytes, Mark>);

impl Renewed {
    /// So many wait; more are written for their own sake.
    const WAITING_MAX: usize = 256;

    /// Adds the marks of a draft that must be written now, if any, and with them those that waited. The others wait.
    pub(super) fn write(&mut self, batch: &mut Batch, marks: &[Marked]) {
        for Marked {
            place, mark, renewed, ..
        } in marks
        {
            if *renewed {
                self.0.insert(place.clone(), *mark);
            } else {
                self.0.remove(place);
                batch.put(Table::Exported, place.clone(), mark.to_bytes());
            }
        }
        if !batch.is_empty() || self.0.len() > Renewed::WAITING_MAX {
            for (place, mark) in std::mem::take(&mut self.0) {
                batch.put(Table::Exported, place, mark.to_bytes());
            }
        }
    }
}

impl Renewed {
    /// Gives up the marks of objects that the other side did not take.
    pub(super) fn forget(&mut self, flow: &Flow, refusals: &[Refusal]) {
        for refusal in refusals {
            self.0.remove(&key_of(flow, &refusal.key));
        }
    }
}

/// The key of an object's mark.
pub(super) fn key_of(flow: &Flow, primary_key: &str) -> Bytes {
    let mut key = Mark::prefix(flow.connection, &flow.object_type);
    key.extend(primary_key.as_bytes());
    key.into()
}

pub(super) fn read(entry: Option<&Entry>) -> Result<Option<Mark>, Error> {
    let mark = entry.map(|entry| Mark::from_bytes(&entry.value)).transpose()?;
    Ok(mark)
}

impl Node {
    /// Settles what waited for the batches up to this one. A mark that says something else by now is left alone.
    pub(super) async fn settle(&self, unsettled: &mut Unsettled, number: u64) -> Result<(), Error> {
        let due = unsettled.due(number);
        if !due.is_empty() {
            self.retrying(|| self.settle_once(&due)).await?;
            unsettled.forget(number);
        }
        Ok(())
    }

    /// Takes note that the other side did not take these objects: their marks say no more than that it may have them.
    pub(super) async fn doubt(&self, flow: &Flow, refusals: &[Refusal]) -> Result<(), Error> {
        if refusals.is_empty() {
            return Ok(());
        }
        let keys: Vec<Bytes> = refusals.iter().map(|one| key_of(flow, &one.key)).collect();
        self.retrying(async || {
            let found = self.store.read_many(Table::Exported, &keys).await?;
            let mut batch = Batch::new();
            for (key, entry) in keys.iter().zip(found) {
                let Some(entry) = entry else { continue };
                let mark = Mark::from_bytes(&entry.value)?;
                if mark.sure {
                    let unsure = Mark { sure: false, ..mark };
                    batch.expect(Table::Exported, key.clone(), Expect::At(entry.revision));
                    batch.put(Table::Exported, key.clone(), unsure.to_bytes());
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            self.commit(batch).await
        })
        .await
    }

    async fn settle_once(&self, due: &[(Bytes, Mark, Settle)]) -> Result<(), Error> {
        let keys: Vec<Bytes> = due.iter().map(|(key, ..)| key.clone()).collect();
        let found = self.store.read_many(Table::Exported, &keys).await?;
        let mut batch = Batch::new();
        for ((key, written, settle), entry) in due.iter().zip(found) {
            let Some(entry) = entry else { continue };
            if Mark::from_bytes(&entry.value)? != *written {
                continue;
            }
            batch.expect(Table::Exported, key.clone(), Expect::At(entry.revision));
            match settle {
                Settle::Confirm => {
                    let sure = Mark {
                        sure: true,
                        ..*written
                    };
                    batch.put(Table::Exported, key.clone(), sure.to_bytes())
                }
                Settle::Forget => batch.delete(Table::Exported, key.clone()),
            };
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.commit(batch).await
    }
}
