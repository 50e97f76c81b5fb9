//! Pseudonyms: a name for a value that is the same wherever the account meets the value, and tells nothing.

use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
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
        let mut letters = [0; 22];
        let first = digest.first_chunk::<16>().expect("32 bytes have 16");
        BASE64_URL_SAFE_NO_PAD.encode_slice(first, &mut letters).expect("16 bytes are 22 letters");
        let letters = str::from_utf8(&letters).expect("base64 is ASCII");
        ["psn_", letters].concat()
    }
}
