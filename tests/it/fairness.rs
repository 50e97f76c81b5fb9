//! What one endpoint takes of what all share: how many requests at once, and how fast.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use crate::receiver::Receiver;
use crate::server::Server;

/// Events by their numbers, each with a key of its own.
fn events(numbers: Range<u64>) -> Value {
    let event = |number: u64| {
        json!({
            "id": format!("evt_{number:06}"), "type": "call.ended", "occurredAt": "2026-03-02T09:14:07.512Z",
            "actor": { "kind": "USER", "userId": "u_1" }, "data": { "interaction": { "id": format!("i_{number}") } },
        })
    };
    Value::Array(numbers.map(event).collect())
}

/// A server with so many places in flight.
fn server_with(places: &str, directory: &Path) -> Server {
    let mut command = crate::server::command(directory);
    command.env("HOOKLOG_DELIVER__IN_FLIGHT_MAX", places);
    Server::start_with(command, directory)
}

/// What the metrics say of how many requests wait for a place.
async fn says_waiting(server: &Server, count: usize) -> bool {
    let metrics = server.api().get("/metrics").await;
    String::from_utf8_lossy(&metrics.body).contains(&format!("hooklog_deliver_waiting {count}\n"))
}

/// Takes every connection, reads and never answers.
struct Hanging {
    url: String,
    /// How many connections are open, and how many were at most.
    open: watch::Receiver<(usize, usize)>,
}

impl Hanging {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let (counts, open) = watch::channel((0, 0));
        tokio::spawn(async move {
            let counts = Arc::new(counts);
            while let Ok((mut stream, _)) = listener.accept().await {
                let counts = Arc::clone(&counts);
                counts.send_modify(|(open, most)| (*open, *most) = (*open + 1, (*most).max(*open + 1)));
                tokio::spawn(async move {
                    let mut bytes = [0; 1_024];
                    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
                    counts.send_modify(|(open, _)| *open -= 1);
                });
            }
        });
        Self { url, open }
    }
}

#[tokio::test]
async fn receivers_that_never_answer_take_a_quarter_and_keep_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with("16", directory.path());
    let receiver = Receiver::start().await;
    let mut hanging = Hanging::start().await;
    for account in ["acme", "globex"] {
        server.account(account).await;
        server.endpoint(account, "crm", json!({ "url": receiver.url() })).await;
        server.post(account, events(0..1)).await;
    }
    receiver.wait_for(2).await;
    for number in 0..19 {
        let settings = json!({ "url": hanging.url, "timeoutMs": 60_000 });
        server.endpoint("acme", &format!("hanging-{number}"), settings).await;
    }
    // While none of the nineteen has run into its time-out, the others of its account and of another get all.
    for account in ["acme", "globex"] {
        server.post(account, events(1..501)).await;
    }
    for account in ["acme", "globex"] {
        server.status_when(account, "crm", |status| status["ledger"]["delivered"] == 501).await;
    }
    for number in 0..19 {
        server.status_when("acme", &format!("hanging-{number}"), |status| status["inFlight"] == 1).await;
    }
    let open = hanging.open.wait_for(|(open, _)| *open >= 4);
    let open = tokio::time::timeout(Duration::from_secs(10), open).await.expect("four are tried").unwrap().1;
    assert_eq!(open, 4, "a quarter of sixteen");
    assert!(says_waiting(&server, 15).await, "the rest waits");
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_has_died_is_called_back_and_leaves_its_places_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with("17", directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "timeoutMs": 1_000 })).await;
    server.post("acme", events(0..64)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 64).await;
    // Its window is wide, and it has a place or two: the rest waits. The first time-out is enough to call that back.
    let hanging = Hanging::start().await;
    server.endpoint("acme", "crm", json!({ "url": hanging.url, "timeoutMs": 1_000 })).await;
    server.post("acme", events(64..128)).await;
    let status = server.status_when("acme", "crm", |status| status["state"] == "backing_off").await;
    assert!(status["inFlight"].as_u64().unwrap() <= 1, "{status}");
    let (_, most) = *hanging.open.borrow();
    assert!(most <= 2, "{most} were asked before it was known");
    assert!(says_waiting(&server, 0).await);
}

#[tokio::test]
async fn a_rate_spaces_the_requests_that_a_receiver_sees() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&times);
    receiver.answer_with(move |_| {
        seen.lock().unwrap().push(Instant::now());
        204
    });
    server.account("acme").await;
    let made = server.endpoint("acme", "crm", json!({ "url": receiver.url(), "ratePerSecond": 20 })).await;
    assert_eq!(made["ratePerSecond"], 20);
    server.post("acme", events(0..31)).await;
    receiver.wait_for(31).await;
    let times = times.lock().unwrap().clone();
    let took = *times.last().unwrap() - times[0];
    assert!(took >= Duration::from_millis(1_450), "31 requests, of which 30 wait 50 ms each, took {took:?}");
    let most = times.iter().map(|from| times.iter().filter(|at| (*from..*from + SECOND).contains(*at)).count()).max();
    assert!(most <= Some(23), "twenty a second, and a few that were late: {most:?} in one");
    // Without a rate the next ones come as they are taken: with it, they would take 25 s.
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "ratePerSecond": null })).await;
    let begun = Instant::now();
    server.post("acme", events(31..531)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 531).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

const SECOND: Duration = Duration::from_secs(1);
