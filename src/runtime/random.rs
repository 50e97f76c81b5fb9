//! Randomness, from the machine or from a seed.
//!
//! Not for anything that must repeat across versions: a seed repeats a run of one build. Whoever needs
//! randomness is handed a `Random`; nobody reaches for a global one.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A source of random numbers with the same interface whether seeded or not.
///
/// Good enough for keys: seeded from the machine it is a cryptographic generator.
#[derive(Debug)]
pub struct Random(StdRng);

impl Random {
    /// Makes a source seeded by the machine's own generator.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn from_machine() -> std::io::Result<Self> {
        StdRng::try_from_rng(&mut rand::rngs::SysRng)
            .map(Self)
            .map_err(|problem| std::io::Error::other(problem.to_string()))
    }

    /// Makes a source that gives the same numbers for the same seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Splits off an independent source, for handing to another owner.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::from_seed_bytes(self.bytes())
    }

    /// Returns `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Returns a number from 0 to `bound - 1`, or 0 where `bound` is 0.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Multiply and shift: the bias is below 2^-64 times the bound.
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Returns a number from 0 (included) to 1 (excluded).
    #[must_use]
    pub fn fraction(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
        let numerator = (self.0.next_u64() >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }

    /// Returns true with the given probability.
    #[must_use]
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    fn from_seed_bytes(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_repeats_and_a_split_differs() {
        let mut first = Random::from_seed(7);
        let mut second = Random::from_seed(7);
        assert_eq!(first.bytes::<16>(), second.bytes::<16>());
        let mut split = first.split();
        assert_ne!(first.bytes::<16>(), split.bytes::<16>());
        for _ in 0..1000 {
            assert!(first.below(10) < 10);
            assert!((0.0..1.0).contains(&first.fraction()));
        }
        assert_eq!(first.below(0), 0);
    }
}
