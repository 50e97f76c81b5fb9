//! A hooklog process: started on a directory, asked over its API, looked at through `/proc`.
//!
//! Not a wrapper of the library: what is measured is what a user runs, with its default settings but for
//! receivers on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::events::ACCOUNT;
use crate::load::{Load, accepted};

/// A running `hooklog serve`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) ingest: SocketAddr,
    admin: SocketAddr,
    token: String,
    /// From the start of the process to its first readiness.
    pub(crate) ready_after: Duration,
}

/// The name of the one endpoint.
const ENDPOINT: &str = "/api/v1/accounts/acme/endpoints/crm";

impl Server {
    /// Starts hooklog and waits until it is ready.
    pub(crate) fn start(directory: &Path) -> anyhow::Result<Self> {
        let data = data(directory);
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hooklog"))
            .env_clear()
            .current_dir(directory)
            .env("HOOKLOG_DELIVER__ALLOW_ADDRESSES", "127.0.0.0/8")
            .env("HOOKLOG_DELIVER__HTTPS_ONLY", "false")
            .env("HOOKLOG_LOGS__FILTER", "warn")
            .args(["serve", "--ingest", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let mut address = || -> anyhow::Result<SocketAddr> {
            let line = lines.next().context("the server ended before it said where it listens")??;
            Ok(line.split("http://").nth(1).context("the server says where it listens")?.parse()?)
        };
        let (ingest, admin) = (address()?, address()?);
        wait_until_ready(admin)?;
        let ready_after = started.elapsed();
        let token = std::fs::read_to_string(data.join("operator.token"))?.trim().to_owned();
        Ok(Self { child, ingest, admin, token, ready_after })
    }

    /// Makes the account.
    pub(crate) fn make_account(&self) -> anyhow::Result<()> {
        self.ask("PUT", &format!("/api/v1/accounts/{ACCOUNT}"), Some(&json!({}))).map(drop)
    }

    /// Makes the endpoint, which begins at the head.
    pub(crate) fn make_endpoint(&self, url: &str) -> anyhow::Result<()> {
        self.ask("PUT", ENDPOINT, Some(&json!({ "url": url, "maxInFlight": 64 }))).map(drop)
    }

    /// Makes the endpoint with these settings; it begins at the head.
    pub(crate) fn make_endpoint_with(&self, settings: &Value) -> anyhow::Result<()> {
        self.ask("PUT", ENDPOINT, Some(settings)).map(drop)
    }

    /// Where the account's replays are.
    pub(crate) const REPLAYS: &str = "/api/v1/accounts/acme/replays";

    /// Asks for a replay of the account, and returns its job.
    pub(crate) fn replay(&self, asked: &Value) -> anyhow::Result<Value> {
        self.ask("POST", Self::REPLAYS, Some(asked))
    }

    /// Asks for something.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, None)
    }

    /// Waits until nothing waits at the endpoint any more.
    pub(crate) fn wait_until_settled(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLED_PATIENCE;
        loop {
            let status = self.get(&format!("{ENDPOINT}/status"))?;
            if status.pointer("/ledger/waiting").and_then(Value::as_u64) == Some(0) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the endpoint does not come to rest: {status}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes so many accounts, each with an endpoint that is switched on and has nothing to do.
    pub(crate) fn make_idle_accounts(&self, count: usize, url: &str) -> anyhow::Result<()> {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let make = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let path = format!("/api/v1/accounts/account-{number}");
                self.ask("PUT", &path, Some(&json!({})))?;
                self.ask("PUT", &format!("{path}/endpoints/crm"), Some(&json!({ "url": url })))?;
            }
        };
        std::thread::scope(|scope| {
            let makers: Vec<_> = (0..MAKERS).map(|_| scope.spawn(make)).collect();
            makers.into_iter().try_for_each(|maker| maker.join().expect("a maker does not panic"))
        })
    }

    pub(crate) fn pause(&self) -> anyhow::Result<()> {
        self.ask("POST", &format!("{ENDPOINT}/pause"), Some(&json!({}))).map(drop)
    }

    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        self.ask("POST", &format!("{ENDPOINT}/resume"), Some(&json!({ "from": "cursor" }))).map(drop)
    }

    /// Makes an account with an endpoint for each URL: `to-0`, `to-1` and so on.
    pub(crate) fn make_account_with(&self, account: &str, urls: &[String]) -> anyhow::Result<()> {
        let path = format!("/api/v1/accounts/{account}");
        self.ask("PUT", &path, Some(&json!({})))?;
        for (number, url) in urls.iter().enumerate() {
            self.ask("PUT", &format!("{path}/endpoints/to-{number}"), Some(&json!({ "url": url })))?;
        }
        Ok(())
    }

    /// Returns the load that posts events to the account.
    pub(crate) fn load(&self, content_type: &'static str, connections: usize) -> Load {
        self.load_of(ACCOUNT, content_type, connections)
    }

    /// Returns the load that posts events to an account.
    pub(crate) fn load_of(&self, account: &str, content_type: &'static str, connections: usize) -> Load {
        let path = format!("/v1/accounts/{account}/events");
        Load { address: self.ingest, path, accounts: 1, content_type, connections, taken: accepted }
    }

    /// Returns the load that posts single events to the accounts of [`Server::make_idle_accounts`] in turns.
    pub(crate) fn load_of_many(&self, accounts: usize, connections: usize) -> Load {
        let number = if accounts == 1 { "0" } else { "#" };
        let path = format!("/v1/accounts/account-{number}/events");
        let content_type = "application/json";
        Load { address: self.ingest, path, accounts, content_type, connections, taken: accepted }
    }

    /// Checks that the log holds so many events of the account, and not one more.
    pub(crate) fn check_head(&self, events: usize) -> anyhow::Result<()> {
        let newest = self.ask("GET", &format!("/api/v1/accounts/{ACCOUNT}/events?limit=1"), None)?;
        let offset = newest.pointer("/items/0/offset").and_then(Value::as_u64);
        ensure!(offset == Some(u64::try_from(events)?), "the newest offset is {offset:?}, not {events}");
        Ok(())
    }

    /// Waits until the endpoint's ledger says that so many events are delivered and nothing else; it has to add up.
    pub(crate) fn check_ledger(&self, events: usize) -> anyhow::Result<()> {
        self.check_ledger_of(ENDPOINT, events)
    }

    /// The same for the endpoint of this path.
    pub(crate) fn check_ledger_of(&self, endpoint: &str, events: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + LEDGER_PATIENCE;
        loop {
            let status = self.ask("GET", &format!("{endpoint}/status"), None)?;
            let ledger = status.get("ledger").context("a status has a ledger")?;
            let of = |part: &str| ledger.get(part).and_then(Value::as_u64).context("a ledger's part is a number");
            let mut sum = 0;
            for part in ["delivered", "filtered", "waiting", "givenUp", "expired", "skipped"] {
                sum += of(part)?;
            }
            ensure!(of("accepted")? == sum, "the ledger does not add up: {ledger}");
            let events = u64::try_from(events)?;
            if (of("accepted")?, of("delivered")?) == (events, events) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{events} events were posted, and the ledger says {ledger}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the processor time that the process has used.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu(self.child.id())
    }

    /// Returns the resident memory of the process in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(self.child.id())
    }

    /// Asks the process to end, and waits until it has, well.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "hooklog ended with {ended}");
        Ok(())
    }

    /// Ends the process without a word.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sets what the account receives.
    pub(crate) fn set_rights(&self, rights: &Value) -> anyhow::Result<()> {
        self.ask("PUT", &format!("/api/v1/accounts/{ACCOUNT}/rights"), Some(rights)).map(drop)
    }

    /// Makes a token of the account that may look at its history as rights show it.
    pub(crate) fn make_reader(&self) -> anyhow::Result<String> {
        let asked = json!({ "name": "reader", "permissions": ["history"] });
        let made = self.ask("POST", &format!("/api/v1/accounts/{ACCOUNT}/tokens"), Some(&asked))?;
        Ok(made.get("token").and_then(Value::as_str).context("a new token is told")?.to_owned())
    }

    /// Asks for something with another token.
    pub(crate) fn get_as(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        self.ask_as(token, "GET", path, None)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.ask_as(&self.token, method, path, body)
    }

    fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.admin,
            token,
            body.len()
        );
        let (status, answer) = exchange(self.admin, &(head + &body))?;
        ensure!((200..300).contains(&status), "{method} {path} was answered {status}: {answer}");
        if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&answer)?) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the row ended it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The data directory of a server that was started on a directory.
pub(crate) fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Returns the processor time that a process has used.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program may hold anything; what follows its bracket may not.
    let fields = stat.rsplit(')').next().context("a process has a name")?;
    let mut ticks = 0;
    for field in fields.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(ticks * 10))
}

/// Returns the resident memory of a process in bytes.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes << 10)
}

fn wait_until_ready(admin: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    loop {
        let (status, answer) = exchange(admin, "GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        if status == 200 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("hooklog does not become ready: {status} {answer}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a request whose connection is closed after it, and returns status and body.
fn exchange(address: SocketAddr, request: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READY_PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no answer in HTTP")?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok((status, body))
}

/// Connections over which accounts are made.
const MAKERS: usize = 4;
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// An endpoint that reads ten million events takes minutes.
const SETTLED_PATIENCE: Duration = Duration::from_secs(900);
const LEDGER_PATIENCE: Duration = Duration::from_secs(10);
