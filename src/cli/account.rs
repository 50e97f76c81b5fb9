//! `hooklog account`: the tenants whose events are kept and sent.

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value};

use super::activity;
use super::assignment::{Assignment, read_object};
use super::client::{Client, Request};
use super::column::{Column, count, state, text, time};
use super::connection::ConnectionArguments;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::Portion;
use super::writing::{Rehearsal, Written};
use crate::model::AccountName;

/// List, show and change accounts
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog account set acme                    create the account acme, or leave it as it is
  hooklog account set acme --label tier=gold
  hooklog account activity acme --since 1d    how busy it was, as a chart
  hooklog account list -o csv")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List accounts
    #[command(after_help = "Examples:\n  hooklog account list\n  hooklog account list --search acm --all -o ndjson")]
    List {
        /// Only accounts whose name has this text in it
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        #[command(flatten)]
        portion: Portion,
    },
    /// Show one account
    #[command(after_help = "Examples:\n  hooklog account get acme -o json")]
    Get {
        /// The account
        account: AccountName,
    },
    /// Draw how many events came and what became of them, step by step
    #[command(after_help = "Examples:
  hooklog account activity acme
  hooklog account activity acme --endpoint crm --since 7d --step 6h
  hooklog account activity acme --since 1d -o csv")]
    Activity(activity::Arguments),
    /// Create an account or change what is said, leaving the rest as it is
    #[command(after_help = "Examples:
  hooklog account set acme
  hooklog account set acme --disabled                 still recorded, nothing sent
  hooklog account set acme --label tier=gold --no-label trial --rate-per-second 500
  hooklog account set acme --from acme.json --replace whole, what is left out takes its default")]
    Set(Set),
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The account
    account: AccountName,
    /// Send its events to its endpoints
    #[arg(long, conflicts_with = "disabled")]
    enabled: bool,
    /// Keep its events and send nothing
    #[arg(long)]
    disabled: bool,
    /// Set a label (may be repeated)
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Assignment>,
    /// Remove a label (may be repeated)
    #[arg(long = "no-label", value_name = "NAME")]
    removed_labels: Vec<String>,
    /// The language of texts for its people
    #[arg(long, value_name = "en|fr")]
    language: Option<String>,
    /// The time zone of its people, such as Europe/Paris
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// How many events it may send a second
    #[arg(long, value_name = "N")]
    rate_per_second: Option<u64>,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

/// A setting that stands in a file, and how it meets what is there.
#[derive(Debug, clap::Args)]
pub(crate) struct Document {
    /// Begin with the JSON object in this file (- for stdin); flags win over it
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
    /// Replace the whole setting: what is left out takes its default, secrets excepted
    #[arg(long)]
    replace: bool,
    /// Refuse where it has changed since this revision
    #[arg(long, value_name = "REVISION")]
    if_match: Option<String>,
}

impl Document {
    /// Reads the object to begin with.
    pub(crate) fn read(&self) -> Result<Map<String, Value>, Failure> {
        self.from.as_deref().map_or_else(|| Ok(Map::new()), read_object)
    }

    /// Writes a setting: changed where it is there, created where it is not, replaced where that was said.
    pub(crate) async fn write(
        &self,
        client: &mut Client,
        context: &mut Context,
        setting: &Setting,
        rehearsal: Rehearsal,
    ) -> Result<Written, Failure> {
        let request = |method, body: &Map<String, Value>| {
            let body = Value::Object(body.clone());
            Request::new(method, &setting.path).body(body).if_match(self.if_match.as_deref())
        };
        let whole = setting.whole();
        if self.replace {
            return rehearsal.write(client, context, &request(Method::PUT, &whole)).await;
        }
        let changed = rehearsal.write(client, context, &request(Method::PATCH, &setting.members)).await;
        match changed {
            // Only the absence of the thing itself is mended by creating it.
            Err(Failure::Problem(problem)) if problem.status() == 404 && problem.code() == setting.absent => {
                rehearsal.write(client, context, &request(Method::PUT, &whole)).await
            }
            other => other,
        }
    }
}

/// A setting to be written.
pub(crate) struct Setting {
    /// Its path below `/api/v1`.
    pub(crate) path: String,
    /// Its members; null removes one.
    pub(crate) members: Map<String, Value>,
    /// The problem's code that says it is not there yet.
    pub(crate) absent: &'static str,
}

impl Setting {
    /// Returns the members without what only a change can say: that something be removed.
    fn whole(&self) -> Map<String, Value> {
        fn without_nulls(members: &Map<String, Value>) -> Map<String, Value> {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.map(|(name, value)| match value {
                Value::Object(inner) => (name.clone(), Value::Object(without_nulls(inner))),
                other => (name.clone(), other.clone()),
            });
            kept.collect()
        }
        without_nulls(&self.members)
    }
}

/// Writes labels or headers to set and to remove as a merge patch; nothing where nothing was said.
pub(crate) fn merge(set: &[Assignment], removed: &[String]) -> Option<Value> {
    merge_values(set.iter().map(|set| (set.name.clone(), Value::String(set.value.clone()))), removed)
}

/// Returns the same for values of any kind.
pub(crate) fn merge_values(set: impl Iterator<Item = (String, Value)>, removed: &[String]) -> Option<Value> {
    let members: Map<_, _> = removed.iter().map(|name| (name.clone(), Value::Null)).chain(set).collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// Returns what a pair of flags such as `--enabled` and `--disabled` says.
pub(crate) fn choice(yes: bool, no: bool) -> Option<bool> {
    (yes || no).then_some(yes)
}

impl Set {
    fn members(&self) -> Result<Map<String, Value>, Failure> {
        let mut members = self.document.read()?;
        let said = [
            ("enabled", choice(self.enabled, self.disabled).map(Value::from)),
            ("labels", merge(&self.labels, &self.removed_labels)),
            ("language", self.language.clone().map(Value::from)),
            ("timeZone", self.time_zone.clone().map(Value::from)),
            ("ratePerSecond", self.rate_per_second.map(Value::from)),
        ];
        members.extend(said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok(members)
    }
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::List { search, portion } => {
                let request = Request::get("/accounts").query_where("q", search);
                client.print(context, &request, &portion, COLUMNS).await?;
                Ok(Exit::Done)
            }
            Verb::Get { account } => {
                let found = client.send(&Request::get(format!("/accounts/{account}"))).await?;
                context.console.item(COLUMNS, &found)?;
                Ok(Exit::Done)
            }
            Verb::Activity(arguments) => {
                arguments.print(&mut client, context).await?;
                Ok(Exit::Done)
            }
            Verb::Set(set) => {
                let path = format!("/accounts/{}", set.account);
                let setting = Setting { path, members: set.members()?, absent: "account_not_found" };
                let written = set.document.write(&mut client, context, &setting, set.rehearsal).await?;
                written.then(|account| {
                    context.console.item(COLUMNS, &account)?;
                    Ok(Exit::Done)
                })
            }
        }
    }
}

const COLUMNS: &[Column] = &[
    text("NAME", "/name"),
    state("ENABLED", "/enabled"),
    text("LABELS", "/labels"),
    count("RATE/S", "/ratePerSecond"),
    text("LANGUAGE", "/language"),
    text("TIME ZONE", "/timeZone"),
    time("UPDATED", "/updatedAt"),
    text("BY", "/updatedBy"),
    text("REVISION", "/revision"),
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Setting, merge};

    #[test]
    fn what_is_created_has_nothing_to_remove() {
        let Value::Object(members) = json!({"enabled": true, "labels": {"a": "1", "b": null}, "auth": null}) else {
            unreachable!()
        };
        let setting = Setting { path: String::new(), members, absent: "" };
        assert_eq!(Value::Object(setting.whole()), json!({"enabled": true, "labels": {"a": "1"}}));
    }

    #[test]
    fn labels_are_merged_and_setting_wins_over_removing() {
        let set = |text: &str| vec![text.parse().unwrap()];
        assert_eq!(merge(&[], &[]), None);
        assert_eq!(merge(&set("a=1"), &["b".to_owned()]), Some(json!({"a": "1", "b": null})));
        assert_eq!(merge(&set("a=1"), &["a".to_owned()]), Some(json!({"a": "1"})));
    }
}
