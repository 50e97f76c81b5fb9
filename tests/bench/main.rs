//! The bench: each figure of hooklog beside what this machine could do at best.
//!
//! Not a test: a goal that is missed is printed as missed. But a run whose ledger does not add up is void, and
//! a void run ends with 1. The program under test is the real binary in a process of its own, and so is every
//! ceiling; the same load generator and the same receiver, in this process, drive both.
//!
//! ```text
//! load ─▶ hooklog serve ─▶ receiver          load ─▶ ceiling            ceiling ─▶ receiver
//! ```
#![expect(clippy::disallowed_methods, reason = "the bench drives processes from outside, with its own clock and tasks")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod ceilings;
mod events;
mod load;
mod receiver;
mod report;
mod rows;
mod server;

use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;

use crate::rows::{ROWS, Rounds};

/// Measures hooklog beside its ceilings on this machine
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    after_help = "Rows: ingest_single, ingest_batch, deliver_one_endpoint, filter_rights, replay_dry, latency_p95_ms, dead_endpoints,
start_1m_records_ms, history_page_ms, scale_records,
scale_accounts, rss_idle_mb, rss_10k_accounts_mb, disk_per_event. Tables and JSON go to stdout, progress to stderr.
Exit code 1: a row is void, because its ledger did not add up or a part of it failed."
)]
struct Arguments {
    /// Only these rows
    rows: Vec<String>,
    /// Print an array of objects instead of a table
    #[arg(long)]
    json: bool,
    /// One round of a tenth of the size: shows that the bench works, not how fast hooklog is
    #[arg(long)]
    quick: bool,
    /// What cargo tells every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let ended = match ceilings::asked_for() {
        Some(arguments) => ceilings::run(&arguments).map(|()| ExitCode::SUCCESS),
        None => measure(&Arguments::parse()),
    };
    ended.unwrap_or_else(|problem| {
        eprintln!("bench: {problem:#}");
        ExitCode::FAILURE
    })
}

fn measure(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    for name in &arguments.rows {
        if !ROWS.iter().any(|row| row.name == name) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("there is no row `{name}`; there are {}", known.join(", "));
        }
    }
    let rounds = if arguments.quick { Rounds::quick() } else { Rounds::full() };
    let mut figures = Vec::new();
    let mut is_void = false;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    eprintln!("{} processors, load average before {}", std::thread::available_parallelism()?, load.trim());
    let is_chosen = |name: &str| arguments.rows.is_empty() || arguments.rows.iter().any(|wanted| wanted == name);
    for row in ROWS.iter().filter(|row| is_chosen(row.name)) {
        eprintln!("{}", row.name);
        match (row.measure)(&rounds) {
            Ok(measured) => figures.extend(measured),
            Err(problem) => {
                eprintln!("   void: {problem:#}");
                is_void = true;
            }
        }
    }
    let text = if arguments.json { report::json(&figures) } else { report::table(&figures) };
    println!("{text}");
    Ok(if is_void { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
