//! Where an endpoint begins, where it goes on, and what is too old by then.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Receiver, Server, start, start_with, until};
use crate::runtime::Clock;

const ACME: &str = "/api/v1/accounts/acme";
const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";
const STATUS: &str = "/api/v1/accounts/acme/endpoints/crm/status";
const NOW_MS: i64 = 1_772_442_847_512;

/// A paused endpoint with five events waiting since two hours.
async fn waiting() -> (Server, Receiver, Client, Clock) {
    let clock = Clock::manual(NOW_MS);
    let mut server = start_with(false, clock.clone()).await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    server.append("acme", "a.b", 5).await;
    until(&mut acme, STATUS, |status| status["lag"]["events"] == 5).await;
    clock.advance(Duration::from_secs(2 * 3600));
    (server, receiver, acme, clock)
}

fn offsets(receiver: &Receiver) -> Vec<u64> {
    let got = receiver.got.lock().unwrap();
    let mut offsets: Vec<u64> =
        got.iter().map(|sent| sent["hooklog-offset"].to_str().unwrap().parse().unwrap()).collect();
    offsets.sort_unstable();
    offsets
}

async fn outcomes(acme: &mut Client) -> Vec<(u64, String)> {
    let listed = acme.list(&format!("{ACME}/deliveries?endpoint=crm&direction=oldest"), 100).await;
    let outcome = |item: &Value| (item["offset"].as_u64().unwrap(), item["outcome"].as_str().unwrap().to_owned());
    listed.iter().map(outcome).collect()
}

#[tokio::test]
async fn much_that_waits_asks_for_a_choice_and_now_passes_over_it() {
    let (mut server, receiver, mut acme, _clock) = waiting().await;
    let resume = format!("{CRM}/resume");
    let problem = acme.post(&resume, json!({})).await.refused(409, "resume_choice_needed");
    assert_eq!(problem["waiting"], 5);
    assert!(problem["detail"].as_str().unwrap().starts_with("5 events wait"), "{problem}");
    acme.post(&resume, json!({ "from": "now" })).await.expect(200);
    server.append("acme", "a.b", 2).await;
    let status = until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 2).await;
    let ledger = &status["ledger"];
    assert_eq!((&ledger["skipped"], &ledger["accepted"], &ledger["waiting"]), (&json!(5), &json!(7), &json!(0)));
    assert_eq!(offsets(&receiver), [6, 7]);
    let expected = (1..=5).map(|offset| (offset, "skipped".to_owned()));
    let expected: Vec<_> = expected.chain([6, 7].map(|offset| (offset, "delivered".to_owned()))).collect();
    assert_eq!(outcomes(&mut acme).await, expected);
    let explained = acme.get(&format!("{ACME}/events/@3/explain")).await.expect(200);
    let reason = &explained["endpoints"][0]["reason"];
    assert_eq!(reason["code"], "skipped");
    assert!(reason["detail"].as_str().unwrap().contains("by token test"), "{reason}");
    // Once is once: a second pause and resume passes over nothing more.
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    acme.post(&resume, json!({})).await.expect(200);
    assert_eq!(acme.get(STATUS).await.expect(200)["ledger"]["skipped"], 5);
}

#[tokio::test]
async fn that_what_waits_will_soon_be_gone_is_announced() {
    // Of an hour's retention two hours are gone: it is taken at the next look.
    let (server, _receiver, mut acme, _clock) = waiting().await;
    let told = server.operator().await.get("/api/v1/status").await.expect(200);
    let problem = &told["problems"][0];
    assert_eq!((&problem["code"], &problem["endpoint"]), (&json!("events_expire_soon"), &json!("crm")), "{told}");
    assert!(problem["title"].as_str().unwrap().contains("5 events wait"), "{problem}");
    acme.post(&format!("{CRM}/resume"), json!({ "from": "cursor" })).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 5).await;
    let told = server.operator().await.get("/api/v1/status").await.expect(200);
    assert_eq!(told["problems"], json!([]), "{told}");
}

#[tokio::test]
async fn the_other_choice_delivers_everything_that_waits() {
    let (_server, receiver, mut acme, _clock) = waiting().await;
    acme.post(&format!("{CRM}/resume"), json!({ "from": "cursor" })).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 5).await;
    assert_eq!(offsets(&receiver), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn switching_on_asks_for_the_same_choice() {
    let (_server, receiver, mut acme, clock) = waiting().await;
    acme.patch(CRM, json!({ "enabled": false })).await.expect(200);
    acme.post(&format!("{CRM}/resume"), json!({ "from": "cursor" })).await.expect(200);
    clock.advance(Duration::from_secs(3600));
    acme.patch(CRM, json!({ "enabled": true })).await.refused(409, "resume_choice_needed");
    let whole = json!({ "url": receiver.url });
    acme.put(CRM, whole.clone()).await.refused(409, "resume_choice_needed");
    let on = acme.patch(CRM, json!({ "enabled": true, "resumeFrom": "now" })).await.expect(200);
    assert!(on.get("resumeFrom").is_none(), "it is no setting: {on}");
    let status = until(&mut acme, STATUS, |status| status["ledger"]["skipped"] == 5).await;
    assert_eq!((&status["state"], &status["ledger"]["waiting"]), (&json!("live"), &json!(0)));
    acme.put(CRM, whole).await.expect(200);
    assert!(offsets(&receiver).is_empty());
}

#[tokio::test]
async fn a_new_endpoint_begins_where_it_is_told_to() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history"]).await;
    server.append("acme", "a.b", 6).await;
    let url = &receiver.url;
    let third = acme.get(&format!("{ACME}/events/@3")).await.expect(200)["recordedAt"].clone();
    for (name, start_at, delivered) in [
        ("now", json!("now"), 0),
        ("earliest", json!("earliest"), 6),
        ("offset", json!({ "offset": 5 }), 2),
        ("next", json!({ "offset": 7 }), 0),
        ("like", json!({ "endpoint": "offset" }), 0),
    ] {
        let endpoint = format!("{ACME}/endpoints/{name}");
        let made = acme.put(&endpoint, json!({ "url": url, "startAt": start_at })).await.expect(201);
        assert!(made.get("startAt").is_none(), "{made}");
        let wanted = |status: &Value| status["ledger"]["delivered"] == delivered && status["ledger"]["waiting"] == 0;
        let status = until(&mut acme, &format!("{endpoint}/status"), wanted).await;
        assert_eq!(status["ledger"]["accepted"], delivered, "{name}: {status}");
        // Said again of one that is there it changes nothing.
        acme.put(&endpoint, json!({ "url": url, "startAt": "earliest" })).await.expect(200);
    }
    let by_time = format!("{ACME}/endpoints/time");
    acme.put(&by_time, json!({ "url": url, "startAt": { "time": third } })).await.expect(201);
    let status = acme.get(&format!("{by_time}/status")).await.expect(200);
    assert!(status["ledger"]["accepted"].as_u64().is_some_and(|count| (4..=6).contains(&count)), "{status}");
    for (start_at, pointer) in [
        (json!({ "offset": 8 }), "/startAt/offset"),
        (json!({ "offset": 0 }), "/startAt/offset"),
        (json!({ "endpoint": "nobody" }), "/startAt/endpoint"),
        (json!("yesterday"), "/startAt"),
    ] {
        let new = acme.put(&format!("{ACME}/endpoints/new"), json!({ "url": url, "startAt": start_at })).await;
        let problem = new.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{start_at}: {problem}");
    }
}

#[tokio::test]
async fn what_is_too_old_when_its_turn_comes_is_not_sent() {
    let clock = Clock::manual(NOW_MS);
    let mut server = start_with(false, clock.clone()).await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history", "replay"]).await;
    let ages = json!({ "url": receiver.url, "maxAgeMs": 600_000, "maxAgeByType": { "screen.*": 5_000 } });
    let made = acme.put(CRM, ages).await.expect(201);
    assert_eq!((&made["maxAgeMs"], &made["maxAgeByType"]["screen.*"]), (&json!(600_000), &json!(5_000)));
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    server.append("acme", "a.b", 2).await;
    clock.advance(Duration::from_secs(595));
    server.append("acme", "screen.popped", 1).await;
    server.append("acme", "a.b", 1).await;
    clock.advance(Duration::from_secs(6));
    server.append("acme", "screen.popped", 1).await;
    until(&mut acme, STATUS, |status| status["lag"]["events"] == 5).await;
    acme.post(&format!("{CRM}/resume"), json!({})).await.expect(200);
    let status = until(&mut acme, STATUS, |status| status["ledger"]["waiting"] == 0).await;
    assert_eq!((&status["ledger"]["delivered"], &status["ledger"]["expired"]), (&json!(2), &json!(3)), "{status}");
    assert_eq!(offsets(&receiver), [4, 5]);
    clock.advance(Duration::from_secs(1));
    let delivery = format!("{ACME}/deliveries/crm/1");
    until(&mut acme, &delivery, |delivery| delivery["outcome"] == "expired").await;
    let explained = acme.get(&format!("{ACME}/events/@1/explain")).await.expect(200);
    assert_eq!(explained["endpoints"][0]["reason"]["code"], "too_old");
    // Somebody who asks for the past gets it, however old.
    let replay = json!({ "endpoint": "crm", "from": { "offset": 1 }, "to": { "offset": 4 } });
    acme.post(&format!("{ACME}/replays"), replay).await.expect(201);
    clock.advance(Duration::from_secs(1));
    let wait = async {
        while offsets(&receiver).len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the replay delivers what was too old");
}
