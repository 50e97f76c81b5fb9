//! What a caller is told when a request fails: an RFC 9457 problem document.
//!
//! Not an error type of a part: those carry facts for other parts, and whoever answers a request turns them into a
//! problem. Nothing secret and nothing of another account ever stands in one. A problem becomes a response in one
//! place ([`super::answer`]), because only there the request id is known.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codes::Code;

/// The media type of a problem document.
pub const CONTENT_TYPE_PROBLEM: &str = "application/problem+json";

/// A failed request: its code, what exactly is wrong, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
struct Inner {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    members: BTreeMap<Cow<'static, str>, Value>,
    retry_after: Option<Duration>,
    allow: Option<HeaderValue>,
}

/// One place that is at fault, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FieldError {
    /// JSON pointer into the body; for a query parameter its name with a question mark in front.
    pub pointer: String,
    /// What is wrong there, or what was expected.
    pub detail: String,
    /// More facts for programs, such as the `line` of an event.
    #[serde(flatten)]
    pub members: BTreeMap<String, Value>,
}

/// The document as it is written, and as a client reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Document {
    /// Address of a page with cause and remedy.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable text for programs.
    pub code: String,
    /// The same sentence for every problem of this code.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What exactly is wrong this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The id of the request, as in `x-request-id`.
    pub instance: String,
    /// The places at fault, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What this code adds, such as `missing` or `oldestOffset`.
    #[serde(flatten)]
    pub members: BTreeMap<String, Value>,
}

impl FieldError {
    /// Makes an error at a JSON pointer.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), members: BTreeMap::new() }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        debug_assert!(!["pointer", "detail"].contains(&name), "{name} is a member of every error");
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl Problem {
    /// Makes a problem that says no more than its code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner {
            code,
            detail: None,
            errors: Vec::new(),
            members: BTreeMap::new(),
            retry_after: None,
            allow: None,
        }))
    }

    /// Says what exactly is wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a place that is at fault.
    #[must_use]
    pub fn error(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// Adds all places that are at fault.
    #[must_use]
    pub fn errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.errors.extend(errors);
        self
    }

    /// Adds a member of its own, such as `oldestOffset`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(!MEMBERS.contains(&name), "{name} is a member of every problem");
        self.0.members.insert(Cow::Borrowed(name), value.into());
        self
    }

    /// Says that what is at fault stands inside a larger body, below a JSON pointer.
    #[must_use]
    pub fn below(mut self, pointer: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    /// Says when to try again; written in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Says which methods the path takes.
    #[must_use]
    pub fn allow(mut self, methods: HeaderValue) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Returns the code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// Returns the document for the request of this id.
    #[must_use]
    pub fn document(&self, request_id: &str) -> Document {
        let inner = &*self.0;
        Document {
            kind: format!("/problems/{}", inner.code),
            code: inner.code.as_str().to_owned(),
            title: inner.code.title().to_owned(),
            status: inner.code.status().as_u16(),
            detail: inner.detail.as_ref().map(ToString::to_string),
            instance: request_id.to_owned(),
            errors: inner.errors.clone(),
            members: inner.members.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        }
    }

    /// Returns the headers that belong to this problem.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE_PROBLEM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.0.retry_after.or_else(|| wait_unless_told(self.0.code)) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(methods) = &self.0.allow {
            headers.insert(ALLOW, methods.clone());
        }
        if self.0.code == Code::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hooklog\""));
        }
        if ends_connection(self.0.code) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        headers
    }

    /// Returns the body: the document as JSON.
    #[must_use]
    pub fn body(&self, request_id: &str) -> Bytes {
        serde_json::to_vec(&self.document(request_id)).expect("a document is text, numbers and JSON values").into()
    }

    /// Returns the response, still without body: the listener writes that, because it knows the request id.
    #[must_use]
    pub fn into_bare_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

/// Refusals for the moment carry `retry-after` even where nobody said how long.
const fn wait_unless_told(code: Code) -> Option<Duration> {
    match code.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some(Duration::from_secs(1)),
        _ => None,
    }
}

/// After these the rest of the request may still be on its way, and nobody will read it.
const fn ends_connection(code: Code) -> bool {
    matches!(code, Code::PayloadTooLarge | Code::RequestTimeout | Code::ShuttingDown)
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        self.into_bare_response()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.detail {
            Some(detail) => write!(formatter, "{}: {detail}", self.0.code),
            None => write!(formatter, "{}: {}", self.0.code, self.0.code.title()),
        }
    }
}

impl std::error::Error for Problem {}

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

const MEMBERS: [&str; 7] = ["type", "code", "title", "status", "detail", "instance", "errors"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::{Code, Document, FieldError, Problem};

    fn check(problem: &Problem, expected: &Value) {
        let body = problem.body("abc-1");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), *expected);
        // What is written can be read again by a client of ours.
        assert_eq!(serde_json::from_slice::<Document>(&body).unwrap(), problem.document("abc-1"));
    }

    #[test]
    fn a_document_says_what_the_contract_says() {
        check(
            &Problem::new(Code::RangeExpired).detail("offset 7 is no longer kept").with("oldestOffset", 41),
            &json!({
                "type": "/problems/range_expired", "code": "range_expired",
                "title": "This part of the past is no longer kept", "status": 410,
                "detail": "offset 7 is no longer kept", "instance": "abc-1", "oldestOffset": 41,
            }),
        );
        check(
            &Problem::new(Code::InvalidEvent)
                .error(FieldError::new("/type", "is required").with("line", 3))
                .errors([FieldError::new("/data", "must be an object")]),
            &json!({
                "type": "/problems/invalid_event", "code": "invalid_event",
                "title": "An event does not have the form of an event", "status": 400, "instance": "abc-1",
                "errors": [
                    {"pointer": "/type", "detail": "is required", "line": 3},
                    {"pointer": "/data", "detail": "must be an object"},
                ],
            }),
        );
    }

    #[test]
    fn headers_follow_from_the_problem() {
        let check = |problem: Problem, name: &str, expected: Option<&str>| {
            let headers = problem.headers();
            assert_eq!(headers.get(name).map(|value| value.to_str().unwrap()), expected, "{problem} {name}");
        };
        let full = || Problem::new(Code::QueueFull);
        check(full(), "content-type", Some("application/problem+json"));
        check(full(), "cache-control", Some("no-store"));
        check(full(), "retry-after", Some("1"));
        check(full().retry_after(Duration::ZERO), "retry-after", Some("1"));
        check(full().retry_after(Duration::from_millis(2_001)), "retry-after", Some("3"));
        check(full(), "www-authenticate", None);
        check(full(), "connection", None);
        check(Problem::new(Code::NotFound), "retry-after", None);
        check(Problem::new(Code::Unauthorized), "www-authenticate", Some("Bearer realm=\"hooklog\""));
        check(Problem::new(Code::PayloadTooLarge), "connection", Some("close"));
        let allow = HeaderValue::from_static("GET, PUT");
        check(Problem::new(Code::MethodNotAllowed).allow(allow), "allow", Some("GET, PUT"));
    }

    #[test]
    fn a_result_with_a_problem_stays_small() {
        assert_eq!(size_of::<Result<(), Problem>>(), size_of::<usize>());
    }
}
