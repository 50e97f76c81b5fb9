//! One connection from its first byte to its last.
//!
//! Not the accepting of connections, which is [`super::server`]. Whatever the peer does (garbage, silence, half a
//! request, a request after which it closes its side), the connection ends within bounds and takes no other with it;
//! and where HTTP still allows an answer, it gets one that says why.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::answer::{complete, on_the_wire};
use super::codes::Code;
use super::problem::Problem;
use super::progress::{Progress, Stage, StageLimits};
use super::request_id::RequestIds;
use super::socket::{Socket, Transport};
use crate::runtime::Clock;

/// What a listener tells its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Take requests.
    Serving,
    /// Finish the request that has begun, take no other.
    Draining,
    /// End now.
    Closing,
}

/// What all connections of a listener have in common.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) http: http1::Builder,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: StageLimits,
    pub(super) write_timeout: Duration,
    pub(super) clock: Clock,
}

/// A connection that was accepted.
pub(super) struct Connection<S> {
    pub(super) terms: Arc<Terms>,
    pub(super) service: S,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) request_ids: RequestIds,
}

/// How the HTTP part of a connection ended.
enum Ended {
    /// Both sides are done.
    Done,
    /// The machine gave up: with a refusal of its own, or because the peer or the network did.
    Failed(hyper::Error),
    /// A stage took too long.
    Overdue(Stage),
}

impl<S, B> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<Problem>>,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin + 'static,
{
    /// Serves the connection until it ends, or until the listener says that everything ends now.
    pub(super) async fn run(self, stream: TcpStream) {
        let mut phases = self.phases.clone();
        tokio::select! {
            biased;
            () = self.serve(stream) => (),
            // An error means that the listener itself is gone: then this ends as well.
            _ = phases.wait_for(|phase| *phase == Phase::Closing) => (),
        }
    }

    async fn serve(mut self, stream: TcpStream) {
        let Some(transport) = self.open(stream).await else {
            return;
        };
        let progress = Arc::new(Progress::new(self.terms.clock.clone()));
        let request_ids = Arc::new(self.request_ids);
        let socket = Socket::new(transport, Arc::clone(&progress), self.terms.write_timeout);
        let service = {
            let (progress, request_ids) = (Arc::clone(&progress), Arc::clone(&request_ids));
            service_fn(move |mut request: Request<Incoming>| {
                let request_id = request_ids.settle(request.headers_mut());
                let answering = progress.answering();
                let answer = self.service.call(request);
                async move { Ok::<_, Infallible>(complete(answer.await, request_id, answering)) }
            })
        };
        let mut connection = self.terms.http.serve_connection(TokioIo::new(socket), service);
        let overdue = progress.overdue(self.terms.limits);
        tokio::pin!(overdue);
        let ended = loop {
            tokio::select! {
                biased;
                result = &mut connection => break result.map_or_else(Ended::Failed, |()| Ended::Done),
                stage = &mut overdue => break Ended::Overdue(stage),
                Ok(()) = self.phases.changed() => (),
            }
            Pin::new(&mut connection).graceful_shutdown();
        };
        let socket = connection.into_parts().io.into_inner();
        let last_words = last_word(&ended, &socket, progress.stage())
            .map(|problem| on_the_wire(&problem, &request_ids.next(), &http_date(&self.terms.clock)));
        socket.close(&last_words.unwrap_or_default()).await;
    }

    /// Makes the handshake where there is one, within the time of a head.
    async fn open(&mut self, stream: TcpStream) -> Option<Transport> {
        let Some(acceptor) = &self.terms.tls else {
            return Some(Transport::Plain(stream));
        };
        tokio::select! {
            biased;
            result = tokio::time::timeout(self.terms.limits.head, acceptor.accept(stream)) => match result {
                Ok(Ok(stream)) => Some(Transport::Tls(Box::new(stream))),
                Ok(Err(problem)) => {
                    tracing::debug!(%problem, "TLS handshake failed");
                    None
                }
                Err(_) => None,
            },
            _ = self.phases.changed() => None,
        }
    }
}

/// Decides what a connection that did not end well is still told.
fn last_word(ended: &Ended, socket: &Socket, stage: Stage) -> Option<Problem> {
    match ended {
        Ended::Overdue(Stage::Head) => {
            Some(Problem::new(Code::RequestTimeout).detail("the head of the request did not arrive in time"))
        }
        Ended::Failed(failure) => {
            let problem = |code, detail: &'static str| Some(Problem::new(code).detail(detail));
            match socket.refusal().map(Code::of_status) {
                Some(Code::HeaderFieldsTooLarge) => problem(
                    Code::HeaderFieldsTooLarge,
                    "the request line and headers are more, or there are more of them, than are taken",
                ),
                Some(Code::UriTooLong) => problem(Code::UriTooLong, "the address in the request line is too long"),
                Some(_) => problem(Code::BadRequest, "the request line or a header is not HTTP/1.1"),
                None if stage != Stage::Head => None,
                None if failure.is_incomplete_message() => {
                    problem(Code::BadRequest, "the connection ended in the middle of the head of a request")
                }
                // The preface of HTTP/2, for which the machine has no answer.
                None if failure.is_parse() => problem(Code::BadRequest, "only HTTP/1.1 is spoken here"),
                None => None,
            }
        }
        Ended::Done | Ended::Overdue(_) => None,
    }
}

fn http_date(clock: &Clock) -> String {
    jiff::Timestamp::from_millisecond(clock.wall_ms())
        .ok()
        .and_then(|now| jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok())
        .unwrap_or_default()
}
