//! Redundancy: what is lost is rebuilt, up to what was asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use peerd_relay::Records;
use peerd_relay::parity::{CannotRebuild, LOSS_PERCENT, rebuild, recovery_shards, shards};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::samples::{Pair, every_kind};

const MEMORY: u64 = 1 << 30;

fn numbered(first: u64, files: &[Bytes]) -> BTreeMap<u64, Bytes> {
    (first..).zip(files.iter().cloned()).collect()
}

#[test]
fn a_fifth_of_all_files_may_be_lost_by_default() {
    assert_eq!(recovery_shards(16, LOSS_PERCENT), 4);
    assert_eq!(recovery_shards(1, LOSS_PERCENT), 1);
    assert_eq!(recovery_shards(100, 50), 100);
}

#[test]
fn a_group_survives_its_own_way_through_bundles() {
    let pair = Pair::new();
    let files = (1..=8)
        .map(|sequence| pair.seal(sequence, &every_kind()[usize::try_from(sequence).unwrap() % 6]))
        .collect::<Vec<_>>();
    let sent = shards(1, &files, LOSS_PERCENT).unwrap();
    assert_eq!(sent.len(), 2);
    let came = sent
        .iter()
        .map(|shard| {
            let bundle = pair.seal(9, &Records::Parity(vec![shard.clone()]));
            match pair.open(bundle).unwrap().records {
                Records::Parity(mut shards) => shards.remove(0),
                _ => panic!("redundancy"),
            }
        })
        .collect::<Vec<_>>();
    assert_eq!(came, sent);
    let mut there = numbered(1, &files);
    there.remove(&3);
    // What is there and was changed is rebuilt too.
    there.insert(7, Bytes::from_static(b"other bytes"));
    let rebuilt = rebuild(&came, &there, MEMORY).unwrap();
    assert_eq!(
        rebuilt,
        BTreeMap::from([(3, files[2].clone()), (7, files[6].clone())])
    );
    assert!(pair.open(rebuilt[&3].clone()).is_ok());
}

#[test]
fn shards_that_contradict_each_other_or_themselves_rebuild_nothing() {
    let files = [Bytes::from_static(b"one"), Bytes::from_static(b"three")];
    let good = shards(1, &files, 50).unwrap();
    let there = BTreeMap::from([(1, files[0].clone())]);
    let unsound = |change: fn(&mut peerd_relay::record::Shard)| {
        let mut bad = good.clone();
        change(&mut bad[0]);
        rebuild(&bad, &there, MEMORY).unwrap_err()
    };
    for change in [
        (|shard| shard.first = 2) as fn(&mut peerd_relay::record::Shard),
        |shard| shard.members.clear(),
        |shard| shard.members[1].bytes = 7,
        |shard| shard.shard_bytes = 8,
        |shard| shard.recovery_shards = u32::MAX,
        |shard| shard.index = 2,
        |shard| shard.bytes = Bytes::new(),
        |shard| shard.bytes = vec![0; 6].into(),
    ] {
        assert_eq!(unsound(change), CannotRebuild::Unsound);
    }
    let large = rebuild(&good, &there, 10).unwrap_err();
    assert!(matches!(large, CannotRebuild::TooLarge { .. }));
    assert!(shards(1, &[], 20).is_err());
    assert!(shards(1, &[Bytes::new()], 20).is_err());
    assert!(shards(1, &files, 0).is_err() && shards(1, &files, 81).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_loss_up_to_the_number_of_shards_is_made_good_and_more_is_refused(
        files in vec(vec(any::<u8>(), 1..300), 1..24),
        percent in 1_u8..=80,
        order in Just((0..200_usize).collect::<Vec<_>>()).prop_shuffle(),
        extra in 0_usize..3,
    ) {
        let files = files.into_iter().map(Bytes::from).collect::<Vec<_>>();
        let made = shards(7, &files, percent).unwrap();
        prop_assert_eq!(made.len(), recovery_shards(files.len(), percent));
        // Which of all files, those of redundancy included, are lost.
        let all = files.len() + made.len();
        let lost = order.into_iter().filter(|place| *place < all).take(made.len() + extra).collect::<Vec<_>>();
        let mut there = numbered(7, &files);
        there.retain(|number, _| !lost.contains(&usize::try_from(*number - 7).unwrap()));
        let kept = made.iter().enumerate().filter(|(place, _)| !lost.contains(&(files.len() + place)));
        let kept = kept.map(|(_, shard)| shard.clone()).collect::<Vec<_>>();
        let missing = files.len() - there.len();
        match rebuild(&kept, &there, MEMORY) {
            Ok(rebuilt) => {
                prop_assert!(missing <= kept.len());
                there.extend(rebuilt);
                prop_assert_eq!(there, numbered(7, &files));
            }
            Err(CannotRebuild::TooFew { .. }) => prop_assert!(missing > kept.len() || kept.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
