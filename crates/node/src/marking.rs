//! Markings and classification levels.

use std::collections::BTreeMap;

use peerd_core::authz::Marking;
use peerd_core::name::Name;
use peerd_core::security::Levels;
use peerd_store::{Records as _, meta_record};
use serde::{Deserialize, Serialize};

use crate::{Error, Node};

/// The classification levels, lowest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredLevels {
    pub(crate) levels: Levels,
}

meta_record!(StoredLevels, b"classification_levels", 1);

impl Node {
    /// The classification levels.
    pub(crate) async fn levels(&self) -> Result<Levels, Error> {
        let found = self.store.find::<StoredLevels>(b"classification_levels").await?;
        Ok(found.map(|found| found.record.levels).unwrap_or_default())
    }

    /// Every marking, by name.
    pub(crate) async fn markings(&self) -> Result<BTreeMap<Name, Marking>, Error> {
        let found = self.store.all::<Marking>(&[]).await?;
        Ok(found
            .into_iter()
            .map(|found| (found.record.name.clone(), found.record))
            .collect())
    }
}
