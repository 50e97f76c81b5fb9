//! `hooklog rights`: which types of events and which of their fields an account receives, and how.

mod changes;
mod trial;

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use self::changes::Changes;
use self::trial::{BacktestArguments, PreviewArguments};
use super::account::{Document, Setting};
use super::client::{Client, Request};
use super::column::{Column, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::Portion;
use super::writing::Rehearsal;
use crate::model::{AccountName, EndpointName};

/// Say which types and fields an account receives, and how
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog rights get acme
  hooklog rights set acme --field customer.number=mask --type queue.snapshot=off
  hooklog rights effective acme             what comes of it, for every type and field
  hooklog rights backtest acme --field customer.number=keep --since 7d     what would change

Treatments of a field: keep, mask, pseudonymize, remove. A change holds from the moment it is
answered, also for what already waits.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show an account's rights as they were saved
    #[command(after_help = "Examples:\n  hooklog rights get acme -o json")]
    Get {
        /// The account
        account: AccountName,
    },
    /// Change an account's rights, leaving the rest as it is
    #[command(after_help = "Examples:
  hooklog rights set acme --type 'call.*=on' --type call.queued=off
  hooklog rights set acme --field customer=remove --field call.ended/customer.email=pseudonymize
  hooklog rights set acme --default none --no-field agent.login
  hooklog rights set acme --decide-anew      on the present catalogue: what is pending is decided
  hooklog rights set acme --from rights.json --replace")]
    Set(Box<Set>),
    /// Show what an account receives: rights, ceiling and an endpoint's own, merged
    #[command(after_help = "Examples:
  hooklog rights effective acme
  hooklog rights effective acme --endpoint crm -o csv")]
    Effective {
        /// The account
        account: AccountName,
        /// The endpoint whose own rights are merged in
        #[arg(long)]
        endpoint: Option<EndpointName>,
    },
    /// Show what rights, saved or only tried, leave of an event
    #[command(after_help = "Examples:
  hooklog rights preview acme --offset 41                          by the rights that hold
  hooklog rights preview acme --offset 41 --field customer.number=keep
  hooklog rights preview acme --event event.json --rights candidate.json

Nothing is saved. Without the permission `raw` of a real event only the kinds of withheld values are shown.")]
    Preview(Box<PreviewArguments>),
    /// Try rights over the past: what would appear, disappear and change; exit code 3 with --fail-on
    #[command(after_help = "Examples:
  hooklog rights backtest acme --type 'email.*=on' --since 7d
  hooklog rights backtest acme --field customer.number=mask --fail-on appear
  hooklog rights backtest acme --rights candidate.json --from 1 --limit 1000000 -o json

Nothing is saved and nothing is sent. Ctrl-C ends it and shows what it has found by then.")]
    Backtest(Box<BacktestArguments>),
    /// Show what a newer catalogue would change
    #[command(after_help = "Examples:
  hooklog rights pending acme

Nothing of it happens until the rights are saved on the newer catalogue: `rights set --decide-anew`.")]
    Pending {
        /// The account
        account: AccountName,
    },
    /// List an account's rights as they once were
    #[command(after_help = "Examples:\n  hooklog rights history acme")]
    History {
        /// The account
        account: AccountName,
        #[command(flatten)]
        portion: Portion,
    },
    /// Save earlier rights again
    #[command(
        after_help = "Examples:\n  hooklog rights restore acme r4k7q2m9xw3zta    `rights history` lists revisions"
    )]
    Restore {
        /// The account
        account: AccountName,
        /// A revision of its rights
        revision: String,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
}

#[derive(Debug, clap::Args)]
struct Set {
    /// The account
    account: AccountName,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    document: Document,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::Get { account } => {
                let found = client.send(&Request::get(path(&account, ""))).await?;
                show(context, &found)
            }
            Verb::Set(set) => {
                let members = set.changes.members(set.document.read()?)?;
                let setting = Setting { path: path(&set.account, ""), members, absent: "account_not_found" };
                let written = set.document.write(&mut client, context, &setting, set.rehearsal).await?;
                written.then(|rights| show(context, &rights))
            }
            Verb::Effective { account, endpoint } => {
                let request = Request::get(path(&account, "/effective"));
                let request = request.query_where("endpoint", endpoint.map(|name| name.to_string()));
                let found = client.send(&request).await?;
                match context.console.format() {
                    Format::Json => context.console.item(EFFECTIVE, &found)?,
                    Format::Table | Format::Ndjson | Format::Csv => context.console.items(EFFECTIVE, &rows(&found))?,
                }
                Ok(Exit::Done)
            }
            Verb::Preview(preview) => preview.run(&mut client, context).await,
            Verb::Backtest(backtest) => backtest.run(&mut client, context).await,
            Verb::Pending { account } => {
                let found = client.send(&Request::get(path(&account, "/pending"))).await?;
                let items = found.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
                match context.console.format() {
                    Format::Json => context.console.item(PENDING, &found)?,
                    Format::Table | Format::Ndjson | Format::Csv => context.console.items(PENDING, &items)?,
                }
                Ok(Exit::Done)
            }
            Verb::History { account, portion } => {
                client.print(context, &Request::get(path(&account, "/history")), &portion, HISTORY).await?;
                Ok(Exit::Done)
            }
            Verb::Restore { account, revision, rehearsal } => {
                let request = Request::new(Method::POST, path(&account, "/restore"));
                let request = request.body(json!({ "revision": revision }));
                let written = rehearsal.write(&mut client, context, &request).await?;
                written.then(|rights| show(context, &rights))
            }
        }
    }
}

/// Shows rights, and says what in them has no effect.
fn show(context: &mut Context, rights: &Value) -> Result<Exit, Failure> {
    context.console.item(RIGHTS, rights)?;
    for warning in rights.pointer("/warnings").and_then(Value::as_array).into_iter().flatten() {
        let member = |name: &str| warning.get(name).and_then(Value::as_str).unwrap_or_default();
        context.console.warn(&format!("{}: {}", member("pointer"), member("detail")));
    }
    Ok(Exit::Done)
}

/// Writes what is effective as a list: types, then fields, then what single types treat otherwise.
fn rows(effective: &Value) -> Vec<Value> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let part = |name: &str| effective.get(name).map(members).unwrap_or_default();
    let sent = |is_sent: &Value| if is_sent == &Value::Bool(true) { "sent" } else { "withheld" };
    let types = part("types")
        .into_iter()
        .map(|(name, is_sent)| json!({ "kind": "type", "name": name, "treatment": sent(&is_sent) }));
    let fields = part("fields")
        .into_iter()
        .map(|(name, treatment)| json!({ "kind": "field", "name": name, "treatment": treatment }));
    let by_type = part("byType").into_iter().flat_map(|(event_type, fields)| {
        members(&fields).into_iter().map(move |(name, treatment)| {
            json!({ "kind": "field", "name": format!("{event_type}/{name}"), "treatment": treatment })
        })
    });
    let unknown = part("unknown");
    let others = [
        json!({ "kind": "type", "name": "(unknown)", "treatment": unknown.get("types").map(sent) }),
        json!({ "kind": "field", "name": "(unknown)", "treatment": unknown.get("fields") }),
    ];
    types.chain(fields).chain(by_type).chain(others).collect()
}

fn path(account: &AccountName, below: &str) -> String {
    format!("/accounts/{account}/rights{below}")
}

const RIGHTS: &[Column] = &[
    text("DEFAULT TYPES", "/default/types"),
    text("DEFAULT FIELDS", "/default/fields"),
    text("TYPES", "/types"),
    text("FIELDS", "/fields"),
    text("CATALOG", "/catalog"),
    time("UPDATED", "/updatedAt"),
    text("BY", "/updatedBy"),
    text("REVISION", "/revision"),
];
const EFFECTIVE: &[Column] = &[text("KIND", "/kind"), text("NAME", "/name"), state("TREATMENT", "/treatment")];
const PENDING: &[Column] = &[
    text("KIND", "/kind"),
    text("NAME", "/name"),
    text("CHANGE", "/change"),
    text("NOW", "/now"),
    text("AFTER", "/after"),
];
const HISTORY: &[Column] = &[
    text("REVISION", "/revision"),
    time("SAVED", "/updatedAt"),
    text("BY", "/updatedBy"),
    text("CHANGED", "/changed"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rows;

    #[test]
    fn what_is_effective_is_listed_types_first_and_the_unknown_last() {
        let effective = json!({
            "types": { "call.ended": true, "queue.snapshot": false }, "fields": { "ip": "remove" },
            "byType": { "call.ended": { "ip": "mask" } }, "unknown": { "types": false, "fields": "remove" },
        });
        let listed: Vec<String> = rows(&effective)
            .iter()
            .map(|row| format!("{} {}", row["name"].as_str().unwrap(), row["treatment"].as_str().unwrap()))
            .collect();
        let expected = [
            "call.ended sent",
            "queue.snapshot withheld",
            "ip remove",
            "call.ended/ip mask",
            "(unknown) withheld",
            "(unknown) remove",
        ];
        assert_eq!(listed, expected);
    }
}
