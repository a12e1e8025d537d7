//! The XML form, and what guards do to it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use peerd_core::ontology::Schema;
use peerd_core::{ConnectionId, Reason};
use peerd_identity::EcdsaVerifier;
use peerd_node::exchange::{Change, Item};
use peerd_relay::record::Objects;
use peerd_relay::{
    CannotWrite, Form, OpenForm, Opened, Opening, Records, Refused, Schemas, WriteForm, Writing, peek,
    peek_flow, read, write, xsd,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use crate::samples::{NOW, Pair, blank, every_kind, objects};
use crate::states::{self, Known};

fn known() -> Known {
    Known(states::schema())
}

/// Knows nothing.
#[derive(Debug)]
struct Nothing;

impl Schemas for Nothing {
    fn schema(&self, _: ConnectionId, _: &str, _: u64) -> Option<Cow<'_, Schema>> {
        None
    }
}

fn written(pair: &Pair, records: &Records) -> Result<Vec<u8>, CannotWrite> {
    let schemas = known();
    let writing = Writing {
        signer: &pair.a.identity,
        form: WriteForm::Xml(&schemas),
        limits: &pair.limits,
    };
    write(&pair.facts(1), records, &writing).map(|written| written.bytes)
}

fn opened_with(pair: &Pair, bytes: &[u8], form: OpenForm<'_>) -> Result<Opened, Refused> {
    let opening = Opening {
        me: pair.b.id(),
        from: pair.a.id(),
        keys: &[pair.a.key()],
        verifier: &EcdsaVerifier,
        now: NOW,
        form,
        limits: &pair.limits,
    };
    read(Bytes::copy_from_slice(bytes), &opening)
}

fn opened(pair: &Pair, bytes: &[u8]) -> Result<Opened, Refused> {
    opened_with(pair, bytes, OpenForm::Xml(&known()))
}

/// Every kind that this form has.
fn kinds() -> impl Iterator<Item = Records> {
    every_kind()
        .into_iter()
        .filter(|records| !matches!(records, Records::Parity(_)))
}

pub(crate) fn any_items(count: usize) -> Vec<Item> {
    let mut runner = TestRunner::deterministic();
    let items = vec(states::item(), count);
    items.new_tree(&mut runner).expect("items").current()
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_kind_but_redundancy_reads_back_as_it_was_written() {
    let pair = Pair::new();
    for records in kinds() {
        let bytes = written(&pair, &records).unwrap();
        let header = peek(&bytes).unwrap();
        let opened = opened(&pair, &bytes).unwrap();
        assert_eq!((header.form, header.kind), (Form::Xml, records.kind()));
        assert_eq!(opened.header, header);
        assert_eq!(opened.records, records);
        assert!(opened.dropped.is_empty());
        assert_eq!(opened.numbers.len(), records.len());
    }
    let parity = every_kind().pop().unwrap();
    assert!(matches!(written(&pair, &parity), Err(CannotWrite::Facts { .. })));
}

#[test]
fn a_record_that_was_dropped_is_reported_and_the_rest_verifies() {
    let pair = Pair::new();
    let bytes = written(&pair, &objects(any_items(9))).unwrap();
    let text = as_text(&bytes);
    let starts = (1..=9)
        .map(|n| text.find(&format!("<flight n=\"{n}\">")).unwrap())
        .collect::<Vec<_>>();
    let thinned = format!("{}{}", &text[..starts[3]], &text[starts[5]..]);
    let whole = opened(&pair, &bytes).unwrap();
    let rest = opened(&pair, thinned.as_bytes()).unwrap();
    assert_eq!(rest.dropped, [4, 5]);
    assert_eq!(rest.numbers, [1, 2, 3, 6, 7, 8, 9]);
    let (Records::Objects(whole), Records::Objects(rest)) = (whole.records, rest.records) else {
        panic!("objects");
    };
    assert_eq!(rest.items[..3], whole.items[..3]);
    assert_eq!(rest.items[3..], whole.items[5..]);
    // What is missing must not be taken for what is gone.
    assert!(whole.cover.is_some() && rest.cover.is_none());
    assert!(whole.caught_up && !rest.caught_up);
    // All of them can be dropped; then nothing is left but the report.
    let end = text.find("</objects>").unwrap();
    let empty = format!("{}{}", &text[..starts[0]], &text[end..]);
    assert_eq!(opened(&pair, empty.as_bytes()).unwrap().dropped.len(), 9);
}

#[test]
fn a_record_that_was_altered_moved_doubled_or_added_is_refused() {
    let pair = Pair::new();
    let flight = |key: &str| blank(key);
    let bytes = written(
        &pair,
        &objects(vec![flight("one"), flight("two"), flight("three")]),
    )
    .unwrap();
    let text = as_text(&bytes);
    let lines = text
        .lines()
        .filter(|line| line.starts_with("<flight"))
        .collect::<Vec<_>>();
    let replaced = |from: &str, to: &str| text.replace(from, to);
    let swapped = replaced(lines[0], "@")
        .replace(lines[1], lines[0])
        .replace('@', lines[1]);
    for altered in [
        replaced("<key>one<", "<key>One<"),
        replaced("<key>one<", "<key>one <"),
        replaced("hops=\"0\"", "hops=\"1\""),
        replaced(lines[1], &lines[1].replace("n=\"2\"", "n=\"4\"")),
        swapped,
        replaced(lines[1], &format!("{}{}", lines[1], lines[1])),
        replaced(lines[0], &lines[1].replace("n=\"2\"", "n=\"1\"")),
        replaced(
            "</objects>",
            &format!("{}</objects>", lines[2].replace("n=\"3\"", "n=\"4\"")),
        ),
        replaced("<through>z<", "<through>y<"),
        replaced("<records>3<", "<records>4<"),
        replaced("<marking>medical</marking>", ""),
        replaced("<sequence>1<", "<sequence>2<"),
    ] {
        assert_ne!(altered, text);
        let reason = opened(&pair, altered.as_bytes()).unwrap_err().reason;
        let expected = [
            Reason::BundleRecordInvalid,
            Reason::BundleSignatureInvalid,
            Reason::BundleMalformed,
        ];
        assert!(expected.contains(&reason), "{reason}");
    }
}

#[test]
fn nothing_is_taken_that_the_form_does_not_have() {
    let pair = Pair::new();
    let text = as_text(&written(&pair, &objects(vec![blank("one")])).unwrap());
    let put = |before: &str, what: &str| text.replacen(before, &format!("{what}{before}"), 1);
    let bomb = "<!DOCTYPE bundle [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let outside = "<!DOCTYPE bundle SYSTEM \"file:///etc/passwd\">";
    for (strange, told) in [
        (put("<bundle", bomb), "document type"),
        (put("<bundle", outside), "document type"),
        (text.replace("<key>one", "<key>&b;"), "entity"),
        (text.replace("<key>one", "<key>&#0;"), "entity"),
        (put("<header>", "<!-- hello -->"), "comment"),
        (put("<header>", "<?run this?>"), "processing instruction"),
        (put("<header>", "text"), "between elements"),
        (put("<header>", "<header/>"), "expected"),
        (text.replace("<header>", "<header more=\"1\">"), "attribute"),
        (text.replace("xmlns=", "xmlns:x=\"y\" xmlns="), "attribute"),
        (text.replace("<scope>", "<scope><more/>"), "<salt>"),
        (text.replace("</bundle>", ""), "end"),
        (text.clone() + "<bundle/>", "end here"),
        (text.replace("</header>", "</scope>"), "not well-formed"),
        (
            text.replace("flight n=\"1\"", "flight n=\"1\" n=\"1\""),
            "attribute",
        ),
        (text.replace("flight n=\"1\"", "flight n=\"+1\""), "number"),
        (text.replace("flight n=\"1\"", "flight n=\"&#49;\""), "attribute"),
    ] {
        let refused = opened(&pair, strange.as_bytes()).unwrap_err();
        assert_eq!(refused.reason, Reason::BundleMalformed, "{refused}");
        assert!(refused.detail.contains(told), "{refused} should tell of {told:?}");
    }
    let newer = text.replace("relay:1", "relay:2");
    assert_eq!(
        opened(&pair, newer.as_bytes()).unwrap_err().reason,
        Reason::BundleVersionTooNew
    );
}

#[test]
fn a_schema_that_has_not_come_yet_is_waited_for_and_an_object_of_another_shape_cannot_go() {
    let pair = Pair::new();
    let bytes = written(&pair, &objects(vec![blank("one")])).unwrap();
    let refused = opened_with(&pair, &bytes, OpenForm::Xml(&Nothing)).unwrap_err();
    assert_eq!(refused.reason, Reason::BundleSchemaMissing);
    assert!(refused.waits());
    let item = |state: &[u8]| Item {
        key: "k".to_owned(),
        change: Change::State(Bytes::copy_from_slice(state)),
    };
    for state in [&b""[..], b"\0", b"\0\x01\x02\x03"] {
        let failed = written(&pair, &objects(vec![blank("fine"), item(state)])).unwrap_err();
        assert!(
            matches!(failed, CannotWrite::Record { number: 2, .. }),
            "{failed}"
        );
    }
}

#[test]
fn a_signature_may_be_in_a_file_of_its_own() {
    let pair = Pair::new();
    let text = as_text(&written(&pair, &objects(any_items(3))).unwrap());
    let (start, end) = (
        text.rfind("<signature>").unwrap(),
        text.rfind("</bundle>").unwrap(),
    );
    let bundle = format!("{}{}", &text[..start], &text[end..]);
    let namespace = "<signature xmlns=\"urn:peerd:relay:1\">";
    let beside = text[start..end].replacen("<signature>", namespace, 1);
    let schemas = known();
    let opened = opened_with(
        &pair,
        bundle.as_bytes(),
        OpenForm::XmlBeside(&schemas, beside.as_bytes()),
    );
    assert_eq!(opened.unwrap().numbers.len(), 3);
    let alone = opened_with(&pair, bundle.as_bytes(), OpenForm::Xml(&schemas)).unwrap_err();
    assert_eq!(alone.reason, Reason::BundleMalformed);
    let both = opened_with(
        &pair,
        text.as_bytes(),
        OpenForm::XmlBeside(&schemas, beside.as_bytes()),
    );
    assert_eq!(both.unwrap_err().reason, Reason::BundleMalformed);
}

/// Runs `xmllint`, which comes with Debian's libxml2-utils.
pub(crate) fn xmllint(arguments: &[&str], files: &[PathBuf]) -> Vec<u8> {
    let output = Command::new("xmllint")
        .args(["--nonet", "--huge"])
        .args(arguments)
        .args(files)
        .output()
        .expect("xmllint, of Debian's libxml2-utils, is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    let told = told.chars().take(2_000).collect::<String>();
    assert!(output.status.success(), "xmllint {arguments:?}: {told}");
    output.stdout
}

fn validate(dir: &Path, bundles: &[Vec<u8>]) {
    let schema = dir.join("bundles.xsd");
    std::fs::write(&schema, xsd(&[states::schema()])).unwrap();
    let files = bundles.iter().zip(0..).map(|(bytes, number)| {
        let path = dir.join(format!("{number}.xml"));
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let schema = schema.to_str().unwrap();
    xmllint(&["--noout", "--schema", schema], &files.collect::<Vec<_>>());
}

#[test]
fn every_bundle_validates_against_the_exported_schema_whatever_texts_it_holds() {
    let (pair, dir) = (Pair::new(), TempDir::new().unwrap());
    let hostile = objects(any_items(300));
    let bundles = kinds()
        .chain([hostile])
        .map(|records| written(&pair, &records).unwrap());
    validate(dir.path(), &bundles.collect::<Vec<_>>());
}

#[test]
fn what_the_schema_does_not_have_does_not_validate() {
    let (pair, dir) = (Pair::new(), TempDir::new().unwrap());
    let text = as_text(&written(&pair, &objects(vec![blank("one")])).unwrap());
    for (from, to) in [
        ("<scope>", "<scope><more/>"),
        ("<key>one</key>", "<key></key>"),
        ("<kind>objects<", "<kind>parity<"),
        ("hops=\"0\"", "hops=\"17\""),
        ("<flight n=\"1\">", "<flight>"),
        ("<state", "<states"),
    ] {
        let strange = text.replace(from, to).replace(
            "</state>",
            if from == "<state" { "</states>" } else { "</state>" },
        );
        assert_ne!(strange, text);
        let failed = std::panic::catch_unwind(|| validate(dir.path(), &[strange.into_bytes()]));
        assert!(failed.is_err(), "{from} as {to} validates");
    }
}

#[test]
fn a_guard_may_indent_and_encode_anew() {
    let (pair, dir) = (Pair::new(), TempDir::new().unwrap());
    let records = objects(any_items(100));
    let bytes = written(&pair, &records).unwrap();
    let path = dir.path().join("bundle.xml");
    std::fs::write(&path, &bytes).unwrap();
    for arguments in [
        &["--format"][..],
        &["--encode", "UTF-16"],
        &["--encode", "US-ASCII"],
        &["--encode", "ISO-8859-1", "--format"],
        &["--c14n"],
    ] {
        let anew = xmllint(arguments, std::slice::from_ref(&path));
        assert_ne!(anew, bytes);
        let opened = opened(&pair, &anew).unwrap_or_else(|refused| panic!("{arguments:?}: {refused}"));
        assert_eq!(opened.records, records, "{arguments:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn objects_of_every_shape_read_back_bit_for_bit(items in vec(states::item(), 0..6)) {
        let pair = Pair::new();
        let records = objects(items);
        let bytes = written(&pair, &records).unwrap();
        prop_assert_eq!(opened(&pair, &bytes).unwrap().records, records);
    }

    #[test]
    fn mangled_bytes_are_refused_or_say_the_same(
        place: prop::sample::Index,
        other: prop::sample::Index,
        byte: u8,
        how in 0..5,
    ) {
        let pair = Pair::new();
        let records = objects(any_items(4));
        let mut bytes = written(&pair, &records).unwrap();
        let (at, to) = (place.index(bytes.len()), other.index(bytes.len()));
        let (first, last) = (at.min(to), at.max(to));
        match how {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(first..last)),
            3 => { let piece = bytes[first..last].to_vec(); bytes.extend(piece); }
            _ => { let whole = bytes.clone(); bytes.splice(at..at, whole); }
        }
        if let Ok(opened) = opened(&pair, &bytes) {
            // Blanks between elements, and records that are gone, are what may differ.
            let (Records::Objects(Objects { items, .. }), Records::Objects(all)) = (opened.records, records) else {
                panic!("objects");
            };
            let kept = opened.numbers.iter().map(|number| all.items[*number as usize - 1].clone());
            prop_assert_eq!(items, kept.collect::<Vec<_>>());
        }
    }
}

#[test]
fn what_a_file_that_waits_for_its_schema_says_of_itself_was_verified() {
    let pair = Pair::new();
    let bytes = written(&pair, &objects(vec![blank("one")])).unwrap();
    let Records::Objects(objects) = opened(&pair, &bytes).unwrap().records else {
        panic!("objects");
    };
    assert_eq!(peek_flow(&bytes).unwrap(), Some(objects.flow.clone()));
    let waits = opened_with(&pair, &bytes, OpenForm::Xml(&Nothing)).unwrap_err();
    assert!(waits.waits(), "{waits}");
    let text = as_text(&bytes);
    let (kind, other) = ("<type>flight</type>", "<type>airport</type>");
    assert!(text.contains(kind));
    for (altered, reason) in [
        (text.replace(kind, other), Reason::BundleRecordInvalid),
        (
            text.replace("<schema-revision>3<", "<schema-revision>4<"),
            Reason::BundleSignatureInvalid,
        ),
    ] {
        let refused = opened_with(&pair, altered.as_bytes(), OpenForm::Xml(&Nothing)).unwrap_err();
        assert_eq!(refused.reason, reason);
    }
    for records in kinds().filter(|records| !matches!(records, Records::Objects(_))) {
        let bytes = written(&pair, &records).unwrap();
        assert_eq!(peek_flow(&bytes).unwrap(), None);
        assert!(opened_with(&pair, &bytes, OpenForm::Xml(&Nothing)).is_ok());
    }
    assert!(peek_flow(b"PEERDRLY and then noise").is_err());
}
