//! `hooklog log`: look at the log of a data directory, check it, mend a copy of it.
//!
//! Works offline: it opens the data directory itself, and says so where a server holds it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::column::{Column, bytes, count, text, time};
use super::configuration::ConfigurationArguments;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::log::{self, Findings, Log, Repair};
use crate::runtime::Random;
use crate::telemetry::Metrics;

/// Look at the log of a data directory, check it, mend a copy of it
#[derive(Debug, clap::Args)]
#[command(
    subcommand_required = true,
    after_help = "Examples:
  hooklog log stats --data /var/lib/hooklog
  hooklog log verify                        exit code 3 where something is damaged
  hooklog log repair --to ./repaired        shows what a repair would do
  hooklog log repair --to ./repaired --yes  does it, on the copy; the original stays as it is"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show heads, bytes and the disk
    #[command(after_help = "Examples:\n  hooklog log stats --data /var/lib/hooklog -o json")]
    Stats(ConfigurationArguments),
    /// Read everything and say what is not as it was written
    #[command(after_help = "Examples:\n  hooklog log verify && echo sound\n\nExit code 3: something is damaged.")]
    Verify(ConfigurationArguments),
    /// Show, and with --yes do, what makes a damaged log start again
    #[command(after_help = "Examples:
  hooklog log repair --to ./repaired        shows what is lost
  hooklog log repair --to ./repaired --yes  mends a copy; the original stays as it is")]
    Repair {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// Where the copy goes; must not exist
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Do it: name what is lost and let the copy go on behind it
        #[arg(long)]
        yes: bool,
    },
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        match self.verb {
            Verb::Stats(configuration) => {
                let log = open(configuration, context)?;
                let stats = serde_json::to_value(log.handle().stats().map_err(failed)?).map_err(anyhow::Error::from)?;
                context.console.item(STATS, &stats)?;
                log.close().await.map_err(failed)?;
                Ok(Exit::Done)
            }
            Verb::Verify(configuration) => {
                let log = open(configuration, context)?;
                let bar = context.console.progress(Some(1_000), "{bar:40} {percent}% read, {eta} left");
                let handle = log.handle();
                let verified = handle.verify(&mut |share| {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 1,000")]
                    bar.set_position((share * 1_000.0) as u64);
                    true
                });
                bar.finish_and_clear();
                let verified = verified.map_err(failed)?;
                log.close().await.map_err(failed)?;
                let is_sound = verified.damage.is_empty();
                let found = serde_json::to_value(verified).map_err(anyhow::Error::from)?;
                context.console.item(VERIFIED, &found)?;
                if !is_sound {
                    let damage = found.get("damage").and_then(Value::as_array).cloned().unwrap_or_default();
                    context.console.items(DAMAGE, &damage)?;
                }
                Ok(Exit::answer(is_sound))
            }
            Verb::Repair { configuration, to, yes } => repair(configuration, to, yes, context).await,
        }
    }
}

async fn repair(
    configuration: ConfigurationArguments,
    to: PathBuf,
    is_agreed: bool,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let options = configuration.load(context)?.settings.log_options();
    let mut random = Random::from_machine().map_err(anyhow::Error::from)?;
    if to.exists() {
        return Err(Failure::usage(format!("{} is there already; name a directory that is not", to.display())));
    }
    let repair = Repair::copy(&options, &to).map_err(failed)?;
    let findings = repair.findings();
    let Findings { end, acknowledged, lost } = findings;
    let shown = json!({ "end": end, "acknowledged": acknowledged, "lost": lost, "copy": to.display().to_string() });
    context.console.item(FINDINGS, &shown)?;
    if lost > 0 {
        context.console.note(&format!(
            "{lost} acknowledged records behind position {end} are lost; the copy would go on at {}",
            acknowledged.0 + 2
        ));
    }
    let outcome = context.console.confirm("make the copy a log that starts?", is_agreed);
    if let Err(refusal) = outcome {
        drop(repair);
        std::fs::remove_dir_all(&to).map_err(anyhow::Error::from)?;
        return Err(refusal);
    }
    repair.apply(context.now(), &mut random).map_err(failed)?;
    // A repair mends the end of a log. Damage in the middle of it stays, and must not be called mended.
    let options = log::Options { directory: to.clone(), ..options };
    let copy = Log::open(&options, context.clock.clone(), &mut random, Metrics::new().log).map_err(failed)?;
    let verified = copy.handle().verify(&mut |_| true).map_err(failed)?;
    copy.close().await.map_err(failed)?;
    if !verified.damage.is_empty() {
        let damage = serde_json::to_value(&verified.damage).map_err(anyhow::Error::from)?;
        context.console.items(DAMAGE, damage.as_array().map(Vec::as_slice).unwrap_or_default())?;
        context.console.flush()?;
        context.console.warn(&format!(
            "the copy in {} starts, but what is listed above cannot be read: no repair brings it back; see a backup",
            to.display()
        ));
        return Ok(Exit::No);
    }
    context.console.note(&format!("done: start with --data {}; the original is untouched", to.display()));
    Ok(Exit::Done)
}

fn open(configuration: ConfigurationArguments, context: &mut Context) -> Result<Log, Failure> {
    let options = configuration.load(context)?.settings.log_options();
    if !options.directory.join("log").is_dir() {
        let sentence = format!("{} is no data directory of hooklog; name one with --data", options.directory.display());
        return Err(Failure::usage(sentence));
    }
    let mut random = Random::from_machine().map_err(anyhow::Error::from)?;
    Log::open(&options, context.clock.clone(), &mut random, Metrics::new().log).map_err(failed)
}

fn failed(problem: log::Error) -> Failure {
    Failure::failed(problem.to_string())
}

const STATS: &[Column] = &[
    count("HEAD", "/head"),
    count("OLDEST", "/oldest"),
    time("OLDEST AT", "/oldestAt"),
    count("ACCOUNTS", "/accounts"),
    count("TYPES", "/types"),
    bytes("RECORDS", "/familyBytes/records"),
    bytes("IDS", "/familyBytes/event_ids"),
    bytes("MEMORY", "/memoryBytes"),
    bytes("DISK FREE", "/diskFreeBytes"),
    bytes("RESERVE", "/diskReserveBytes"),
];
const VERIFIED: &[Column] =
    &[count("RECORDS", "/records"), count("EVENTS", "/events"), text("COMPLETE", "/isComplete")];
const DAMAGE: &[Column] = &[count("POSITION", "/position"), text("PROBLEM", "/problem")];
const FINDINGS: &[Column] = &[
    count("READABLE UP TO", "/end"),
    count("ACKNOWLEDGED UP TO", "/acknowledged"),
    count("LOST", "/lost"),
    text("COPY", "/copy"),
];
