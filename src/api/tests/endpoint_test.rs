//! The Test: it takes the true road, says stage by stage what happened, and touches nothing else.

use serde_json::{Value, json};

use super::{Receiver, start, until};

const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";
const UNSAVED: &str = "/api/v1/accounts/acme/endpoints/test";

/// Returns the stages' names, and those that did not go well.
fn stages(report: &Value) -> (Vec<String>, Vec<String>) {
    let all = report["stages"].as_array().unwrap();
    let name = |stage: &'_ Value| stage["name"].as_str().map(str::to_owned).unwrap();
    let failed = all.iter().filter(|stage| stage["ok"] == false).map(name).collect();
    (all.iter().map(name).collect(), failed)
}

#[tokio::test]
async fn a_saved_endpoint_is_tested_and_the_test_is_kept_outside_the_ledger() {
    let server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history"]).await;
    let settings = json!({ "url": receiver.url, "auth": { "type": "bearer", "token": "marlin" } });
    acme.put(CRM, settings).await.expect(201);
    let report = acme.post(&format!("{CRM}/test"), json!({})).await.expect(200);
    assert_eq!((&report["ok"], &report["status"]), (&json!(true), &json!(200)), "{report}");
    let (all, failed) = stages(&report);
    assert_eq!(all, ["resolve", "address", "connect", "send", "answer"], "no TLS where the URL has none");
    assert!(failed.is_empty(), "{report}");
    let headers = receiver.got.lock().unwrap()[0].clone();
    assert_eq!(headers["hooklog-test"], "true");
    assert_eq!(headers["hooklog-type"], "webhook.test");
    assert_eq!(headers["hooklog-endpoint"], "crm");
    assert_eq!(headers["authorization"], "Bearer marlin");
    assert!(headers.contains_key("webhook-signature"), "a test is signed like a delivery");
    for absent in ["hooklog-sequence", "hooklog-offset", "hooklog-replay"] {
        assert!(!headers.contains_key(absent), "a test has no {absent}");
    }

    receiver.answer(500);
    let body = json!({ "type": "call.declined" });
    let report = acme.post(&format!("{CRM}/test"), body).await.expect(200);
    assert_eq!((&report["ok"], &report["status"]), (&json!(false), &json!(500)), "{report}");
    assert_eq!(stages(&report).1, ["answer"]);
    assert_eq!((&report["stages"][4]["code"], &report["answer"]), (&json!("http_status"), &json!("no thanks")));
    assert_eq!(receiver.got.lock().unwrap()[1]["hooklog-type"], "call.declined");

    let tests = format!("{CRM}/tests");
    let kept = until(&mut acme, &tests, |page| page["items"].as_array().unwrap().len() == 2).await;
    assert_eq!((&kept["items"][0]["number"], &kept["items"][0]["status"]), (&json!(2), &json!(500)), "newest first");
    assert_eq!((&kept["items"][1]["ok"], &kept["items"][1]["error"]), (&json!(true), &json!(null)));
    assert_eq!(acme.list(&tests, 1).await.len(), 2);
    let status = acme.get(&format!("{CRM}/status")).await.expect(200);
    assert_eq!((&status["ledger"]["accepted"], &status["state"]), (&json!(0), &json!("live")), "{status}");
    assert!(!kept.to_string().contains("s3cret"), "the query of an address is a secret");
}

#[tokio::test]
async fn settings_are_tested_before_they_are_saved() {
    let server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings"]).await;
    let settings = json!({ "url": receiver.url, "auth": { "type": "basic", "username": "u", "password": "p" } });
    let report = acme.post(UNSAVED, json!({ "endpoint": settings })).await.expect(200);
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(receiver.got.lock().unwrap()[0]["authorization"], "Basic dTpw");
    assert_eq!(acme.get("/api/v1/accounts/acme/endpoints").await.expect(200)["items"], json!([]), "nothing was saved");

    // Of a saved endpoint only what differs is named, and what is saved stays as it is.
    acme.put(CRM, settings).await.expect(201);
    let change = json!({ "endpoint": { "auth": { "type": "header", "name": "x-key", "value": "tuna" } } });
    acme.post(&format!("{CRM}/test"), change).await.expect(200);
    let headers = receiver.got.lock().unwrap()[1].clone();
    assert_eq!((&headers["x-key"], headers.get("authorization")), (&http::HeaderValue::from_static("tuna"), None));
    assert_eq!(acme.get(CRM).await.expect(200)["auth"]["type"], "basic");

    // A kept secret does not follow to another host by itself.
    let elsewhere = json!({ "endpoint": { "url": "http://127.0.0.2:9/in" } });
    let refused = acme.post(&format!("{CRM}/test"), elsewhere.clone()).await.refused(403, "forbidden");
    assert_eq!(refused["missing"], "secrets");
    assert!(server.operator().await.post(&format!("{CRM}/test"), elsewhere).await.status.is_success());
}

#[tokio::test]
async fn a_test_says_where_it_ended() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, stage, code) in [
        (format!("http://{gone}/in"), "connect", "connection_refused"),
        (format!("https://{gone}/in"), "connect", "connection_refused"),
        ("https://nowhere.invalid/in".to_owned(), "resolve", "dns_error"),
    ] {
        let report = acme.post(UNSAVED, json!({ "endpoint": { "url": url } })).await.expect(200);
        let last = report["stages"].as_array().unwrap().last().unwrap();
        let told = (report["ok"].as_bool(), last["name"].as_str(), last["code"].as_str());
        // A machine without any name server cannot say more than that none has answered.
        let code = if last["code"] == "timeout" && stage == "resolve" { "timeout" } else { code };
        assert_eq!(told, (Some(false), Some(stage), Some(code)), "{url}: {report}");
        assert!(last["detail"].as_str().unwrap().len() > 10, "{report}");
    }
    // What is wrong with the settings themselves is no test.
    let wrong = json!({ "endpoint": { "url": "http://169.254.169.254/" } });
    let refused = acme.post(UNSAVED, wrong).await.refused(422, "forbidden_address");
    assert_eq!(refused["errors"][0]["pointer"], "/endpoint/url");
    let refused = acme.post(UNSAVED, json!({ "endpoint": { "url": "http://127.0.0.1/", "colour": 1 } })).await;
    assert_eq!(refused.refused(422, "invalid_request")["errors"][0]["pointer"], "/endpoint/colour");
    acme.post(UNSAVED, json!({})).await.refused(422, "invalid_request");
}
