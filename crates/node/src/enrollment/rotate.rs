//! Replacing the identity: a new key that the present one names.
//!
//! Nobody is asked and nobody is told beforehand. The new certificate shows the way from any earlier key, so a peer
//! follows it where it next meets this side; sessions begin anew so that this is at once. See
//! [`peerd_core::lineage`].

use peerd_core::audit::{Actor, Fact};
use peerd_core::authz::Action;
use peerd_core::signature::CannotRotate;
use peerd_core::{Fingerprint, Reason};
use peerd_store::{Batch, RecordBatch as _, Records as _, meta_record};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::EnrollmentView;
use crate::{Caller, Error, Node, audit};

/// The identity that the audit log knows of.
#[derive(Debug, Serialize, Deserialize)]
struct NotedIdentity {
    fingerprint: Fingerprint,
}

meta_record!(NotedIdentity, b"noted_identity", 1);

impl Node {
    /// Replaces the identity key. From then on this side shows and signs with the new one; peers that met it refuse the
    /// earlier one.
    pub async fn rotate_identity(&self, caller: &Caller) -> Result<EnrollmentView, Error> {
        self.authorize(caller, Action::EnrollmentRotateIdentity, None)
            .await?;
        let _alone = self.rotating.lock().await;
        let (identity, now) = (self.identity.clone(), self.now());
        let rotated = tokio::task::spawn_blocking(move || identity.rotate(now)).await;
        rotated
            .map_err(|error| Error::of(Reason::Internal).because(error))?
            .map_err(cannot)?;
        self.note_identity(|at| Fact::of_call(at, caller.principal(), Action::EnrollmentRotateIdentity))
            .await?;
        tracing::info!(fingerprint = %self.fingerprint(), "identity replaced");
        self.identity_changes.send_modify(|count| *count += 1);
        self.view_enrollment().await
    }

    /// Marked changed whenever this side's identity was replaced: what shows an earlier one begins anew.
    pub fn identity_changes(&self) -> watch::Receiver<u64> {
        self.identity_changes.subscribe()
    }

    /// The fingerprint of the identity certificate.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.identity.certificate())
    }

    /// Audits a replacement that a crash kept from being audited.
    pub(crate) async fn note_identity_at_start(&self) -> Result<(), Error> {
        let word = Action::EnrollmentRotateIdentity.word();
        self.note_identity(|at| Fact::new(at, Actor::System, word)).await
    }

    /// Writes down which identity is in use, and if another was, that it was replaced.
    async fn note_identity(&self, fact: impl Fn(peerd_core::Time) -> Fact) -> Result<(), Error> {
        let fingerprint = self.fingerprint();
        self.retrying(async || {
            let known = self.store.find::<NotedIdentity>(b"noted_identity").await?;
            let known = known.map(|found| found.record.fingerprint);
            if known == Some(fingerprint) {
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.upsert(&NotedIdentity { fingerprint })?;
            if let Some(earlier) = known {
                let fact = fact(self.now()).on(self.enrollment_id());
                let fact = fact.detail("earlier", earlier).detail("fingerprint", fingerprint);
                audit::record(&mut batch, &fact)?;
            }
            self.commit(batch).await
        })
        .await
    }
}

fn cannot(error: CannotRotate) -> Error {
    match error {
        CannotRotate::CannotHandOver(why) => Error::new(Reason::TooLarge, why.to_string()),
        CannotRotate::Failed(source) => Error::of(Reason::Internal).because(source),
    }
}
