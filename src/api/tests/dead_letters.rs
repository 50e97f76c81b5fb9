//! What was given up: listed, explained, delivered after all, discarded, one by one and many at once.

use serde_json::{Value, json};

use super::{Client, Receiver, Server, draft, start, until};

const ACME: &str = "/api/v1/accounts/acme";
const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";
const STATUS: &str = "/api/v1/accounts/acme/endpoints/crm/status";

/// An account whose receiver gives up whatever it is sent.
async fn refusing() -> (Server, Receiver, Client) {
    let server = start().await;
    let receiver = Receiver::start(&server).await;
    receiver.refuse("abort");
    let mut acme = server.account("acme", &["history", "settings", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    (server, receiver, acme)
}

/// Waits until so many are dead letters of the endpoint, and can be listed.
async fn given_up(acme: &mut Client, count: usize) {
    let listed = format!("{ACME}/dead-letters?endpoint=crm");
    until(acme, &listed, |page| page["items"].as_array().is_some_and(|items| items.len() == count)).await;
    let status = acme.get(STATUS).await.expect(200);
    assert_eq!((&status["ledger"]["givenUp"], &status["ledger"]["waiting"]), (&json!(count), &json!(0)));
}

async fn delivery(acme: &mut Client, offset: u64) -> Value {
    acme.get(&format!("{ACME}/deliveries/crm/{offset}")).await.expect(200)
}

fn offsets(items: &[Value]) -> Vec<u64> {
    items.iter().map(|item| item["offset"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_a_receiver_never_wants_is_a_dead_letter_until_somebody_redelivers_it() {
    let (mut server, receiver, mut acme) = refusing().await;
    server.append("acme", "a.b", 2).await;
    given_up(&mut acme, 2).await;
    let dead = delivery(&mut acme, 1).await;
    assert_eq!((&dead["outcome"], &dead["sequence"], &dead["status"]), (&json!("dead_letter"), &json!(1), &json!(422)));
    let explained = acme.get(&format!("{ACME}/events/@1/explain")).await.expect(200);
    let reason = &explained["endpoints"][0]["reason"];
    assert_eq!(reason["code"], "aborted", "{explained}");
    assert!(reason["detail"].as_str().unwrap().contains("asked for it to be given up"), "{reason}");

    receiver.answer(200);
    let path = format!("{ACME}/deliveries/crm/1/redeliver");
    let waiting = acme.post(&path, json!({})).await.expect(200);
    assert!(["parked", "in_flight", "delivered"].contains(&waiting["outcome"].as_str().unwrap()), "{waiting}");
    let status = until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 1).await;
    assert_eq!((&status["ledger"]["givenUp"], &status["ledger"]["accepted"]), (&json!(1), &json!(2)));
    let delivered = delivery(&mut acme, 1).await;
    assert_eq!((&delivered["outcome"], &delivered["attemptCount"]), (&json!("delivered"), &json!(2)));
    let sent = receiver.got.lock().unwrap().last().cloned().unwrap();
    for (name, value) in [
        ("webhook-id", "e1"),
        ("hooklog-redelivery", "true"),
        ("hooklog-late", "true"),
        ("hooklog-attempt", "2"),
        ("hooklog-sequence", "1"),
    ] {
        assert_eq!(sent[name], value, "{name}");
    }
    let first = receiver.got.lock().unwrap().first().cloned().unwrap();
    assert!(!first.contains_key("hooklog-redelivery") && !first.contains_key("hooklog-late"));

    let again = acme.post(&path, json!({})).await.refused(409, "not_redeliverable");
    assert_eq!(again["detail"], "it is delivered: a replay from its offset to the next sends it again");
    acme.post(&format!("{ACME}/deliveries/crm/9/redeliver"), json!({})).await.refused(404, "delivery_not_found");
}

#[tokio::test]
async fn what_is_discarded_is_known_by_whom_and_can_be_redelivered() {
    let (mut server, receiver, mut acme) = refusing().await;
    server.append("acme", "a.b", 1).await;
    given_up(&mut acme, 1).await;
    let path = |verb: &str| format!("{ACME}/deliveries/crm/1/{verb}");
    let discarded = acme.post(&path("discard"), json!({})).await.expect(200);
    assert_eq!(discarded["outcome"], "discarded");
    assert_eq!(acme.post(&path("discard"), json!({})).await.expect(200)["outcome"], "discarded", "twice is once");
    assert!(acme.list(&format!("{ACME}/dead-letters"), 10).await.is_empty());
    let explained = acme.get(&format!("{ACME}/events/@1/explain")).await.expect(200);
    let reason = &explained["endpoints"][0]["reason"];
    assert_eq!(reason["code"], "discarded");
    assert!(reason["detail"].as_str().unwrap().contains("token test"), "{reason}");
    assert_eq!(acme.get(STATUS).await.expect(200)["ledger"]["givenUp"], 1);
    receiver.answer(200);
    acme.post(&path("redeliver"), json!({})).await.expect(200);
    until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 1).await;
    acme.post(&path("discard"), json!({})).await.refused(409, "not_discardable");
}

#[tokio::test]
async fn what_waits_for_its_next_try_is_parked_and_can_be_tried_at_once_or_discarded() {
    let (mut server, receiver, mut acme) = refusing().await;
    receiver.answer(422);
    for id in ["one", "two"] {
        server.append_draft("acme", draft(id, "a.b", None, 1)).await;
    }
    let status = until(&mut acme, STATUS, |status| status["parked"] == 2).await;
    assert_eq!((&status["state"], &status["cursor"]), (&json!("live"), &json!(2)), "{status}");
    assert_eq!(status["ledger"]["waiting"], 2);
    let path = format!("{ACME}/deliveries/crm/1");
    let parked = until(&mut acme, &path, |delivery| delivery["nextAttemptAt"].is_string()).await;
    assert_eq!(parked["outcome"], "parked");
    assert!(parked["nextAttemptAt"].as_str() > parked["lastAttemptAt"].as_str(), "{parked}");
    let explained = acme.get(&format!("{ACME}/events/@1/explain")).await.expect(200);
    let detail = explained["endpoints"][0]["reason"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("with 422") && detail.contains("its lane has gone on"), "{detail}");
    acme.post(&format!("{ACME}/deliveries/crm/2/discard"), json!({})).await.expect(200);
    receiver.answer(200);
    acme.post(&format!("{ACME}/deliveries/crm/1/redeliver"), json!({})).await.expect(200);
    let status = until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 1).await;
    assert_eq!((&status["parked"], &status["ledger"]["givenUp"]), (&json!(0), &json!(1)));
    assert_eq!(delivery(&mut acme, 2).await["outcome"], "discarded");
}

#[tokio::test]
async fn a_receiver_that_wants_nothing_more_may_say_so_with_any_refusal() {
    let (mut server, receiver, mut acme) = refusing().await;
    receiver.refuse("disable");
    server.append("acme", "a.b", 1).await;
    let status = until(&mut acme, STATUS, |status| status["state"] == "disabled").await;
    assert_eq!(status["problem"]["code"], "receiver_gone", "{status}");
    assert_eq!(status["ledger"]["waiting"], 1, "nothing is lost");
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages_by_endpoint_type_and_error() {
    let (mut server, receiver, mut acme) = refusing().await;
    acme.put(&format!("{ACME}/endpoints/erp"), json!({ "url": receiver.url })).await.expect(201);
    for (event_type, count) in [("call.ended", 3), ("agent.logged_in", 2), ("call.started", 1)] {
        server.append("acme", event_type, count).await;
    }
    given_up(&mut acme, 6).await;
    let erp = format!("{ACME}/dead-letters?endpoint=erp");
    until(&mut acme, &erp, |page| page["items"].as_array().is_some_and(|items| items.len() == 6)).await;
    let mut listed = async |query: &str, limit| acme.list(&format!("{ACME}/dead-letters{query}"), limit).await;
    for limit in [1, 5, 100] {
        let all = listed("", limit).await;
        assert_eq!(offsets(&all), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
        assert_eq!((&all[0]["endpoint"], &all[1]["endpoint"]), (&json!("crm"), &json!("erp")));
    }
    assert_eq!(offsets(&listed("?endpoint=crm", 2).await), [1, 2, 3, 4, 5, 6]);
    assert_eq!(offsets(&listed("?endpoint=crm&type=call.*", 2).await), [1, 2, 3, 6]);
    assert_eq!(offsets(&listed("?endpoint=crm&type=call.started", 2).await), [6]);
    assert_eq!(offsets(&listed("?endpoint=crm&error=timeout", 2).await), [0; 0]);
    assert_eq!(offsets(&listed("?endpoint=crm&error=http_status&fromOffset=2&toOffset=4", 2).await), [2, 3]);
    let problem = acme.get(&format!("{ACME}/dead-letters?type=a%20b")).await.refused(400, "invalid_parameter");
    assert!(problem["detail"].as_str().is_some() || problem["errors"].is_array(), "{problem}");
    acme.get(&format!("{ACME}/dead-letters?endpoint=nobody")).await.refused(404, "endpoint_not_found");
}

#[tokio::test]
async fn many_dead_letters_are_redelivered_or_discarded_by_a_job() {
    let (mut server, receiver, mut acme) = refusing().await;
    server.append("acme", "call.ended", 3).await;
    server.append("acme", "agent.logged_in", 2).await;
    given_up(&mut acme, 5).await;
    let jobs = format!("{ACME}/dead-letters/jobs");
    let ended = async |acme: &mut Client, path: &str, body: Value| {
        let made = acme.post(path, body).await;
        let location = made.header("location").to_owned();
        made.expect(201);
        until(acme, &location, |job| job["state"] == "completed").await
    };
    let counted =
        ended(&mut acme, &format!("{ACME}/dead-letters/redeliver"), json!({ "types": ["call.*"], "dryRun": true }))
            .await;
    assert_eq!((&counted["counts"]["matched"], &counted["counts"]["done"]), (&json!(3), &json!(0)), "{counted}");
    assert_eq!((&counted["kind"], &counted["dryRun"]), (&json!("redelivery"), &json!(true)));
    let discarded = ended(
        &mut acme,
        &format!("{ACME}/dead-letters/discard"),
        json!({ "endpoint": "crm", "types": ["agent.logged_in"], "from": { "offset": 5 } }),
    )
    .await;
    assert_eq!((&discarded["kind"], &discarded["counts"]["done"]), (&json!("discard"), &json!(1)), "{discarded}");
    receiver.answer(200);
    let redelivered = ended(&mut acme, &format!("{ACME}/dead-letters/redeliver"), json!({})).await;
    assert_eq!((&redelivered["counts"]["matched"], &redelivered["counts"]["done"]), (&json!(4), &json!(4)));
    assert_eq!(redelivered["progress"], 1.0);
    let status = until(&mut acme, STATUS, |status| status["ledger"]["delivered"] == 4).await;
    assert_eq!(status["ledger"]["givenUp"], 1);
    assert_eq!(delivery(&mut acme, 5).await["outcome"], "discarded");
    let listed = acme.list(&jobs, 2).await;
    assert_eq!(listed.iter().map(|job| &job["kind"]).collect::<Vec<_>>(), ["redelivery", "discard", "redelivery"]);
    let id = listed[0]["id"].as_str().unwrap();
    acme.post(&format!("{jobs}/{id}/cancel"), json!({})).await.refused(409, "job_not_cancellable");
    acme.get(&format!("{jobs}/nobody")).await.refused(404, "job_not_found");
    let wrong = acme.post(&format!("{ACME}/dead-letters/discard"), json!({ "types": ["a b"] })).await;
    wrong.refused(422, "invalid_request");
}
