//! A small HTTP client for tests: one connection, one request at a time.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// A connection that is opened when it is needed, and again when it was closed.
pub(crate) struct Client {
    authority: String,
    token: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(authority: &str, token: Option<&str>) -> Self {
        Self { authority: authority.to_owned(), token: token.map(str::to_owned), sender: None }
    }

    /// Sends a request; an error where the connection breaks.
    pub(crate) async fn try_send(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Answer, String> {
        self.try_send_with(method, path, &[("content-type", content_type)], body).await
    }

    /// Sends a request with these headers; an error where the connection breaks.
    pub(crate) async fn try_send_with(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).unwrap();
        // The connection may still be at the end of the last answer.
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.connect().await?.0,
        };
        if sender.ready().await.is_err() {
            sender = self.connect().await?.0;
        }
        let response = sender.send_request(request).await.map_err(|problem| problem.to_string())?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, 64 << 20).collect().await.map_err(|problem| problem.to_string())?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.try_send(method, path, "application/json", bytes).await.unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn connect(&self) -> Result<(SendRequest<Full<Bytes>>, Connection), String> {
        let stream = TcpStream::connect(&self.authority).await.map_err(|problem| problem.to_string())?;
        stream.set_nodelay(true).map_err(|problem| problem.to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|problem| problem.to_string())?;
        Ok((sender, tokio::spawn(connection)))
    }
}

/// An event as a stream brings it, read as the HTML standard says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamedEvent {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// An answer of `text/event-stream` that goes on.
pub(crate) struct EventStream {
    body: hyper::body::Incoming,
    connection: Connection,
    buffer: String,
    /// What a reader gives back to go on.
    pub(crate) last_id: String,
}

type Connection = tokio::task::JoinHandle<Result<(), hyper::Error>>;

/// Whoever leaves closes the connection.
impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl EventStream {
    /// Returns the next event; none where the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<StreamedEvent> {
        let mut event = StreamedEvent::default();
        loop {
            let Some((line, rest)) = self.buffer.split_once('\n') else {
                let bytes = self.body.frame().await?.ok()?.into_data().unwrap();
                self.buffer.push_str(std::str::from_utf8(&bytes).unwrap());
                continue;
            };
            let (line, rest) = (line.to_owned(), rest.to_owned());
            self.buffer = rest;
            match line.split_once(':').map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value))) {
                None => {
                    assert_eq!(line, "", "a field without a value");
                    self.last_id.clone_from(&event.id);
                    if !event.data.is_empty() {
                        return Some(event);
                    }
                }
                Some(("id", value)) => value.clone_into(&mut event.id),
                Some(("event", value)) => value.clone_into(&mut event.event),
                Some(("data", value)) => event.data.push_str(value),
                Some(("", _)) => {}
                Some((field, _)) => panic!("an unknown field {field}"),
            }
        }
    }
}

impl Client {
    /// Opens a stream of events.
    pub(crate) async fn events(&self, path: &str, last_id: Option<&str>) -> Result<EventStream, (StatusCode, Value)> {
        let mut request = Request::builder().uri(path).header("host", &self.authority);
        request = request.header("accept", "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let (mut sender, connection) = self.connect().await.unwrap();
        let response = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        if response.status() != StatusCode::OK {
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            return Err((status, serde_json::from_slice(&body).unwrap()));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let last_id = last_id.unwrap_or("").to_owned();
        Ok(EventStream { body: response.into_body(), connection, buffer: String::new(), last_id })
    }
}
