//! Standard Webhooks: the keys that requests are signed with, and a request's signatures made with them.
//!
//! Not the reading side (see `verify`), and not the pair of `v1a` (see `key_pair`). A signature covers
//! `{id}.{timestamp}.{body}`; an id has no full stop in it, so the three cannot be shifted against each other.

use std::fmt;
use std::io::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::model::{EventId, Timestamp};
use crate::runtime::Random;

use super::key_pair::{self, KeyPair};
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

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignatureScheme {
    /// HMAC-SHA256: sender and receiver have the same secret.
    #[default]
    V1,
    /// Ed25519: the receiver has the public half of a pair of keys.
    V1a,
}

/// A key that requests are signed with.
#[derive(Debug, Clone)]
pub enum Signer {
    /// For `v1`.
    Secret(SigningSecret),
    /// For `v1a`.
    KeyPair(KeyPair),
}

/// A text that is no key of a signature. Says what is wrong with it and nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSigningKey {
    /// It does not begin as it should.
    #[error(
        "a signing secret (v1) begins with whsec_, a key pair (v1a) with whsk_, its public key with whpk_: give it \
         whole, as it was shown"
    )]
    Prefix,
    /// It is the public half of a pair where the private one is needed.
    #[error("this is a public key (whpk_), which cannot sign: give the pair (whsk_), or leave it out and one is made")]
    Public,
    /// It is the private half of a pair where the public one is needed.
    #[error("this is a private key (whsk_): a receiver verifies with the public one (whpk_) and should not have this")]
    Private,
    /// What follows the prefix is not base64.
    #[error("what follows the prefix must be base64 (A-Z a-z 0-9 + /) without spaces or line breaks")]
    Base64,
    /// A secret is too short to be safe or longer than the hash takes whole.
    #[error("a signing secret holds 24 to 64 bytes, this one {bytes}: make one of 32 random bytes")]
    Length {
        /// How many bytes it holds.
        bytes: usize,
    },
    /// A pair has another length than it should.
    #[error("a key pair holds 64 bytes, seed and public key, or the 32 of the seed alone; this one {bytes}")]
    PairLength {
        /// How many bytes it holds.
        bytes: usize,
    },
    /// The public key of a pair is another one's.
    #[error("the two halves of this key pair do not belong together: was it copied whole?")]
    Halves,
    /// It is no public key.
    #[error("this is no Ed25519 public key, or a weak one: it holds 32 bytes, as hooklog shows them")]
    PublicKey,
}

impl Signer {
    /// Makes a key for a scheme.
    #[must_use]
    pub fn make(scheme: SignatureScheme, random: &mut Random) -> Self {
        match scheme {
            SignatureScheme::V1 => Self::Secret(SigningSecret::make(random)),
            SignatureScheme::V1a => Self::KeyPair(KeyPair::make(random)),
        }
    }

    /// Reads a key from the text that people copy: `whsec_…` or `whsk_…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKey> {
        if text.starts_with(key_pair::PUBLIC_PREFIX) {
            Err(InvalidSigningKey::Public)
        } else if text.starts_with(key_pair::PAIR_PREFIX) {
            KeyPair::parse(text).map(Self::KeyPair)
        } else {
            SigningSecret::parse(text).map(Self::Secret)
        }
    }

    /// Takes the bytes of a key, as the keystore holds them.
    #[must_use]
    pub fn from_bytes(scheme: SignatureScheme, bytes: &[u8]) -> Option<Self> {
        match scheme {
            SignatureScheme::V1 => SigningSecret::from_bytes(bytes).ok().map(Self::Secret),
            SignatureScheme::V1a => {
                let text = std::str::from_utf8(bytes).ok()?;
                KeyPair::parse(text).ok().map(Self::KeyPair)
            }
        }
    }

    /// Returns the bytes, for sealing.
    ///
    /// # Shape
    /// A secret's own 24 to 64 bytes; of a pair its text, which is longer: so no program takes the one for the other.
    #[must_use]
    pub fn expose_bytes(&self) -> Vec<u8> {
        match self {
            Self::Secret(secret) => secret.expose_bytes().to_vec(),
            Self::KeyPair(pair) => pair.expose().into_bytes(),
        }
    }

    /// Returns which scheme it is for.
    #[must_use]
    pub const fn scheme(&self) -> SignatureScheme {
        match self {
            Self::Secret(_) => SignatureScheme::V1,
            Self::KeyPair(_) => SignatureScheme::V1a,
        }
    }

    /// How long a signature is, as it stands in the header.
    const fn signature_length(&self) -> usize {
        match self {
            Self::Secret(_) => VERSION.len() + 1 + 44,
            Self::KeyPair(_) => VERSION_ASYMMETRIC.len() + 1 + 88,
        }
    }
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
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKey> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSigningKey::Prefix)?;
        let key = FORGIVING.decode(encoded).map_err(|_| InvalidSigningKey::Base64)?;
        Self::from_bytes(&key)
    }

    /// Takes the bytes of a secret, as the keystore holds them.
    ///
    /// # Errors
    /// `Length` where there are fewer than 24 or more than 64.
    pub fn from_bytes(key: &[u8]) -> Result<Self, InvalidSigningKey> {
        match key.len() {
            KEY_BYTES_MIN..=KEY_BYTES_MAX => Ok(Self::of(key)),
            bytes => Err(InvalidSigningKey::Length { bytes }),
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
/// One `v1,…` or `v1a,…` for each key, in their order, with a space between; empty without keys. The one
/// allocation is the text itself, of exactly the right size.
/// # Units
/// Signed, and to be sent as `webhook-timestamp`, are the whole seconds of `timestamp`.
#[must_use]
pub fn sign(id: &EventId, timestamp: Timestamp, body: &[u8], signers: &[Signer]) -> String {
    let mut room = [0; HEAD_BYTES_MAX];
    let mut rest = room.as_mut_slice();
    write!(rest, "{id}.{}.", timestamp.seconds()).expect("the longest id and the longest number fit");
    let rest = rest.len();
    let head = room.get(..HEAD_BYTES_MAX - rest).expect("what is left is not more than there was");

    let length = signers.iter().map(|signer| signer.signature_length() + 1).sum();
    let mut value = String::with_capacity(length);
    for signer in signers {
        if !value.is_empty() {
            value.push(' ');
        }
        match signer {
            Signer::Secret(secret) => {
                value.push_str(VERSION);
                value.push(',');
                STANDARD.encode_string(secret.authenticate(head, body).as_bytes(), &mut value);
            }
            Signer::KeyPair(pair) => {
                value.push_str(VERSION_ASYMMETRIC);
                value.push(',');
                STANDARD.encode_string(pair.sign(head, body), &mut value);
            }
        }
    }
    value
}

/// The scheme's name in the header.
pub(super) const VERSION: &str = "v1";
/// The name of the other one.
pub(super) const VERSION_ASYMMETRIC: &str = "v1a";
/// Takes base64 with or without padding: a double click in a terminal often loses the `=`.
pub(super) const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const PREFIX: &str = "whsec_";
const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;
/// The longest id, the longest whole number and two full stops.
const HEAD_BYTES_MAX: usize = crate::model::limits::EVENT_NAME_BYTES_MAX + 20 + 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{InvalidSigningKey, SignatureScheme, Signer, SigningSecret, sign};
    use crate::model::{EventId, Timestamp};
    use crate::runtime::Random;

    /// Rows of `secret, id, seconds, body, signature, where it was published`.
    const VECTORS: [&str; 2] =
        [include_str!("../../tests/data/signatures/v1.txt"), include_str!("../../tests/data/signatures/v1a.txt")];

    #[test]
    fn the_published_vectors_come_out() {
        let rows = VECTORS.into_iter().flat_map(str::lines).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut checked = 0;
        for row in rows {
            let fields: Vec<_> = row.split('\t').collect();
            let [secret, id, seconds, body, expected, _source] = fields[..] else { panic!("{row}") };
            let signer = Signer::parse(secret).unwrap();
            let timestamp = Timestamp(seconds.parse::<i64>().unwrap() * 1000 + 999);
            let signature = sign(&EventId::parse(id).unwrap(), timestamp, body.as_bytes(), &[signer]);
            assert_eq!(signature, expected, "{row}");
            checked += 1;
        }
        assert!(checked >= 8, "only {checked} vectors");
    }

    fn signers(schemes: &[SignatureScheme]) -> Vec<Signer> {
        let mut random = Random::from_seed(1);
        schemes.iter().map(|scheme| Signer::make(*scheme, &mut random)).collect()
    }

    #[test]
    fn a_rotation_signs_with_each_key_in_turn() {
        let signers = signers(&[SignatureScheme::V1, SignatureScheme::V1a, SignatureScheme::V1]);
        let id = EventId::parse("evt_1").unwrap();
        let alone = |signer: &Signer| sign(&id, Timestamp(5_000), b"{}", std::slice::from_ref(signer));
        let all = sign(&id, Timestamp(5_000), b"{}", &signers);
        assert_eq!(all, signers.iter().map(alone).collect::<Vec<_>>().join(" "));
        assert_eq!(sign(&id, Timestamp(5_000), b"{}", &[]), "");
    }

    #[test]
    fn the_longest_head_fits() {
        let id = EventId::parse(&"x".repeat(128)).unwrap();
        for timestamp in [Timestamp(i64::MIN), Timestamp(i64::MAX), Timestamp(0)] {
            assert_eq!(sign(&id, timestamp, b"", &signers(&[SignatureScheme::V1])).len(), 47);
            assert_eq!(sign(&id, timestamp, b"", &signers(&[SignatureScheme::V1a])).len(), 92);
        }
    }

    #[test]
    fn the_text_has_the_room_it_needs_and_no_more() {
        use SignatureScheme::{V1, V1a};
        for (schemes, length) in [(&[V1][..], 48), (&[V1a], 93), (&[V1, V1, V1a], 189)] {
            let value = sign(&EventId::parse("e").unwrap(), Timestamp(0), b"", &signers(schemes));
            assert_eq!((value.len(), value.capacity()), (length - 1, length));
        }
    }

    #[test]
    fn what_is_kept_of_a_key_makes_the_same_key() {
        for scheme in [SignatureScheme::V1, SignatureScheme::V1a] {
            let [signer] = <[Signer; 1]>::try_from(signers(&[scheme])).unwrap();
            let kept = Signer::from_bytes(scheme, &signer.expose_bytes()).unwrap();
            let signed = [&signer, &kept]
                .map(|signer| sign(&EventId::parse("e").unwrap(), Timestamp(0), b"{}", std::slice::from_ref(signer)));
            assert_eq!(signed[0], signed[1]);
            assert_eq!(kept.scheme(), scheme);
            assert!(Signer::from_bytes(scheme, &[1; 5]).is_none());
            let other = if scheme == SignatureScheme::V1 { SignatureScheme::V1a } else { SignatureScheme::V1 };
            assert!(Signer::from_bytes(other, &signer.expose_bytes()).is_none(), "neither is taken for the other");
        }
    }

    fn refused(text: &str) -> Option<InvalidSigningKey> {
        Signer::parse(text).err()
    }

    #[test]
    fn a_secret_of_the_wrong_form_is_told_what_is_wrong() {
        let bytes = |count: usize| format!("whsec_{}", base64::Engine::encode(&super::STANDARD, vec![7; count]));
        assert_eq!(refused(""), Some(InvalidSigningKey::Prefix));
        assert_eq!(refused("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningKey::Prefix));
        assert_eq!(refused(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningKey::Prefix));
        assert_eq!(refused("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningKey::Prefix));
        assert_eq!(refused("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningKey::PairLength { bytes: 24 }));
        assert_eq!(refused("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(InvalidSigningKey::Public));
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), Some(InvalidSigningKey::Base64));
        assert_eq!(refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La-_Sw"), Some(InvalidSigningKey::Base64));
        assert_eq!(refused("whsec_"), Some(InvalidSigningKey::Length { bytes: 0 }));
        assert_eq!(refused(&bytes(23)), Some(InvalidSigningKey::Length { bytes: 23 }));
        assert_eq!(refused(&bytes(65)), Some(InvalidSigningKey::Length { bytes: 65 }));
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
            let (id_read, at) = (EventId::parse(&id).unwrap(), Timestamp(seconds * 1000));
            let ours = sign(&id_read, at, body.as_bytes(), &[Signer::Secret(secret)]);
            prop_assert_eq!(ours, other.sign(&id, seconds, body.as_bytes()).unwrap());
        }
    }
}
