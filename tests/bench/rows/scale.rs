//! `scale_records` and `scale_accounts`: what an event costs when there are many, beside what it costs when few.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::{Rounds, directory, microseconds_each, post, runtime};
use crate::events::Events;
use crate::receiver::Receiver;
use crate::report::{Figure, Goal};
use crate::server::Server;

/// Processor time of an event that is posted in batches: behind a million records, and behind twenty.
pub(super) fn records(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let (few, many) = (rounds.events(FEW_RECORDS), rounds.events(MANY_RECORDS));
    // Over the last doubling of either: the store tidies up seldom then, and what it does grows with what there is.
    let (measured, measured_late) = (few / 2, many / 2);
    let directory = directory()?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    let mut events = Events::new();
    let mut cpu_of = |count: usize| -> anyhow::Result<Duration> {
        let before = server.cpu()?;
        post(&server, &mut events, count)?;
        Ok(server.cpu()? - before)
    };
    cpu_of(few - measured)?;
    let at_few = microseconds_each(cpu_of(measured)?, measured);
    cpu_of(many - few - measured_late)?;
    let at_many = microseconds_each(cpu_of(measured_late)?, measured_late);
    server.check_head(many)?;
    eprintln!("   {at_few:.1} µs an event behind {few} records, {at_many:.1} µs behind {many}");
    server.stop()?;
    Ok(vec![ratio("scale_records", vec![at_many / at_few], 1.25)])
}

/// Processor time of an event that is posted, decided and delivered: of one account, and of ten thousand in turns.
pub(super) fn accounts(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let (events, many) = (rounds.events(EVENTS_OF_ACCOUNTS), rounds.events(ACCOUNTS));
    let mut ratios = Vec::with_capacity(rounds.count);
    for _ in 0..rounds.count {
        let one = cpu_each(1, events)?;
        let all = cpu_each(many, events)?;
        eprintln!("   {one:.1} µs an event of one account, {all:.1} µs of {many} accounts in turns");
        ratios.push(all / one);
    }
    Ok(vec![ratio("scale_accounts", ratios, 1.5)])
}

fn cpu_each(accounts: usize, events: usize) -> anyhow::Result<f64> {
    let directory = directory()?;
    let runtime = runtime()?;
    let receiver = runtime.block_on(Receiver::start())?;
    let server = Server::start(directory.path())?;
    server.make_idle_accounts(accounts, &receiver.url())?;
    let mut made = Events::new();
    let load = server.load_of_many(accounts, 16);
    let run = |bodies: Vec<bytes::Bytes>| -> anyhow::Result<Duration> {
        let (count, before) = (bodies.len(), server.cpu()?);
        receiver.want(receiver.count() + count);
        let (_, taken) = runtime.block_on(load.closed(&Arc::new(bodies)))?;
        ensure!(taken == count, "{count} events were posted and {taken} taken");
        runtime.block_on(receiver.wait(PATIENCE))?;
        Ok(server.cpu()? - before)
    };
    // Every account once, so that nothing is made for the first time while it counts.
    run(made.singles(accounts.max(1_000)))?;
    let each = microseconds_each(run(made.singles(events))?, events);
    server.stop()?;
    Ok(each)
}

fn ratio(name: &'static str, values: Vec<f64>, goal: f64) -> Figure {
    Figure { name, unit: "of flat", values, ceilings: Vec::new(), goal: Goal::AtMost(goal) }
}

const FEW_RECORDS: usize = 1_000_000;
const MANY_RECORDS: usize = 20_000_000;
const EVENTS_OF_ACCOUNTS: usize = 60_000;
const ACCOUNTS: usize = 10_000;
/// Until all is delivered.
const PATIENCE: Duration = Duration::from_secs(120);
