//! Standard Webhooks `v1`: the signing secret, and a request's signature made with it.
//!
//! Not the reading side (see `verify`) and not `v1a`. A signature covers `{id}.{timestamp}.{body}`; an id
//! has no full stop in it, so the three cannot be shifted against each other.

use std::fmt;
use std::io::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::{EventId, Timestamp};
use crate::runtime::Random;

use super::secret::Secret;

/// The key of an endpoint's signatures: `whsec_` and base64 outside, 24 to 64 bytes inside.
///
/// The two key blocks of the HMAC are hashed once, here, so that a signature costs little more than one
/// pass over the body.
#[derive(Clone)]
pub struct SigningSecret {
    key: Secret<Box<[u8]>>,
    keyed: Hmac<Sha256>,
}

/// A text that is no signing secret. Says what is wrong with it and nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSigningSecret {
    /// It does not begin with `whsec_`.
    #[error("a signing secret begins with whsec_: give it whole, as it was shown")]
    Prefix,
    /// It is one half of an Ed25519 key pair.
    #[error("this is a key of the scheme v1a (whsk_, whpk_): a signing secret of the scheme v1 begins with whsec_")]
    Asymmetric,
    /// What follows the prefix is not base64.
    #[error("what follows whsec_ must be base64 (A-Z a-z 0-9 + /) without spaces or line breaks")]
    Base64,
    /// It is too short to be safe or longer than the hash takes whole.
    #[error("a signing secret holds 24 to 64 bytes, this one {bytes}: make one of 32 random bytes")]
    Length {
        /// How many bytes it holds.
        bytes: usize,
    },
}

impl SigningSecret {
    /// Makes a secret of 32 random bytes.
    #[must_use]
    pub fn make(random: &mut Random) -> Self {
        Self::of(&random.bytes::<32>())
    }

    /// Reads a secret from the text that people copy. Missing padding is forgiven, nothing else.
    ///
    /// # Errors
    /// Where it is anything but `whsec_` and the base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningSecret> {
        let Some(encoded) = text.strip_prefix(PREFIX) else {
            let is_asymmetric = text.starts_with("whsk_") || text.starts_with("whpk_");
            return Err(if is_asymmetric { InvalidSigningSecret::Asymmetric } else { InvalidSigningSecret::Prefix });
        };
        let key = FORGIVING.decode(encoded).map_err(|_| InvalidSigningSecret::Base64)?;
        Self::from_bytes(&key)
    }

    /// Takes the bytes of a secret, as the keystore holds them.
    ///
    /// # Errors
    /// `Length` where there are fewer than 24 or more than 64.
    pub fn from_bytes(key: &[u8]) -> Result<Self, InvalidSigningSecret> {
        match key.len() {
            KEY_BYTES_MIN..=KEY_BYTES_MAX => Ok(Self::of(key)),
            bytes => Err(InvalidSigningSecret::Length { bytes }),
        }
    }

    /// Returns the text that people copy.
    #[must_use]
    pub fn expose(&self) -> String {
        let mut text = PREFIX.to_owned();
        STANDARD.encode_string(self.key.expose(), &mut text);
        text
    }

    /// Returns the bytes, for sealing.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.key.expose()
    }

    fn of(key: &[u8]) -> Self {
        let keyed = Hmac::new_from_slice(key).expect("an HMAC takes a key of any length");
        Self { key: Secret::new(key.into()), keyed }
    }

    /// Hashes the signed text, given as its parts. The result compares in constant time.
    pub(super) fn authenticate(&self, head: &[u8], body: &[u8]) -> CtOutput<Hmac<Sha256>> {
        let mut hash = self.keyed.clone();
        hash.update(head);
        hash.update(body);
        hash.finalize()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret(…)")
    }
}

/// Makes the value of the header `webhook-signature`.
///
/// # Shape
/// One `v1,…` for each secret, in their order, with a space between; empty without secrets. The one
/// allocation is the text itself, of exactly the right size.
/// # Units
/// Signed, and to be sent as `webhook-timestamp`, are the whole seconds of `timestamp`.
#[must_use]
pub fn sign(id: &EventId, timestamp: Timestamp, body: &[u8], secrets: &[SigningSecret]) -> String {
    let mut room = [0; HEAD_BYTES_MAX];
    let mut rest = room.as_mut_slice();
    write!(rest, "{id}.{}.", timestamp.seconds()).expect("the longest id and the longest number fit");
    let rest = rest.len();
    let head = room.get(..HEAD_BYTES_MAX - rest).expect("what is left is not more than there was");

    let mut value = String::with_capacity(secrets.len() * (SIGNATURE_BYTES + 1));
    for secret in secrets {
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(VERSION);
        value.push(',');
        STANDARD.encode_string(secret.authenticate(head, body).as_bytes(), &mut value);
    }
    value
}

/// The scheme's name in the header.
pub(super) const VERSION: &str = "v1";
/// Takes base64 with or without padding: a double click in a terminal often loses the `=`.
pub(super) const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;
/// `v1,` and the base64 of 32 bytes.
const SIGNATURE_BYTES: usize = 3 + 44;
/// The longest id, the longest whole number and two full stops.
const HEAD_BYTES_MAX: usize = crate::model::limits::EVENT_NAME_BYTES_MAX + 20 + 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{InvalidSigningSecret, SigningSecret, sign};
    use crate::model::{EventId, Timestamp};
    use crate::runtime::Random;

    /// Rows of `secret, id, seconds, body, signature, where it was published`.
    const VECTORS: &str = include_str!("../../tests/data/signatures/v1.txt");

    #[test]
    fn the_published_vectors_come_out() {
        let rows = VECTORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut checked = 0;
        for row in rows {
            let fields: Vec<_> = row.split('\t').collect();
            let [secret, id, seconds, body, expected, _source] = fields[..] else { panic!("{row}") };
            let secret = SigningSecret::parse(secret).unwrap();
            let timestamp = Timestamp(seconds.parse::<i64>().unwrap() * 1000 + 999);
            let signature = sign(&EventId::parse(id).unwrap(), timestamp, body.as_bytes(), &[secret]);
            assert_eq!(signature, expected, "{row}");
            checked += 1;
        }
        assert!(checked >= 4, "only {checked} vectors");
    }

    #[test]
    fn a_rotation_signs_with_each_secret_in_turn() {
        let mut random = Random::from_seed(1);
        let secrets = [SigningSecret::make(&mut random), SigningSecret::make(&mut random)];
        let id = EventId::parse("evt_1").unwrap();
        let [one, two] = &secrets;
        let alone = |secret: &SigningSecret| sign(&id, Timestamp(5_000), b"{}", std::slice::from_ref(secret));
        let both = sign(&id, Timestamp(5_000), b"{}", &secrets);
        assert_eq!(both, format!("{} {}", alone(one), alone(two)));
        assert_eq!(sign(&id, Timestamp(5_000), b"{}", &[]), "");
    }

    #[test]
    fn the_longest_head_fits() {
        let secret = [SigningSecret::make(&mut Random::from_seed(1))];
        let id = EventId::parse(&"x".repeat(128)).unwrap();
        for timestamp in [Timestamp(i64::MIN), Timestamp(i64::MAX), Timestamp(0)] {
            assert_eq!(sign(&id, timestamp, b"", &secret).len(), 47);
        }
    }

    #[test]
    fn the_text_has_the_room_it_needs_and_no_more() {
        let mut random = Random::from_seed(1);
        for count in 1..5 {
            let secrets: Vec<_> = (0..count).map(|_| SigningSecret::make(&mut random)).collect();
            let value = sign(&EventId::parse("e").unwrap(), Timestamp(0), b"", &secrets);
            assert_eq!(value.len(), count * 48 - 1);
            assert_eq!(value.capacity(), count * 48);
        }
    }

    fn refused(text: &str) -> Option<InvalidSigningSecret> {
        SigningSecret::parse(text).err()
    }

    #[test]
    fn a_secret_of_the_wrong_form_is_told_what_is_wrong() {
        let bytes = |count: usize| format!("whsec_{}", base64::Engine::encode(&super::STANDARD, vec![7; count]));
        assert_eq!(refused(""), Some(InvalidSigningSecret::Prefix));
        assert_eq!(refused("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningSecret::Prefix));
        assert_eq!(refused(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningSecret::Prefix));
        assert_eq!(refused("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningSecret::Prefix));
        assert_eq!(refused("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningSecret::Asymmetric));
        assert_eq!(refused("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningSecret::Asymmetric));
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), Some(InvalidSigningSecret::Base64));
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La-_Sw"), Some(InvalidSigningSecret::Base64));
        assert_eq!(refused("whsec_"), Some(InvalidSigningSecret::Length { bytes: 0 }));
        assert_eq!(refused(&bytes(23)), Some(InvalidSigningSecret::Length { bytes: 23 }));
        assert_eq!(refused(&bytes(65)), Some(InvalidSigningSecret::Length { bytes: 65 }));
        assert_eq!(refused(&bytes(24)), None);
        assert_eq!(refused(&bytes(64)), None);
        assert_eq!(refused(bytes(32).trim_end_matches('=')), None);
    }

    #[test]
    fn a_secret_is_shown_only_when_asked() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
        assert_eq!(secret.expose(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    proptest! {
        #[test]
        fn a_secret_survives_its_text_and_its_bytes(key in prop::collection::vec(any::<u8>(), 24..=64)) {
            let secret = SigningSecret::from_bytes(&key).unwrap();
            prop_assert_eq!(secret.expose_bytes(), &key[..]);
            let again = SigningSecret::parse(&secret.expose()).unwrap();
            prop_assert_eq!(again.expose_bytes(), &key[..]);
        }

        #[test]
        fn another_library_signs_the_same(
            key in prop::collection::vec(any::<u8>(), 24..=64),
            id in "[A-Za-z0-9_:~-]{1,128}",
            seconds in 0..4_000_000_000_i64,
            body in any::<String>(),
        ) {
            let secret = SigningSecret::from_bytes(&key).unwrap();
            let other = standardwebhooks::Webhook::new(&secret.expose()).unwrap();
            let ours = sign(&EventId::parse(&id).unwrap(), Timestamp(seconds * 1000), body.as_bytes(), &[secret]);
            prop_assert_eq!(ours, other.sign(&id, seconds, body.as_bytes()).unwrap());
        }
    }
}
