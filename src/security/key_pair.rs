//! Standard Webhooks `v1a`: the Ed25519 key pair that signs, and the public key that a receiver verifies with.
//!
//! Whoever can verify cannot sign: the private half stays here. The text of a pair is that of the reference server,
//! `whsk_` and base64 of seed and public key; the seed alone is taken too. Public keys of small order are refused,
//! and signatures are verified strictly: one signature has one form.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::ed25519::signature::MultipartSigner;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::runtime::Random;

use super::secret::Secret;
use super::signature::{FORGIVING, InvalidSigningKey};

/// A private key and the public one that belongs to it.
#[derive(Clone)]
pub struct KeyPair(Secret<Box<ed25519_dalek::SigningKey>>);

/// What a receiver verifies `v1a` signatures with; anybody may know it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl KeyPair {
    /// Makes a pair from 32 random bytes.
    #[must_use]
    pub fn make(random: &mut Random) -> Self {
        Self::from_seed(&random.bytes::<32>())
    }

    /// Reads a pair from the text that people copy. Missing padding is forgiven, nothing else.
    ///
    /// # Errors
    /// Where it is anything but `whsk_` and the base64 of a seed, or of a seed and the public key that belongs to it.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKey> {
        let encoded = text.strip_prefix(PAIR_PREFIX).ok_or(InvalidSigningKey::Prefix)?;
        let bytes = Secret::new(FORGIVING.decode(encoded).map_err(|_| InvalidSigningKey::Base64)?);
        let (seed, public) = match bytes.expose().len() {
            SEED_BYTES => (bytes.expose().as_slice(), None),
            PAIR_BYTES => {
                let (seed, public) = bytes.expose().split_at(SEED_BYTES);
                (seed, Some(public))
            }
            bytes => return Err(InvalidSigningKey::PairLength { bytes }),
        };
        let pair = Self::from_seed(seed.try_into().map_err(|_| InvalidSigningKey::PairLength { bytes: seed.len() })?);
        match public {
            Some(public) if public != pair.0.expose().verifying_key().as_bytes() => Err(InvalidSigningKey::Halves),
            Some(_) | None => Ok(pair),
        }
    }

    fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(Secret::new(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
    }

    /// Returns the half that may be known.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.expose().verifying_key())
    }

    /// Returns the text of the pair, for sealing.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PAIR_PREFIX}{}", STANDARD.encode(self.0.expose().to_keypair_bytes()))
    }

    /// Signs the text, given as its parts.
    pub(super) fn sign(&self, head: &[u8], body: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.expose().multipart_sign(&[head, body]).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyPair({})", self.public_key())
    }
}

impl PublicKey {
    /// Reads a public key from the text that people copy.
    ///
    /// # Errors
    /// Where it is anything but `whpk_` and the base64 of a public key.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKey> {
        let encoded = text.strip_prefix(PUBLIC_PREFIX).ok_or(InvalidSigningKey::Prefix)?;
        let bytes = FORGIVING.decode(encoded).map_err(|_| InvalidSigningKey::Base64)?;
        let key = bytes.as_slice().try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
        key.filter(|key| !key.is_weak()).map(Self).ok_or(InvalidSigningKey::PublicKey)
    }

    /// Whether a signature of the whole text is by the private half.
    pub(super) fn fits(&self, signed: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(signed, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// How many bytes a signature has.
pub(super) const SIGNATURE_BYTES: usize = ed25519_dalek::SIGNATURE_LENGTH;
pub(super) const PAIR_PREFIX: &str = "whsk_";
pub(super) const PUBLIC_PREFIX: &str = "whpk_";
const SEED_BYTES: usize = ed25519_dalek::SECRET_KEY_LENGTH;
const PAIR_BYTES: usize = ed25519_dalek::KEYPAIR_LENGTH;

#[cfg(test)]
mod tests {
    use super::*;

    /// The pair of the reference server's documentation.
    const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

    #[test]
    fn a_pair_is_read_whole_or_as_its_seed_and_shows_its_public_half_alone() {
        let whole = KeyPair::parse(PAIR).unwrap();
        let seed = KeyPair::parse("whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc").unwrap();
        for pair in [&whole, &seed] {
            assert_eq!(pair.public_key().to_string(), PUBLIC);
            assert_eq!(format!("{pair:?}"), format!("KeyPair({PUBLIC})"));
        }
        assert_eq!(PublicKey::parse(PUBLIC), Ok(whole.public_key()));
        let made = KeyPair::make(&mut Random::from_seed(1));
        assert_eq!(KeyPair::parse(&made.expose()).unwrap().public_key(), made.public_key());
        assert_eq!(whole.expose(), PAIR);
    }

    #[test]
    fn a_key_of_the_wrong_form_is_told_what_is_wrong() {
        let pair = |text: &str| KeyPair::parse(text).err();
        assert_eq!(pair(PUBLIC), Some(InvalidSigningKey::Prefix));
        assert_eq!(pair("whsk_a b"), Some(InvalidSigningKey::Base64));
        assert_eq!(pair("whsk_AAAA"), Some(InvalidSigningKey::PairLength { bytes: 3 }));
        assert_eq!(pair(&PAIR.replace("VKIDij2", "VKIDij3")), Some(InvalidSigningKey::Halves));
        let public = |text: &str| PublicKey::parse(text).err();
        assert_eq!(public(PAIR), Some(InvalidSigningKey::Prefix));
        assert_eq!(public("whpk_AAAA"), Some(InvalidSigningKey::PublicKey));
        let weak = format!("whpk_{}", STANDARD.encode([0; 32]));
        assert_eq!(public(&weak), Some(InvalidSigningKey::PublicKey), "anything fits a key of small order");
    }
}
