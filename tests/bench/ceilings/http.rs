//! Bare hyper: a server that answers as ingest does, and a client that posts as delivery does.
//!
//! Nothing is parsed, checked, signed or kept.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{say, wait_for_line};
use crate::events::{Events, delivered};
use crate::load::{Load, received};

/// Answers every request as ingest answers one event, until standard input ends.
pub(super) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    runtime.spawn(accept(listener));
    say(&address.to_string())?;
    wait_for_line()
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        tokio::spawn(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    *response.status_mut() = match Limited::new(request.into_body(), 1 << 20).collect().await {
        Ok(_body) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-request-id", HeaderValue::from_static("req_01KJQ2ND5ETQ507E4R000008S8"));
    Ok(response)
}

/// Posts the bodies of events to a receiver over 64 connections, as soon as it is told to begin.
pub(super) fn send(address: SocketAddr, events: usize) -> anyhow::Result<()> {
    let bodies: Vec<Bytes> = Events::new().singles(events).iter().map(|event| delivered(event)).collect();
    let bodies = Arc::new(bodies);
    let load = Load {
        address,
        path: "/in".to_owned(),
        accounts: 1,
        content_type: "application/json",
        connections: 64,
        taken: received,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    say("ready")?;
    wait_for_line()?;
    let (took, _) = runtime.block_on(load.closed(&bodies))?;
    say(&took.as_nanos().to_string())
}

/// What ingest answers to one event, byte for byte as long.
const ANSWER: &[u8] = br#"{"accepted":1,"duplicates":0,"firstOffset":123456,"lastOffset":123456,"results":[{"id":"evt_01KJQ2ND5ETQ507E4R000008S8","offset":123456,"duplicate":false}]}"#;
