//! A hash map whose keys are numbers that nobody outside chooses freely.
//!
//! Not for keys that an attacker picks: there is no secret in it. Offsets come one after the other and keys
//! of lanes are hashes already, so one multiplication spreads them well enough.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from a `u64`.
pub(super) type NumberMap<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;

/// Multiplies by the golden ratio and folds, so that both ends of the result are well mixed.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, number: u64) {
        let product = (number ^ self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut number = [0; 8];
            for (target, source) in number.iter_mut().zip(chunk) {
                *target = *source;
            }
            self.write_u64(u64::from_le_bytes(number));
        }
    }
}
