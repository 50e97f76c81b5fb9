//! `hooklog dead-letter`: what was given up, delivered after all or discarded.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::address::AccountOrEndpoint;
use super::client::{Client, Request};
use super::column::{Column, count, share, show_count, state, text, time};
use super::connection::ConnectionArguments;
use super::context::Context;
use super::delivery;
use super::exit::{Exit, Failure};
use super::job::{Watch, failed, number, word};
use super::range::{Portion, Range};
use super::writing::Agreement;

/// See what was given up, and have it redelivered or discarded
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog dead-letter list acme/crm
  hooklog dead-letter redeliver acme/crm --since 2h --wait
  hooklog dead-letter discard acme/crm --type 'queue.*' --yes")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List dead letters, the oldest first: it is the next to be gone
    #[command(after_help = "Examples:
  hooklog dead-letter list acme
  hooklog dead-letter list acme/crm --type 'call.*' --error http_status -o csv")]
    List {
        /// The account, or one of its endpoints
        #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
        address: AccountOrEndpoint,
        /// Only events of this type; call.* for all of a family
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Only those whose last attempt failed with this, such as timeout or http_status
        #[arg(long)]
        error: Option<String>,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        portion: Portion,
    },
    /// Have dead letters delivered after all, all or some; one alone: hooklog delivery redeliver
    #[command(after_help = "Examples:
  hooklog dead-letter redeliver acme/crm
  hooklog dead-letter redeliver acme/crm --type call.ended --since 1d --wait
  hooklog dead-letter redeliver acme --dry-run --wait     only count them")]
    Redeliver {
        #[command(flatten)]
        which: Which,
    },
    /// Give dead letters up for good, all or some; one alone: hooklog delivery discard
    #[command(after_help = "Examples:
  hooklog dead-letter discard acme/crm --until 7d --yes
  hooklog dead-letter discard acme --type 'queue.*' --dry-run")]
    Discard {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        agreement: Agreement,
    },
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
struct Which {
    /// The account, or one of its endpoints
    #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
    address: AccountOrEndpoint,
    /// Only events of these types; call.* for all of a family; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Only those whose last attempt failed with this, such as timeout or http_status
    #[arg(long)]
    error: Option<String>,
    #[command(flatten)]
    range: Range,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
    /// Wait until it has ended, with a progress bar on a terminal
    #[arg(long)]
    wait: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::List { address, kind, error, range, portion } => {
                let request = Request::get(format!("/accounts/{}/dead-letters", address.account))
                    .query_where("endpoint", address.endpoint)
                    .query_where("type", kind)
                    .query_where("error", error)
                    .query(range.query(context.now()));
                client.print(context, &request, &portion, delivery::COLUMNS).await?;
                Ok(Exit::Done)
            }
            Verb::Redeliver { which } => which.clear(&mut client, context, "redeliver").await,
            Verb::Discard { which, agreement } => {
                if !which.dry_run {
                    let what = format!("discard the dead letters of {}", which.address);
                    context.console.confirm(&what, agreement.yes)?;
                }
                which.clear(&mut client, context, "discard").await
            }
        }
    }
}

impl Which {
    async fn clear(self, client: &mut Client, context: &mut Context, verb: &str) -> Result<Exit, Failure> {
        let jobs = format!("/accounts/{}/dead-letters", self.address.account);
        let said = [
            ("endpoint", self.address.endpoint.as_ref().map(|endpoint| json!(endpoint))),
            ("types", (!self.kinds.is_empty()).then(|| json!(self.kinds))),
            ("error", self.error.as_ref().map(|error| json!(error))),
            ("from", self.range.first(context.now()).map(|first| first.body())),
            ("to", self.range.end().map(|end| end.body())),
            ("dryRun", self.dry_run.then_some(Value::Bool(true))),
        ];
        let said = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let job = client.send(&Request::post(format!("{jobs}/{verb}"), Value::Object(Map::from_iter(said)))).await?;
        // To count them is asked for the answer.
        if !self.wait && !self.dry_run {
            context.console.item(COLUMNS, &job)?;
            return Ok(Exit::Done);
        }
        let path = format!("{jobs}/jobs/{}", word(&job, "/id"));
        let watch = Watch { path: &path, words: in_words, when_still: None, ends_with_command: false };
        let job = watch.wait(client, context).await?;
        context.console.item(COLUMNS, &job)?;
        match word(&job, "/state") {
            "completed" => Ok(Exit::Done),
            "cancelled" => Ok(Exit::No),
            _ => Err(failed(word(&job, "/kind"), &job)),
        }
    }
}

fn in_words(job: &Value) -> String {
    let (done, matched) = (number(job, "/counts/done"), number(job, "/counts/matched"));
    format!("{} of {}", show_count(done), show_count(matched))
}

const COLUMNS: &[Column] = &[
    text("ID", "/id"),
    text("KIND", "/kind"),
    state("STATE", "/state"),
    share("PROGRESS", "/progress"),
    count("MATCHED", "/counts/matched"),
    count("DONE", "/counts/done"),
    count("PASSED OVER", "/counts/passedOver"),
    time("CREATED", "/createdAt"),
    text("BY", "/createdBy"),
    text("PROBLEM", "/problem/title"),
];
