//! What holds for every route: problems, lists, conditions, health.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Trouble, start, start_with};
use crate::runtime::Clock;

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let server = start().await;
    let mut operator = server.operator().await;
    operator.get("/nowhere").await.refused(404, "not_found");
    operator.get("/api/v1/nowhere").await.refused(404, "not_found");
    operator.get("/api/v1/accounts/").await.refused(404, "not_found");
    operator.get("/api/v1/accounts?limt=1").await.refused(400, "unknown_parameter");
    operator.get("/api/v1/accounts?limit=0").await.refused(400, "invalid_parameter");
    operator.get("/api/v1/accounts?limit=1001").await.refused(400, "invalid_parameter");
    operator.get("/api/v1/accounts?after=a%20b").await.refused(400, "invalid_parameter");
    operator.get("/api/v1/me?x=1").await.refused(400, "unknown_parameter");
    operator.get("/api/v1/accounts/%ff").await.refused(400, "bad_request");
    operator.put("/api/v1/accounts/acme?x=1", json!({})).await.refused(400, "unknown_parameter");
    let unknown = operator.put("/api/v1/accounts/acme", json!({ "enabeld": true })).await;
    let unknown = unknown.refused(422, "invalid_request");
    assert_eq!(unknown["errors"][0]["pointer"], "/enabeld", "{unknown}");
    let named = operator.put("/api/v1/accounts/_acme", json!({})).await.refused(422, "invalid_request");
    assert!(named["detail"].as_str().unwrap().contains("beginning with a letter"), "{named}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    operator.send(Method::PUT, "/api/v1/accounts/acme", &form, None).await.refused(415, "unsupported_media_type");
    let large = json!({ "timeZone": "x".repeat(70_000) });
    operator.put("/api/v1/accounts/acme", large).await.refused(413, "payload_too_large");
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are() {
    let server = start().await;
    let mut operator = server.operator().await;
    for (method, path, expected) in [
        (Method::DELETE, "/api/v1/accounts/acme", "GET,HEAD,PATCH,PUT"),
        (Method::POST, "/api/v1/me", "GET,HEAD"),
        (Method::GET, "/api/v1/accounts/acme/endpoints/crm/pause", "POST"),
        (Method::PUT, "/api/v1/accounts/acme/replays", "GET,HEAD,POST"),
    ] {
        let answer = operator.send(method, path, &[], None).await;
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), expected, "{path}");
        answer.refused(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn codes_have_a_list_and_pages() {
    let server = start().await;
    let mut operator = server.operator().await;
    let codes = operator.get("/api/v1/problems").await.expect(200);
    let codes: Vec<&Value> = codes["items"].as_array().unwrap().iter().collect();
    assert_eq!(codes.len(), crate::web::Code::ALL.len());
    let mut nobody = server.client(None).await;
    for code in codes {
        let page = nobody.get(code["type"].as_str().unwrap()).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    }
    nobody.get("/problems/nonsense").await.refused(404, "not_found");
}

#[tokio::test]
async fn who_asks_is_told_who_they_are() {
    let mut server = start().await;
    let me = server.operator().await.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["operator"], &me["account"], &me["who"]["kind"]), (&json!(true), &json!(null), &json!("operator")));
    let me = server.account("acme", &["history", "replay"]).await.get("/api/v1/me").await.expect(200);
    assert_eq!(me["account"], "acme");
    assert_eq!(me["permissions"], json!(["history", "replay"]));
    assert_eq!((&me["operator"], &me["who"]["name"], &me["expiresAt"]), (&json!(false), &json!("test"), &json!(null)));
    server.append("acme", "a.b", 1).await;
}

#[tokio::test]
async fn readiness_follows_the_process_and_not_its_receivers() {
    let clock = Clock::manual(1_772_442_847_512);
    let server = start_with(false, clock.clone()).await;
    let mut nobody = server.client(None).await;
    assert_eq!(nobody.get("/livez").await.expect(200), json!({ "state": "ok" }));
    assert_eq!(nobody.get("/readyz").await.expect(200), json!({ "state": "ok", "problems": [] }));
    assert_eq!(nobody.get("/readyz?strict=1").await.expect(200)["state"], "ok");
    nobody.get("/readyz?strict=yes").await.refused(400, "invalid_parameter");

    let trouble = Trouble {
        code: "id_conflict".to_owned(),
        title: "An id came with other content".to_owned(),
        detail: "the id evt_1 of acme".to_owned(),
        account: Some("acme".to_owned()),
        endpoint: None,
    };
    server.health.raise(trouble, clock.monotonic());
    let ready = nobody.get("/readyz").await.expect(200);
    assert_eq!((&ready["state"], &ready["problems"][0]["code"]), (&json!("degraded"), &json!("id_conflict")));
    assert!(!ready.to_string().contains("acme"), "who has no token learns no names: {ready}");
    assert_eq!(nobody.get("/readyz?strict=1").await.expect(503)["state"], "degraded");
    let status = server.operator().await.get("/api/v1/status").await.expect(200);
    assert_eq!((&status["state"], &status["problems"][0]["account"]), (&json!("degraded"), &json!("acme")));

    clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(nobody.get("/readyz").await.expect(200)["state"], "ok");
    server.health.set_draining();
    let draining = nobody.get("/readyz").await;
    assert_eq!(draining.header("retry-after"), "1");
    assert_eq!(draining.expect(503)["state"], "draining");
}

#[tokio::test]
async fn the_status_counts_and_names() {
    let mut server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    acme.put("/api/v1/accounts/acme/endpoints/crm", json!({ "url": "https://example.com/" })).await.expect(201);
    acme.put("/api/v1/accounts/acme/endpoints/off", json!({ "url": "https://example.com/" })).await.expect(201);
    acme.post("/api/v1/accounts/acme/endpoints/off/pause", json!({})).await.expect(200);
    server.append("acme", "a.b", 3).await;
    let status = server.operator().await.get("/api/v1/status").await.expect(200);
    assert_eq!(status["endpoints"]["paused"], 1, "{status}");
    assert_eq!(status["head"].as_u64().unwrap(), server.log.handle().head().0);
    assert_eq!(status["accounts"], 1);
    assert_eq!(status["disk"]["reserveBytes"], 0);
    assert!(status["disk"]["freeBytes"].as_u64().unwrap() > 0);
    assert_eq!(status["versions"]["hooklog"], env!("CARGO_PKG_VERSION"));
}
