//! The ceilings: bare programs that do nothing but the one thing that a row cannot do without.
//!
//! Not in the process that measures: the bench starts itself again with a hidden argument, so that a ceiling
//! shares the processors with the load generator exactly as hooklog does. A ceiling says on its first line that
//! it is ready; `sender` begins when it gets a line; servers end when their standard input does.

mod http;
mod store;

use std::io::{BufRead, BufReader, Write, stdin};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// What stands before the name of a ceiling in the arguments of the program that it runs in.
const MARK: &str = "--ceiling";

/// Returns the arguments of the ceiling that this process is to be, if it is to be one.
pub(crate) fn asked_for() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next().as_deref() == Some(MARK)).then(|| arguments.collect())
}

/// Is a ceiling until it is done.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        ["server"] => http::serve(),
        ["sender", address, events] => http::send(address.parse()?, events.parse()?),
        ["store", directory, events, batch] => store::commit(Path::new(directory), events.parse()?, batch.parse()?),
        ["syncs", directory, count] => store::commit_slowly(Path::new(directory), count.parse()?),
        ["scan", directory, events] => store::scan(Path::new(directory), events.parse()?),
        ["idle", directory] => {
            let _store = store::Store::open(Path::new(directory))?;
            http::serve()
        }
        _ => bail!("there is no ceiling {arguments:?}"),
    }
}

/// A ceiling in a process of its own; ended when dropped.
pub(crate) struct Ceiling {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Ceiling {
    /// Starts one and waits until it is ready; returns what it said then.
    fn start(arguments: &[&str]) -> anyhow::Result<(Self, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(MARK)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("stdout is piped")?);
        let mut ceiling = Self { child, lines };
        let first = ceiling.line()?;
        Ok((ceiling, first))
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.lines.read_line(&mut line)? == 0 {
            bail!("the ceiling ended: {}", self.child.wait()?);
        }
        Ok(line.trim().to_owned())
    }

    /// Returns the processor time that the process has used.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        crate::server::cpu(self.child.id())
    }

    /// Returns the resident memory of the process in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        crate::server::resident_bytes(self.child.id())
    }
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts a bare hyper server that answers every request as ingest answers one event.
pub(crate) fn server() -> anyhow::Result<(Ceiling, SocketAddr)> {
    let (ceiling, address) = Ceiling::start(&["server"])?;
    Ok((ceiling, address.parse()?))
}

/// Starts a bare hyper client that is ready to post bodies to a receiver over 64 connections.
pub(crate) fn sender(receiver: SocketAddr, events: usize) -> anyhow::Result<Sender> {
    let (ceiling, _ready) = Ceiling::start(&["sender", &receiver.to_string(), &events.to_string()])?;
    Ok(Sender(ceiling))
}

/// A bare client that waits for its start.
pub(crate) struct Sender(Ceiling);

impl Sender {
    /// Lets it begin.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        let stdin = self.0.child.stdin.as_mut().context("stdin is piped")?;
        stdin.write_all(b"begin\n")?;
        Ok(stdin.flush()?)
    }

    /// Returns the processor time that it has used.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.0.cpu()
    }

    /// Waits until every request of it was answered well.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.0.line().map(drop)
    }
}

/// Lets a bare store commit the rows of events in batches with sync, and returns events per second.
pub(crate) fn store(directory: &Path, events: usize, batch: usize) -> anyhow::Result<f64> {
    let path = directory.to_str().context("the directory's name is text")?;
    let (_, rate) = Ceiling::start(&["store", path, &events.to_string(), &batch.to_string()])?;
    Ok(rate.parse()?)
}

/// Lets a bare store read the records of so many events, and returns events per second.
pub(crate) fn scan(directory: &Path, events: usize) -> anyhow::Result<f64> {
    let path = directory.to_str().context("the directory's name is text")?;
    let (_, rate) = Ceiling::start(&["scan", path, &events.to_string()])?;
    Ok(rate.parse()?)
}

/// Lets a bare store commit one row a time, a thousand a second at most; returns the times of all commits.
pub(crate) fn syncs(directory: &Path, count: usize) -> anyhow::Result<Vec<Duration>> {
    let path = directory.to_str().context("the directory's name is text")?;
    let (_, times) = Ceiling::start(&["syncs", path, &count.to_string()])?;
    times.split(' ').map(|nanoseconds| Ok(Duration::from_nanos(nanoseconds.parse()?))).collect()
}

/// Starts a process that holds an empty store and a bare server and does nothing.
pub(crate) fn idle(directory: &Path) -> anyhow::Result<Ceiling> {
    let path = directory.to_str().context("the directory's name is text")?;
    Ok(Ceiling::start(&["idle", path])?.0)
}

/// Says the first line: a ceiling is ready.
fn say(line: &str) -> anyhow::Result<()> {
    println!("{line}");
    Ok(std::io::stdout().flush()?)
}

/// Waits for a line, or for the end of standard input.
fn wait_for_line() -> anyhow::Result<()> {
    stdin().read_line(&mut String::new())?;
    Ok(())
}
