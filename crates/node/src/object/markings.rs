//! Markings that arrive with data.

use std::collections::BTreeSet;

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::authz::Marking;
use peerd_core::name::Name;
use peerd_store::{Batch, Record as _, RecordBatch as _, Records as _};

use crate::{Error, Node};

/// The most markings there can be: what arrives must not fill the table that every read looks at.
const MARKINGS_MAX: u64 = 10_000;

impl Node {
    /// Adds to a batch those of these markings that are unknown here, without members: what carries them is stored, and
    /// nobody sees it until somebody is granted access. Somebody else creating one meanwhile makes the batch lose a
    /// race. To be called once for all items of a batch.
    pub(crate) async fn ensure_markings(
        &self,
        batch: &mut Batch,
        names: &BTreeSet<Name>,
    ) -> Result<(), Error> {
        let keys: Vec<Bytes> = names
            .iter()
            .map(|name| Bytes::copy_from_slice(name.as_str().as_bytes()))
            .collect();
        let known = self.store.find_many::<Marking>(&keys).await?;
        let unknown: Vec<&Name> = names
            .iter()
            .zip(known)
            .filter_map(|(name, found)| found.is_none().then_some(name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let count = self.store.count(Marking::TABLE, &[]).await?;
        if count.saturating_add(unknown.len() as u64) > MARKINGS_MAX {
            return Err(Error::new(
                Reason::TooLarge,
                format!("there would be more than {MARKINGS_MAX} markings"),
            ));
        }
        for name in unknown {
            batch.insert(&Marking {
                name: name.clone(),
                members: BTreeSet::new(),
            })?;
        }
        Ok(())
    }
}
