//! Answers, each with its status, its headers and its place in the document.
//!
//! Not problems: those are [`crate::web::Problem`], the same for every route.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::ours;
use super::feed::{End, Line};
use super::route::Answered;
use crate::web::respond::{etag, json as json_answer, json_of_revision};

/// What a handler answers.
pub(super) trait Answer: Send {
    /// Writes the answer to a request with these headers.
    fn answer(self, request: &HeaderMap) -> Answered;

    /// Describes the possible answers in the document, by status.
    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)>;
}

/// 200 with JSON.
pub(super) struct Read<T>(pub(super) T);

impl<T: Serialize + JsonSchema + Send> Answer for Read<T> {
    fn answer(self, _: &HeaderMap) -> Answered {
        written(StatusCode::OK, &self.0)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(200, described::<T>(generator, "As asked for.", &[]))]
    }
}

/// 200 with JSON of a revision, 304 to who has it.
pub(super) struct Current<T> {
    pub(super) revision: String,
    pub(super) value: T,
}

impl<T: Serialize + JsonSchema + Send> Answer for Current<T> {
    fn answer(self, request: &HeaderMap) -> Answered {
        json_of_revision(request, &self.revision, &self.value).map(|answer| answer.map(Body::new))
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        let unchanged = json!({ "description": "`if-none-match` names the present revision." });
        vec![(200, described::<T>(generator, "As asked for.", &["etag"])), (304, unchanged)]
    }
}

/// 201 where something was made, 200 where it was replaced or changed.
pub(super) struct Written<T> {
    /// Where it was made.
    pub(super) made_at: Option<String>,
    pub(super) revision: String,
    pub(super) value: T,
}

impl<T: Serialize + JsonSchema + Send> Answer for Written<T> {
    fn answer(self, _: &HeaderMap) -> Answered {
        let status = if self.made_at.is_some() { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = written(status, &self.value)?;
        response.headers_mut().insert(ETAG, etag(&self.revision)?);
        if let Some(place) = self.made_at {
            response.headers_mut().insert(LOCATION, header(&place));
        }
        Ok(response)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![
            (200, described::<T>(generator, "Replaced.", &["etag"])),
            (201, described::<T>(generator, "Made.", &["etag", "location"])),
        ]
    }
}

/// 200 after a change of something that was there.
pub(super) struct Changed<T> {
    pub(super) revision: String,
    pub(super) value: T,
}

impl<T: Serialize + JsonSchema + Send> Answer for Changed<T> {
    fn answer(self, request: &HeaderMap) -> Answered {
        Written { made_at: None, revision: self.revision, value: self.value }.answer(request)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(200, described::<T>(generator, "Changed.", &["etag"]))]
    }
}

/// 201 with what was made, and where it is.
pub(super) struct Created<T> {
    pub(super) location: String,
    pub(super) value: T,
}

impl<T: Serialize + JsonSchema + Send> Answer for Created<T> {
    fn answer(self, _: &HeaderMap) -> Answered {
        let mut response = written(StatusCode::CREATED, &self.value)?;
        response.headers_mut().insert(LOCATION, header(&self.location));
        Ok(response)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(201, described::<T>(generator, "Made.", &["location"]))]
    }
}

/// 204: it is gone.
pub(super) struct Removed;

impl Answer for Removed {
    fn answer(self, _: &HeaderMap) -> Answered {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(204, json!({ "description": "It is gone." }))]
    }
}

/// 200 or 503, with the same JSON: for who asks whether the process is well.
pub(super) struct Verdict<T> {
    pub(super) is_well: bool,
    pub(super) value: T,
}

impl<T: Serialize + JsonSchema + Send> Answer for Verdict<T> {
    fn answer(self, _: &HeaderMap) -> Answered {
        if self.is_well {
            return written(StatusCode::OK, &self.value);
        }
        let mut response = written(StatusCode::SERVICE_UNAVAILABLE, &self.value)?;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        Ok(response)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        let (yes, no) = (described::<T>(generator, "Yes.", &[]), described::<T>(generator, "No.", &["retry-after"]));
        vec![(200, yes), (503, no)]
    }
}

/// 200 with a text that is no JSON.
pub(super) struct Text {
    pub(super) media_type: &'static str,
    pub(super) text: Bytes,
}

impl Answer for Text {
    fn answer(self, _: &HeaderMap) -> Answered {
        let mut response = Response::new(Body::from(self.text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(
            200,
            json!({ "description": "A text.", "content": { "text/plain": { "schema": { "type": "string" } } } }),
        )]
    }
}

/// 200 with a page for people.
pub(super) struct Page(pub(super) Response<http_body_util::Full<Bytes>>);

impl Answer for Page {
    fn answer(self, _: &HeaderMap) -> Answered {
        Ok(self.0.map(Body::new))
    }

    fn describe(_: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        vec![(200, json!({ "description": "A page.", "content": { "text/html": { "schema": { "type": "string" } } } }))]
    }
}

/// 200 with a text that goes on.
pub(super) struct Going {
    pub(super) media_type: &'static str,
    pub(super) body: Body,
}

impl Answer for Going {
    fn answer(self, _: &HeaderMap) -> Answered {
        let mut response = Response::new(self.body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A proxy that gathers an answer before it passes it on would hold events back.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        Ok(response)
    }

    fn describe(generator: &mut SchemaGenerator) -> Vec<(u16, Value)> {
        let line = generator.subschema_for::<Line<'_>>().to_value();
        let end = generator.subschema_for::<End>().to_value();
        let content = json!({
            "text/event-stream": { "schema": { "type": "string" } },
            "application/x-ndjson": { "schema": { "oneOf": [line, end] } },
        });
        vec![(200, json!({ "description": "Events one after another.", "content": content }))]
    }
}

/// Writes JSON.
fn written<T: Serialize>(status: StatusCode, value: &T) -> Answered {
    json_answer(status, value).map(|answer| answer.map(Body::new))
}

/// Writes a path as a header. Names in it are of characters that stand in a header as they are.
fn header(path: &str) -> HeaderValue {
    HeaderValue::from_str(path).unwrap_or_else(|problem| {
        drop(ours(&problem));
        HeaderValue::from_static("/")
    })
}

fn described<T: JsonSchema>(generator: &mut SchemaGenerator, description: &str, headers: &[&str]) -> Value {
    let schema = generator.subschema_for::<T>().to_value();
    let mut response = json!({ "description": description, "content": { "application/json": { "schema": schema } } });
    if let (false, Some(response)) = (headers.is_empty(), response.as_object_mut()) {
        let headers = headers.iter().map(|name| ((*name).to_owned(), json!({ "schema": { "type": "string" } })));
        response.insert("headers".to_owned(), Value::Object(headers.collect()));
    }
    response
}
