//! An endpoint is moved back with the real binary, and killed while it delivers again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::{Server, command};

fn start(directory: &Path) -> Server {
    Server::start_with(command(directory), directory)
}

#[tokio::test]
async fn everything_from_an_offset_on_arrives_once_more_through_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    let event = |number: u64| {
        json!({ "id": format!("evt_{number}"), "type": "call.ended",
                "data": { "interaction": { "id": format!("i_{}", number % 5) } } })
    };
    server.post("acme", Value::Array((1..=400).map(event).collect())).await;
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 400).await;

    let seek = ["endpoint", "seek", "acme/crm", "101", "-o", "json"];
    let asked = server.hooklog(directory.path(), &seek);
    assert_eq!(asked.status.code(), Some(2), "without a terminal it takes --yes: {asked:?}");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("300 events that were settled"), "{asked:?}");
    let dry = server.hooklog(directory.path(), &[&seek[..], &["--dry-run"]].concat());
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap_or_else(|_| panic!("{dry:?}"));
    assert_eq!((&dry["events"], &dry["again"], &dry["skipped"]), (&json!(300), &json!(300), &json!(0)));
    assert_eq!(receiver.deliveries().len(), 400, "a rehearsal sends nothing");

    let done = server.hooklog(directory.path(), &[&seek[..], &["--yes"]].concat());
    assert!(done.status.success(), "{done:?}");
    server.kill();
    server = start(directory.path());
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 300).await;
    let ledger = &status["ledger"];
    assert_eq!((&ledger["since"]["offset"], &ledger["accepted"]), (&json!(100), &json!(300)), "{status}");
    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    let mut numbers: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for delivery in receiver.deliveries() {
        let offset = delivery.number("hooklog-offset");
        *times.entry(offset).or_default() += 1;
        numbers.entry(delivery.number("hooklog-sequence")).or_default().insert(offset);
    }
    // A kill may send once more what it had just sent.
    let is_right = |(offset, times): (&u64, &u64)| if *offset > 100 { *times >= 2 } else { *times == 1 };
    assert!(times.len() == 400 && times.iter().all(is_right), "{times:?}");
    assert!(numbers.values().all(|offsets| offsets.len() == 1), "no number names two events");
}
