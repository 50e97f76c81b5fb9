//! The rows, each a function that measures it; what its ledger says decides whether it counts.

mod dead;
mod delivery;
mod filter;
mod footprint;
mod history;
mod ingest;
mod latency;
mod replay;
mod scale;
mod start;

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use crate::events::Events;
use crate::report::Figure;
use crate::server::Server;

/// A row of the bench.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Measures it; an error makes it void.
    pub(crate) measure: fn(&Rounds) -> anyhow::Result<Vec<Figure>>,
}

/// All rows, in the order in which they are measured.
pub(crate) const ROWS: &[Row] = &[
    Row { name: "ingest_single", measure: ingest::single },
    Row { name: "ingest_batch", measure: ingest::batch },
    Row { name: "deliver_one_endpoint", measure: delivery::one_endpoint },
    Row { name: "filter_rights", measure: filter::rights },
    Row { name: "replay_dry", measure: replay::dry },
    Row { name: "latency_p95_ms", measure: latency::accepted_to_first_byte },
    Row { name: "dead_endpoints", measure: dead::endpoints },
    Row { name: "start_1m_records_ms", measure: start::records_1m },
    Row { name: "history_page_ms", measure: history::page },
    Row { name: "scale_records", measure: scale::records },
    Row { name: "scale_accounts", measure: scale::accounts },
    Row { name: "rss_idle_mb", measure: footprint::idle_memory },
    Row { name: "rss_10k_accounts_mb", measure: footprint::many_accounts },
    Row { name: "disk_per_event", measure: footprint::disk },
];

/// How often, and how much, is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    count: usize,
    /// What the number of events is divided by.
    divisor: usize,
}

impl Rounds {
    /// The figures that count.
    pub(crate) const fn full() -> Self {
        Self { count: 5, divisor: 1 }
    }

    /// The least that runs every line of the bench.
    pub(crate) const fn quick() -> Self {
        Self { count: 1, divisor: 10 }
    }

    /// Returns how many events stand for `full`.
    const fn events(&self, full: usize) -> usize {
        full / self.divisor
    }
}

/// Makes a directory on the disk that the figures are about; gone when dropped.
fn directory() -> anyhow::Result<tempfile::TempDir> {
    // Beside the program, because the folder for temporary files may be memory.
    let program = std::env::current_exe()?;
    let folder = program.parent().unwrap_or_else(|| std::path::Path::new("."));
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(folder)?)
}

/// Posts events in batches, and those in parts, so that not all bodies are in memory at once.
fn post(server: &Server, events: &mut Events, count: usize) -> anyhow::Result<()> {
    let runtime = runtime()?;
    for part in (0..count).step_by(PART_EVENTS) {
        let expected = PART_EVENTS.min(count - part);
        let bodies = Arc::new(events.batches(expected, 1_000));
        let (_, taken) = runtime.block_on(server.load("application/x-ndjson", 2).closed(&bodies))?;
        ensure!(taken == expected, "{expected} events were posted and {taken} taken");
    }
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new()
}

fn per_second(events: usize, took: Duration) -> f64 {
    number(events) / took.as_secs_f64()
}

fn microseconds_each(span: Duration, events: usize) -> f64 {
    span.as_secs_f64() * 1e6 / number(events)
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// A count as a number to calculate with.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns the time below which a part (in percent) of them lie.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).copied().unwrap_or_default()
}

/// Events whose bodies are in memory at once.
const PART_EVENTS: usize = 100_000;
