//! What becomes of an artifact after it was put.

use std::collections::BTreeSet;

use peerd_core::ContentHash;
use peerd_core::authz::Action;

use super::{ArtifactAt, ArtifactView, of_artifact};
use crate::{Caller, Error, Node};

/// How the tags of an artifact change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retag {
    /// It has these as well.
    Add(BTreeSet<String>),
    /// It has these no more.
    Remove(BTreeSet<String>),
    /// It has these and no others.
    Set(BTreeSet<String>),
}

impl Node {
    /// Changes the tags of an artifact. A tag by which it is shared sends it, or takes it back.
    pub async fn tag_artifact(
        &self,
        caller: &Caller,
        at: &ArtifactAt,
        retag: &Retag,
    ) -> Result<ArtifactView, Error> {
        self.change_artifact(caller, Action::ArtifactTag, at, |artifact| {
            match retag {
                Retag::Add(tags) => artifact.tags.extend(tags.iter().cloned()),
                Retag::Remove(tags) => artifact.tags.retain(|tag| !tags.contains(tag)),
                Retag::Set(tags) => artifact.tags.clone_from(tags),
            }
            Ok(())
        })
        .await
    }

    /// Gives an artifact another name.
    pub async fn rename_artifact(
        &self,
        caller: &Caller,
        at: &ArtifactAt,
        name: &str,
    ) -> Result<ArtifactView, Error> {
        self.change_artifact(caller, Action::ArtifactPut, at, |artifact| {
            name.clone_into(&mut artifact.name);
            Ok(())
        })
        .await
    }

    /// Gives an artifact back the content with this hash, which it had before, or the last one before this.
    pub async fn restore_artifact(
        &self,
        caller: &Caller,
        at: &ArtifactAt,
        hash: Option<ContentHash>,
    ) -> Result<ArtifactView, Error> {
        self.change_artifact(caller, Action::ArtifactPut, at, |artifact| {
            let mut kept = artifact.previous.iter();
            let kept = kept.find(|blob| hash.is_none_or(|hash| blob.hash == hash));
            let kept = *kept.ok_or_else(|| Error::not_found("previous content"))?;
            artifact.replace(kept);
            Ok(())
        })
        .await
    }

    /// Deletes an artifact, here and where it was sent to.
    pub async fn delete_artifact(&self, caller: &Caller, at: &ArtifactAt) -> Result<(), Error> {
        let place = self.artifact_place(caller, Action::ArtifactDelete, at).await?;
        let me = self.enrollment_id();
        let subject = place.subject();
        let deleted = self.change_seen(caller, Action::ArtifactDelete, &subject, |_, state, hlc| {
            Ok(state.delete(hlc, me)?)
        });
        deleted.await.map_err(of_artifact)?;
        Ok(())
    }
}
