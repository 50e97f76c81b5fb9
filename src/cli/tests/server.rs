//! A small real server: answers what a test tells it to, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::cli::http::read_body;
use crate::runtime::Tasks;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What to answer: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, String);

/// A server on a free port.
pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) async fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (tasks, reply, remembered) = (Tasks::new(), Arc::new(reply), Arc::clone(&asked));
        tasks.clone().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, remembered) = (Arc::clone(&reply), Arc::clone(&remembered));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (reply, remembered) = (Arc::clone(&reply), Arc::clone(&remembered));
                    async move {
                        let (head, body) = request.into_parts();
                        let body = read_body(body, 1 << 26).await.unwrap();
                        let target = head.uri.to_string();
                        let asked = Asked { method: head.method.to_string(), target, headers: head.headers, body };
                        let (status, headers, body) = reply(&asked);
                        remembered.lock().unwrap().push(asked);
                        let mut response = Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(name, value);
                        }
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                tasks.spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { url, asked }
    }

    /// Answers every request the same.
    pub(crate) async fn answering(status: u16, body: impl Into<String>) -> Self {
        let body = body.into();
        Self::start(move |_| (status, vec![], body.clone())).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}
