//! `hooklog receive`: a local receiver that prints, verifies signature and sequence, and answers as told.
//!
//! Not a receiver for production: it keeps nothing. The receiving itself is [`Receiver`], which the demo
//! and the benchmarks use without the command around it.

mod delivery;
mod gaps;
mod mischief;
mod receiver;
mod sequences;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use crate::model::Sequence;
use crate::runtime::{Monotonic, Shutdown, shutdown};
use crate::security::Verifier;

use self::delivery::COLUMNS;
use self::gaps::GapWatch;
use super::assignment::TextOrFile;
use super::column::{Column, bytes, count, text};
use super::console::{Format, plain};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::span::Span;

pub use self::delivery::{Check, Delivery};
pub use self::mischief::{Deed, Mischief, Which};
pub use self::receiver::{Gap, Options, Receiver, Tally};

/// Receive deliveries here: print them, verify signature and sequence, answer as told
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog receive --secret $(hooklog endpoint secret acme/crm --bare)
  hooklog receive --listen 127.0.0.1:0 --count 100 -o ndjson
  hooklog receive --status 500 --status 500 --status 200       fail twice, then succeed, and so on
  hooklog receive --delay 2s --quiet
  hooklog receive --misbehave 500@10% --misbehave lose@5% --misbehave 404@key=i_7     a bad one

The first line says where it listens. Numbers may arrive out of turn, because lanes run in
parallel: a gap is told when it lasts, or at the end. A duplicate is counted and is no fault:
deliveries come at least once.
Exit code 3: a signature did not fit, or a number is missing at the end.")]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Verify with this signing secret or public key, whsec_…, whpk_… or @FILE (may be repeated)
    #[arg(long = "secret", value_name = "KEY")]
    secrets: Vec<TextOrFile>,
    /// Answer with this status (may be repeated: they take turns) [default: 200, or 401 where no signature fits]
    #[arg(long = "status", value_name = "CODE", value_parser = parse_status)]
    statuses: Vec<StatusCode>,
    /// Wait this long before every answer
    #[arg(long, value_name = "SPAN", default_value = "0")]
    delay: Span,
    /// Do something bad: slow:SPAN, hang, reset, lose (taken, and no answer), redirect, endless, or a status such as
    /// 500 or 429:30s; to some requests alone with @10%, @1/3 or @key=KEY (may be repeated: the first that meets)
    #[arg(long = "misbehave", value_name = "HOW[@WHICH]")]
    mischief: Vec<Mischief>,
    /// Which requests chance meets: the same number meets the same ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Stop after this many deliveries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this long
    #[arg(long, value_name = "SPAN")]
    duration: Option<Span>,
    /// Expect every endpoint's numbers to begin here; without it, with the least that arrives
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    first_sequence: Option<u64>,
    /// Tell of a missing number once it has been missing for this long
    #[arg(long, value_name = "SPAN", default_value = "30s")]
    gap_after: Span,
    /// Print the bodies, too
    #[arg(long)]
    bodies: bool,
    /// Print no deliveries, only what came of them all
    #[arg(short, long)]
    quiet: bool,
}

fn parse_status(text: &str) -> Result<StatusCode, String> {
    let refusal = || format!("expected a status from 200 to 599, not {text:?}");
    let status = text.parse::<StatusCode>().map_err(|_| refusal())?;
    if (200..600).contains(&status.as_u16()) { Ok(status) } else { Err(refusal()) }
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|reason| Failure::failed(format!("cannot listen on {}: {reason}", self.listen)))?;
        let address = listener.local_addr().map_err(|reason| Failure::Failed(reason.into()))?;
        let (printer, mut printed) = mpsc::channel(PRINTED_WAITING_MAX);
        let receiver = Receiver::new(self.options()?, context.clock.clone());
        let receiver = if self.quiet { receiver } else { receiver.telling(printer) };
        announce(context, address)?;
        if context.console.format() == Format::Csv && !self.quiet {
            context.console.items(COLUMNS, &[])?;
        }

        let (trigger, signal) = shutdown();
        let ended = self.serve(context, &receiver, listener, signal);
        let (_interrupt, interrupted) = context.interruption();
        let stopping = self.stop_in_time(&receiver, interrupted);
        tokio::pin!(stopping);
        let mut missing = None;
        let mut watch = GapWatch::new(self.gap_after.0);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                Some(delivery) = printed.recv() => {
                    self.print(context, &delivery)?;
                    while let Ok(delivery) = printed.try_recv() {
                        self.print(context, &delivery)?;
                    }
                    context.console.flush()?;
                }
                gaps = &mut stopping, if missing.is_none() => {
                    missing = Some(gaps);
                    trigger.give();
                }
                _ = look.tick() => tell_gaps(context, &mut watch, &receiver),
                () = ended.notified() => break,
            }
        }
        while let Ok(delivery) = printed.try_recv() {
            self.print(context, &delivery)?;
        }
        self.sum_up(context, receiver.tally(), &missing.unwrap_or_default())
    }

    fn options(&self) -> Result<Options, Failure> {
        let read = |secret: &TextOrFile| {
            Verifier::parse(secret.read()?.trim()).map_err(|refusal| Failure::usage(format!("--secret: {refusal}")))
        };
        Ok(Options {
            secrets: self.secrets.iter().map(read).collect::<Result<_, _>>()?,
            statuses: self.statuses.clone(),
            delay: self.delay.0,
            mischief: self.mischief.clone(),
            seed: self.seed,
            first_sequence: self.first_sequence.map(Sequence),
            keeps_bodies: self.bodies,
        })
    }

    /// Starts to receive, and returns what tells when that has ended.
    fn serve(&self, context: &Context, receiver: &Receiver, listener: TcpListener, signal: Shutdown) -> Arc<Notify> {
        let ended = Arc::new(Notify::new());
        let (receiver, tell) = (receiver.clone(), Arc::clone(&ended));
        context.tasks.spawn(async move {
            receiver.serve(listener, signal).await;
            tell.notify_one();
        });
        ended
    }

    /// Waits until there were enough deliveries, or long enough, or somebody interrupts; returns what is missing
    /// then and does not come in the moments after.
    async fn stop_in_time(&self, receiver: &Receiver, mut interrupted: Shutdown) -> Vec<Gap> {
        let enough = async {
            match self.count {
                Some(count) => receiver.received(count).await,
                None => std::future::pending().await,
            }
        };
        let long_enough = async {
            match self.duration {
                Some(Span(duration)) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { () = enough => {}, () = long_enough => {}, () = interrupted.given() => {} }
        receiver.settled(SETTLE_WITHIN).await
    }

    fn print(&self, context: &mut Context, delivery: &Delivery) -> Result<(), Failure> {
        match context.console.format() {
            Format::Table => {
                let line = delivery.line(context.console.is_colourful());
                context.console.line(&line)?;
                if let Some(body) = delivery.body.as_ref().filter(|_| self.bodies) {
                    context.console.line(&plain(&String::from_utf8_lossy(body)))?;
                }
            }
            Format::Json | Format::Ndjson => context.console.line(&delivery.json().to_string())?,
            Format::Csv => context.console.csv_row(COLUMNS, &delivery.json())?,
        }
        Ok(())
    }

    /// Tells what came of all deliveries: as data where nothing else was printed, else as a message.
    fn sum_up(&self, context: &mut Context, tally: Tally, gaps: &[Gap]) -> Result<Exit, Failure> {
        let gaps_in_words: Vec<_> = gaps.iter().map(Gap::to_string).collect();
        let sum = json!({"received": tally.received, "accepted": tally.accepted, "verified": tally.verified,
            "unverified": tally.unverified, "duplicates": tally.duplicates, "tests": tally.tests,
            "replayed": tally.replayed, "bytes": tally.bytes, "gaps": gaps_in_words});
        if self.quiet {
            context.console.item(SUM, &sum)?;
        } else {
            context.console.flush()?;
            context.console.note(&format!(
                "received {}, accepted {}, verified {}, not verified {}, duplicates {}, missing {}",
                tally.received,
                tally.accepted,
                tally.verified,
                tally.unverified,
                tally.duplicates,
                if gaps.is_empty() { "none".to_owned() } else { gaps_in_words.join("; ") },
            ));
        }
        Ok(Exit::answer(tally.unverified == 0 && gaps.is_empty()))
    }
}

/// Says where it listens, on the first line, in the format that whoever reads it expects.
fn announce(context: &mut Context, address: SocketAddr) -> Result<(), Failure> {
    match context.console.format() {
        Format::Table => context.console.line(&format!("listening on http://{address}"))?,
        Format::Json | Format::Ndjson => {
            context.console.line(&json!({"listening": format!("http://{address}")}).to_string())?;
        }
        Format::Csv => context.console.note(&format!("listening on http://{address}")),
    }
    context.console.flush()?;
    Ok(())
}

fn tell_gaps(context: &mut Context, watch: &mut GapWatch, receiver: &Receiver) {
    let now: Monotonic = context.clock.monotonic();
    for gap in watch.look(receiver.gaps(), now) {
        let Gap { endpoint, first, last } = &gap;
        let end = last.saturating_add(1);
        let look = format!("hooklog delivery list {endpoint} --from-sequence {first} --to-sequence {end}");
        context.console.warn(&format!("{gap} has not arrived; see {look}"));
    }
}

const SUM: &[Column] = &[
    count("RECEIVED", "/received"),
    count("ACCEPTED", "/accepted"),
    count("VERIFIED", "/verified"),
    count("NOT VERIFIED", "/unverified"),
    count("DUPLICATES", "/duplicates"),
    count("TESTS", "/tests"),
    count("REPLAYED", "/replayed"),
    bytes("SIZE", "/bytes"),
    text("MISSING", "/gaps"),
];
/// Deliveries that wait to be printed; when a terminal is slower than that, answers wait for it.
const PRINTED_WAITING_MAX: usize = 1024;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the end waits for numbers that are still under way in other lanes.
const SETTLE_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
