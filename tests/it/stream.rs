//! Pull instead of push: what an account receives, read from where the reader was.

use http::StatusCode;
use serde_json::{Value, json};

use crate::http::{Answer, EventStream, StreamedEvent};
use crate::receiver::Receiver;
use crate::server::{PATIENCE, Server};

const STREAM: &str = "/api/v1/accounts/acme/stream";

fn call(number: u64) -> Value {
    json!({
        "id": format!("call_{number}"), "type": "call.ended", "key": format!("i_{number}"),
        "data": { "interaction": { "id": format!("i_{number}") }, "customer": { "number": "+33612345678" } },
    })
}

fn login(number: u64) -> Value {
    json!({ "id": format!("login_{number}"), "type": "agent.login", "data": { "n": number } })
}

async fn acme(directory: &std::path::Path) -> Server {
    let server = Server::start(directory);
    server.account("acme").await;
    server
}

/// Makes a token that may listen and nothing else; its id and itself.
async fn listener(server: &Server) -> (String, String) {
    let wish = json!({ "name": "laptop", "permissions": ["listen"] });
    let made = server.api().post("/api/v1/accounts/acme/tokens", wish).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

/// The lines of an answer: events, and where to go on.
fn lines(answer: &Answer) -> (Vec<Value>, Value) {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let text = std::str::from_utf8(&answer.body).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    (lines, end)
}

async fn next(stream: &mut EventStream) -> StreamedEvent {
    let event = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event comes");
    event.expect("the stream goes on")
}

/// Waits until a stream ends, without another event.
async fn ends(stream: &mut EventStream) {
    let end = tokio::time::timeout(PATIENCE, stream.next()).await.expect("the stream ends");
    assert_eq!(end, None);
}

#[tokio::test]
async fn lines_are_read_page_by_page_and_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(directory.path()).await;
    let (_, token) = listener(&server).await;
    server.post("acme", Value::Array((1..=30).map(|n| if n % 3 == 0 { login(n) } else { call(n) }).collect())).await;
    let start = server.api_as(&token).get(STREAM).await;
    let (events, end) = lines(&start);
    let head = end["head"].as_u64().unwrap();
    assert_eq!((events.len(), end["next"].as_u64()), (0, Some(head + 1)), "from now on, where nothing is said");

    let (mut read, mut from) = (Vec::new(), "earliest".to_owned());
    loop {
        let path = format!("{STREAM}?from={from}&types=call.*&limit=7");
        let (events, end) = lines(&server.api_as(&token).get(&path).await);
        assert!(events.len() <= 7);
        let is_end = events.is_empty();
        read.extend(events);
        from = end["next"].to_string();
        if is_end {
            break;
        }
    }
    let ids: Vec<&str> = read.iter().map(|event| event["id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (1..=30).filter(|n| n % 3 != 0).map(|n| format!("call_{n}")).collect();
    assert_eq!(ids, expected);
    let first = &read[0];
    assert_eq!((&first["type"], &first["key"], &first["version"]), (&json!("call.ended"), &json!("i_1"), &json!(1)));
    assert_eq!((&first["body"]["id"], &first["body"]["accountId"]), (&json!("call_1"), &json!("acme")));
    let rights = server.api().get("/api/v1/accounts/acme/rights").await.json();
    assert_eq!(first["rights"], rights["revision"]);

    // An answer that waits ends with what it asked for, as soon as that is there.
    let mut waiting = server.api_as(&token);
    let path = format!("{STREAM}?from={}&limit=2&waitMs=60000", head + 1);
    let wait = tokio::spawn(async move { waiting.get(&path).await });
    server.post("acme", call(31)).await;
    server.post("acme", call(32)).await;
    let (events, end) = lines(&tokio::time::timeout(PATIENCE, wait).await.unwrap().unwrap());
    assert_eq!((events.len(), end["next"].as_u64()), (2, Some(head + 3)));
    let path = format!("{STREAM}?from={}&waitMs=50", head + 3);
    assert_eq!(lines(&server.api_as(&token).get(&path).await), (vec![], json!({ "next": head + 3, "head": head + 2 })));
}

#[tokio::test]
async fn a_reader_of_events_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(directory.path()).await;
    let (_, token) = listener(&server).await;
    let mut stream = server.api_as(&token).events(&format!("{STREAM}?types=call.*"), None).await.ok().unwrap();
    server.post("acme", Value::Array(vec![call(1), login(1), call(2), login(2)])).await;
    let first = next(&mut stream).await;
    assert_eq!(first.event, "call.ended");
    let data: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!((&data["id"], &data["data"]["interaction"]["id"]), (&json!("call_1"), &json!("i_1")));
    let second = next(&mut stream).await;
    assert_eq!(second.id.parse::<u64>().unwrap(), first.id.parse::<u64>().unwrap() + 2);
    server.post("acme", call(3)).await;
    next(&mut stream).await;
    let last_id = stream.last_id.clone();
    server.kill();
    assert!(tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().is_none());
    let server = Server::start(directory.path());
    server.post("acme", Value::Array(vec![call(4), call(5)])).await;
    let path = format!("{STREAM}?from=earliest&types=call.*");
    let mut stream = server.api_as(&token).events(&path, Some(&last_id)).await.ok().unwrap();
    for n in 4..=5 {
        let data: Value = serde_json::from_str(&next(&mut stream).await.data).unwrap();
        assert_eq!(data["id"], format!("call_{n}"));
    }
    // A process that is told to end does not wait for its readers.
    drop(server);
    ends(&mut stream).await;
}

#[tokio::test]
async fn what_is_withheld_is_not_streamed_and_a_change_holds_from_its_answer() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(directory.path()).await;
    let receiver = Receiver::start().await;
    let narrow = json!({ "url": receiver.url(), "types": ["call.*"], "format": "data",
        "rights": { "fields": { "customer.number": "mask" } } });
    server.endpoint("acme", "crm", narrow).await;
    let (id, token) = listener(&server).await;
    let path = |query: &str| format!("{STREAM}?{query}");
    let mut of_account = server.api_as(&token).events(STREAM, None).await.ok().unwrap();
    let mut of_endpoint = server.api_as(&token).events(&path("endpoint=crm"), None).await.ok().unwrap();
    server.post("acme", Value::Array(vec![login(1), call(1)])).await;
    assert_eq!(next(&mut of_account).await.event, "agent.login");
    assert!(next(&mut of_account).await.data.contains("+33612345678"));
    let told = next(&mut of_endpoint).await;
    assert!(told.event == "call.ended" && told.data.contains("+*********78"), "{told:?}");
    let own = path("endpoint=crm&format=endpoint&from=earliest&types=call.ended");
    let (events, _) = lines(&server.api_as(&token).get(&own).await);
    assert_eq!(events[0]["body"]["customer"], json!({ "number": "+*********78" }), "in the endpoint's own form");

    for n in 2..30 {
        let treatment = if n % 2 == 0 { "remove" } else { "keep" };
        server
            .rights("acme", json!({ "types": { "*": true }, "fields": { "*": "keep", "customer.number": treatment } }))
            .await;
        server.post("acme", call(n)).await;
        let mut told = next(&mut of_account).await;
        assert_eq!(told.event, "webhook.rights_changed");
        told = next(&mut of_account).await;
        assert_eq!(told.data.contains("+33612345678"), n % 2 == 1, "{n}: {told:?}");
    }
    // Who is switched off gets nothing, and all of it afterwards.
    server.api().put("/api/v1/accounts/acme", json!({ "enabled": false })).await;
    server.post("acme", call(40)).await;
    let from = path("from=earliest&types=call.*");
    assert_eq!(lines(&server.api_as(&token).get(&from).await).0, Vec::<Value>::new());
    server.api().put("/api/v1/accounts/acme", json!({ "enabled": true })).await;
    assert!(next(&mut of_account).await.data.contains("call_40"));

    // Whose token is removed reads nothing any more.
    let removed = server.api().send(http::Method::DELETE, &format!("/api/v1/accounts/acme/tokens/{id}"), None).await;
    assert!(removed.status.is_success(), "{removed:?}");
    server.post("acme", call(41)).await;
    ends(&mut of_account).await;
}

#[tokio::test]
async fn what_cannot_be_streamed_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(directory.path()).await;
    let (_, token) = listener(&server).await;
    server.post("acme", call(1)).await;
    for (query, code) in [
        ("from=0", "invalid_parameter"),
        ("from=99", "invalid_parameter"),
        ("from=then", "invalid_parameter"),
        ("types=call*", "invalid_parameter"),
        ("limit=0", "invalid_parameter"),
        ("waitMs=300001", "invalid_parameter"),
        ("format=endpoint", "invalid_parameter"),
        ("endpoint=nobody", "endpoint_not_found"),
        ("to=9", "unknown_parameter"),
    ] {
        let refused = server.api_as(&token).get(&format!("{STREAM}?{query}")).await.json();
        assert_eq!(refused["code"], code, "{query}: {refused}");
    }
    let accept = [("accept", "application/json")];
    let refused = server.api_as(&token).try_send_with(http::Method::GET, STREAM, &accept, bytes::Bytes::new()).await;
    assert_eq!(refused.unwrap().json()["code"], "not_acceptable");
    let mut open = Vec::new();
    let full = loop {
        assert!(open.len() < 100);
        match server.api_as(&token).events(STREAM, None).await {
            Ok(stream) => open.push(stream),
            Err((status, problem)) => break (status, problem),
        }
    };
    assert_eq!((full.0, &full.1["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limited")), "{full:?}");
    // Whoever leaves makes room.
    open.pop();
    let room = async {
        while server.api_as(&token).events(STREAM, None).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("there is room again");
}

#[tokio::test]
async fn what_was_lost_with_a_power_cut_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut serve = crate::server::command(directory.path());
        serve.env("HOOKLOG_LOG__DURABILITY", "os");
        Server::start_with(serve, directory.path())
    };
    let server = start();
    server.account("acme").await;
    let (_, token) = listener(&server).await;
    let written = || {
        let files = std::fs::read_dir(directory.path().join("data/log")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
    };
    let mut reached = 0;
    for hundred in 0..4 {
        server.post("acme", Value::Array((hundred * 100..hundred * 100 + 100).map(call).collect())).await;
        if hundred == 1 {
            reached = std::fs::metadata(written()).unwrap().len();
        }
    }
    server.kill();
    // What was written after that never reached the disk.
    let file = std::fs::OpenOptions::new().write(true).open(written()).unwrap();
    assert!(reached > 0 && reached < file.metadata().unwrap().len());
    file.set_len(reached).unwrap();
    let server = start();
    server.post("acme", call(1_000)).await;
    let path = format!("{STREAM}?from=earliest&types=call.*");
    let (events, end) = lines(&server.api_as(&token).get(&path).await);
    let ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert!((100..400).contains(&ids.len()), "{} are left", ids.len());
    assert_eq!(ids.last(), Some(&"call_1000"), "what came behind the hole");
    assert_eq!(end["next"].as_u64(), end["head"].as_u64().map(|head| head + 1));
    // Who was in the hole goes on behind it, too.
    let lost = events[events.len() - 2]["offset"].as_u64().unwrap() + 1;
    let (events, _) = lines(&server.api_as(&token).get(&format!("{STREAM}?from={lost}")).await);
    assert_eq!((events.len(), &events[0]["id"]), (1, &json!("call_1000")));
}
