//! What well-behaved clients rely on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::time::Sleep;

use super::{BODY, answers, options, run, start, within};
use crate::runtime::{Clock, Random, Tasks};
use crate::web::{
    BodyLimits, Code, Input, Json, Listener, Options, Parameters, Problem, Surroundings, request_id, tower,
};

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let running = start(options()).await;
    // All at once: pipelined.
    let answers = running
        .exchange(
            "GET /1 HTTP/1.1\r\nhost: h\r\n\r\n\
             POST /2 HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi\
             POST /3 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n\
             GET /4 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        )
        .await;
    let bodies: Vec<_> = answers.iter().map(|answer| answer.body.as_str()).collect();
    assert_eq!(bodies, ["GET /1 ", "POST /2 hi", "POST /3 hello", "GET /4 "]);
    let ids: std::collections::BTreeSet<_> = answers.iter().map(|answer| answer.header("x-request-id")).collect();
    assert_eq!(ids.len(), 4, "every answer has an id of its own");
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_refusal_follows_the_answers_before_it() {
    let running = start(options()).await;
    let answers = running.exchange("GET /1 HTTP/1.1\r\nhost: h\r\n\r\nnonsense\r\n\r\n").await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 400]);
    assert_eq!(answers[1].code(), "bad_request");
    assert_eq!(answers[1].header("connection"), Some("close"));
    assert!(answers[1].header("date").unwrap().ends_with(" GMT"));
    running.end().await.unwrap();
}

#[tokio::test]
async fn who_closes_its_side_still_gets_the_answer() {
    let running = start(options()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST /half HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
    stream.shutdown().await.unwrap();
    let answers = answers(&mut stream).await;
    assert_eq!(answers[0].body, "POST /half hi");
    running.end().await.unwrap();
}

#[tokio::test]
async fn who_asks_before_sending_is_told_to_go_on() {
    let running = start(options()).await;
    let mut stream = BufReader::new(running.connect().await);
    let head =
        b"POST /asked HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    stream.read_line(&mut line).await.unwrap();
    stream.write_all(b"hi").await.unwrap();
    assert_eq!(answers(&mut stream).await[0].body, "POST /asked hi");
    drop(stream);
    running.end().await.unwrap();
}

#[tokio::test]
async fn an_answer_given_before_the_body_is_read_arrives() {
    let running = start(options()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST /deaf HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\n\r\nx").await.unwrap();
    assert_eq!(answers(&mut stream).await[0].body, "unheard");
    drop(stream);
    running.end().await.unwrap();
}

#[tokio::test]
async fn http_1_0_is_understood() {
    let running = start(options()).await;
    let answer = running.ask("GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "GET /old "));
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_client_finds_its_own_request_id_again() {
    let running = start(options()).await;
    let ask = async |id: &str| {
        let request = format!("GET / HTTP/1.1\r\nhost: h\r\nx-request-id: {id}\r\nconnection: close\r\n\r\n");
        running.ask(request).await.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(ask("mine-1").await, "mine-1");
    assert_ne!(ask("not <sane>").await, "not <sane>");
    running.end().await.unwrap();
}

/// A router as the API has one.
async fn start_router() -> super::Running {
    #[derive(Clone)]
    struct State;

    impl FromRef<State> for BodyLimits {
        fn from_ref(_: &State) -> Self {
            BODY
        }
    }

    #[derive(Deserialize)]
    struct Named {
        name: String,
    }

    impl Input for Named {
        const ADDED_ON_READING: &'static [&'static str] = &["/revision"];
    }

    #[derive(Deserialize)]
    struct Page {
        limit: Option<u16>,
    }

    let router = Router::new()
        .route("/named", post(async |Json(named): Json<Named>| named.name))
        .route("/page", get(async |Parameters(page): Parameters<Page>| format!("{:?}", page.limit)))
        .route("/id", get(async |headers: HeaderMap| request_id(&headers).to_owned()))
        .route("/bare", get(async || StatusCode::SERVICE_UNAVAILABLE))
        .route("/own", get(async || (StatusCode::BAD_GATEWAY, axum::response::Html("<p>mine</p>"))))
        .route(
            "/gone",
            get(async || -> Result<(), Problem> { Err(Problem::new(Code::RangeExpired).with("oldestOffset", 41)) }),
        )
        .with_state(State);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tasks = Tasks::new();
    let surroundings = Surroundings { clock: Clock::system(), random: Random::from_seed(1), tasks: tasks.clone() };
    run(Listener::new(socket, tower(router), options(), surroundings), tasks)
}

#[tokio::test]
async fn a_router_answers_through_the_same_door() {
    let running = start_router().await;
    let ask = async |line: &str, headers: &str, body: &str| {
        let length = body.len();
        running
            .ask(format!(
                "{line} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
            ))
            .await
    };
    let json = "content-type: application/json\r\n";
    assert_eq!(ask("POST /named", json, r#"{"name":"acme","revision":"r1"}"#).await.body, "acme");
    assert_eq!(ask("GET /page?limit=7", "", "").await.body, "Some(7)");
    let answer = ask("GET /id", "", "").await;
    assert_eq!(answer.header("x-request-id"), Some(answer.body.as_str()));
    let own = ask("GET /own", "", "").await;
    assert_eq!((own.status, own.body.as_str()), (502, "<p>mine</p>"));

    let check = async |line: &str, headers: &str, body: &str, status: u16, code: &str| {
        let answer = ask(line, headers, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{line}");
        answer
    };
    check("POST /named", json, "{", 400, "malformed_json").await;
    check("POST /named", json, "{}", 422, "invalid_request").await;
    check("POST /named", json, r#"{"name":"a","nme":1}"#, 422, "invalid_request").await;
    check("POST /named", json, &" ".repeat(2000), 413, "payload_too_large").await;
    check("POST /named", "", "{}", 415, "unsupported_media_type").await;
    check("GET /page?lmit=7", "", "", 400, "unknown_parameter").await;
    check("GET /page?limit=x", "", "", 400, "invalid_parameter").await;
    let gone = check("GET /gone", "", "", 410, "range_expired").await;
    assert_eq!(serde_json::from_str::<Value>(&gone.body).unwrap()["oldestOffset"], 41);
    // What the framework answers by itself.
    check("GET /nowhere", "", "", 404, "not_found").await;
    let not_allowed = check("DELETE /page", "", "", 405, "method_not_allowed").await;
    assert_eq!(not_allowed.header("allow"), Some("GET,HEAD"));
    check("GET /bare", "", "", 500, "internal_error").await;
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_head_request_gets_the_head_of_the_problem() {
    let running = start_router().await;
    let mut stream = running.connect().await;
    stream.write_all(b"HEAD /nowhere HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    assert!(text.contains("content-type: application/problem+json\r\n"), "{text}");
    drop(stream);
    running.end().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_goes_on_is_not_taken_for_an_idle_connection() {
    const SHORT: Duration = Duration::from_millis(30);
    let service = service_fn(async |_: Request<Incoming>| {
        let pieces = ["one ", "two ", "three"].into_iter().collect::<VecDeque<_>>();
        Ok::<_, Problem>(Response::new(Slow { pieces, pause: None, length: 4 * SHORT }))
    });
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tasks = Tasks::new();
    let surroundings = Surroundings { clock: Clock::system(), random: Random::from_seed(1), tasks: tasks.clone() };
    let options = Options { idle_timeout: SHORT, head_timeout: SHORT, ..options() };
    let running = run(Listener::new(socket, service, options, surroundings), tasks);
    let mut stream = running.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut text = String::new();
    within(stream.read_to_string(&mut text)).await.unwrap();
    assert!(text.ends_with("\r\n\r\none two three"), "{text}");
    drop(stream);
    running.end().await.unwrap();
}

/// A body that pauses before each piece, for longer than a connection may be idle.
struct Slow {
    pieces: VecDeque<&'static str>,
    pause: Option<Pin<Box<Sleep>>>,
    length: Duration,
}

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.length;
        let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(length)));
        std::task::ready!(pause.as_mut().poll(cx));
        self.pause = None;
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    }
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_and_is_counted() {
    let running = start(options()).await;
    let answers = running.exchange("GET /panic HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(answers, []);
    assert_eq!(running.tasks.panicked(), 1);
    let answer = running.ask("GET /echo HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    running.end().await.unwrap();
}
