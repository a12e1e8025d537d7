use peerd_core::Rng;

/// Randomness from the operating system, through the cryptographic library's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    /// # Panics
    /// If the operating system gives no randomness: a secret made of unfilled bytes would be worse than stopping.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(
            aws_lc_rs::rand::fill(bytes).is_ok(),
            "the operating system gave no randomness"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_fill_the_whole_buffer() {
        let (mut a, mut b) = ([0; 64], [0; 64]);
        OsRng.fill(&mut a);
        OsRng.fill(&mut b);
        assert_ne!(a, b);
        assert_ne!(a[48..], [0; 16]);
    }
}
