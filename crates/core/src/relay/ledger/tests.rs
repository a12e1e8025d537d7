use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn ledger() -> Ledger {
    Ledger::new(EpochId::from_bytes([1; 16]))
}

#[test]
fn a_gap_shows_until_it_closes() {
    let mut ledger = ledger();
    for sequence in [1, 2, 5, 7] {
        ledger.take(sequence, at(10));
    }
    assert_eq!(ledger.below, 2);
    assert_eq!(ledger.missing(|_| false, 10), [(3, 4), (6, 6)]);
    assert_eq!(ledger.missing(|number| number == 3, 10), [(4, 4), (6, 6)]);
    assert_eq!(ledger.gaps(), 3);
    ledger.saw(9);
    assert_eq!(ledger.missing(|_| false, 10), [(3, 4), (6, 6), (8, 9)]);
    assert_eq!(ledger.missing(|_| false, 2), [(3, 4), (6, 6)]);
    for sequence in [4, 3, 6] {
        assert!(!ledger.has(sequence));
        ledger.take(sequence, at(10));
    }
    assert_eq!((ledger.below, ledger.taken.len()), (7, 0));
}

#[test]
fn what_cannot_come_any_more_is_given_up() {
    let mut ledger = ledger();
    ledger.take(3, at(10));
    ledger.take(6, at(20));
    assert_eq!(ledger.expire(at(10)), 0, "it may come until then");
    assert_eq!(ledger.expire(at(11)), 2);
    assert_eq!(ledger.below, 3);
    assert!(ledger.has(1), "it is refused when it comes after all");
    assert_eq!(ledger.expire(at(30)), 2);
    assert_eq!((ledger.below, ledger.lost, ledger.gaps()), (6, 4, 0));
}

#[test]
fn a_number_at_the_end_of_all_numbers_is_no_burden() {
    let mut ledger = ledger();
    ledger.take(u64::MAX, at(10));
    ledger.saw(u64::MAX);
    assert_eq!(ledger.missing(|_| false, 4).len(), 1);
    assert!(!ledger.has(1));
}

#[test]
fn what_was_said_later_holds() {
    let heard = |epoch, sequence| Heard {
        epoch: EpochId::from_bytes([epoch; 16]),
        sequence,
    };
    assert!(heard(1, 5).counts(None));
    assert!(heard(1, 5).counts(Some(heard(1, 4))));
    assert!(
        heard(1, 5).counts(Some(heard(1, 5))),
        "a bundle may be taken twice after a crash"
    );
    assert!(!heard(1, 5).counts(Some(heard(1, 6))));
    assert!(heard(2, 1).counts(Some(heard(1, 6))));
}

proptest! {
    #[test]
    fn b120_any_order_and_repetition_comes_to_the_same(order in prop::collection::vec(1_u64..40, 0..200)) {
        let mut ledger = ledger();
        let mut model = BTreeSet::new();
        for sequence in order {
            prop_assert_eq!(ledger.has(sequence), model.contains(&sequence));
            ledger.take(sequence, at(1));
            model.insert(sequence);
            let whole = (1..=u64::MAX).take_while(|number| model.contains(number)).count() as u64;
            prop_assert_eq!(ledger.below, whole);
            let highest = *model.last().expect("one");
            let missing: Vec<u64> = (1..=highest).filter(|number| !model.contains(number)).collect();
            let told: Vec<u64> = ledger.missing(|_| false, 100).into_iter().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(&told, &missing);
            prop_assert_eq!(ledger.gaps(), missing.len() as u64);
        }
    }
}
