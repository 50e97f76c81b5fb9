//! Rights tried over the past: what a backtest says would change is what changes.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::receiver::{Delivery, Receiver};
use crate::server::{PATIENCE, Server, command};

const ACME: &str = "/api/v1/accounts/acme";

fn event(number: u64) -> Value {
    let event_type =
        ["call.ended", "call.declined", "agent.logged_in", "never.heard_of"][usize::try_from(number % 4).unwrap()];
    let mut data = json!({
        "interaction": { "id": format!("i_{number}") }, "queue": { "name": format!("canary-{number}") },
        "customer": { "country": "FR", "number": "+33612345678" }, "canary-name": "canary",
    });
    if number.is_multiple_of(3) {
        data["queue"] = json!({ "ref": "q" });
    }
    json!({ "id": format!("evt_{number}"), "type": event_type, "data": data })
}

async fn ended(server: &Server, job: &Value) -> Value {
    let path = format!("{ACME}/backtests/{}", job["id"].as_str().unwrap());
    let mut api = server.api();
    let wait = async {
        loop {
            let job = api.get(&path).await.json();
            if !["queued", "running"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the backtest ends")
}

async fn backtest(server: &Server, request: Value) -> Value {
    let made = server.api().post(&format!("{ACME}/backtests"), request).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    ended(server, &made.json()).await
}

/// Returns the bodies by the events' offsets: live ones, or those of a replay.
fn bodies(deliveries: &[Delivery], is_replay: bool) -> BTreeMap<u64, Bytes> {
    let is_asked = |delivery: &&Delivery| delivery.headers.contains_key("hooklog-replay") == is_replay;
    let asked = deliveries.iter().filter(is_asked);
    asked.map(|delivery| (delivery.number("hooklog-offset"), delivery.body.clone())).collect()
}

#[tokio::test]
async fn what_a_backtest_says_would_change_is_what_changes() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    server.account_as_made("acme").await;
    server.rights("acme", json!({ "types": { "call.declined": false } })).await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "maxInFlight": 16 })).await;
    server.post("acme", Value::Array((0..1_000).map(event).collect())).await;
    let head = 1_000;
    let is_settled = |ledger: &Value| ledger["accepted"] == head && ledger["waiting"] == 0;
    server.status_when("acme", "crm", |status| is_settled(&status["ledger"])).await;
    let candidate = json!({
        "types": { "call.declined": true, "agent.*": false },
        "fields": { "queue.name": "mask", "customer.country": "pseudonymize" },
    });
    let before = server.api().get(&format!("{ACME}/rights")).await.json();
    let found = backtest(&server, json!({ "rights": candidate, "from": { "offset": 1 } })).await;
    assert_eq!((&found["state"], &found["progress"]), (&json!("completed"), &json!(1.0)), "{found}");
    let count = |name: &str| found["counts"][name].as_u64().unwrap();
    let parts = ["unchanged", "changed", "appearing", "disappearing", "withheld", "faults"];
    assert_eq!(parts.iter().map(|part| count(part)).sum::<u64>(), count("compared"));
    assert_eq!((count("compared"), count("matched"), count("faults")), (head, head, 0));
    // A quarter each: ended is changed, declined appears, logged_in disappears, the unheard-of is sent by neither.
    assert_eq!([count("changed"), count("appearing"), count("disappearing"), count("withheld")], [250; 4]);
    let text = found.to_string();
    assert!(!text.contains("canary") && !text.contains("+336"), "{text}");
    let fields = json!([
        { "path": "customer.country", "before": "keep", "after": "pseudonymize", "events": 250 },
        { "path": "queue.name", "before": "keep", "after": "mask", "events": 166 },
    ]);
    assert_eq!(found["fields"], fields);
    assert_eq!(found["samples"].as_array().unwrap().len(), 9, "three of each type that would change");
    let after = server.api().get(&format!("{ACME}/rights")).await.json();
    assert_eq!(before["revision"], after["revision"], "nothing was saved");

    // And so it is: the same stretch under the candidate.
    server.rights("acme", candidate).await;
    let replay = json!({ "endpoint": "crm", "from": { "offset": 1 }, "to": { "offset": head + 1 } });
    server.api().post(&format!("{ACME}/replays"), replay).await;
    let path = format!("{ACME}/replays/1");
    let wait = async {
        while server.api().get(&path).await.json()["state"] != "completed" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the replay ends");
    let deliveries = receiver.deliveries();
    let (then, now) = (bodies(&deliveries, false), bodies(&deliveries, true));
    let of_stretch =
        |bodies: &BTreeMap<u64, Bytes>| bodies.range(..=head).map(|(offset, _)| *offset).collect::<Vec<_>>();
    let (old, new) = (of_stretch(&then), of_stretch(&now));
    let appearing = new.iter().filter(|offset| !then.contains_key(offset)).count();
    let disappearing = old.iter().filter(|offset| !now.contains_key(offset)).count();
    let changed =
        new.iter().filter(|offset| then.get(offset).is_some_and(|body| Some(body) != now.get(offset))).count();
    assert_eq!([appearing, disappearing, changed], [250; 3]);
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn values_in_arrays_are_named_by_the_path_of_the_array() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account_as_made("acme").await;
    server.rights("acme", json!({ "fields": { "agent.teamRefs": "pseudonymize" } })).await;
    let data = json!({ "agent": { "id": "a_1", "teamRefs": ["t_1", "t_2"] } });
    server.post("acme", json!({ "type": "agent.logged_in", "data": data })).await;
    let candidate = json!({ "fields": { "agent.teamRefs": "keep" } });
    let found = backtest(&server, json!({ "rights": candidate, "from": { "offset": 1 } })).await;
    let field = &found["fields"][0];
    assert_eq!(
        (&field["path"], &field["before"], &field["after"]),
        (&json!("agent.teamRefs"), &json!("pseudonymize"), &json!("keep")),
        "{found}"
    );
    assert_eq!(found["unknownFields"], 0);
}

#[tokio::test]
async fn a_backtest_can_be_ended_and_is_refused_where_it_makes_no_sense() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account_as_made("acme").await;
    for start in (0..60_000).step_by(3_000) {
        server.post("acme", Value::Array((start..start + 3_000).map(event).collect())).await;
    }
    let path = format!("{ACME}/backtests");
    let start = json!({ "rights": { "default": "none" } });
    let (first, second) = (server.api().post(&path, start.clone()).await, server.api().post(&path, start).await);
    // One runs at a time: the second has not begun.
    let id = second.json()["id"].as_str().unwrap().to_owned();
    let cancelled = server.api().post(&format!("{path}/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
    assert_eq!((&cancelled.json()["state"], &cancelled.json()["counts"]["compared"]), (&json!("cancelled"), &json!(0)));
    let again = server.api().post(&format!("{path}/{id}/cancel"), json!({})).await;
    assert_eq!((again.status, &again.json()["code"]), (StatusCode::CONFLICT, &json!("job_not_cancellable")));
    ended(&server, &first.json()).await;
    // One that runs is ended in the middle; on a fast machine it takes some to catch one there.
    let mut caught = Value::Null;
    for _ in 0..50 {
        let job = server.api().post(&path, json!({ "rights": { "default": "none" } })).await.json();
        let cancel = format!("{path}/{}/cancel", job["id"].as_str().unwrap());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        caught = server.api().post(&cancel, json!({})).await.json();
        if caught["state"] == "cancelled" && caught["counts"]["compared"].as_u64().unwrap() > 0 {
            break;
        }
    }
    assert!(caught["progress"].as_f64().unwrap() < 1.0, "60,000 events take longer than a request: {caught}");
    let listed = server.list(&path).await;
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&caught["id"], &json!("cancelled")), "the newest first");
    // What has ended makes place.
    let small = backtest(&server, json!({ "rights": { "default": "none" }, "limit": 10 })).await;
    assert_eq!((&small["counts"]["matched"], &small["from"]["offset"]), (&json!(10), &json!(59_991)), "the newest");
    for (wrong, pointer) in [
        (json!({ "rights": { "fields": { "interaction.id": "remove" } } }), "/rights/fields/interaction.id"),
        (json!({ "rights": {}, "limit": 0 }), "/limit"),
        (json!({}), "/rights"),
    ] {
        let refused = server.api().post(&path, wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {refused:?}");
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}: {refused:?}");
    }
    assert_eq!(server.terminate(), Some(0), "a backtest does not hold up the end");
}

#[tokio::test]
async fn the_command_ends_with_3_where_what_it_was_told_would_happen() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account_as_made("acme").await;
    server.post("acme", Value::Array((0..40).map(event).collect())).await;
    let url = format!("http://{}", server.admin);
    let run = |arguments: &[&str]| {
        let mut command = command(directory.path());
        command.args(["rights", "backtest", "acme", "--url", &url, "--data"]).arg(directory.path().join("data"));
        let output = command.args(arguments).output().unwrap();
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code(), told)
    };
    let mask = ["--field", "queue.name=mask"];
    for (fail_on, code) in [("appear", 0), ("disappear", 3), ("change", 3), ("fault", 0)] {
        let (found, told) = run(&[&mask[..], &["--fail-on", fail_on]].concat());
        assert_eq!(found, Some(code), "{fail_on}: {told}");
        assert!(told.contains("queue.name") && told.contains("mask"), "{told}");
    }
    // Twins take the stricter of both treatments: one alone changes nothing.
    let (number, handle) = (["--field", "customer.number=keep"], ["--field", "customer.handle=keep"]);
    assert_eq!(run(&[&number[..], &["--fail-on", "change"]].concat()).0, Some(0));
    assert_eq!(run(&[&number[..], &handle, &["--fail-on", "appear"]].concat()).0, Some(3));
    let (code, told) = run(&[]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("say what to try"), "{told}");
}
