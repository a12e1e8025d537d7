use serde::Deserialize;

use super::*;
use crate::Memory;

/// Written by version 1 of [`Sample`]; kept, and read for ever.
const FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/sample-v1.bin");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    name: String,
    count: u64,
    tags: Vec<String>,
}

impl Record for Sample {
    const TABLE: Table = Table::Links;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }
}

/// The same record one version later: one field renamed, one added.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Later {
    name: String,
    amount: u64,
    #[serde(default)]
    note: Option<String>,
}

impl Record for Later {
    const TABLE: Table = Table::Links;
    const VERSION: u8 = 2;

    fn key(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }

    fn upgrade(version: u8, body: &[u8]) -> Result<Later, Error> {
        let before: Sample = decode(&[&[version], body].concat())?;
        Ok(Later {
            name: before.name,
            amount: before.count,
            note: None,
        })
    }
}

fn sample(name: &str) -> Sample {
    Sample {
        name: name.to_owned(),
        count: 3,
        tags: vec!["a".to_owned(), "b".to_owned()],
    }
}

#[test]
fn the_fixture_of_version_1_is_read_and_is_still_what_version_1_writes() {
    assert_eq!(decode::<Sample>(FIXTURE).unwrap(), sample("north"));
    assert_eq!(encode(&sample("north")).unwrap(), FIXTURE);
}

#[test]
fn a_later_version_reads_the_fixture_through_its_upgrade() {
    let later: Later = decode(FIXTURE).unwrap();
    assert_eq!(
        (later.name.as_str(), later.amount, later.note),
        ("north", 3, None)
    );
}

#[test]
fn a_record_of_a_newer_version_is_refused_and_says_so() {
    let newer = encode(&Later {
        name: "north".to_owned(),
        amount: 3,
        note: None,
    });
    let error = decode::<Sample>(&newer.unwrap()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("written by a newer version"), "{text}");
    assert!(matches!(error, Error::Corrupt { .. }));
}

#[test]
fn bytes_that_are_no_record_are_an_error_that_does_not_repeat_them() {
    for length in 0..FIXTURE.len() {
        let error = decode::<Sample>(&FIXTURE[..length]).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }));
        assert!(!error.to_string().contains("north"));
    }
    // A list that claims to be long, and nothing behind it.
    assert!(decode::<Sample>(&[1, 0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
}

/// What no encoder can write.
struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("cannot be written"))
    }
}

impl<'de> Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Unwritable, D::Error> {
        Ok(Unwritable)
    }
}

impl Record for Unwritable {
    const TABLE: Table = Table::Links;
    const VERSION: u8 = 1;

    fn key(&self) -> Vec<u8> {
        vec![1]
    }
}

#[test]
fn a_record_that_cannot_be_encoded_is_an_error_and_adds_nothing() {
    let mut batch = Batch::new();
    assert!(batch.insert(&Unwritable).is_err());
    assert!(batch.upsert(&Unwritable).is_err());
    assert!(batch.is_empty());
}

#[tokio::test]
async fn records_are_inserted_once_replaced_as_read_and_removed_as_read() {
    let store = Memory::new();
    let store: &dyn Store = &store;
    let insert = || {
        let mut batch = Batch::new();
        batch.insert(&sample("north")).unwrap();
        batch
    };
    store.commit(insert()).await.unwrap();
    assert!(matches!(store.commit(insert()).await, Err(Error::Conflict)));

    let found = store.find::<Sample>(b"north").await.unwrap().unwrap();
    let mut batch = Batch::new();
    let changed = Sample {
        count: 4,
        ..sample("north")
    };
    batch.replace(&changed, found.revision).unwrap();
    store.commit(batch.clone()).await.unwrap();
    assert!(matches!(store.commit(batch).await, Err(Error::Conflict)));

    let mut stale = Batch::new();
    stale.remove::<Sample>(b"north", found.revision);
    assert!(matches!(store.commit(stale).await, Err(Error::Conflict)));
    let found = store.find::<Sample>(b"north").await.unwrap().unwrap();
    assert_eq!(found.record, changed);
    let mut batch = Batch::new();
    batch.remove::<Sample>(b"north", found.revision);
    store.commit(batch).await.unwrap();
    assert_eq!(store.find::<Sample>(b"north").await.unwrap(), None);
}

#[tokio::test]
async fn pages_name_the_next_one_and_all_reads_through_them() {
    let store = Memory::new();
    let mut batch = Batch::new();
    for n in 0..1100 {
        batch.upsert(&sample(&format!("p{n:04}"))).unwrap();
    }
    batch.upsert(&sample("q")).unwrap();
    store.commit(batch).await.unwrap();

    assert_eq!(store.all::<Sample>(b"p").await.unwrap().len(), 1100);
    assert_eq!(store.all::<Sample>(b"").await.unwrap().len(), 1101);
    let first = store.page::<Sample>(b"p", None, 550).await.unwrap();
    assert_eq!(first.next.as_deref(), Some(&b"p0549"[..]));
    let second = store.page::<Sample>(b"p", first.next, 550).await.unwrap();
    assert_eq!((second.records.len(), second.next), (550, None));
    assert_eq!(second.records[0].record.name, "p0550");
    let none = store.page::<Sample>(b"p", None, 0).await.unwrap();
    assert_eq!((none.records.len(), none.next), (0, None));

    let keys = [Bytes::from("q"), Bytes::from("absent"), Bytes::from("p0001")];
    let found = store.find_many::<Sample>(&keys).await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|f| f.as_ref().map(|f| f.record.name.as_str()))
        .collect();
    assert_eq!(names, [Some("q"), None, Some("p0001")]);
}

#[test]
fn only_objects_go_into_feeds() {
    let feed = FeedId {
        space: peerd_core::SpaceId::from_bytes([1; 16]),
        object_type: "ship".to_owned(),
    };
    let mut batch = Batch::new();
    assert!(batch.upsert_in_feed(feed, &sample("north")).is_err());
    assert!(batch.is_empty());
}
