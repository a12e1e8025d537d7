//! The sealed form.

use std::time::Duration;

use peerd_core::Reason;
use peerd_identity::EcdsaVerifier;
use peerd_relay::{
    CannotWrite, Kind, Limits, OpenForm, Opening, Records, WriteForm, Writing, peek, read, write,
};

use crate::samples::{NOW, Pair, Side, blank, every_kind, objects};

#[test]
fn every_kind_reads_back_as_it_was_written() {
    let pair = Pair::new();
    for (place, records) in every_kind().into_iter().enumerate() {
        let sequence = place as u64 + 1;
        let bytes = pair.seal(sequence, &records);
        let header = peek(&bytes).unwrap();
        let opened = pair.open(bytes).unwrap();
        assert_eq!(opened.header, header);
        assert_eq!(header.sequence, sequence);
        assert_eq!(header.kind, records.kind());
        assert_eq!(opened.numbers.len(), records.len());
        assert!(opened.dropped.is_empty());
        assert_eq!(opened.records, records);
    }
}

#[test]
fn a_bundle_is_taken_by_its_recipient_from_its_sender_in_its_time_only() {
    let (pair, stranger) = (Pair::new(), Side::new());
    let bytes = pair.seal(1, &every_kind()[0]);
    let reason = |me, key, now, sealing| {
        let opening = Opening {
            me,
            from: pair.a.id(),
            keys: &[key],
            verifier: &EcdsaVerifier,
            now,
            form: OpenForm::Sealed(sealing),
            limits: &pair.limits,
        };
        read(bytes.clone(), &opening).unwrap_err().reason
    };
    let (b, a) = (pair.b.id(), pair.a.key());
    assert_eq!(
        reason(stranger.id(), a.clone(), NOW, &pair.b.sealing),
        Reason::BundleNotForUs
    );
    assert_eq!(
        reason(b, stranger.key(), NOW, &pair.b.sealing),
        Reason::BundleSenderUnknown
    );
    let late = NOW.plus(Duration::from_hours(72));
    assert_eq!(reason(b, a.clone(), late, &pair.b.sealing), Reason::BundleExpired);
    // The header says it is for us, but it is sealed to a key we do not have.
    assert_eq!(reason(b, a, NOW, &stranger.sealing), Reason::BundleUnopenable);
}

#[test]
fn no_byte_can_be_changed_cut_or_added() {
    let pair = Pair::new();
    let bytes = pair.seal(1, &objects(vec![blank("a"), blank("b")]));
    for place in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[place] ^= 1;
        assert!(pair.open(changed).is_err(), "byte {place}");
        assert!(pair.open(bytes.slice(..place)).is_err(), "cut at {place}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert_eq!(pair.open(longer).unwrap_err().reason, Reason::BundleDamaged);
    let twice = [&bytes[..], &bytes].concat();
    assert_eq!(pair.open(twice).unwrap_err().reason, Reason::BundleDamaged);
}

#[test]
fn a_newer_version_says_so_and_what_is_no_bundle_too() {
    let pair = Pair::new();
    let mut bytes = pair.seal(1, &every_kind()[0]).to_vec();
    bytes[8] = 2;
    assert_eq!(pair.open(bytes).unwrap_err().reason, Reason::BundleVersionTooNew);
    for text in [&b""[..], b"PEERDRL", b"%PDF-1.4", b"<bundle/>"] {
        let refused = pair.open(text.to_vec()).unwrap_err();
        assert_eq!(refused.reason, Reason::BundleFormUnexpected);
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let mut pair = Pair::new();
    let many = objects((0..100).map(|number| blank(&number.to_string())).collect());
    let bytes = pair.seal(1, &many);
    let try_write = |limits: Limits| {
        let writing = Writing {
            signer: &pair.a.identity,
            form: WriteForm::Sealed(pair.b.sealing.public().unwrap()),
            limits: &limits,
        };
        write(&pair.facts(1), &many, &writing).map(|_| ())
    };
    let small_file = Limits {
        bundle_bytes_max: bytes.len() - 1,
        ..Limits::default()
    };
    let small_plain = Limits {
        plain_bytes_max: 1_000,
        ..Limits::default()
    };
    let few = Limits {
        records_max: 99,
        ..Limits::default()
    };
    assert!(matches!(try_write(small_file), Err(CannotWrite::TooLarge { .. })));
    assert!(matches!(
        try_write(small_plain),
        Err(CannotWrite::TooLarge { .. })
    ));
    assert!(matches!(try_write(few), Err(CannotWrite::TooMany { .. })));
    for limits in [small_file, small_plain, few] {
        pair.limits = limits;
        assert_eq!(
            pair.open(bytes.clone()).unwrap_err().reason,
            Reason::BundleTooLarge
        );
    }
}

#[test]
fn what_compresses_well_unpacks_to_what_its_header_says_and_no_further() {
    // 60 MB of the same byte in a few KB: within the limit it is read, one byte under it nothing is unpacked.
    let mut pair = Pair::new();
    let part = |records: &Records| match records {
        Records::Content(parts) => parts[1].clone(),
        _ => panic!("content"),
    };
    let template = part(&every_kind()[4]);
    let parts = (0..60).map(|_| {
        let mut part = template.clone();
        part.bytes = vec![0; 1 << 20].into();
        part
    });
    let records = Records::Content(parts.collect());
    let bytes = pair.seal(1, &records);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let header = pair.open(bytes.clone()).unwrap().header;
    pair.limits.plain_bytes_max = usize::try_from(header.plain_bytes).unwrap() - 1;
    assert_eq!(pair.open(bytes).unwrap_err().reason, Reason::BundleTooLarge);
}

#[test]
fn equal_records_leave_no_equal_traces_in_the_header() {
    let pair = Pair::new();
    let records = &every_kind()[0];
    let root = |salt| {
        let mut facts = pair.facts(1);
        facts.salt = salt;
        let writing = Writing {
            signer: &pair.a.identity,
            form: WriteForm::Sealed(pair.b.sealing.public().unwrap()),
            limits: &pair.limits,
        };
        write(&facts, records, &writing).unwrap().header.root
    };
    assert_ne!(root([1; 16]), root([2; 16]));
    assert_eq!(root([1; 16]), root([1; 16]));
}

#[test]
fn files_of_one_epoch_sort_by_their_number() {
    let pair = Pair::new();
    let names = [2, 10, 1].map(|sequence| {
        let header = peek(&pair.seal(sequence, &every_kind()[5])).unwrap();
        assert_eq!(header.kind, Kind::Ack);
        header.file_name()
    });
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(
        [&names[2], &names[0], &names[1]],
        [&sorted[0], &sorted[1], &sorted[2]]
    );
    assert!(names.iter().all(|name| name.ends_with(".ack.sealed")));
}
