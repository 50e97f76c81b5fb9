//! The end of a listener: nothing in flight is lost, nothing idle is waited for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

use super::{Error, Options, Running, answers, options, run, start, within};
use crate::runtime::{Clock, Random, Tasks};
use crate::web::{Listener, Problem, Surroundings};

/// A service whose requests wait until they are let go.
struct Gate {
    arrived: Notify,
    leave: Semaphore,
}

async fn start_gated(options: Options) -> (Running, Arc<Gate>) {
    let gate = Arc::new(Gate { arrived: Notify::new(), leave: Semaphore::new(0) });
    let service = {
        let gate = Arc::clone(&gate);
        service_fn(move |_: Request<Incoming>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.arrived.notify_one();
                gate.leave.acquire().await.unwrap().forget();
                Ok::<_, Problem>(Response::new(Full::<Bytes>::from("finished")))
            }
        })
    };
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tasks = Tasks::new();
    let surroundings = Surroundings { clock: Clock::system(), random: Random::from_seed(1), tasks: tasks.clone() };
    (run(Listener::new(socket, service, options, surroundings), tasks), gate)
}

#[tokio::test]
async fn a_request_in_flight_is_finished_and_its_connection_ends() {
    let (running, gate) = start_gated(options()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    gate.arrived.notified().await;
    running.trigger.give();
    // The socket is closed before anything else: a new connection is refused.
    within(async {
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(running.handle.counts().connections_open, 1, "the one in flight is waited for");
    gate.leave.add_permits(1);
    let answers = answers(&mut stream).await;
    assert_eq!((answers[0].status, answers[0].body.as_str()), (200, "finished"));
    assert_eq!(answers[0].header("connection"), Some("close"));
    drop(stream);
    within(running.end()).await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_ended_at_once() {
    // Were they waited for, this would take an hour.
    let hour = Duration::from_secs(3600);
    let running = start(Options { idle_timeout: hour, head_timeout: hour, drain_timeout: hour, ..options() }).await;
    let mut fresh = running.connect().await;
    let mut used = running.connect().await;
    used.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut used, &mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    within(async {
        while running.handle.counts().connections_open < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    running.trigger.give();
    assert_eq!(answers(&mut fresh).await, []);
    let mut rest = Vec::new();
    within(tokio::io::AsyncReadExt::read_to_end(&mut used, &mut rest)).await.unwrap();
    drop((fresh, used));
    within(running.end()).await.unwrap();
}

#[tokio::test]
async fn what_takes_longer_than_the_drain_is_cut_off_and_counted() {
    let short = Duration::from_millis(50);
    let (running, gate) = start_gated(Options { drain_timeout: short, ..options() }).await;
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut stream = running.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        gate.arrived.notified().await;
        busy.push(stream);
    }
    let handle = running.handle.clone();
    let ended = within(running.end()).await;
    assert!(matches!(ended, Err(Error::DrainTimeout { connections: 3, .. })), "{ended:?}");
    assert_eq!(handle.counts().connections_open, 0, "nothing is left behind");
}

#[tokio::test]
async fn a_listener_without_connections_ends_at_once() {
    let running = start(options()).await;
    running.assert_well().await;
    within(running.end()).await.unwrap();
}
