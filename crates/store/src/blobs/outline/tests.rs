#![expect(
    clippy::cast_possible_truncation,
    reason = "these are tests: all content fits in memory"
)]

use super::*;

fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at * 31 % 251) as u8 ^ (at >> 12) as u8)
        .collect()
}

fn outline(content: &[u8]) -> Outline {
    let mut outliner = Outliner::default();
    for piece in content.chunks(77_777) {
        outliner.push(piece);
    }
    outliner.finish()
}

#[test]
fn b096_an_outline_comes_together_to_the_hash_whatever_the_length() {
    let group = GROUP_BYTES as usize;
    for length in [
        0,
        1,
        group - 1,
        group,
        group + 1,
        2 * group,
        3 * group - 1,
        5 * group + 7,
        8 * group,
    ] {
        let content = content(length);
        let outline = outline(&content);
        assert_eq!(
            outline.blob().hash.as_bytes(),
            blake3::hash(&content).as_bytes(),
            "{length}"
        );
        assert_eq!(outline.blob().size, length as u64);
        assert_eq!(outline.len(), groups_of(length as u64));
        assert_eq!(
            Outline::read(outline.blob(), outline.as_bytes()),
            Some(outline.clone())
        );
        for group in 0..outline.len() {
            let place = group_bytes(length as u64, group);
            let piece = Bytes::copy_from_slice(&content[place.start as usize..place.end as usize]);
            assert!(outline.is_group(group, &[piece]), "{length}: {group}");
        }
    }
}

#[test]
fn b091_a_group_is_checked_on_its_own() {
    let content = content(2 * GROUP_BYTES as usize + 9);
    let outline = outline(&content);
    let group = |group: u64| {
        let place = group_bytes(outline.blob().size, group);
        content[place.start as usize..place.end as usize].to_vec()
    };
    let mut flipped = group(1);
    flipped[500_000] ^= 4;
    assert!(!outline.is_group(1, &[flipped.into()]));
    assert!(
        !outline.is_group(0, &[group(1).into()]),
        "at another place it is not right"
    );
    assert!(!outline.is_group(2, &[group(2)[..8].to_vec().into()]));
    assert!(!outline.is_group(3, &[]));
    let halves = group(1);
    let (left, right) = halves.split_at(333);
    assert!(outline.is_group(1, &[left.to_vec().into(), right.to_vec().into()]));
}

#[test]
fn b096_an_outline_that_is_not_the_blobs_is_none() {
    let outline = outline(&content(3 * GROUP_BYTES as usize));
    let (blob, bytes) = (outline.blob(), outline.as_bytes().to_vec());
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    assert_eq!(Outline::read(blob, &flipped), None);
    assert_eq!(Outline::read(blob, &bytes[..64]), None);
    assert_eq!(Outline::read(blob, &bytes[..95]), None);
    assert_eq!(
        Outline::read(
            Blob {
                size: 4 * GROUP_BYTES,
                ..blob
            },
            &bytes
        ),
        None
    );
    assert_eq!(
        Outline::read(
            Blob {
                size: u64::MAX,
                ..blob
            },
            &bytes
        ),
        None
    );
}

#[test]
fn an_outline_made_in_two_turns_is_the_same() {
    let content = content(3 * GROUP_BYTES as usize + 5);
    let whole = outline(&content);
    let begun = whole.as_bytes().as_chunks::<32>().0[..2].to_vec();
    let mut rest = Outliner::after(begun);
    rest.push(&content[2 * GROUP_BYTES as usize..]);
    assert_eq!(rest.finish(), whole);
}
