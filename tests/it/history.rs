//! What became of events is listed by what it was: the same as a look at every one of them, through seeks and kills.

use std::collections::BTreeSet;
use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::{Server, command};

const DELIVERIES: &str = "/api/v1/accounts/acme/deliveries";
const OUTCOMES: [&str; 10] = [
    "delivered",
    "filtered",
    "waiting",
    "in_flight",
    "held",
    "parked",
    "dead_letter",
    "discarded",
    "expired",
    "skipped",
];

fn start(directory: &Path) -> Server {
    let mut command = command(directory);
    command.env("HOOKLOG_DELIVER__RETRY_SCHEDULE", "[]");
    Server::start_with(command, directory)
}

/// Lists in pages of seven, and returns which page every item was on.
async fn paged(server: &Server, query: &str) -> Vec<(Value, usize)> {
    let (mut api, mut items, mut after) = (server.api(), Vec::new(), String::new());
    for page in 0.. {
        let path = format!("{DELIVERIES}?limit=7{query}{after}");
        let answer = api.send(Method::GET, &path, None).await.json();
        let found = answer["items"].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
        items.extend(found.iter().map(|item| (item.clone(), page)));
        match answer["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    items
}

/// Compares the list of every outcome with what a look at every delivery says; returns which outcomes there are.
async fn check(server: &Server) -> BTreeSet<String> {
    let all: Vec<Value> = paged(server, "").await.into_iter().map(|(item, _)| item).collect();
    let outcome_of = |item: &Value| item["outcome"].as_str().unwrap().to_owned();
    for outcome in OUTCOMES {
        let expected: Vec<Value> = all.iter().filter(|item| outcome_of(item) == outcome).cloned().collect();
        let found = paged(server, &format!("&outcome={outcome}")).await;
        let items: Vec<Value> = found.iter().map(|(item, _)| item.clone()).collect();
        let differs = |one: &[Value], other: &[Value]| -> Vec<Value> {
            one.iter().filter(|item| !other.contains(item)).cloned().collect()
        };
        let (more, less) = (differs(&items, &expected), differs(&expected, &items));
        assert_eq!(items, expected, "{outcome}: too many {more:?}, missing {less:?}");
        let is_full = found.iter().enumerate().all(|(index, (_, page))| index / 7 == *page);
        assert!(is_full, "{outcome}: every page is full: {:?}", found.iter().map(|(_, page)| page).collect::<Vec<_>>());
        let mut oldest = paged(server, &format!("&outcome={outcome}&direction=oldest")).await;
        oldest.sort_by_key(|(item, _)| (std::cmp::Reverse(item["offset"].as_u64()), item["endpoint"].to_string()));
        assert_eq!(
            oldest.into_iter().map(|(item, _)| item).collect::<Vec<_>>(),
            expected,
            "{outcome}, the oldest first"
        );
        let part = paged(server, &format!("&outcome={outcome}&endpoint=crm&fromOffset=40&toOffset=90")).await;
        let of_part = |item: &&Value| item["endpoint"] == "crm" && (40..90).contains(&item["offset"].as_u64().unwrap());
        assert_eq!(
            part.into_iter().map(|(item, _)| item).collect::<Vec<_>>(),
            expected.iter().filter(of_part).cloned().collect::<Vec<_>>(),
            "{outcome} of a part"
        );
    }
    let errors: BTreeSet<String> = all.iter().filter_map(|item| item["error"].as_str().map(str::to_owned)).collect();
    for error in errors {
        let expected: Vec<Value> = all.iter().filter(|item| item["error"] == error.as_str()).cloned().collect();
        let found = paged(server, &format!("&error={error}")).await;
        assert_eq!(found.into_iter().map(|(item, _)| item).collect::<Vec<_>>(), expected, "{error}");
    }
    all.iter().map(outcome_of).collect()
}

/// Sums up what happened step by step until it is what the ledgers say; it is written a moment after it has happened.
async fn check_activity(server: &Server, accepted: u64) {
    for endpoint in ["crm", "wall", "none"] {
        let path = format!("/api/v1/accounts/acme/activity?endpoint={endpoint}");
        let mut last = String::new();
        let agrees = async {
            loop {
                let activity = server.api().get(&path).await.json();
                let steps = activity["items"].as_array().unwrap_or_else(|| panic!("{activity}"));
                let sum = |name: &str| steps.iter().map(|step| step[name].as_u64().unwrap()).sum::<u64>();
                let status = server.status("acme", endpoint).await;
                let named = ["delivered", "filtered", "expired", "skipped"];
                let is_same = named.into_iter().all(|name| sum(name) == status["ledger"][name]);
                let has_requests = sum("requests") >= sum("delivered") && sum("failedRequests") >= sum("givenUp");
                if is_same && has_requests && sum("accepted") == accepted {
                    return;
                }
                last = format!("{activity} {status}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(std::time::Duration::from_secs(5), agrees).await.is_ok();
        assert!(in_time, "what happened at {endpoint} is not what the ledger says: {last}");
    }
}

#[tokio::test]
async fn deliveries_of_one_outcome_are_those_that_a_look_at_all_finds() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path());
    let receiver = Receiver::start().await;
    // One key is refused, so that its events are given up at once; everything else is taken.
    receiver.answer_with(|delivery| {
        let event = delivery.json();
        if event["data"]["interaction"]["id"] == "i_3" { 422 } else { 204 }
    });
    server.account("acme").await;
    let types = json!(["call.*"]);
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "types": types, "maxInFlight": 8 })).await;
    server.endpoint("acme", "wall", json!({ "url": receiver.url(), "order": "strict" })).await;
    server.endpoint("acme", "none", json!({ "url": receiver.url(), "types": ["agent.logged_out"] })).await;
    let event = |number: u64| {
        let kind = if number.is_multiple_of(5) { "agent.logged_in" } else { "call.ended" };
        json!({ "id": format!("evt_{number}"), "type": kind,
                "data": { "interaction": { "id": format!("i_{}", number % 11) } } })
    };
    let post = |numbers: std::ops::Range<u64>| Value::Array(numbers.map(event).collect());
    server.post("acme", post(1..121)).await;
    let is_settled =
        |status: &Value, accepted: u64| status["ledger"]["waiting"] == 0 && status["ledger"]["accepted"] == accepted;
    for endpoint in ["crm", "wall", "none"] {
        server.status_when("acme", endpoint, |status| is_settled(status, 120)).await;
    }
    let outcomes = check(&server).await;
    assert_eq!(outcomes, ["dead_letter", "delivered", "filtered"].map(str::to_owned).into());

    // What waits while it is paused is passed over by a person, and what comes then is delivered.
    server.api().post("/api/v1/accounts/acme/endpoints/crm/pause", json!({})).await;
    server.post("acme", post(121..161)).await;
    for endpoint in ["wall", "none"] {
        server.status_when("acme", endpoint, |status| is_settled(status, 160)).await;
    }
    let outcomes = check(&server).await;
    assert!(outcomes.contains("waiting"), "{outcomes:?}");
    let answer = server.api().post("/api/v1/accounts/acme/endpoints/crm/resume", json!({ "from": "now" })).await;
    assert!(answer.status.is_success(), "{answer:?}");
    server.post("acme", post(161..181)).await;
    for endpoint in ["crm", "wall", "none"] {
        server.status_when("acme", endpoint, |status| is_settled(status, 180)).await;
    }
    let discarded = format!("{DELIVERIES}/crm/3/discard");
    assert!(server.api().post(&discarded, json!({})).await.status.is_success());
    check_activity(&server, 180).await;
    let expected = ["dead_letter", "delivered", "discarded", "filtered", "skipped"];
    assert_eq!(check(&server).await, expected.map(str::to_owned).into());

    server.kill();
    server = start(directory.path());
    for endpoint in ["crm", "wall", "none"] {
        server.status_when("acme", endpoint, |status| is_settled(status, 180)).await;
    }
    assert_eq!(check(&server).await, expected.map(str::to_owned).into(), "after a kill");
    check_activity(&server, 180).await;
    // Moved back into the middle of runs, with other types from then on.
    let types = json!(["agent.*"]);
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "types": types, "maxInFlight": 8 })).await;
    let seek = json!({ "to": { "offset": 58 } });
    let answer = server.api().post("/api/v1/accounts/acme/endpoints/crm/seek", seek).await;
    assert!(answer.status.is_success(), "{answer:?}");
    server.kill();
    server = start(directory.path());
    server.status_when("acme", "crm", |status| is_settled(status, 123)).await;
    let outcomes = check(&server).await;
    assert!(outcomes.contains("filtered") && outcomes.contains("delivered"), "{outcomes:?}");

    // What was tried in vain before a start and passed over after it is found by why it failed.
    server.endpoint("acme", "away", json!({ "url": "http://127.0.0.1:9/", "maxInFlight": 4 })).await;
    server.post("acme", post(181..191)).await;
    let has_failed = |status: &Value| status["lastFailure"] != Value::Null && status["inFlight"] == 0;
    server.status_when("acme", "away", has_failed).await;
    server.api().post("/api/v1/accounts/acme/endpoints/away/pause", json!({})).await;
    server.status_when("acme", "away", |status| status["inFlight"] == 0).await;
    let tried = format!("{DELIVERIES}?endpoint=away&error=connection_refused");
    while server.list(&tried).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.kill();
    server = start(directory.path());
    let answer = server.api().post("/api/v1/accounts/acme/endpoints/away/resume", json!({ "from": "now" })).await;
    assert!(answer.status.is_success(), "{answer:?}");
    server.status_when("acme", "away", |status| status["ledger"]["skipped"] == 10).await;
    check(&server).await;
    let skipped = server.list(&format!("{tried}&outcome=skipped")).await;
    assert!(!skipped.is_empty() && skipped == server.list(&tried).await, "{skipped:?}");
}
