//! `deliver_one_endpoint`: how fast a backlog drains to one receiver.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Rounds, directory, microseconds_each, per_second, runtime};
use crate::ceilings;
use crate::events::Events;
use crate::receiver::Receiver;
use crate::report::{Figure, Goal};
use crate::server::Server;

/// 200,000 events in the log, the endpoint resumed, beside a bare client that posts the same bodies.
pub(super) fn one_endpoint(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(EVENTS);
    let (mut values, mut ceilings) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let (took, cpu) = hooklog(events)?;
        let (bare, bare_cpu) = bare(events)?;
        let bare = per_second(events, bare);
        let value = per_second(events, took);
        eprintln!(
            "   {round}: {value:.0}/s with {:.1} µs of processor an event; bare client {bare:.0}/s with {:.1} µs",
            microseconds_each(cpu, events),
            microseconds_each(bare_cpu, events)
        );
        values.push(value);
        ceilings.push(bare);
    }
    let goal = Goal::ShareOfCeiling(0.6);
    Ok(vec![Figure { name: "deliver_one_endpoint", unit: "events/s", values, ceilings, goal }])
}

/// Posts events to a fresh hooklog with a paused endpoint, and returns the server.
pub(super) fn backlog(
    directory: &std::path::Path,
    runtime: &tokio::runtime::Runtime,
    receiver: &Receiver,
    events: usize,
) -> anyhow::Result<Server> {
    let server = Server::start(directory)?;
    server.make_account()?;
    server.make_endpoint(&receiver.url())?;
    server.pause()?;
    let bodies = Arc::new(Events::new().batches(events, 1_000));
    let (_, taken) = runtime.block_on(server.load("application/x-ndjson", 1).closed(&bodies))?;
    ensure!(taken == events, "{events} events were posted and {taken} taken");
    server.check_head(events)?;
    Ok(server)
}

/// Lets a backlog drain; returns how long it took.
pub(super) fn drain(
    server: &Server,
    runtime: &tokio::runtime::Runtime,
    receiver: &Receiver,
    events: usize,
) -> anyhow::Result<Duration> {
    ensure!(receiver.count() == 0, "something was sent while the endpoint was paused");
    receiver.want(events);
    let started = Instant::now();
    server.resume()?;
    let ended = runtime.block_on(receiver.wait(PATIENCE))?;
    server.check_ledger(events)?;
    ensure!(receiver.count() == events, "{events} events came in {} requests", receiver.count());
    Ok(ended - started)
}

fn hooklog(events: usize) -> anyhow::Result<(Duration, Duration)> {
    let directory = directory()?;
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let server = backlog(directory.path(), &runtime, &receiver, events)?;
    let cpu = server.cpu()?;
    let took = drain(&server, &runtime, &receiver, events)?;
    let cpu = server.cpu()?.saturating_sub(cpu);
    server.stop()?;
    Ok((took, cpu))
}

fn bare(events: usize) -> anyhow::Result<(Duration, Duration)> {
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let mut sender = ceilings::sender(receiver.address, events)?;
    receiver.want(events);
    let (started, cpu) = (Instant::now(), sender.cpu()?);
    sender.begin()?;
    let ended = runtime.block_on(receiver.wait(PATIENCE))?;
    let cpu = sender.cpu()?.saturating_sub(cpu);
    sender.end()?;
    ensure!(receiver.count() == events, "{events} bodies came in {} requests", receiver.count());
    Ok((ended - started, cpu))
}

const EVENTS: usize = 200_000;
const PATIENCE: Duration = Duration::from_secs(300);
