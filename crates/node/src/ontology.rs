//! The ontology of a space.

use std::borrow::Cow;

use peerd_core::audit::Fact;
use peerd_core::authz::Action;
use peerd_core::ontology::{ApplyError, ObjectType, Ontology, OntologyFile, Preview};
use peerd_core::{Reason, SpaceId};
use peerd_store::records::SpaceOntology;
use peerd_store::{Batch, Found, RecordBatch as _, Records as _};

use crate::{Caller, Error, Node};

/// What applying an ontology file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The revision in force.
    pub revision: u64,
    /// Whether the file changed anything.
    pub changed: bool,
}

impl Node {
    /// Applies an ontology file to a space. The ontology only grows; a file that changes nothing writes nothing.
    pub async fn apply_ontology(
        &self,
        caller: &Caller,
        space: &str,
        file: &OntologyFile,
    ) -> Result<Applied, Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::OntologyApply, Some(&space))
            .await?;
        self.retrying(|| async {
            let found = self.stored_ontology(space.id).await?;
            let before = found.as_ref().map(|found| &found.record.ontology);
            let ontology = before.unwrap_or(&Ontology::default()).evolve(file)?;
            let revision = ontology.revision;
            if before.map_or(0, |before| before.revision) == revision {
                return Ok(Applied {
                    revision,
                    changed: false,
                });
            }
            let record = SpaceOntology {
                space: space.id,
                ontology,
            };
            let mut batch = Batch::new();
            match &found {
                Some(found) => batch.replace(&record, found.revision)?,
                None => batch.insert(&record)?,
            };
            let fact = Fact::of_call(self.now(), caller.principal(), Action::OntologyApply)
                .on(space.id)
                .detail("revision", revision);
            crate::audit::record(&mut batch, &fact)?;
            self.commit(batch).await?;
            Ok(Applied {
                revision,
                changed: true,
            })
        })
        .await
    }

    /// What applying a file would change, and what it is refused for; nothing is written.
    pub async fn preview_ontology(
        &self,
        caller: &Caller,
        space: &str,
        file: &OntologyFile,
    ) -> Result<Preview, Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::OntologyApply, Some(&space))
            .await?;
        Ok(self.ontology(space.id).await?.preview(file))
    }

    /// The ontology of a space; the empty one of revision 0 while there is none.
    pub async fn show_ontology(&self, caller: &Caller, space: &str) -> Result<Ontology, Error> {
        let space = self.space(space).await?.record;
        self.authorize(caller, Action::OntologyShow, Some(&space)).await?;
        self.ontology(space.id).await
    }

    /// The ontology of a space.
    pub(crate) async fn ontology(&self, space: SpaceId) -> Result<Ontology, Error> {
        let found = self.stored_ontology(space).await?;
        Ok(found.map(|found| found.record.ontology).unwrap_or_default())
    }

    /// The type of the objects of this name in a space.
    pub(crate) async fn object_type(&self, space: SpaceId, name: &str) -> Result<ObjectType, Error> {
        let ontology = self.ontology(space).await?;
        let found = ontology.feed_type(name).map(Cow::into_owned);
        found.ok_or_else(|| Error::not_found("object type"))
    }

    async fn stored_ontology(&self, space: SpaceId) -> Result<Option<Found<SpaceOntology>>, Error> {
        Ok(self.store.find::<SpaceOntology>(space.as_bytes()).await?)
    }
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Error {
        let reason = match &error {
            ApplyError::Invalid(_) => Reason::OntologyInvalid,
            ApplyError::Incompatible(_) => Reason::OntologyIncompatible,
        };
        Error::new(reason, error.to_string())
    }
}
