//! The demo's `hooklog serve`: a child process on a directory, started, killed and started again.
//!
//! Not a supervisor: it dies when the demo says so. What it logs goes to a file in its directory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use url::Url;

use crate::cli::exit::Failure;
use crate::runtime::blocking;

/// A running `hooklog serve`; killed when dropped.
pub(super) struct Server {
    child: Child,
    directory: PathBuf,
    /// Where events go.
    pub(super) ingest: Url,
    /// Where the API is.
    pub(super) admin: Url,
}

impl Server {
    /// Starts on two free ports and returns once it says where they are.
    pub(super) async fn start(directory: &Path) -> Result<Self, Failure> {
        Self::start_on(directory, "127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()).await
    }

    /// Ends the process without a word, as a crash does, and waits until it is gone.
    pub(super) async fn kill(mut self) -> Result<Killed, Failure> {
        self.child.kill().map_err(|reason| Failure::Failed(reason.into()))?;
        let killed = Killed { directory: self.directory.clone(), ingest: at(&self.ingest), admin: at(&self.admin) };
        blocking(move || drop(self.child.wait())).await;
        Ok(killed)
    }

    /// Asks the process to end, and says whether it ended well.
    pub(super) async fn end(mut self) -> bool {
        let pid = rustix::process::Pid::from_child(&self.child);
        let asked = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        blocking(move || asked.is_ok() && self.child.wait().is_ok_and(|status| status.success())).await
    }

    /// Returns the operator's token.
    pub(super) fn token(&self) -> Result<String, Failure> {
        let path = self.directory.join(DATA).join("operator.token");
        let text = std::fs::read_to_string(&path)
            .map_err(|reason| Failure::failed(format!("cannot read {}: {reason}", path.display())))?;
        Ok(text.trim().to_owned())
    }

    async fn start_on(directory: &Path, ingest: String, admin: String) -> Result<Self, Failure> {
        let log_path = directory.join(LOG);
        let failed = |reason: std::io::Error| Failure::failed(format!("cannot start hooklog serve: {reason}"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(["serve", "--ingest", &ingest, "--admin", &admin, "--data"])
            .arg(directory.join(DATA))
            .env_clear()
            .envs(ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take();
        let addresses = blocking(move || {
            let mut lines = BufReader::new(stdout?).lines();
            let mut address = || {
                let line = lines.next()?.ok()?;
                Url::parse(line.split_whitespace().last()?).ok()
            };
            Some((address()?, address()?))
        });
        match addresses.await {
            Some((ingest, admin)) => Ok(Self { child, directory: directory.to_owned(), ingest, admin }),
            None => {
                drop(child.kill());
                drop(child.wait());
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                Err(Failure::failed(format!("hooklog serve did not start; its last words:\n{said}")))
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where somebody ended it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is left of a killed server: its directory, and the ports it had.
pub(super) struct Killed {
    directory: PathBuf,
    ingest: String,
    admin: String,
}

impl Killed {
    /// Starts it again, on the same directory and the same ports.
    pub(super) async fn start(self) -> Result<Server, Failure> {
        Server::start_on(&self.directory, self.ingest, self.admin).await
    }
}

fn at(url: &Url) -> String {
    let host = url.host_str().unwrap_or("127.0.0.1");
    format!("{host}:{}", url.port_or_known_default().unwrap_or(0))
}

/// Receivers on this machine are allowed, a small disk is enough, and only what is wrong is logged.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("HOOKLOG_DELIVER__ALLOW_ADDRESSES", "127.0.0.0/8"),
    ("HOOKLOG_DELIVER__HTTPS_ONLY", "false"),
    // What takes days in a week takes seconds here.
    ("HOOKLOG_DELIVER__RETRY_SCHEDULE", "3s,3s"),
    ("HOOKLOG_DELIVER__LANE_HOLD", "1s"),
    ("HOOKLOG_LOG__DISK__RESERVE_BYTES", "64MiB"),
    ("HOOKLOG_LOGS__FILTER", "warn"),
];
const DATA: &str = "data";
const LOG: &str = "serve.log";
