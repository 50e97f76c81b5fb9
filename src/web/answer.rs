//! From what a service returns to what is sent: the request id on everything, a problem document on every failure.
//!
//! Not a middleware to be added or forgotten: every answer of a listener goes through here, those of a framework
//! that knows nothing of problem documents too.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use super::codes::Code;
use super::problem::Problem;
use super::progress::Answering;
use super::request_id::REQUEST_ID;

/// The body of an answer: the service's, or a problem document.
#[derive(Debug)]
pub(super) struct Answer<B> {
    content: Content<B>,
    _answering: Answering,
}

#[derive(Debug)]
enum Content<B> {
    Service(B),
    Problem(Full<Bytes>),
}

/// Completes an answer.
pub(super) fn complete<B, E: Into<Problem>>(
    result: Result<Response<B>, E>,
    request_id: HeaderValue,
    answering: Answering,
) -> Response<Answer<B>> {
    let mut response = match result {
        Ok(response) if response.status().as_u16() < 400 => response.map(Content::Service),
        Ok(response) => explained(response, &request_id),
        Err(failure) => with_document(Response::new(()), &failure.into(), &request_id),
    };
    response.headers_mut().insert(&REQUEST_ID, request_id);
    response.map(|content| Answer { content, _answering: answering })
}

/// Sees to it that an error answer says what is wrong, whoever gave it.
fn explained<B>(mut response: Response<B>, request_id: &HeaderValue) -> Response<Content<B>> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return with_document(response, &problem, request_id);
    }
    if speaks_for_itself(response.headers()) {
        return response.map(Content::Service);
    }
    let mut problem = Problem::new(Code::of_status(response.status()));
    if let Some(methods) = response.headers().get(ALLOW) {
        problem = problem.allow(methods.clone());
    }
    with_document(response, &problem, request_id)
}

/// An answer with a type of its own is deliberate; a framework's refusal is empty or a line of plain text.
fn speaks_for_itself(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|content_type| !content_type.as_bytes().starts_with(b"text/plain"))
}

fn with_document<B, C>(response: Response<B>, problem: &Problem, request_id: &HeaderValue) -> Response<Content<C>> {
    let (mut head, _) = response.into_parts();
    head.status = problem.status();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.extend(problem.headers());
    let body = problem.body(request_id.to_str().unwrap_or_default());
    Response::from_parts(head, Content::Problem(Full::new(body)))
}

/// Writes a whole answer as it stands on the wire, for a request that never became one.
pub(super) fn on_the_wire(problem: &Problem, request_id: &HeaderValue, date: &str) -> Vec<u8> {
    let status = problem.status();
    let body = problem.body(request_id.to_str().unwrap_or_default());
    let mut bytes = Vec::with_capacity(512 + body.len());
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    let mut headers = problem.headers();
    headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(&REQUEST_ID, request_id.clone());
    if let Ok(date) = HeaderValue::from_str(date) {
        headers.insert(http::header::DATE, date);
    }
    for (name, value) in &headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.content {
            Content::Service(body) => Pin::new(body).poll_frame(cx),
            Content::Problem(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Service(body) => body.is_end_stream(),
            Content::Problem(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Service(body) => body.size_hint(),
            Content::Problem(body) => body.size_hint(),
        }
    }
}
