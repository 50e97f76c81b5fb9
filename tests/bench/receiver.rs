//! The receiver of all deliveries, hooklog's and the bare client's: counts, notes arrivals, answers 200.
//!
//! Not a judge of bodies: the tests are. It does as little as a receiver can, so that it is not what is measured.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A receiver on a port of its own; gone when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    count: AtomicUsize,
    wanted: AtomicUsize,
    /// When the wanted request had come.
    done: watch::Sender<Option<Instant>>,
    arrivals: Option<Arrivals>,
}

/// When the first request of each of the events came that are known beforehand.
struct Arrivals {
    since: Instant,
    index_by_id: HashMap<String, usize>,
    /// Nanoseconds after `since`; the greatest number for one that has not come.
    first_ns: Vec<AtomicU64>,
}

impl Receiver {
    /// Starts one that counts.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with(None).await
    }

    /// Starts one that also notes when each event came, by its id.
    pub(crate) async fn noting<'a>(since: Instant, ids: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let index_by_id: HashMap<String, usize> = ids.map(str::to_owned).zip(0..).collect();
        let first_ns = index_by_id.iter().map(|_| AtomicU64::new(u64::MAX)).collect();
        Self::start_with(Some(Arrivals { since, index_by_id, first_ns })).await
    }

    async fn start_with(arrivals: Option<Arrivals>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (count, wanted) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let shared = Arc::new(Shared { count, wanted, done: watch::Sender::new(None), arrivals });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, server })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// Says how many requests are awaited, all those that came already included.
    pub(crate) fn want(&self, requests: usize) {
        self.shared.done.send_replace(None);
        self.shared.wanted.store(requests, Ordering::Release);
    }

    /// Waits until as many requests have come as are wanted, and returns when the last of them came.
    pub(crate) async fn wait(&self, patience: Duration) -> anyhow::Result<Instant> {
        let mut done = self.shared.done.subscribe();
        match tokio::time::timeout(patience, done.wait_for(Option::is_some)).await {
            Ok(done) => done?.context("it was waited for"),
            Err(_) => bail!("{} requests came in {} s", self.count(), patience.as_secs()),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.count.load(Ordering::Acquire)
    }

    /// When each event came, by its index; an error where one has not.
    pub(crate) fn arrivals(&self) -> anyhow::Result<Vec<Duration>> {
        let arrivals = self.shared.arrivals.as_ref().context("arrivals are noted")?;
        let came = arrivals.first_ns.iter().map(|first_ns| match first_ns.load(Ordering::Acquire) {
            u64::MAX => bail!("an event never came"),
            nanoseconds => Ok(Duration::from_nanos(nanoseconds)),
        });
        came.collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the set, and the set with the task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&shared), request));
            // A sender that goes away is no failure of the receiver.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Some(arrivals) = &shared.arrivals {
        arrivals.note(request.headers());
    }
    let is_whole = Limited::new(request.into_body(), 1 << 20).collect().await.is_ok();
    if is_whole && shared.count.fetch_add(1, Ordering::AcqRel) + 1 == shared.wanted.load(Ordering::Acquire) {
        shared.done.send_replace(Some(Instant::now()));
    }
    Ok(Response::new(Full::default()))
}

impl Arrivals {
    fn note(&self, headers: &HeaderMap) {
        let index = headers.get("webhook-id").and_then(|id| self.index_by_id.get(id.to_str().ok()?));
        if let Some(first_ns) = index.and_then(|index| self.first_ns.get(*index)) {
            let nanoseconds = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
            first_ns.fetch_min(nanoseconds, Ordering::AcqRel);
        }
    }
}
