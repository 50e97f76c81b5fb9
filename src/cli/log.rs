//! `hooklog log`: look at the log of a data directory, check it, mend a copy of it.
//!
//! Works offline: it opens the data directory itself; where a server holds it, figures come from the server.

use std::path::PathBuf;

use serde_json::{Value, json};
use url::Url;

use super::client::{Client, Request};
use super::column::{Column, bytes, count, text, time};
use super::configuration::ConfigurationArguments;
use super::connection::Connection;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::log::{self, Findings, Log, Repair};
use crate::runtime::Random;
use crate::security::Secret;
use crate::settings::Settings;
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
                let settings = configuration.load(context)?.settings;
                let log = match open(&settings.log_options(), context) {
                    Err(OpenFailed::IsHeld) => return ask_the_server(&settings, context).await,
                    opened => opened?,
                };
                let stats = serde_json::to_value(log.handle().stats().map_err(failed)?).map_err(anyhow::Error::from)?;
                context.console.item(STATS, &stats)?;
                log.close().await.map_err(failed)?;
                Ok(Exit::Done)
            }
            Verb::Verify(configuration) => {
                let options = configuration.load(context)?.settings.log_options();
                let log = open(&options, context)?;
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

/// Why a log cannot be looked at.
enum OpenFailed {
    /// A server holds it.
    IsHeld,
    /// Anything else.
    Other(Failure),
}

impl From<OpenFailed> for Failure {
    fn from(failed: OpenFailed) -> Self {
        match failed {
            OpenFailed::IsHeld => {
                Self::failed("a server holds this log: end it first, or look at a copy of its directory")
            }
            OpenFailed::Other(failure) => failure,
        }
    }
}

fn open(options: &log::Options, context: &Context) -> Result<Log, OpenFailed> {
    if !options.directory.join("log").is_dir() {
        let sentence = format!("{} is no data directory of hooklog; name one with --data", options.directory.display());
        return Err(OpenFailed::Other(Failure::usage(sentence)));
    }
    let mut random = Random::from_machine().map_err(|problem| OpenFailed::Other(Failure::Failed(problem.into())))?;
    Log::open(options, context.clock.clone(), &mut random, Metrics::new().log).map_err(|problem| match problem {
        log::Error::Locked { .. } => OpenFailed::IsHeld,
        problem => OpenFailed::Other(failed(problem)),
    })
}

/// Prints what the server says that holds the log.
async fn ask_the_server(settings: &Settings, context: &mut Context) -> Result<Exit, Failure> {
    let variable = |name: &str| context.environment.get(name).filter(|value| !value.is_empty());
    let url = variable("HOOKLOG_URL").cloned().unwrap_or_else(|| format!("http://{}", settings.admin.address));
    let url = Url::parse(&url).map_err(|reason| Failure::usage(format!("HOOKLOG_URL is no URL: {reason}")))?;
    let token = match variable("HOOKLOG_TOKEN") {
        Some(token) => Some(token.clone()),
        None => std::fs::read_to_string(settings.data.join("operator.token")).ok(),
    };
    let connection = Connection { url, token: token.map(|token| Secret::new(token.trim().to_owned())) };
    let status = Client::new(&connection, context.tasks.clone())?.send(&Request::get("/status")).await?;
    context.console.item(super::status::COLUMNS, &status)?;
    context.console.flush()?;
    context.console.note("a server holds the log: this is what it says");
    Ok(Exit::Done)
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
