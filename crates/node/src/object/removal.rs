//! Removals: objects that left their feed without a state that says so, kept for those who watch.

use peerd_core::object::ObjectKey;
use peerd_core::security::Levels;
use peerd_store::records::Removal;
use peerd_store::{Batch, FeedId, Found, RecordBatch as _};

use super::stored::Stored;
use crate::Error;

/// Adds to a batch that an object leaves its feed.
pub(crate) fn note(
    batch: &mut Batch,
    feed: &FeedId,
    key: &ObjectKey,
    before: &Found<Stored>,
) -> Result<(), Error> {
    let Stored {
        state, provenance, ..
    } = &before.record;
    let removal = Removal {
        space: feed.space,
        object_type: feed.object_type.clone(),
        key: key.primary_key().to_owned(),
        place: before.revision.0,
        // Which markings are joined does not depend on the levels.
        markings: state.security(&Levels::default()).markings.into_iter().collect(),
        imported: provenance.is_imported(),
        deleted: state.is_deleted(),
    };
    batch.upsert_in_feed(Removal::feed_of(feed), &removal)?;
    Ok(())
}
