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

/// The addresses are told before the start is over: whoever stops the process then must not find it killed.
#[test]
fn a_process_that_is_told_to_end_while_it_starts_ends_well() {
    let directory = tempfile::tempdir().unwrap();
    for start in 0..5 {
        assert_eq!(Server::start(directory.path()).terminate(), Some(0), "start {start}");
    }
}

#[test]
fn the_memory_is_set_up_as_the_program_was_built_to() {
    let directory = tempfile::tempdir().unwrap();
    let told = command(directory.path()).arg("--version").env("MALLOC_CONF", "confirm_conf:true").output().unwrap();
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("dirty_decay_ms:2000") && told.contains("thp:never"), "{told}");
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
    // A name that has no address at present may get one: it is saved, with a word about it.
    let odd = server.endpoint("acme", "odd", json!({ "url": "https://crm.nowhere.invalid/in" })).await;
    assert_eq!(odd["warnings"][0]["pointer"], "/url", "{odd}");
    assert!(server.api().get("/api/v1/accounts/acme/endpoints/odd").await.json().get("warnings").is_none());
}

#[tokio::test]
async fn what_hooks_does_not_understand_is_kept_for_a_while_and_one_id_twice_is_a_problem() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.env("HOOKLOG_INGEST__CAPTURE__MAX_AGE", "2s");
    let server = Server::start_with(command, directory.path());
    server.account("acme").await;
    let hook = async |body: Value| server.sender().post("/hooks/acme", body).await.json();
    let captured = hook(json!({ "nonsense": "of last week" })).await;
    assert_eq!((&captured["accepted"], &captured["captured"]), (&json!(0), &json!(1)), "{captured}");
    let captures = server.list("/api/v1/captures").await;
    assert_eq!((captures.len(), &captures[0]["reason"]), (1, &json!("no_type")), "{captures:?}");
    assert!(captures[0]["body"].as_str().unwrap().contains("of last week"));

    for data in [1, 2, 2] {
        let taken = hook(json!({ "type": "a.b", "id": "e1", "data": { "n": data } })).await;
        assert_eq!(taken["captured"], 0, "{taken}");
    }
    let events = server.list("/api/v1/accounts/acme/events").await;
    assert_eq!(events.len(), 2, "the repeat of the second is its duplicate: {events:?}");
    let status = server.api().get("/api/v1/status").await.json();
    let problem = &status["problems"][0];
    assert_eq!((&problem["code"], &problem["account"]), (&json!("id_conflict"), &json!("acme")), "{status}");
    assert!(problem["detail"].as_str().unwrap().contains("\"e1\""), "{status}");

    let wait = async {
        while !server.list("/api/v1/captures").await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(crate::server::PATIENCE, wait).await.is_ok(), "a capture is shown for two seconds");
}

#[tokio::test]
async fn rules_that_became_stricter_stop_an_endpoint_and_not_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let receiver = Receiver::start().await;
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": receiver.url() })).await;
    assert_eq!(server.terminate(), Some(0));
    let mut command = command(directory.path());
    command.env("HOOKLOG_DELIVER__HTTPS_ONLY", "true");
    let server = Server::start_with(command, directory.path());
    server.post("acme", json!({ "type": "a.b", "data": {} })).await;
    let status = server.status_when("acme", "crm", |status| status["state"] == "backing_off").await;
    assert_eq!(status["problem"]["code"], "forbidden_address", "{status}");
    assert_eq!(server.terminate(), Some(0));
    assert!(receiver.deliveries().is_empty());
    // The event has waited, and the rules are as they were.
    let server = Server::start(directory.path());
    server.status_when("acme", "crm", |status| status["ledger"]["delivered"] == 1).await;
}

#[tokio::test]
async fn a_name_that_leads_only_where_nothing_may_go_is_not_saved() {
    let directory = tempfile::tempdir().unwrap();
    let (data, hosts) = (directory.path().join("data"), directory.path().join("hosts"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&hosts, "10.1.2.3 inside.example\n10.1.2.3 both.example\n127.0.0.1 both.example\n").unwrap();
    std::fs::write(data.join("operator.token"), "hlo_test").unwrap();
    // A hosts file of its own, in a mount namespace that ends with the process.
    let mut serve = Command::new("unshare");
    serve.args(["--mount", "--map-root-user", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
    serve.arg(&hosts).arg(env!("CARGO_BIN_EXE_hooklog"));
    serve
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOOKLOG_DELIVER__ALLOW_ADDRESSES", "127.0.0.0/8")
        .env("HOOKLOG_LOG__DISK__RESERVE_BYTES", "64MiB")
        .env("HOOKLOG_OPERATOR_TOKEN", "hlo_test")
        .args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
        .arg(&data);
    let server = Server::run(serve, &data);
    server.account("acme").await;
    let refused =
        server.api().put("/api/v1/accounts/acme/endpoints/crm", json!({ "url": "https://inside.example/" })).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("forbidden_address")), "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/url");
    // One good address is enough to save it; which one is connected to is judged then.
    let saved = server.endpoint("acme", "crm", json!({ "url": "https://both.example/" })).await;
    assert!(saved.get("warnings").is_none(), "{saved}");
    let change = json!({ "url": "https://inside.example/" });
    let refused = server.api().send(Method::PATCH, "/api/v1/accounts/acme/endpoints/crm", Some(change)).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("forbidden_address")), "{refused:?}");
    let tested = server.api().post("/api/v1/accounts/acme/endpoints/crm/test", json!({})).await.json();
    assert_eq!(tested["stages"][2]["name"], "connect", "only the good address is tried: {tested}");
    assert!(!tested.to_string().contains("10.1.2.3:443"), "{tested}");
}

#[tokio::test]
async fn a_page_of_a_browser_cannot_post_where_no_token_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let mut stream = tokio::net::TcpStream::connect(&server.ingest).await.unwrap();
    let body = r#"{"type":"call.ended","data":{}}"#;
    let head = format!(
        "POST /hooks/acme HTTP/1.1\r\nhost: {}\r\norigin: https://evil.example\r\ncontent-type: text/plain\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        server.ingest,
        body.len()
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, (head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(server.list("/api/v1/accounts/acme/events").await.is_empty());
}

#[tokio::test]
async fn a_start_with_another_master_key_ends_in_words_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let data = directory.path().join("data");
    // Where a server holds the log, its figures come from the server.
    let mut stats = command(directory.path());
    let stats =
        stats.env("HOOKLOG_URL", format!("http://{}", server.admin)).args(["log", "stats", "-o", "json", "--data"]);
    let told = stats.arg(&data).output().unwrap();
    assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("\"state\": \"ok\""), "{told:?}");
    assert_eq!(server.terminate(), Some(0));
    for _ in 0..8 {
        let refused = command(directory.path())
            .env("HOOKLOG_MASTER_KEY", "5".repeat(64))
            .args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
            .arg(&data)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("another master key") && said.lines().count() <= 2, "{said}");
    }
}

#[tokio::test]
async fn a_command_is_done_to_its_end_also_when_its_sender_has_left() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let token = std::fs::read_to_string(directory.path().join("data/operator.token")).unwrap();
    for number in 0..60 {
        let mut stream = tokio::net::TcpStream::connect(&server.admin).await.unwrap();
        let request = format!(
            "PUT /api/v1/accounts/left-{number} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
            token.trim()
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        // Some leave before it has begun, some in the middle of it.
        tokio::time::sleep(std::time::Duration::from_micros(number * 50)).await;
        drop(stream);
    }
    // Commands take turns: what was begun before this one is over now, and whole.
    server.account_as_made("last").await;
    let accounts = server.list("/api/v1/accounts").await;
    assert!(accounts.len() > 5, "some were begun: {}", accounts.len());
    for account in &accounts {
        let name = account["name"].as_str().unwrap();
        let rights = server.api().get(&format!("/api/v1/accounts/{name}/rights")).await;
        assert_eq!(rights.status, StatusCode::OK, "{name}: {rights:?}");
    }
}
