//! The formats that stores on disk are in. What version 1 wrote is read by every later version, and version 1 of a
//! record is still written as it always was.
//!
//! A fixture is `fixtures/<record>-v1.txt`: the bytes in hex, and on the next line the value they are, as JSON. It is
//! never changed: a new version of a record gets a second one.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use peerd_core::audit::Fact;
use peerd_core::authz::{Marking, Principal, Space};
use peerd_core::link::{IssuedCode, Knock, Link};
use peerd_core::peering::Connection;
use peerd_core::policy::Policy;
use peerd_store::Record;
use peerd_store::record::{decode, encode};
use peerd_store::records::{
    Collection, ConflictEntry, DialState, ExportCursor, ImportCursor, Job, Mark, NamedThing, Parked,
    PurgeDue, Queued, Removal, Restored, Shared, SpaceOntology, TokenOwner, decode_fact, encode_fact,
};
use serde::de::DeserializeOwned;

/// Declares the test of these record types, and their names.
macro_rules! records {
    ($($record:ident)+) => {
        const RECORDS: &[&str] = &[$(stringify!($record)),+];

        #[test]
        fn what_version_1_wrote_is_read_and_still_written() {
            $(hold::<$record>(stringify!($record));)+
        }
    };
}

records! {
    Collection ConflictEntry Connection DialState ExportCursor ImportCursor IssuedCode Job Knock Link Marking NamedThing
    Parked Policy Principal PurgeDue Queued Removal Restored Shared Space SpaceOntology TokenOwner
}

#[test]
fn every_record_has_a_fixture() {
    let sources = fs::read_dir(from_here("src/records")).expect("the records");
    let declared = sources
        .map(|source| fs::read_to_string(source.expect("a file").path()).expect("a source"))
        .flat_map(|source| {
            let names = source
                .lines()
                .filter_map(|line| line.strip_prefix("impl Record for "));
            names
                .map(|name| name.trim_end_matches(" {").to_owned())
                .collect::<Vec<_>>()
        })
        .collect::<BTreeSet<_>>();
    let held = RECORDS
        .iter()
        .map(|name| (*name).to_owned())
        .collect::<BTreeSet<_>>();
    assert_eq!(
        declared, held,
        "add the record to `records!` and make its fixture"
    );
}

#[test]
fn a_fact_of_version_1_is_read_and_still_written() {
    let (bytes, fact) = fixture::<Fact>("Fact");
    let written = encode_fact(&fact).expect("writes");
    assert_eq!(HEXLOWER.encode(&written), bytes);
    assert_eq!(decode_fact(&written).expect("reads"), fact);
}

#[test]
fn a_mark_of_version_1_is_read_and_still_written() {
    let mark = Mark {
        sequence: 0x0102,
        vocabulary: *b"lanes+id",
        sure: true,
    };
    let bytes = b"\x01\x01\0\0\0\0\0\0\x01\x02lanes+id";
    assert_eq!(Mark::from_bytes(bytes).expect("reads"), mark);
    assert_eq!(mark.to_bytes(), bytes);
}

/// The fixture is read as its value, and its value is written as the fixture.
fn hold<R: Record + Debug + PartialEq>(name: &str) {
    let (bytes, value) = fixture::<R>(name);
    let written = encode(&value).expect("writes");
    assert_eq!(HEXLOWER.encode(&written), bytes, "{name} is written otherwise");
    assert_eq!(decode::<R>(&written).expect(name), value);
}

/// The bytes, in hex, and the value of a fixture.
fn fixture<R: DeserializeOwned>(name: &str) -> (String, R) {
    let place = from_here("tests/fixtures").join(format!("{name}-v1.txt"));
    let text = fs::read_to_string(&place).expect("a fixture");
    let (bytes, value) = text.split_once('\n').expect("two lines");
    let value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    (bytes.to_owned(), value)
}

fn from_here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
