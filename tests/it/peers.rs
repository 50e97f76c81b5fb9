//! Independent peers, which `cargo xtask test --everything` installs: each verifies with a library of its own.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::server::Server;

/// A peer that tells on its standard output what it has got; ended when dropped.
struct Peer {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn python(script: &str, secret: &str) -> Self {
        let python = std::env::var_os("HOOKLOG_PEERS_PYTHON");
        let python = python.expect("`cargo xtask test --everything` says where the Python with the library is");
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/peers/").to_owned() + script)
            .env("SECRET", secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let input = child.stdin.take().unwrap();
        Self { child, input, lines }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("the peer goes on").unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn nightly_peer_the_library_of_pypi_verifies_every_delivery() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    server.endpoint("acme", "crm", json!({ "url": "http://127.0.0.1:9/", "enabled": false })).await;
    let secret = server.secret("acme", "crm").await;
    let mut peer = Peer::python("receiver.py", &secret);
    let url = format!("http://127.0.0.1:{}/in", peer.line());
    server.endpoint("acme", "crm", json!({ "url": url, "maxInFlight": 4 })).await;

    let texts = ["plain", "é 你好 🙂", "\"quoted\" \\ and \u{7}", "line\nbreak"];
    let data = |number: usize| json!({ "n": number, "text": texts[number % texts.len()], "big": 1e300 });
    let events = (0..60).map(|n| json!({ "id": format!("e{n}"), "type": "a.b", "data": data(n) })).collect();
    server.post("acme", Value::Array(events)).await;
    for _ in 0..60 {
        let told: Value = serde_json::from_str(&peer.line()).unwrap();
        assert_eq!(told["problem"], Value::Null, "{told}");
        let number = told["id"].as_str().unwrap()[1..].parse::<usize>().unwrap();
        assert_eq!(told["data"], data(number), "the body is what was posted");
    }
    // During a rotation the old key goes on fitting.
    let rotated = server.api().post("/api/v1/accounts/acme/endpoints/crm/secret/rotate", json!({})).await;
    assert!(rotated.status.is_success(), "{rotated:?}");
    server.post("acme", json!({ "id": "e60", "type": "a.b", "data": data(60) })).await;
    let told: Value = serde_json::from_str(&peer.line()).unwrap();
    assert_eq!((&told["id"], &told["problem"]), (&json!("e60"), &Value::Null), "{told}");
}

#[tokio::test]
async fn nightly_peer_the_sdk_of_cloud_events_sends_in_every_mode_and_reads_what_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let mut peer = Peer::python("cloud_events.py", "");
    let told = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let url = format!("http://127.0.0.1:{}/in", told(peer.line())["port"]);
    server.endpoint("acme", "crm", json!({ "url": url, "format": "cloudevents", "order": "strict" })).await;
    peer.tell(&format!("http://{}/v1/accounts/acme/events", server.ingest));
    // Three requests and four events, in whatever order the two are told.
    let lines: Vec<Value> = (0..7).map(|_| told(peer.line())).collect();
    let (answers, mut received): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.get("status").is_some());
    let accepted: Vec<_> = answers.iter().map(|answer| (&answer["status"], &answer["accepted"])).collect();
    let (status, one, two) = (json!(202), json!(1), json!(2));
    assert_eq!(accepted, [(&status, &one), (&status, &one), (&status, &two)]);
    received.sort_by_key(|event| event["id"].as_str().unwrap().to_owned());
    for (number, event) in (1..).zip(&received) {
        let expected = json!({
            "id": format!("sdk-{number}"), "type": "call.ended", "subject": "i_7 \"é\" 50%", "time": true, "actor": "u_1",
            "data": { "n": number, "text": "é 你好" },
        });
        assert_eq!(*event, expected);
    }
    assert_eq!(received.len(), 4);
}

#[tokio::test]
async fn nightly_peer_the_library_of_pypi_reads_the_stream_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let wish = json!({ "name": "laptop", "permissions": ["listen"] });
    let token = server.api().post("/api/v1/accounts/acme/tokens", wish).await.json();
    let mut peer = Peer::python("stream.py", token["token"].as_str().unwrap());
    let data = |number: usize| json!({ "n": number, "text": "é 你好 🙂\nline" });
    for number in 0..6 {
        // As a person would write it, over several lines.
        let event = json!({ "id": format!("e{number}"), "type": "call.ended", "data": data(number) });
        let body = serde_json::to_vec_pretty(&event).unwrap();
        let mut sender = server.sender();
        let sent =
            sender.try_send(http::Method::POST, "/v1/accounts/acme/events", "application/json", body.into()).await;
        assert_eq!(sent.unwrap().status, http::StatusCode::ACCEPTED);
    }
    let url = format!("http://{}/api/v1/accounts/acme/stream?from=earliest&types=call.*", server.admin);
    let mut after = String::new();
    for stretch in [0..4, 4..6] {
        peer.tell(&json!({ "url": url, "after": after, "count": stretch.len() }).to_string());
        for number in stretch {
            let told: Value = serde_json::from_str(&peer.line()).unwrap();
            assert_eq!(told["event"], "call.ended");
            assert_eq!((&told["data"]["id"], &told["data"]["data"]), (&json!(format!("e{number}")), &data(number)));
            told["id"].as_str().unwrap().clone_into(&mut after);
        }
    }
}
