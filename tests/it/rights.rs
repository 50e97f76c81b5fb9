//! What an account receives: decided when it is sent, and from the moment of an answer by other rights.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::receiver::{Delivery, Receiver};
use crate::server::{Server, command};

const RIGHTS: &str = "/api/v1/accounts/acme/rights";

/// A call with something to withhold; every canary is a text of its own.
fn call(number: u64) -> Value {
    json!({
        "id": format!("evt_{number:06}"), "type": "call.ended", "occurredAt": "2026-03-02T09:14:07.512Z",
        "actor": { "kind": "USER", "userId": format!("u_{number}") },
        "data": {
            "agent": { "id": format!("u_{number}"), "login": format!("canary-login-{number}@acme.fr") },
            "interaction": { "id": format!("i_{}", number % 7), "flow": "VOICE", "channel": "VOICE" },
            "customer": { "number": format!("+336{number:08}"), "email": format!("canary{number}@example.com"), "country": "FR" },
            "queue": { "ref": "q_billing", "name": "Facturation" },
            "waitMs": 41_210, "unheardOf": format!("canary-unknown-{number}"),
        },
    })
}

fn calls(numbers: std::ops::Range<u64>) -> Value {
    Value::Array(numbers.map(call).collect())
}

#[tokio::test]
async fn a_new_account_gets_what_is_recommended_and_an_unticked_field_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account_as_made("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "order": "strict" })).await;
    receiver.verify_with(&server.secret("acme", "crm").await);
    let first = server.api().get(RIGHTS).await.json();
    server.post("acme", call(1)).await;
    let delivery = receiver.wait_for(1).await.remove(0);
    assert_eq!(
        delivery.json()["data"],
        json!({
            "agent": { "id": "u_1" }, "interaction": { "id": "i_1", "flow": "VOICE", "channel": "VOICE" },
            "customer": { "country": "FR" }, "queue": { "ref": "q_billing", "name": "Facturation" }, "waitMs": 41_210,
        })
    );
    assert_eq!(delivery.header("hooklog-rights"), first["revision"].as_str().unwrap());
    assert_eq!(delivery.header("hooklog-key"), "i_1");

    let rights = json!({ "fields": { "queue.name": "remove", "customer": "mask", "agent.id": "pseudonymize", "interaction.id": "pseudonymize" } });
    let saved = server.rights("acme", rights).await;
    server.post("acme", calls(2..4)).await;
    let mut deliveries = receiver.wait_for(4).await;
    let told = deliveries.remove(1);
    assert_eq!(told.header("hooklog-type"), "webhook.rights_changed", "a receiver is told why data has gone");
    let keys = json!(["agent.id", "customer", "interaction.id", "queue.name"]);
    assert_eq!(told.json()["data"], json!({ "entity": { "kind": "WEBHOOK_RIGHTS" }, "changedKeys": keys }));
    let data = deliveries[1].json()["data"].clone();
    assert_eq!(data["customer"], json!({ "number": "+*********02", "email": "***@example.com", "country": "***" }));
    assert_eq!(data["queue"], json!({ "ref": "q_billing" }));
    let pseudonym = data["agent"]["id"].as_str().unwrap().to_owned();
    assert!(pseudonym.len() == 26 && pseudonym.starts_with("psn_"), "{pseudonym}");
    assert_eq!(deliveries[1].json()["actor"]["userId"], pseudonym, "the same value has the same pseudonym");
    assert_ne!(deliveries[2].json()["data"]["agent"]["id"], pseudonym);
    assert_eq!(deliveries[1].header("hooklog-rights"), saved["revision"].as_str().unwrap());
    assert_eq!(deliveries[1].header("hooklog-key"), "", "the key would tell what the pseudonym hides");

    server.rights("acme", json!({ "types": { "call.*": false } })).await;
    server.post("acme", calls(4..6)).await;
    let unknown = json!({ "type": "agent.unheard_of", "data": { "agent": { "id": "u_1" } } });
    server.post("acme", unknown).await;
    let status = server.status_when("acme", "crm", |status| status["ledger"]["filtered"] == 3).await;
    // Three calls, and that rights have changed, which is told whatever they are.
    assert_eq!((&status["ledger"]["delivered"], &status["ledger"]["waiting"]), (&json!(5), &json!(0)));
    assert_eq!(status["ledger"]["withheldUnknown"], 1, "the part that the catalogue did not know");
    let told = server.api().get("/api/v1/status").await.json();
    assert_eq!((&told["withheldUnknown"], &told["problems"][0]["code"]), (&json!(1), &json!("unknown_types")));
    assert!(told["problems"][0]["detail"].as_str().unwrap().contains("agent.unheard_of (1)"), "{told}");
    assert_eq!(receiver.deliveries().len(), 5);
    assert_eq!(server.terminate(), Some(0));
}

/// Texts that must be nowhere in what leaves.
fn assert_no_canary(text: &str, place: &str) {
    for canary in ["canary", "+3360000"] {
        assert!(!text.contains(canary), "{canary} is in {place}: {}", text.chars().take(2_000).collect::<String>());
    }
}

#[tokio::test]
async fn what_is_withheld_is_nowhere_in_what_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let logs = std::fs::File::create(directory.path().join("logs")).unwrap();
    let mut command = command(directory.path());
    command.env("HOOKLOG_LOGS__FILTER", "trace").stderr(logs);
    let server = Server::start_with(command, directory.path());
    let receiver = Receiver::start().await;
    server.account_as_made("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let permissions =
        json!({ "name": "ci", "permissions": ["history", "payloads", "settings", "rights", "documentation"] });
    let token = server.api().post("/api/v1/accounts/acme/tokens", permissions).await.json();
    let mut own = server.api_as(token["token"].as_str().unwrap());
    server.post("acme", calls(1..200)).await;
    // A key of INO's own is in no field, and no type that nobody has heard of is sent.
    let keyed = json!({ "type": "call.ended", "key": "+33600000000", "data": {} });
    server.post("acme", keyed).await;
    server.post("acme", json!({ "type": "call.unheard_of", "data": { "text": "canary" } })).await;
    for delivery in receiver.wait_for(200).await {
        let headers: Vec<&[u8]> = delivery.headers.values().map(|value| value.as_bytes()).collect();
        assert_no_canary(&String::from_utf8_lossy(&headers.concat()), "the headers");
        assert_no_canary(&String::from_utf8_lossy(&delivery.body), "the body");
    }
    server.status_when("acme", "crm", |status| status["ledger"]["filtered"] == 1).await;
    for path in [
        "/api/v1/accounts/acme/events?limit=1000",
        "/api/v1/accounts/acme/events/@1",
        "/api/v1/accounts/acme/events/@201",
        "/api/v1/accounts/acme/deliveries?limit=1000",
        "/api/v1/accounts/acme/deliveries/crm/1",
        "/api/v1/accounts/acme/events/@1/explain",
        "/api/v1/accounts/acme/events/@201/explain",
        "/api/v1/accounts/acme/explain",
        "/api/v1/accounts/acme/explain?key=%2B33600000000",
        "/api/v1/accounts/acme/catalog",
        "/api/v1/accounts/acme/endpoints/crm/status",
    ] {
        let answer = own.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert_no_canary(&String::from_utf8_lossy(&answer.body), path);
    }
    let hidden = own.get("/api/v1/accounts/acme/events/@201").await.json();
    assert_eq!((&hidden["data"], &hidden["withheld"]), (&Value::Null, &json!("type_unknown")));
    // A search by a key that rights do not show finds nothing, and by one that they show finds it.
    let found = own.get("/api/v1/accounts/acme/events?key=%2B33600000000").await.json();
    assert_eq!(found["items"], json!([]));
    let found = own.get("/api/v1/accounts/acme/events?key=i_3").await.json();
    assert!(found["items"].as_array().unwrap().len() > 20, "{found}");
    // Whoever may see raw events sees all of it.
    let raw = server.api().get("/api/v1/accounts/acme/events/@1").await.json();
    assert_eq!(raw["data"], call(1)["data"]);
    let metrics = server.api().get("/metrics").await;
    assert_no_canary(&String::from_utf8_lossy(&metrics.body), "the metrics");
    assert_eq!(server.terminate(), Some(0));
    let logs = std::fs::read_to_string(directory.path().join("logs")).unwrap();
    assert!(logs.contains("endpoint state"), "there are logs: {logs}");
    assert_no_canary(&logs, "the logs");
}

/// Posts calls to a receiver that is down, until they all wait.
async fn let_wait(server: &Server, receiver: &Receiver, count: u64) -> Arc<AtomicBool> {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    receiver.answer_with(move |_| if down.load(Ordering::Acquire) { 503 } else { 204 });
    server.account_as_made("acme").await;
    server.rights("acme", json!({ "fields": { "customer.email": "keep", "agent.login": "keep" } })).await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    for first in (0..count).step_by(1_000) {
        server.post("acme", calls(first..(first + 1_000).min(count))).await;
    }
    server.status_when("acme", "crm", |status| status["state"] == "backing_off").await;
    is_down
}

fn taken_since(receiver: &Receiver, first: usize) -> Vec<Delivery> {
    receiver.deliveries().split_off(first)
}

#[tokio::test]
async fn rights_changed_while_thousands_wait_hold_for_all_of_them_also_through_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    let is_down = let_wait(&server, &receiver, 3_000).await;
    let saved = server.rights("acme", json!({ "fields": { "queue": "remove" } })).await;
    let first = receiver.deliveries().len();
    server.kill();
    is_down.store(false, Ordering::Release);
    let server = Server::start(directory.path());
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 3_001).await;
    let taken = taken_since(&receiver, first);
    assert!(taken.len() >= 3_001);
    for delivery in taken.iter().filter(|delivery| delivery.header("hooklog-type") == "call.ended") {
        assert_eq!(delivery.header("hooklog-rights"), saved["revision"].as_str().unwrap());
        assert_no_canary(&String::from_utf8_lossy(&delivery.body), "a body under other rights");
        assert!(delivery.json()["data"].get("queue").is_none());
    }
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_begins_under_rights_that_were_changed_before() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account_as_made("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "maxInFlight": IN_FLIGHT, "order": "none" })).await;
    let mut waited = 0;
    for round in 0..20_u64 {
        server.post("acme", calls(round * 500..(round + 1) * 500)).await;
        // In the midst of the stretch: some are delivered, most wait.
        // Each change before was told, too.
        receiver.wait_for(usize::try_from(round * 501 + 100).unwrap()).await;
        receiver.hold_answers(IN_FLIGHT).await;
        let treatment = if round % 2 == 0 { "keep" } else { "remove" };
        let saved = server.rights("acme", json!({ "fields": { "agent.login": treatment } })).await;
        let revision = saved["revision"].as_str().unwrap().to_owned();
        let first = receiver.deliveries().len();
        receiver.release_answers();
        receiver.wait_for(usize::try_from((round + 1) * 501).unwrap()).await;
        let after = taken_since(&receiver, first);
        waited += after.len();
        let under_others = after.iter().filter(|delivery| delivery.header("hooklog-rights") != revision).count();
        assert_eq!(under_others, 0, "requests under older rights began after the answer");
        for delivery in after.iter().filter(|delivery| delivery.header("hooklog-type") == "call.ended") {
            let has_login = delivery.json()["data"]["agent"].get("login").is_some();
            assert_eq!(has_login, treatment == "keep", "{:?}", delivery.headers);
        }
    }
    assert!(waited > 1_000, "only {waited} events waited while rights changed");
    let status = server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 10_020).await;
    assert_eq!(status["ledger"]["waiting"], 0);
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_catalogue_that_recommends_more_lets_nothing_new_out_until_rights_are_saved() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account_as_made("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", call(1)).await;
    receiver.wait_for(1).await;
    assert_eq!(server.terminate(), Some(0));
    let own = "[[field]]\npath = 'unheardOf'\nkind = 'string'\nclass = 'none'\nstatus = 'proposed'\nexample = 'x'\n\
               en = { name = 'Unheard', text = 'Of.' }\nfr = { name = 'Inouï', text = 'Dont.' }\n";
    std::fs::write(directory.path().join("own.toml"), own).unwrap();
    let mut command = command(directory.path());
    command.env("HOOKLOG_CATALOG__FILES", "own.toml");
    let server = Server::start_with(command, directory.path());
    server.post("acme", call(2)).await;
    let delivery = receiver.wait_for(2).await.remove(1);
    assert_no_canary(&String::from_utf8_lossy(&delivery.body), "a body before anybody saved");
    let pending = server.api().get(&format!("{RIGHTS}/pending")).await.json();
    assert_eq!(
        pending["items"],
        json!([{ "kind": "field", "name": "unheardOf", "change": "new", "now": "remove", "after": "keep" }])
    );
    server.rights("acme", json!({})).await;
    receiver.wait_for(3).await;
    server.post("acme", call(3)).await;
    let delivery = receiver.wait_for(4).await.remove(3);
    assert_eq!(delivery.json()["data"]["unheardOf"], "canary-unknown-3");
    assert_eq!(server.terminate(), Some(0));
    // A file with a mistake keeps the process from starting, in words.
    std::fs::write(directory.path().join("own.toml"), own.replace("string", "strong")).unwrap();
    let mut refused = crate::server::command(directory.path());
    refused.env("HOOKLOG_CATALOG__FILES", "own.toml").args(["serve", "--data", "data", "--ingest", "127.0.0.1:0"]);
    let output = refused.args(["--admin", "127.0.0.1:0"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && words.contains("own.toml: unheardOf: \"strong\" is no kind"), "{words}");
}

#[tokio::test]
async fn an_endpoint_receives_less_than_its_account_and_a_ceiling_bounds_both() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (crm, wfm) = (Receiver::start().await, Receiver::start().await);
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": crm.url() })).await;
    let narrowed = json!({ "types": { "call.*": false }, "fields": { "agent.login": "remove" } });
    server.endpoint("acme", "wfm", json!({ "url": wfm.url(), "rights": narrowed })).await;
    server.post("acme", call(1)).await;
    let login = json!({ "id": "evt_login", "type": "agent.logged_in", "data": call(2)["data"] });
    server.post("acme", login.clone()).await;
    assert_eq!(crm.wait_for(2).await[1].json()["data"], login["data"]);
    let narrowed = wfm.wait_for(1).await.remove(0);
    assert_eq!(narrowed.header("webhook-id"), "evt_login");
    assert_eq!(narrowed.json()["data"]["agent"], json!({ "id": "u_2" }));
    assert_eq!(narrowed.json()["data"]["customer"], login["data"]["customer"]);
    let ceiling = json!({ "fields": { "customer": "remove" } });
    let answer = server.api().send(Method::PUT, &format!("{RIGHTS}/ceiling"), Some(ceiling)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    // That the ceiling has changed is told to both, before the next event comes.
    crm.wait_for(3).await;
    wfm.wait_for(2).await;
    server.post("acme", json!({ "id": "evt_again", "type": "agent.logged_in", "data": call(3)["data"] })).await;
    for receiver in [(&crm, 4), (&wfm, 3)] {
        let delivery = receiver.0.wait_for(receiver.1).await.pop().unwrap();
        assert!(delivery.json()["data"].get("customer").is_none(), "{:?}", delivery.json());
    }
    assert_eq!(server.terminate(), Some(0));
}

const IN_FLIGHT: usize = 16;

#[tokio::test]
async fn an_endpoint_gets_the_types_it_asks_for_and_of_them_what_its_account_receives() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    server.account("acme").await;
    server.rights("acme", json!({ "types": { "*": true, "call.missed": false }, "fields": { "*": "keep" } })).await;
    let types = json!(["call.*", "never.heard_of"]);
    let saved = server.endpoint("acme", "crm", json!({ "url": receiver.url(), "types": types })).await;
    assert_eq!(saved["types"], types);
    let posted = ["call.ended", "call.missed", "call.unheard_of", "agent.logged_in", "never.heard_of", "never.heard"];
    let event = |name: &&str| json!({ "id": name.replace('.', "-"), "type": name, "data": { "name": "canary" } });
    server.post("acme", Value::Array(posted.iter().map(event).collect())).await;
    let is_settled = |ledger: &Value| ledger["accepted"] == 6 && ledger["waiting"] == 0;
    server.status_when("acme", "crm", |status| is_settled(&status["ledger"])).await;
    let sent: Vec<String> = receiver.deliveries().iter().map(|one| one.header("hooklog-type").to_owned()).collect();
    let mut sent: Vec<&str> = sent.iter().map(String::as_str).collect();
    sent.sort_unstable();
    assert_eq!(sent, ["call.ended", "call.unheard_of", "never.heard_of"]);
    assert_eq!(receiver.deliveries()[0].json()["data"], json!({ "name": "canary" }), "it is no right over fields");
    for (id, of) in [("call-missed", "account"), ("agent-logged_in", "types")] {
        let told = server.api().get(&format!("/api/v1/accounts/acme/events/{id}/explain")).await.json();
        assert_eq!(told["endpoints"][0]["reason"]["withheldBy"][0]["of"], of, "{told}");
    }
    // Left out, it is all that the account receives.
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.post("acme", json!({ "id": "last", "type": "agent.logged_in", "data": {} })).await;
    receiver.wait_for(4).await;
    let path = "/api/v1/accounts/acme/endpoints/crm";
    for (wrong, pointer) in [(json!([]), "/types"), (json!(["call.*", "call*"]), "/types/1")] {
        let refused = server.api().put(path, json!({ "url": receiver.url(), "types": wrong })).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{refused:?}");
    }
    assert_eq!(server.terminate(), Some(0));
}
