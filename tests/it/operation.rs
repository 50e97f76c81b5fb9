//! What an operator meets: starts and stops, a second process, a full disk, settings, health.

use std::process::Command;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::{Server, command};

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let second = command(directory.path())
        .args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
        .arg(directory.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is held by another process"), "{said}");
    server.account("acme").await;
    server.post("acme", json!({ "type": "a.b", "data": {} })).await;
}

#[tokio::test]
async fn listening_outside_loopback_needs_tokens_and_tls_or_the_word_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let refused =
        command(directory.path()).args(["serve", "--ingest", "0.0.0.0:0", "--data", "data"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("ingest.tokens") && said.contains("ingest.insecure"), "{said}");
    assert!(!directory.path().join("data").exists(), "a refused start leaves nothing");
}

#[tokio::test]
async fn senders_show_a_token_where_tokens_are_set() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.env("HOOKLOG_INGEST__TOKENS", "first-token-of-ino,second-token-of-ino");
    let server = Server::start_with(command, directory.path());
    server.account("acme").await;
    let event = json!({ "type": "a.b", "data": {} });
    for (token, status) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("first-token-of-in"), StatusCode::UNAUTHORIZED),
        (Some("second-token-of-ino"), StatusCode::ACCEPTED),
    ] {
        let mut client = crate::http::Client::new(&server.ingest, token);
        let answer = client.post("/v1/accounts/acme/events", event.clone()).await;
        assert_eq!(answer.status, status, "{token:?}: {answer:?}");
    }
}

#[tokio::test]
async fn health_and_metrics_need_no_token_here_and_the_rest_does() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let mut nobody = crate::http::Client::new(&server.admin, None);
    for path in ["/livez", "/readyz", "/readyz?strict=1", "/metrics", "/api/v1/openapi.json"] {
        assert_eq!(nobody.get(path).await.status, StatusCode::OK, "{path}");
    }
    let refused = nobody.get("/api/v1/accounts").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    let metrics = nobody.get("/metrics").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("hooklog_log_records_total"));
    server.account("acme").await;
    let made =
        server.api().post("/api/v1/accounts/acme/tokens", json!({ "name": "ci", "permissions": ["history"] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let mut ci = server.api_as(&token);
    assert_eq!(ci.get("/api/v1/accounts/acme/events").await.status, StatusCode::OK);
    let forbidden = ci.put("/api/v1/accounts/acme/endpoints/crm", json!({ "url": "https://example.com/" })).await;
    assert_eq!((forbidden.status, &forbidden.json()["missing"]), (StatusCode::FORBIDDEN, &json!("settings")));
}

#[tokio::test]
async fn a_full_disk_refuses_events_delivers_on_and_takes_them_again_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let mount = directory.path().join("data");
    std::fs::create_dir(&mount).unwrap();
    // A small real file system of its own, in a mount namespace that ends with the process.
    let mut small = Command::new("unshare");
    small.args(["--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs -o size=48m none \"$0\" && exec \"$@\""]);
    small.arg(&mount).arg(env!("CARGO_BIN_EXE_hooklog"));
    small
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOOKLOG_DELIVER__ALLOW_ADDRESSES", "127.0.0.0/8")
        .env("HOOKLOG_DELIVER__HTTPS_ONLY", "false")
        .env("HOOKLOG_LOG__DISK__RESERVE_BYTES", "16MiB")
        .env("HOOKLOG_OPERATOR_TOKEN", "hlo_test")
        .args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
        .arg(&mount);
    // The token in the environment stands in for the file, which is inside the namespace.
    std::fs::write(mount.join("operator.token"), "hlo_test").unwrap();
    let server = Server::run(small, &mount);
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    // Random letters do not compress.
    let mut random = hooklog::runtime::Random::from_seed(1);
    let mut client = server.sender();
    let mut accepted = 0_usize;
    let refused = loop {
        let filler: String = (0..100_000).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap())).collect();
        let answer = client.post("/v1/accounts/acme/events", json!({ "type": "a.b", "data": { "f": filler } })).await;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1_000, "a disk of 48 MiB takes no 100 MB");
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(refused.json()["code"], "disk_full");
    assert!(refused.headers.contains_key("retry-after"));
    // What was taken is delivered, and a person can still act.
    receiver.wait_for(accepted).await;
    server.endpoint("acme", "second", json!({ "url": receiver.url() })).await;
    let ready = server.api().send(Method::GET, "/readyz", None).await;
    assert_eq!(ready.status, StatusCode::OK, "a full disk must not take the pod out of service");
    assert_eq!(ready.json()["state"], "degraded", "{ready:?}");
    // Room again means service again, without a restart.
    let remount = Command::new("nsenter")
        .args(["--mount", "--user", "--preserve-credentials", "--target", &server.pid().to_string()])
        .args(["mount", "-o", "remount,size=256m"])
        .arg(&mount)
        .output()
        .unwrap();
    assert!(remount.status.success(), "{}", String::from_utf8_lossy(&remount.stderr));
    let taken: Value = server.post("acme", json!({ "type": "a.b", "data": {} })).await;
    assert_eq!(taken["firstOffset"].as_u64().unwrap(), accepted as u64 + 1);
}

#[tokio::test]
async fn settings_survive_and_say_what_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let receiver = Receiver::start().await;
    let url = format!("{}?token=swordfish", receiver.url());
    let settings = json!({ "url": url, "auth": { "type": "bearer", "token": "marlin" } });
    let made = server.endpoint("acme", "crm", settings).await;
    assert_eq!(made["auth"], json!({ "type": "bearer", "tokenSet": true }), "{made}");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(directory.path());
    let read = server.api().get("/api/v1/accounts/acme/endpoints/crm").await.json();
    assert_eq!(read, made);
    let refused =
        server.api().put("/api/v1/accounts/acme/endpoints/bad", json!({ "url": "http://169.254.169.254/" })).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("forbidden_address")));
}
