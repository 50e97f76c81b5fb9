//! Typed JSON bodies of requests, with the place of every mistake.
//!
//! Not for events, which ingest reads without a tree. A body is understood whole or refused with pointers: unknown
//! keys are mistakes, except those that hooklog adds on reading, so that what was read can be written back.

use axum::extract::{FromRef, FromRequest, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::body::{BodyLimits, read_body};
use super::codes::Code;
use super::problem::{FieldError, Problem};
use super::strict_json;

/// A type that requests are read into.
pub trait Input: DeserializeOwned {
    /// JSON pointers of what hooklog adds on reading and ignores on writing, such as `/revision`.
    const ADDED_ON_READING: &'static [&'static str];
}

/// The body of a request as a `T`.
///
/// As an `axum` extractor it needs a state that [`BodyLimits`] can be taken from.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

/// A change in the form of RFC 7396, not yet applied to anything.
#[derive(Debug, Clone, PartialEq)]
pub struct MergePatch(pub Value);

/// Reads a body.
///
/// # Errors
/// `malformed_json` where it is not JSON; `invalid_request` with pointers where it is not a `T`.
pub fn parse<T: Input>(body: &[u8]) -> Result<T, Problem> {
    from_value(parse_value(body)?)
}

/// Reads a body without asking what it means.
///
/// # Errors
/// `malformed_json` with line and column.
pub fn parse_value(body: &[u8]) -> Result<Value, Problem> {
    strict_json::parse(body).map_err(|error| {
        let place = FieldError::new("", error.to_string()).with("line", error.line()).with("column", error.column());
        Problem::new(Code::MalformedJson).detail(error.to_string()).error(place)
    })
}

/// Makes a `T` of a JSON value.
///
/// # Errors
/// `invalid_request` with a pointer to the first wrong member, or to all unknown ones.
pub fn from_value<T: Input>(mut value: Value) -> Result<T, Problem> {
    for pointer in T::ADDED_ON_READING {
        remove(&mut value, pointer);
    }
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let result = serde_ignored::deserialize(tracked, |path| {
        unknown.push(FieldError::new(pointer_of_ignored(&path), "is not a known member"));
    });
    match result {
        Ok(read) if unknown.is_empty() => Ok(read),
        Ok(_) => Err(Problem::new(Code::InvalidRequest).detail("there are members that are not known").errors(unknown)),
        Err(error) => {
            let wrong: &serde_json::Error = &error;
            let place = field_error(&track.path(), &wrong.to_string());
            Err(Problem::new(Code::InvalidRequest)
                .detail(format!("{}: {}", place.pointer, place.detail))
                .error(place)
                .errors(unknown))
        }
    }
}

impl MergePatch {
    /// Applies the change to what is there and reads the result.
    ///
    /// # Errors
    /// As [`from_value`].
    pub fn apply_to<T: Input + Serialize>(self, current: &T) -> Result<T, Problem> {
        let mut value = serde_json::to_value(current).expect("what was read from JSON can be written as JSON");
        merge(&mut value, self.0);
        from_value(value)
    }
}

/// Merges a change into a value: RFC 7396, section 2.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(changes) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = target else { unreachable!("it was made an object one line above") };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

/// Checks that a body says of itself that it is JSON.
///
/// A page of another site can send a form or plain text to a local port without being asked for leave, but not this.
///
/// # Errors
/// `unsupported_media_type`.
pub fn require_json(headers: &HeaderMap, media_types: &[&str]) -> Result<(), Problem> {
    let is_one = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        media_types.iter().any(|one| one.eq_ignore_ascii_case(media_type))
    });
    if is_one {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType)
        .detail(format!("the header content-type must be {}", media_types.join(" or "))))
}

impl<T: Input, S: Send + Sync> FromRequest<S> for Json<T>
where
    BodyLimits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers(), &["application/json"])?;
        parse(&whole(request, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for MergePatch
where
    BodyLimits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers(), &["application/merge-patch+json", "application/json"])?;
        parse_value(&whole(request, state).await?).map(Self)
    }
}

async fn whole<S>(request: Request, state: &S) -> Result<Bytes, Problem>
where
    BodyLimits: FromRef<S>,
{
    read_body(request.into_body(), BodyLimits::from_ref(state)).await
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(members)) = value.pointer_mut(parent) {
        members.remove(name);
    }
}

/// Turns serde's message into a place and what is wrong there.
fn field_error(path: &serde_path_to_error::Path, message: &str) -> FieldError {
    let mut pointer = pointer_of(path);
    let named = |start: &str| message.strip_prefix(start).and_then(|rest| rest.split_once('`'));
    if let Some((name, _)) = named("missing field `") {
        push(&mut pointer, name);
        return FieldError::new(pointer, "is required");
    }
    if let Some((name, rest)) = named("unknown field `") {
        // The path may or may not end in the key that was refused.
        if !pointer.ends_with(&format!("/{}", escaped(name))) {
            push(&mut pointer, name);
        }
        return FieldError::new(pointer, format!("is not a known member{rest}"));
    }
    FieldError::new(pointer, message)
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { variant } => push(&mut pointer, variant),
            Segment::Unknown => break,
        }
    }
    pointer
}

fn pointer_of_ignored(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    let with = |parent: &Path<'_>, name: &str| {
        let mut pointer = pointer_of_ignored(parent);
        push(&mut pointer, name);
        pointer
    };
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => with(parent, &index.to_string()),
        Path::Map { parent, key } => with(parent, key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            pointer_of_ignored(parent)
        }
    }
}

fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&escaped(name));
}

/// RFC 6901, section 3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue};
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::{Code, Input, MergePatch, merge, parse, parse_value, require_json};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Setting {
        url: String,
        #[serde(default)]
        rate_per_second: Option<u32>,
        #[serde(default)]
        auth: Option<Auth>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        steps: Vec<Step>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Auth {
        user: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Step {
        Offset(u64),
    }

    impl Input for Setting {
        const ADDED_ON_READING: &'static [&'static str] = &["/revision", "/auth/passwordSet"];
    }

    /// Reads a body and gives the code with the places at fault.
    fn faults(body: &Value) -> Vec<(String, String)> {
        let problem = parse::<Setting>(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidRequest);
        problem.document("").errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn every_mistake_is_named_with_its_place() {
        let check = |body: Value, expected: &[(&str, &str)]| {
            let faults = faults(&body);
            let faults: Vec<_> = faults.iter().map(|(pointer, detail)| (pointer.as_str(), detail.as_str())).collect();
            assert_eq!(faults, expected, "{body}");
        };
        check(json!({}), &[("/url", "is required")]);
        check(json!({"url": 7}), &[("/url", "invalid type: integer `7`, expected a string")]);
        check(
            json!({"url": "u", "ratePerSecond": -1}),
            &[("/ratePerSecond", "invalid value: integer `-1`, expected u32")],
        );
        check(json!({"url": "u", "auth": {}}), &[("/auth/user", "is required")]);
        check(
            json!({"url": "u", "headers": {"a/b~c": 1}}),
            &[("/headers/a~1b~0c", "invalid type: integer `1`, expected a string")],
        );
        check(
            json!({"url": "u", "steps": [{"offset": 1}, {"offset": "x"}]}),
            &[("/steps/1/offset", "invalid type: string \"x\", expected u64")],
        );
        check(json!([]), &[("", "invalid length 0, expected struct Setting with 5 elements")]);
        check(json!("text"), &[("", "invalid type: string \"text\", expected struct Setting")]);
    }

    #[test]
    fn unknown_keys_are_refused_whether_or_not_the_type_says_so() {
        let unknown = faults(&json!({"url": "u", "colour": 1, "rate_per_second": {"deep": 2}}));
        let expected = ["/colour", "/rate_per_second"];
        assert_eq!(unknown.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), expected);
        let denied = faults(&json!({"url": "u", "auth": {"user": "a", "pass": "b"}}));
        assert_eq!(denied, [("/auth/pass".to_owned(), "is not a known member, expected `user`".to_owned())]);
    }

    #[test]
    fn what_reading_adds_can_be_written_back() {
        let body = json!({"url": "u", "revision": "r1", "auth": {"user": "a", "passwordSet": true}});
        let read: Setting = parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.auth, Some(Auth { user: "a".to_owned() }));
    }

    #[test]
    fn what_is_not_json_is_named_with_line_and_column() {
        let problem = parse::<Setting>(b"{\n  \"url\": ,\n}").unwrap_err();
        assert_eq!(problem.code(), Code::MalformedJson);
        let document = problem.document("");
        assert_eq!(document.detail.unwrap(), "expected value at line 2 column 10");
        assert_eq!(
            (&document.errors[0].members["line"], &document.errors[0].members["column"]),
            (&json!(2), &json!(10))
        );
        assert_eq!(parse_value(br#"{"a":1,"a":1}"#).unwrap_err().code(), Code::MalformedJson);
    }

    #[test]
    fn merging_follows_the_examples_of_rfc_7396() {
        let check = |target: &str, patch: &str, expected: &str| {
            let mut target: Value = serde_json::from_str(target).unwrap();
            merge(&mut target, serde_json::from_str(patch).unwrap());
            assert_eq!(target, serde_json::from_str::<Value>(expected).unwrap(), "{patch}");
        };
        check(r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#);
        check(r#"{"a":"b"}"#, r#"{"a":null}"#, "{}");
        check(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#);
        check(r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#);
        check(r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#);
        check(r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#);
        check(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#);
        check(r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#);
        check(r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#);
        check(r#"{"a":"foo"}"#, "null", "null");
        check(r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#);
        check(r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#);
        check("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#);
        check("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#);
    }

    #[test]
    fn a_change_is_checked_as_a_whole() {
        let current: Setting = parse(br#"{"url": "u", "ratePerSecond": 5}"#).unwrap();
        let patch = |text: &str| MergePatch(serde_json::from_str(text).unwrap());
        let changed = patch(r#"{"ratePerSecond": null, "auth": {"user": "a"}}"#).apply_to(&current).unwrap();
        assert_eq!((changed.url.as_str(), changed.rate_per_second), ("u", None));
        let problem = patch(r#"{"url": null}"#).apply_to(&current).unwrap_err();
        assert_eq!(problem.document("").errors[0].pointer, "/url");
    }

    #[test]
    fn a_body_says_that_it_is_json() {
        let check = |content_type: Option<&'static str>, expected: bool| {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            assert_eq!(require_json(&headers, &["application/json"]).is_ok(), expected, "{content_type:?}");
        };
        check(Some("application/json"), true);
        check(Some("Application/JSON; charset=utf-8"), true);
        check(Some("application/x-www-form-urlencoded"), false);
        check(Some("text/plain"), false);
        check(None, false);
    }
}
