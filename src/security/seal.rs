//! Sealing: what the keystore holds can be read and changed only with the master key.
//!
//! Not the keystore, nor its file: bytes in, bytes out. XChaCha20-Poly1305 with a random nonce of 24 bytes,
//! long enough to be drawn at random for ever. Associated data binds a sealed secret to its place: moved to
//! another id it does not open.
//!
//! ```text
//! format (1) │ nonce (24) │ ciphertext │ tag (16)
//! ```

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::runtime::Random;

use super::hex::{self, Hex};
use super::secret::Secret;

/// The key that seals the keystore: 32 bytes, in a file of their own.
#[derive(Debug, Clone)]
pub struct MasterKey(Secret<[u8; 32]>);

/// A text that is no master key. Says nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes, written as 64 hex digits or as 43 or 44 characters of base64")]
pub struct InvalidMasterKey;

/// Eight bytes that tell one master key from another and nothing else: 16 hex digits as text.
///
/// Kept in the clear beside what is sealed, so that a start with the wrong key can name the right one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyCheck(pub [u8; 8]);

/// Sealed bytes that do not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// They are cut off.
    #[error("cannot open {bytes} sealed bytes: there are at least {SEALED_BYTES_MIN}")]
    TooShort {
        /// How many there are.
        bytes: usize,
    },
    /// They are of a later format.
    #[error("cannot open sealed bytes of format {format}: this program knows format {FORMAT}")]
    Format {
        /// Which one.
        format: u8,
    },
    /// The key is another one, or they were changed, or they belong to another place.
    #[error("cannot open sealed bytes: the key is another one, or they were changed or moved")]
    Refused,
}

impl MasterKey {
    /// Makes a key of 32 random bytes.
    #[must_use]
    pub fn make(random: &mut Random) -> Self {
        Self(Secret::new(random.bytes()))
    }

    /// Reads the text of a key file or variable; white space around it is passed over.
    ///
    /// # Errors
    /// Where it is neither the 64 hex digits nor the base64 (either alphabet, padded or not) of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidMasterKey> {
        let text = text.trim_ascii();
        let bytes = hex::read(text).or_else(|| read_base64(text)).ok_or(InvalidMasterKey)?;
        Ok(Self(Secret::new(bytes)))
    }

    /// Returns the text for the key file: 64 hex digits.
    #[must_use]
    pub fn expose(&self) -> String {
        Hex(self.0.expose()).to_string()
    }

    /// Returns what tells this key from others.
    #[must_use]
    pub fn check(&self) -> KeyCheck {
        let hash = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("an HMAC takes a key of any length");
        let hash: [u8; 32] = hash.chain_update(CHECK_LABEL).finalize().into_bytes().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        KeyCheck([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Display for KeyCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl fmt::Debug for KeyCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyCheck({self})")
    }
}

/// Seals a secret for one place.
///
/// # Shape
/// 41 bytes longer than `plaintext`. The same secret sealed twice gives other bytes each time.
#[must_use]
pub fn seal(key: &MasterKey, associated_data: &[u8], plaintext: &[u8], random: &mut Random) -> Vec<u8> {
    let nonce = random.bytes::<NONCE_BYTES>();
    let payload = Payload { msg: plaintext, aad: associated_data };
    let ciphertext = cipher(key).encrypt(&nonce.into(), payload).expect("a secret is far below 256 GiB");
    [&[FORMAT], nonce.as_slice(), &ciphertext].concat()
}

/// Opens what [`seal`] made with the same key for the same place.
///
/// # Errors
/// Never by panic, whatever the bytes: they come from a disk.
pub fn open(key: &MasterKey, associated_data: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, CannotOpen> {
    let too_short = CannotOpen::TooShort { bytes: sealed.len() };
    let (&format, rest) = sealed.split_first().ok_or(too_short)?;
    if format != FORMAT {
        return Err(CannotOpen::Format { format });
    }
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(too_short)?;
    if ciphertext.len() < TAG_BYTES {
        return Err(too_short);
    }
    let payload = Payload { msg: ciphertext, aad: associated_data };
    cipher(key).decrypt(nonce.into(), payload).map(Secret::new).map_err(|_| CannotOpen::Refused)
}

fn cipher(key: &MasterKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.0.expose().into())
}

fn read_base64(text: &str) -> Option<[u8; 32]> {
    [&alphabet::STANDARD, &alphabet::URL_SAFE].into_iter().find_map(|alphabet| {
        let forgiving = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        GeneralPurpose::new(alphabet, forgiving).decode(text).ok()?.try_into().ok()
    })
}

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const SEALED_BYTES_MIN: usize = 1 + NONCE_BYTES + TAG_BYTES;
const CHECK_LABEL: &[u8] = b"hooklog master key check 1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CannotOpen, MasterKey, open, seal};
    use crate::runtime::Random;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key() -> MasterKey {
        MasterKey::parse(HEX).unwrap()
    }

    #[test]
    fn a_key_is_read_from_hex_and_base64_alike() {
        let high = "fbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbeffbef";
        for (text, expected) in [
            (HEX, HEX),
            (&HEX.to_ascii_uppercase(), HEX),
            (&format!("\n {HEX}\r\n"), HEX),
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", HEX),
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", HEX),
            ("++/77/vv++/77/vv++/77/vv++/77/vv++/77/vv++8=", high),
            ("--_77_vv--_77_vv--_77_vv--_77_vv--_77_vv--8", high),
        ] {
            assert_eq!(MasterKey::parse(text).map(|key| key.expose()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn another_text_is_no_key() {
        for text in [
            "",
            "hunter2",
            &HEX[1..],
            &format!("{HEX}0"),
            &format!("{}g", &HEX[1..]),
            &format!("0x{HEX}"),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
            &format!("{} {}", &HEX[..32], &HEX[33..]),
        ] {
            assert!(MasterKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_known_by_its_check_and_not_shown() {
        let mut random = Random::from_seed(1);
        let (one, two) = (MasterKey::make(&mut random), MasterKey::make(&mut random));
        assert_eq!(one.check(), MasterKey::parse(&one.expose()).unwrap().check());
        assert_ne!(one.check(), two.check());
        assert_eq!(format!("{one:?}"), "MasterKey(Secret(…))");
        // Kept on disk: may not change.
        assert_eq!(key().check().to_string(), "81ae6a65773a620b");
    }

    /// Made once and kept: whatever comes later opens what is on disk today.
    #[test]
    fn what_was_sealed_stays_readable() {
        let (pairs, _) = SEALED.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let sealed: Vec<_> = pairs.iter().map(byte).collect();
        assert_eq!(open(&key(), b"key_1", &sealed).unwrap().expose(), b"whsec_example");
        assert_eq!(seal(&key(), b"key_1", b"whsec_example", &mut Random::from_seed(5)).len(), sealed.len());
    }

    const SEALED: &str =
        "01d42c2465f212421179a27f035d27218bcffe1a0eac690e645cc41f251f1acfc8897fae09159b8ec2ae6ad44de5459eef88e30a4dae";

    #[test]
    fn another_key_another_place_and_another_format_are_refused() {
        let mut random = Random::from_seed(2);
        let sealed = seal(&key(), b"key_1", b"secret", &mut random);
        assert_eq!(sealed.len(), 6 + 41);
        assert_eq!(open(&MasterKey::make(&mut random), b"key_1", &sealed).err(), Some(CannotOpen::Refused));
        assert_eq!(open(&key(), b"key_2", &sealed).err(), Some(CannotOpen::Refused));
        assert_eq!(open(&key(), b"", &sealed).err(), Some(CannotOpen::Refused));
        assert_eq!(
            open(&key(), b"key_1", &[&[2], &sealed[1..]].concat()).err(),
            Some(CannotOpen::Format { format: 2 })
        );
        for length in 0..41 {
            assert_eq!(open(&key(), b"key_1", &sealed[..length]).err(), Some(CannotOpen::TooShort { bytes: length }));
        }
        assert_eq!(open(&key(), b"key_1", &sealed[..41]).err(), Some(CannotOpen::Refused));
    }

    #[test]
    fn nothing_is_sealed_the_same_twice() {
        let mut random = Random::from_seed(3);
        let (one, two) = (seal(&key(), b"", b"secret", &mut random), seal(&key(), b"", b"secret", &mut random));
        assert_ne!(one, two);
        assert_eq!(open(&key(), b"", &one).unwrap(), open(&key(), b"", &two).unwrap());
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(seed: u64, place: Vec<u8>, secret: Vec<u8>) {
            let mut random = Random::from_seed(seed);
            let key = MasterKey::make(&mut random);
            let sealed = seal(&key, &place, &secret, &mut random);
            let opened = open(&key, &place, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &secret);
        }

        #[test]
        fn every_changed_bit_is_noticed(secret: Vec<u8>, at: prop::sample::Index, bit in 0..8_u32) {
            let mut sealed = seal(&key(), b"key_1", &secret, &mut Random::from_seed(4));
            let at = at.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(open(&key(), b"key_1", &sealed).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(open(&key(), b"", &bytes).is_err());
        }
    }
}
