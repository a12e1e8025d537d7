//! What happens to a store behind the daemon's back, while it does not run.

use bytes::Bytes;
use peerd_store::embedded::Options;
use peerd_store::{Batch, Embedded, FeedId, Range, Store as _, Table};

use crate::process::Enrollment;

/// An airport as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    place: Bytes,
    pub(crate) value: Bytes,
}

/// Reads and changes airports in the store of an enrollment that is stopped.
pub(crate) fn behind_its_back(side: &Enrollment, change: impl FnOnce(&[Row], &mut Changes)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let store = Embedded::open(side.data_dir().join("store"), &Options::default()).expect("a store");
        let rows = store.range(Range::prefix(Table::Objects, Vec::new(), 100_000));
        let rows: Vec<Row> = rows
            .await
            .expect("rows")
            .into_iter()
            .map(|(place, entry)| Row {
                place,
                value: entry.value,
            })
            .collect();
        let mut changes = Changes(Batch::new());
        change(&rows, &mut changes);
        store.commit(changes.0).await.expect("written");
        store.close().await;
    });
}

/// What is changed.
#[derive(Debug)]
pub(crate) struct Changes(Batch);

impl Changes {
    /// Takes an object away.
    pub(crate) fn lose(&mut self, row: &Row) {
        self.0.delete_from_feed(feed(row), row.place.clone());
    }

    /// Puts other bytes in its place.
    pub(crate) fn overwrite(&mut self, row: &Row, value: &Bytes) {
        self.0.put_in_feed(feed(row), row.place.clone(), value.clone());
    }

    /// Puts a copy of it under another key of the same length.
    pub(crate) fn copy(&mut self, row: &Row, key: &str) {
        let start = row.place.len() - key.len();
        let place = [&row.place[..start], key.as_bytes()].concat();
        self.0.put_in_feed(feed(row), place, row.value.clone());
    }
}

/// The airport with this key.
pub(crate) fn row<'a>(rows: &'a [Row], key: &str) -> &'a Row {
    let found = rows.iter().find(|row| row.place.ends_with(key.as_bytes()));
    found.expect("an airport")
}

/// A place begins with the space, the length of the type's name, and the name.
fn feed(row: &Row) -> FeedId {
    let space = row.place.first_chunk().expect("a space");
    FeedId {
        space: peerd_core::SpaceId::from_bytes(*space),
        object_type: "airport".to_owned(),
    }
}
