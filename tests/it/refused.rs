//! Events that a receiver refuses: parked, tried again, given up, redelivered, through kills, with nothing lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::receiver::{Delivery, Receiver};
use crate::server::{Server, command};

/// A server whose schedule is short.
fn start(directory: &Path) -> Server {
    let mut command = command(directory);
    command
        .env("HOOKLOG_DELIVER__RETRY_SCHEDULE", "50ms,300ms,300ms")
        .env("HOOKLOG_DELIVER__LANE_HOLD", "100ms")
        .env("HOOKLOG_DELIVER__REFUSALS_IN_A_ROW", "1000");
    Server::start_with(command, directory)
}

fn event(number: u64) -> Value {
    json!({
        "id": format!("evt_{number:06}"), "type": if number.is_multiple_of(2) { "call.ended" } else { "call.declined" },
        "data": { "interaction": { "id": format!("i_{}", number % 5) }, "n": number },
    })
}

/// What the events of one key were taken as, in the order in which they were: number, and whether late.
fn by_key(taken: &[Delivery]) -> BTreeMap<String, Vec<(u64, bool)>> {
    let mut lanes: BTreeMap<String, Vec<(u64, bool)>> = BTreeMap::new();
    for delivery in taken {
        let lane = lanes.entry(delivery.header("hooklog-key").to_owned()).or_default();
        lane.push((delivery.number("hooklog-offset"), delivery.header("hooklog-late") == "true"));
    }
    lanes
}

#[tokio::test]
async fn poison_events_are_parked_and_given_up_through_kills_and_everything_else_arrives_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "maxInFlight": 8 })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    // Every seventh event is poison: refused until the receiver is mended.
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = Arc::clone(&is_mended);
    receiver.answer_with(move |delivery| {
        let is_poison = delivery.number("hooklog-offset").is_multiple_of(7) && !mended.load(Ordering::Acquire);
        if is_poison { 422 } else { 200 }
    });
    let poison: BTreeSet<u64> = (1..=300).filter(|number| number % 7 == 0).collect();
    for batch in 0..10 {
        let events: Vec<Value> = (batch * 30 + 1..=batch * 30 + 30).map(event).collect();
        server.post("acme", Value::Array(events)).await;
        if batch % 3 == 2 {
            server.kill();
            server = start(directory.path());
        }
    }
    let count = poison.len() as u64;
    let settled = |status: &Value| status["ledger"]["waiting"] == 0 && status["ledger"]["givenUp"] == count;
    let status = server.status_when("acme", "crm", settled).await;
    assert_eq!((&status["ledger"]["delivered"], &status["parked"]), (&json!(300 - count), &json!(0)), "{status}");
    assert_eq!((&status["cursor"], &status["state"]), (&json!(300), &json!("live")));
    let letters = server.list("/api/v1/accounts/acme/dead-letters?endpoint=crm").await;
    let letters: BTreeSet<u64> = letters.iter().map(|letter| letter["offset"].as_u64().unwrap()).collect();
    assert_eq!(letters, poison);
    // Of a key everything came in order: what was refused first of all held its lane, and was late after that.
    let taken = receiver.deliveries();
    for (key, lane) in by_key(&taken) {
        // A kill may send again what was sent before: of each event the first request counts.
        let mut seen = BTreeSet::new();
        let first = lane.iter().filter(|(offset, is_late)| !is_late && seen.insert(*offset));
        let in_order: Vec<u64> = first.map(|(offset, _)| *offset).collect();
        assert!(in_order.is_sorted(), "{key}: {in_order:?}");
    }
    for offset in &poison {
        let tries: Vec<u64> = taken
            .iter()
            .filter(|it| it.number("hooklog-offset") == *offset)
            .map(|it| it.number("hooklog-attempt"))
            .collect();
        // A kill may forget that a request was made, and make it once more.
        assert_eq!(tries.last(), Some(&4), "{offset}: {tries:?}");
    }

    is_mended.store(true, Ordering::Release);
    let listed = server.hooklog(directory.path(), &["dead-letter", "list", "acme/crm", "--all", "-o", "ndjson"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), poison.len(), "{listed:?}");
    let one = server.hooklog(directory.path(), &["delivery", "redeliver", "acme/crm/7", "-o", "json"]);
    assert!(one.status.success(), "{one:?}");
    let discarded = server.hooklog(directory.path(), &["delivery", "discard", "acme/crm/14", "--yes", "-o", "json"]);
    let discarded: Value = serde_json::from_slice(&discarded.stdout).unwrap();
    assert_eq!(discarded["outcome"], "discarded");
    let refused = server.hooklog(directory.path(), &["delivery", "discard", "acme/crm/21"]);
    assert!(!refused.status.success(), "without a terminal it takes --yes");
    let rest = server.hooklog(directory.path(), &["dead-letter", "redeliver", "acme/crm", "--wait", "-o", "json"]);
    let rest: Value = serde_json::from_slice(&rest.stdout).unwrap_or_else(|_| panic!("{rest:?}"));
    assert_eq!((&rest["state"], &rest["counts"]["done"]), (&json!("completed"), &json!(count - 2)), "{rest}");
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 299).await;
    assert_eq!((&status["ledger"]["givenUp"], &status["ledger"]["waiting"]), (&json!(1), &json!(0)));
    let redelivered = receiver.deliveries().into_iter().filter(|it| it.header("hooklog-redelivery") == "true");
    let redelivered: BTreeSet<u64> = redelivered.map(|it| it.number("hooklog-offset")).collect();
    assert_eq!(redelivered, poison.into_iter().filter(|offset| *offset != 14).collect());
    let sequences: BTreeMap<u64, BTreeSet<u64>> =
        receiver.deliveries().iter().fold(BTreeMap::new(), |mut known: BTreeMap<u64, BTreeSet<u64>>, it| {
            known.entry(it.number("hooklog-sequence")).or_default().insert(it.number("hooklog-offset"));
            known
        });
    assert!(sequences.values().all(|offsets| offsets.len() == 1), "no number names two events");
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_wish_that_was_acknowledged_survives_a_kill_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path());
    let receiver = Receiver::start().await;
    receiver.answer_with(|delivery| if delivery.header("hooklog-redelivery") == "true" { 503 } else { 422 });
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", Value::Array((1..=3).map(event).collect())).await;
    server.status_when("acme", "crm", |status| status["ledger"]["givenUp"] == 3).await;
    for (offset, verb, outcome) in [(1, "redeliver", "parked"), (2, "discard", "discarded")] {
        let path = format!("/api/v1/accounts/acme/deliveries/crm/{offset}/{verb}");
        // What was just given up is written down a moment later.
        let answer = server.api().post(&path, json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let is_now = answer.json()["outcome"].as_str().unwrap().to_owned();
        assert!([outcome, "in_flight"].contains(&is_now.as_str()), "{offset}: {is_now}");
    }
    server.kill();
    let server = start(directory.path());
    let status = server.status_when("acme", "crm", |status| status["ledger"]["accepted"] == 3).await;
    assert_eq!((&status["ledger"]["givenUp"], &status["ledger"]["waiting"]), (&json!(2), &json!(1)), "{status}");
    receiver.answer_with(|_| 200);
    server.api().post("/api/v1/accounts/acme/endpoints/crm/retry", json!({})).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 1).await;
    let letters = server.list("/api/v1/accounts/acme/dead-letters").await;
    assert_eq!(letters.iter().map(|letter| letter["offset"].as_u64().unwrap()).collect::<Vec<_>>(), [3]);
}
