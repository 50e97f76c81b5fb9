//! An endpoint is moved to another place: back over what was delivered, or forward over what waits.

use serde_json::{Value, json};

use super::{Client, Receiver, Server, start, until};

const ACME: &str = "/api/v1/accounts/acme";
const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";
const STATUS: &str = "/api/v1/accounts/acme/endpoints/crm/status";
const SEEK: &str = "/api/v1/accounts/acme/endpoints/crm/seek";

async fn delivered(count: usize) -> (Server, Receiver, Client) {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", count).await;
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == count).await;
    (server, receiver, acme)
}

fn numbers(receiver: &Receiver, header: &str) -> Vec<u64> {
    let got = receiver.got.lock().unwrap();
    got.iter().map(|sent| sent[header].to_str().unwrap().parse().unwrap()).collect()
}

async fn outcomes(acme: &mut Client, query: &str) -> Vec<(Value, String)> {
    let listed = acme.list(&format!("{ACME}/deliveries?endpoint=crm&direction=oldest&{query}"), 100).await;
    let outcome = |item: &Value| (item["sequence"].clone(), item["outcome"].as_str().unwrap().to_owned());
    listed.iter().map(outcome).collect()
}

#[tokio::test]
async fn back_it_delivers_again_and_history_tells_both() {
    let (_server, receiver, mut acme) = delivered(5).await;
    let dry = acme.post(SEEK, json!({ "to": { "offset": 4 }, "dryRun": true })).await.expect(200);
    let recorded_at = dry["recordedAt"].clone();
    assert_eq!(
        dry,
        json!({"offset": 4, "recordedAt": recorded_at, "events": 2, "again": 2, "skipped": 0, "dryRun": true})
    );
    assert!(recorded_at.is_string(), "{dry}");
    assert_eq!(acme.get(STATUS).await.expect(200)["ledger"]["delivered"], 5, "a rehearsal changes nothing");

    acme.post(SEEK, json!({ "to": { "offset": 4 } })).await.expect(200);
    let status = until(&mut acme, STATUS, |status| {
        status["ledger"]["delivered"] == 2 && status["ledger"]["since"]["offset"] == 3
    })
    .await;
    assert_eq!((&status["ledger"]["accepted"], &status["ledger"]["waiting"]), (&json!(2), &json!(0)));
    let mut offsets = numbers(&receiver, "hooklog-offset");
    offsets.sort_unstable();
    assert_eq!(offsets, [1, 2, 3, 4, 4, 5, 5]);
    let mut sequences = numbers(&receiver, "hooklog-sequence");
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6, 7], "no number names two deliveries");

    // History: what counts now, every request there was, and every number that was given.
    let again = acme.get(&format!("{ACME}/deliveries/crm/4")).await.expect(200);
    assert_eq!((&again["outcome"], &again["attemptCount"]), (&json!("delivered"), &json!(1)));
    assert!([6, 7].contains(&again["sequence"].as_u64().unwrap()), "{again}");
    assert_eq!(again["attempts"].as_array().unwrap().len(), 2, "{again}");
    let all = outcomes(&mut acme, "fromSequence=1&toSequence=9").await;
    let expected: Vec<_> = (1..=7).map(|number| (json!(number), "delivered".to_owned())).collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn forward_it_skips_what_waits_and_says_who_wanted_that() {
    let (mut server, receiver, mut acme) = delivered(2).await;
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    server.append("acme", "a.b", 6).await;
    until(&mut acme, STATUS, |status| status["lag"]["events"] == 6).await;
    let sought = acme.post(SEEK, json!({ "to": { "offset": 7 } })).await.expect(200);
    assert_eq!((&sought["skipped"], &sought["again"], &sought["events"]), (&json!(4), &json!(0), &json!(2)));
    until(&mut acme, STATUS, |status| status["lag"]["events"] == 2).await;
    acme.post(&format!("{CRM}/resume"), json!({})).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 2 && status["cursor"] == 8).await;
    let mut offsets = numbers(&receiver, "hooklog-offset");
    offsets.sort_unstable();
    assert_eq!(offsets, [1, 2, 7, 8]);
    let explained = acme.get(&format!("{ACME}/events/@5/explain")).await.expect(200);
    let reason = &explained["endpoints"][0]["reason"];
    assert_eq!(reason["code"], "skipped", "{explained}");
    assert!(reason["detail"].as_str().unwrap().contains("by token test"), "{reason}");

    // Back into what was passed over: the row that told of all four tells of the first alone.
    acme.post(SEEK, json!({ "to": { "offset": 4 } })).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 5).await;
    let told: Vec<String> = outcomes(&mut acme, "").await.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(told, [&["delivered"; 2][..], &["skipped"], &["delivered"; 5]].concat());
}

#[tokio::test]
async fn dead_letters_it_is_moved_over_are_tried_again_and_those_before_it_stay() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    receiver.refuse("abort");
    let mut acme = server.account("acme", &["history", "settings", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 2).await;
    let letters = format!("{ACME}/dead-letters?endpoint=crm");
    let count = |page: &Value| page["items"].as_array().map_or(0, Vec::len);
    until(&mut acme, &letters, |page| count(page) == 2).await;
    receiver.answer(200);
    acme.post(SEEK, json!({ "to": { "offset": 2 } })).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 1).await;
    let left = until(&mut acme, &letters, |page| count(page) == 1).await;
    assert_eq!(left["items"][0]["offset"], 1);
    let redeliver = format!("{ACME}/deliveries/crm/1/redeliver");
    let problem = acme.post(&redeliver, json!({})).await.refused(409, "not_redeliverable");
    assert!(problem["detail"].as_str().unwrap().contains("a replay"), "{problem}");
    acme.post(&format!("{ACME}/deliveries/crm/1/discard"), json!({})).await.expect(200);
    assert_eq!(acme.get(STATUS).await.expect(200)["ledger"]["givenUp"], 0);
}

#[tokio::test]
async fn where_it_cannot_go_it_says_so() {
    let (_server, _receiver, mut acme) = delivered(2).await;
    let problem = acme.post(SEEK, json!({ "to": { "offset": 9 } })).await.refused(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/to/offset");
    acme.post(SEEK, json!({})).await.refused(422, "invalid_request");
    let now = acme.post(SEEK, json!({ "to": "now" })).await.expect(200);
    assert_eq!((&now["offset"], &now["recordedAt"], &now["events"]), (&json!(3), &Value::Null, &json!(0)));
}
