//! Where an enrollment keeps what it knows: one set of traits, one conformance suite, several backends.
//!
//! A store is a set of ordered tables of small records. A reader sees committed records only; a writer hands in a
//! [`Batch`] (conditions and writes) that becomes durable as a whole or not at all. The one serialised place is the
//! commit: there conditions are checked, feed sequences are given out and the audit chain grows, so that no reader
//! of a feed ever skips a change.
//!
//! Acknowledged means durable: when [`Store::commit`] returns, the batch survives `kill -9`.
#![warn(missing_docs)]

pub mod audit;
pub mod backup;
mod batch;
pub mod blobs;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod copy;
pub mod embedded;
mod engine;
mod error;
mod memory;
mod notify;
mod read;
mod recent;
pub mod record;
pub mod records;
mod table;
mod tails;
mod traits;

pub use audit::{ChainReport, verify_chain};
pub use batch::{Batch, Expect, Op};
pub use blobs::{Blobs, Depot, DepotOptions, MemoryBlobs, S3};
pub use copy::{Copied, Copying};
pub use embedded::Embedded;
pub use engine::KEY_BYTES_MAX;
pub use error::Error;
pub use memory::Memory;
pub use record::{Found, Page, Record, RecordBatch, Records};
pub use table::{FeedId, Table, Topic};
pub use traits::{AuditEntry, Change, Committed, Entry, Range, Revision, Sequence, Store};
