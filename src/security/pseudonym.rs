//! Pseudonym keys: one for every account, derived from one secret of the installation.
//!
//! Not the pseudonyms: the rights component makes them. Account numbers are never used again, so neither is a key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::secret::Secret;
use crate::model::AccountId;

/// Derives the key of every account.
#[derive(Debug, Clone)]
pub struct PseudonymKeys(Secret<[u8; 32]>);

impl PseudonymKeys {
    /// Begins with the installation's secret.
    #[must_use]
    pub const fn new(secret: Secret<[u8; 32]>) -> Self {
        Self(secret)
    }

    /// Returns an account's key.
    ///
    /// # Shape
    /// HMAC-SHA256 over `pseudonyms of account ` and the number, four bytes, big-endian.
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn of(&self, account: AccountId) -> Secret<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("HMAC takes keys of any length");
        mac.update(b"pseudonyms of account ");
        mac.update(&account.0.to_be_bytes());
        Secret::new(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_and_every_installation_has_its_own() {
        let keys = PseudonymKeys::new(Secret::new([1; 32]));
        let others = PseudonymKeys::new(Secret::new([2; 32]));
        assert_eq!(keys.of(AccountId(1)), keys.of(AccountId(1)));
        assert_ne!(keys.of(AccountId(1)), keys.of(AccountId(2)));
        assert_ne!(keys.of(AccountId(1)), others.of(AccountId(1)));
    }
}
