//! The audit log: writing facts into batches, reading them back.

use peerd_core::audit::Fact;
use peerd_store::{Batch, records};

use crate::Error;

/// Adds a fact to a batch, so that it is recorded if and only if what it tells of is.
pub(crate) fn record(batch: &mut Batch, fact: &Fact) -> Result<(), Error> {
    batch.audit(records::encode_fact(fact)?);
    Ok(())
}
