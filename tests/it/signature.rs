//! What somebody asks who cannot get a signature to fit.

use std::path::Path;

use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Server;

/// Runs `hooklog signature verify` and returns its word and its exit code.
fn verdict(server: &Server, directory: &Path, body: &str, more: &[&str]) -> (String, Option<i32>) {
    let arguments = [&["signature", "verify", body, "-H", "@headers.txt", "-o", "json"], more].concat();
    let output = server.command(directory, &arguments).current_dir(directory).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (told["verdict"].as_str().unwrap().to_owned(), output.status.code())
}

#[tokio::test]
async fn a_delivery_is_judged_with_what_the_server_knows_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    for name in ["crm", "other"] {
        server.endpoint("acme", name, json!({ "url": receiver.url() })).await;
    }
    let first = server.secret("acme", "crm").await;
    server.post("acme", json!({ "type": "call.ended", "data": { "n": 1 } })).await;
    let deliveries = receiver.wait_for(2).await;
    let delivery = deliveries.iter().find(|one| one.header("hooklog-endpoint") == "crm").unwrap();
    let place = format!("acme/crm/{}", delivery.header("hooklog-offset"));
    let headers: Vec<String> =
        delivery.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let file = |name: &str, text: &[u8]| std::fs::write(directory.path().join(name), text).unwrap();
    file("headers.txt", format!("POST /in HTTP/1.1\n{}\n", headers.join("\n")).as_bytes());
    file("body.json", &delivery.body);
    file("other.json", &[b"{\"n\":2,", &delivery.body[1..]].concat());
    // Until the row of the request is on disk nothing was sent that is on record.
    let path = format!("/api/v1/accounts/acme/deliveries/crm/{}", delivery.header("hooklog-offset"));
    let recorded = async {
        while server.api().get(&path).await.json()["attempts"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::server::PATIENCE, recorded).await.unwrap();

    let judge = |body: &str, more: &[&str]| verdict(&server, directory.path(), body, more);
    assert_eq!(judge("body.json", &["--secret", &first]), ("verified".to_owned(), Some(0)));
    assert_eq!(judge("body.json", &["--delivery", &place]), ("verified".to_owned(), Some(0)));
    assert_eq!(judge("other.json", &["--delivery", &place]), ("body_changed".to_owned(), Some(3)));
    assert_eq!(judge("other.json", &["--secret", &first]), ("no_match".to_owned(), Some(3)));
    assert_eq!(judge("body.json", &["--endpoint", "acme/other"]), ("no_match".to_owned(), Some(3)));
    assert_eq!(judge("body.json", &["--secret", &first, "--at", "2020-01-01T00:00:00Z"]).0, "timestamp");
    // The old key overlaps with the new one, and then it does not.
    let rotate = |overlap: u64| {
        let mut api = server.api();
        async move {
            let path = "/api/v1/accounts/acme/endpoints/crm/secret/rotate";
            let rotated = api.post(path, json!({ "overlapMs": overlap })).await;
            assert!(rotated.status.is_success(), "{rotated:?}");
        }
    };
    rotate(60_000).await;
    assert_eq!(judge("body.json", &["--delivery", &place]), ("old_secret".to_owned(), Some(0)));
    rotate(0).await;
    assert_eq!(judge("body.json", &["--delivery", &place]), ("wrong_secret".to_owned(), Some(3)));
    let wrong = server.hooklog(directory.path(), &["signature", "verify", "/dev/null", "-H", "webhook-id: x"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn what_is_signed_here_is_verified_by_the_published_library() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    std::fs::write(directory.path().join("body.json"), "{\"n\": 1}\n").unwrap();
    let mut sign = server.command(directory.path(), &["signature", "sign", "body.json", "--secret", secret]);
    let output = sign.current_dir(directory.path()).output().unwrap();
    let mut headers = http::HeaderMap::new();
    for line in std::str::from_utf8(&output.stdout).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook.verify(b"{\"n\": 1}\n", &headers).unwrap();
    webhook.verify(b"{\"n\": 2}\n", &headers).unwrap_err();
}
