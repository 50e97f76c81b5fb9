//! A receiver: verifies every signature with an independent library, keeps what came, answers as told.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::PATIENCE;

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Delivery {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {:?}", self.headers))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answer = dyn Fn(&Delivery) -> u16 + Send + Sync;

struct Shared {
    taken: Mutex<Vec<Delivery>>,
    count: watch::Sender<usize>,
    /// Whether answers are held back, and how many are.
    is_holding: watch::Sender<bool>,
    held: watch::Sender<usize>,
    answer: Mutex<Arc<Answer>>,
    secret: Mutex<Option<standardwebhooks::Webhook>>,
    wrong: Mutex<Vec<String>>,
}

/// A receiver on a port of its own; gone when dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            taken: Mutex::default(),
            count: watch::Sender::new(0),
            is_holding: watch::Sender::new(false),
            held: watch::Sender::new(0),
            answer: Mutex::new(Arc::new(|_| 200)),
            secret: Mutex::default(),
            wrong: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// Verifies signatures from now on.
    pub(crate) fn verify_with(&self, secret: &str) {
        *self.shared.secret.lock().unwrap() = Some(standardwebhooks::Webhook::new(secret).unwrap());
    }

    /// Answers with what `answer` says from now on.
    pub(crate) fn answer_with(&self, answer: impl Fn(&Delivery) -> u16 + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Takes requests in and answers none, until as many wait as there may be in flight.
    pub(crate) async fn hold_answers(&self, in_flight_max: usize) {
        self.shared.is_holding.send_replace(true);
        let mut held = self.shared.held.subscribe();
        let waited = tokio::time::timeout(PATIENCE, held.wait_for(|held| *held == in_flight_max)).await;
        assert!(waited.is_ok(), "{} of {in_flight_max} requests wait", *self.shared.held.borrow());
    }

    /// Answers what was held back, and what comes.
    pub(crate) fn release_answers(&self) {
        self.shared.is_holding.send_replace(false);
    }

    /// Everything that came, in the order in which it came, whatever was answered.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "signatures that do not fit: {wrong:?}");
        self.shared.taken.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        self.wait_longer_for(count, PATIENCE).await
    }

    pub(crate) async fn wait_longer_for(&self, count: usize, patience: Duration) -> Vec<Delivery> {
        let mut seen = self.shared.count.subscribe();
        let waited = tokio::time::timeout(patience, seen.wait_for(|seen| *seen >= count)).await;
        assert!(waited.is_ok(), "{} of {count} deliveries came", self.shared.taken.lock().unwrap().len());
        self.deliveries()
    }

    /// How often each event came, by id.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for delivery in self.deliveries() {
            *counts.entry(delivery.header("webhook-id").to_owned()).or_default() += 1;
        }
        counts
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
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&shared), request));
            // A sender that goes away is no failure of the receiver.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, 1 << 20).collect().await else {
        return Ok(Response::new(Full::new(Bytes::new())));
    };
    let delivery = Delivery { headers: parts.headers, body: body.to_bytes() };
    if let Some(webhook) = &*shared.secret.lock().unwrap()
        && let Err(problem) = webhook.verify(&delivery.body, &delivery.headers)
    {
        shared.wrong.lock().unwrap().push(problem.to_string());
    }
    let answer = Arc::clone(&*shared.answer.lock().unwrap());
    let status = answer(&delivery);
    shared.taken.lock().unwrap().push(delivery);
    shared.count.send_modify(|count| *count += 1);
    shared.held.send_modify(|held| *held += 1);
    // The sender is kept by the receiver: only its end ends this.
    drop(shared.is_holding.subscribe().wait_for(|is_holding| !is_holding).await);
    shared.held.send_modify(|held| *held -= 1);
    let response = Response::builder().status(status).body(Full::new(Bytes::new())).unwrap();
    Ok(response)
}
