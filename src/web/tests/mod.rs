//! The listener with real sockets: a real service behind it, raw clients in front.

mod drain;
mod hostile;
mod manners;
mod over_tls;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{BodyLimits, Error, Handle, Listener, Options, Problem, Surroundings, TlsConfig, read_body};
use crate::runtime::{Clock, Random, ShutdownTrigger, Tasks, shutdown};

/// A listener that runs, and the hand that ends it.
struct Running {
    address: SocketAddr,
    handle: Handle,
    trigger: ShutdownTrigger,
    tasks: Tasks,
    ended: tokio::sync::oneshot::Receiver<Result<(), Error>>,
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads whatever comes back, until the other side closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Vec<Answer> {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        answers(&mut stream).await
    }

    /// Sends one request that ends the connection.
    async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut answers = self.exchange(request).await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    }

    /// Proves that the listener still works.
    async fn assert_well(&self) {
        let answer = self.ask("GET /echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
        assert_eq!(answer.status, 200);
        assert_eq!(self.tasks.panicked(), 0);
    }

    async fn end(self) -> Result<(), Error> {
        self.trigger.give();
        self.ended.await.unwrap()
    }
}

/// An answer as it stood on the wire.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Returns the code, after checking that this is a whole problem document.
    fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document: Value = serde_json::from_str(&self.body).unwrap();
        let code = document["code"].as_str().unwrap().to_owned();
        assert_eq!(document["status"], self.status);
        assert_eq!(document["type"], format!("/problems/{code}"));
        assert_eq!(document["instance"].as_str(), self.header("x-request-id"));
        assert!(super::Code::parse(&code).is_some());
        code
    }
}

/// Reads answers until the connection ends.
async fn answers(stream: &mut (impl AsyncRead + Unpin)) -> Vec<Answer> {
    let mut bytes = Vec::new();
    // A reset after the last answer was read would be an error here, and a failure of the test.
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    let mut text = std::str::from_utf8(&bytes).unwrap();
    let mut answers = Vec::new();
    while !text.is_empty() {
        let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let status: u16 = head[9..12].parse().unwrap();
        if status == 100 {
            text = rest;
            continue;
        }
        let mut answer = Answer { status, head: head.to_owned(), body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        answer.body = rest[..length].to_owned();
        text = &rest[length..];
        answers.push(answer);
    }
    answers
}

/// Nothing in these tests takes this long; what does, hangs.
async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this hangs")
}

fn options() -> Options {
    Options {
        connections_max: 64,
        head_bytes_max: 16 * 1024,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
        write_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(10),
        half_close: true,
    }
}

const BODY: BodyLimits = BodyLimits { bytes_max: 1024, timeout: Duration::from_secs(10) };
const HASTY: BodyLimits = BodyLimits { timeout: Duration::from_millis(50), ..BODY };

/// Runs a listener with a service that answers each request with its method, path and body.
async fn start(options: Options) -> Running {
    start_with(options, None).await
}

async fn start_with(options: Options, tls: Option<TlsConfig>) -> Running {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tasks = Tasks::new();
    let surroundings = Surroundings { clock: Clock::system(), random: Random::from_seed(1), tasks: tasks.clone() };
    let mut listener = Listener::new(socket, service_fn(echo), options, surroundings);
    if let Some(tls) = tls {
        listener = listener.with_tls(tls);
    }
    run(listener, tasks)
}

fn run<S, B>(listener: Listener<S>, tasks: Tasks) -> Running
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<Problem> + Send>,
    S: Clone + Send + 'static,
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    B: Unpin + Send + 'static,
{
    let (address, handle) = (listener.address().unwrap(), listener.handle());
    let (trigger, signal) = shutdown();
    let (sender, ended) = tokio::sync::oneshot::channel();
    tasks.spawn(async move {
        sender.send(listener.run(signal).await).ok();
    });
    Running { address, handle, trigger, tasks, ended }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Problem> {
    let (head, body) = request.into_parts();
    // A service that answers without reading the body.
    if head.uri.path() == "/deaf" {
        return Ok(Response::new(Full::from("unheard")));
    }
    if head.uri.path() == "/large" {
        return Ok(Response::new(Full::from(vec![b'x'; 32 * 1024 * 1024])));
    }
    assert_ne!(head.uri.path(), "/panic", "the service is told to panic");
    let limits = if head.uri.path() == "/hasty" { HASTY } else { BODY };
    let body = read_body(body, limits).await?;
    let text = format!("{} {} {}", head.method, head.uri.path(), String::from_utf8_lossy(&body));
    Ok(Response::new(Full::from(text)))
}
