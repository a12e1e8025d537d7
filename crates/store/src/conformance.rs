//! What a store is: one suite of cases that every backend passes.
//!
//! A backend's tests implement [`Backend`] for a fresh, empty store and instantiate every case with
//! [`conformance!`](crate::conformance!).
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these are tests: a panic is how they fail"
)]

mod audit;
pub mod blobs;
mod commits;
mod feeds;
mod reads;
mod watches;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use peerd_core::SpaceId;

pub use audit::*;
pub use commits::*;
pub use feeds::*;
pub use reads::*;
pub use watches::*;

use crate::{Batch, Error, FeedId, Store, Table};

/// A backend under test, with a place of its own that nobody else uses.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens the store; called again after a close, it opens what was there.
    async fn open(&self) -> Arc<dyn Store>;

    /// Overwrites a stored value of the open store behind its back, keeping its revision.
    async fn overwrite(&self, table: Table, key: &[u8], value: &[u8]);
}

/// Instantiates every case of the suite as a test, in a module of this name. The expression makes a fresh backend; it
/// sees what the enclosing module sees.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $backend:expr) => {
        $crate::conformance!(@cases $name, $backend,
            a_commit_is_read_back_and_survives_reopening
            a_condition_that_fails_leaves_nothing_behind
            conditions_are_about_the_state_before_the_batch
            a_batch_that_cannot_be_stored_is_refused_whole
            of_two_racing_writers_exactly_one_wins
            conflicts_do_not_fail_their_neighbours
            revisions_grow_and_are_never_given_twice
            what_the_commit_keeps_in_step_cannot_be_written_apart
            what_was_read_after_the_horizon_is_checked_against_what_came_since
            a_closed_store_refuses_commits
            ranges_hold_their_bounds
            pages_cover_a_range_once
            a_range_sees_whole_batches
            tables_do_not_mix
            values_and_keys_are_any_bytes
            many_reads_answer_in_order
            b118_a_copy_has_everything_of_one_moment
            a_feed_holds_each_object_once_at_its_latest_change
            a_batch_may_move_an_object_more_than_once
            an_object_that_is_removed_leaves_its_feed
            a_tail_tells_the_objects_of_a_feed_as_they_are
            a_tail_that_is_long_skips_nothing
            feeds_with_similar_names_do_not_mix
            a_reader_of_a_busy_feed_skips_nothing
            the_audit_chain_grows_and_verifies
            a_refused_batch_leaves_no_audit_record
            a_changed_audit_record_is_found
            an_unreadable_audit_record_is_found
            a_watcher_wakes_for_its_topic_only
            a_watcher_of_an_id_wakes_for_its_records_only
            what_woke_a_watcher_is_visible
            no_wake_up_is_lost
        );
    };
    (@cases $name:ident, $backend:expr, $($case:ident)+) => {
        mod $name {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::conformance::$case(&$backend).await;
                }
            )+
        }
    };
}

fn feed(name: &str) -> FeedId {
    FeedId {
        space: SpaceId::from_bytes([7; 16]),
        object_type: name.to_owned(),
    }
}

fn put(table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Batch {
    let mut batch = Batch::new();
    batch.put(table, key, value);
    batch
}

fn put_in_feed(feed: &FeedId, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Batch {
    let mut batch = Batch::new();
    batch.put_in_feed(feed.clone(), key, value);
    batch
}

async fn value(store: &dyn Store, table: Table, key: &[u8]) -> Option<Bytes> {
    store.read(table, key).await.unwrap().map(|entry| entry.value)
}

fn is_conflict<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Conflict))
}
