//! The load generator: posts bodies over a number of connections, closed or open.
//!
//! Not a judge of answers beyond their count: the row knows what has to be in them. The same code drives
//! hooklog, the bare server and, as the bare client, the receiver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Where bodies go, and over how many connections.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    /// `#` stands for the number of the account whose turn it is.
    pub(crate) path: String,
    /// How many accounts take turns.
    pub(crate) accounts: usize,
    pub(crate) content_type: &'static str,
    pub(crate) connections: usize,
    /// Says how many events an answer took; none where it is not as it should be.
    pub(crate) taken: fn(StatusCode, &[u8]) -> Option<usize>,
}

/// When a body leaves.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// As soon as a connection has its answer.
    Closed,
    /// Each at its time, whatever became of those before.
    Open { started: Instant, every: Duration },
}

type Client = (SendRequest<Full<Bytes>>, Connection<TokioIo<TcpStream>, Full<Bytes>>);

impl Load {
    /// Posts all bodies as fast as the answers come, and returns how long it took and how many events were taken.
    pub(crate) async fn closed(&self, bodies: &Arc<Vec<Bytes>>) -> anyhow::Result<(Duration, usize)> {
        let clients = self.connect().await?;
        let started = Instant::now();
        let taken = self.post(clients, bodies, Pace::Closed).await?;
        Ok((started.elapsed(), taken))
    }

    /// Posts the body with index `i` at `started + i * every`, and returns how many events were taken.
    pub(crate) async fn open(
        &self,
        bodies: &Arc<Vec<Bytes>>,
        started: Instant,
        every: Duration,
    ) -> anyhow::Result<usize> {
        let clients = self.connect().await?;
        self.post(clients, bodies, Pace::Open { started, every }).await
    }

    async fn connect(&self) -> anyhow::Result<Vec<Client>> {
        let mut clients = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let stream = TcpStream::connect(self.address).await.context("connecting")?;
            stream.set_nodelay(true)?;
            clients.push(handshake(TokioIo::new(stream)).await?);
        }
        Ok(clients)
    }

    async fn post(&self, clients: Vec<Client>, bodies: &Arc<Vec<Bytes>>, pace: Pace) -> anyhow::Result<usize> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for (sender, connection) in clients {
            let (load, next, bodies) = (self.clone(), Arc::clone(&next), Arc::clone(bodies));
            tasks.spawn(async move {
                // One task works for both ends of the connection: a second one would only cost wake-ups.
                tokio::select! {
                    biased;
                    taken = load.work(sender, &next, &bodies, pace) => taken,
                    ended = connection => bail!("the connection ended: {ended:?}"),
                }
            });
        }
        let mut taken = 0;
        while let Some(ended) = tasks.join_next().await {
            taken += ended??;
        }
        Ok(taken)
    }

    async fn work(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        next: &AtomicUsize,
        bodies: &[Bytes],
        pace: Pace,
    ) -> anyhow::Result<usize> {
        let mut uri: Uri = self.path.parse()?;
        let host = HeaderValue::from_str(&self.address.to_string())?;
        let content_type = HeaderValue::from_static(self.content_type);
        let mut taken = 0;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = bodies.get(index) else { return Ok(taken) };
            if self.accounts > 1 {
                uri = self.path.replace('#', &(index % self.accounts).to_string()).parse()?;
            }
            if let Pace::Open { started, every } = pace {
                let due = started + every * u32::try_from(index)?;
                tokio::time::sleep_until(due.into()).await;
            }
            let mut request = Request::post(uri.clone()).body(Full::new(body.clone()))?;
            request.headers_mut().insert(HOST, host.clone());
            request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status();
            let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            let answer = answer.map_err(anyhow::Error::from_boxed)?.to_bytes();
            match (self.taken)(status, &answer) {
                Some(events) => taken += events,
                None => bail!("body {index} was answered {status}: {}", String::from_utf8_lossy(&answer)),
            }
        }
    }
}

/// Reads how many events an answer of ingest took.
pub(crate) fn accepted(status: StatusCode, answer: &[u8]) -> Option<usize> {
    let digits = answer.strip_prefix(b"{\"accepted\":").filter(|_| status == StatusCode::ACCEPTED)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// Counts an answer of the receiver.
pub(crate) fn received(status: StatusCode, _answer: &[u8]) -> Option<usize> {
    status.is_success().then_some(1)
}

const ANSWER_BYTES_MAX: usize = 16 << 20;
