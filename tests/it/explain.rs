//! Why an event is where it is, and what exactly was sent of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use http::StatusCode;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Server;

const ACME: &str = "/api/v1/accounts/acme";

fn call(number: u64) -> Value {
    json!({
        "id": format!("evt_{number}"), "type": "call.ended", "key": format!("i_{number}"),
        "actor": { "kind": "USER", "userId": "u_1" },
        "data": {
            "interaction": { "id": format!("i_{number}") }, "queue": { "name": "Facturation" },
            "customer": { "number": "+33612345678", "country": "FR" }, "canary-name": "canary",
        },
    })
}

async fn get(server: &Server, path: &str) -> Value {
    let answer = server.api().get(&format!("{ACME}{path}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer.json()
}

/// Returns what became of an event at an endpoint.
async fn at(server: &Server, event: &str, endpoint: &str) -> Value {
    let explained = get(server, &format!("/events/{event}/explain")).await;
    let endpoints = explained["endpoints"].as_array().unwrap().clone();
    endpoints.into_iter().find(|one| one["endpoint"] == endpoint).unwrap_or_else(|| panic!("{explained}"))
}

/// Makes a token of the account and returns it.
async fn token(server: &Server, permissions: &[&str]) -> String {
    let made = server.api().post(&format!("{ACME}/tokens"), json!({ "name": "t", "permissions": permissions })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    made.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_body_as_sent_is_made_again_byte_by_byte_through_changes_a_restart_and_a_replay() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    server.account_as_made("acme").await;
    let endpoint = |format: &str| json!({ "url": receiver.url(), "format": format, "order": "strict" });
    server.endpoint("acme", "crm", endpoint("envelope")).await;
    server.post("acme", call(1)).await;
    receiver.wait_for(1).await;
    // Rights, the ceiling, the endpoint's own rights, its format: each change makes other bodies.
    server.rights("acme", json!({ "fields": { "customer.number": "mask", "interaction.id": "pseudonymize" } })).await;
    receiver.wait_for(2).await;
    server.post("acme", call(2)).await;
    receiver.wait_for(3).await;
    server.endpoint("acme", "crm", endpoint("cloudevents")).await;
    server.post("acme", call(3)).await;
    receiver.wait_for(4).await;
    let ceiling = server.api().put(&format!("{ACME}/rights/ceiling"), json!({ "fields": { "queue": "remove" } })).await;
    assert!(ceiling.status.is_success(), "{ceiling:?}");
    receiver.wait_for(5).await;
    server.post("acme", call(4)).await;
    receiver.wait_for(6).await;
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(directory.path());
    let narrowed =
        json!({ "url": receiver.url(), "order": "strict", "rights": { "fields": { "customer": "remove" } } });
    server.endpoint("acme", "crm", narrowed).await;
    let replay =
        server.api().post(&format!("{ACME}/replays"), json!({ "endpoint": "crm", "from": { "offset": 1 } })).await;
    assert_eq!(replay.status, StatusCode::CREATED, "{replay:?}");
    let deliveries = receiver.wait_for(12).await;

    let mut shown = 0;
    for delivery in &deliveries {
        let path = format!("/deliveries/crm/{}", delivery.header("hooklog-offset"));
        let found = get(&server, &path).await;
        let replay = delivery.headers.get("hooklog-replay").map(|job| job.to_str().unwrap().to_owned());
        let attempts = found["attempts"].as_array().unwrap();
        let attempt = attempts.iter().find(|one| one["replay"] == json!(replay)).unwrap_or_else(|| panic!("{found}"));
        assert_eq!(attempt["body"].as_str().map(str::as_bytes), Some(&*delivery.body), "{attempt}");
        assert_eq!(attempt["rights"], delivery.header("hooklog-rights"), "{attempt}");
        shown += 1;
    }
    assert_eq!(shown, 12);
    let bodies: std::collections::BTreeSet<_> = deliveries.iter().map(|delivery| delivery.body.clone()).collect();
    assert!(bodies.len() >= 10, "the changes made other bodies");

    // Who may not see payloads is told the hash, and no body.
    let history = token(&server, &["history"]).await;
    let found = server.api_as(&history).get(&format!("{ACME}/deliveries/crm/1")).await.json();
    let attempt = &found["attempts"][0];
    assert_eq!((attempt["bodyHash"].as_str().unwrap().len(), attempt.get("body")), (32, None), "{attempt}");
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn of_every_event_it_is_told_where_it_is_and_why() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    server.account_as_made("acme").await;
    server.post("acme", call(1)).await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    let early = at(&server, "evt_1", "crm").await;
    assert_eq!((&early["outcome"], &early["reason"]["code"]), (&Value::Null, &json!("before_endpoint")), "{early}");

    // Delivered, with what rights touched: by name what the catalogue knows, as a count what it does not.
    let rights = server
        .rights(
            "acme",
            json!({ "fields": { "customer.number": "mask", "customer.handle": "mask", "queue.name": "remove" } }),
        )
        .await;
    server.post("acme", call(2)).await;
    receiver.wait_for(2).await;
    server.status_when("acme", "crm", |status| status["ledger"]["waiting"] == 0).await;
    let history = token(&server, &["history"]).await;
    let explained = server.api_as(&history).get(&format!("{ACME}/events/evt_2/explain")).await;
    let text = String::from_utf8(explained.body.to_vec()).unwrap();
    assert!(!text.contains("canary") && !text.contains("Facturation") && !text.contains("+336"), "{text}");
    let told = &explained.json()["endpoints"][0];
    assert_eq!((&told["outcome"], &told["reason"]["code"]), (&json!("delivered"), &json!("taken")), "{told}");
    assert_eq!(
        told["fields"],
        json!([{ "path": "customer.number", "treatment": "mask" }, { "path": "queue.name", "treatment": "remove" }])
    );
    assert_eq!((&told["unknownFields"], &told["rights"]), (&json!(1), &rights["revision"]), "{told}");
    let raw = at(&server, "evt_2", "crm").await;
    assert!(raw["fields"].to_string().contains("canary-name"), "with raw, all names: {raw}");

    // Withheld: by which rights, since when, by whom; and it stays true when rights have changed since.
    let saved = server.rights("acme", json!({ "types": { "call.*": false } })).await;
    server.rights("acme", json!({ "types": { "call.*": false }, "fields": { "queue.name": "mask" } })).await;
    server.post("acme", call(3)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["filtered"] == 1).await;
    server.rights("acme", json!({})).await;
    for _ in 0..2 {
        let told = at(&server, "evt_3", "crm").await;
        assert_eq!(
            (&told["outcome"], &told["reason"]["code"]),
            (&json!("filtered"), &json!("type_withheld")),
            "{told}"
        );
        let by = &told["reason"]["withheldBy"];
        assert_eq!(
            (by.as_array().unwrap().len(), &by[0]["of"], &by[0]["name"]),
            (1, &json!("account"), &json!("call.*"))
        );
        assert_eq!(
            (&by[0]["revision"], &by[0]["since"]),
            (&saved["revision"], &saved["updatedAt"]),
            "the first of both"
        );
        assert_eq!(by[0]["by"], "operator");
        // Another change that allows it moves nothing.
        server.rights("acme", json!({ "default": "all" })).await;
    }

    // Unknown to the catalogue; withheld by the ceiling and the endpoint.
    server.post("acme", json!({ "id": "evt_4", "type": "never.heard_of", "data": {} })).await;
    server.status_when("acme", "crm", |status| status["ledger"]["filtered"] == 2).await;
    let told = at(&server, "evt_4", "crm").await;
    assert_eq!(told["reason"]["code"], "type_unknown", "{told}");
    let ceiling = json!({ "types": { "call.ended": false } });
    server.api().put(&format!("{ACME}/rights/ceiling"), ceiling.clone()).await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url(), "rights": ceiling })).await;
    server.post("acme", call(5)).await;
    server.status_when("acme", "crm", |status| status["ledger"]["filtered"] == 3).await;
    let told = at(&server, "evt_5", "crm").await;
    let by = told["reason"]["withheldBy"].as_array().unwrap();
    assert_eq!(by.iter().map(|by| &by["of"]).collect::<Vec<_>>(), ["ceiling", "endpoint"], "{told}");
    assert_eq!((&by[0]["name"], &by[0]["by"]), (&Value::Null, &Value::Null), "a ceiling is not shown");
    assert_eq!(by[1]["name"], "call.ended");
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn what_waits_is_told_with_what_holds_it_up_and_a_stretch_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (server, receiver) = (Server::start(directory.path()), Receiver::start().await);
    let answer = Arc::new(AtomicU16::new(422));
    let answers = Arc::clone(&answer);
    receiver.answer_with(move |_| answers.load(Ordering::SeqCst));
    server.account_as_made("acme").await;
    let nothing = get(&server, "/explain").await;
    assert_eq!((&nothing["events"], &nothing["nothing"]["code"]), (&json!(0), &json!("nothing_came")), "{nothing}");

    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    server.endpoint("acme", "off", json!({ "url": receiver.url(), "enabled": false })).await;
    server.post("acme", call(1)).await;
    receiver.wait_for(1).await;
    server.status_when("acme", "crm", |status| status["held"] == 1).await;
    let held = at(&server, "evt_1", "crm").await;
    assert_eq!((&held["outcome"], &held["reason"]["code"]), (&json!("held"), &json!("refused")), "{held}");
    assert!(held["reason"]["detail"].as_str().unwrap().contains("with 422"), "{held}");
    let off = at(&server, "evt_1", "off").await;
    assert_eq!((&off["outcome"], &off["reason"]["code"]), (&json!("waiting"), &json!("switched_off")), "{off}");
    let paused = server.api().post(&format!("{ACME}/endpoints/crm/pause"), json!({})).await;
    assert!(paused.status.is_success());
    server.post("acme", json!([call(2), { "id": "evt_3", "type": "agent.logged_in", "data": {} }])).await;
    let waits = at(&server, "evt_2", "crm").await;
    assert_eq!((&waits["outcome"], &waits["reason"]["code"]), (&json!("waiting"), &json!("paused")), "{waits}");

    let found = get(&server, "/explain?type=call.*").await;
    assert_eq!((&found["events"], &found["nextOffset"]), (&json!(2), &Value::Null), "{found}");
    let counts = json!([
        { "endpoint": "crm", "outcome": "waiting", "code": "paused", "events": 1 },
        { "endpoint": "crm", "outcome": "held", "code": "refused", "events": 1 },
        { "endpoint": "off", "outcome": "waiting", "code": "switched_off", "events": 2 },
    ]);
    assert_eq!(found["counts"], counts);
    assert_eq!(found["items"][1]["id"], "evt_2", "{found}");
    let by_key = get(&server, "/explain?key=i_2").await;
    assert_eq!((&by_key["events"], &by_key["items"][0]["id"]), (&json!(1), &json!("evt_2")), "{by_key}");

    // Nothing of it came, though other things did.
    let none = get(&server, "/explain?type=call.declined").await;
    assert_eq!(none["nothing"]["code"], "nothing_matched", "{none}");
    // Nothing at all came after the last.
    let head = get(&server, "/explain?fromOffset=4").await;
    let nothing = &head["nothing"];
    assert_eq!((&nothing["code"], &nothing["before"]["id"]), (&json!("nothing_came"), &json!("evt_3")), "{head}");
    assert_eq!(server.terminate(), Some(0));
}
