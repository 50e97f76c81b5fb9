//! `rss_idle_mb`, `rss_10k_accounts_mb` and `disk_per_event`: what hooklog takes of the machine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::delivery::{backlog, drain};
use super::{Rounds, directory, number, runtime};
use crate::ceilings;
use crate::events::{EVENT_BYTES, Events};
use crate::receiver::Receiver;
use crate::report::{Figure, Goal};
use crate::server::{Server, data};

/// Resident memory after a thousand delivered events and a rest, beside an empty store with a bare server.
pub(super) fn idle_memory(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let (mut values, mut ceilings) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let value = mebibytes(hooklog_at_rest()?);
        let directory = directory()?;
        let bare = ceilings::idle(directory.path())?;
        std::thread::sleep(REST);
        let ceiling = mebibytes(bare.resident_bytes()?);
        eprintln!("   {round}: {value:.1} MB, bare {ceiling:.1} MB");
        values.push(value);
        ceilings.push(ceiling);
    }
    Ok(vec![Figure { name: "rss_idle_mb", unit: "MiB", values, ceilings, goal: Goal::AtMost(64.0) }])
}

fn hooklog_at_rest() -> anyhow::Result<u64> {
    let directory = directory()?;
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    server.make_endpoint(&receiver.url())?;
    receiver.want(EVENTS_BEFORE_REST);
    let bodies = Arc::new(Events::new().singles(EVENTS_BEFORE_REST));
    let (_, taken) = runtime.block_on(server.load("application/json", 8).closed(&bodies))?;
    ensure!(taken == EVENTS_BEFORE_REST, "{EVENTS_BEFORE_REST} events were posted and {taken} taken");
    runtime.block_on(receiver.wait(REST * 30))?;
    server.check_ledger(EVENTS_BEFORE_REST)?;
    std::thread::sleep(REST);
    let bytes = server.resident_bytes()?;
    server.stop()?;
    Ok(bytes)
}

/// Resident memory with ten thousand accounts that have an endpoint each and nothing to do: made in this start, and
/// after another one; and what such a process takes of a processor.
pub(super) fn many_accounts(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let accounts = rounds.events(ACCOUNTS);
    let (mut values, mut made_here, mut idle_cpu) = (Vec::new(), Vec::new(), Vec::new());
    // Making them takes longer than all else; memory does not vary.
    for round in 0..rounds.count.min(2) {
        let directory = directory()?;
        let runtime = runtime()?;
        let receiver = runtime.block_on(Receiver::start())?;
        let server = Server::start(directory.path())?;
        server.make_idle_accounts(accounts, &receiver.url())?;
        std::thread::sleep(REST);
        let made = mebibytes(server.resident_bytes()?);
        server.stop()?;
        let server = Server::start(directory.path())?;
        std::thread::sleep(REST);
        let value = mebibytes(server.resident_bytes()?);
        let before = server.cpu()?;
        std::thread::sleep(IDLE);
        let cpu = (server.cpu()? - before).as_secs_f64() * 1_000.0 / IDLE.as_secs_f64();
        server.stop()?;
        eprintln!(
            "   {round}: {value:.1} MB, {made:.1} MB in the start that made them; {cpu:.1} ms of processor a second"
        );
        idle_cpu.push(cpu);
        values.push(value);
        made_here.push(made);
    }
    let goal = Goal::AtMost(200.0);
    Ok(vec![
        Figure { name: "rss_10k_accounts_mb", unit: "MiB", values, ceilings: Vec::new(), goal },
        Figure {
            name: "rss_10k_accounts_made_mb",
            unit: "MiB",
            values: made_here,
            ceilings: Vec::new(),
            goal: Goal::Beside,
        },
        Figure {
            name: "cpu_10k_accounts",
            unit: "ms/s",
            values: idle_cpu,
            ceilings: Vec::new(),
            goal: Goal::AtMost(5.0),
        },
    ])
}

/// Bytes on disk per event with one delivery, after a clean stop, beside the bytes of the event itself.
pub(super) fn disk(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(DISK_EVENTS);
    let mut values = Vec::new();
    for round in 0..rounds.count {
        let directory = directory()?;
        let runtime = runtime()?;
        let receiver = runtime.block_on(Receiver::start())?;
        let server = backlog(directory.path(), &runtime, &receiver, events)?;
        drain(&server, &runtime, &receiver, events)?;
        server.stop()?;
        let bytes = bytes_below(&data(directory.path()))?;
        let value = number(usize::try_from(bytes)?) / number(events);
        eprintln!("   {round}: {value:.0} bytes an event");
        values.push(value);
    }
    let payload = number(EVENT_BYTES);
    let ceilings = vec![payload];
    let goal = Goal::AtMost(payload * 1.5 + 200.0);
    Ok(vec![Figure { name: "disk_per_event", unit: "bytes", values, ceilings, goal }])
}

/// Adds up what the files below a directory take on the disk.
fn bytes_below(directory: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

fn mebibytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1_024.0
}

const REST: Duration = Duration::from_secs(2);
/// Long enough for what the kernel counts in hundredths of a second.
const IDLE: Duration = Duration::from_secs(10);
const EVENTS_BEFORE_REST: usize = 1_000;
const ACCOUNTS: usize = 10_000;
const DISK_EVENTS: usize = 200_000;
