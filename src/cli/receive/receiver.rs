//! Answers deliveries: verifies each, counts it, and says what is missing.
//!
//! Not the command: nothing is printed here. Without somebody to tell, a request costs its signature, some
//! counters and one short lock.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_socket_linger;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use super::delivery::{ACCOUNT, Check, Delivery, ENDPOINT, KEY, REPLAY, SEQUENCE, TEST, header};
use super::mischief::{Deed, Mischief};
use super::sequences::Sequences;
use crate::cli::http::read_body;
use crate::model::{Sequence, Timestamp, key_from_header};
use crate::runtime::{Clock, Random, Shutdown, Tasks};
use crate::security::{Received, Verifier, verify};

/// How to receive.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What signatures are verified with, the newest first; without any, nothing is verified.
    pub secrets: Vec<Verifier>,
    /// What to answer, in turn. Empty: 200, or 401 where the signature does not fit.
    pub statuses: Vec<StatusCode>,
    /// How long to wait before an answer.
    pub delay: Duration,
    /// What is done instead; of several that meet a request, the first.
    pub mischief: Vec<Mischief>,
    /// Decides what is done by chance.
    pub seed: u64,
    /// The number that every endpoint is expected to begin with; without it, the least that arrives.
    pub first_sequence: Option<Sequence>,
    /// Whether whoever is told gets the bodies, too.
    pub keeps_bodies: bool,
}

/// What has arrived so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Requests.
    pub received: u64,
    /// Requests that were answered with a success.
    pub accepted: u64,
    /// Requests whose signature fits.
    pub verified: u64,
    /// Requests whose signature does not.
    pub unverified: u64,
    /// Accepted deliveries whose number had been accepted before.
    pub duplicates: u64,
    /// Tests.
    pub tests: u64,
    /// Deliveries of replays.
    pub replayed: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
}

/// Numbers of an endpoint that have not arrived while later ones have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The endpoint, `acme/crm`.
    pub endpoint: String,
    /// The first number that is missing.
    pub first: u64,
    /// The last number that is missing.
    pub last: u64,
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, first, last } = self;
        if first == last {
            write!(formatter, "{endpoint} sequence {first}")
        } else {
            write!(formatter, "{endpoint} sequences {first} to {last}")
        }
    }
}

/// A receiver; cheap to clone, all clones are one.
#[derive(Debug, Clone)]
pub struct Receiver {
    shared: Arc<Shared>,
    told: Option<mpsc::Sender<Delivery>>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    clock: Clock,
    counters: Counters,
    arrived: Notify,
    wanted: AtomicU64,
    sequences: Mutex<BTreeMap<String, BTreeMap<String, Sequences>>>,
    random: Mutex<Random>,
    is_mended: AtomicBool,
}

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    accepted: AtomicU64,
    verified: AtomicU64,
    unverified: AtomicU64,
    duplicates: AtomicU64,
    tests: AtomicU64,
    replayed: AtomicU64,
    bytes: AtomicU64,
}

impl Receiver {
    /// Makes a receiver to which nothing has come yet.
    #[must_use]
    pub fn new(options: Options, clock: Clock) -> Self {
        let shared = Shared {
            random: Mutex::new(Random::from_seed(options.seed)),
            options,
            clock,
            counters: Counters::default(),
            arrived: Notify::new(),
            wanted: AtomicU64::new(u64::MAX),
            sequences: Mutex::default(),
            is_mended: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), told: None }
    }

    /// Does nothing bad any more.
    pub fn mend(&self) {
        self.shared.is_mended.store(true, Ordering::Release);
    }

    /// Tells of every delivery; while nobody takes them, answers wait.
    #[must_use]
    pub fn telling(mut self, told: mpsc::Sender<Delivery>) -> Self {
        self.told = Some(told);
        self
    }

    /// Answers what comes to a listener until told to stop; then finishes what is in flight, for two
    /// seconds at most. The port is free as soon as the signal is given. May be called again with another
    /// listener: what has arrived is remembered.
    pub async fn serve(&self, listener: TcpListener, mut shutdown: Shutdown) {
        let connections = Tasks::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.given() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => connections.spawn(self.clone().converse(stream, shutdown.clone())),
                // Out of descriptors, mostly: some connection has to end first.
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
            }
        }
        drop(listener);
        drop(tokio::time::timeout(FINISH_WITHIN, connections.all_ended()).await);
    }

    /// Returns what has arrived so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Tally {
            received: read(&counters.received),
            accepted: read(&counters.accepted),
            verified: read(&counters.verified),
            unverified: read(&counters.unverified),
            duplicates: read(&counters.duplicates),
            tests: read(&counters.tests),
            replayed: read(&counters.replayed),
            bytes: read(&counters.bytes),
        }
    }

    /// Returns the numbers that are missing now. Those of the last moments may only be under way.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        self.gaps_below(|_, _| u64::MAX)
    }

    /// Waits until so many requests have arrived. One caller at a time.
    pub async fn received(&self, count: u64) {
        self.shared.wanted.store(count, Ordering::SeqCst);
        loop {
            let arrived = self.shared.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if self.shared.counters.received.load(Ordering::SeqCst) >= count {
                return;
            }
            arrived.await;
        }
    }

    /// Waits until nothing is missing below what has arrived now, or the time is over; returns what still is.
    pub async fn settled(&self, within: Duration) -> Vec<Gap> {
        let newest = self.newest();
        let limit = |account: &str, endpoint: &str| {
            newest.get(account).and_then(|endpoints| endpoints.get(endpoint)).copied().unwrap_or(0)
        };
        let wait = async {
            while !self.gaps_below(limit).is_empty() {
                tokio::time::sleep(SETTLE_LOOK_EVERY).await;
            }
        };
        drop(tokio::time::timeout(within, wait).await);
        self.gaps_below(limit)
    }

    fn newest(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let accounts = self.shared.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = |sequences: &Sequences| sequences.newest().unwrap_or(0);
        let of_account = |endpoints: &BTreeMap<String, Sequences>| {
            endpoints.iter().map(|(endpoint, sequences)| (endpoint.clone(), newest(sequences))).collect()
        };
        accounts.iter().map(|(account, endpoints)| (account.clone(), of_account(endpoints))).collect()
    }

    fn gaps_below(&self, limit: impl Fn(&str, &str) -> u64) -> Vec<Gap> {
        let accounts = self.shared.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gaps = Vec::new();
        for (account, endpoints) in accounts.iter() {
            for (endpoint, sequences) in endpoints {
                let below = limit(account, endpoint);
                let missing = sequences.missing().take_while(|range| *range.start() < below);
                gaps.extend(missing.map(|range| Gap {
                    endpoint: format!("{account}/{endpoint}"),
                    first: *range.start(),
                    last: *range.end(),
                }));
            }
        }
        gaps
    }

    /// Answers the requests of one connection.
    async fn converse(self, stream: TcpStream, mut shutdown: Shutdown) {
        drop(stream.set_nodelay(true));
        // A handle of its own, with which a connection can be reset while its answer is awaited.
        let socket = stream.as_fd().try_clone_to_owned().ok().map(Arc::new);
        let service = service_fn(move |request| {
            let (receiver, socket) = (self.clone(), socket.clone());
            async move {
                receiver.answer(request).await.inspect_err(|Broken| {
                    // Without lingering a close is a reset.
                    if let Some(Err(problem)) = socket.map(|socket| set_socket_linger(&socket, Some(Duration::ZERO))) {
                        tracing::debug!(%problem, "a connection is closed and not reset");
                    }
                })
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.given() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A sender that hangs up is its own affair: it will send again.
        drop(ended);
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Broken> {
        if request.method() != Method::POST {
            let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("POST"));
            return Ok(answer);
        }
        let (head, body) = request.into_parts();
        let Ok(body) = read_body(body, BODY_BYTES_MAX).await else { return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE)) };
        let received_at = Timestamp(self.shared.clock.wall_ms());
        let check = self.check(&head.headers, &body, received_at);
        let (status, deed) = self.count(&head.headers, &body, &check);
        let is_duplicate = status.is_success() && self.is_duplicate(&head.headers, &check);
        let delay = match deed {
            Some(Deed::Slow(longer)) => self.shared.options.delay + longer,
            _ => self.shared.options.delay,
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if let Some(told) = &self.told {
            let delivery = Delivery {
                received_at,
                headers: head.headers,
                body_bytes: body.len(),
                body: self.shared.options.keeps_bodies.then_some(body),
                check,
                is_duplicate,
                status: status.as_u16(),
                deed,
            };
            // Where nobody listens any more, the delivery is answered all the same.
            drop(told.send(delivery).await);
        }
        match deed {
            None | Some(Deed::Slow(_)) => Ok(empty(status)),
            Some(Deed::Hang) => std::future::pending().await,
            Some(Deed::Reset | Deed::Lose) => Err(Broken),
            Some(Deed::Refuse(_, after)) => {
                let mut answer = empty(status);
                if let Some(after) = after {
                    answer.headers_mut().insert(http::header::RETRY_AFTER, after.as_secs().into());
                }
                Ok(answer)
            }
            Some(Deed::Redirect) => {
                let mut answer = empty(status);
                answer.headers_mut().insert(http::header::LOCATION, HeaderValue::from_static("/elsewhere"));
                Ok(answer)
            }
            Some(Deed::Endless) => {
                let piece = || Ok(Frame::data(Bytes::from_static(&[b'.'; 4096])));
                let mut answer = Response::new(BodyExt::boxed_unsync(StreamBody::new(stream::repeat_with(piece))));
                *answer.status_mut() = status;
                Ok(answer)
            }
        }
    }

    /// Decides what is done to the how-manyth request, if anything bad is.
    fn deed(&self, number: u64, headers: &HeaderMap) -> Option<Deed> {
        let mischief = &self.shared.options.mischief;
        if mischief.is_empty() || self.shared.is_mended.load(Ordering::Acquire) {
            return None;
        }
        // Outside visible ASCII a key comes percent-encoded.
        let key = header(headers, KEY).map(key_from_header);
        let mut random = self.shared.random.lock().unwrap_or_else(PoisonError::into_inner);
        mischief.iter().find(|one| one.meets(number, key.as_deref(), &mut random)).map(|one| one.deed)
    }

    fn check(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Check {
        if self.shared.options.secrets.is_empty() {
            return Check::Unchecked;
        }
        let received = Received {
            id: header(headers, "webhook-id"),
            timestamp: header(headers, "webhook-timestamp"),
            signature: header(headers, "webhook-signature"),
            body,
        };
        match verify(&received, &self.shared.options.secrets, now) {
            Ok(_) => Check::Verified,
            Err(refusal) => Check::Refused(refusal.to_string()),
        }
    }

    /// Counts a request and returns the status to answer with, and what else is done to it.
    fn count(&self, headers: &HeaderMap, body: &[u8], check: &Check) -> (StatusCode, Option<Deed>) {
        let Shared { options, counters, .. } = &*self.shared;
        let more = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let before = counters.received.fetch_add(1, Ordering::SeqCst);
        let turn = usize::try_from(before).unwrap_or(0).checked_rem(options.statuses.len());
        let status = match (turn.and_then(|turn| options.statuses.get(turn)), check) {
            (Some(status), _) => *status,
            (None, Check::Refused(_)) => StatusCode::UNAUTHORIZED,
            (None, Check::Unchecked | Check::Verified) => StatusCode::OK,
        };
        // What is told of an answer that never comes is whether the event was taken.
        let deed = self.deed(before + 1, headers);
        let status = match deed {
            Some(Deed::Refuse(status, _)) => status,
            Some(Deed::Redirect) => StatusCode::TEMPORARY_REDIRECT,
            Some(deed) if !deed.takes() => StatusCode::SERVICE_UNAVAILABLE,
            Some(_) | None => status,
        };
        match check {
            Check::Verified => drop(more(&counters.verified)),
            Check::Refused(_) => drop(more(&counters.unverified)),
            Check::Unchecked => {}
        }
        if status.is_success() {
            more(&counters.accepted);
        }
        if headers.contains_key(TEST) {
            more(&counters.tests);
        }
        if headers.contains_key(REPLAY) {
            more(&counters.replayed);
        }
        counters.bytes.fetch_add(u64::try_from(body.len()).unwrap_or(0), Ordering::Relaxed);
        if before + 1 >= self.shared.wanted.load(Ordering::SeqCst) {
            self.shared.arrived.notify_waiters();
        }
        (status, deed)
    }

    /// Notes the number of an accepted delivery. What is not verified could bring any number and is left out.
    fn is_duplicate(&self, headers: &HeaderMap, check: &Check) -> bool {
        let number = header(headers, SEQUENCE).and_then(|text| text.parse::<u64>().ok());
        let (Some(number), Check::Unchecked | Check::Verified) = (number, check) else { return false };
        let account = header(headers, ACCOUNT).unwrap_or_default();
        let endpoint = header(headers, ENDPOINT).unwrap_or_default();
        let mut accounts = self.shared.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.get_mut(account).and_then(|endpoints| endpoints.get_mut(endpoint));
        let is_first = match known {
            Some(sequences) => sequences.note(number),
            None => {
                let first = self.shared.options.first_sequence;
                let mut sequences = first.map_or_else(Sequences::default, |first| Sequences::expecting(first.0));
                let is_first = sequences.note(number);
                accounts.entry(account.to_owned()).or_default().insert(endpoint.to_owned(), sequences);
                is_first
            }
        };
        drop(accounts);
        if !is_first {
            self.shared.counters.duplicates.fetch_add(1, Ordering::Relaxed);
        }
        !is_first
    }
}

/// The body of an answer: mostly nothing.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// There is no answer: the connection is to be reset.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset")]
struct Broken;

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(BodyExt::boxed_unsync(Full::new(Bytes::new())));
    *response.status_mut() = status;
    response
}

/// Bytes of a delivery: more than any event that hooklog takes.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
const FINISH_WITHIN: Duration = Duration::from_secs(2);
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(10);
const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(20);
