//! The enrollment itself: who it is, its platform title, and how it is.

use std::collections::BTreeMap;

use peerd_core::audit::{Actor, Fact};
use peerd_core::authz::Action;
use peerd_core::link::{Link, Stage, Status};
use peerd_core::name::Title;
use peerd_core::peering::Connection;
use peerd_core::{EnrollmentId, Fingerprint};
use peerd_store::{Batch, RecordBatch as _, Records as _, meta_record};
use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Node, audit};

mod rotate;

/// What the enrollment calls itself to others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PlatformTitle {
    pub(crate) title: Title,
}

meta_record!(PlatformTitle, b"platform_title", 1);

/// An enrollment as its own operators see it.
#[derive(Clone, Debug)]
pub struct EnrollmentView {
    /// Its id.
    pub id: EnrollmentId,
    /// The local name given at `peerd init`.
    pub name: String,
    /// The platform title, once it is set.
    pub title: Option<Title>,
    /// The fingerprint of the identity certificate.
    pub fingerprint: Fingerprint,
    /// Where others can dial it, as host:port.
    pub addresses: Vec<String>,
}

/// How an enrollment is.
#[derive(Clone, Debug)]
pub struct EnrollmentStatus {
    /// Who it is.
    pub enrollment: EnrollmentView,
    /// How many links have each status, by the words of `link list`.
    pub links: BTreeMap<&'static str, u32>,
    /// How many connections are in each stage, by the words of `connection show`.
    pub connections: BTreeMap<&'static str, u32>,
    /// `ok`, or the worst thing that is wrong.
    pub health: String,
}

impl Node {
    /// Who this enrollment is.
    pub async fn show_enrollment(&self, caller: &Caller) -> Result<EnrollmentView, Error> {
        self.authorize(caller, Action::EnrollmentShow, None).await?;
        self.view_enrollment().await
    }

    /// Sets the platform title that others see.
    pub async fn set_title(&self, caller: &Caller, title: Title) -> Result<EnrollmentView, Error> {
        self.authorize(caller, Action::EnrollmentSetTitle, None).await?;
        let fact = Fact::of_call(self.now(), caller.principal(), Action::EnrollmentSetTitle);
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact.on(self.enrollment_id()).detail("title", &title))?;
        batch.upsert(&PlatformTitle { title })?;
        self.commit(batch).await?;
        self.view_enrollment().await
    }

    /// Sets the title from the configuration, where there is none yet: what an operator set since then stays.
    pub async fn set_initial_title(&self, title: &Title) -> Result<(), Error> {
        if self.title().await?.is_some() {
            return Ok(());
        }
        let fact = Fact::new(self.now(), Actor::System, Action::EnrollmentSetTitle.word());
        let mut batch = Batch::new();
        audit::record(&mut batch, &fact.on(self.enrollment_id()).detail("title", title))?;
        batch.insert(&PlatformTitle { title: title.clone() })?;
        match self.commit(batch).await {
            // Somebody set one at the same moment.
            Err(error) if error.is_lost_race() => Ok(()),
            answer => answer,
        }
    }

    /// How the enrollment is: links and connections by state, and what is worst.
    pub async fn status(&self, caller: &Caller) -> Result<EnrollmentStatus, Error> {
        self.authorize(caller, Action::Status, None).await?;
        let links = self.links_by_status().await?;
        let count = |status: Status| links.get(status.as_str()).copied().unwrap_or(0);
        let health = match () {
            () if self.policies_are_unreadable() => {
                "the policies are unreadable; everything is denied".to_owned()
            }
            () if count(Status::Down) > 0 => format!("{} links are down", count(Status::Down)),
            () if count(Status::Blocked) > 0 => format!("{} links are blocked", count(Status::Blocked)),
            () if count(Status::Degraded) > 0 => format!("{} links are degraded", count(Status::Degraded)),
            () => "ok".to_owned(),
        };
        Ok(EnrollmentStatus {
            enrollment: self.view_enrollment().await?,
            links,
            connections: self.connections_by_stage().await?,
            health,
        })
    }

    /// The platform title, once it is set.
    pub(crate) async fn title(&self) -> Result<Option<Title>, Error> {
        let found = self.store.find::<PlatformTitle>(b"platform_title").await?;
        Ok(found.map(|found| found.record.title))
    }

    async fn view_enrollment(&self) -> Result<EnrollmentView, Error> {
        Ok(EnrollmentView {
            id: self.enrollment_id(),
            name: self.settings.name.clone(),
            title: self.title().await?,
            fingerprint: self.fingerprint(),
            addresses: self.settings.addresses.clone(),
        })
    }

    /// Links that are not over.
    pub(crate) async fn links_by_status(&self) -> Result<BTreeMap<&'static str, u32>, Error> {
        let mut counts = BTreeMap::new();
        for found in self.store.all::<Link>(&[]).await? {
            if matches!(found.record.stage, Stage::Removed { .. }) {
                continue;
            }
            let view = self.view_link(found.record).await?;
            *counts.entry(view.health.status.as_str()).or_default() += 1;
        }
        Ok(counts)
    }

    async fn connections_by_stage(&self) -> Result<BTreeMap<&'static str, u32>, Error> {
        let mut counts = BTreeMap::new();
        for found in self.store.all::<Connection>(&[]).await? {
            *counts.entry(found.record.stage.name()).or_default() += 1;
        }
        Ok(counts)
    }
}
