//! Kills at random moments under load: nothing acknowledged is lost, nothing is doubled, all of it arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hooklog::runtime::Random;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::Client;
use crate::receiver::{Delivery, Receiver};
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
    let mut server = Server::start(directory.path());
    for account in ACCOUNTS {
        server.account(account).await;
        server.endpoint(account, "crm", json!({ "url": receiver.url(), "maxInFlight": 8 })).await;
    }
    for _ in 0..KILLS {
        load_and_kill(server, CONNECTIONS, &mut acknowledged, &numbers, &mut random).await;
        server = Server::start(directory.path());
    }
    assert!(acknowledged.len() > KILLS * 20, "there was load: {}", acknowledged.len());
    for account in ACCOUNTS {
        check_log(&server, account, &acknowledged).await;
    }
    for account in ACCOUNTS {
        let status = server.status_when(account, "crm", |status| status["ledger"]["waiting"] == 0).await;
        assert_eq!(status["ledger"]["accepted"], status["ledger"]["delivered"], "{status}");
    }
    let arrived: Vec<Arrived> = receiver.deliveries().iter().map(Arrived::of_delivery).collect();
    check_arrived(&arrived, &acknowledged, &BTreeSet::new());
    assert_eq!(server.terminate(), Some(0));
    verify_offline(directory.path());
}

/// The same with the receiver that `hooklog receive` plays: it refuses, resets, loses its answers, hangs, sends
/// elsewhere, has no end, and has never heard of one key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_kills_before_a_bad_receiver_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut serve = crate::server::command(directory.path());
        serve.env("HOOKLOG_DELIVER__TIMEOUT", "2s");
        serve.env("HOOKLOG_DELIVER__RETRY_SCHEDULE", "50ms,100ms,200ms,200ms,400ms,400ms");
        Server::start_with(serve, directory.path())
    };
    let mut random = Random::from_seed(SEED + 1);
    let mut acknowledged = Acknowledged::new();
    let numbers = Arc::new(AtomicU64::new(0));
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = start();
    let mut secrets = Vec::new();
    for account in ACCOUNTS {
        server.account(account).await;
        let url = format!("http://{address}/in");
        server.endpoint(account, "crm", json!({ "url": url, "maxInFlight": 8 })).await;
        secrets.push(server.secret(account, "crm").await);
    }
    let printed = directory.path().join("received.ndjson");
    let mut receive = std::process::Command::new(env!("CARGO_BIN_EXE_hooklog"));
    receive.env_clear().args(["receive", "--listen", &address.to_string(), "-o", "ndjson"]);
    receive.args(secrets.iter().flat_map(|secret| ["--secret", secret]));
    receive.args(MISCHIEF.iter().flat_map(|mischief| ["--misbehave", mischief]));
    let mut receiver = receive.stdout(std::fs::File::create(&printed).unwrap()).spawn().unwrap();
    for _ in 0..KILLS {
        load_and_kill(server, ACCOUNTS.len(), &mut acknowledged, &numbers, &mut random).await;
        server = start();
    }
    assert!(acknowledged.len() > KILLS * 20, "there was load: {}", acknowledged.len());
    let mut given_up = BTreeSet::new();
    for account in ACCOUNTS {
        check_log(&server, account, &acknowledged).await;
        let settle = settle(&server, account);
        assert!(tokio::time::timeout(SETTLE_WITHIN, settle).await.is_ok(), "{}", server.status(account, "crm").await);
        let status = server.status(account, "crm").await;
        let letters = server.list(&format!("/api/v1/accounts/{account}/dead-letters")).await;
        assert_eq!(status["ledger"]["givenUp"], letters.len(), "{status}");
        given_up.extend(letters.iter().map(|letter| (account.to_owned(), letter["offset"].as_u64().unwrap())));
    }
    assert_eq!(server.terminate(), Some(0));
    verify_offline(directory.path());
    let id = rustix::process::Pid::from_child(&receiver);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    receiver.wait().unwrap();
    let printed = std::fs::read_to_string(&printed).unwrap();
    let told: Vec<Value> = printed.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    for mischief in ["500", "429", "404", "reset", "lose", "hang", "redirect", "endless", "slow"] {
        assert!(
            told.iter().any(|one| one["mischief"] == mischief),
            "{mischief} was not met in {} requests",
            told.len()
        );
    }
    assert!(told.iter().all(|one| one["verified"] == true));
    let arrived: Vec<Arrived> = told.iter().filter_map(Arrived::of_line).collect();
    assert!(arrived.iter().all(|one| one.key != POISON), "one of that key was taken");
    check_arrived(&arrived, &acknowledged, &given_up);
    let poisoned = |(account, offset): &&(String, u64)| {
        told.iter().any(|one| one["account"] == **account && one["offset"] == *offset && one["key"] == POISON)
    };
    assert_eq!(
        given_up.iter().filter(poisoned).count(),
        given_up.len(),
        "what others refused for a while is not given up"
    );
}

/// Waits until nothing waits any more. Events of other keys come in meanwhile: where nothing but one key is left that
/// is always answered 404, the receiver counts as in trouble, and rightly.
async fn settle(server: &Server, account: &str) {
    let retry = format!("/api/v1/accounts/{account}/endpoints/crm/retry");
    while server.status(account, "crm").await["ledger"]["waiting"] != 0 {
        server.post(account, json!({ "type": "call.ended", "data": {} })).await;
        // Whoever looks after it does not wait for the next probe.
        server.api().post(&retry, json!({})).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Sends to all accounts until the process is killed, at a moment of chance; notes what was acknowledged.
async fn load_and_kill(
    server: Server,
    connections: usize,
    acknowledged: &mut Acknowledged,
    numbers: &Arc<AtomicU64>,
    random: &mut Random,
) {
    let mut senders = tokio::task::JoinSet::new();
    for connection in 0..connections {
        let account = ACCOUNTS[connection % ACCOUNTS.len()];
        senders.spawn(send(server.sender(), account, Arc::clone(numbers), random.below(4)));
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

/// An event that a receiver has taken.
struct Arrived {
    account: String,
    offset: u64,
    number: u64,
    key: String,
}

impl Arrived {
    fn of_delivery(delivery: &Delivery) -> Self {
        Self {
            account: delivery.header("hooklog-account").to_owned(),
            offset: delivery.number("hooklog-offset"),
            number: delivery.number("hooklog-sequence"),
            key: delivery.header("hooklog-key").to_owned(),
        }
    }

    /// Reads a line of `hooklog receive`; none where it has not taken the event.
    fn of_line(line: &Value) -> Option<Self> {
        let is_taken = line["mischief"] == "lose" || line["status"].as_u64().is_some_and(|status| status < 300);
        is_taken.then(|| Self {
            account: line["account"].as_str().unwrap().to_owned(),
            offset: line["offset"].as_u64().unwrap(),
            number: line["sequence"].as_u64().unwrap(),
            key: line["key"].as_str().unwrap_or_default().to_owned(),
        })
    }
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
                let key = if number % 4_000 == 7 { POISON.to_owned() } else { format!("i_{}", number % 23) };
                json!({ "id": format!("evt_{number}"), "type": "call.ended", "data": { "interaction": { "id": key } } })
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

/// Everything that was acknowledged has arrived or was given up, by key in order at its first coming, and no number
/// names two events.
fn check_arrived(all: &[Arrived], acknowledged: &Acknowledged, given_up: &BTreeSet<(String, u64)>) {
    let mut arrived: BTreeSet<(String, u64)> = BTreeSet::new();
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut numbers: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for Arrived { account, offset, number, key } in all {
        let (offset, number) = (*offset, *number);
        let named = numbers.insert((account.clone(), number), offset);
        assert!(
            named.is_none_or(|before| before == offset),
            "number {number} of {account} names {named:?} and {offset}"
        );
        // At least once: after a kill it may come again. What has no key has no order.
        if !arrived.insert((account.clone(), offset)) || key.is_empty() {
            continue;
        }
        let lane = (account.clone(), key.clone());
        let before = last.insert(lane.clone(), offset);
        assert!(before.is_none_or(|before| before < offset), "{lane:?}: {offset} first came after {before:?}");
    }
    let missing: Vec<_> =
        acknowledged.keys().filter(|place| !arrived.contains(*place) && !given_up.contains(*place)).collect();
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
const POISON: &str = "i_poison";
const MISCHIEF: &[&str] = &[
    "404@key=i_poison",
    "hang@0.3%",
    "500@4%",
    "reset@3%",
    "lose@3%",
    "redirect@1%",
    "endless@2%",
    "429:1s@0.5%",
    "slow:30ms@5%",
];
const SETTLE_WITHIN: Duration = Duration::from_mins(3);
const CONNECTIONS: usize = 12;
const ACCOUNTS: [&str; 3] = ["acme", "globex", "initech"];
