//! What of the past is sent again, and by which rights: types, then and now, and without sending anything.

use serde_json::{Value, json};

use crate::receiver::{Delivery, Receiver};
use crate::server::{PATIENCE, Server};

const REPLAYS: &str = "/api/v1/accounts/acme/replays";

fn call(number: u64) -> Value {
    json!({
        "id": format!("call_{number}"), "type": "call.ended", "key": format!("i_{number}"),
        "data": {
            "interaction": { "id": format!("i_{number}") },
            "customer": { "number": format!("+336{number:08}") },
            "queue": { "name": format!("queue {number}") },
        },
    })
}

async fn replay(server: &Server, wish: Value) -> String {
    let mut body = json!({ "endpoint": "crm", "from": { "offset": 1 } });
    body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    let answer = server.api().post(REPLAYS, body).await;
    assert_eq!(answer.status, http::StatusCode::CREATED, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

async fn ended(server: &Server, id: &str) -> Value {
    let wait = async {
        loop {
            let job = server.api().get(&format!("{REPLAYS}/{id}")).await.json();
            if matches!(job["state"].as_str(), Some("completed" | "failed")) {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let job = tokio::time::timeout(PATIENCE, wait).await.expect("the replay ends");
    assert_eq!(job["state"], "completed", "{job}");
    let counts = &job["counts"];
    let sum: u64 = ["delivered", "filtered", "givenUp", "expired", "remaining"]
        .iter()
        .map(|part| counts[part].as_u64().unwrap())
        .sum();
    assert_eq!(counts["matched"], sum, "the counts add up: {job}");
    job
}

/// What a replay has sent, in the order of offsets.
fn sent_by(receiver: &Receiver, id: &str) -> Vec<Delivery> {
    let mut sent = receiver.deliveries();
    sent.retain(|delivery| delivery.header("hooklog-replay") == id);
    sent.sort_by_key(|delivery| delivery.number("hooklog-offset"));
    sent
}

fn bytes(deliveries: &[Delivery]) -> u64 {
    deliveries.iter().map(|delivery| delivery.body.len() as u64).sum()
}

/// Which of the two fields came, of each.
fn fields(deliveries: &[Delivery]) -> Vec<(bool, bool)> {
    let has = |delivery: &Delivery, pointer: &str| delivery.json().pointer(pointer).is_some();
    deliveries.iter().map(|one| (has(one, "/data/customer/number"), has(one, "/data/queue/name"))).collect()
}

#[tokio::test]
async fn a_replay_of_some_types_sends_those_alone_and_counts_them() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let kinds = ["agent.login", "call.ended", "call.declined", "email.received"];
    let events = (0..200).map(|n| json!({ "id": format!("e{n}"), "type": kinds[n % 4], "data": { "n": n } })).collect();
    server.post("acme", Value::Array(events)).await;
    let before = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 200).await;
    let id = replay(&server, json!({ "types": ["call.*", "agent.login"], "to": { "offset": 101 } })).await;
    let job = ended(&server, &id).await;
    let sent = sent_by(&receiver, &id);
    assert_eq!((&job["counts"]["matched"], &job["counts"]["delivered"]), (&json!(75), &json!(75)), "{job}");
    assert_eq!(job["counts"]["bytes"], bytes(&sent), "{job}");
    assert_eq!((&job["types"], &job["found"]), (&json!(["agent.login", "call.*"]), &Value::Null));
    assert_eq!(sent.len(), 75);
    assert!(sent.iter().all(|delivery| delivery.header("hooklog-type") != "email.received"));
    assert_eq!(server.status("acme", "crm").await["ledger"], before["ledger"]);
    // What became of it is kept with its end.
    server.kill();
    let server = Server::start(directory.path());
    assert_eq!(ended(&server, &id).await["counts"], job["counts"]);
}

#[tokio::test]
async fn a_replay_of_some_types_goes_on_with_them_after_a_crash_and_a_cancelled_one_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let kind = |n: u64| if n.is_multiple_of(2) { "call.ended" } else { "agent.login" };
    let events = (0..400).map(|n| json!({ "id": format!("e{n}"), "type": kind(n), "data": {} })).collect();
    server.post("acme", Value::Array(events)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 400).await;
    let slow = replay(&server, json!({ "types": ["call.ended"], "ratePerSecond": 40 })).await;
    server.status_when("acme", "crm", |status| status["replay"]["delivered"].as_u64() >= Some(5)).await;
    server.kill();
    let server = Server::start(directory.path());
    server.status_when("acme", "crm", |status| status["replay"]["delivered"].as_u64() >= Some(12)).await;
    let cancelled = server.api().post(&format!("{REPLAYS}/{slow}/cancel"), json!({})).await.json();
    assert!(cancelled["counts"]["delivered"].as_u64() >= Some(12), "{cancelled}");
    // Whatever the process had written of it, the next one begins.
    server.kill();
    let server = Server::start(directory.path());
    let next = replay(&server, json!({ "types": ["agent.login"] })).await;
    assert_eq!(ended(&server, &next).await["counts"]["delivered"], 200);
    assert!(sent_by(&receiver, &slow).iter().all(|delivery| delivery.header("hooklog-type") == "call.ended"));
    assert!(sent_by(&receiver, &next).iter().all(|delivery| delivery.header("hooklog-type") == "agent.login"));
}

#[tokio::test]
async fn the_original_rights_and_those_of_today_decide_together() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account_as_made("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    // First no type at all, then numbers without queues, then queues without numbers.
    let rights = |wanted: bool, number: &str, queue: &str| json!({ "types": { "call.*": wanted }, "fields": { "customer.number": number, "queue.name": queue } });
    let stages = [(false, "keep", "keep"), (true, "keep", "remove"), (true, "remove", "keep")];
    for (stage, (wanted, number, queue)) in (0..).zip(stages) {
        server.rights("acme", rights(wanted, number, queue)).await;
        server.post("acme", Value::Array((stage * 3..stage * 3 + 3).map(call).collect())).await;
        server.status_when("acme", "crm", |status| status["lag"]["events"] == 0).await;
    }
    let calls = json!({ "types": ["call.*"] });
    let now = replay(&server, calls.clone()).await;
    let job = ended(&server, &now).await;
    assert_eq!((&job["asOf"], &job["counts"]["delivered"]), (&json!("now"), &json!(9)), "{job}");
    assert_eq!(fields(&sent_by(&receiver, &now)), [(false, true); 9], "by the rights of today");

    let original = json!({ "types": ["call.*"], "asOf": "original" });
    let id = replay(&server, original.clone()).await;
    let job = ended(&server, &id).await;
    assert_eq!((&job["counts"]["delivered"], &job["counts"]["filtered"]), (&json!(6), &json!(3)), "{job}");
    let sent = sent_by(&receiver, &id);
    assert_eq!(
        fields(&sent),
        [(false, false), (false, false), (false, false), (false, true), (false, true), (false, true)]
    );

    // What was sent can be shown again, byte by byte, whichever rights made it.
    for delivery in sent_by(&receiver, &now).iter().chain(&sent) {
        let path = format!("/api/v1/accounts/acme/deliveries/crm/{}", delivery.header("hooklog-offset"));
        let shown = server.api().get(&path).await.json();
        let replay = delivery.header("hooklog-replay");
        let attempt = shown["attempts"].as_array().unwrap().iter().find(|attempt| attempt["replay"] == replay).unwrap();
        assert_eq!(attempt["body"].as_str().map(str::as_bytes), Some(&*delivery.body), "{attempt}");
    }

    // What is unticked today does not leave, whatever was allowed then; and that is so for what waits, too.
    let paused = server.api().post("/api/v1/accounts/acme/endpoints/crm/pause", json!({})).await;
    assert!(paused.status.is_success(), "{paused:?}");
    let id = replay(&server, original).await;
    server.rights("acme", rights(false, "keep", "keep")).await;
    server.api().post("/api/v1/accounts/acme/endpoints/crm/resume", json!({})).await;
    let job = ended(&server, &id).await;
    assert_eq!((&job["counts"]["delivered"], &job["counts"]["remaining"]), (&json!(0), &json!(0)), "{job}");
    assert!(sent_by(&receiver, &id).is_empty());
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_sent_and_sends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let login = |n: u64| json!({ "id": format!("login_{n}"), "type": "agent.login", "data": { "n": n } });
    let events = (0..600).map(|n| if n % 3 == 0 { login(n) } else { call(n) }).collect();
    server.post("acme", Value::Array(events)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 600).await;
    let first: u64 = bytes(&receiver.deliveries());

    let id = replay(&server, json!({ "dryRun": true })).await;
    // It begins again after a crash: nothing of it has left.
    server.kill();
    let server = Server::start(directory.path());
    let job = ended(&server, &id).await;
    assert_eq!((&job["counts"]["delivered"], &job["counts"]["bytes"]), (&json!(600), &json!(first)), "{job}");
    let unchanged = |kind: &str, events: u64, bytes: &Value| {
        json!({ "type": kind, "events": events, "bytes": bytes, "unchanged": events, "changed": 0, "appearing": 0,
                "disappearing": 0, "faults": 0 })
    };
    // What was sent and not yet written down when the process was killed is sent again; then all of it is on record.
    let all_on_record = async {
        loop {
            let id = replay(&server, json!({ "dryRun": true, "from": { "offset": 1 } })).await;
            let found = ended(&server, &id).await["found"].clone();
            if found[0]["appearing"] == 0 && found[1]["appearing"] == 0 {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, all_on_record).await.expect("all of it is on record");
    assert_eq!(found[0], unchanged("agent.login", 200, &found[0]["bytes"]));
    assert_eq!(found[1], unchanged("call.ended", 400, &found[1]["bytes"]));

    // Without logins, and with one field less, and three events that came while the endpoint stood still.
    server.api().post("/api/v1/accounts/acme/endpoints/crm/pause", json!({})).await;
    let fields = json!({ "*": "keep", "queue.name": "remove" });
    server.rights("acme", json!({ "types": { "*": true, "agent.*": false }, "fields": fields })).await;
    server.post("acme", Value::Array((600..603).map(call).collect())).await;
    let wish = json!({ "dryRun": true, "types": ["call.*", "agent.*"] });
    let job = ended(&server, &replay(&server, wish).await).await;
    let found = job["found"].as_array().unwrap();
    assert_eq!(
        (&found[0]["type"], &found[0]["disappearing"], &found[0]["bytes"]),
        (&json!("agent.login"), &json!(200), &json!(0))
    );
    assert_eq!(
        (&found[1]["changed"], &found[1]["appearing"], &found[1]["events"]),
        (&json!(400), &json!(3), &json!(403))
    );
    assert_eq!((&job["counts"]["delivered"], &job["counts"]["filtered"]), (&json!(403), &json!(200)));
    // A type that is withheld and was never sent is neither named nor counted for who names it.
    let wish = json!({ "dryRun": true, "types": ["agent.*"], "from": { "offset": 601 } });
    server.post("acme", login(700)).await;
    let job = ended(&server, &replay(&server, wish).await).await;
    assert_eq!((&job["found"], &job["counts"]["matched"]), (&json!([]), &json!(0)), "{job}");
    server.api().post("/api/v1/accounts/acme/endpoints/crm/resume", json!({})).await;
    let job = ended(&server, &replay(&server, json!({ "types": ["agent.*"] })).await).await;
    assert_eq!((&job["counts"]["matched"], &job["counts"]["filtered"]), (&json!(0), &json!(0)), "{job}");
    let is_replayed = |delivery: &Delivery| !delivery.header("hooklog-replay").is_empty();
    assert_eq!(receiver.deliveries().iter().filter(|delivery| is_replayed(delivery)).count(), 0, "nothing was sent");
}
