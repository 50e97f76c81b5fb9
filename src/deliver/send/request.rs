//! A request's headers, from a form that all requests share and what is kept for each route.
//!
//! Not the signature itself. On the hot path a request costs a copy of the form, whose places are filled one after the
//! other without looking any name up, and the signature; ids, types and keys share the bytes they came in. The form
//! is the same for all routes, so that of ten thousand each keeps little, and what is copied is in the caches.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use bytestring::ByteString;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use super::message::{Credentials, Message, SigningKey};
use super::route::{InvalidRoute, RouteSettings};
use crate::model::{Timestamp, key_to_header};
use crate::security::{Signer, sign};

/// What all requests of a route have in common.
#[derive(Debug)]
pub(super) struct Template {
    uri: Uri,
    host: HeaderValue,
    content_type: HeaderValue,
    account: HeaderValue,
    endpoint: HeaderValue,
    /// What settings name, with the authentication; nothing that the form has.
    named: Box<[(HeaderName, HeaderValue)]>,
    keys: Keys,
}

/// The headers of an ordinary delivery, with a place for everything that it says of itself.
struct Form {
    headers: HeaderMap,
    /// What stands at each place, in the order in which the map gives its values.
    places: Box<[Place]>,
}

/// What stands at one place of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    UserAgent,
    ContentType,
    Account,
    Endpoint,
    Id,
    Timestamp,
    Signature,
    Type,
    Version,
    OccurredAt,
    Offset,
    Sequence,
    Attempt,
    Key,
    Rights,
    ContentLength,
}

/// The signing keys, those that are used longest first.
#[derive(Debug)]
struct Keys {
    signers: Vec<Signer>,
    valid_until: Vec<Option<Timestamp>>,
}

impl Template {
    pub(super) fn new(settings: &RouteSettings) -> Result<Self, InvalidRoute> {
        let target = &settings.target;
        let path = PathAndQuery::try_from(target.path_and_query()).map_err(|_| InvalidRoute::Path)?;
        let mut named = HeaderMap::new();
        for (name, text) in &settings.headers {
            named.insert(free_name(name)?, value(name, text)?);
        }
        authenticate(&mut named, &settings.credentials)?;
        let named = named.into_iter().filter_map(|(name, value)| Some((name?, value)));
        Ok(Self {
            uri: path.into(),
            host: value("host", target.authority())?,
            content_type: HeaderValue::from_static(settings.content_type),
            account: value("hooklog-account", settings.account.as_str())?,
            endpoint: value("hooklog-endpoint", settings.endpoint.as_str())?,
            named: named.filter(|(name, _)| !FORM.headers.contains_key(name)).collect(),
            keys: Keys::new(&settings.signing),
        })
    }

    /// Makes the request that carries a message at a time.
    pub(super) fn request(&self, message: &Message, at: Timestamp) -> Request<Full<Bytes>> {
        let mut headers = FORM.headers.clone();
        for (value, place) in headers.values_mut().zip(&FORM.places) {
            if let Some(text) = self.text(*place, message, at) {
                *value = text;
            }
        }
        self.remove_absent(&mut headers, message, at);
        for (name, value) in &self.named {
            headers.insert(name.clone(), value.clone());
        }
        if message.is_test {
            headers.insert(TEST, HeaderValue::from_static("true"));
        }
        if message.is_late {
            headers.insert(LATE, HeaderValue::from_static("true"));
        }
        if message.is_redelivery {
            headers.insert(REDELIVERY, HeaderValue::from_static("true"));
        }
        insert_if_fit(&mut headers, REPLAY, message.replay.as_ref());
        insert_if_fit(&mut headers, TRACEPARENT, message.traceparent.as_ref());
        let mut request = Request::new(Full::new(message.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    fn text(&self, place: Place, message: &Message, at: Timestamp) -> Option<HeaderValue> {
        Some(match place {
            Place::Host => self.host.clone(),
            Place::UserAgent => HeaderValue::from_static("hooklog/1"),
            Place::ContentType => self.content_type.clone(),
            Place::Account => self.account.clone(),
            Place::Endpoint => self.endpoint.clone(),
            Place::Id => ours(ByteString::from(message.id.clone()).into_bytes()),
            Place::Timestamp => HeaderValue::from(at.seconds()),
            Place::Signature => {
                let signers = self.keys.valid_at(at);
                if signers.is_empty() {
                    return None;
                }
                ours(sign(&message.id, at, &message.body, signers).into())
            }
            Place::Type => ours(ByteString::from(message.event_type.clone()).into_bytes()),
            Place::Version => number(message.version),
            Place::OccurredAt => ours(message.occurred_at.to_string().into()),
            Place::Offset => HeaderValue::from(message.offset?.0),
            Place::Sequence => HeaderValue::from(message.sequence?.0),
            Place::Attempt => number(message.attempt.0),
            Place::Key => readable(message.key.as_ref()?),
            Place::Rights => ours(message.rights.clone()?.into_bytes()),
            Place::ContentLength => HeaderValue::from(message.body.len()),
        })
    }

    /// Takes away the places that stayed empty: those of unsigned requests, tests, replays and lone events.
    fn remove_absent(&self, headers: &mut HeaderMap, message: &Message, at: Timestamp) {
        let absent = [
            (OFFSET, message.offset.is_none()),
            (SEQUENCE, message.sequence.is_none()),
            (KEY, message.key.is_none()),
            (RIGHTS, message.rights.is_none()),
            (SIGNATURE, self.keys.valid_at(at).is_empty()),
        ];
        for (name, _) in absent.into_iter().filter(|(_, is_absent)| *is_absent) {
            headers.remove(name);
        }
    }
}

impl Form {
    fn new() -> Self {
        let mut headers = HeaderMap::with_capacity(PLACES.len());
        for (name, _) in PLACES {
            headers.insert(name, HeaderValue::from_static(""));
        }
        let place = |name| PLACES.iter().find(|(placed, _)| placed == name).map(|(_, place)| *place);
        Self { places: headers.keys().filter_map(place).collect(), headers }
    }
}

impl Keys {
    fn new(keys: &[SigningKey]) -> Self {
        let mut keys: Vec<_> = keys.iter().collect();
        // Stable: keys of equal age keep their order. No end is the latest end.
        keys.sort_by_key(|key| std::cmp::Reverse(key.valid_until.map_or(i64::MAX, |end| end.0)));
        Self {
            signers: keys.iter().map(|key| key.signer.clone()).collect(),
            valid_until: keys.iter().map(|key| key.valid_until).collect(),
        }
    }

    fn valid_at(&self, at: Timestamp) -> &[Signer] {
        let valid = self.valid_until.partition_point(|end| end.is_none_or(|end| at < end));
        self.signers.get(..valid).unwrap_or_default()
    }
}

fn authenticate(headers: &mut HeaderMap, credentials: &Credentials) -> Result<(), InvalidRoute> {
    let (name, text) = match credentials {
        Credentials::None => return Ok(()),
        Credentials::Basic { username, password } => {
            let pair = BASE64_STANDARD.encode(format!("{username}:{}", password.expose()));
            (AUTHORIZATION, format!("Basic {pair}"))
        }
        Credentials::Bearer { token } => (AUTHORIZATION, format!("Bearer {}", token.expose())),
        Credentials::Header { name, value } => (free_name(name)?, value.expose().clone()),
    };
    let mut text = value(name.as_str(), &text)?;
    text.set_sensitive(true);
    headers.insert(name, text);
    Ok(())
}

/// Reads the name of a header that a setting may name.
fn free_name(name: &str) -> Result<HeaderName, InvalidRoute> {
    match HeaderName::try_from(name) {
        Ok(parsed) if !FRAMING.contains(&parsed.as_str()) => Ok(parsed),
        Ok(_) | Err(_) => Err(InvalidRoute::header(name)),
    }
}

fn value(name: &str, text: &str) -> Result<HeaderValue, InvalidRoute> {
    HeaderValue::from_str(text).map_err(|_| InvalidRoute::header(name))
}

/// What a sender gave may hold what no header can; then it is not worth a failed delivery.
fn insert_if_fit(headers: &mut HeaderMap, name: HeaderName, text: Option<&ByteString>) {
    if let Some(Ok(value)) = text.map(|text| HeaderValue::from_maybe_shared(text.as_bytes().clone())) {
        headers.insert(name, value);
    }
}

/// Nearly all are 1, which needs no memory.
fn number(number: u32) -> HeaderValue {
    if number == 1 { HeaderValue::from_static("1") } else { HeaderValue::from(number) }
}

/// Writes a key so that any header can hold it; most keys can stay as they are.
fn readable(key: &ByteString) -> HeaderValue {
    match key_to_header(key) {
        Cow::Borrowed(_) => ours(key.as_bytes().clone()),
        Cow::Owned(encoded) => ours(encoded.into()),
    }
}

fn ours(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text)
        .expect("ids, types, times, signatures, revisions and encoded keys are visible ASCII")
}

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const ACCOUNT: HeaderName = HeaderName::from_static("hooklog-account");
const ENDPOINT: HeaderName = HeaderName::from_static("hooklog-endpoint");
const TYPE: HeaderName = HeaderName::from_static("hooklog-type");
const VERSION: HeaderName = HeaderName::from_static("hooklog-version");
const OCCURRED_AT: HeaderName = HeaderName::from_static("hooklog-occurred-at");
const OFFSET: HeaderName = HeaderName::from_static("hooklog-offset");
const SEQUENCE: HeaderName = HeaderName::from_static("hooklog-sequence");
const ATTEMPT: HeaderName = HeaderName::from_static("hooklog-attempt");
const KEY: HeaderName = HeaderName::from_static("hooklog-key");
const RIGHTS: HeaderName = HeaderName::from_static("hooklog-rights");
const TEST: HeaderName = HeaderName::from_static("hooklog-test");
const LATE: HeaderName = HeaderName::from_static("hooklog-late");
const REDELIVERY: HeaderName = HeaderName::from_static("hooklog-redelivery");
const REPLAY: HeaderName = HeaderName::from_static("hooklog-replay");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers that say where a request ends and where it goes. No setting may touch them.
const FRAMING: [&str; 9] =
    ["connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
static FORM: LazyLock<Form> = LazyLock::new(Form::new);
/// What stands in every ordinary delivery, in the order in which it is sent.
const PLACES: [(HeaderName, Place); 17] = [
    (HOST, Place::Host),
    (USER_AGENT, Place::UserAgent),
    (CONTENT_TYPE, Place::ContentType),
    (ACCOUNT, Place::Account),
    (ENDPOINT, Place::Endpoint),
    (ID, Place::Id),
    (TIMESTAMP, Place::Timestamp),
    (SIGNATURE, Place::Signature),
    (TYPE, Place::Type),
    (VERSION, Place::Version),
    (OCCURRED_AT, Place::OccurredAt),
    (OFFSET, Place::Offset),
    (SEQUENCE, Place::Sequence),
    (ATTEMPT, Place::Attempt),
    (KEY, Place::Key),
    (RIGHTS, Place::Rights),
    // hyper would add it, and the map would have to grow for it.
    (CONTENT_LENGTH, Place::ContentLength),
];
