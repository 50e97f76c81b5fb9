//! Verifies a Standard Webhooks request, and says which thing is wrong with it.
//!
//! Not needed to send: this is for `receive`, `listen` and `signature verify`. A signature that fits
//! proves secret, id, timestamp and body at once, so only then is the age looked at. One that fits
//! nothing cannot tell another secret from another body, and the answer does not pretend to, but for the
//! changes that middle boxes and frameworks make so often that they are tried.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use hmac::Hmac;
use hmac::digest::CtOutput;
use sha2::Sha256;

use crate::model::Timestamp;

use super::key_pair::{self, PublicKey, SIGNATURE_BYTES};
use super::signature::{
    FORGIVING, InvalidSigningKey, SignatureScheme, Signer, SigningSecret, VERSION, VERSION_ASYMMETRIC,
};

/// How far a request's timestamp may be from now, either way.
pub const TIMESTAMP_TOLERANCE: Duration = Duration::from_mins(5);

/// What a request is verified with.
#[derive(Debug, Clone)]
pub enum Verifier {
    /// For `v1`.
    Secret(SigningSecret),
    /// For `v1a`.
    PublicKey(PublicKey),
}

impl Verifier {
    /// Reads what people copy: `whsec_…` or `whpk_…`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidSigningKey> {
        if text.starts_with(key_pair::PAIR_PREFIX) {
            Err(InvalidSigningKey::Private)
        } else if text.starts_with(key_pair::PUBLIC_PREFIX) {
            PublicKey::parse(text).map(Self::PublicKey)
        } else {
            SigningSecret::parse(text).map(Self::Secret)
        }
    }

    /// Returns what the signatures of a key are verified with.
    #[must_use]
    pub fn of(signer: &Signer) -> Self {
        match signer {
            Signer::Secret(secret) => Self::Secret(secret.clone()),
            Signer::KeyPair(pair) => Self::PublicKey(pair.public_key()),
        }
    }

    const fn scheme(&self) -> SignatureScheme {
        match self {
            Self::Secret(_) => SignatureScheme::V1,
            Self::PublicKey(_) => SignatureScheme::V1a,
        }
    }
}

/// What has arrived: the three headers where they were there, and the body as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The header `webhook-id`.
    pub id: Option<&'a str>,
    /// The header `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// The header `webhook-signature`.
    pub signature: Option<&'a str>,
    /// The body, byte by byte as received.
    pub body: &'a [u8],
}

/// A request whose signature fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Which of the given keys it was signed with, from 0: with the newest first, another number is an old one.
    pub key: usize,
    /// When the request was made, whole seconds.
    pub timestamp: Timestamp,
}

/// Why a request cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is not there.
    #[error("the request has no header {header}: does a proxy remove it?")]
    MissingHeader {
        /// Its name.
        header: &'static str,
    },
    /// A header is there and cannot be read.
    #[error("the header {header} is not {form}")]
    MalformedHeader {
        /// Its name.
        header: &'static str,
        /// What it should be.
        form: &'static str,
    },
    /// The header has signatures, but of other schemes only than there are keys for.
    #[error("no signature is of a scheme that a key was given for (found {found}): verify with the key of that scheme")]
    OtherScheme {
        /// The schemes that are there.
        found: String,
    },
    /// No key was given to verify with.
    #[error("there is no key to verify with: give the endpoint's signing secret or public key")]
    NoKey,
    /// Key, id and timestamp are right; the body is not the one that was signed.
    #[error("the key is right and the body was changed on the way: {change}; verify the bytes as they arrive")]
    BodyChanged {
        /// What was done to it.
        change: BodyChange,
        /// Which of the given keys fits, from 0.
        key: usize,
    },
    /// The key is another one, or the body, the id or the timestamp is.
    #[error(
        "no signature fits ({signatures} tried with {keys} keys): either the key is another endpoint's or an \
         older one, or body, id or timestamp were changed on the way"
    )]
    NoMatch {
        /// How many signatures the header has of the schemes there are keys for.
        signatures: usize,
        /// How many keys they were tried with.
        keys: usize,
    },
    /// The signature fits and was made too long ago.
    #[error(
        "the signature is right and {} s old: more than {} s is refused, because it may be a replay; check the clock",
        age.as_secs(),
        TIMESTAMP_TOLERANCE.as_secs()
    )]
    TooOld {
        /// How long ago.
        age: Duration,
    },
    /// The signature fits and its time is still to come.
    #[error(
        "the signature is right and from {} s in the future: more than {} s is refused; check the clock",
        ahead.as_secs(),
        TIMESTAMP_TOLERANCE.as_secs()
    )]
    TooNew {
        /// How far ahead.
        ahead: Duration,
    },
}

/// What was done to a body on its way, as far as it can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyChange {
    /// One or more line breaks or spaces were added at its ends.
    #[error("white space was added at its ends")]
    Padded,
    /// A byte order mark was put in front.
    #[error("a byte order mark was put in front")]
    ByteOrderMark,
    /// It is JSON, and the white space between its tokens was changed.
    #[error("it was parsed and written anew with other white space")]
    Reformatted,
}

/// Verifies a request against every key that may have signed it.
///
/// # Shape
/// `keys` newest first. Any pair of a signature and a key that fits is enough; signatures of other schemes are passed
/// over.
/// # Errors
/// The first thing that is wrong, in this order: headers, keys, signature, age.
/// # Source
/// Standard Webhooks 1.0, "Verifying webhook authenticity".
pub fn verify(received: &Received<'_>, keys: &[Verifier], now: Timestamp) -> Result<Verified, Unverified> {
    let id = present(ID, received.id)?;
    let timestamp_text = present(TIMESTAMP, received.timestamp)?;
    let header = present(SIGNATURE, received.signature)?;
    if id.is_empty() || id.contains('.') {
        return Err(Unverified::MalformedHeader { header: ID, form: "an id without a full stop" });
    }
    let timestamp = read_timestamp(timestamp_text)?;
    check_form(header, keys)?;
    if keys.is_empty() {
        return Err(Unverified::NoKey);
    }

    let head = format!("{id}.{timestamp_text}.");
    let fits = |body: &[u8]| find(header, keys, head.as_bytes(), body);
    if let Some(key) = fits(received.body) {
        check_age(timestamp, now)?;
        return Ok(Verified { key, timestamp });
    }
    for (change, body) in undone(received.body) {
        if let Some(key) = fits(&body) {
            return Err(Unverified::BodyChanged { change, key });
        }
    }
    Err(Unverified::NoMatch { signatures: signatures(header, keys).count(), keys: keys.len() })
}

fn present<'a>(header: &'static str, value: Option<&'a str>) -> Result<&'a str, Unverified> {
    value.ok_or(Unverified::MissingHeader { header })
}

/// Reads whole seconds. Digits only: `+5` and ` 5` are signed as other texts than they are read.
fn read_timestamp(text: &str) -> Result<Timestamp, Unverified> {
    let malformed = Unverified::MalformedHeader { header: TIMESTAMP, form: "the seconds since 1970, in digits" };
    let has_form = (1..=TIMESTAMP_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(seconds) if has_form => Ok(Timestamp(seconds.saturating_mul(1000))),
        _ => Err(malformed),
    }
}

/// Sees to it that there is a signature that can be compared.
fn check_form(header: &str, keys: &[Verifier]) -> Result<(), Unverified> {
    if signatures(header, keys).next().is_some() {
        return Ok(());
    }
    let mut schemes: Vec<_> = header.split_ascii_whitespace().filter_map(|part| part.split_once(',')).collect();
    // A scheme that there is a key for and that was passed over has a signature of the wrong form.
    let is_other = |scheme: &str| is_scheme(scheme) && !schemes_of(keys).any(|known| known == scheme);
    schemes.retain(|(scheme, signature)| is_other(scheme) && !signature.is_empty());
    if schemes.is_empty() {
        let form = "a list, separated by spaces, of v1 or v1a, a comma and the base64 of 32 or 64 bytes";
        return Err(Unverified::MalformedHeader { header: SIGNATURE, form });
    }
    let found: Vec<_> = schemes.into_iter().map(|(scheme, _)| scheme).collect();
    Err(Unverified::OtherScheme { found: found.join(", ") })
}

/// The schemes of keys; both, where there is none.
fn schemes_of(keys: &[Verifier]) -> impl Iterator<Item = &'static str> {
    let has = |scheme| keys.is_empty() || keys.iter().any(|key| key.scheme() == scheme);
    let known = [(SignatureScheme::V1, VERSION), (SignatureScheme::V1a, VERSION_ASYMMETRIC)];
    known.into_iter().filter(move |(scheme, _)| has(*scheme)).map(|(_, name)| name)
}

fn is_scheme(text: &str) -> bool {
    (1..=SCHEME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A signature as it stands in the header.
enum Claimed {
    Tag(CtOutput<Hmac<Sha256>>),
    Signature([u8; SIGNATURE_BYTES]),
}

/// Gives the well-formed signatures of a header, of the schemes that there are keys for.
fn signatures(header: &str, keys: &[Verifier]) -> impl Iterator<Item = Claimed> {
    header.split_ascii_whitespace().filter_map(|part| {
        let (version, encoded) = part.split_once(',')?;
        schemes_of(keys).find(|scheme| *scheme == version)?;
        let mut bytes = [0; SIGNATURE_BYTES];
        let length = FORGIVING.decode_slice(encoded, &mut bytes).ok()?;
        match (version, length) {
            (VERSION, TAG_BYTES) => {
                Some(Claimed::Tag(CtOutput::new(bytes.first_chunk::<TAG_BYTES>().copied()?.into())))
            }
            (VERSION_ASYMMETRIC, SIGNATURE_BYTES) => Some(Claimed::Signature(bytes)),
            _ => None,
        }
    })
}

/// Finds the key that made one of the signatures.
fn find(header: &str, keys: &[Verifier], head: &[u8], body: &[u8]) -> Option<usize> {
    keys.iter().position(|key| match key {
        Verifier::Secret(secret) => {
            let expected = secret.authenticate(head, body);
            signatures(header, keys).any(|claimed| matches!(claimed, Claimed::Tag(tag) if tag == expected))
        }
        Verifier::PublicKey(public) => {
            let signed = [head, body].concat();
            let fits = |claimed| matches!(claimed, Claimed::Signature(signature) if public.fits(&signed, &signature));
            signatures(header, keys).any(fits)
        }
    })
}

fn check_age(timestamp: Timestamp, now: Timestamp) -> Result<(), Unverified> {
    // Whole seconds are compared, as the reference libraries do.
    let now = Timestamp(now.seconds().saturating_mul(1000));
    let (age, ahead) = (now.since(timestamp), timestamp.since(now));
    if age > TIMESTAMP_TOLERANCE {
        return Err(Unverified::TooOld { age });
    }
    if ahead > TIMESTAMP_TOLERANCE {
        return Err(Unverified::TooNew { ahead });
    }
    Ok(())
}

/// Gives what the body may have been before something on the way changed it.
fn undone(body: &[u8]) -> impl Iterator<Item = (BodyChange, Cow<'_, [u8]>)> {
    let trimmed = body.trim_ascii();
    let unmarked = body.strip_prefix(BYTE_ORDER_MARK);
    let compact = std::str::from_utf8(body).ok().and_then(compact);
    let candidates = [
        (trimmed.len() < body.len()).then_some((BodyChange::Padded, Cow::Borrowed(trimmed))),
        unmarked.map(|unmarked| (BodyChange::ByteOrderMark, Cow::Borrowed(unmarked))),
        compact.map(|compact| (BodyChange::Reformatted, Cow::Owned(compact))),
    ];
    candidates.into_iter().flatten()
}

/// Takes the white space between JSON tokens away; `None` where there is none to take.
fn compact(text: &str) -> Option<Vec<u8>> {
    let (mut is_string, mut is_escaped) = (false, false);
    let mut kept = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if !is_string && byte.is_ascii_whitespace() {
            continue;
        }
        kept.push(byte);
        if byte == b'"' && !is_escaped {
            is_string = !is_string;
        }
        is_escaped = is_string && byte == b'\\' && !is_escaped;
    }
    (kept.len() < text.len()).then_some(kept)
}

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const TAG_BYTES: usize = 32;
/// Enough until the year 33,658, and no product with 1,000 overflows.
const TIMESTAMP_DIGITS_MAX: usize = 12;
const SCHEME_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{BodyChange, Received, TIMESTAMP_TOLERANCE, Unverified, Verified, Verifier, compact, verify};
    use crate::model::{EventId, Timestamp};
    use crate::runtime::Random;
    use crate::security::{InvalidSigningKey, SignatureScheme, Signer, SigningSecret, sign};

    const NOW: Timestamp = Timestamp(1_614_265_330_500);
    const BODY: &str = r#"{"test":2432232314}"#;

    /// The newest and an old one.
    fn signers() -> [Signer; 2] {
        let mut random = Random::from_seed(3);
        [(); 2].map(|()| Signer::make(SignatureScheme::V1, &mut random))
    }

    fn verifiers() -> [Verifier; 2] {
        signers().each_ref().map(Verifier::of)
    }

    fn signed(at: Timestamp, signer: &Signer) -> String {
        sign(&EventId::parse("evt_1").unwrap(), at, BODY.as_bytes(), std::slice::from_ref(signer))
    }

    /// Verifies a good request after something was done to it.
    fn check(change: impl FnOnce(&mut Received<'_>)) -> Result<usize, Unverified> {
        let [_, old] = signers();
        let signature = signed(NOW, &old);
        let mut received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&signature),
            body: BODY.as_bytes(),
        };
        change(&mut received);
        verify(&received, &verifiers(), NOW).map(|verified| verified.key)
    }

    #[test]
    fn a_good_request_says_which_key_it_was() {
        assert_eq!(check(|_| ()), Ok(1));
        let [newest, old] = signers();
        let both = format!("{} {}", signed(NOW, &newest), signed(NOW, &old));
        let received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&both),
            body: BODY.as_bytes(),
        };
        let timestamp = Timestamp(1_614_265_330_000);
        assert_eq!(verify(&received, &verifiers(), NOW), Ok(Verified { key: 0, timestamp }));
        assert_eq!(verify(&received, &verifiers()[1..], NOW), Ok(Verified { key: 0, timestamp }));
    }

    #[test]
    fn each_header_is_missed_by_its_name() {
        let missing = |header| Err(Unverified::MissingHeader { header });
        assert_eq!(check(|received| received.id = None), missing("webhook-id"));
        assert_eq!(check(|received| received.timestamp = None), missing("webhook-timestamp"));
        assert_eq!(check(|received| received.signature = None), missing("webhook-signature"));
    }

    fn malformed(change: impl FnOnce(&mut Received<'_>)) -> Option<&'static str> {
        match check(change) {
            Err(Unverified::MalformedHeader { header, .. }) => Some(header),
            _ => None,
        }
    }

    #[test]
    fn a_header_of_the_wrong_form_is_named() {
        assert_eq!(malformed(|received| received.id = Some("")), Some("webhook-id"));
        assert_eq!(malformed(|received| received.id = Some("evt.1")), Some("webhook-id"));
        for timestamp in ["", "now", "-1", "+1614265330", " 1614265330", "1614265330.5", "9999999999999"] {
            let named = malformed(|received| received.timestamp = Some(timestamp));
            assert_eq!(named, Some("webhook-timestamp"), "{timestamp:?}");
        }
        for signature in ["", " ", "v1", "v1,", "v1,!!!", "v1,AAAA", "sha256=abc", ",AAAA", "v1a,"] {
            let named = malformed(|received| received.signature = Some(signature));
            assert_eq!(named, Some("webhook-signature"), "{signature:?}");
        }
    }

    #[test]
    fn other_schemes_are_passed_over_and_named_when_they_are_all_there_is() {
        let [_, old] = signers();
        let mixed = format!("v1a,AAAA nonsense v1,AAAA v2,{} {}", "A".repeat(43), signed(NOW, &old));
        let received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&mixed),
            body: BODY.as_bytes(),
        };
        assert!(verify(&received, &verifiers(), NOW).is_ok());
        let found = "v1a, v2".to_owned();
        assert_eq!(
            check(|received| received.signature = Some("v1a,AAAA v2,AAAA")),
            Err(Unverified::OtherScheme { found })
        );
    }

    #[test]
    fn either_scheme_is_enough_where_there_is_a_key_for_it() {
        let mut random = Random::from_seed(6);
        let [secret, pair] =
            [SignatureScheme::V1, SignatureScheme::V1a].map(|scheme| Signer::make(scheme, &mut random));
        let both = format!("{} {}", signed(NOW, &secret), signed(NOW, &pair));
        let keys = [&secret, &pair].map(Verifier::of);
        let key = |signature: &str, keys: &[Verifier]| verify_with(signature, keys).map(|verified| verified.key);
        assert_eq!(key(&both, &keys[1..]), Ok(0));
        assert_eq!(key(&both, &keys), Ok(0));
        assert_eq!(key(&signed(NOW, &pair), &keys), Ok(1));
        let found = "v1".to_owned();
        assert_eq!(key(&signed(NOW, &secret), &keys[1..]), Err(Unverified::OtherScheme { found }));
        assert_eq!(key(&both, &[]), Err(Unverified::NoKey));
        let other = Verifier::of(&Signer::make(SignatureScheme::V1a, &mut random));
        assert_eq!(key(&both, &[other]), Err(Unverified::NoMatch { signatures: 1, keys: 1 }));
        let short = format!("v1a,{}", "A".repeat(43));
        assert!(matches!(
            key(&short, &keys[1..]),
            Err(Unverified::MalformedHeader { header: "webhook-signature", .. })
        ));
    }

    #[test]
    fn a_receiver_is_told_not_to_have_the_private_half() {
        let pair = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
        assert_eq!(Verifier::parse(pair).err(), Some(InvalidSigningKey::Private));
        assert!(Verifier::parse("whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=").is_ok());
        assert!(Verifier::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_told_apart() {
        let no_match = Err(Unverified::NoMatch { signatures: 1, keys: 2 });
        assert_eq!(check(|received| received.body = br#"{"test":2432232315}"#), no_match);
        assert_eq!(check(|received| received.id = Some("evt_2")), no_match);
        assert_eq!(check(|received| received.timestamp = Some("1614265331")), no_match);
        assert_eq!(check(|received| received.timestamp = Some("01614265330")), no_match);
        let other = Signer::make(SignatureScheme::V1, &mut Random::from_seed(4));
        let signature = signed(NOW, &other);
        assert_eq!(verify_with(&signature, &[]), Err(Unverified::NoKey));
        assert_eq!(verify_with(&signature, &verifiers()), Err(Unverified::NoMatch { signatures: 1, keys: 2 }));
    }

    fn verify_with(signature: &str, keys: &[Verifier]) -> Result<Verified, Unverified> {
        let (id, timestamp) = (Some("evt_1"), Some("1614265330"));
        verify(&Received { id, timestamp, signature: Some(signature), body: BODY.as_bytes() }, keys, NOW)
    }

    #[test]
    fn a_usual_change_of_the_body_is_recognised() {
        let changed = |change| Err(Unverified::BodyChanged { change, key: 1 });
        assert_eq!(check(|received| received.body = b"{\"test\":2432232314}\n"), changed(BodyChange::Padded));
        assert_eq!(check(|received| received.body = b"\r\n {\"test\":2432232314}"), changed(BodyChange::Padded));
        assert_eq!(
            check(|received| received.body = b"\xef\xbb\xbf{\"test\":2432232314}"),
            changed(BodyChange::ByteOrderMark)
        );
        assert_eq!(
            check(|received| received.body = b"{\n  \"test\": 2432232314\n}\n"),
            changed(BodyChange::Reformatted)
        );
    }

    #[test]
    fn white_space_within_strings_is_kept() {
        let compacted = compact(r#"{ "a b" : "c \" d \\" , "e": [ 1 ] }"#).unwrap();
        assert_eq!(String::from_utf8(compacted).unwrap(), r#"{"a b":"c \" d \\","e":[1]}"#);
        assert_eq!(compact(r#"{"a b":1}"#), None);
    }

    #[test]
    fn the_age_is_judged_after_the_signature_at_five_minutes_either_way() {
        let [_, old] = signers();
        let at = |seconds: i64| {
            let made = Timestamp(NOW.0 + seconds * 1000);
            let (signature, text) = (signed(made, &old), made.seconds().to_string());
            let received = Received {
                id: Some("evt_1"),
                timestamp: Some(&text),
                signature: Some(&signature),
                body: BODY.as_bytes(),
            };
            verify(&received, &verifiers(), NOW).map(|_| ())
        };
        assert_eq!(TIMESTAMP_TOLERANCE, Duration::from_secs(300));
        assert_eq!(at(-300), Ok(()));
        assert_eq!(at(-301), Err(Unverified::TooOld { age: Duration::from_secs(301) }));
        assert_eq!(at(300), Ok(()));
        assert_eq!(at(301), Err(Unverified::TooNew { ahead: Duration::from_secs(301) }));
        let old_and_wrong = check(|received| received.timestamp = Some("1"));
        assert_eq!(old_and_wrong, Err(Unverified::NoMatch { signatures: 1, keys: 2 }));
    }

    proptest! {
        #[test]
        fn no_text_in_the_headers_panics(
            id: String, timestamp: String, signature: String, body in any::<Vec<u8>>(),
        ) {
            let (id, timestamp, signature) = (Some(&*id), Some(&*timestamp), Some(&*signature));
            let received = Received { id, timestamp, signature, body: &body };
            prop_assert!(verify(&received, &verifiers(), NOW).is_err());
        }

        #[test]
        fn every_changed_bit_of_the_body_is_noticed(
            body in prop::collection::vec(any::<u8>(), 1..300), at: prop::sample::Index, bit in 0..8_u32,
        ) {
            let pair = Signer::make(SignatureScheme::V1a, &mut Random::from_seed(3));
            let [secret, _] = signers();
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1_u8 << bit;
            for signer in [secret, pair] {
                let signature = sign(&EventId::parse("evt_1").unwrap(), NOW, &body, std::slice::from_ref(&signer));
                let is_trusted = |body| {
                    let (id, timestamp) = (Some("evt_1"), Some("1614265330"));
                    let received = Received { id, timestamp, signature: Some(&signature), body };
                    verify(&received, &[Verifier::of(&signer)], NOW).is_ok()
                };
                prop_assert!(is_trusted(&body));
                prop_assert!(!is_trusted(&changed));
            }
        }

        /// The other library asks the machine for the time, so both are given what it is now.
        #[test]
        fn another_library_and_this_one_trust_each_other(
            key in prop::collection::vec(any::<u8>(), 24..=64), id in "[A-Za-z0-9_:~-]{1,128}", body: String,
        ) {
            let now = Timestamp(crate::runtime::Clock::system().wall_ms());
            let secret = SigningSecret::from_bytes(&key).unwrap();
            let other = standardwebhooks::Webhook::new(&secret.expose()).unwrap();
            let (seconds, body) = (now.seconds().to_string(), body.as_bytes());

            let theirs = other.sign(&id, now.seconds(), body).unwrap();
            let (named, timestamp) = (Some(&*id), Some(&*seconds));
            let received = Received { id: named, timestamp, signature: Some(&theirs), body };
            prop_assert!(verify(&received, &[Verifier::Secret(secret.clone())], now).is_ok());

            let rotated = [Signer::make(SignatureScheme::V1, &mut Random::from_seed(5)), Signer::Secret(secret)];
            let ours = sign(&EventId::parse(&id).unwrap(), now, body, &rotated);
            let mut headers = http::HeaderMap::new();
            headers.insert("webhook-id", id.parse().unwrap());
            headers.insert("webhook-timestamp", seconds.parse().unwrap());
            headers.insert("webhook-signature", ours.parse().unwrap());
            prop_assert!(other.verify(body, &headers).is_ok());
        }
    }
}
