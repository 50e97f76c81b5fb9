//! One connection, driven by whoever sends on it.
//!
//! Not a task: hyper's connection is polled together with the request that waits for it, so an answer wakes
//! nobody twice, and a request that is dropped closes its connection. A connection that nobody sends on is
//! polled by nobody; whether it still lives is found out when it is wanted again.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::unconstrained;

use super::stream::{Progress, Stream};
use super::tls;
use crate::deliver::outcome::{AttemptError, Failure};
use crate::runtime::Monotonic;

/// One connection to a receiver.
#[derive(Debug)]
pub(in crate::deliver) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// Gone once it has ended.
    driver: Option<Box<Driver>>,
    progress: Arc<Progress>,
    opened: Monotonic,
}

/// A connection that is put by: its stream, without the room in which requests are written and answers read.
#[derive(Debug)]
pub(super) struct Folded {
    stream: Stream,
    opened: Monotonic,
}

type Driver = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// Why there is no answer, or none that can be read.
#[derive(Debug)]
pub(in crate::deliver) struct Broken {
    problem: hyper::Error,
    is_answered: bool,
}

impl Connection {
    /// Begins to speak HTTP/1.1; nothing is sent yet.
    pub(in crate::deliver) async fn open(stream: Stream, now: Monotonic) -> Result<Self, Failure> {
        let progress = stream.progress();
        let made = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = made.map_err(|problem| Broken { problem, is_answered: false }.explain())?;
        Ok(Self { sender, driver: Some(Box::new(driver)), progress, opened: now })
    }

    /// Returns when it was opened.
    pub(super) const fn opened(&self) -> Monotonic {
        self.opened
    }

    /// Puts it by; none where it has ended, or the other end has spoken out of turn.
    ///
    /// Nothing waits to be written: another request could be sent, and that is so only when the one before is gone.
    pub(super) fn fold(self) -> Option<Folded> {
        let http1::Parts { io, read_buf, .. } = self.driver?.into_parts();
        read_buf.is_empty().then(|| Folded { stream: io.into_inner(), opened: self.opened })
    }

    /// Sends a request and waits for the head of the answer.
    pub(in crate::deliver) async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, Broken> {
        self.progress.begin();
        let answer = self.sender.send_request(request);
        let answer = drive(&mut self.driver, answer).await;
        answer.map_err(|problem| Broken { problem, is_answered: self.progress.is_answered() })
    }

    /// Returns where to look whether the request under way has left this machine.
    pub(in crate::deliver) fn is_sent(&self) -> impl Fn() -> bool + use<> {
        let progress = Arc::clone(&self.progress);
        move || progress.is_sent()
    }

    /// Works on the connection while something else waits for what comes out of it.
    pub(super) async fn drive<F: Future>(&mut self, waiting: F) -> F::Output {
        drive(&mut self.driver, waiting).await
    }

    /// Looks whether the other end is still there and another request can be sent, without waiting.
    pub(super) async fn is_alive(&mut self) -> bool {
        poll_fn(|ctx| Poll::Ready(poll_driver(&mut self.driver, ctx))).await && self.sender.is_ready()
    }

    /// Looks whether the exchange before is over, and another request could be sent.
    pub(super) async fn is_free(&mut self) -> bool {
        // Most often the answer's end has come together with its head, and there is nothing left to do.
        self.sender.is_ready() || self.is_alive().await
    }
}

impl Folded {
    /// Takes it up again; whether the other end is still there has not been looked at.
    pub(super) async fn unfold(self) -> Option<Connection> {
        Connection::open(self.stream, self.opened).await.ok()
    }
}

impl Broken {
    /// Returns whether the connection ended without a byte of an answer.
    pub(super) fn is_unanswered_end(&self) -> bool {
        !self.is_answered && self.explain().error == AttemptError::ConnectionReset
    }

    /// Names what happened.
    pub(in crate::deliver) fn explain(&self) -> Failure {
        let (error, detail) = match io_cause(&self.problem) {
            Some(cause) => explain_io(cause),
            None if self.problem.is_parse() => {
                (AttemptError::InvalidAnswer, format!("the answer is not HTTP/1: {}", self.problem))
            }
            None if self.problem.is_incomplete_message() && self.is_answered => {
                (AttemptError::ConnectionReset, "the receiver closed the connection in the middle of its answer".into())
            }
            None if self.problem.is_incomplete_message() || self.problem.is_canceled() || self.problem.is_closed() => {
                (AttemptError::ConnectionReset, "the receiver closed the connection without an answer".into())
            }
            // It spoke out of turn, or asked for something HTTP/1 has no room for.
            None => (AttemptError::InvalidAnswer, format!("the answer is not HTTP/1: {}", self.problem)),
        };
        Failure::without_answer(error, detail)
    }
}

fn explain_io(cause: &io::Error) -> (AttemptError, String) {
    if let Some(cause) = tls::cause(cause) {
        return (AttemptError::TlsError, tls::in_words(cause, "the receiver"));
    }
    match cause.kind() {
        io::ErrorKind::TimedOut => (AttemptError::Timeout, "the receiver's machine no longer answers".to_owned()),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            (AttemptError::NetworkUnreachable, format!("the way to the receiver is gone: {cause}"))
        }
        _ => (AttemptError::ConnectionReset, format!("the receiver cut the connection: {cause}")),
    }
}

fn io_cause(problem: &hyper::Error) -> Option<&io::Error> {
    let mut cause = problem.source();
    while let Some(problem) = cause {
        if let Some(problem) = problem.downcast_ref() {
            return Some(problem);
        }
        cause = problem.source();
    }
    None
}

/// Waits for something that comes out of a connection, and works on the connection meanwhile.
///
/// The future is asked before the connection, because a body lets the connection go on only once it was
/// asked, and after it, because that is when there is something new. Nothing else can have anything new for
/// it, so it wakes nobody; and it must not stop for a budget, which it could tell nobody of.
async fn drive<F: Future>(driver: &mut Option<Box<Driver>>, waiting: F) -> F::Output {
    let mut waiting = pin!(unconstrained(waiting));
    poll_fn(|ctx| {
        let mut asleep = Context::from_waker(Waker::noop());
        if let Poll::Ready(output) = waiting.as_mut().poll(&mut asleep) {
            return Poll::Ready(output);
        }
        poll_driver(driver, ctx);
        waiting.as_mut().poll(&mut asleep)
    })
    .await
}

/// Works on a connection, and returns whether it goes on. What ended it reaches the request by itself.
fn poll_driver(driver: &mut Option<Box<Driver>>, ctx: &mut Context<'_>) -> bool {
    let Some(connection) = driver else { return false };
    if Pin::new(connection.as_mut()).poll(ctx).is_pending() {
        return true;
    }
    *driver = None;
    false
}

/// The longest head of an answer, and the room in which an answer is read.
const HEAD_BYTES_MAX: usize = 32 * 1024;
