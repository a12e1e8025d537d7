//! The pages of a walk: what an exporter looks at next.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use peerd_store::{Entry, FeedId, Range, Sequence, Table};

use super::position::Walk;
use crate::object::stored::key_in;
use crate::{Error, Node};

/// A page has at most so many objects.
const PAGE_MAX: usize = 500;
/// The first page of a walk has so many: objects are large at worst.
const PAGE_MIN: usize = 16;
/// A page is to have about so many bytes.
const PAGE_BYTES: usize = 1 << 20;

/// Some objects, in the order of the walk.
#[derive(Debug)]
pub(super) struct Page {
    /// Keys and records. A record's revision is its sequence.
    pub(super) rows: Vec<(Bytes, Entry)>,
    /// Whether there was nothing more.
    pub(super) last: bool,
    /// At the end of a scan: the feed's latest change by now.
    pub(super) head: u64,
}

/// Reads page by page.
pub(super) struct Pages {
    limit: usize,
    reading: Option<BoxFuture<'static, Result<Page, Error>>>,
}

impl Pages {
    pub(super) fn new() -> Pages {
        Pages {
            limit: PAGE_MIN,
            reading: None,
        }
    }

    /// The page after this point. May be cancelled: what was being read is there at the next call.
    pub(super) async fn next(&mut self, node: &Arc<Node>, feed: &FeedId, walk: &Walk) -> Result<Page, Error> {
        let limit = self.limit;
        let read = || read(Arc::clone(node), feed.clone(), walk.clone(), limit).boxed();
        let page = self.reading.get_or_insert_with(read).await;
        self.reading = None;
        let page = page?;
        let bytes: usize = page.rows.iter().map(|(_, entry)| entry.value.len()).sum();
        if let Some(each) = bytes.checked_div(page.rows.len()) {
            self.limit = (PAGE_BYTES / each.max(1)).clamp(PAGE_MIN, PAGE_MAX);
        }
        Ok(page)
    }

    /// Whether a read that was cancelled is still under way.
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Forgets what was being read: the walk goes on elsewhere.
    pub(super) fn forget(&mut self) {
        self.reading = None;
    }
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

async fn read(node: Arc<Node>, feed: FeedId, walk: Walk, limit: usize) -> Result<Page, Error> {
    let rows = match &walk {
        Walk::Follow(sequence) => node.store.tail(&feed, Sequence(*sequence), limit).await?,
        Walk::Scan { after, .. } => {
            let range = Range::prefix(Table::Objects, feed.prefix(), limit);
            let range = if after.is_empty() {
                range
            } else {
                range.after(key_in(&feed, after))
            };
            node.store.range(range).await?
        }
    };
    let last = rows.len() < limit;
    let head = match walk {
        Walk::Scan { .. } if last => node.store.head(&feed).await?.0,
        _ => 0,
    };
    Ok(Page { rows, last, head })
}
