//! `start_1m_records_ms`: how long a start on a million records takes until `/readyz` says so.

use std::path::Path;

use super::{Rounds, directory, milliseconds, post};
use crate::events::Events;
use crate::report::{Figure, Goal};
use crate::server::Server;

/// Starts after clean stops and, beside them, after kills under load.
pub(super) fn records_1m(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(EVENTS);
    let directory = directory()?;
    let mut events_made = Events::new();
    let server = Server::start(directory.path())?;
    server.make_account()?;
    post(&server, &mut events_made, events)?;
    // At the head: a start has an endpoint to load, and nothing to send.
    server.make_endpoint("http://127.0.0.1:9/")?;
    server.stop()?;
    let (mut clean, mut killed) = (Vec::new(), Vec::new());
    let mut in_log = events;
    for round in 0..rounds.count {
        clean.push(started_clean(directory.path(), in_log)?);
        let more = rounds.events(UNFLUSHED_EVENTS);
        killed.push(started_after_kill(directory.path(), &mut events_made, in_log, more)?);
        in_log += more;
        if let (Some(clean), Some(killed)) = (clean.last(), killed.last()) {
            eprintln!("   {round}: after a clean stop {clean:.0} ms, after a kill {killed:.0} ms");
        }
    }
    let ceilings = Vec::new;
    let goal = Goal::AtMost(300.0);
    Ok(vec![
        Figure { name: "start_1m_records_ms", unit: "ms", values: clean, ceilings: ceilings(), goal },
        Figure {
            name: "start_1m_records_after_kill_ms",
            unit: "ms",
            values: killed,
            ceilings: ceilings(),
            goal: Goal::Beside,
        },
    ])
}

/// Starts on a log that was closed well, and leaves it so.
fn started_clean(directory: &Path, in_log: usize) -> anyhow::Result<f64> {
    let server = Server::start(directory)?;
    server.check_head(in_log)?;
    let took = milliseconds(server.ready_after);
    server.stop()?;
    Ok(took)
}

/// Starts after a kill that leaves as much in the write-ahead log as the posted events are.
fn started_after_kill(directory: &Path, events: &mut Events, in_log: usize, more: usize) -> anyhow::Result<f64> {
    let server = Server::start(directory)?;
    // The endpoint's receiver is away: it must not be asked while the start is timed.
    server.pause()?;
    post(&server, events, more)?;
    server.kill()?;
    let server = Server::start(directory)?;
    server.check_head(in_log + more)?;
    let took = milliseconds(server.ready_after);
    server.stop()?;
    Ok(took)
}

const EVENTS: usize = 1_000_000;
/// About 22 MB: less than the write buffers hold, so that all of it is read back.
const UNFLUSHED_EVENTS: usize = 25_000;
