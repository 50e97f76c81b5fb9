//! A stretch of the past, sent again: the ledger untouched, going on after a crash.

use http::StatusCode;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::{PATIENCE, Server};

async fn replay_when(server: &Server, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let wait = async {
        loop {
            last = server.api().get(&format!("/api/v1/accounts/acme/replays/{id}")).await.json();
            if is_wanted(&last) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await.is_ok();
    assert!(in_time, "the replay is never as wanted: {last}");
    last
}

async fn start(server: &Server, from: u64, to: u64) -> String {
    let body = json!({ "endpoint": "crm", "from": { "offset": from }, "to": { "offset": to } });
    let answer = server.api().post("/api/v1/accounts/acme/replays", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert!(answer.headers.contains_key("location"));
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A server whose endpoint has taken two hundred events.
async fn with_a_past(directory: &std::path::Path) -> (Server, Receiver) {
    let server = Server::start(directory);
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let events = (1..=200).map(|n| json!({ "id": format!("e{n}"), "type": "a.b", "data": {} })).collect();
    server.post("acme", Value::Array(events)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 200).await;
    (server, receiver)
}

#[tokio::test]
async fn a_stretch_is_sent_again_and_the_ledger_does_not_move() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    let events = (1..=30).map(|n| json!({ "id": format!("e{n}"), "type": "a.b", "key": n % 3, "data": {} })).collect();
    server.post("acme", Value::Array(events)).await;
    let before = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 30).await;
    let id = start(&server, 11, 21).await;
    let done = replay_when(&server, &id, |job| job["state"] == "completed").await;
    assert_eq!((&done["counts"]["matched"], &done["counts"]["delivered"]), (&json!(10), &json!(10)), "{done}");
    assert_eq!(done["progress"], 1.0);
    let deliveries = receiver.wait_for(40).await;
    let again: Vec<_> = deliveries[30..].iter().collect();
    for delivery in &again {
        assert_eq!(delivery.header("hooklog-replay"), id);
        assert_eq!(delivery.header("hooklog-sequence"), "", "replays carry no number");
        let offset = delivery.number("hooklog-offset");
        assert!((11..21).contains(&offset));
        assert_eq!(delivery.header("webhook-id"), format!("e{offset}"), "the same id as the first time");
    }
    assert_eq!(server.status("acme", "crm").await["ledger"], before["ledger"]);
}

#[tokio::test]
async fn a_replay_goes_on_after_a_crash_and_can_be_cancelled() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = with_a_past(directory.path()).await;
    // The receiver takes half of the replay and then fails, so that the crash meets it half done.
    let taken = std::sync::atomic::AtomicUsize::new(0);
    receiver.answer_with(move |delivery| {
        let is_replay = !delivery.header("hooklog-replay").is_empty();
        if is_replay && taken.fetch_add(1, std::sync::atomic::Ordering::AcqRel) >= 100 { 503 } else { 200 }
    });
    let id = start(&server, 1, 201).await;
    replay_when(&server, &id, |job| job["counts"]["delivered"].as_u64() >= Some(100)).await;
    server.kill();
    let server = Server::start(directory.path());
    receiver.answer_with(|_| 200);
    let retried = server.api().post("/api/v1/accounts/acme/endpoints/crm/retry", json!({})).await;
    assert!(retried.status.is_success(), "{retried:?}");
    let done = replay_when(&server, &id, |job| job["state"] == "completed").await;
    assert_eq!(done["counts"]["delivered"], 200, "{done}");
    assert_eq!(receiver.counts().len(), 200);

    receiver.answer_with(|_| 503);
    let id = start(&server, 1, 201).await;
    let cancelled = server.api().post(&format!("/api/v1/accounts/acme/replays/{id}/cancel"), json!({})).await;
    assert!(cancelled.status.is_success(), "{cancelled:?}");
    replay_when(&server, &id, |job| job["state"] == "cancelled").await;
}

#[tokio::test]
async fn a_replay_ends_with_its_endpoint() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    receiver.answer_with(|_| 503);
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", json!({ "type": "a.b", "data": {} })).await;
    let (running, queued) = (start(&server, 1, 2).await, start(&server, 1, 2).await);
    let deleted = server.api().send(http::Method::DELETE, "/api/v1/accounts/acme/endpoints/crm", None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{deleted:?}");
    for id in [running, queued] {
        let ended = replay_when(&server, &id, |job| job["state"] == "failed").await;
        assert!(ended["problem"]["detail"].as_str().unwrap().contains("deleted"), "{ended}");
    }
}

#[tokio::test]
async fn a_paused_replay_stands_still_over_a_crash_and_goes_on_when_it_is_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = with_a_past(directory.path()).await;
    let replays = "/api/v1/accounts/acme/replays";
    let body = json!({ "endpoint": "crm", "from": { "offset": 1 }, "to": { "offset": 201 }, "ratePerSecond": 50 });
    let made = server.api().post(replays, body).await.json();
    assert_eq!(made["ratePerSecond"], 50, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    receiver.wait_for(210).await;
    let run = |server: &Server, verb: &str| {
        let ran = server.hooklog(directory.path(), &["replay", verb, &format!("acme/{id}"), "-o", "json"]);
        assert!(ran.status.success(), "{ran:?}");
        serde_json::from_slice::<Value>(&ran.stdout).unwrap()
    };
    assert_eq!(run(&server, "pause")["state"], "paused");
    server.status_when("acme", "crm", |status| status["inFlight"] == 0).await;
    let sent = receiver.deliveries().len();
    assert!(sent < 400, "it was not over when it was paused");
    // Live work goes on beside it, and nothing of it begins, not even after a crash.
    server.post("acme", json!({ "id": "live", "type": "a.b", "data": {} })).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 201).await;
    server.kill();
    let server = Server::start(directory.path());
    server.post("acme", json!({ "id": "again", "type": "a.b", "data": {} })).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 202).await;
    let job = replay_when(&server, &id, |job| job["state"] == "paused").await;
    assert!(job["counts"]["remaining"].as_u64().unwrap() > 0 && job["etaMs"].is_null(), "{job}");
    let of_replay = || receiver.deliveries().iter().filter(|delivery| delivery.header("hooklog-replay") == id).count();
    let stood = of_replay();
    assert_eq!(run(&server, "resume")["state"], "queued");
    let running = replay_when(&server, &id, |job| job["state"] == "running" && !job["etaMs"].is_null()).await;
    assert!(running["etaMs"].as_u64().unwrap() <= 60_000, "{running}");
    let done = replay_when(&server, &id, |job| job["state"] == "completed").await;
    assert_eq!(done["counts"]["delivered"], 200, "{done}");
    assert!(stood < 200 && of_replay() >= 200, "{stood} before, {} in all", of_replay());
    let late = server.api().post(&format!("{replays}/{id}/pause"), json!({})).await;
    assert_eq!((late.status, &late.json()["code"]), (StatusCode::CONFLICT, &json!("job_not_cancellable")));
}
