//! `latency_p95_ms` and `latency_p99_ms`: from the time a request was due to the receiver's first byte.
//!
//! Open loop: a slow answer delays nothing behind it, and what waits for a connection waits on our account.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{Rounds, directory, milliseconds, percentile, runtime};
use crate::ceilings;
use crate::events::{Events, id};
use crate::receiver::Receiver;
use crate::report::{Figure, Goal};
use crate::server::Server;

/// 1,000 events a second, beside the time of a bare commit with sync, which nothing can be faster than.
pub(super) fn accepted_to_first_byte(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(EVENTS);
    let (mut p95, mut p99) = (Vec::new(), Vec::new());
    let (mut p95_syncs, mut p99_syncs) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let mut latencies = hooklog(events)?;
        let mut syncs = ceilings::syncs(directory()?.path(), rounds.events(SYNCS))?;
        let [value, worse] = [95, 99].map(|percent| milliseconds(percentile(&mut latencies, percent)));
        let [sync, worse_sync] = [95, 99].map(|percent| milliseconds(percentile(&mut syncs, percent)));
        let median = milliseconds(percentile(&mut latencies, 50));
        eprintln!(
            "   {round}: p50 {median:.2} ms, p95 {value:.2} ms, p99 {worse:.2} ms; a bare commit p95 {sync:.2} ms, \
             p99 {worse_sync:.2} ms"
        );
        p95.push(value);
        p99.push(worse);
        p95_syncs.push(sync);
        p99_syncs.push(worse_sync);
    }
    Ok(vec![
        Figure { name: "latency_p95_ms", unit: "ms", values: p95, ceilings: p95_syncs, goal: Goal::AtMost(25.0) },
        Figure { name: "latency_p99_ms", unit: "ms", values: p99, ceilings: p99_syncs, goal: Goal::AtMost(50.0) },
    ])
}

/// Returns how late after it was due each event reached the receiver.
fn hooklog(events: usize) -> anyhow::Result<Vec<Duration>> {
    let directory = directory()?;
    let runtime = runtime()?;
    let bodies = Arc::new(Events::new().singles(events));
    // Far enough ahead that everything stands when the first event is due.
    let started = Instant::now() + Duration::from_secs(2);
    let receiver = runtime.block_on(Receiver::noting(started, bodies.iter().map(|event| id(event))))?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    server.make_endpoint(&receiver.url())?;
    receiver.want(events);
    let taken = runtime.block_on(server.load("application/json", 64).open(&bodies, started, EVERY))?;
    ensure!(taken == events, "{events} events were posted and {taken} taken");
    runtime.block_on(receiver.wait(Duration::from_secs(30)))?;
    server.check_ledger(events)?;
    ensure!(receiver.count() == events, "{events} events came in {} requests", receiver.count());
    let arrivals = receiver.arrivals()?;
    server.stop()?;
    let due = |index: usize| EVERY * u32::try_from(index).unwrap_or(u32::MAX);
    Ok(arrivals.into_iter().enumerate().map(|(index, came)| came.saturating_sub(due(index))).collect())
}

const EVENTS: usize = 10_000;
const EVERY: Duration = Duration::from_millis(1);
const SYNCS: usize = 2_000;
