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

use super::signature::{FORGIVING, SigningSecret, VERSION};

/// How far a request's timestamp may be from now, either way.
pub const TIMESTAMP_TOLERANCE: Duration = Duration::from_mins(5);

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
    /// Which of the given secrets it was signed with, from 0: with the newest first, another number is
    /// an old one.
    pub secret: usize,
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
    /// The header has signatures, but of other schemes only.
    #[error("no signature is of the scheme v1 (found {found}): verify with the key of that scheme")]
    OtherScheme {
        /// The schemes that are there.
        found: String,
    },
    /// No secret was given to verify with.
    #[error("there is no secret to verify with: give the endpoint's signing secret")]
    NoSecret,
    /// Secret, id and timestamp are right; the body is not the one that was signed.
    #[error("the secret is right and the body was changed on the way: {change}; verify the bytes as they arrive")]
    BodyChanged {
        /// What was done to it.
        change: BodyChange,
        /// Which of the given secrets fits, from 0.
        secret: usize,
    },
    /// The secret is another one, or the body, the id or the timestamp is.
    #[error(
        "no signature fits ({signatures} tried with {secrets} secrets): either the secret is another endpoint's or an \
         older one, or body, id or timestamp were changed on the way"
    )]
    NoMatch {
        /// How many `v1` signatures the header has.
        signatures: usize,
        /// How many secrets they were tried with.
        secrets: usize,
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

/// Verifies a request against every secret that may have signed it.
///
/// # Shape
/// `secrets` newest first. Any pair of a `v1` signature and a secret that fits is enough; signatures of
/// other schemes are passed over.
/// # Errors
/// The first thing that is wrong, in this order: headers, secrets, signature, age.
/// # Source
/// Standard Webhooks 1.0, "Verifying webhook authenticity".
pub fn verify(received: &Received<'_>, secrets: &[SigningSecret], now: Timestamp) -> Result<Verified, Unverified> {
    let id = present(ID, received.id)?;
    let timestamp_text = present(TIMESTAMP, received.timestamp)?;
    let header = present(SIGNATURE, received.signature)?;
    if id.is_empty() || id.contains('.') {
        return Err(Unverified::MalformedHeader { header: ID, form: "an id without a full stop" });
    }
    let timestamp = read_timestamp(timestamp_text)?;
    check_form(header)?;
    if secrets.is_empty() {
        return Err(Unverified::NoSecret);
    }

    let head = format!("{id}.{timestamp_text}.");
    let fits = |body: &[u8]| find(header, secrets, head.as_bytes(), body);
    if let Some(secret) = fits(received.body) {
        check_age(timestamp, now)?;
        return Ok(Verified { secret, timestamp });
    }
    for (change, body) in undone(received.body) {
        if let Some(secret) = fits(&body) {
            return Err(Unverified::BodyChanged { change, secret });
        }
    }
    Err(Unverified::NoMatch { signatures: signatures(header).count(), secrets: secrets.len() })
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

/// Sees to it that there is a `v1` signature that can be compared.
fn check_form(header: &str) -> Result<(), Unverified> {
    if signatures(header).next().is_some() {
        return Ok(());
    }
    let mut schemes: Vec<_> = header.split_ascii_whitespace().filter_map(|part| part.split_once(',')).collect();
    schemes.retain(|(scheme, signature)| *scheme != VERSION && is_scheme(scheme) && !signature.is_empty());
    if schemes.is_empty() {
        let form = "a list, separated by spaces, of v1, a comma and the base64 of 32 bytes";
        return Err(Unverified::MalformedHeader { header: SIGNATURE, form });
    }
    let found: Vec<_> = schemes.into_iter().map(|(scheme, _)| scheme).collect();
    Err(Unverified::OtherScheme { found: found.join(", ") })
}

fn is_scheme(text: &str) -> bool {
    (1..=SCHEME_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Gives the well-formed `v1` signatures of a header.
fn signatures(header: &str) -> impl Iterator<Item = CtOutput<Hmac<Sha256>>> {
    header.split_ascii_whitespace().filter_map(|part| {
        let (version, encoded) = part.split_once(',')?;
        let mut tag = [0; TAG_BYTES];
        let length = FORGIVING.decode_slice(encoded, &mut tag).ok()?;
        (version == VERSION && length == TAG_BYTES).then(|| CtOutput::new(tag.into()))
    })
}

/// Finds the secret that made one of the signatures.
fn find(header: &str, secrets: &[SigningSecret], head: &[u8], body: &[u8]) -> Option<usize> {
    secrets.iter().position(|secret| {
        let expected = secret.authenticate(head, body);
        signatures(header).any(|signature| signature == expected)
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

    use super::{BodyChange, Received, TIMESTAMP_TOLERANCE, Unverified, Verified, compact, verify};
    use crate::model::{EventId, Timestamp};
    use crate::runtime::Random;
    use crate::security::{SigningSecret, sign};

    const NOW: Timestamp = Timestamp(1_614_265_330_500);
    const BODY: &str = r#"{"test":2432232314}"#;

    fn secrets() -> [SigningSecret; 2] {
        let mut random = Random::from_seed(3);
        [SigningSecret::make(&mut random), SigningSecret::make(&mut random)]
    }

    fn signed(at: Timestamp, secret: &SigningSecret) -> String {
        sign(&EventId::parse("evt_1").unwrap(), at, BODY.as_bytes(), std::slice::from_ref(secret))
    }

    /// Verifies a good request after something was done to it.
    fn check(change: impl FnOnce(&mut Received<'_>)) -> Result<usize, Unverified> {
        let [newest, old] = secrets();
        let signature = signed(NOW, &old);
        let mut received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&signature),
            body: BODY.as_bytes(),
        };
        change(&mut received);
        verify(&received, &[newest, old], NOW).map(|verified| verified.secret)
    }

    #[test]
    fn a_good_request_says_which_secret_it_was() {
        assert_eq!(check(|_| ()), Ok(1));
        let [newest, old] = secrets();
        let both = format!("{} {}", signed(NOW, &newest), signed(NOW, &old));
        let received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&both),
            body: BODY.as_bytes(),
        };
        let timestamp = Timestamp(1_614_265_330_000);
        assert_eq!(verify(&received, &[newest, old.clone()], NOW), Ok(Verified { secret: 0, timestamp }));
        assert_eq!(verify(&received, &[old], NOW), Ok(Verified { secret: 0, timestamp }));
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
        let [_, old] = secrets();
        let mixed = format!("v1a,AAAA nonsense v1,AAAA v2,{} {}", "A".repeat(43), signed(NOW, &old));
        let received = Received {
            id: Some("evt_1"),
            timestamp: Some("1614265330"),
            signature: Some(&mixed),
            body: BODY.as_bytes(),
        };
        assert!(verify(&received, &[old], NOW).is_ok());
        let found = "v1a, v2".to_owned();
        assert_eq!(
            check(|received| received.signature = Some("v1a,AAAA v2,AAAA")),
            Err(Unverified::OtherScheme { found })
        );
    }

    #[test]
    fn what_cannot_be_told_apart_is_not_told_apart() {
        let no_match = Err(Unverified::NoMatch { signatures: 1, secrets: 2 });
        assert_eq!(check(|received| received.body = br#"{"test":2432232315}"#), no_match);
        assert_eq!(check(|received| received.id = Some("evt_2")), no_match);
        assert_eq!(check(|received| received.timestamp = Some("1614265331")), no_match);
        assert_eq!(check(|received| received.timestamp = Some("01614265330")), no_match);
        let other = SigningSecret::make(&mut Random::from_seed(4));
        let signature = signed(NOW, &other);
        assert_eq!(verify_with(&signature, &[]), Err(Unverified::NoSecret));
        assert_eq!(verify_with(&signature, &secrets()), Err(Unverified::NoMatch { signatures: 1, secrets: 2 }));
    }

    fn verify_with(signature: &str, secrets: &[SigningSecret]) -> Result<Verified, Unverified> {
        let (id, timestamp) = (Some("evt_1"), Some("1614265330"));
        verify(&Received { id, timestamp, signature: Some(signature), body: BODY.as_bytes() }, secrets, NOW)
    }

    #[test]
    fn a_usual_change_of_the_body_is_recognised() {
        let changed = |change| Err(Unverified::BodyChanged { change, secret: 1 });
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
        let [_, old] = secrets();
        let at = |seconds: i64| {
            let made = Timestamp(NOW.0 + seconds * 1000);
            let (signature, text) = (signed(made, &old), made.seconds().to_string());
            let received = Received {
                id: Some("evt_1"),
                timestamp: Some(&text),
                signature: Some(&signature),
                body: BODY.as_bytes(),
            };
            verify(&received, std::slice::from_ref(&old), NOW).map(|_| ())
        };
        assert_eq!(TIMESTAMP_TOLERANCE, Duration::from_secs(300));
        assert_eq!(at(-300), Ok(()));
        assert_eq!(at(-301), Err(Unverified::TooOld { age: Duration::from_secs(301) }));
        assert_eq!(at(300), Ok(()));
        assert_eq!(at(301), Err(Unverified::TooNew { ahead: Duration::from_secs(301) }));
        let old_and_wrong = check(|received| received.timestamp = Some("1"));
        assert_eq!(old_and_wrong, Err(Unverified::NoMatch { signatures: 1, secrets: 2 }));
    }

    proptest! {
        #[test]
        fn no_text_in_the_headers_panics(
            id: String, timestamp: String, signature: String, body in any::<Vec<u8>>(),
        ) {
            let (id, timestamp, signature) = (Some(&*id), Some(&*timestamp), Some(&*signature));
            let received = Received { id, timestamp, signature, body: &body };
            prop_assert!(verify(&received, &secrets(), NOW).is_err());
        }

        #[test]
        fn every_changed_bit_of_the_body_is_noticed(
            body in prop::collection::vec(any::<u8>(), 1..300), at: prop::sample::Index, bit in 0..8_u32,
        ) {
            let [secret, _] = secrets();
            let signature = sign(&EventId::parse("evt_1").unwrap(), NOW, &body, std::slice::from_ref(&secret));
            let mut changed = body.clone();
            changed[at.index(body.len())] ^= 1_u8 << bit;
            let is_trusted = |body| {
                let (id, timestamp) = (Some("evt_1"), Some("1614265330"));
                let received = Received { id, timestamp, signature: Some(&signature), body };
                verify(&received, std::slice::from_ref(&secret), NOW).is_ok()
            };
            prop_assert!(is_trusted(&body));
            prop_assert!(!is_trusted(&changed));
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
            prop_assert!(verify(&received, std::slice::from_ref(&secret), now).is_ok());

            let rotated = [SigningSecret::make(&mut Random::from_seed(5)), secret];
            let ours = sign(&EventId::parse(&id).unwrap(), now, body, &rotated);
            let mut headers = http::HeaderMap::new();
            headers.insert("webhook-id", id.parse().unwrap());
            headers.insert("webhook-timestamp", seconds.parse().unwrap());
            headers.insert("webhook-signature", ours.parse().unwrap());
            prop_assert!(other.verify(body, &headers).is_ok());
        }
    }
}
