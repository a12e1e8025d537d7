//! Copying everything a store holds, as it was at one moment.

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::read::{Keys, View};
use crate::{Entry, Error, Revision, Table};

/// Records are copied in pages of so many.
const PAGE: usize = 64;

/// A part of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The last revision that was given out. Comes first, and once.
    Heads(Revision),
    /// Some records of a table, in the order of their keys. A table has any number of these.
    Rows(Table, Vec<(Bytes, Entry)>),
}

/// A copy as it is read. An error ends it.
pub type Copying = BoxStream<'static, Result<Copied, Error>>;

/// Reads every table of a view, page by page, until nobody takes them any more.
pub(crate) fn read_all(view: &impl View, mut take: impl FnMut(Copied) -> bool) -> Result<(), Error> {
    for table in Table::ALL {
        let mut after: Option<Bytes> = None;
        while let Some(keys) = Keys::new(&[], after.as_deref()) {
            let rows = view.scan(*table, &keys, PAGE)?;
            let last = rows.len() < PAGE;
            after = rows.last().map(|(key, _)| key.clone());
            if !rows.is_empty() && !take(Copied::Rows(*table, rows)) {
                return Ok(());
            }
            if last {
                break;
            }
        }
    }
    Ok(())
}
