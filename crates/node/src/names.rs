//! Unique names, and finding things by name or id.

use peerd_core::name::Name;
use peerd_core::{EnrollmentId, LinkId, Reason};
use peerd_store::records::{NameKind, NamedThing};
use peerd_store::{Batch, RecordBatch as _, Records as _, Table};

use crate::{Error, Node};

impl Node {
    /// The 16 bytes of the id that holds this name, if one does.
    pub(crate) async fn holder(&self, kind: NameKind, name: &Name) -> Result<Option<[u8; 16]>, Error> {
        let key = NamedThing::key_of(kind, name);
        Ok(self
            .store
            .find::<NamedThing>(&key)
            .await?
            .map(|found| found.record.id))
    }
}

/// Takes a name as part of a batch. The batch fails when somebody has it; ask [`Node::holder`] first for a clear
/// answer.
pub(crate) fn take(batch: &mut Batch, kind: NameKind, name: &Name, id: [u8; 16]) -> Result<(), Error> {
    batch.insert(&NamedThing {
        kind,
        name: name.clone(),
        id,
    })?;
    Ok(())
}

/// Gives a name back.
pub(crate) fn free(batch: &mut Batch, kind: NameKind, name: &Name) {
    batch.delete(Table::Names, NamedThing::key_of(kind, name));
}

/// Makes this link the one that leads to the enrollment. There is one at a time.
pub(crate) fn take_remote(batch: &mut Batch, remote: EnrollmentId, link: LinkId) -> Result<(), Error> {
    take(batch, NameKind::Remote, &remote_name(remote)?, *link.as_bytes())
}

/// No link leads to the enrollment any more.
pub(crate) fn free_remote(batch: &mut Batch, remote: EnrollmentId) {
    if let Ok(name) = remote_name(remote) {
        free(batch, NameKind::Remote, &name);
    }
}

/// An enrollment id, spelled as a name: 52 lower-case characters always are one.
pub(crate) fn remote_name(remote: EnrollmentId) -> Result<Name, Error> {
    remote
        .to_string()
        .parse()
        .map_err(|error| Error::of(Reason::Internal).because(error))
}
