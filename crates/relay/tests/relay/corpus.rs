//! The corpus of the guard profile: files that must be taken and files that must not, in docs/relay-guard/corpus.
//!
//! With `UPDATE_GOLDENS=1` the files are made anew, with new keys; without it they are read, each with the outcome that
//! `expected.txt` says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use peerd_core::signature::PublicKey;
use peerd_core::{EnrollmentId, Reason};
use peerd_identity::EcdsaVerifier;
use peerd_node::exchange::{Change, Item};
use peerd_relay::{Facts, Limits, OpenForm, Opening, Records, WriteForm, Writing, read, write, xsd};

use crate::samples::{NOW, Pair, Side, blank, every_kind, objects};
use crate::states::{self, Known};
use crate::xml::{any_items, xmllint};

fn profile() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/relay-guard")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some()
}

/// A file of the corpus, and what becomes of it.
struct Case {
    name: &'static str,
    bytes: Vec<u8>,
}

fn is_xml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "xml")
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>) -> Case {
    Case {
        name,
        bytes: bytes.into(),
    }
}

/// Sender, recipient and moment of the corpus, as `parties.txt` has them.
struct Parties {
    key: PublicKey,
    from: EnrollmentId,
    me: EnrollmentId,
}

impl Parties {
    fn read() -> Parties {
        let text = fs::read_to_string(profile().join("corpus/parties.txt")).unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("parties.txt has no {name}"))
                .trim()
                .to_owned()
        };
        let key = data_encoding::BASE64
            .decode(value("sender-key").as_bytes())
            .unwrap();
        Parties {
            key: PublicKey::from_spki(key),
            from: value("sender-id").parse().unwrap(),
            me: value("recipient-id").parse().unwrap(),
        }
    }

    /// What becomes of a file. A sealed one whose header, signature and body are sound comes as far as its recipient's
    /// key, which nobody has any more.
    fn outcome(&self, bytes: Vec<u8>, xml: bool) -> String {
        let (limits, known, nobody) = (Limits::default(), Known(states::schema()), Side::new());
        let opening = Opening {
            me: self.me,
            from: self.from,
            keys: std::slice::from_ref(&self.key),
            verifier: &EcdsaVerifier,
            now: NOW,
            form: if xml {
                OpenForm::Xml(&known)
            } else {
                OpenForm::Sealed(&nobody.sealing)
            },
            limits: &limits,
        };
        match read(Bytes::from(bytes), &opening) {
            Ok(opened) => format!(
                "taken, {} records, {} dropped",
                opened.records.len(),
                opened.dropped.len()
            ),
            Err(refused) if !xml && refused.reason == Reason::BundleUnopenable => {
                "sound, for its recipient's eyes only".to_owned()
            }
            Err(refused) => format!("refused {}", refused.reason),
        }
    }
}

fn xml(pair: &Pair, records: &Records) -> Vec<u8> {
    signed(&pair.facts(1), &pair.a, records)
}

fn signed(facts: &Facts, by: &Side, records: &Records) -> Vec<u8> {
    let (known, limits) = (Known(states::schema()), Limits::default());
    let writing = Writing {
        signer: &by.identity,
        form: WriteForm::Xml(&known),
        limits: &limits,
    };
    write(facts, records, &writing).unwrap().bytes
}

fn good(pair: &Pair) -> Vec<Case> {
    let kind = |place: usize| xml(pair, &every_kind()[place]);
    let text = text_of(pair);
    let lines = flights(&text);
    let declared = format!("\u{feff}{}", text.replacen("UTF-8", "UTF-16", 1));
    let utf16 = declared
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect::<Vec<_>>();
    vec![
        case("good/lifecycle.xml", kind(0)),
        case("good/sharing.xml", kind(1)),
        case("good/objects-few.xml", kind(2)),
        case("good/objects-none.xml", kind(3)),
        case("good/content.xml", kind(4)),
        case("good/ack.xml", kind(5)),
        case("good/query.xml", kind(6)),
        case("good/heartbeat.xml", kind(7)),
        case("good/objects.xml", text.clone()),
        case(
            "good/objects-indented.xml",
            text.replace("><", ">\n    <").replace("<key>\n    <", "<key><"),
        ),
        case("good/objects-utf16.xml", utf16),
        case(
            "good/objects-thinned.xml",
            text.replace(lines[1], "").replace(lines[4], ""),
        ),
        case("good/objects.sealed", pair.seal(1, &sample_objects()).to_vec()),
        case("good/parity.sealed", pair.seal(1, &every_kind()[8]).to_vec()),
    ]
}

fn sample_objects() -> Records {
    let gone = Item {
        key: "gone".to_owned(),
        change: Change::Retraction,
    };
    let mut items = any_items(6);
    items.extend([blank("blank"), gone]);
    objects(items)
}

/// The objects of a bundle, each as it is written. A text may have several lines.
fn flights(text: &str) -> Vec<&str> {
    let end = text.find("</objects>").unwrap();
    let starts = (1..).map_while(|number| text.find(&format!("<flight n=\"{number}\">")));
    let starts = starts.chain([end]).collect::<Vec<_>>();
    starts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

fn text_of(pair: &Pair) -> String {
    String::from_utf8(xml(pair, &sample_objects())).unwrap()
}

fn bad(pair: &Pair) -> Vec<Case> {
    let text = text_of(pair);
    let put = |before: &str, what: &str| text.replacen(before, &format!("{what}{before}"), 1);
    let entity = "<!DOCTYPE bundle [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let lines = flights(&text);
    let swapped = text
        .replace(lines[0], "@@")
        .replace(lines[1], lines[0])
        .replace("@@", lines[1]);
    let stranger = Pair::new();
    vec![
        case("bad/entities.xml", put("<bundle", entity)),
        case(
            "bad/external-dtd.xml",
            put("<bundle", "<!DOCTYPE bundle SYSTEM \"file:///etc/passwd\">"),
        ),
        case("bad/comment.xml", put("<header>", "<!-- a covert word -->")),
        case(
            "bad/processing-instruction.xml",
            put("<header>", "<?covert word?>"),
        ),
        case(
            "bad/unknown-element.xml",
            put("</scope>", "<covert>word</covert>"),
        ),
        case(
            "bad/unknown-attribute.xml",
            text.replacen("<header>", "<header covert=\"word\">", 1),
        ),
        case("bad/text-between.xml", put("<scope>", "word")),
        case(
            "bad/value-altered.xml",
            text.replacen("<key>blank<", "<key>Blank<", 1),
        ),
        case("bad/records-swapped.xml", swapped),
        case(
            "bad/record-added.xml",
            put("</objects>", &lines[0].replace("n=\"1\"", "n=\"9\"")),
        ),
        case(
            "bad/record-doubled.xml",
            text.replacen(lines[7], &format!("{}{}", lines[7], lines[7]), 1),
        ),
        case(
            "bad/header-altered.xml",
            text.replacen("<marking>medical</marking>", "", 1),
        ),
        case(
            "bad/cover-altered.xml",
            text.replacen("<through>z<", "<through>zz<", 1),
        ),
        case("bad/signature-missing.xml", {
            let (start, end) = (
                text.rfind("<signature>").unwrap(),
                text.rfind("</bundle>").unwrap(),
            );
            format!("{}{}", &text[..start], &text[end..])
        }),
        case("bad/cut.xml", &text.as_bytes()[..text.len() / 2]),
        case("bad/other-recipient.xml", text_of(&stranger)),
        case(
            "bad/other-sender.xml",
            signed(&pair.facts(1), &stranger.a, &sample_objects()),
        ),
        case(
            "bad/other-version.xml",
            text.replacen("urn:peerd:relay:1", "urn:peerd:relay:9", 1),
        ),
        case("bad/encoding.xml", text.replacen("UTF-8", "windows-1252", 1)),
        case("bad/no-bundle.xml", "<html/>"),
    ]
}

fn bad_sealed(pair: &Pair) -> Vec<Case> {
    let sealed = pair.seal(1, &sample_objects()).to_vec();
    let mut flipped = sealed.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut newer = sealed.clone();
    newer[8] = 9;
    let stranger = Pair::new();
    vec![
        case("bad/flipped.sealed", flipped),
        case("bad/cut.sealed", &sealed[..sealed.len() - 20]),
        case("bad/newer.sealed", newer),
        case(
            "bad/other-recipient.sealed",
            stranger.seal(1, &every_kind()[0]).to_vec(),
        ),
        case("bad/no-bundle.sealed", "PEERDRLY"),
    ]
}

/// Makes all files anew.
fn make() {
    let pair = Pair::new();
    let corpus = profile().join("corpus");
    for name in ["good", "bad"] {
        let dir = corpus.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
    }
    let key = data_encoding::BASE64.encode(pair.a.key().as_spki());
    let (sender, recipient) = (pair.a.id(), pair.b.id());
    let parties = format!("sender-id {sender}\nsender-key {key}\nrecipient-id {recipient}\nnow {NOW}\n");
    fs::write(corpus.join("parties.txt"), parties).unwrap();
    let known = Parties::read();
    let mut expected = String::new();
    for case in good(&pair).into_iter().chain(bad(&pair)).chain(bad_sealed(&pair)) {
        fs::write(corpus.join(case.name), &case.bytes).unwrap();
        let outcome = known.outcome(case.bytes, is_xml(case.name));
        assert_eq!(
            case.name.starts_with("bad/"),
            outcome.starts_with("refused"),
            "{}: {outcome}",
            case.name
        );
        writeln!(expected, "{} {outcome}", case.name).unwrap();
    }
    fs::write(corpus.join("expected.txt"), expected).unwrap();
    fs::write(profile().join("flight.xsd"), xsd(&[states::schema()])).unwrap();
}

#[test]
fn the_corpus_has_the_outcomes_it_says_and_validates_as_it_should() {
    if updating() {
        make();
    }
    let corpus = profile().join("corpus");
    let parties = Parties::read();
    let expected = fs::read_to_string(corpus.join("expected.txt")).unwrap();
    let mut files = Vec::new();
    for line in expected.lines() {
        let (name, outcome) = line.split_once(' ').unwrap();
        let bytes = fs::read(corpus.join(name)).unwrap();
        assert_eq!(parties.outcome(bytes, is_xml(name)), outcome, "{name}");
        files.push(name);
    }
    let count = |name: &str| fs::read_dir(corpus.join(name)).unwrap().count();
    assert_eq!(
        count("good") + count("bad"),
        files.len(),
        "expected.txt names every file"
    );
    let schema = profile().join("flight.xsd");
    assert_eq!(
        fs::read_to_string(&schema).unwrap(),
        xsd(&[states::schema()]),
        "flight.xsd is out of date"
    );
    let good = files
        .iter()
        .filter(|name| name.starts_with("good/") && is_xml(name));
    let good = good.map(|name| corpus.join(name)).collect::<Vec<_>>();
    xmllint(&["--noout", "--schema", schema.to_str().unwrap()], &good);
    let rules = profile().join("bundle.sch");
    xmllint(&["--noout", "--schematron", rules.to_str().unwrap()], &good);
}

#[test]
fn the_rules_find_what_the_schema_cannot_say() {
    let text = text_of(&Pair::new());
    let rules = profile().join("bundle.sch");
    let rules = rules.to_str().unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    for (from, to) in [
        ("<records>8<", "<records>7<"),
        ("<flight n=\"2\">", "<flight n=\"1\">"),
        ("by=\"0\"", "by=\"4000\""),
        ("<type>flight<", "<type>ship<"),
        ("<kind>objects<", "<kind>ack<"),
    ] {
        let path = dir.path().join("bundle.xml");
        let altered = text.replacen(from, to, 1);
        assert_ne!(altered, text, "{from}");
        fs::write(&path, altered).unwrap();
        let failed = std::panic::catch_unwind(|| xmllint(&["--noout", "--schematron", rules], &[path]));
        assert!(failed.is_err(), "{from} as {to} passes");
    }
}
