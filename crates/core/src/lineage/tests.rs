use super::*;
use crate::code::tests::{Ecdsa, Key};

/// A lineage of so many keys, with the keys.
fn line(length: usize) -> (Vec<Key>, Lineage) {
    let keys: Vec<Key> = (0..length).map(|_| Key::new()).collect();
    let mut lineage = Lineage::first(keys[0].public_key());
    for pair in keys.windows(2) {
        lineage = lineage
            .handed_to(pair[1].public_key(), &pair[0])
            .expect("one more");
    }
    (keys, lineage)
}

#[test]
fn b025_a_lineage_is_read_back_and_names_the_enrollment_by_its_first_key() {
    for length in [1, 2, 4] {
        let (keys, lineage) = line(length);
        let handovers = Lineage::decode(&lineage.encode()).expect("reads back");
        let last = keys[length - 1].public_key();
        let read = Lineage::verified(handovers, last.clone(), &Ecdsa);
        assert_eq!(read.as_ref(), Some(&lineage));
        assert_eq!(lineage.enrollment(), keys[0].public_key().enrollment_id());
        assert!(
            keys[..length - 1]
                .iter()
                .all(|key| lineage.follows(&key.public_key()))
        );
        assert!(!lineage.follows(&last));
    }
}

#[test]
fn b028_what_no_key_of_the_line_signed_is_not_part_of_it() {
    let (keys, lineage) = line(3);
    let stranger = Key::new();
    let read = |handovers: Vec<Handover>, key: &Key| Lineage::verified(handovers, key.public_key(), &Ecdsa);
    let all = lineage.handovers().to_vec();
    assert_eq!(read(all.clone(), &stranger), None, "another key at the end");
    assert_eq!(
        read(vec![all[1].clone(), all[0].clone()], &keys[2]),
        None,
        "another order"
    );
    assert_eq!(read(all[..1].to_vec(), &keys[2]), None, "a key left out");
    assert_eq!(
        read(all[1..].to_vec(), &keys[2]),
        None,
        "the first left out: another enrollment's"
    );
    let mut altered = all.clone();
    altered[0].signature[5] ^= 1;
    assert_eq!(read(altered, &keys[2]), None);
    let mut taken = all;
    taken[0].key = stranger.public_key();
    assert_eq!(read(taken, &keys[2]), None, "another first key");
    // What one enrollment's key signed for another's line proves nothing in its own.
    let other = Lineage::first(keys[0].public_key());
    let foreign = other.handed_to(stranger.public_key(), &keys[1]).expect("made");
    assert_eq!(read(foreign.handovers().to_vec(), &stranger), None);
}

#[test]
fn a_key_comes_once_and_there_are_so_many_at_most() {
    let (keys, lineage) = line(2);
    let back = lineage.handed_to(keys[0].public_key(), &keys[1]);
    assert_eq!(back, Err(CannotHandOver::Repeated));
    let (keys, lineage) = line(Lineage::HANDOVERS_MAX + 1);
    let more = lineage.handed_to(Key::new().public_key(), &keys[Lineage::HANDOVERS_MAX]);
    assert_eq!(more, Err(CannotHandOver::TooOften));
}

#[test]
fn bytes_that_are_no_handovers_are_refused() {
    let bytes = line(3).1.encode();
    for cut in 1..bytes.len() {
        let whole = cut == bytes.len() / 2;
        assert_eq!(Lineage::decode(&bytes[..cut]).is_some(), whole, "{cut}");
    }
    let long = [bytes.repeat(Lineage::HANDOVERS_MAX / 2), bytes].concat();
    assert_eq!(Lineage::decode(&long), None);
    assert_eq!(Lineage::decode(&[255; 600]), None);
}
