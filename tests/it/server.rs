//! A hooklog process, started on a directory, asked over HTTP, ended in several ways.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::Client;

/// A running `hooklog serve`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) ingest: String,
    pub(crate) admin: String,
    token: String,
}

/// Starts `hooklog` on a directory, with receivers on this machine allowed.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hooklog"));
    command
        .env_clear()
        .current_dir(directory)
        .env("HOOKLOG_DELIVER__ALLOW_ADDRESSES", "127.0.0.0/8")
        .env("HOOKLOG_DELIVER__HTTPS_ONLY", "false")
        .env("HOOKLOG_LOG__DISK__RESERVE_BYTES", "64MiB")
        .env("HOOKLOG_LOGS__FILTER", "warn");
    command
}

impl Server {
    /// Runs a command of `hooklog` against the server of a directory.
    pub(crate) fn hooklog(&self, directory: &Path, arguments: &[&str]) -> Output {
        self.command(directory, arguments).output().unwrap()
    }

    /// Makes such a command; what it keeps stays in the directory.
    pub(crate) fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hooklog"));
        command.env_clear().env("HOOKLOG_URL", format!("http://{}", self.admin));
        let token = std::fs::read_to_string(directory.join("data/operator.token")).unwrap();
        command.env("HOOKLOG_TOKEN", token.trim()).env("HOME", directory).args(arguments);
        command
    }

    pub(crate) fn start(directory: &Path) -> Self {
        Self::start_with(command(directory), directory)
    }

    pub(crate) fn start_with(mut command: Command, directory: &Path) -> Self {
        let data = directory.join("data");
        command.args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]).arg(&data);
        Self::run(command, &data)
    }

    /// Runs a command that prints the two addresses.
    pub(crate) fn run(mut command: Command, data: &Path) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || {
            let line = lines.next().expect("the server says where it listens").unwrap();
            line.split("http://").nth(1).unwrap_or_else(|| panic!("no address in {line:?}")).to_owned()
        };
        let (ingest, admin) = (address(), address());
        let token = std::fs::read_to_string(data.join("operator.token")).unwrap().trim().to_owned();
        Self { child, ingest, admin, token }
    }

    pub(crate) fn api(&self) -> Client {
        Client::new(&self.admin, Some(&self.token))
    }

    pub(crate) fn api_as(&self, token: &str) -> Client {
        Client::new(&self.admin, Some(token))
    }

    pub(crate) fn sender(&self) -> Client {
        Client::new(&self.ingest, None)
    }

    /// Makes an account that receives everything.
    pub(crate) async fn account(&self, account: &str) {
        self.account_as_made(account).await;
        self.rights(account, json!({ "types": { "*": true }, "fields": { "*": "keep" } })).await;
    }

    /// Makes an account with the rights that every new one has.
    pub(crate) async fn account_as_made(&self, account: &str) {
        let answer = self.api().put(&format!("/api/v1/accounts/{account}"), json!({})).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    /// Saves the rights of an account.
    pub(crate) async fn rights(&self, account: &str, rights: Value) -> Value {
        let answer = self.api().put(&format!("/api/v1/accounts/{account}/rights"), rights).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()
    }

    /// Makes or replaces an endpoint.
    pub(crate) async fn endpoint(&self, account: &str, endpoint: &str, settings: Value) -> Value {
        let path = format!("/api/v1/accounts/{account}/endpoints/{endpoint}");
        let answer = self.api().put(&path, settings).await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()
    }

    /// Returns the newest secret that an endpoint signs with.
    pub(crate) async fn secret(&self, account: &str, endpoint: &str) -> String {
        let path = format!("/api/v1/accounts/{account}/endpoints/{endpoint}/secret");
        let answer = self.api().get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["keys"][0]["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn status(&self, account: &str, endpoint: &str) -> Value {
        let path = format!("/api/v1/accounts/{account}/endpoints/{endpoint}/status");
        let answer = self.api().get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let status = answer.json();
        let ledger = &status["ledger"];
        let sum: u64 = ["delivered", "filtered", "waiting", "givenUp", "expired", "skipped"]
            .iter()
            .map(|part| ledger[part].as_u64().unwrap())
            .sum();
        assert_eq!(ledger["accepted"].as_u64().unwrap(), sum, "the ledger adds up: {status}");
        status
    }

    /// Asks until an endpoint's status is as wanted; the last one is shown where it never is.
    pub(crate) async fn status_when(&self, account: &str, endpoint: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let wait = async {
            loop {
                last = self.status(account, endpoint).await;
                if is_wanted(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(in_time, "the status is never as wanted: {last}");
        last
    }

    /// Posts events and expects them to be taken.
    pub(crate) async fn post(&self, account: &str, events: Value) -> Value {
        let answer = self.sender().post(&format!("/v1/accounts/{account}/events"), events).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()
    }

    /// Lists everything behind a path, page by page.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let mut api = self.api();
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let answer = api.send(Method::GET, &format!("{path}{separator}limit=1000{after}"), None).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
            let page = answer.json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process without a word, as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test ended it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How long something that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
