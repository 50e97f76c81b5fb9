//! An endpoint's settings: what its command carries, and what may be written into it.
//!
//! Secrets are not in here: a command names them by their ids in the keystore. A draft may bring new ones;
//! what it leaves out stays, but never follows to another scheme, host or port by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::Error;
use super::auth::{Auth, AuthDraft, KeptCertificate};
use super::keystore::KeyId;
use super::rights::{RightsDraft, RightsSettings, TypeName, pointer};
use crate::model::limits::{HEADER_VALUE_BYTES_MAX, HEADERS_PER_ENDPOINT_MAX, TYPES_PER_ENDPOINT_MAX};
use crate::model::{EndpointId, EndpointName, Offset, Position, Timestamp};
use crate::security::{SignatureScheme, Signer};

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// Standard Webhooks, HMAC-SHA256: the receiver has the same secret.
    #[default]
    V1,
    /// Standard Webhooks, Ed25519: the receiver has a public key, which cannot sign.
    V1a,
    /// With a signature of each.
    Both,
    /// Not at all.
    None,
}

impl Signing {
    /// Returns the schemes of a request's signatures.
    #[must_use]
    pub const fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::V1 => &[SignatureScheme::V1],
            Self::V1a => &[SignatureScheme::V1a],
            Self::Both => &[SignatureScheme::V1, SignatureScheme::V1a],
            Self::None => &[],
        }
    }
}

/// Which deliveries keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those of one key.
    #[default]
    ByKey,
    /// All of the endpoint.
    Strict,
    /// None.
    None,
}

/// What the body of a request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The whole event: id, type, version, occurredAt, accountId, actor, test, data.
    #[default]
    Envelope,
    /// As Standard Webhooks writes it: type, timestamp, data.
    Standard,
    /// The data alone: what INO itself posted, for `/hooks`.
    Data,
    /// A structured CloudEvent 1.0: the key is its subject, the offset its sequence, the actor two attributes.
    Cloudevents,
}

/// What becomes of an event that a filter does not answer properly for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFilterError {
    /// Its lane waits until the chain is mended or a person discards it.
    #[default]
    Hold,
    /// It is given up.
    DeadLetter,
}

/// Where a new endpoint begins, or one that is moved begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// With what comes in from now on.
    Now,
    /// With the oldest event that is kept.
    Earliest,
    /// With this event; it is included.
    Offset(Offset),
    /// With the first event taken in at this instant or later.
    Time(Timestamp),
    /// Where another endpoint of the account stands.
    Endpoint(EndpointName),
}

/// From where an endpoint goes on that was off or paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResumeFrom {
    /// From where it stands: everything that waits is delivered, in order.
    Cursor,
    /// With what comes in from now on: what waits is passed over, and counts as skipped.
    Now,
}

/// What may be written of an endpoint; what is left out takes its default, secrets excepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointDraft {
    /// Where requests go: `https://…`.
    pub url: String,
    /// Whether anything is sent; events wait meanwhile.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How hooklog shows a receiver who it is.
    #[serde(default)]
    pub auth: AuthDraft,
    /// How requests are signed.
    #[serde(default)]
    pub signing: Signing,
    /// Which deliveries keep their order.
    #[serde(default)]
    pub order: Order,
    /// What the body of a request looks like.
    #[serde(default)]
    pub format: Format,
    /// Requests under way at once at most, 1 to 256; fewer while there is little room beside other endpoints.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: u32,
    /// Requests a second at most, spaced evenly, retries and replays among them; no limit where left out.
    #[serde(default)]
    pub rate_per_second: Option<u32>,
    /// How long a receiver may take to answer, in milliseconds, 1,000 to 60,000; the operator's where left out.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Headers sent with every request beside hooklog's own.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The types it asks for, by name or pattern (`call.*`); all that its account receives where left out.
    #[serde(default)]
    pub types: Option<Vec<String>>,
    /// What the endpoint receives less than its account; none where it is the same.
    #[serde(default)]
    pub rights: Option<RightsDraft>,
    /// An event that is older than this when its turn comes is not sent, in milliseconds since it was taken in: 1,000
    /// to a year. Any that is kept is sent where left out.
    #[serde(default)]
    pub max_age_ms: Option<u64>,
    /// The same for single types, by name or pattern (`call.*`); the longer name wins.
    #[serde(default)]
    pub max_age_by_type: BTreeMap<String, u64>,
    /// What becomes of an event that a filter does not answer properly for.
    #[serde(default)]
    pub on_filter_error: OnFilterError,
    /// Where a new endpoint begins; with what comes in from now on where left out. It moves none that is there.
    #[serde(default)]
    pub start_at: Option<StartAt>,
    /// From where an endpoint goes on that this switches on again; it must be said where much waits.
    #[serde(default)]
    pub resume_from: Option<ResumeFrom>,
    /// The last event before a new endpoint's first, once that was found out.
    #[serde(skip)]
    pub after: Option<Offset>,
}

/// One of the keys that requests are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Where the secret is.
    pub id: KeyId,
    /// What it is for.
    #[serde(default)]
    pub scheme: SignatureScheme,
    /// Since when it is used.
    pub created_at: Timestamp,
    /// Until when it is used beside a newer one of the same scheme; none for the newest.
    pub valid_until: Option<Timestamp>,
}

/// The key that takes the place of another.
#[derive(Debug)]
pub enum NewKey {
    /// One to be made.
    Made(SignatureScheme),
    /// This one.
    Given(Signer),
}

/// Why nothing is sent though the endpoint is enabled, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// A person paused it.
    Paused,
    /// The receiver answered 410: it wants nothing any more.
    Gone,
}

/// An endpoint as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSettings {
    /// Where requests go, as given.
    pub url: String,
    /// Whether anything is sent.
    pub enabled: bool,
    /// How hooklog shows a receiver who it is.
    pub auth: Auth,
    /// The certificate shown in the TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<KeptCertificate>,
    /// How requests are signed.
    pub signing: Signing,
    /// Which deliveries keep their order.
    pub order: Order,
    /// What the body of a request looks like.
    pub format: Format,
    /// Requests under way at once.
    pub max_in_flight: u32,
    /// Requests a second at most; no limit where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<NonZeroU32>,
    /// How long a receiver may take to answer; the operator's where there is none.
    pub timeout_ms: Option<u64>,
    /// Headers sent with every request.
    pub headers: BTreeMap<String, String>,
    /// The endpoint receives what comes after this offset.
    pub after: Offset,
    /// The keys that requests are signed with, of each scheme the newest first.
    pub keys: Vec<SigningKey>,
    /// Why nothing is sent at the moment, and since when.
    pub halt: Option<(Halt, Timestamp)>,
    /// The types it asks for; all where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<BTreeSet<TypeName>>,
    /// What the endpoint receives less than its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<RightsSettings>,
    /// What is older than this when its turn comes is not sent, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// The same for single types.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub max_age_by_type: BTreeMap<TypeName, u64>,
    /// What becomes of an event that a filter does not answer properly for.
    #[serde(default)]
    pub on_filter_error: OnFilterError,
    /// What was passed over last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skipped>,
    /// Where it was told to begin anew last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seek: Option<Sought>,
}

/// A person has passed over what waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The how-manyth move of the endpoint this is, from 1.
    pub number: u64,
    /// The last event that was passed over.
    pub to: Offset,
    /// The position of its record.
    pub position: Position,
    /// Who said so.
    pub who: String,
}

/// A person has said at which event the endpoint begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sought {
    /// The how-manyth move of the endpoint this is, from 1.
    pub number: u64,
    /// The first event of the new beginning.
    pub first: Offset,
    /// The position of the record before it, where that is kept.
    pub before: Option<Position>,
    /// When it was said.
    pub at: Timestamp,
    /// Who said so.
    pub who: String,
}

impl EndpointSettings {
    /// Returns the number of the last move: what waited was passed over, or the endpoint began anew.
    #[must_use]
    pub fn last_move(&self) -> u64 {
        let skip = self.skip.as_ref().map_or(0, |skip| skip.number);
        skip.max(self.seek.as_ref().map_or(0, |seek| seek.number))
    }

    /// Returns how old an event of a type may be when its turn comes; none where it may have any age.
    #[must_use]
    pub fn max_age(&self, event_type: &str) -> Option<Duration> {
        let of_type = self.max_age_by_type.iter().filter(|(name, _)| name.matches(event_type));
        let of_type = of_type.max_by_key(|(name, _)| name.weight()).map(|(_, ms)| *ms);
        of_type.or(self.max_age_ms).map(Duration::from_millis)
    }

    /// Returns whether events may be too old at all.
    #[must_use]
    pub fn has_max_age(&self) -> bool {
        self.max_age_ms.is_some() || !self.max_age_by_type.is_empty()
    }
}

/// What the command of an endpoint carries: its number, and its settings unless it was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredEndpoint {
    pub(super) id: EndpointId,
    pub(super) settings: Option<EndpointSettings>,
}

impl EndpointDraft {
    /// Checks what the types do not, all but the address.
    ///
    /// # Errors
    /// `Invalid` with the place.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !(1..=IN_FLIGHT_MAX).contains(&self.max_in_flight) {
            let detail = format!("maxInFlight is 1 to {IN_FLIGHT_MAX}");
            return Err(Error::invalid("/maxInFlight", detail));
        }
        if self.rate_per_second == Some(0) {
            let detail = "a rate is at least 1; leave it out for none, or pause the endpoint".to_owned();
            return Err(Error::invalid("/ratePerSecond", detail));
        }
        if self.timeout_ms.is_some_and(|ms| !(TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&ms)) {
            let detail = format!("timeoutMs is {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX}");
            return Err(Error::invalid("/timeoutMs", detail));
        }
        check_age("/maxAgeMs", self.max_age_ms)?;
        self.check_headers()?;
        self.auth.check()
    }

    /// Reads the types that the endpoint asks for.
    ///
    /// # Errors
    /// `Invalid` with the place of the one that is wrong, or where there are too many or none.
    pub(super) fn check_types(&self) -> Result<Option<BTreeSet<TypeName>>, Error> {
        let Some(types) = &self.types else { return Ok(None) };
        if types.is_empty() || types.len() > TYPES_PER_ENDPOINT_MAX {
            let detail = format!("an endpoint asks for 1 to {TYPES_PER_ENDPOINT_MAX} types; leave it out for all");
            return Err(Error::invalid("/types", detail));
        }
        let read = |(index, name): (usize, &String)| {
            TypeName::parse(name).map_err(|wrong| Error::invalid(&format!("/types/{index}"), wrong.to_string()))
        };
        types.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Reads how old events of single types may be.
    ///
    /// # Errors
    /// `Invalid` with the place of the one that is wrong, or where there are too many.
    pub(super) fn check_ages(&self) -> Result<BTreeMap<TypeName, u64>, Error> {
        if self.max_age_by_type.len() > TYPES_PER_ENDPOINT_MAX {
            let detail = format!("an endpoint names at most {TYPES_PER_ENDPOINT_MAX} types");
            return Err(Error::invalid("/maxAgeByType", detail));
        }
        let read = |(name, ms): (&String, &u64)| {
            let at = pointer("maxAgeByType", name);
            check_age(&at, Some(*ms))?;
            let name = TypeName::parse(name).map_err(|wrong| Error::invalid(&at, wrong.to_string()))?;
            Ok((name, *ms))
        };
        self.max_age_by_type.iter().map(read).collect()
    }

    fn check_headers(&self) -> Result<(), Error> {
        if self.headers.len() > HEADERS_PER_ENDPOINT_MAX {
            let detail = format!("an endpoint has at most {HEADERS_PER_ENDPOINT_MAX} headers of its own");
            return Err(Error::invalid("/headers", detail));
        }
        for (name, value) in &self.headers {
            let at = pointer("headers", name);
            check_header_name(&at, name)?;
            if !is_header_text(value) {
                let detail = format!("a header's value is visible text of at most {HEADER_VALUE_BYTES_MAX} bytes");
                return Err(Error::invalid(&at, detail));
            }
        }
        Ok(())
    }
}

fn check_age(pointer: &str, ms: Option<u64>) -> Result<(), Error> {
    match ms {
        Some(ms) if !(AGE_MS_MIN..=AGE_MS_MAX).contains(&ms) => {
            Err(Error::invalid(pointer, format!("an age is {AGE_MS_MIN} to {AGE_MS_MAX} milliseconds")))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn check_header_name(pointer: &str, name: &str) -> Result<(), Error> {
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(Error::invalid(pointer, format!("{name:?} is no name of a header")));
    };
    let lower = parsed.as_str();
    let is_ours = lower.starts_with("webhook-") || lower.starts_with("hooklog-") || RESERVED_HEADERS.contains(&lower);
    if is_ours {
        return Err(Error::invalid(pointer, format!("the header {lower} is set by hooklog; choose another name")));
    }
    Ok(())
}

pub(super) fn is_header_text(text: &str) -> bool {
    text.len() <= HEADER_VALUE_BYTES_MAX && HeaderValue::from_str(text).is_ok()
}

const fn yes() -> bool {
    true
}

const fn default_max_in_flight() -> u32 {
    16
}

/// Headers that say how a request is framed or sent, and those hooklog sets.
const RESERVED_HEADERS: [&str; 13] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const IN_FLIGHT_MAX: u32 = 256;
const TIMEOUT_MS_MIN: u64 = 1_000;
const TIMEOUT_MS_MAX: u64 = 60_000;
const AGE_MS_MIN: u64 = 1_000;
const AGE_MS_MAX: u64 = 365 * 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<(), &str>) {
        let draft: EndpointDraft = serde_json::from_str(json).expect("the test gives what can be read");
        let answer = draft.check().map_err(|problem| match problem {
            Error::Invalid { pointer, .. } => pointer,
            other => other.to_string(),
        });
        assert_eq!(answer, expected.map_err(str::to_owned), "{json}");
    }

    #[test]
    fn a_draft_is_checked_place_by_place() {
        check(r#"{"url": "https://x"}"#, Ok(()));
        check(r#"{"url": "https://x", "maxInFlight": 0}"#, Err("/maxInFlight"));
        check(r#"{"url": "https://x", "ratePerSecond": 0}"#, Err("/ratePerSecond"));
        check(r#"{"url": "https://x", "ratePerSecond": 1}"#, Ok(()));
        check(r#"{"url": "https://x", "timeoutMs": 999}"#, Err("/timeoutMs"));
        check(r#"{"url": "https://x", "maxAgeMs": 999}"#, Err("/maxAgeMs"));
        check(r#"{"url": "https://x", "maxAgeMs": 60000, "startAt": {"offset": 4}}"#, Ok(()));
        check(r#"{"url": "https://x", "headers": {"X-Ours": "1"}}"#, Ok(()));
        check(r#"{"url": "https://x", "headers": {"Webhook-Id": "1"}}"#, Err("/headers/Webhook-Id"));
        check(r#"{"url": "https://x", "headers": {"a b": "1"}}"#, Err("/headers/a b"));
        check(r#"{"url": "https://x", "headers": {"a": "1\n2"}}"#, Err("/headers/a"));
        check(r#"{"url": "https://x", "auth": {"type": "basic", "username": "a:b"}}"#, Err("/auth/username"));
        check(r#"{"url": "https://x", "auth": {"type": "bearer", "token": ""}}"#, Err("/auth/token"));
        check(r#"{"url": "https://x", "auth": {"type": "header", "name": "Host", "value": "x"}}"#, Err("/auth/name"));
    }

    #[test]
    fn a_command_of_a_program_before_this_one_is_read_as_it_always_was() {
        let written = r#"{"id": 7, "settings": {"url": "https://x.example/", "enabled": true,
            "auth": {"type": "basic", "username": "u", "password": 5}, "signing": "v1", "order": "by_key",
            "format": "envelope", "maxInFlight": 16, "timeoutMs": null, "headers": {}, "after": 3,
            "keys": [{"id": 4, "createdAt": "2026-03-02T09:14:07.512Z", "validUntil": null}], "halt": null}}"#;
        let read: StoredEndpoint = serde_json::from_str(written).expect("what is in the log can be read");
        let settings = read.settings.expect("it was not deleted");
        assert_eq!(settings.keys[0].scheme, SignatureScheme::V1);
        assert_eq!((settings.rate_per_second, settings.certificate, settings.seek), (None, None, None));
        assert_eq!(settings.auth, Auth::Basic { username: "u".to_owned(), password: KeyId(5) });
    }

    #[test]
    fn ages_are_read_by_type() {
        let ages = |json: &str| {
            let draft: EndpointDraft = serde_json::from_str(json).expect("the test gives what can be read");
            draft.check_ages().map_err(|problem| match problem {
                Error::Invalid { pointer, .. } => pointer,
                other => other.to_string(),
            })
        };
        let known = ages(r#"{"url": "x", "maxAgeByType": {"call.*": 5000, "call.ended": 90000}}"#);
        assert_eq!(known.map(|known| known.len()), Ok(2));
        let short = ages(r#"{"url": "x", "maxAgeByType": {"call.*": 5}}"#);
        assert_eq!(short, Err("/maxAgeByType/call.*".to_owned()));
        assert_eq!(ages(r#"{"url": "x", "maxAgeByType": {"a b": 5000}}"#), Err("/maxAgeByType/a b".to_owned()));
    }

    #[test]
    fn unknown_keys_are_refused_and_added_ones_ignored() {
        let read = |json: &str| serde_json::from_str::<EndpointDraft>(json).map_err(|problem| problem.to_string());
        assert!(read(r#"{"url": "x", "colour": 1}"#).is_err());
        assert!(read(r#"{"url": "x", "auth": {"type": "none", "colour": 1}}"#).is_err());
        assert!(read(r#"{"url": "x", "auth": {"type": "basic", "username": "u", "passwordSet": true}}"#).is_ok());
    }
}
