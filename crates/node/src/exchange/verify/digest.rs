//! Digests: what one side has of a type, in a table of 4,096 sums.

use std::collections::BTreeSet;

/// The hash of one object in the form in which it crosses: 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemHash(pub u128);

impl ItemHash {
    /// Of a key and the canonical bytes of its state. How many connections it crossed does not count: the shortest way
    /// is kept on each side by itself.
    pub(super) fn of(key: &str, state: &[u8]) -> ItemHash {
        ItemHash::over(b'i', key, state)
    }

    /// Of an object that is too large to cross: no state has this hash.
    pub(super) fn too_large(key: &str) -> ItemHash {
        ItemHash::over(b'l', key, &[])
    }

    fn over(kind: u8, key: &str, state: &[u8]) -> ItemHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[kind]);
        hasher.update(&(key.len() as u64).to_be_bytes());
        hasher.update(key.as_bytes());
        hasher.update(state);
        ItemHash(first(&hasher.finalize()))
    }
}

fn first(hash: &blake3::Hash) -> u128 {
    let bytes = hash.as_bytes().first_chunk().copied();
    u128::from_be_bytes(bytes.unwrap_or_default())
}

/// The bucket of an object. It follows from the key alone, so an object is in the same one on both sides.
pub(super) fn bucket_of(key: &str) -> u16 {
    let [high, low, ..] = *blake3::hash(key.as_bytes()).as_bytes();
    u16::from_be_bytes([high, low]) % BUCKETS
}

/// How many buckets there are.
pub(super) const BUCKETS: u16 = 4_096;

/// Everything that one side has of one type in one direction: how many, and the sum of the hashes in each bucket. Sums
/// do not depend on any order, and an object that is there twice is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    sums: Vec<u128>,
    count: u64,
    home: u64,
}

impl Default for Digests {
    fn default() -> Digests {
        Digests {
            sums: vec![0; BUCKETS.into()],
            count: 0,
            home: 0,
        }
    }
}

impl Digests {
    /// From what arrived; `None` unless there is a sum for each bucket, and the counts make sense.
    pub fn new(sums: Vec<u128>, count: u64, home: u64) -> Option<Digests> {
        let sound = sums.len() == usize::from(BUCKETS) && home <= count;
        sound.then_some(Digests { sums, count, home })
    }

    /// The sum of each bucket.
    pub fn sums(&self) -> &[u128] {
        &self.sums
    }

    /// How many live objects.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them did not come to that side over this connection.
    pub fn home(&self) -> u64 {
        self.home
    }

    pub(super) fn add(&mut self, key: &str, hash: ItemHash, home: bool) {
        if let Some(sum) = self.sums.get_mut(usize::from(bucket_of(key))) {
            *sum = sum.wrapping_add(hash.0);
        }
        self.count += 1;
        self.home += u64::from(home);
    }

    /// The buckets that are not equal.
    pub(super) fn differing(&self, other: &Digests) -> BTreeSet<u16> {
        let pairs = (0..BUCKETS).zip(self.sums.iter().zip(&other.sums));
        pairs
            .filter(|(_, (one, other))| one != other)
            .map(|(bucket, _)| bucket)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(items: &[(&str, &[u8])]) -> Digests {
        let mut digests = Digests::default();
        for (key, state) in items {
            digests.add(key, ItemHash::of(key, state), true);
        }
        digests
    }

    #[test]
    fn tables_are_equal_for_equal_objects_in_any_order_and_for_no_others() {
        let one = digests(&[("a", b"1"), ("b", b"2")]);
        assert_eq!(one, digests(&[("b", b"2"), ("a", b"1")]));
        for other in [
            digests(&[("a", b"1")]),
            digests(&[("a", b"1"), ("b", b"3")]),
            digests(&[("a", b"2"), ("b", b"1")]),
            digests(&[("a", b"1"), ("b", b"2"), ("b", b"2")]),
        ] {
            assert!(!one.differing(&other).is_empty(), "{other:?}");
        }
        assert_eq!(one.differing(&digests(&[("a", b"1"), ("b", b"3")])).len(), 1);
    }

    #[test]
    fn a_key_is_no_part_of_a_state() {
        assert_ne!(ItemHash::of("ab", b"c"), ItemHash::of("a", b"bc"));
        assert_ne!(ItemHash::too_large("a"), ItemHash::of("a", b""));
    }

    #[test]
    fn a_table_of_another_shape_is_none() {
        assert_eq!(Digests::new(vec![0; 4_095], 0, 0), None);
        assert_eq!(Digests::new(vec![0; 4_096], 1, 2), None);
        assert!(Digests::new(vec![0; 4_096], 2, 1).is_some());
    }
}
