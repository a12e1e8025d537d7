//! Reads that every local backend answers alike, over its own point reads and scans.

use std::ops::Bound;

use bytes::Bytes;

use crate::{AuditEntry, Change, Entry, Error, FeedId, Range, Revision, Sequence, Table, audit};

/// Committed state that can be read in place, all of it at one moment.
pub(crate) trait View {
    /// The record with this key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Entry>, Error>;

    /// At most `limit` records within the bounds, in key order.
    fn scan(&self, table: Table, keys: &Keys, limit: usize) -> Result<Vec<(Bytes, Entry)>, Error>;

    /// How many records are within the bounds.
    fn count(&self, table: Table, keys: &Keys) -> Result<u64, Error>;

    /// The last key within the bounds.
    fn last(&self, table: Table, keys: &Keys) -> Result<Option<Bytes>, Error>;

    /// When a record was last written. The writer asks this about every object of a batch.
    fn revision(&self, table: Table, key: &[u8]) -> Result<Option<Revision>, Error> {
        Ok(self.get(table, key)?.map(|entry| entry.revision))
    }
}

/// A run of keys that is not known to be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) from: Bound<Vec<u8>>,
    pub(crate) to: Bound<Vec<u8>>,
}

impl Keys {
    /// The keys that start with `prefix` and come strictly after `after`; `None` when there can be none.
    pub(crate) fn new(prefix: &[u8], after: Option<&[u8]>) -> Option<Keys> {
        let to = successor(prefix);
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_vec()),
            _ => Bound::Included(prefix.to_vec()),
        };
        // An ordered map answers an inverted range with a panic.
        if let (Bound::Excluded(from), Some(to)) = (&from, &to)
            && from >= to
        {
            return None;
        }
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        Some(Keys { from, to })
    }

    /// The same run among keys that all start with `tag`.
    pub(crate) fn tagged(&self, tag: &[u8]) -> Keys {
        let tagged = |key: &Vec<u8>| [tag, key].concat();
        let to = match &self.to {
            Bound::Unbounded => successor(tag).map_or(Bound::Unbounded, Bound::Excluded),
            to => to.as_ref().map(tagged),
        };
        Keys {
            from: self.from.as_ref().map(tagged),
            to,
        }
    }

    /// The bounds, borrowed.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (
            self.from.as_ref().map(Vec::as_slice),
            self.to.as_ref().map(Vec::as_slice),
        )
    }
}

/// The first key after all keys that start with `prefix`; `None` when nothing comes after them.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// The key of a change in [`Table::Feed`].
pub(crate) fn feed_key(prefix: &[u8], sequence: u64) -> Bytes {
    let mut key = Vec::with_capacity(prefix.len() + 8);
    key.extend_from_slice(prefix);
    key.extend_from_slice(&sequence.to_be_bytes());
    key.into()
}

fn sequence(key: &[u8]) -> Result<Sequence, Error> {
    match key.last_chunk() {
        Some(bytes) => Ok(Sequence(u64::from_be_bytes(*bytes))),
        None => Err(Error::Corrupt {
            what: format!("{} record {key:02x?}", Table::Feed.name()),
            source: None,
        }),
    }
}

pub(crate) fn range(view: &impl View, range: &Range) -> Result<Vec<(Bytes, Entry)>, Error> {
    match Keys::new(&range.prefix, range.after.as_deref()) {
        Some(keys) if range.limit > 0 => view.scan(range.table, &keys, range.limit),
        _ => Ok(Vec::new()),
    }
}

pub(crate) fn count(view: &impl View, table: Table, prefix: &[u8]) -> Result<u64, Error> {
    Keys::new(prefix, None).map_or(Ok(0), |keys| view.count(table, &keys))
}

pub(crate) fn changes(
    view: &impl View,
    feed: &FeedId,
    after: Sequence,
    limit: usize,
) -> Result<Vec<Change>, Error> {
    let prefix = feed.prefix();
    let after = feed_key(&prefix, after.0);
    let page = range(view, &Range::prefix(Table::Feed, prefix, limit).after(after))?;
    let change = |(key, entry): (Bytes, Entry)| {
        Ok(Change {
            sequence: sequence(&key)?,
            key: entry.value,
        })
    };
    page.into_iter().map(change).collect()
}

pub(crate) fn tail(
    view: &impl View,
    feed: &FeedId,
    after: Sequence,
    limit: usize,
) -> Result<Vec<(Bytes, Entry)>, Error> {
    let object = |Change { sequence, key }: Change| match view.get(Table::Objects, &key)? {
        Some(entry) if entry.revision.0 == sequence.0 => Ok((key, entry)),
        _ => Err(Error::Corrupt {
            what: format!("the object at {} of {feed}", sequence.0),
            source: None,
        }),
    };
    changes(view, feed, after, limit)?
        .into_iter()
        .map(object)
        .collect()
}

pub(crate) fn head(view: &impl View, feed: &FeedId) -> Result<Sequence, Error> {
    let Some(keys) = Keys::new(&feed.prefix(), None) else {
        return Ok(Sequence(0));
    };
    let last = view.last(Table::Feed, &keys)?;
    last.map_or(Ok(Sequence(0)), |key| sequence(&key))
}

pub(crate) fn audit(view: &impl View, number: u64, limit: usize) -> Result<Vec<AuditEntry>, Error> {
    let page = Range::prefix(Table::Audit, Bytes::new(), limit);
    let page = match number.checked_sub(1) {
        Some(before) => page.after(audit::key(before).to_vec()),
        None => page,
    };
    let entries = range(view, &page)?;
    entries
        .iter()
        .map(|(key, entry)| audit::decode(key, &entry.value))
        .collect()
}

/// The head of the audit chain, as the writer needs it to append.
pub(crate) fn audit_head(view: &impl View) -> Result<audit::Head, Error> {
    let Some(keys) = Keys::new(&[], None) else {
        return Ok(audit::Head::default());
    };
    let Some(key) = view.last(Table::Audit, &keys)? else {
        return Ok(audit::Head::default());
    };
    let last = view.get(Table::Audit, &key)?;
    let last = last.map(|entry| audit::decode(&key, &entry.value)).transpose()?;
    Ok(last.map_or(audit::Head::default(), |entry| audit::Head {
        number: entry.number,
        hash: entry.hash,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_ff_bytes_has_no_end() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(&[7, 0xff, 0xff]), Some(vec![8]));
        assert_eq!(successor(&[0xff, 0xff]), None);
        assert_eq!(successor(b""), None);
    }

    #[test]
    fn a_page_that_starts_behind_its_prefix_is_empty() {
        assert_eq!(Keys::new(b"b", Some(b"c")), None);
        assert_eq!(Keys::new(b"b", Some(b"d")), None);
        let from_prefix = Keys::new(b"b", Some(b"a")).unwrap();
        assert_eq!(from_prefix.from, Bound::Included(b"b".to_vec()));
    }
}
