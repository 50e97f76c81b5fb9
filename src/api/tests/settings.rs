//! Accounts, endpoints, tokens and keys: what is written is read, and secrets are not.

use http::Method;
use serde_json::{Value, json};

use super::{Receiver, start, until};

const CRM: &str = "/api/v1/accounts/acme/endpoints/crm";

#[tokio::test]
async fn an_account_is_made_replaced_and_changed() {
    let server = start().await;
    let mut operator = server.operator().await;
    let path = "/api/v1/accounts/acme";
    let settings = json!({ "labels": { "tier": "gold" }, "language": "fr", "ratePerSecond": 5 });
    let made = operator.put(path, settings.clone()).await;
    assert_eq!(made.header("location"), path);
    assert_eq!(made.header("etag"), format!("\"{}\"", made.json()["revision"].as_str().unwrap()));
    let made = made.expect(201);
    assert_eq!((&made["enabled"], &made["language"], &made["timeZone"]), (&json!(true), &json!("fr"), &json!("UTC")));
    assert_eq!((&made["name"], &made["updatedBy"]), (&json!("acme"), &json!("operator")));
    // What was read can be written back.
    let replaced = operator.put(path, made.clone()).await.expect(200);
    assert_eq!(replaced["labels"], made["labels"]);
    assert_eq!(replaced["revision"], made["revision"], "what changes nothing is no change");
    let changed = operator.patch(path, json!({ "ratePerSecond": null, "labels": { "trial": "1" } })).await.expect(200);
    assert_eq!(
        (&changed["ratePerSecond"], &changed["labels"]),
        (&json!(null), &json!({ "tier": "gold", "trial": "1" }))
    );
    assert_eq!(changed["language"], "fr", "what a patch leaves out stays");
    assert_eq!(operator.put(path, json!({})).await.expect(200)["language"], "en", "what a put leaves out does not");

    // The account's own token: its own affairs, and not what the operator agreed with it.
    let mut own = server.account("acme", &["settings"]).await;
    assert_eq!(own.patch(path, json!({ "timeZone": "Europe/Paris" })).await.expect(200)["timeZone"], "Europe/Paris");
    for agreed in [json!({ "ratePerSecond": 1_000_000 }), json!({ "labels": { "tier": "gold" } })] {
        assert_eq!(own.patch(path, agreed).await.refused(403, "forbidden")["missing"], "operator");
    }
    let unchanged = own.get(path).await.expect(200);
    assert!(own.put(path, unchanged).await.status.is_success());
    assert!(operator.put(path, settings).await.status.is_success());
}

#[tokio::test]
async fn accounts_are_listed_by_name_page_by_page() {
    let server = start().await;
    let mut operator = server.operator().await;
    for name in ["acme", "acme-2", "bravo", "globex"] {
        operator.put(&format!("/api/v1/accounts/{name}"), json!({})).await.expect(201);
    }
    let names =
        |items: Vec<Value>| items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for limit in [1, 2, 3, 4, 5] {
        assert_eq!(names(operator.list("/api/v1/accounts", limit).await), ["acme", "acme-2", "bravo", "globex"]);
    }
    assert_eq!(names(operator.list("/api/v1/accounts?q=acm", 1).await), ["acme", "acme-2"]);
}

#[tokio::test]
async fn secrets_are_kept_and_never_shown() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    let settings = json!({ "url": "https://example.com/in?key=k", "auth":
        { "type": "basic", "username": "ino", "password": "swordfish" }, "headers": { "x-team": "north" } });
    let made = acme.put(CRM, settings).await.expect(201);
    assert_eq!(made["auth"], json!({ "type": "basic", "username": "ino", "passwordSet": true }));
    assert_eq!(made["url"], "https://example.com/in?key=k", "who may read settings sees the whole address");
    let defaults =
        json!({ "enabled": true, "signing": "v1", "order": "by_key", "format": "envelope", "maxInFlight": 16 });
    for (name, value) in defaults.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    // Written back as it was read, the secret stays.
    assert_eq!(acme.put(CRM, made.clone()).await.expect(200)["auth"]["passwordSet"], true);
    let changed =
        acme.patch(CRM, json!({ "order": "strict", "headers": { "x-team": null, "x-a": "1" } })).await.expect(200);
    assert_eq!((&changed["auth"], &changed["headers"]), (&made["auth"], &json!({ "x-a": "1" })));
    let list = acme.get("/api/v1/accounts/acme/endpoints").await;
    assert!(!String::from_utf8_lossy(&list.body).contains("swordfish"));
    // Another type takes the place of the present one as a whole.
    let bearer = acme.patch(CRM, json!({ "auth": { "type": "bearer", "token": "t" } })).await.expect(200);
    assert_eq!(bearer["auth"], json!({ "type": "bearer", "tokenSet": true }));
    let missing = acme.patch(CRM, json!({ "auth": { "type": "header", "name": "x-key" } })).await;
    assert_eq!(missing.refused(422, "invalid_request")["errors"][0]["pointer"], "/auth/value");
    assert_eq!(acme.patch(CRM, json!({ "auth": null })).await.expect(200)["auth"], json!({ "type": "none" }));
}

#[tokio::test]
async fn a_kept_secret_moves_to_another_host_only_with_the_permission() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    let mut trusted = server.account("acme", &["settings", "secrets"]).await;
    let auth = json!({ "type": "bearer", "token": "t" });
    acme.put(CRM, json!({ "url": "https://a.example/", "auth": auth })).await.expect(201);
    let moved = json!({ "url": "https://b.example/" });
    assert_eq!(acme.patch(CRM, moved.clone()).await.refused(403, "forbidden")["missing"], "secrets");
    assert_eq!(acme.get(CRM).await.expect(200)["url"], "https://a.example/");
    assert_eq!(trusted.patch(CRM, moved).await.expect(200)["url"], "https://b.example/");
}

#[tokio::test]
async fn the_key_of_a_client_certificate_is_kept_never_shown_and_stays_with_its_certificate() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    let made = || rcgen::generate_simple_self_signed(vec!["hooklog.example".to_owned()]).unwrap();
    let (ours, other) = (made(), made());
    let (certificate, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
    let auth = json!({ "type": "certificate", "certificate": certificate, "key": key });
    let put = acme.put(CRM, json!({ "url": "https://a.example/", "auth": auth })).await.expect(201);
    let shown = json!({ "type": "certificate", "certificate": certificate, "keySet": true });
    assert_eq!(put["auth"], shown);
    assert_eq!(acme.put(CRM, put.clone()).await.expect(200)["auth"], shown, "written back as it was read, it stays");
    // Another certificate of the same key takes its place; one of another key needs that key.
    let again = rcgen::CertificateParams::new(vec!["hooklog.example".to_owned()]).unwrap();
    let again = again.self_signed(&ours.signing_key).unwrap().pem();
    let renewed = acme.patch(CRM, json!({ "auth": { "certificate": again } })).await.expect(200);
    assert_eq!(renewed["auth"]["certificate"], json!(again));
    let with = |auth: Value| json!({ "url": "https://a.example/", "auth": auth });
    for (settings, pointer) in [
        (with(json!({ "type": "certificate", "certificate": other.cert.pem() })), "/auth/key"),
        (with(json!({ "type": "certificate", "certificate": "x", "key": key })), "/auth/certificate"),
        (
            with(json!({ "type": "certificate", "certificate": format!("{certificate}{key}"), "key": key })),
            "/auth/certificate",
        ),
        (with(json!({ "type": "certificate", "certificate": certificate, "key": "x".repeat(9_000) })), "/auth/key"),
        (with(json!({ "type": "certificate", "certificate": certificate, "key": "x" })), "/auth/key"),
        (
            with(json!({ "type": "bearer", "token": "t", "certificate": { "certificate": certificate, "key": "x" } })),
            "/auth/certificate/key",
        ),
        (json!({ "url": "http://a.example/", "auth": auth }), "/auth/certificate"),
    ] {
        let problem = acme.put(CRM, settings.clone()).await.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{settings}: {problem}");
        assert!(!problem.to_string().contains("PRIVATE"), "{problem}");
    }
    // It is no more used with another host by itself than a password is.
    let moved = acme.patch(CRM, json!({ "url": "https://b.example/" })).await.refused(403, "forbidden");
    assert_eq!(moved["missing"], "secrets");
    // Beside a token, and gone again.
    let beside = json!({ "type": "bearer", "token": "t", "certificate": { "certificate": certificate, "key": key } });
    let shown = json!({ "type": "bearer", "tokenSet": true,
        "certificate": { "certificate": certificate, "keySet": true } });
    let put = acme.put(CRM, with(beside)).await.expect(200);
    assert_eq!(put["auth"], shown);
    let removed = acme.patch(CRM, json!({ "auth": { "certificate": null } })).await.expect(200);
    assert_eq!(removed["auth"], json!({ "type": "bearer", "tokenSet": true }));
    let other_key = with(json!({ "type": "certificate", "certificate": certificate }));
    let gone = acme.put(CRM, other_key).await.refused(422, "invalid_request");
    assert_eq!(gone["errors"][0]["pointer"], "/auth/key", "what was taken away is not kept");
}

#[tokio::test]
async fn what_is_wrong_with_an_endpoint_is_named() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    for (settings, code, pointer) in [
        (json!({}), "invalid_request", "/url"),
        (json!({ "url": "ftp://x/" }), "invalid_url", "/url"),
        (json!({ "url": "https://10.0.0.1/" }), "forbidden_address", "/url"),
        (json!({ "url": "https://169.254.169.254/" }), "forbidden_address", "/url"),
        (json!({ "url": "https://x.example/", "order": "random" }), "invalid_request", "/order"),
        (json!({ "url": "https://x.example/", "maxAgeMs": 10 }), "invalid_request", "/maxAgeMs"),
        (json!({ "url": "https://x.example/", "maxInFlight": 0 }), "invalid_request", "/maxInFlight"),
        (json!({ "url": "https://x.example/", "ratePerSecond": 0 }), "invalid_request", "/ratePerSecond"),
        (json!({ "url": "https://x.example/", "auth": { "type": "magic" } }), "invalid_request", "/auth/type"),
    ] {
        let problem = acme.put(CRM, settings.clone()).await.refused(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{settings}: {problem}");
    }
    let named = "/api/v1/accounts/acme/endpoints/.hidden";
    acme.put(named, json!({ "url": "https://x.example/" })).await.refused(422, "invalid_request");
    acme.get(named).await.refused(404, "endpoint_not_found");
    acme.get(CRM).await.refused(404, "endpoint_not_found");
    acme.delete(CRM).await.refused(404, "endpoint_not_found");
    for number in 0..20 {
        let path = format!("/api/v1/accounts/acme/endpoints/e{number}");
        acme.put(&path, json!({ "url": "https://x.example/" })).await.expect(201);
    }
    acme.put(CRM, json!({ "url": "https://x.example/" })).await.refused(409, "limit_reached");
    assert_eq!(acme.list("/api/v1/accounts/acme/endpoints", 7).await.len(), 20);
}

#[tokio::test]
async fn conditions_hold_and_say_what_has_changed() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    let url = json!({ "url": "https://x.example/" });
    let write = async |client: &mut super::Client, method, headers: &[(&str, &str)], body: Value| {
        client.send(method, CRM, headers, Some(body)).await
    };
    let absent = write(&mut acme, Method::PUT, &[("if-match", "*")], url.clone()).await;
    absent.refused(412, "precondition_failed");
    acme.send(Method::PUT, CRM, &[("if-match", "unquoted")], Some(url.clone())).await.refused(400, "bad_request");
    let made = write(&mut acme, Method::PUT, &[("if-none-match", "*")], url.clone()).await;
    let first = made.header("etag").to_owned();
    made.expect(201);
    write(&mut acme, Method::PUT, &[("if-none-match", "*")], url.clone()).await.refused(412, "precondition_failed");
    let known = acme.send(Method::GET, CRM, &[("if-none-match", &first)], None).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));

    let changed = write(&mut acme, Method::PATCH, &[("if-match", &first)], json!({ "order": "strict" })).await;
    let second = changed.header("etag").to_owned();
    changed.expect(200);
    acme.post(&format!("{CRM}/pause"), json!({})).await.expect(200);
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = write(&mut acme, method.clone(), &[("if-match", &first)], url.clone()).await;
        let problem = refused.refused(412, "precondition_failed");
        assert_eq!(problem["changed"], json!(["paused", "order"]), "{method}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("by token test"), "{problem}");
    }
    let stale = write(&mut acme, Method::PATCH, &[("if-match", &second)], url.clone()).await;
    stale.refused(412, "precondition_failed");
    let now = acme.get(CRM).await.header("etag").to_owned();
    assert_eq!(acme.send(Method::DELETE, CRM, &[("if-match", &now)], None).await.status, 204);
    acme.get(CRM).await.refused(404, "endpoint_not_found");
    // Made anew it is another one: an old revision does not fit it.
    write(&mut acme, Method::PUT, &[], url.clone()).await.expect(201);
    write(&mut acme, Method::PUT, &[("if-match", &now)], url).await.refused(412, "precondition_failed");
}

#[tokio::test]
async fn changes_at_once_lose_nothing() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings"]).await;
    acme.put(CRM, json!({ "url": "https://x.example/" })).await.expect(201);
    let mut changes = futures_util::stream::FuturesUnordered::new();
    for number in 0..12 {
        let mut client = server.account("acme", &["settings"]).await;
        changes.push(async move {
            let name = format!("x-{number}");
            client.patch(CRM, json!({ "headers": { name: "1" } })).await.expect(200);
        });
    }
    while futures_util::StreamExt::next(&mut changes).await.is_some() {}
    assert_eq!(acme.get(CRM).await.expect(200)["headers"].as_object().unwrap().len(), 12);
}

#[tokio::test]
async fn tokens_are_shown_once_and_end_when_taken_back() {
    let server = start().await;
    let mut access = server.account("acme", &["access"]).await;
    let tokens = "/api/v1/accounts/acme/tokens";
    let made = access.post(tokens, json!({ "name": "ci", "permissions": ["history"] })).await;
    let location = made.header("location").to_owned();
    let made = made.expect(201);
    assert_eq!((&made["name"], &made["permissions"]), (&json!("ci"), &json!(["history"])));
    let mut ci = server.client(made["token"].as_str()).await;
    ci.get("/api/v1/accounts/acme/events").await.expect(200);
    let listed = access.get(tokens).await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(made["token"].as_str().unwrap()));
    assert_eq!(access.list(tokens, 1).await.len(), 2);
    assert_eq!(access.delete(&location).await.status, 204);
    ci.get("/api/v1/me").await.refused(401, "unauthorized");
    access.delete(&location).await.refused(404, "token_not_found");
    access.post(tokens, json!({ "name": "none" })).await.refused(422, "invalid_request");

    // An operator takes back any token by its id; others those of their own account.
    let mut operator = server.operator().await;
    let ours = operator.post("/api/v1/tokens", json!({ "name": "deploy" })).await.expect(201);
    let theirs = access.post(tokens, json!({ "name": "b", "permissions": ["raw"] })).await.expect(201);
    let path = |token: &Value| format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    let mut other = server.account("globex", &["access"]).await;
    other.delete(&path(&theirs)).await.refused(404, "token_not_found");
    other.delete(&path(&ours)).await.refused(404, "token_not_found");
    let mut deploy = server.client(ours["token"].as_str()).await;
    assert_eq!(deploy.delete(&path(&theirs)).await.status, 204);
    assert_eq!(operator.list("/api/v1/tokens", 10).await.len(), 1);
    assert_eq!(deploy.delete(&path(&ours)).await.status, 204, "even its own");
    deploy.get("/api/v1/me").await.refused(401, "unauthorized");
    operator.delete("/api/v1/tokens/nonsense").await.refused(404, "token_not_found");
}

#[tokio::test]
async fn keys_are_shown_to_who_may_and_rotated() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings", "secrets"]).await;
    acme.put(CRM, json!({ "url": "https://x.example/" })).await.expect(201);
    let secret = format!("{CRM}/secret");
    let shown = acme.get(&secret).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let first = shown.expect(200)["keys"][0].clone();
    assert!(first["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&first["scheme"], &first["validUntil"]), (&json!("v1"), &json!(null)));
    let given = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let rotated =
        acme.post(&format!("{secret}/rotate"), json!({ "overlapMs": 60_000, "secret": given })).await.expect(200);
    let keys = rotated["keys"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[0]["secret"], &keys[1]["id"]), (2, &json!(given), &first["id"]));
    assert_ne!(keys[1]["validUntil"], json!(null));
    let newest = format!("{secret}/{}", keys[0]["id"].as_str().unwrap());
    acme.delete(&newest).await.refused(422, "invalid_request");
    assert_eq!(acme.delete(&format!("{secret}/{}", first["id"].as_str().unwrap())).await.status, 204);
    acme.delete(&format!("{secret}/nonsense")).await.refused(404, "not_found");
    let bad =
        acme.post(&format!("{secret}/rotate"), json!({ "secret": "short" })).await.refused(422, "invalid_request");
    assert_eq!(bad["errors"][0]["pointer"], "/secret");
    assert!(!bad.to_string().contains("short\""), "what was given as a secret is not repeated: {bad}");
    // Without a body: a new random key, a day beside the old one.
    let rotated = acme.send(Method::POST, &format!("{secret}/rotate"), &[], None).await.expect(200);
    assert_eq!(rotated["keys"].as_array().unwrap().len(), 2);
    acme.patch(CRM, json!({ "signing": "none" })).await.expect(200);
    acme.post(&format!("{secret}/rotate"), json!({})).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn of_a_pair_of_keys_only_the_public_one_is_ever_shown() {
    let server = start().await;
    let mut acme = server.account("acme", &["settings", "secrets"]).await;
    acme.put(CRM, json!({ "url": "https://x.example/", "signing": "both" })).await.expect(201);
    let secret = format!("{CRM}/secret");
    let keys = acme.get(&secret).await.expect(200)["keys"].clone();
    assert_eq!((&keys[0]["scheme"], &keys[1]["scheme"]), (&json!("v1"), &json!("v1a")));
    assert!(keys[1]["publicKey"].as_str().unwrap().starts_with("whpk_"), "{keys}");
    assert!(keys[1].get("secret").is_none() && keys[0].get("publicKey").is_none(), "{keys}");
    let pair = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    let public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    let rotate = format!("{secret}/rotate");
    let rotated = acme.post(&rotate, json!({ "secret": pair })).await;
    assert!(!String::from_utf8_lossy(&rotated.body).contains("whsk_"));
    assert_eq!(rotated.expect(200)["keys"][0]["publicKey"], public);
    for (rotation, pointer) in [
        (json!({}), "/scheme"),
        (json!({ "scheme": "v1", "secret": pair }), "/secret"),
        (json!({ "secret": public }), "/secret"),
        (json!({ "scheme": "v2" }), "/scheme"),
    ] {
        let refused = acme.post(&rotate, rotation.clone()).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{rotation}: {refused}");
    }
    // What is kept of the other scheme can be rotated too, before it is signed with again.
    acme.patch(CRM, json!({ "signing": "v1" })).await.expect(200);
    acme.post(&rotate, json!({ "scheme": "v1a", "overlapMs": 0 })).await.expect(200);
    acme.post(&rotate, json!({})).await.expect(200);
    let both = acme.patch(CRM, json!({ "signing": "both" })).await.expect(200);
    assert_eq!(both["signing"], "both");
    let keys = acme.get(&secret).await.expect(200)["keys"].to_string();
    assert!(keys.contains("whpk_") && !keys.contains(public), "{keys}");
    let other = "/api/v1/accounts/acme/endpoints/other";
    acme.put(other, json!({ "url": "https://x.example/" })).await.expect(201);
    for (rotation, pointer) in [(json!({ "scheme": "v1a" }), "/scheme"), (json!({ "secret": pair }), "/secret")] {
        let refused = acme.post(&format!("{other}/secret/rotate"), rotation).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["pointer"], pointer);
    }
}

#[tokio::test]
async fn an_endpoint_is_paused_resumed_and_listed_by_its_lag() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    let mut acme = server.account("acme", &["settings", "history"]).await;
    server.account("globex", &["listen"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    let paused = acme.send(Method::POST, &format!("{CRM}/pause"), &[], None).await.expect(200);
    assert_eq!((&paused["state"], &paused["problem"]["code"]), (&json!("paused"), &json!("paused")));
    let mut operator = server.operator().await;
    operator.put("/api/v1/accounts/globex/endpoints/b", json!({ "url": receiver.url })).await.expect(201);
    operator.put("/api/v1/accounts/acme/endpoints/a", json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 5).await;
    let status = format!("{CRM}/status");
    until(&mut acme, &status, |status| status["lag"]["events"] == 5).await;
    let other = "/api/v1/accounts/acme/endpoints/a/status";
    until(&mut acme, other, |status| status["ledger"]["delivered"] == 5).await;

    let of = |items: Vec<Value>| -> Vec<String> {
        let name =
            |item: &Value| format!("{}/{}", item["account"].as_str().unwrap(), item["endpoint"].as_str().unwrap());
        items.iter().map(name).collect()
    };
    let all = "/api/v1/endpoints";
    assert_eq!(of(operator.list(all, 1).await), ["acme/a", "acme/crm", "globex/b"]);
    assert_eq!(of(operator.list(&format!("{all}?state=paused"), 10).await), ["acme/crm"]);
    for limit in 1..4 {
        let by_lag = of(operator.list(&format!("{all}?sort=lag"), limit).await);
        assert_eq!((by_lag.len(), by_lag[0].as_str()), (3, "acme/crm"));
    }
    operator.get(&format!("{all}?state=asleep")).await.refused(400, "invalid_parameter");

    acme.post(&format!("{CRM}/resume"), json!({ "from": "there" })).await.refused(422, "invalid_request");
    acme.post(&format!("{CRM}/resume"), json!({ "from": "cursor" })).await.expect(200);
    let live = until(&mut acme, &status, |status| status["ledger"]["delivered"] == 5).await;
    assert_eq!((&live["ledger"]["accepted"], &live["ledger"]["waiting"]), (&json!(5), &json!(0)));
}

#[tokio::test]
async fn an_endpoint_in_trouble_is_told_of_and_tried_again() {
    let mut server = start().await;
    let receiver = Receiver::start(&server).await;
    receiver.answer(503);
    let mut acme = server.account("acme", &["settings", "history"]).await;
    acme.put(CRM, json!({ "url": receiver.url })).await.expect(201);
    server.append("acme", "a.b", 1).await;
    let status = format!("{CRM}/status");
    until(&mut acme, &status, |status| status["state"] == "backing_off").await;
    let mut operator = server.operator().await;
    let told = operator.get("/api/v1/status").await.expect(200);
    let problem = &told["problems"][0];
    assert_eq!((&problem["account"], &problem["endpoint"]), (&json!("acme"), &json!("crm")), "{told}");
    assert!(!told.to_string().contains("s3cret"), "a query is a secret: {told}");
    let ready = server.client(None).await.get("/readyz").await.expect(200);
    assert_eq!((&ready["state"], &ready["problems"][0]["code"]), (&json!("degraded"), &json!("endpoints_in_trouble")));
    receiver.answer(200);
    acme.post(&format!("{CRM}/retry"), json!({})).await.expect(200);
    until(&mut acme, &status, |status| status["ledger"]["delivered"] == 1).await;
}

#[tokio::test]
async fn who_may_only_change_settings_learns_no_history_by_it() {
    let server = start().await;
    let mut settings = server.account("acme", &["settings"]).await;
    let mut both = server.account("acme", &["settings", "history"]).await;
    settings.put(CRM, json!({ "url": "https://example.com/" })).await.expect(201);
    for verb in ["retry", "pause", "resume"] {
        let path = format!("{CRM}/{verb}");
        let told = settings.post(&path, json!({})).await.expect(200);
        assert_eq!(told.as_object().unwrap().keys().collect::<Vec<_>>(), ["state"], "{verb}");
        assert!(both.post(&path, json!({})).await.expect(200).get("ledger").is_some(), "{verb}");
    }
}
