//! `hooklog replay`: deliver a stretch of the past again.
//!
//! Not a promise about live work: a replay has its own attempts and touches neither ledger nor sequence.

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::address::{EndpointAddress, JobAddress};
use super::client::{Client, Request};
use super::column::{Column, count, share, show_count, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::job::{Watch, failed, members, number, word};
use super::range::{Portion, Range};
use crate::model::AccountName;

/// Deliver a stretch of the past again
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog replay start acme/crm --from 41 --to 80 --wait
  hooklog replay list acme
  hooklog replay cancel acme/1")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a replay to an endpoint
    #[command(after_help = "Examples:
  hooklog replay start acme/crm --from 41 --to 80          offsets 41 to 79
  hooklog replay start acme/crm --since 2h --rate-per-second 20
  hooklog replay start acme/crm --since 7d --type 'call.*' --dry-run --wait    what would be sent, and what is different
  hooklog replay start acme/crm --since 7d --as-of original                    no field that was withheld then
  hooklog replay start acme/crm --since 2h --wait          exit code 3 where not all was delivered")]
    Start {
        /// The endpoint
        endpoint: EndpointAddress,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        scope: Scope,
        /// Send no more requests a second than this, spaced evenly
        #[arg(long, value_name = "N", conflicts_with = "dry_run")]
        rate_per_second: Option<u32>,
        /// Wait until it has ended, with a progress bar on a terminal
        #[arg(long)]
        wait: bool,
    },
    /// List the replays of an account
    #[command(after_help = "Examples:\n  hooklog replay list acme")]
    List {
        /// The account
        account: AccountName,
        #[command(flatten)]
        portion: Portion,
    },
    /// Show one replay
    #[command(after_help = "Examples:\n  hooklog replay get acme/1 -o json")]
    Get {
        /// The replay: ACCOUNT/ID
        replay: JobAddress,
    },
    /// Wait until a replay has ended; exit code 3 where not all was delivered
    #[command(after_help = "Examples:\n  hooklog replay wait acme/1 && echo all delivered")]
    Wait {
        /// The replay: ACCOUNT/ID
        replay: JobAddress,
    },
    /// Pause a replay: nothing of it begins until it is resumed
    #[command(after_help = "Examples:\n  hooklog replay pause acme/1")]
    Pause {
        /// The replay: ACCOUNT/ID
        replay: JobAddress,
    },
    /// Go on with a replay that was paused
    #[command(after_help = "Examples:\n  hooklog replay resume acme/1")]
    Resume {
        /// The replay: ACCOUNT/ID
        replay: JobAddress,
    },
    /// Stop a replay; what it has delivered stays delivered
    #[command(after_help = "Examples:\n  hooklog replay cancel acme/1")]
    Cancel {
        /// The replay: ACCOUNT/ID
        replay: JobAddress,
    },
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::Start { endpoint, range, scope, rate_per_second, wait } => {
                let begun = Start { endpoint: &endpoint, range: &range, scope: &scope, rate_per_second };
                begun.run(&mut client, context, wait).await
            }
            Verb::List { account, portion } => {
                let request = Request::get(format!("/accounts/{account}/replays"));
                client.print(context, &request, &portion, COLUMNS).await?;
                Ok(Exit::Done)
            }
            Verb::Get { replay } => {
                let job = client.send(&Request::get(path(&replay))).await?;
                show(context, &job)?;
                Ok(Exit::Done)
            }
            Verb::Wait { replay } => wait_for(&mut client, context, &replay).await,
            Verb::Pause { replay } => conduct(&mut client, context, &replay, "pause").await,
            Verb::Resume { replay } => conduct(&mut client, context, &replay, "resume").await,
            Verb::Cancel { replay } => conduct(&mut client, context, &replay, "cancel").await,
        }
    }
}

async fn conduct(client: &mut Client, context: &mut Context, replay: &JobAddress, verb: &str) -> Result<Exit, Failure> {
    let job = client.send(&Request::post(format!("{}/{verb}", path(replay)), json!({}))).await?;
    if !job.is_null() {
        context.console.item(COLUMNS, &job)?;
    }
    Ok(Exit::Done)
}

/// Which events of the stretch, by which rights, and whether at all.
#[derive(Debug, clap::Args)]
struct Scope {
    /// Only events of these types; call.* for all of a family; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// By which rights: those of now, or the original ones and those of now, of which the stricter decides
    #[arg(long, value_enum, value_name = "WHEN", default_value = "now")]
    as_of: AsOf,
    /// Send nothing: tell what would be sent, and what is different from the first time
    #[arg(long)]
    dry_run: bool,
}

/// By which rights a replay decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AsOf {
    /// Those that hold when an event is sent
    Now,
    /// Those that held when an event came in, and those of now: the stricter decides
    Original,
}

impl Scope {
    fn members(&self) -> impl Iterator<Item = (String, Value)> {
        let said = [
            ("types", (!self.kinds.is_empty()).then(|| json!(self.kinds))),
            ("asOf", (self.as_of == AsOf::Original).then(|| json!("original"))),
            ("dryRun", self.dry_run.then_some(Value::Bool(true))),
        ];
        said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

/// A replay to be begun.
struct Start<'a> {
    endpoint: &'a EndpointAddress,
    range: &'a Range,
    scope: &'a Scope,
    rate_per_second: Option<u32>,
}

impl Start<'_> {
    async fn run(self, client: &mut Client, context: &mut Context, wait: bool) -> Result<Exit, Failure> {
        let Self { endpoint, range, scope, rate_per_second } = self;
        let Some(first) = range.first(context.now()) else {
            return Err(Failure::usage("say where to begin: --from 41, or --since 2h"));
        };
        let mut body =
            Map::from_iter([("endpoint".to_owned(), json!(endpoint.endpoint)), ("from".to_owned(), first.body())]);
        body.extend(range.end().map(|end| ("to".to_owned(), end.body())));
        body.extend(scope.members());
        body.extend(rate_per_second.map(|rate| ("ratePerSecond".to_owned(), json!(rate))));
        let request = Request::post(format!("/accounts/{}/replays", endpoint.account), Value::Object(body));
        let job = client.send(&request).await?;
        if !wait {
            context.console.item(COLUMNS, &job)?;
            return Ok(Exit::Done);
        }
        let id = job.get("id").and_then(Value::as_str).unwrap_or_default();
        let replay: JobAddress = format!("{}/{id}", endpoint.account)
            .parse()
            .map_err(|reason| Failure::failed(format!("the server named the replay {id:?}: {reason}")))?;
        context.console.note(&format!("replay {replay} has started; it goes on when this command is interrupted"));
        wait_for(client, context, &replay).await
    }
}

async fn wait_for(client: &mut Client, context: &mut Context, replay: &JobAddress) -> Result<Exit, Failure> {
    let path = path(replay);
    let still = format!("nothing moves; hooklog endpoint list {} says why", replay.account);
    let watch = Watch { path: &path, words: in_words, when_still: Some(&still), ends_with_command: false };
    let job = watch.wait(client, context).await?;
    show(context, &job)?;
    verdict(&job)
}

/// Prints a replay, and what a dry run has found.
fn show(context: &mut Context, job: &Value) -> Result<(), Failure> {
    context.console.item(COLUMNS, job)?;
    let found: Vec<Value> = members(job, "/found").cloned().collect();
    if context.console.format() == Format::Table && !found.is_empty() {
        context.console.line("")?;
        context.console.items(FOUND, &found)?;
    }
    Ok(())
}

/// A replay is a yes when it came to its end and left nothing out.
fn verdict(job: &Value) -> Result<Exit, Failure> {
    match word(job, "/state") {
        "completed" => {
            let left_out = ["givenUp", "expired", "remaining"].map(|name| number(job, &format!("/counts/{name}")));
            Ok(Exit::answer(left_out.iter().sum::<u64>() == 0))
        }
        "cancelled" => Ok(Exit::No),
        _ => Err(failed("replay", job)),
    }
}

fn in_words(job: &Value) -> String {
    let delivered = show_count(number(job, "/counts/delivered"));
    let matched = show_count(number(job, "/counts/matched"));
    let is_dry_run = job.get("dryRun").and_then(Value::as_bool) == Some(true);
    let done = if is_dry_run { "would be sent" } else { "delivered" };
    format!("{} {delivered} of {matched} {done}", word(job, "/state"))
}

fn path(replay: &JobAddress) -> String {
    format!("/accounts/{}/replays/{}", replay.account, replay.job)
}

const COLUMNS: &[Column] = &[
    text("ID", "/id"),
    state("STATE", "/state"),
    text("ENDPOINT", "/endpoint"),
    share("PROGRESS", "/progress"),
    count("MATCHED", "/counts/matched"),
    count("DELIVERED", "/counts/delivered"),
    count("FILTERED", "/counts/filtered"),
    count("GIVEN UP", "/counts/givenUp"),
    count("EXPIRED", "/counts/expired"),
    count("REMAINING", "/counts/remaining"),
    count("BYTES", "/counts/bytes"),
    count("RATE/S", "/ratePerSecond"),
    text("TYPES", "/types"),
    text("AS OF", "/asOf"),
    state("DRY RUN", "/dryRun"),
    count("FROM", "/from/offset"),
    count("TO", "/to/offset"),
    time("CREATED", "/createdAt"),
    text("BY", "/createdBy"),
    text("PROBLEM", "/problem/title"),
];

const FOUND: &[Column] = &[
    text("TYPE", "/type"),
    count("EVENTS", "/events"),
    count("BYTES", "/bytes"),
    count("UNCHANGED", "/unchanged"),
    count("CHANGED", "/changed"),
    count("APPEARING", "/appearing"),
    count("DISAPPEARING", "/disappearing"),
    count("FAULTS", "/faults"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::verdict;

    #[test]
    fn a_replay_answers_yes_only_when_all_was_delivered() {
        let exit = |state: &str, given_up: u64| {
            let job = json!({"state": state, "counts": {"givenUp": given_up}, "problem": {"title": "disk"}});
            verdict(&job).map_or_else(|failure| failure.exit().code(), super::Exit::code)
        };
        assert_eq!(exit("completed", 0), 0);
        assert_eq!(exit("completed", 1), 3);
        assert_eq!(exit("cancelled", 0), 3);
        assert_eq!(exit("failed", 0), 1);
    }
}
