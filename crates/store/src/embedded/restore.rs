//! Making a store of records that another one held: all of them, or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::directory;
use super::disk::{Disk, store_error};
use super::{Embedded, Options};
use crate::engine::{Heads, KEY_BYTES_MAX, Writes};
use crate::{Entry, Error, Revision, Table};

/// A store in the making. It is in its place once [`finish`](Restoring::finish) has returned, and never before.
pub struct Restoring {
    path: PathBuf,
    disk: Disk,
    revision: u64,
}

impl std::fmt::Debug for Restoring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restoring")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Begins a store in a directory that has none. Blocks its thread, as all of this does.
    pub fn restore(path: impl AsRef<Path>, options: &Options) -> Result<Restoring, Error> {
        let path = path.as_ref().to_owned();
        Ok(Restoring {
            disk: directory::stage(&path, options)?,
            path,
            revision: 0,
        })
    }
}

impl Restoring {
    /// Takes records as they were copied, with their revisions.
    pub fn put(&mut self, table: Table, rows: Vec<(Bytes, Entry)>) -> Result<(), Error> {
        let mut writes = Writes::default();
        let records: &mut BTreeMap<_, _> = writes.tables.entry(table).or_default();
        for (key, entry) in rows {
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(Error::Corrupt {
                    what: format!("a key of {}", table.name()),
                    source: None,
                });
            }
            self.revision = self.revision.max(entry.revision.0);
            records.insert(key, Some(entry));
        }
        self.write(&writes)
    }

    /// All records are here, and no revision after this one was ever given out: puts the store in its place.
    pub fn finish(self, revision: Revision) -> Result<(), Error> {
        let Restoring {
            path,
            disk,
            revision: seen,
        } = self;
        disk.set_revision(seen.max(revision.0)).map_err(store_error)?;
        // The directory stays locked until the store is in its place.
        let lock = disk.close();
        directory::finish(&path)?;
        drop(lock);
        Ok(())
    }

    fn write(&self, writes: &Writes) -> Result<(), Error> {
        let heads = Heads {
            revision: self.revision,
            ..Heads::default()
        };
        self.disk.pace();
        self.disk.write(writes, &heads).map_err(store_error)
    }
}
