//! Markings and classification levels.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use peerd_core::Reason;
use peerd_core::audit::Fact;
use peerd_core::authz::{Action, Marking};
use peerd_core::name::Name;
use peerd_core::security::Levels;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _, meta_record};
use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Node, audit};

/// The classification levels, lowest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct StoredLevels {
    pub(crate) levels: Levels,
}

meta_record!(StoredLevels, b"classification_levels", 1);

impl Node {
    /// Makes a marking with nobody in it: what carries it is invisible to all until somebody is granted it.
    pub async fn create_marking(&self, caller: &Caller, name: Name) -> Result<Marking, Error> {
        self.authorize(caller, Action::MarkingCreate, None).await?;
        let marking = Marking {
            name,
            members: BTreeSet::new(),
        };
        self.retrying(|| self.create_marking_once(caller, &marking))
            .await?;
        Ok(marking)
    }

    async fn create_marking_once(&self, caller: &Caller, marking: &Marking) -> Result<(), Error> {
        let key = marking.name.as_str().as_bytes();
        if self.store.find::<Marking>(key).await?.is_some() {
            return Err(Error::new(
                Reason::NameTaken,
                format!("a marking named {} exists", marking.name),
            ));
        }
        let mut batch = Batch::new();
        batch.insert(marking)?;
        let fact = Fact::of_call(self.now(), caller.principal(), Action::MarkingCreate);
        audit::record(&mut batch, &fact.on(&marking.name))?;
        self.commit(batch).await
    }

    /// Lets a principal see what carries the marking.
    pub async fn grant_marking(
        &self,
        caller: &Caller,
        marking: &Name,
        principal: &str,
    ) -> Result<Marking, Error> {
        self.authorize(caller, Action::MarkingGrant, None).await?;
        self.retrying(|| self.grant_marking_once(caller, marking, principal))
            .await
    }

    async fn grant_marking_once(
        &self,
        caller: &Caller,
        marking: &Name,
        principal: &str,
    ) -> Result<Marking, Error> {
        let found = self.store.find::<Marking>(marking.as_str().as_bytes()).await?;
        let Found {
            record: mut marking,
            revision,
        } = found.ok_or_else(|| Error::not_found("marking"))?;
        let principal = self.principal(principal).await?.record;
        if principal.revoked_at.is_some() {
            return Err(Error::not_found("principal"));
        }
        if marking.members.insert(principal.id) {
            let mut batch = Batch::new();
            batch.replace(&marking, revision)?;
            let fact = Fact::of_call(self.now(), caller.principal(), Action::MarkingGrant);
            audit::record(&mut batch, &fact.on(&marking.name).on(principal.id))?;
            self.commit(batch).await?;
        }
        Ok(marking)
    }

    /// Markings, by name.
    pub async fn list_markings(
        &self,
        caller: &Caller,
        after: Option<&Name>,
        limit: usize,
    ) -> Result<(Vec<Marking>, Option<Name>), Error> {
        self.authorize(caller, Action::MarkingList, None).await?;
        let after = after.map(|name| Bytes::copy_from_slice(name.as_str().as_bytes()));
        let page = self.store.page::<Marking>(&[], after, limit).await?;
        let markings: Vec<Marking> = page.records.into_iter().map(|found| found.record).collect();
        let next = page
            .next
            .and_then(|_| markings.last().map(|last| last.name.clone()));
        Ok((markings, next))
    }

    /// Sets the classification levels. A level that is still in use may go: what carries it is then above every
    /// level that is known, so it stays where it is until its classification is set anew.
    pub async fn set_levels(&self, caller: &Caller, levels: Levels) -> Result<Levels, Error> {
        self.authorize(caller, Action::ClassificationSetLevels, None)
            .await?;
        let words: Vec<&str> = levels.as_slice().iter().map(Name::as_str).collect();
        let fact = Fact::of_call(self.now(), caller.principal(), Action::ClassificationSetLevels);
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact.detail("levels", words.join(" < ")))?;
        batch.upsert(&StoredLevels {
            levels: levels.clone(),
        })?;
        self.commit(batch).await?;
        Ok(levels)
    }

    /// The classification levels, for whoever asks.
    pub async fn show_levels(&self, caller: &Caller) -> Result<Levels, Error> {
        self.authorize(caller, Action::ClassificationShow, None).await?;
        self.levels().await
    }

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
