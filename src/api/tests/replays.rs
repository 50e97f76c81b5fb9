//! Replays as jobs.

use serde_json::json;

use super::{Receiver, start, until};

const REPLAYS: &str = "/api/v1/accounts/acme/replays";
const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";

#[tokio::test]
async fn a_replay_is_a_job_from_its_making_to_its_end() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["history", "settings", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 10).await;
    let before = until(&mut acme, &format!("{CRM}/status"), |status| status["ledger"]["delivered"] == 10).await;
    let request = json!({ "endpoint": "crm", "from": { "offset": 3 }, "to": { "offset": 8 } });
    let made = acme.post(REPLAYS, request).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    assert_eq!(location, format!("{REPLAYS}/{}", made["id"].as_str().unwrap()));
    assert_eq!((&made["kind"], &made["counts"]["matched"]), (&json!("replay"), &json!(5)));
    assert_eq!(
        (&made["endpoint"], &made["from"], &made["to"]),
        (&json!("crm"), &json!({ "offset": 3 }), &json!({ "offset": 8 }))
    );
    assert!(made["createdBy"].as_str().unwrap().contains("test"));
    let done = until(&mut acme, &location, |job| job["state"] == "completed").await;
    assert_eq!((&done["progress"], &done["problem"], &done["etaMs"]), (&json!(1.0), &json!(null), &json!(null)));
    let done = until(&mut acme, &location, |job| job["counts"]["delivered"] == 5).await;
    assert_eq!((&done["counts"]["givenUp"], &done["counts"]["remaining"]), (&json!(0), &json!(0)));
    let replayed: Vec<_> =
        receiver.got.lock().unwrap().iter().filter(|headers| headers.contains_key("hooklog-replay")).cloned().collect();
    assert_eq!(replayed.len(), 5);
    assert!(replayed.iter().all(|headers| headers["hooklog-replay"] == *made["id"].as_str().unwrap()));
    let after = acme.get(&format!("{CRM}/status")).await.expect(200);
    assert_eq!(after["ledger"], before["ledger"], "a replay never touches the ledger");
    let delivery = acme.get("/api/v1/accounts/acme/deliveries/crm/3").await.expect(200);
    assert_eq!((&delivery["attemptCount"], delivery["attempts"].as_array().unwrap().len()), (&json!(1), 2));
    assert_eq!(delivery["attempts"][1]["replay"], made["id"]);
    acme.post(&format!("{location}/cancel"), json!({})).await.refused(409, "job_not_cancellable");
}

#[tokio::test]
async fn a_replay_waits_is_listed_and_cancelled() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["history", "settings", "replay"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 4).await;
    until(&mut acme, &format!("{CRM}/status"), |status| status["ledger"]["delivered"] == 4).await;
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    for _ in 0..3 {
        acme.post(REPLAYS, json!({ "endpoint": "crm", "from": { "time": "2000-01-01T00:00:00Z" } })).await.expect(201);
    }
    let listed = acme.list(REPLAYS, 2).await;
    let ids: Vec<&str> = listed.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["3", "2", "1"], "the newest first");
    assert_eq!((&listed[0]["state"], &listed[0]["counts"]["remaining"]), (&json!("queued"), &json!(4)));
    let cancelled = acme.post(&format!("{REPLAYS}/2/cancel"), json!({})).await.expect(200);
    assert_eq!((&cancelled["state"], &cancelled["counts"]["remaining"]), (&json!("cancelled"), &json!(4)));
    acme.post(&format!("{REPLAYS}/2/cancel"), json!({})).await.refused(409, "job_not_cancellable");
    acme.get(&format!("{REPLAYS}/9")).await.refused(404, "job_not_found");
    acme.post(&format!("{REPLAYS}/x/cancel"), json!({})).await.refused(404, "job_not_found");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_named() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["settings", "replay"]).await;
    acme.put(CRM, json!({ "url": "https://x.example/" })).await.expect(201);
    server.append("acme", "a.b", 2).await;
    for (request, pointer) in [
        (json!({ "endpoint": "crm" }), "/from"),
        (json!({ "endpoint": "crm", "from": 1 }), "/from"),
        (json!({ "endpoint": "crm", "from": { "offset": 0 } }), "/from/offset"),
        (json!({ "endpoint": "crm", "from": { "offset": 2 }, "to": { "offset": 2 } }), "/to"),
        (json!({ "endpoint": "crm", "from": { "offset": 3 } }), "/to"),
        (json!({ "endpoint": "crm", "from": { "offset": 1 }, "dryRun": true, "ratePerSecond": 5 }), "/ratePerSecond"),
        (json!({ "endpoint": "crm", "from": { "offset": 1 }, "types": ["a.b", "a*"] }), "/types"),
        (json!({ "endpoint": "crm", "from": { "offset": 1 }, "asOf": "then" }), "/asOf"),
        (json!({ "endpoint": "crm", "from": { "offset": 1 }, "order": "strict" }), "/order"),
    ] {
        let problem = acme.post(REPLAYS, request.clone()).await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{request}: {problem}");
    }
    let nobody = json!({ "endpoint": "nobody", "from": { "offset": 1 } });
    acme.post(REPLAYS, nobody).await.refused(404, "endpoint_not_found");
}
