//! `hooklog simulate`: the traffic of call centres, in fast motion.
//!
//! Not a load generator for ceilings: it behaves as INO would, with an order per account and repeats under
//! the same ids. The traffic itself is [`CallCentre`], pure and seeded, which the demo and the benchmarks
//! use without the command around it.

mod call_centre;
mod floor;
mod interaction;
mod kind;
mod payload;
mod people;
mod write;

mod sending;
mod tally;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::column::{Column, count, ms, show_count, text};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::ingest::IngestArguments;
use super::span::Span;
use super::writing::Rehearsal;
use crate::model::{AccountName, Timestamp};

pub(in crate::cli) use self::sending::{Plan, Until, send};

pub use self::call_centre::{CallCentre, START, Simulated};
pub use self::tally::Tally;

/// Send the traffic of call centres, in fast motion
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog simulate --accounts acme,globex --rate 200 --duration 30s
  hooklog simulate --accounts 50 --agents 10 --rate 0 --batch 100 --count 1000000
  hooklog simulate --accounts acme --raw --count 100           an unknown shape, to /hooks
  hooklog simulate --accounts acme --count 5 --dry-run         print the events, send nothing

A day of a call centre takes as long as its events take at the rate. The same seed, accounts and
agents give the same events with the same ids: what is sent again is a duplicate. An account's
events keep their order. A 503 and a server that is away are waited for.
Exit code 1: something was not accepted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ingest: IngestArguments,
    /// The accounts, separated by commas; or how many, named account-1, account-2 and so on
    #[arg(long, value_name = "NAMES|N", default_value = "acme")]
    accounts: Accounts,
    /// Agents of every account
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// Events a second over all accounts; 0 for as many as possible
    #[arg(long, value_name = "N", default_value_t = 200)]
    rate: u32,
    /// Which traffic: the same number gives the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop after this many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after this long
    #[arg(long, value_name = "SPAN")]
    duration: Option<Span>,
    /// Events in a request; all of a request are of one account
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Connections; an account keeps to one of them, and so keeps its order
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    connections: u32,
    /// When the first simulated day begins; the same seed with another day gives other events
    #[arg(long, value_name = "INSTANT", default_value = "2026-03-02T08:00:00Z", value_parser = Timestamp::parse)]
    start: Timestamp,
    /// How long to try again while the server is away or busy
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    patience: Span,
    /// Post an unknown shape to /hooks, as a platform does that has never heard of hooklog
    #[arg(long, conflicts_with = "batch")]
    raw: bool,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

/// Which accounts have call centres.
#[derive(Debug, Clone)]
struct Accounts(Vec<AccountName>);

impl std::str::FromStr for Accounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(count) = text.parse::<u32>() {
            if !(1..=ACCOUNTS_MAX).contains(&count) {
                return Err(format!("expected 1 to {ACCOUNTS_MAX} accounts"));
            }
            let name = |number| AccountName::parse(&format!("account-{number}")).map_err(|refusal| refusal.to_string());
            return (1..=count).map(name).collect::<Result<_, _>>().map(Self);
        }
        let mut names = Vec::new();
        for name in text.split(',') {
            let name = AccountName::parse(name.trim()).map_err(|refusal| refusal.to_string())?;
            if names.contains(&name) {
                return Err(format!("{name} is named twice"));
            }
            names.push(name);
        }
        Ok(Self(names))
    }
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let centre = CallCentre::starting_at(self.seed, &self.accounts.0, self.agents, self.start);
        if self.rehearsal.dry_run {
            return self.rehearse(context, centre);
        }
        let tally = Arc::new(Tally::default());
        let (trigger, signal) = context.interruption();
        let began = context.clock.monotonic();
        let listener = self.ingest.resolve(&context.environment)?;
        let plan = Plan {
            ingest: listener.url,
            authorization: listener.authorization,
            accounts: self.accounts.0.clone(),
            rate: self.rate,
            until: Until { count: self.count, duration: self.duration.map(|span| span.0) },
            batch: self.batch,
            connections: self.connections,
            is_raw: self.raw,
            patience: self.patience.0,
            clock: context.clock.clone(),
            tasks: context.tasks.clone(),
        };
        let sending = send(plan, centre, Arc::clone(&tally), signal);
        let sent = self.show_progress(context, &tally, sending).await;
        trigger.give();
        sent?;
        let took = context.clock.monotonic().since(began);
        self.sum_up(context, &tally, took)
    }

    /// Prints what would be sent, one event a line.
    fn rehearse(&self, context: &mut Context, mut centre: CallCentre) -> Result<Exit, Failure> {
        let count = self.count.ok_or_else(|| Failure::usage("say how many with --count: the traffic never ends"))?;
        let mut line = Vec::new();
        for _ in 0..count {
            line.clear();
            if self.raw {
                centre.next_hook(&mut line);
            } else {
                centre.next_event(&mut line);
            }
            line.push(b'\n');
            context.console.bytes(&line)?;
        }
        Ok(Exit::Done)
    }

    async fn show_progress(
        &self,
        context: &Context,
        tally: &Tally,
        sending: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        if self.quiet {
            return sending.await;
        }
        let template = if self.count.is_some() { "{bar:40} {percent} % {msg}" } else { "{spinner} {msg}" };
        let bar = context.console.progress(self.count, template);
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut before = 0;
        tokio::pin!(sending);
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent,
                _ = look.tick() => {
                    let now = tally.answered();
                    bar.set_position(now);
                    bar.set_message(format!("{}, {} a second", tally.words(), show_count(now - before)));
                    before = now;
                }
            }
        };
        bar.finish_and_clear();
        sent
    }

    fn sum_up(&self, context: &mut Context, tally: &Tally, took: Duration) -> Result<Exit, Failure> {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let per_second = tally.answered().saturating_mul(1000).checked_div(took_ms).unwrap_or(0);
        let mut sum = tally.json();
        if let Some(members) = sum.as_object_mut() {
            members.extend([("durationMs".to_owned(), json!(took_ms)), ("perSecond".to_owned(), json!(per_second))]);
            members.insert("seed".to_owned(), Value::from(self.seed));
        }
        context.console.item(SUM, &sum)?;
        if let Some(problem) = tally.first_problem() {
            context.console.flush()?;
            context.console.complain(&problem);
        }
        Ok(if tally.is_all_taken() { Exit::Done } else { Exit::Failed })
    }
}

const SUM: &[Column] = &[
    count("SENT", "/sent"),
    count("ACCEPTED", "/accepted"),
    count("DUPLICATES", "/duplicates"),
    count("CAPTURED", "/captured"),
    count("REFUSED", "/refused"),
    count("NOT ANSWERED", "/unanswered"),
    count("REQUESTS", "/requests"),
    count("REPEATED", "/repeated"),
    ms("TOOK", "/durationMs"),
    count("PER SECOND", "/perSecond"),
    text("SEED", "/seed"),
];
const ACCOUNTS_MAX: u32 = 100_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);
