//! Independent peers, which `cargo xtask test --everything` installs: each verifies with a library of its own.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::server::Server;

/// A peer that tells on its standard output what it has got; ended when dropped.
struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn python(script: &str, secret: &str) -> Self {
        let python = std::env::var_os("HOOKLOG_PEERS_PYTHON");
        let python = python.expect("`cargo xtask test --everything` says where the Python with the library is");
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/peers/").to_owned() + script)
            .env("SECRET", secret)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
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
