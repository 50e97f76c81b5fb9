//! Kills at random moments under load: nothing acknowledged is lost, nothing is doubled, all of it arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hooklog::runtime::Random;
use http::{Method, StatusCode};
use serde_json::json;

use crate::http::Client;
use crate::receiver::Receiver;
use crate::server::Server;

/// What was acknowledged: the id of every event by its account and offset.
type Acknowledged = BTreeMap<(String, u64), String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_under_load_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let mut random = Random::from_seed(SEED);
    let mut acknowledged = Acknowledged::new();
    let numbers = Arc::new(AtomicU64::new(0));
    for kill in 0..KILLS {
        let server = Server::start(directory.path());
        if kill == 0 {
            for account in ACCOUNTS {
                server.account(account).await;
                server.endpoint(account, "crm", json!({ "url": receiver.url(), "maxInFlight": 8 })).await;
            }
        }
        let mut senders = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            let account = ACCOUNTS[connection % ACCOUNTS.len()];
            senders.spawn(send(server.sender(), account, Arc::clone(&numbers), random.below(4)));
        }
        // The moment of the kill is the test: load before it, and whatever is half done at it.
        tokio::time::sleep(Duration::from_millis(40 + random.below(260))).await;
        server.kill();
        for taken in senders.join_all().await {
            for (place, id) in taken {
                let before = acknowledged.insert(place.clone(), id.clone());
                assert!(before.is_none(), "{place:?} was acknowledged for {before:?} and {id}");
            }
        }
    }
    let server = Server::start(directory.path());
    assert!(acknowledged.len() > KILLS * 20, "there was load: {}", acknowledged.len());
    for account in ACCOUNTS {
        check_log(&server, account, &acknowledged).await;
    }
    check_receiver(&server, &receiver, &acknowledged).await;
    assert_eq!(server.terminate(), Some(0));
    verify_offline(directory.path());
}

/// Posts events until the connection breaks; returns what was acknowledged.
async fn send(
    mut client: Client,
    account: &'static str,
    numbers: Arc<AtomicU64>,
    batch: u64,
) -> Vec<((String, u64), String)> {
    let mut taken = Vec::new();
    loop {
        let lines: Vec<String> = (0..=batch)
            .map(|_| {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                let key = number % 23;
                json!({ "id": format!("evt_{number}"), "type": "call.ended", "data": { "interaction": { "id": format!("i_{key}") } } })
                    .to_string()
            })
            .collect();
        let path = format!("/v1/accounts/{account}/events");
        let body = Bytes::from(lines.join("\n"));
        let Ok(answer) = client.try_send(Method::POST, &path, "application/x-ndjson", body).await else { return taken };
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        for result in answer.json()["results"].as_array().unwrap() {
            let place = (account.to_owned(), result["offset"].as_u64().unwrap());
            taken.push((place, result["id"].as_str().unwrap().to_owned()));
        }
    }
}

/// Every acknowledged event is in the log exactly once, at its offset, and the offsets are dense.
async fn check_log(server: &Server, account: &str, acknowledged: &Acknowledged) {
    let events = server.list(&format!("/api/v1/accounts/{account}/events?direction=oldest")).await;
    let offsets: Vec<u64> = events.iter().map(|event| event["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (1..=offsets.len() as u64).collect::<Vec<_>>(), "the offsets of {account} are dense");
    let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "no event of {account} is there twice");
    for ((owner, offset), id) in acknowledged.iter().filter(|((owner, _), _)| owner == account) {
        let index = usize::try_from(offset - 1).unwrap();
        assert_eq!(events[index]["id"], id.as_str(), "offset {offset} of {owner}");
    }
}

/// Everything in the log reaches its receiver, by key in order at its first coming, and no number names two events.
async fn check_receiver(server: &Server, receiver: &Receiver, acknowledged: &Acknowledged) {
    for account in ACCOUNTS {
        let status = server.status_when(account, "crm", |status| status["ledger"]["waiting"] == 0).await;
        assert_eq!(status["ledger"]["accepted"], status["ledger"]["delivered"], "{status}");
    }
    let mut arrived: BTreeSet<(String, u64)> = BTreeSet::new();
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut numbers: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for delivery in receiver.deliveries() {
        let account = delivery.header("hooklog-account").to_owned();
        let offset = delivery.number("hooklog-offset");
        let number = delivery.number("hooklog-sequence");
        let named = numbers.insert((account.clone(), number), offset);
        assert!(
            named.is_none_or(|before| before == offset),
            "number {number} of {account} names {named:?} and {offset}"
        );
        if !arrived.insert((account.clone(), offset)) {
            continue; // At least once: after a kill it may come again.
        }
        let lane = (account, delivery.header("hooklog-key").to_owned());
        let before = last.insert(lane.clone(), offset);
        assert!(before.is_none_or(|before| before < offset), "{lane:?}: {offset} first came after {before:?}");
    }
    let missing: Vec<_> = acknowledged.keys().filter(|place| !arrived.contains(*place)).collect();
    assert!(missing.is_empty(), "{} acknowledged events never arrived: {:?}", missing.len(), missing.first());
}

fn verify_offline(directory: &std::path::Path) {
    let verified = crate::server::command(directory)
        .args(["log", "verify", "-o", "json", "--data"])
        .arg(directory.join("data"))
        .output()
        .unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}

const SEED: u64 = 20_260_302;
const KILLS: usize = 30;
const CONNECTIONS: usize = 12;
const ACCOUNTS: [&str; 3] = ["acme", "globex", "initech"];
