//! A request's headers, from a template that is made once for each route.
//!
//! Not the signature itself. On the hot path a request costs a copy of the template, one buffer for all
//! numbers and times, and the signature; ids and types share the bytes they came in.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::message::{Credentials, Message, SigningKey};
use super::route::{InvalidRoute, RouteSettings};
use crate::model::Timestamp;
use crate::security::{SigningSecret, sign};

/// What all requests of a route have in common.
#[derive(Debug)]
pub(super) struct Template {
    uri: Uri,
    headers: HeaderMap,
    keys: Keys,
}

/// The signing keys, those that are used longest first.
#[derive(Debug)]
struct Keys {
    secrets: Vec<SigningSecret>,
    valid_until: Vec<Option<Timestamp>>,
}

impl Template {
    pub(super) fn new(settings: &RouteSettings) -> Result<Self, InvalidRoute> {
        let target = &settings.target;
        let path = PathAndQuery::try_from(target.path_and_query()).map_err(|_| InvalidRoute::Path)?;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(HOST, value("host", target.authority())?);
        for (name, text) in &settings.headers {
            let parsed = HeaderName::try_from(name).map_err(|_| InvalidRoute::header(name))?;
            if FRAMING.contains(&parsed.as_str()) {
                return Err(InvalidRoute::header(name));
            }
            headers.insert(parsed, value(name, text)?);
        }
        // What follows takes the place of anything of the same name above.
        authenticate(&mut headers, &settings.credentials)?;
        headers.insert(USER_AGENT, HeaderValue::from_static("hooklog/1"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCOUNT, value("hooklog-account", settings.account.as_str())?);
        headers.insert(ENDPOINT, value("hooklog-endpoint", settings.endpoint.as_str())?);
        // Places for what every request has, so that a copy of the map need not grow for them.
        for name in [ID, TIMESTAMP, SIGNATURE, TYPE, VERSION, OCCURRED_AT, OFFSET, SEQUENCE, ATTEMPT] {
            headers.insert(name, HeaderValue::from_static(""));
        }
        let keys = Keys::new(&settings.signing);
        if keys.secrets.is_empty() {
            headers.remove(SIGNATURE);
        }
        Ok(Self { uri: path.into(), headers, keys })
    }

    /// Makes the request that carries a message at a time.
    pub(super) fn request(&self, message: &Message, at: Timestamp) -> Request<Full<Bytes>> {
        let mut headers = self.headers.clone();
        headers.insert(ID, shared(message.id.clone().into()));
        headers.insert(TYPE, shared(message.event_type.clone().into()));
        self.insert_numbers(&mut headers, message, at);
        let secrets = self.keys.valid_at(at);
        if secrets.is_empty() {
            headers.remove(SIGNATURE);
        } else {
            let signature = sign(&message.id, at, &message.body, secrets);
            headers.insert(SIGNATURE, ours(Bytes::from(signature)));
        }
        if message.is_test {
            headers.insert(TEST, HeaderValue::from_static("true"));
        }
        insert_if_fit(&mut headers, REPLAY, message.replay.as_ref());
        insert_if_fit(&mut headers, TRACEPARENT, message.traceparent.as_ref());
        let mut request = Request::new(Full::new(message.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        request
    }

    /// Writes numbers, times and the key into one buffer, of which each header gets its part.
    fn insert_numbers(&self, headers: &mut HeaderMap, message: &Message, at: Timestamp) {
        let mut text = Parts { text: BytesMut::with_capacity(NUMBERS_BYTES), ends: [0; PARTS], count: 0 };
        text.write(format_args!("{}", at.seconds()));
        text.write(format_args!("{}", message.version));
        text.write(format_args!("{}", message.occurred_at));
        text.write(format_args!("{}", message.attempt));
        text.write(format_args!("{}", message.offset.unwrap_or_default()));
        text.write(format_args!("{}", message.sequence.unwrap_or_default()));
        if let Some(key) = &message.key {
            text.write(format_args!("{}", utf8_percent_encode(key, OUTSIDE_VISIBLE)));
        }
        let mut parts = text.split();
        let mut next = || parts.next().map(ours).expect("as many parts as were written");
        headers.insert(TIMESTAMP, next());
        headers.insert(VERSION, next());
        headers.insert(OCCURRED_AT, next());
        headers.insert(ATTEMPT, next());
        let (offset, sequence) = (next(), next());
        set(headers, OFFSET, message.offset.is_some().then_some(offset));
        set(headers, SEQUENCE, message.sequence.is_some().then_some(sequence));
        if message.key.is_some() {
            headers.insert(KEY, next());
        }
    }
}

/// Texts one behind the other in one buffer.
struct Parts {
    text: BytesMut,
    ends: [usize; PARTS],
    count: usize,
}

impl Parts {
    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a buffer that grows takes any text");
        *self.ends.get_mut(self.count).expect("no more parts are written than there is room for") = self.text.len();
        self.count += 1;
    }

    fn split(self) -> impl Iterator<Item = Bytes> {
        let text = self.text.freeze();
        let mut start = 0;
        self.ends.into_iter().take(self.count).map(move |end| text.slice(std::mem::replace(&mut start, end)..end))
    }
}

impl Keys {
    fn new(keys: &[SigningKey]) -> Self {
        let mut keys: Vec<_> = keys.iter().collect();
        // Stable: keys of equal age keep their order. No end is the latest end.
        keys.sort_by_key(|key| std::cmp::Reverse(key.valid_until.map_or(i64::MAX, |end| end.0)));
        Self {
            secrets: keys.iter().map(|key| key.secret.clone()).collect(),
            valid_until: keys.iter().map(|key| key.valid_until).collect(),
        }
    }

    fn valid_at(&self, at: Timestamp) -> &[SigningSecret] {
        let valid = self.valid_until.partition_point(|end| end.is_none_or(|end| at < end));
        self.secrets.get(..valid).unwrap_or_default()
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
        Credentials::Header { name, value } => {
            let parsed = HeaderName::try_from(name).map_err(|_| InvalidRoute::header(name))?;
            if FRAMING.contains(&parsed.as_str()) {
                return Err(InvalidRoute::header(name));
            }
            (parsed, value.expose().clone())
        }
    };
    let mut text = value(name.as_str(), &text)?;
    text.set_sensitive(true);
    headers.insert(name, text);
    Ok(())
}

fn value(name: &str, text: &str) -> Result<HeaderValue, InvalidRoute> {
    HeaderValue::from_str(text).map_err(|_| InvalidRoute::header(name))
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}

/// What a sender gave may hold what no header can; then it is not worth a failed delivery.
fn insert_if_fit(headers: &mut HeaderMap, name: HeaderName, text: Option<&ByteString>) {
    if let Some(Ok(value)) = text.map(|text| HeaderValue::from_maybe_shared(text.as_bytes().clone())) {
        headers.insert(name, value);
    }
}

fn shared(name: ByteString) -> HeaderValue {
    ours(name.into_bytes())
}

fn ours(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).expect("ids, types, numbers, times and base64 are visible ASCII")
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
const TEST: HeaderName = HeaderName::from_static("hooklog-test");
const REPLAY: HeaderName = HeaderName::from_static("hooklog-replay");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers that say where a request ends and where it goes. No setting may touch them.
const FRAMING: [&str; 9] =
    ["connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
/// All but visible ASCII, and the sign itself, so that a key can be read back.
const OUTSIDE_VISIBLE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// Room for the headers of a usual request.
const HEADERS: usize = 32;
const PARTS: usize = 7;
const NUMBERS_BYTES: usize = 128;
