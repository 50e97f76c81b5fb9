//! An endpoint's events on somebody's own machine: as they would be delivered, gone on with, and honest.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver as Told, channel};

use serde_json::{Value, json};

use crate::receiver::{Delivery, Receiver};
use crate::server::{PATIENCE, Server, command};

fn call(number: u64) -> Value {
    json!({
        "id": format!("call_{number}"), "type": "call.ended", "key": format!("Zoé {number}"),
        "data": { "interaction": { "id": format!("Zoé {number}") }, "customer": { "number": "+33612345678" },
                  "text": "two\nlines" },
    })
}

/// A command that goes on, and what it tells people.
struct Listening {
    child: Child,
    told: Told<String>,
}

impl Listening {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, told) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, told }
    }

    /// Waits for a line with this in it.
    async fn tells(&self, text: &str) -> String {
        let mut all = Vec::new();
        let wait = async {
            loop {
                match self.told.try_recv() {
                    Ok(line) if line.contains(text) => return line,
                    Ok(line) => all.push(line),
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
            }
        };
        let line = tokio::time::timeout(PATIENCE, wait).await;
        line.unwrap_or_else(|_| panic!("it never tells of {text:?}, but: {all:?}"))
    }

    async fn ends(self) -> Output {
        tokio::task::spawn_blocking(move || self.child.wait_with_output().unwrap()).await.unwrap()
    }
}

/// An address that nobody has at this moment.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn serve(directory: &Path, admin: SocketAddr) -> Server {
    let data = directory.join("data");
    let mut serve = command(directory);
    serve.args(["serve", "--ingest", "127.0.0.1:0", "--admin", &admin.to_string(), "--data"]).arg(&data);
    Server::run(serve, &data)
}

/// Both have come: to the endpoint's receiver, and to the one on somebody's machine.
fn same(delivered: &Delivery, posted: &Delivery) {
    assert_eq!(delivered.body, posted.body);
    let own = ["host", "webhook-timestamp", "webhook-signature", "hooklog-sequence", "date", "content-length"];
    let headers = |one: &Delivery| {
        let mut headers: Vec<_> = one.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        headers.retain(|(name, _)| !own.contains(&name.as_str()));
        headers.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        headers
    };
    assert_eq!(headers(delivered), headers(posted));
    assert_eq!(posted.header("hooklog-sequence"), "", "what is posted has no number of a delivery");
}

#[tokio::test]
async fn what_is_posted_is_what_the_endpoint_gets_and_it_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let admin = free();
    let server = serve(directory.path(), admin);
    let (receiver, laptop) = (Receiver::start().await, Receiver::start().await);
    server.account("acme").await;
    let settings = json!({ "url": receiver.url(), "format": "cloudevents", "order": "strict", "types": ["call.*"],
        "rights": { "fields": { "customer.number": "mask" } } });
    server.endpoint("acme", "crm", settings).await;
    server.post("acme", Value::Array((1..=3).map(call).collect())).await;

    let url = laptop.url();
    let listen = ["listen", "acme/crm", "--from", "earliest", "--forward-to", &url];
    let listening = Listening::start(server.command(directory.path(), &listen));
    let told = listening.tells("verify with").await;
    laptop.verify_with(told.split_whitespace().last().unwrap());
    listening.tells("live: everything up to").await;
    server.post("acme", Value::Array(vec![json!({ "type": "agent.login", "data": {} }), call(4)])).await;
    let (delivered, mut posted) = (receiver.wait_for(4).await, laptop.wait_for(4).await);
    delivered.iter().zip(&posted).for_each(|(delivered, posted)| same(delivered, posted));
    assert_eq!(posted[3].header("hooklog-key"), "Zo%C3%A9%204");

    // While the server is away it says so, and it goes on by itself.
    server.kill();
    listening.tells("not live").await;
    let server = serve(directory.path(), admin);
    listening.tells("live: everything").await;
    server.post("acme", call(5)).await;
    posted = laptop.wait_for(5).await;
    assert_eq!(posted[4].header("webhook-id"), "call_5");
    let id = rustix::process::Pid::from_child(&listening.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(listening.ends().await.status.code(), Some(0));

    // What came meanwhile is not left out, and nothing comes twice; the secret is the same.
    server.post("acme", Value::Array((6..=8).map(call).collect())).await;
    let again = ["listen", "acme/crm", "--forward-to", &url, "--count", "3"];
    let listening = Listening::start(server.command(directory.path(), &again));
    let output = listening.ends().await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let ids: Vec<String> = laptop.deliveries().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, (1..=8).map(|n| format!("call_{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_receiver_that_is_away_is_waited_for_and_one_that_refuses_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    server.post("acme", Value::Array((1..=4).map(call).collect())).await;
    let laptop = free();
    let url = format!("http://{laptop}/hooks?from=hooklog");
    let listen = [
        "listen",
        "acme",
        "--from",
        "earliest",
        "--type",
        "call.*",
        "--forward-to",
        &url,
        "--count",
        "4",
        "-o",
        "ndjson",
    ];
    let listening = Listening::start(server.command(directory.path(), &listen));
    let told = listening.tells("not live").await;
    assert!(told.contains(&laptop.to_string()) && told.contains("waits"), "{told}");
    let laptop = Receiver::start_on(laptop).await;
    laptop.answer_with(|delivery| if delivery.header("webhook-id") == "call_2" { 500 } else { 204 });
    listening.tells("answers again").await;
    let told = listening.tells("not taken: 1").await;
    let output = listening.ends().await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let lines: Vec<Value> =
        std::str::from_utf8(&output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = lines.iter().map(|line| line["posted"]["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [204, 500, 204, 204]);
    assert!(told.contains(&format!("--from {}", lines[1]["offset"])), "{told}");
    assert_eq!(lines[0]["body"]["data"]["text"], "two\nlines");
    let attempts: Vec<u64> = laptop.deliveries().iter().map(|one| one.number("hooklog-attempt")).collect();
    assert!(attempts[0] > 1 && attempts[1..] == [1, 1, 1], "{attempts:?}");
}

#[tokio::test]
async fn events_are_printed_as_they_come_and_nothing_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    let tail = ["event", "tail", "acme", "--count", "2"];
    let listening = Listening::start(server.command(directory.path(), &tail));
    listening.tells("live: everything").await;
    server.post("acme", Value::Array(vec![call(1), json!({ "type": "agent.login", "data": {} })])).await;
    let output = listening.ends().await;
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("call.ended") && lines[1].contains("agent.login"), "{printed}");
    assert!(!directory.path().join(".local").exists());

    // A place that is kept and is none of this log any more is named, with what to do.
    let state = directory.path().join("state.json");
    std::fs::write(&state, r#"{"next": 4711}"#).unwrap();
    let lost = server.hooklog(directory.path(), &["listen", "acme", "--state", state.to_str().unwrap()]);
    let told = String::from_utf8(lost.stderr).unwrap();
    assert!(lost.status.code() == Some(1) && told.contains("state.json") && told.contains("--from earliest"), "{told}");
    // A look at another place leaves it alone.
    std::fs::write(&state, r#"{"next": 3}"#).unwrap();
    let look = ["listen", "acme", "--state", state.to_str().unwrap(), "--from", "earliest", "--count", "1"];
    assert_eq!(server.hooklog(directory.path(), &look).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&state).unwrap(), r#"{"next": 3}"#);

    // Who is switched off is told so, and nothing spins.
    server.api().put("/api/v1/accounts/acme", json!({ "enabled": false })).await;
    server.post("acme", call(2)).await;
    let still = Listening::start(server.command(directory.path(), &["event", "tail", "acme", "--from", "earliest"]));
    still.tells("is the account switched off").await;
    let id = rustix::process::Pid::from_child(&still.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    still.ends().await;

    let refused = server.hooklog(directory.path(), &["listen", "nobody"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let refused = server.hooklog(directory.path(), &["listen", "acme", "--from", "99"]);
    assert!(String::from_utf8(refused.stderr).unwrap().contains("is not there yet"));
    let wrong = server.hooklog(directory.path(), &["listen", "acme", "--from", "then"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_an_answer() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    server.account("acme").await;
    server.post("acme", Value::Array((1..=3).map(call).collect())).await;
    let address = free();
    let receive = ["receive", "--listen", &address.to_string(), "--misbehave", "endless", "-o", "ndjson"];
    let mut receiver = server.command(directory.path(), &receive).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(receiver.stdout.take().unwrap()).lines();
    assert!(told.next().unwrap().unwrap().contains("listening"));
    let url = format!("http://{address}/");
    let listen = ["listen", "acme", "--type", "call.*", "--from", "earliest", "--forward-to", &url, "--count", "3"];
    let output = Listening::start(server.command(directory.path(), &listen)).ends().await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let attempts =
        (0..3).map(|_| serde_json::from_str::<Value>(&told.next().unwrap().unwrap()).unwrap()["attempt"].clone());
    assert_eq!(attempts.collect::<Vec<_>>(), [json!(1), json!(1), json!(1)]);
    receiver.kill().unwrap();
    receiver.wait().unwrap();
}
