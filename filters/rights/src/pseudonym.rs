//! Pseudonyms: a name for a value that is the same wherever the account meets the value, and tells nothing.

use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Makes the pseudonyms of one account.
pub(crate) struct Pseudonyms {
    key: [u8; 32],
    /// The function with the key worked in, made when it is first needed: many tables have no pseudonym.
    keyed: OnceLock<Hmac<Sha256>>,
}

impl Pseudonyms {
    /// Takes the account's key.
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self { key, keyed: OnceLock::new() }
    }

    /// Returns the pseudonym of a text.
    ///
    /// # Shape
    /// `psn_` and 22 letters of base64url: the first 16 bytes of HMAC-SHA256.
    pub(crate) fn of(&self, text: &str) -> String {
        let keyed = self.keyed.get_or_init(|| Hmac::new_from_slice(&self.key).expect("HMAC takes a key of any length"));
        let digest = keyed.clone().chain_update(text).finalize().into_bytes();
        let first = u128::from_be_bytes(*digest.first_chunk::<16>().expect("32 bytes have 16"));
        // Not by a library: the places of its panics would put the path of the builder's registry into the
        // module, and so make its digest another on every machine.
        let shifts = (2..=122).rev().step_by(6);
        let bits = shifts.map(|shift| first >> shift).chain([first << 4]);
        "psn_".chars().chain(bits.map(letter)).collect()
    }
}

/// Returns the letter of base64url for the lowest six bits.
fn letter(bits: u128) -> char {
    let letter = ALPHABET.get((bits & 0x3f) as usize);
    char::from(*letter.expect("six bits number 64 letters"))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
