//! From a posted event to a verified delivery, in order, through trouble and back.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Server;

fn event(number: u64, key: &str) -> Value {
    json!({
        "id": format!("evt_{number:06}"), "type": "call.ended", "occurredAt": "2026-03-02T09:14:07.512Z",
        "actor": { "kind": "USER", "userId": "u_1" },
        "data": { "interaction": { "id": key }, "n": number, "text": "Pause déjeuner \u{1f600}" },
    })
}

#[tokio::test]
async fn an_event_arrives_signed_with_every_header_of_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    let settings = json!({
        "url": receiver.url(), "auth": { "type": "basic", "username": "ino", "password": "swordfish" },
        "headers": { "x-team": "crm" },
    });
    server.endpoint("acme", "crm", settings).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    let answer = server.post("acme", event(1, "i_7 é")).await;
    assert_eq!(answer["firstOffset"], 1);
    let deliveries = receiver.wait_for(1).await;
    let delivery = &deliveries[0];
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "hooklog/1"),
        ("webhook-id", "evt_000001"),
        ("hooklog-account", "acme"),
        ("hooklog-endpoint", "crm"),
        ("hooklog-type", "call.ended"),
        ("hooklog-version", "1"),
        ("hooklog-occurred-at", "2026-03-02T09:14:07.512Z"),
        ("hooklog-offset", "1"),
        ("hooklog-sequence", "1"),
        ("hooklog-attempt", "1"),
        ("hooklog-key", "i_7%20%C3%A9"),
        ("authorization", "Basic aW5vOnN3b3JkZmlzaA=="),
        ("x-team", "crm"),
        ("hooklog-test", ""),
        ("hooklog-replay", ""),
    ] {
        assert_eq!(delivery.header(name), value, "{name}: {:?}", delivery.headers);
    }
    let body = delivery.json();
    assert_eq!(body["data"], event(1, "i_7 é")["data"]);
    assert_eq!(
        (&body["accountId"], &body["test"], &body["actor"]["userId"]),
        (&json!("acme"), &json!(false), &json!("u_1"))
    );
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected: HashSet<&str> = ["id", "type", "version", "occurredAt", "accountId", "actor", "test", "data"].into();
    assert_eq!(keys.into_iter().collect::<HashSet<_>>(), expected);
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 1).await;
    assert_eq!((&status["state"], &status["ledger"]["waiting"]), (&json!("live"), &json!(0)));
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn order_by_key_holds_and_numbers_have_no_hole() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "maxInFlight": 32 })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    for batch in 0..20 {
        let events: Vec<Value> =
            (0..100).map(|n| batch * 100 + n).map(|n| event(n, &format!("i_{}", n % 37))).collect();
        server.post("acme", Value::Array(events)).await;
    }
    let deliveries = receiver.wait_for(2_000).await;
    assert_eq!(deliveries.len(), 2_000, "nothing is sent twice");
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for delivery in &deliveries {
        let (key, offset) = (delivery.header("hooklog-key").to_owned(), delivery.number("hooklog-offset"));
        assert!(last.insert(key.clone(), offset).is_none_or(|last| last < offset), "key {key} is out of order");
    }
    let numbers: HashSet<u64> = deliveries.iter().map(|delivery| delivery.number("hooklog-sequence")).collect();
    assert_eq!(numbers, (1..=2_000).collect());
}

#[tokio::test]
async fn an_outage_costs_no_event_and_needs_no_hand() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    receiver.answer_with(move |_| if down.load(Ordering::Acquire) { 503 } else { 204 });
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", Value::Array((0..50).map(|n| event(n, &format!("i_{}", n % 5))).collect())).await;
    let status = server.status_when("acme", "crm", |status| status["state"] == "backing_off").await;
    assert_eq!(status["problem"]["code"], "http_status");
    assert_eq!(status["lastFailure"]["status"], 503);
    assert_eq!(status["ledger"]["waiting"], 50);
    is_down.store(false, Ordering::Release);
    let retried = server.api().post("/api/v1/accounts/acme/endpoints/crm/retry", json!({})).await;
    assert!(retried.status.is_success(), "{retried:?}");
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 50).await;
}

#[tokio::test]
async fn nightly_an_outage_of_a_minute_is_told_when_it_is_over() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    // Probes come up to a minute and a fifth apart: one of them fails when a minute is over.
    let begun = std::time::Instant::now();
    receiver.answer_with(move |_| if begun.elapsed().as_secs() < 140 { 503 } else { 204 });
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", event(1, "i_1")).await;
    let mut count = 1;
    let told = loop {
        let last = receiver.wait_longer_for(count, std::time::Duration::from_secs(90)).await.remove(count - 1);
        if last.header("hooklog-type") == "webhook.delivery_suspended" {
            break last.json()["data"].clone();
        }
        count += 1;
    };
    assert_eq!((&told["endpoint"], &told["lastStatus"]), (&json!("crm"), &json!(503)));
    // All but the one that was taken in the end, and this one.
    assert_eq!(told["failedAttempts"], count - 2);
    let since: jiff::Timestamp = told["since"].as_str().unwrap().parse().unwrap();
    let age = jiff::Timestamp::now().duration_since(since).as_secs();
    assert!(age >= 140 && age <= begun.elapsed().as_secs() as i64 + 1, "{told}");
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 2).await;
    assert_eq!(status["state"], "live");
}

#[tokio::test]
async fn a_refused_event_holds_its_lane_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = crate::server::command(directory.path());
    command.env("HOOKLOG_DELIVER__RETRY_SCHEDULE", "1s,1s");
    let server = Server::start_with(command, directory.path());
    let receiver = Receiver::start().await;
    let is_poison = Arc::new(AtomicBool::new(true));
    let poison = Arc::clone(&is_poison);
    receiver.answer_with(move |delivery| {
        if delivery.header("webhook-id") == "evt_000003" && poison.load(Ordering::Acquire) { 422 } else { 200 }
    });
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    // Events 3, 7, 11 … share the lane of the poison one.
    server.post("acme", Value::Array((0..40).map(|n| event(n, &format!("i_{}", n % 4))).collect())).await;
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 30).await;
    assert_eq!((&status["ledger"]["waiting"], &status["state"]), (&json!(10), &json!("live")));
    is_poison.store(false, Ordering::Release);
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 40).await;
    let attempts = server.api().get("/api/v1/accounts/acme/deliveries/crm/4").await.json();
    assert_eq!(attempts["outcome"], "delivered", "{attempts}");
    assert_eq!(attempts["attempts"][0]["status"], 422);
    let last =
        receiver.deliveries().into_iter().rfind(|delivery| delivery.header("webhook-id") == "evt_000003").unwrap();
    assert!(last.number("hooklog-attempt") >= 2);
    assert_eq!(last.header("hooklog-sequence"), "4", "the number stays");
}

#[tokio::test]
async fn paused_and_switched_off_wait_and_go_on_from_where_they_stand() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let mut api = server.api();
    assert!(api.post("/api/v1/accounts/acme/endpoints/crm/pause", json!({})).await.status.is_success());
    server.post("acme", event(1, "a")).await;
    server.status_when("acme", "crm", |status| status["state"] == "paused" && status["ledger"]["waiting"] == 1).await;
    assert!(api.post("/api/v1/accounts/acme/endpoints/crm/resume", json!({})).await.status.is_success());
    receiver.wait_for(1).await;

    assert!(api.put("/api/v1/accounts/acme", json!({ "enabled": false })).await.status.is_success());
    server.post("acme", event(2, "a")).await;
    server.status_when("acme", "crm", |status| status["state"] == "disabled" && status["ledger"]["waiting"] == 1).await;
    assert_eq!(receiver.deliveries().len(), 1);
    assert!(api.put("/api/v1/accounts/acme", json!({})).await.status.is_success());
    receiver.wait_for(2).await;
}

#[tokio::test]
async fn gone_switches_an_endpoint_off_and_enabling_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    receiver.answer_with(|_| 410);
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", event(1, "a")).await;
    let status = server.status_when("acme", "crm", |status| status["state"] == "disabled").await;
    assert_eq!(status["problem"]["code"], "receiver_gone");
    receiver.answer_with(|_| 200);
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 1).await;
}

#[tokio::test]
async fn a_rotated_key_signs_beside_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let old = server.secret("acme", "crm").await;
    let rotated = server.api().post("/api/v1/accounts/acme/endpoints/crm/secret/rotate", json!({})).await;
    assert!(rotated.status.is_success(), "{rotated:?}");
    let new = server.secret("acme", "crm").await;
    assert_ne!(old, new);
    for (number, secret) in [(1, &old), (2, &new)] {
        receiver.verify_with(secret);
        server.post("acme", event(number, "a")).await;
        let deliveries = receiver.wait_for(usize::try_from(number).unwrap()).await;
        let signatures = deliveries.last().unwrap().header("webhook-signature").split(' ').count();
        assert_eq!(signatures, 2, "both keys sign during the overlap");
    }
}

#[tokio::test]
async fn a_receiver_with_the_public_key_verifies_and_rotates_beside_one_with_the_secret() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "signing": "both" })).await;
    // The receiver verifies v1 of every request with a library of its own; v1a is looked at here.
    receiver.verify_with(&server.secret("acme", "crm").await);
    let path = "/api/v1/accounts/acme/endpoints/crm/secret";
    let public_keys = async || -> Vec<String> {
        let keys = server.api().get(path).await.json()["keys"].as_array().unwrap().clone();
        keys.iter().filter_map(|key| key["publicKey"].as_str().map(str::to_owned)).collect()
    };
    let old = public_keys().await;
    server.post("acme", event(1, "a")).await;
    let first = receiver.wait_for(1).await.remove(0);
    assert_eq!(fitting(&first, &old), [true]);
    let rotated = server.api().post(&format!("{path}/rotate"), json!({ "scheme": "v1a" })).await;
    assert!(rotated.status.is_success(), "{rotated:?}");
    let both = public_keys().await;
    assert_eq!((both.len(), &both[1]), (2, &old[0]));
    server.post("acme", event(2, "a")).await;
    let second = receiver.wait_for(2).await.remove(1);
    assert_eq!(fitting(&second, &both), [true, true], "both keys sign during the overlap");
    let rotated = server.api().post(&format!("{path}/rotate"), json!({ "scheme": "v1a", "overlapMs": 0 })).await;
    assert!(rotated.status.is_success(), "{rotated:?}");
    server.post("acme", event(3, "a")).await;
    let third = receiver.wait_for(3).await.remove(2);
    assert_eq!(fitting(&third, &both), [false, false], "those before have ended at once");
    assert_eq!(fitting(&third, &public_keys().await), [true]);
    assert_eq!(third.header("webhook-signature").matches("v1,").count(), 1, "the other scheme's key is as it was");
}

/// Whether a `v1a` signature of a request is by each of these public keys.
fn fitting(delivery: &crate::receiver::Delivery, keys: &[String]) -> Vec<bool> {
    let text = |name| delivery.header(name).to_owned();
    let head = format!("{}.{}.", text("webhook-id"), text("webhook-timestamp"));
    let signed = [head.as_bytes(), &delivery.body[..]].concat();
    let decode = |text: &str| STANDARD.decode(text).unwrap();
    let header = text("webhook-signature");
    let signatures: Vec<_> = header.split(' ').filter_map(|part| part.strip_prefix("v1a,")).map(decode).collect();
    let fits = |key: &String| {
        let key = decode(key.strip_prefix("whpk_").unwrap());
        let key = UnparsedPublicKey::new(&ED25519, key);
        signatures.iter().any(|signature| key.verify(&signed, signature).is_ok())
    };
    keys.iter().map(fits).collect()
}

#[tokio::test]
async fn nothing_begins_by_settings_that_were_changed_while_it_waited_for_leave() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = crate::server::command(directory.path());
    command.env("HOOKLOG_DELIVER__IN_FLIGHT_MAX", "1");
    let server = Server::start_with(command, directory.path());
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for account in ["acme", "globex"] {
        server.account(account).await;
    }
    let url = format!("http://{}/in", slow.local_addr().unwrap());
    server.endpoint("acme", "slow", json!({ "url": url })).await;
    server.endpoint("globex", "crm", json!({ "url": old.url() })).await;
    // The only leave to send is taken, and the other endpoint's event waits for it.
    server.post("acme", event(1, "a")).await;
    let (mut taken, _) = slow.accept().await.unwrap();
    server.post("globex", event(1, "a")).await;
    server.status_when("globex", "crm", |status| status["inFlight"] == 1).await;
    server.endpoint("globex", "crm", json!({ "url": new.url() })).await;
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut taken, answer).await.unwrap();
    server.status_when("globex", "crm", |status| status["ledger"]["delivered"] == 1).await;
    assert_eq!((old.deliveries().len(), new.deliveries().len()), (0, 1));
}

#[tokio::test]
async fn an_endpoint_gets_bodies_in_the_format_it_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let mut receivers = Vec::new();
    for format in ["standard", "data", "cloudevents"] {
        let receiver = Receiver::start().await;
        server.endpoint("acme", format, json!({ "url": receiver.url(), "format": format })).await;
        receiver.verify_with(&server.secret("acme", format).await);
        receivers.push(receiver);
    }
    server.post("acme", event(1, "i_7")).await;
    let mut taken = Vec::new();
    for receiver in &receivers {
        taken.push(receiver.wait_for(1).await.remove(0));
    }
    let data = event(1, "i_7")["data"].clone();
    assert_eq!(taken[0].json(), json!({ "type": "call.ended", "timestamp": "2026-03-02T09:14:07.512Z", "data": data }));
    assert_eq!(taken[1].json(), data);
    assert_eq!(taken[2].header("content-type"), "application/cloudevents+json");
    assert_eq!(
        taken[2].json(),
        json!({
            "specversion": "1.0", "id": "evt_000001", "source": "/accounts/acme", "type": "call.ended",
            "time": "2026-03-02T09:14:07.512Z", "subject": "i_7", "datacontenttype": "application/json",
            "sequence": "0000000000000001", "version": 1, "actorkind": "USER", "actoruserid": "u_1", "data": data,
        })
    );
    // A key that rights hide is no subject.
    server.rights("acme", json!({ "fields": { "interaction.id": "pseudonymize" } })).await;
    receivers[2].wait_for(2).await;
    server.post("acme", event(2, "i_8")).await;
    let hidden = receivers[2].wait_for(3).await.remove(2).json();
    assert_eq!((&hidden["subject"], &hidden["sequence"]), (&Value::Null, &json!("0000000000000003")));
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_cloud_event_is_taken_in_all_three_modes_and_what_a_receiver_got_can_be_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    for account in ["acme", "copy"] {
        server.account(account).await;
    }
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "format": "cloudevents" })).await;
    let path = |account: &str| format!("/v1/accounts/{account}/events");
    let mut sender = server.sender();
    let cloud_event = |id: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "/ino/routing", "type": "call.ended", "subject": "i_7",
            "time": "2026-03-02T09:14:07.512Z", "actorkind": "USER", "actoruserid": "u_1", "data": data,
        })
    };
    let data = |number: u64| event(number, "i_7")["data"].clone();
    let mut post = async |content_type: &str, body: String| {
        let answer = sender.try_send(Method::POST, &path("acme"), content_type, body.into()).await.unwrap();
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()
    };
    post("application/cloudevents+json; charset=utf-8", cloud_event("e1", data(1)).to_string()).await;
    let batch = json!([cloud_event("e2", data(2)), cloud_event("e/3", data(3)), cloud_event("e1", data(1))]);
    let taken = post("application/cloudevents-batch+json", batch.to_string()).await;
    assert_eq!((&taken["accepted"], &taken["duplicates"]), (&json!(2), &json!(1)), "{taken}");
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e4"),
        ("ce-source", "/ino/routing"),
        ("ce-type", "call.ended"),
        ("ce-subject", "i_7"),
        ("ce-time", "2026-03-02T09:14:07.512Z"),
        ("ce-actorkind", "USER"),
        ("ce-actoruserid", "u%5f1"),
    ];
    let answer = sender.try_send_with(Method::POST, &path("acme"), &headers, data(4).to_string().into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");

    let taken = receiver.wait_for(4).await;
    let read = server.list("/api/v1/accounts/acme/events?direction=oldest").await;
    for (number, (delivery, read)) in (1..).zip(taken.iter().zip(&read)) {
        let got = delivery.json();
        assert_eq!((&got["subject"], &got["data"]), (&json!("i_7"), &data(number)), "{got}");
        assert_eq!((&read["source"], &read["occurredAt"]), (&json!("/ino/routing"), &got["time"]), "{read}");
        let answer =
            sender.try_send(Method::POST, &path("copy"), "application/cloudevents+json", delivery.body.clone()).await;
        assert_eq!(answer.unwrap().status, StatusCode::ACCEPTED);
    }
    assert_eq!(read[2]["sourceId"], "e/3", "{read:?}");
    let copies = server.list("/api/v1/accounts/copy/events?direction=oldest").await;
    for (event, copy) in read.iter().zip(&copies) {
        for field in ["id", "type", "version", "occurredAt", "key", "actor", "data"] {
            assert_eq!(event[field], copy[field], "{field}: {event} and {copy}");
        }
        assert_eq!(copy["source"], "/accounts/acme", "{copy}");
    }
    assert_eq!(copies[0]["extra"]["sequence"], "0000000000000001", "{copies:?}");

    // What is wrong is told by header.
    let answer =
        sender.try_send_with(Method::POST, &path("acme"), &headers[..3], data(5).to_string().into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["errors"][0]["header"], "ce-source", "{answer:?}");
    assert_eq!(server.terminate(), Some(0));
}
