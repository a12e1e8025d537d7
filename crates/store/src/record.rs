//! Typed records over the bytes of a store.
//!
//! A stored value is one version byte and the record as a `MessagePack` map with named fields. A field added with
//! `#[serde(default)]` needs no new version; anything else raises [`Record::VERSION`] and is read by
//! [`Record::upgrade`] for ever after.

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Batch, Entry, Error, Expect, FeedId, Range, Revision, Store, Table};

/// How many records one read of [`Records::all`] asks for.
const PAGE: usize = 512;

/// How many records [`Records::all`] reads at most: what is not few is read in pages.
pub const ALL_MAX: usize = 100_000;

/// A stored type.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// Where it is kept.
    const TABLE: Table;
    /// The version this program writes.
    const VERSION: u8;

    /// Its key.
    fn key(&self) -> Vec<u8>;

    /// Reads the body of an earlier version. A version that is not known was written by a newer program.
    fn upgrade(version: u8, body: &[u8]) -> Result<Self, Error> {
        let _ = body;
        Err(Error::Corrupt {
            what: format!(
                "a {} record of version {version}, written by a newer version: this one reads up to {}",
                Self::TABLE.name(),
                Self::VERSION,
            ),
            source: None,
        })
    }
}

/// A record that was read, and when it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<R> {
    /// The record.
    pub record: R,
    /// When it was last written: what [`RecordBatch::replace`] wants to know.
    pub revision: Revision,
}

/// Some records in key order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<Found<R>>,
    /// Where the next page starts (`after`); `None` when this is the last one.
    pub next: Option<Bytes>,
}

/// The bytes of a record, as every table keeps them.
pub fn encode<R: Record>(record: &R) -> Result<Bytes, Error> {
    let mut bytes = vec![R::VERSION];
    match rmp_serde::encode::write_named(&mut bytes, record) {
        Ok(()) => Ok(bytes.into()),
        Err(error) => Err(Error::Corrupt {
            what: format!("a {} record that cannot be encoded", R::TABLE.name()),
            source: Some(error.into()),
        }),
    }
}

/// Reads what [`encode`] made, now or in an earlier version.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, Error> {
    let damaged = |source| Error::Corrupt {
        what: format!("a {} record", R::TABLE.name()),
        source,
    };
    let (version, body) = bytes.split_first().ok_or_else(|| damaged(None))?;
    if *version != R::VERSION {
        return R::upgrade(*version, body);
    }
    rmp_serde::from_slice(body).map_err(|error| damaged(Some(error.into())))
}

fn found<R: Record>(entry: &Entry) -> Result<Found<R>, Error> {
    Ok(Found {
        record: decode(&entry.value)?,
        revision: entry.revision,
    })
}

/// Typed reads, for every store.
#[async_trait]
pub trait Records {
    /// The record with this key.
    async fn find<R: Record>(&self, key: &[u8]) -> Result<Option<Found<R>>, Error>;

    /// The records with these keys, in the same order.
    async fn find_many<R: Record>(&self, keys: &[Bytes]) -> Result<Vec<Option<Found<R>>>, Error>;

    /// At most `limit` records whose keys start with `prefix`, strictly after the key `after` when given.
    async fn page<R: Record>(
        &self,
        prefix: &[u8],
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<Page<R>, Error>;

    /// Every record whose key starts with `prefix`, for tables that hold few. More than [`ALL_MAX`] is an error.
    async fn all<R: Record>(&self, prefix: &[u8]) -> Result<Vec<Found<R>>, Error>;
}

#[async_trait]
impl<S: Store + ?Sized> Records for S {
    async fn find<R: Record>(&self, key: &[u8]) -> Result<Option<Found<R>>, Error> {
        self.read(R::TABLE, key).await?.as_ref().map(found).transpose()
    }

    async fn find_many<R: Record>(&self, keys: &[Bytes]) -> Result<Vec<Option<Found<R>>>, Error> {
        let entries = self.read_many(R::TABLE, keys).await?;
        let found = |entry: Option<Entry>| entry.as_ref().map(found).transpose();
        entries.into_iter().map(found).collect()
    }

    async fn page<R: Record>(
        &self,
        prefix: &[u8],
        after: Option<Bytes>,
        limit: usize,
    ) -> Result<Page<R>, Error> {
        let range = Range {
            table: R::TABLE,
            prefix: Bytes::copy_from_slice(prefix),
            after,
            // One more than asked for tells whether there is a next page.
            limit: if limit == 0 { 0 } else { limit.saturating_add(1) },
        };
        let mut entries = self.range(range).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|(key, _)| key.clone());
        let records = entries.iter().map(|(_, entry)| found(entry));
        Ok(Page {
            records: records.collect::<Result<_, _>>()?,
            next,
        })
    }

    async fn all<R: Record>(&self, prefix: &[u8]) -> Result<Vec<Found<R>>, Error> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(prefix, after, PAGE).await?;
            all.extend(page.records);
            if all.len() > ALL_MAX {
                return Err(Error::Corrupt {
                    what: format!("more than {ALL_MAX} {} records", R::TABLE.name()),
                    source: None,
                });
            }
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

/// Typed writes, for a batch.
pub trait RecordBatch {
    /// Writes a record that must not exist yet.
    fn insert<R: Record>(&mut self, record: &R) -> Result<&mut Self, Error>;

    /// Writes a record that must still be as it was read.
    fn replace<R: Record>(&mut self, record: &R, revision: Revision) -> Result<&mut Self, Error>;

    /// Writes a record, whether it exists or not.
    fn upsert<R: Record>(&mut self, record: &R) -> Result<&mut Self, Error>;

    /// Writes an object and moves it to the end of its feed, whether it exists or not. A record of another table than
    /// [`Table::Objects`] is an error.
    fn upsert_in_feed<R: Record>(&mut self, feed: FeedId, record: &R) -> Result<&mut Self, Error>;

    /// Removes a record that must still be as it was read.
    fn remove<R: Record>(&mut self, key: &[u8], revision: Revision) -> &mut Self;
}

impl RecordBatch for Batch {
    fn insert<R: Record>(&mut self, record: &R) -> Result<&mut Batch, Error> {
        let (key, value) = (Bytes::from(record.key()), encode(record)?);
        Ok(self
            .expect(R::TABLE, key.clone(), Expect::Absent)
            .put(R::TABLE, key, value))
    }

    fn replace<R: Record>(&mut self, record: &R, revision: Revision) -> Result<&mut Batch, Error> {
        let (key, value) = (Bytes::from(record.key()), encode(record)?);
        Ok(self
            .expect(R::TABLE, key.clone(), Expect::At(revision))
            .put(R::TABLE, key, value))
    }

    fn upsert<R: Record>(&mut self, record: &R) -> Result<&mut Batch, Error> {
        Ok(self.put(R::TABLE, record.key(), encode(record)?))
    }

    fn upsert_in_feed<R: Record>(&mut self, feed: FeedId, record: &R) -> Result<&mut Batch, Error> {
        if R::TABLE != Table::Objects {
            return Err(Error::Corrupt {
                what: format!("a {} record cannot be in a feed", R::TABLE.name()),
                source: None,
            });
        }
        Ok(self.put_in_feed(feed, record.key(), encode(record)?))
    }

    fn remove<R: Record>(&mut self, key: &[u8], revision: Revision) -> &mut Batch {
        let key = Bytes::copy_from_slice(key);
        self.expect(R::TABLE, key.clone(), Expect::At(revision))
            .delete(R::TABLE, key)
    }
}

#[cfg(test)]
mod tests;
