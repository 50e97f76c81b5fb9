//! Answers of the API: JSON, revisions, conditions.
//!
//! Not problems. What is read with a token is nobody else's: caches on the way keep nothing, a client's own may keep
//! it if it asks again each time.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::codes::Code;
use super::problem::Problem;

/// Answers with JSON that nobody keeps.
///
/// # Errors
/// `internal_error` where the value cannot be written, which is a mistake in its type.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response<Full<Bytes>>, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "cannot write an answer as JSON");
        Problem::new(Code::InternalError)
    })?;
    Ok(json_bytes(status, body.into()))
}

/// Answers with JSON that is already written.
#[must_use]
pub fn json_bytes(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Answers with JSON of a revision, or with 304 to who has that revision already.
///
/// # Errors
/// As [`json`].
pub fn json_of_revision<T: Serialize>(
    request: &HeaderMap,
    revision: &str,
    value: &T,
) -> Result<Response<Full<Bytes>>, Problem> {
    let is_known = Tags::read(request, &IF_NONE_MATCH)?.is_some_and(|tags| tags.name(revision));
    let mut response = if is_known {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        json(StatusCode::OK, value)?
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(ETAG, etag(revision)?);
    Ok(response)
}

/// Returns the `ETag` of a revision.
///
/// # Errors
/// `internal_error` where the revision has characters that no revision has.
pub fn etag(revision: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("\"{revision}\"")).map_err(|_| Problem::new(Code::InternalError))
}

/// What a write expects to find, from `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there, or nothing.
    Anything,
    /// Something, whichever revision.
    Something,
    /// One of these revisions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Reads the condition of a request.
    ///
    /// # Errors
    /// `bad_request` where the header is malformed.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(match Tags::read(headers, &IF_MATCH)? {
            None => Self::Anything,
            Some(Tags::Any) => Self::Something,
            // Weak tags never match here: RFC 9110, section 13.1.1.
            Some(Tags::List(tags)) => {
                Self::OneOf(tags.into_iter().filter(|tag| !tag.is_weak).map(|tag| tag.text).collect())
            }
        })
    }

    /// Returns whether the condition holds for what is there.
    #[must_use]
    pub fn holds_for(&self, current: Option<&str>) -> bool {
        match self {
            Self::Anything => true,
            Self::Something => current.is_some(),
            Self::OneOf(revisions) => current.is_some_and(|current| revisions.iter().any(|one| one == current)),
        }
    }
}

/// The entity tags of a header: RFC 9110, section 8.8.3.
enum Tags {
    Any,
    List(Vec<Tag>),
}

struct Tag {
    text: String,
    is_weak: bool,
}

impl Tags {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Problem> {
        let mut tags = Vec::new();
        let mut is_there = false;
        for value in headers.get_all(name) {
            is_there = true;
            let text = value.to_str().map_err(|_| malformed(name))?.trim();
            if text == "*" {
                return Ok(Some(Self::Any));
            }
            for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                let (is_weak, quoted) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
                let text = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let text = text.ok_or_else(|| malformed(name))?.to_owned();
                tags.push(Tag { text, is_weak });
            }
        }
        Ok(is_there.then_some(Self::List(tags)))
    }

    /// Compares weakly, as a reader may.
    fn name(&self, revision: &str) -> bool {
        match self {
            Self::Any => true,
            Self::List(tags) => tags.iter().any(|tag| tag.text == revision),
        }
    }
}

fn malformed(name: &HeaderName) -> Problem {
    Problem::new(Code::BadRequest).detail(format!("the header {name} must be entity tags in quotation marks, or *"))
}

#[cfg(test)]
mod tests {
    use http::header::{IF_MATCH, IF_NONE_MATCH};
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Expected, json_of_revision};

    fn headers(name: HeaderName, value: Option<&str>) -> HeaderMap {
        value.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_write_holds_where_if_match_names_what_is_there() {
        let check = |value: Option<&str>, current: Option<&str>, expected: Option<bool>| {
            let read = Expected::read(&headers(IF_MATCH, value));
            assert_eq!(read.ok().map(|read| read.holds_for(current)), expected, "{value:?} {current:?}");
        };
        check(None, None, Some(true));
        check(None, Some("r1"), Some(true));
        check(Some("*"), Some("r1"), Some(true));
        check(Some("*"), None, Some(false));
        check(Some("\"r1\""), Some("r1"), Some(true));
        check(Some("\"r0\", \"r1\""), Some("r1"), Some(true));
        check(Some("\"r0\""), Some("r1"), Some(false));
        check(Some("\"r1\""), None, Some(false));
        check(Some("W/\"r1\""), Some("r1"), Some(false));
        check(Some("r1"), Some("r1"), None);
        check(Some("\"r1"), Some("r1"), None);
    }

    #[test]
    fn who_has_the_revision_is_told_so() {
        let check = |value: Option<&str>, expected: u16| {
            let response = json_of_revision(&headers(IF_NONE_MATCH, value), "r1", &1).unwrap();
            assert_eq!(response.status().as_u16(), expected, "{value:?}");
            assert_eq!(response.headers()["etag"], "\"r1\"");
            assert_eq!(response.headers()["cache-control"], "private, no-cache");
        };
        check(None, 200);
        check(Some("\"r0\""), 200);
        check(Some("\"r1\""), 304);
        check(Some("W/\"r1\""), 304);
        check(Some("*"), 304);
    }
}
