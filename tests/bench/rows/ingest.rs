//! `ingest_single` and `ingest_batch`: how fast events are taken in and on disk.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;

use super::{Rounds, directory, microseconds_each, per_second, runtime};
use crate::ceilings;
use crate::events::Events;
use crate::load::{Load, accepted};
use crate::report::{Figure, Goal};
use crate::server::Server;

/// One event a request over 64 connections, beside the slower of a bare server and a bare store.
pub(super) fn single(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(SINGLE_EVENTS);
    let bodies = Arc::new(Events::new().singles(events));
    let (mut values, mut servers, mut stores) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let (took, cpu) = hooklog(&bodies, events, "application/json", 64)?;
        let (server, server_cpu) = bare_server(&bodies, events)?;
        let store = ceilings::store(directory()?.path(), events, 64)?;
        let value = per_second(events, took);
        eprintln!(
            "   {round}: {value:.0}/s with {:.1} µs of processor an event; bare server {server:.0}/s with {:.1} µs, \
             bare store {store:.0}/s",
            microseconds_each(cpu, events),
            microseconds_each(server_cpu, events)
        );
        values.push(value);
        servers.push(server);
        stores.push(store);
    }
    let ceilings = servers.iter().zip(&stores).map(|(server, store)| server.min(*store)).collect();
    let goal = Goal::ShareOfCeiling(0.7);
    Ok(vec![Figure { name: "ingest_single", unit: "events/s", values, ceilings, goal }])
}

/// 1,000 events a request, beside a bare store that commits as many at once.
pub(super) fn batch(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(BATCH_EVENTS);
    let bodies = Arc::new(Events::new().batches(events, BATCH));
    let (mut values, mut ceilings) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let (took, cpu) = hooklog(&bodies, events, "application/x-ndjson", BATCH_CONNECTIONS)?;
        let store = ceilings::store(directory()?.path(), events, BATCH)?;
        let value = per_second(events, took);
        eprintln!(
            "   {round}: {value:.0}/s with {:.1} µs of processor an event; bare store {store:.0}/s",
            microseconds_each(cpu, events)
        );
        values.push(value);
        ceilings.push(store);
    }
    let goal = Goal::ShareOfCeiling(0.4);
    Ok(vec![Figure { name: "ingest_batch", unit: "events/s", values, ceilings, goal }])
}

/// Posts to a fresh hooklog; returns how long it took, and hooklog's processor time.
fn hooklog(
    bodies: &Arc<Vec<Bytes>>,
    events: usize,
    content_type: &'static str,
    connections: usize,
) -> anyhow::Result<(Duration, Duration)> {
    let directory = directory()?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    let cpu = server.cpu()?;
    let (took, taken) = runtime()?.block_on(server.load(content_type, connections).closed(bodies))?;
    let cpu = server.cpu()?.saturating_sub(cpu);
    ensure!(taken == events, "{events} events were posted and {taken} taken");
    server.check_head(events)?;
    server.stop()?;
    Ok((took, cpu))
}

fn bare_server(bodies: &Arc<Vec<Bytes>>, events: usize) -> anyhow::Result<(f64, Duration)> {
    let (server, address) = ceilings::server()?;
    let path = "/v1/accounts/acme/events".to_owned();
    let load = Load { address, path, accounts: 1, content_type: "application/json", connections: 64, taken: accepted };
    let (took, taken) = runtime()?.block_on(load.closed(bodies))?;
    ensure!(taken == events, "{events} requests were posted and {taken} answered");
    Ok((per_second(events, took), server.cpu()?))
}

const SINGLE_EVENTS: usize = 100_000;
const BATCH_EVENTS: usize = 400_000;
const BATCH: usize = 1_000;
/// Enough that the next batch is parsed while one is written.
const BATCH_CONNECTIONS: usize = 4;
