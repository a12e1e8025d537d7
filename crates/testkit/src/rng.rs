//! Chance that repeats.

use std::sync::atomic::{AtomicU64, Ordering};

use peerd_core::Rng;

/// Bytes of a small generator (SplitMix64): fit for tests alone.
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    /// The generator with this seed.
    pub const fn new(seed: u64) -> SeededRng {
        SeededRng(AtomicU64::new(seed))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}
