//! `replay_dry`: a replay that is only told, beside reading the same records and filtering as many events.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Rounds, directory, filter, per_second, post};
use crate::ceilings;
use crate::events::Events;
use crate::report::{Figure, Goal, median};
use crate::server::Server;

/// One account alone in the log; its endpoint has had nothing, so nothing is compared with what was.
pub(super) fn dry(rounds: &Rounds) -> anyhow::Result<Vec<Figure>> {
    let events = rounds.events(EVENTS);
    let directory = directory()?;
    let server = Server::start(directory.path())?;
    server.make_account()?;
    server.make_endpoint("http://127.0.0.1:9/")?;
    server.pause()?;
    post(&server, &mut Events::new(), events)?;
    let filtered = filter::rights(rounds)?;
    let filtered = filtered.first().and_then(|figure| median(&figure.values)).context("rights are measured")?;
    let (mut values, mut limits) = (Vec::new(), Vec::new());
    for round in 0..rounds.count {
        let value = per_second(events, told(&server, events)?);
        let scanned = ceilings::scan(super::directory()?.path(), events)?;
        // One after the other, each as fast as it can be.
        let limit = 1.0 / (1.0 / scanned + 1.0 / filtered);
        eprintln!("   {round}: {value:.0}/s; bare scan {scanned:.0}/s, with filtering {limit:.0}/s");
        values.push(value);
        limits.push(limit);
    }
    server.stop()?;
    let goal = Goal::ShareOfCeiling(0.5);
    Ok(vec![Figure { name: "replay_dry", unit: "events/s", values, ceilings: limits, goal }])
}

/// Lets a replay of all events be told, and returns how long that took.
fn told(server: &Server, events: usize) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let job = server.replay(&json!({ "endpoint": "crm", "from": { "offset": 1 }, "dryRun": true }))?;
    let id = job.get("id").and_then(Value::as_str).context("a job has an id")?;
    loop {
        let job = server.get(&format!("{}/{id}", Server::REPLAYS))?;
        match job.get("state").and_then(Value::as_str) {
            Some("completed") => {
                let took = began.elapsed();
                let found = job.get("found").and_then(Value::as_array).context("a rehearsal tells what it found")?;
                let sum: u64 = found.iter().filter_map(|found| found.get("appearing")?.as_u64()).sum();
                ensure!(sum == u64::try_from(events)?, "of {events} events {sum} would be sent: {job}");
                return Ok(took);
            }
            Some("queued" | "running") => {}
            _ => anyhow::bail!("the rehearsal failed: {job}"),
        }
        ensure!(began.elapsed() < PATIENCE, "the rehearsal does not end: {job}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const EVENTS: usize = 200_000;
const PATIENCE: Duration = Duration::from_secs(120);
