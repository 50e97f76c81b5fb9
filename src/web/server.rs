//! A listener: accepts connections, bounds them, and drains them when told to end.
//!
//! Not a router: what a request means is the service's affair, be it one function or a whole `axum` router. The
//! socket is bound by whoever makes the listener. Invariants: at most `connections_max` connections are open, each
//! waits on its peer for a bounded time, every answer carries a request id, and `run` returns only when no
//! connection is left.
//!
//! A request that has begun is finished even where the peer has closed its side: it may only have said all it had to
//! say. A service that panics costs its own connection; [`Tasks`] counts it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::connection::{Connection, Phase, Terms};
use super::problem::Problem;
use super::progress::StageLimits;
use super::request_id::RequestIds;
use super::tls::TlsConfig;
use crate::runtime::{Clock, Random, Shutdown, Tasks};

/// What an operator may choose about a listener. Plain, checked values.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections open at a time, at least 1. Further ones wait in the kernel's queue until one ends.
    pub connections_max: u32,
    /// Bytes of a request line with its headers.
    pub head_bytes_max: usize,
    /// How long a head may take from its first byte, a TLS handshake, and a new connection to say anything.
    pub head_timeout: Duration,
    /// How long a connection may wait between two requests.
    pub idle_timeout: Duration,
    /// How long a peer may take no byte of an answer.
    pub write_timeout: Duration,
    /// How long requests in flight may take when the listener ends.
    pub drain_timeout: Duration,
    /// Whether a peer that has closed its side of a connection still gets its answer. Where answers go on and on it
    /// cannot be told from one that has left.
    pub half_close: bool,
}

/// Why a listener did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Requests were cut off because they took longer than the drain may.
    #[error("cannot drain: {connections} connections were still busy after {after:?}")]
    DrainTimeout {
        /// How many.
        connections: usize,
        /// How long they were waited for.
        after: Duration,
    },
}

/// What a listener takes from the process it runs in.
#[derive(Debug)]
pub struct Surroundings {
    /// Says how long things take.
    pub clock: Clock,
    /// Makes the random part of request ids.
    pub random: Random,
    /// Runs the connections.
    pub tasks: Tasks,
}

/// What a listener has counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Connections open now.
    pub connections_open: usize,
    /// Connections accepted since the start.
    pub connections_accepted: u64,
    /// How often a connection could not be accepted, as for want of file descriptors.
    pub accept_failures: u64,
    /// How often all connections were taken, so that the next had to wait.
    pub full: u64,
}

/// Tells how a listener does. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    seats: Arc<Semaphore>,
    seats_max: u32,
    seat_given_back: Notify,
    open: AtomicUsize,
    accepted: AtomicU64,
    failures: AtomicU64,
    full: AtomicU64,
}

impl Handle {
    /// Returns what has been counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            connections_open: self.0.open.load(Ordering::Relaxed),
            connections_accepted: self.0.accepted.load(Ordering::Relaxed),
            accept_failures: self.0.failures.load(Ordering::Relaxed),
            full: self.0.full.load(Ordering::Relaxed),
        }
    }
}

/// A bound socket with the service that answers on it.
pub struct Listener<S> {
    socket: TcpListener,
    service: S,
    options: Options,
    surroundings: Surroundings,
    tls: Option<TlsConfig>,
    shared: Arc<Shared>,
}

/// Makes a service of a `tower` one, such as an `axum` router.
pub fn tower<S>(service: S) -> TowerToHyperService<S> {
    TowerToHyperService::new(service)
}

impl<S, B> Listener<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<Problem>>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin + Send + 'static,
{
    /// Makes a listener on a bound socket. It accepts nothing before it runs.
    pub fn new(socket: TcpListener, service: S, options: Options, surroundings: Surroundings) -> Self {
        let shared = Arc::new(Shared {
            seats: Arc::new(Semaphore::new(usize::try_from(options.connections_max).unwrap_or(usize::MAX))),
            seats_max: options.connections_max,
            seat_given_back: Notify::new(),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            full: AtomicU64::new(0),
        });
        Self { socket, service, options, surroundings, tls: None, shared }
    }

    /// Speaks TLS on the socket.
    #[must_use]
    pub fn with_tls(mut self, config: TlsConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// Returns what tells how the listener does.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    /// Where the operating system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the signal, then stops accepting, ends idle connections and finishes requests in flight.
    ///
    /// # Errors
    /// `DrainTimeout` where requests had to be cut off.
    pub async fn run(self, mut shutdown: Shutdown) -> Result<(), Error> {
        let (phases, phase) = watch::channel(Phase::Serving);
        let terms = Arc::new(self.terms());
        let Self { socket, service, options, mut surroundings, shared, .. } = self;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.given() => break,
                accepted = accept(&socket, &shared) => accepted,
            };
            let connection = Connection {
                terms: Arc::clone(&terms),
                service: service.clone(),
                phases: phase.clone(),
                request_ids: RequestIds::new(surroundings.random.bytes()),
            };
            surroundings.tasks.spawn(async move {
                connection.run(accepted.stream).await;
                drop(accepted.seat);
            });
        }
        // Closed first: who connects from now on is refused at once and goes elsewhere.
        drop(socket);
        phases.send_replace(Phase::Draining);
        if shared.all_seats_within(options.drain_timeout).await {
            return Ok(());
        }
        let connections = shared.open.load(Ordering::Relaxed);
        phases.send_replace(Phase::Closing);
        shared.all_seats_within(CLOSE_TIMEOUT).await;
        Err(Error::DrainTimeout { connections, after: options.drain_timeout })
    }

    fn terms(&self) -> Terms {
        let mut http = http1::Builder::new();
        http.half_close(self.options.half_close)
            .header_read_timeout(None)
            .max_header_size(self.options.head_bytes_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(self.options.head_bytes_max));
        Terms {
            http,
            tls: self.tls.clone().map(TlsConfig::into_acceptor),
            limits: StageLimits { head: self.options.head_timeout, idle: self.options.idle_timeout },
            write_timeout: self.options.write_timeout,
            clock: self.surroundings.clock.clone(),
        }
    }
}

impl Shared {
    /// Returns whether every connection ended in time.
    async fn all_seats_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.seats.acquire_many(self.seats_max)).await.is_ok()
    }
}

struct Accepted {
    stream: TcpStream,
    seat: Seat,
}

/// A connection's place among those that may be open; given back when dropped, in a panic too.
struct Seat {
    permit: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        drop(self.permit.take());
        self.shared.seat_given_back.notify_one();
    }
}

/// Waits for a free seat, then for a connection.
async fn accept(socket: &TcpListener, shared: &Arc<Shared>) -> Accepted {
    let seats = Arc::clone(&shared.seats);
    let permit = match Arc::clone(&seats).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => {
            if shared.full.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(connections_max = shared.seats_max, "all connections are taken, the next ones wait");
            }
            seats.acquire_owned().await.expect("the semaphore is never closed")
        }
    };
    let mut is_told = false;
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                shared.open.fetch_add(1, Ordering::Relaxed);
                // Fails only on a connection that is already dead; reading from it will say so.
                stream.set_nodelay(true).ok();
                let seat = Seat { permit: Some(permit), shared: Arc::clone(shared) };
                return Accepted { stream, seat };
            }
            Err(problem) if is_of_one_connection(&problem) => (),
            Err(problem) => {
                shared.failures.fetch_add(1, Ordering::Relaxed);
                if !is_told {
                    tracing::warn!(%problem, "cannot accept connections, trying on");
                    is_told = true;
                }
                // Most likely there is no file descriptor left. One of ours comes free when a connection ends;
                // one of somebody else's comes free without telling us.
                tokio::time::timeout(ACCEPT_RETRY, shared.seat_given_back.notified()).await.ok();
            }
        }
    }
}

/// Whether a failure concerns a connection that died in the queue, and not the listener.
fn is_of_one_connection(problem: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        problem.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    )
}

/// Bytes that one read of a body, or the buffered part of an answer, may have.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
const ACCEPT_RETRY: Duration = Duration::from_millis(250);
/// A connection ends as soon as its task runs again.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::is_of_one_connection;

    #[test]
    fn want_of_descriptors_or_memory_is_not_the_fault_of_one_connection() {
        // EMFILE, ENFILE, ENOBUFS, ENOMEM.
        for number in [24, 23, 105, 12] {
            assert!(!is_of_one_connection(&Error::from_raw_os_error(number)), "{number}");
        }
        for kind in [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted] {
            assert!(is_of_one_connection(&kind.into()), "{kind}");
        }
    }
}
