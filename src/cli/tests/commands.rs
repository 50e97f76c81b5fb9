//! Commands from arguments to exit code, against a small real server.

use std::ffi::OsString;

use serde_json::{Value, json};

use super::server::{Asked, Reply, Server};
use super::{Captured, environment};
use crate::cli::command::{parse, run_in};
use crate::cli::console::Format;
use crate::cli::context::Context;

/// What a command left behind.
struct Ran {
    exit: u8,
    out: String,
    error: String,
}

/// Runs a command line; `-o` is taken from it, as a person would say it.
async fn run(line: &[&str], variables: &[(&str, &str)], answers: Option<&'static str>) -> Ran {
    let format = match line.iter().position(|word| *word == "-o").and_then(|at| line.get(at + 1)) {
        Some(&"json") => Format::Json,
        Some(&"ndjson") => Format::Ndjson,
        Some(&"csv") => Format::Csv,
        _ => Format::Table,
    };
    let mut captured = Captured::new(format);
    if let Some(answers) = answers {
        captured = captured.answered_by(answers);
    }
    let words = ["hooklog"].iter().chain(line).map(OsString::from);
    let arguments = parse(words, false).unwrap_or_else(|refusal| panic!("{refusal}"));
    let Captured { console, out, error } = captured;
    let mut context = Context::new(console, environment(variables));
    let exit = run_in(arguments, &mut context).await.code();
    Ran { exit, out: out.text(), error: error.text() }
}

/// Runs a command against a server.
async fn against(server: &Server, line: &[&str]) -> Ran {
    run(line, &[("HOOKLOG_URL", &server.url), ("HOOKLOG_TOKEN", "hlo_secret")], None).await
}

fn reply(status: u16, body: &Value) -> Reply {
    (status, vec![("content-type", "application/json".to_owned())], body.to_string())
}

fn problem(status: u16, code: &str) -> Reply {
    reply(
        status,
        &json!({"type": format!("/problems/{code}"), "code": code, "title": "No", "status": status, "instance": "01J"}),
    )
}

#[tokio::test]
async fn a_list_follows_its_cursors_and_shows_its_token() {
    let server = Server::start(|asked| {
        let page = if asked.target.contains("after=c2") {
            json!({"items": [{"name": "c"}], "next": null})
        } else {
            json!({"items": [{"name": "a"}, {"name": "b"}], "next": "c2"})
        };
        reply(200, &page)
    })
    .await;
    let ran = against(&server, &["account", "list", "-o", "ndjson"]).await;
    assert_eq!((ran.exit, ran.out.as_str()), (0, "{\"name\":\"a\"}\n{\"name\":\"b\"}\n{\"name\":\"c\"}\n"));
    assert_eq!(server.lines(), ["GET /api/v1/accounts?limit=100", "GET /api/v1/accounts?limit=98&after=c2"]);
    assert_eq!(server.asked()[0].headers["authorization"], "Bearer hlo_secret");

    let ran = against(&server, &["account", "list", "--limit", "2", "-o", "csv"]).await;
    assert!(ran.out.starts_with("name,enabled,") && ran.out.lines().count() == 3, "{}", ran.out);
    assert_eq!(ran.error, "there is more: say --all, or --after c2\n");
}

#[tokio::test]
async fn queries_are_those_of_the_contract() {
    let server = Server::answering(200, r#"{"items": [], "next": null}"#).await;
    let lines: [(&[&str], &str); 5] = [
        (
            &["event", "list", "acme", "--type", "call.*", "--key", "i 1", "--from", "41", "--to", "80"],
            "/api/v1/accounts/acme/events?type=call.*&key=i+1&fromOffset=41&toOffset=80&limit=100",
        ),
        (
            &["delivery", "list", "acme/crm", "--outcome", "waiting", "--direction", "oldest", "--limit", "5000"],
            "/api/v1/accounts/acme/deliveries?endpoint=crm&outcome=waiting&direction=oldest&limit=1000",
        ),
        (&["endpoint", "list", "--sort", "lag"], "/api/v1/endpoints?sort=lag&limit=100"),
        (&["token", "list"], "/api/v1/tokens?limit=100"),
        (&["capture", "list", "--after", "c"], "/api/v1/captures?limit=100&after=c"),
    ];
    for (line, expected) in lines {
        assert_eq!(against(&server, line).await.exit, 0, "{line:?}");
        assert_eq!(server.lines().last().unwrap(), &format!("GET {expected}"));
    }
}

#[tokio::test]
async fn set_changes_what_is_there_and_creates_what_is_not() {
    let there = Server::answering(200, r#"{"name": "acme", "enabled": true}"#).await;
    let ran = against(&there, &["account", "set", "acme", "--enabled", "--label", "a=1", "--no-label", "b"]).await;
    assert_eq!(ran.exit, 0);
    assert_eq!(there.lines(), ["PATCH /api/v1/accounts/acme"]);
    assert_eq!(there.asked()[0].json(), json!({"enabled": true, "labels": {"a": "1", "b": null}}));

    let absent = Server::start(|asked: &Asked| {
        if asked.method == "PATCH" { problem(404, "account_not_found") } else { reply(201, &json!({"name": "acme"})) }
    })
    .await;
    let ran = against(&absent, &["account", "set", "acme", "--label", "a=1", "--no-label", "b"]).await;
    assert_eq!(ran.exit, 0);
    assert_eq!(absent.lines(), ["PATCH /api/v1/accounts/acme", "PUT /api/v1/accounts/acme"]);
    assert_eq!(absent.asked()[1].json(), json!({"labels": {"a": "1"}}), "there is nothing to remove");
}

#[tokio::test]
async fn an_absent_account_is_not_created_by_setting_an_endpoint() {
    let server = Server::start(|_| problem(404, "account_not_found")).await;
    let ran = against(&server, &["endpoint", "set", "acme/crm", "https://crm.example.com/hooks"]).await;
    assert_eq!(ran.exit, 1);
    assert_eq!(server.lines(), ["PATCH /api/v1/accounts/acme/endpoints/crm"]);
    assert!(ran.error.contains("hooklog account set"), "{}", ran.error);
}

#[tokio::test]
async fn an_endpoint_is_set_from_flags_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.json");
    std::fs::write(&file, r#"{"order": "strict", "maxInFlight": 4}"#).unwrap();
    let server = Server::answering(200, r#"{"name": "crm"}"#).await;
    let file = file.display().to_string();
    let line = [
        "endpoint",
        "set",
        "acme/crm",
        "https://a.example/x",
        "--from",
        &file,
        "--max-in-flight",
        "2",
        "--rate-per-second",
        "20",
        "--timeout",
        "5s",
        "--auth",
        "bearer:t",
        "--header",
        "x-a=1",
        "--replace",
        "--if-match",
        "r1",
    ];
    assert_eq!(against(&server, &line).await.exit, 0);
    let asked = &server.asked()[0];
    assert_eq!(asked.line(), "PUT /api/v1/accounts/acme/endpoints/crm");
    assert_eq!(asked.headers["if-match"], "\"r1\"");
    let expected = json!({"url": "https://a.example/x", "order": "strict", "maxInFlight": 2, "ratePerSecond": 20,
        "timeoutMs": 5000, "auth": {"type": "bearer", "token": "t"}, "headers": {"x-a": "1"}});
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn a_client_certificate_is_given_alone_or_beside_another_authentication() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        format!("@{}", folder.path().join(name).display())
    };
    let (certificate, key) = (file("c.pem", "CERT"), file("k.pem", "KEY"));
    let alone = format!("certificate:{certificate}:{key}");
    let renewed = format!("certificate:{certificate}");
    let set = ["endpoint", "set", "acme/crm"];
    let beside = ["--auth", "bearer:t", "--client-certificate", &certificate, "--client-key", &key];
    for (said, auth) in [
        (&["--auth", &alone][..], json!({"type": "certificate", "certificate": "CERT", "key": "KEY"})),
        (&beside, json!({"type": "bearer", "token": "t", "certificate": {"certificate": "CERT", "key": "KEY"}})),
        (&["--auth", &renewed], json!({"type": "certificate", "certificate": "CERT"})),
    ] {
        let server = Server::answering(200, r#"{"name": "crm"}"#).await;
        assert_eq!(against(&server, &[&set, said].concat()).await.exit, 0);
        assert_eq!(server.asked()[0].json(), json!({"auth": auth}));
    }
    let server = Server::answering(200, r#"{"name": "crm"}"#).await;
    let beside_none = ["--auth", "none", "--client-certificate", &certificate];
    assert_eq!(against(&server, &[&set[..], &beside_none].concat()).await.exit, 2);
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn a_rehearsal_prints_the_request_and_sends_nothing() {
    let server = Server::answering(500, "").await;
    let lines: [(&[&str], &str); 3] = [
        (&["endpoint", "set", "acme/crm", "--order", "none", "--dry-run"], "PATCH"),
        (&["endpoint", "delete", "acme/crm", "--dry-run"], "DELETE"),
        (&["token", "create", "acme", "--name", "x", "--dry-run"], "POST"),
    ];
    for (line, method) in lines {
        let ran = against(&server, line).await;
        assert_eq!(ran.exit, 0, "{line:?}");
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["method"], method);
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[tokio::test]
async fn deleting_asks_and_refuses_without_a_terminal() {
    let server = Server::answering(204, "").await;
    let variables = [("HOOKLOG_URL", server.url.as_str())];
    let line = ["endpoint", "delete", "acme/crm"];
    let ran = run(&line, &variables, None).await;
    assert_eq!(ran.exit, 2);
    assert!(ran.error.contains("--yes"), "{}", ran.error);
    assert_eq!(run(&line, &variables, Some("n\n")).await.exit, 1);
    assert_eq!(server.lines(), [""; 0]);
    assert_eq!(run(&line, &variables, Some("y\n")).await.exit, 0);
    assert_eq!(run(&["endpoint", "delete", "acme/crm", "--yes"], &variables, None).await.exit, 0);
    assert_eq!(server.lines(), ["DELETE /api/v1/accounts/acme/endpoints/crm"; 2]);
}

#[tokio::test]
async fn a_test_that_failed_is_a_no() {
    let stages = json!([{"name": "resolve", "ms": 1, "ok": true}, {"name": "connect", "ms": 3, "ok": false,
        "code": "connection_refused", "title": "Nobody listens there"}]);
    let failed = json!({"ok": false, "status": null, "durationMs": 4, "stages": stages}).to_string();
    let server = Server::answering(200, failed).await;
    let ran = against(&server, &["endpoint", "test", "acme/crm"]).await;
    assert_eq!(ran.exit, 3);
    assert!(ran.out.contains("connection_refused") && ran.out.contains("Nobody listens there"), "{}", ran.out);
    assert_eq!(server.asked()[0].json(), json!({}));

    let server = Server::answering(200, r#"{"ok": true, "status": 200, "durationMs": 4, "stages": []}"#).await;
    let ran = against(&server, &["endpoint", "test", "acme", "https://a.example", "--type", "call.ended"]).await;
    assert_eq!((ran.exit, server.lines()), (0, vec!["POST /api/v1/accounts/acme/endpoints/test".to_owned()]));
    assert_eq!(server.asked()[0].json(), json!({"endpoint": {"url": "https://a.example"}, "type": "call.ended"}));
    assert_eq!(against(&server, &["endpoint", "test", "acme"]).await.exit, 2, "there is nothing to test");
}

#[tokio::test]
async fn the_newest_secret_can_be_had_alone() {
    let keys =
        json!({"keys": [{"id": "k1", "scheme": "v1", "secret": "whsec_a", "createdAt": "2026-03-02T00:00:00.000Z"}]});
    let server = Server::answering(200, keys.to_string()).await;
    assert_eq!(against(&server, &["endpoint", "secret", "acme/crm", "--bare"]).await.out, "whsec_a\n");
    let ran = against(&server, &["endpoint", "rotate", "acme/crm", "--overlap", "2h"]).await;
    assert_eq!((ran.exit, server.asked()[1].json()), (0, json!({"overlapMs": 7_200_000})));
    assert_eq!(
        against(&server, &["endpoint", "rotate", "acme/crm", "--overlap", "0"]).await.exit,
        2,
        "it has to be agreed to"
    );
}

#[tokio::test]
async fn problems_are_told_in_words_or_as_json() {
    let server = Server::start(|_| problem(404, "endpoint_not_found")).await;
    let ran = against(&server, &["endpoint", "status", "acme/crm"]).await;
    assert_eq!((ran.exit, ran.out.as_str()), (1, ""));
    assert!(ran.error.starts_with("error: No (404 endpoint_not_found)\n  try: hooklog endpoint list"), "{}", ran.error);
    let ran = against(&server, &["endpoint", "status", "acme/crm", "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&ran.error).unwrap()["code"], "endpoint_not_found");
    assert_eq!((ran.exit, ran.out.as_str()), (1, ""));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_advice() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let ran = run(&["status"], &[("HOOKLOG_URL", &url)], None).await;
    assert_eq!(ran.exit, 1);
    assert!(
        ran.error.contains("is `hooklog serve` running?") && ran.error.contains("nothing listens"),
        "{}",
        ran.error
    );
    let server = Server::answering(200, "<html>").await;
    let ran = against(&server, &["status"]).await;
    assert!(ran.exit == 1 && ran.error.contains("is it hooklog's admin API?"), "{}", ran.error);
}

#[tokio::test]
async fn status_is_a_yes_or_a_no() {
    let server = Server::answering(200, r#"{"head": 41, "bytes": 2048, "problems": []}"#).await;
    let ran = against(&server, &["status"]).await;
    assert!(ran.exit == 0 && ran.out.contains("2.0 KiB") && ran.out.ends_with("All is well.\n"), "{}", ran.out);
    let server =
        Server::answering(200, r#"{"problems": [{"title": "Full", "account": "acme", "endpoint": "crm"}]}"#).await;
    let ran = against(&server, &["status"]).await;
    assert!(ran.exit == 3 && ran.out.contains("next: hooklog endpoint status acme/crm"), "{}", ran.out);
}

#[tokio::test]
async fn a_kept_connection_that_died_is_opened_anew() {
    let server = Server::start(|asked| {
        let next = if asked.target.contains("after") { Value::Null } else { "x".into() };
        let body = json!({"items": [{"name": "a"}], "next": next}).to_string();
        (200, vec![("connection", "close".to_owned())], body)
    })
    .await;
    let ran = against(&server, &["account", "list"]).await;
    assert_eq!((ran.exit, server.lines().len()), (0, 2), "{}", ran.error);
}

#[tokio::test]
async fn a_replay_is_waited_for() {
    let looks = std::sync::atomic::AtomicU64::new(0);
    let server = Server::start(move |asked| {
        let look = if asked.method == "GET" { looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) } else { 0 };
        let (state, delivered) = if look < 2 { ("running", look * 10) } else { ("completed", 39) };
        let status = if asked.method == "POST" { 201 } else { 200 };
        reply(
            status,
            &json!({"id": "job_1", "state": state, "progress": 0.5,
            "counts": {"matched": 39, "delivered": delivered, "givenUp": 0, "remaining": 39 - delivered}}),
        )
    })
    .await;
    let ran =
        against(&server, &["replay", "start", "acme/crm", "--from", "41", "--to", "80", "--wait", "-o", "json"]).await;
    assert_eq!(ran.exit, 0, "{}", ran.error);
    assert_eq!(server.asked()[0].json(), json!({"endpoint": "crm", "from": {"offset": 41}, "to": {"offset": 80}}));
    assert_eq!(server.lines()[1], "GET /api/v1/accounts/acme/replays/job_1");
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["counts"]["delivered"], 39);
    assert_eq!(against(&server, &["replay", "start", "acme/crm"]).await.exit, 2, "it has to be said from where");
}

#[tokio::test]
async fn events_are_sent_from_flags_and_files() {
    let taken = json!({"accepted": 1, "duplicates": 0, "firstOffset": 41, "lastOffset": 41,
        "results": [{"id": "evt_1", "offset": 41, "duplicate": false}]});
    let server = Server::answering(202, taken.to_string()).await;
    let send = |more: &[&'static str]| {
        let line: Vec<_> = ["event", "send", "acme", "--ingest", &server.url]
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect();
        async move { run(&line.iter().map(String::as_str).collect::<Vec<_>>(), &[], None).await }
    };
    let ran = send(&["--type", "call.ended", "--data", r#"{"a": 1}"#, "--id", "evt_1", "--keep-first"]).await;
    assert_eq!((ran.exit, ran.error.as_str()), (0, "1 accepted, 0 duplicates\n"));
    assert!(ran.out.contains("evt_1"), "{}", ran.out);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.line(), "POST /v1/accounts/acme/events?onConflict=keep_first");
    assert_eq!(asked.json(), json!({"type": "call.ended", "id": "evt_1", "data": {"a": 1}}));
    assert_eq!(send(&["--type", "call.ended", "--data", "[]"]).await.exit, 2);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, "{\"type\":\"a\",\"data\":{}}\n{\"type\":\"b\",\"data\":{}}\n").unwrap();
    let file = file.display().to_string();
    let ran = run(&["event", "send", "acme", &file, "--ingest", &server.url, "-o", "json"], &[], None).await;
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap(), taken);
    assert_eq!(server.asked().pop().unwrap().headers["content-type"], "application/x-ndjson");
}

#[tokio::test]
async fn completions_are_a_script() {
    let ran = run(&["completions", "bash"], &[], None).await;
    assert!(ran.exit == 0 && ran.out.contains("_hooklog()"), "{}", ran.out);
}

fn taken(asked: &Asked) -> Value {
    let events = std::str::from_utf8(&asked.body).unwrap().lines().count();
    json!({"accepted": events, "duplicates": 0, "results": []})
}

async fn simulate(server: &Server, more: &[&str]) -> (u8, Value, String) {
    let line: Vec<_> = ["simulate", "--ingest", &server.url, "-o", "json"].iter().chain(more).copied().collect();
    let ran = run(&line, &[], None).await;
    (ran.exit, serde_json::from_str(&ran.out).unwrap(), ran.error)
}

#[tokio::test]
async fn simulated_traffic_keeps_the_order_of_each_account() {
    let server = Server::start(|asked| reply(202, &taken(asked))).await;
    let line =
        ["--accounts", "acme,globex,initech", "--rate", "0", "--count", "600", "--batch", "7", "--connections", "2"];
    let (exit, sum, _) = simulate(&server, &line).await;
    assert_eq!((exit, &sum["sent"], &sum["accepted"]), (0, &600.into(), &600.into()), "{sum}");
    let mut seen = std::collections::BTreeMap::<String, Vec<String>>::new();
    for asked in server.asked() {
        for event in asked.body.split(|byte| *byte == b'\n') {
            let event: Value = serde_json::from_slice(event).unwrap();
            seen.entry(asked.target.clone()).or_default().push(event["id"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen.values().map(Vec::len).sum::<usize>(), 600);
    assert!(seen.keys().all(|target| target.starts_with("/v1/accounts/")));
    assert!(seen.values().all(|ids| ids.is_sorted()), "ids sort as the events happened");
}

#[tokio::test]
async fn a_busy_server_gets_the_same_ids_again() {
    let turn = std::sync::atomic::AtomicU64::new(0);
    let server = Server::start(move |asked| {
        if turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(2) {
            let (status, mut headers, body) = problem(503, "queue_full");
            headers.push(("retry-after", "0".to_owned()));
            return (status, headers, body);
        }
        reply(202, &taken(asked))
    })
    .await;
    let (exit, sum, _) = simulate(&server, &["--rate", "0", "--count", "20"]).await;
    assert_eq!((exit, &sum["accepted"], &sum["repeated"]), (0, &20.into(), &20.into()), "{sum}");
    let bodies: Vec<_> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert!(bodies.chunks(2).all(|pair| pair[0] == pair[1]), "what was refused for now comes again, unchanged");
}

#[tokio::test]
async fn what_was_not_taken_is_a_failure_that_is_explained() {
    let server = Server::start(|_| problem(404, "account_not_found")).await;
    let (exit, sum, error) = simulate(&server, &["--rate", "0", "--count", "5"]).await;
    assert_eq!((exit, &sum["refused"], &sum["sent"]), (1, &5.into(), &5.into()));
    assert!(error.contains("hooklog account set"), "{error}");

    let away = Server::start(|_| problem(503, "shutting_down")).await;
    let (exit, sum, error) = simulate(&away, &["--rate", "0", "--count", "1", "--patience", "0"]).await;
    assert_eq!((exit, &sum["unanswered"], &sum["requests"]), (1, &1.into(), &1.into()));
    assert!(error.contains("took nothing"), "{error}");
}

#[tokio::test]
async fn an_unknown_shape_goes_to_hooks_and_may_be_captured() {
    let server = Server::answering(200, r#"{"accepted": 0, "captured": 1, "results": []}"#).await;
    let (exit, sum, _) = simulate(&server, &["--rate", "0", "--count", "4", "--raw"]).await;
    assert_eq!((exit, &sum["captured"], &sum["accepted"]), (0, &4.into(), &0.into()));
    assert_eq!(server.lines(), ["POST /hooks/acme"; 4]);
    assert_eq!(server.asked()[0].json()["client"], "acme");
}

#[tokio::test]
async fn a_rehearsed_simulation_prints_its_events() {
    let line = ["simulate", "--count", "3", "--dry-run"];
    let ran = run(&line, &[], None).await;
    assert_eq!((ran.exit, ran.out.lines().count()), (0, 3));
    assert_eq!(ran.out, run(&line, &[], None).await.out, "the same each time");
    assert_eq!(run(&["simulate", "--dry-run"], &[], None).await.exit, 2);
}

#[tokio::test]
async fn receive_says_where_it_listens_and_sums_up() {
    let ran = run(&["receive", "--listen", "127.0.0.1:0", "--duration", "1ms", "-o", "ndjson"], &[], None).await;
    let first: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert!(first["listening"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{}", ran.out);
    assert_eq!((ran.exit, ran.error.contains("received 0")), (0, true));
    let ran = run(&["receive", "--listen", "127.0.0.1:0", "--secret", "nonsense"], &[], None).await;
    assert!(ran.exit == 2 && ran.error.contains("whsec_"), "{}", ran.error);
}
