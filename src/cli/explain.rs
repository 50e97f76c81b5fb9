//! `hooklog event explain`: which endpoint got an event, which did not, and why; for one event, or counted for many.
//!
//! Not a judgement of its own: the server knows. Here its answer is laid out for people, one line an endpoint.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::address::EventAddress;
use super::client::{Client, Request};
use super::column::{Column, count, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::job::members;
use super::range::Range;
use crate::model::AccountName;

/// Say what became of an event at every endpoint and why, or of all events of a stretch
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// One event, ACCOUNT/ID or ACCOUNT/@OFFSET; or an account, to search
    #[arg(value_name = "ACCOUNT[/EVENT]")]
    target: Target,
    /// Of an account, only events of this type; call.* for all of a family
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Of an account, only events of this key, such as an interaction's id
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// What is to be explained.
#[derive(Debug, Clone)]
enum Target {
    Event(EventAddress),
    Account(AccountName),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return text.parse().map(Self::Event);
        }
        AccountName::parse(text).map(Self::Account).map_err(|refusal| refusal.to_string())
    }
}

impl Explain {
    pub(super) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let stretch = self.range.query(context.now());
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        let is_narrowed = self.kind.is_some() || self.key.is_some() || !stretch.is_empty();
        match self.target {
            Target::Event(_) if is_narrowed => Err(Failure::usage(
                "--type, --key, --from, --to and --since search an account: leave them out, or the event",
            )),
            Target::Event(event) => {
                let path = format!("/accounts/{}/events/{}/explain", event.account, event.event);
                let found = client.send(&Request::get(path)).await?;
                print_one(context, &found)?;
                Ok(Exit::Done)
            }
            Target::Account(account) => {
                let request = Request::get(format!("/accounts/{account}/explain"))
                    .query_where("type", self.kind)
                    .query_where("key", self.key)
                    .query(stretch);
                let found = client.send(&request).await?;
                print_search(context, &found)?;
                Ok(Exit::Done)
            }
        }
    }
}

fn print_one(context: &mut Context, found: &Value) -> Result<(), Failure> {
    if context.console.format() != Format::Table {
        context.console.item(EVENT, found)?;
        return Ok(());
    }
    context.console.item(EVENT, found)?;
    let endpoints: Vec<Value> = members(found, "/endpoints").map(with_fields).collect();
    if endpoints.is_empty() {
        context.console.note("the account has no endpoint: nobody was to get it");
        return Ok(());
    }
    context.console.line("")?;
    context.console.items(ENDPOINTS, &endpoints)?;
    Ok(())
}

fn print_search(context: &mut Context, found: &Value) -> Result<(), Failure> {
    if context.console.format() != Format::Table {
        context.console.item(COUNTS, found)?;
        return Ok(());
    }
    if let Some(detail) = found.pointer("/nothing/detail").and_then(Value::as_str) {
        context.console.line(detail)?;
        return Ok(());
    }
    let counts: Vec<Value> = members(found, "/counts").cloned().collect();
    context.console.items(COUNTS, &counts)?;
    context.console.line("")?;
    let rows: Vec<Value> = members(found, "/items").flat_map(rows_of).collect();
    context.console.items(ROWS, &rows)?;
    context.console.flush()?;
    let (events, told) =
        (found.get("events").and_then(Value::as_u64).unwrap_or_default(), members(found, "/items").count());
    if events > u64::try_from(told).unwrap_or(u64::MAX) {
        context.console.note(&format!("the first {told} of {events} events are told one by one"));
    }
    if let Some(next) = found.get("nextOffset").and_then(Value::as_u64) {
        context.console.note(&format!("there is more: go on with --from {next}"));
    }
    Ok(())
}

/// Adds to an endpoint what its rights did, in words.
fn with_fields(endpoint: &Value) -> Value {
    let word = |field: &Value, name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut done: Vec<String> = members(endpoint, "/fields")
        .map(|field| format!("{} {}", word(field, "treatment"), word(field, "path")))
        .collect();
    match endpoint.get("unknownFields").and_then(Value::as_u64) {
        Some(0) | None => {}
        Some(unknown) => done.push(format!("{unknown} that the catalogue does not know")),
    }
    let mut endpoint = endpoint.clone();
    if let Some(members) = endpoint.as_object_mut().filter(|_| !done.is_empty()) {
        members.insert("done".to_owned(), Value::from(done.join(", ")));
    }
    endpoint
}

/// Makes a line of each endpoint of an event.
fn rows_of(event: &Value) -> Vec<Value> {
    let head: Map<String, Value> = event
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "endpoints")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let with_head = |endpoint: &Value| {
        let own = endpoint.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
        Value::Object(head.clone().into_iter().chain(own).collect())
    };
    members(event, "/endpoints").map(with_head).collect()
}

const EVENT: &[Column] = &[
    count("OFFSET", "/offset"),
    text("ID", "/id"),
    text("TYPE", "/type"),
    time("OCCURRED", "/occurredAt"),
    time("RECORDED", "/recordedAt"),
];
const ENDPOINTS: &[Column] = &[
    text("ENDPOINT", "/endpoint"),
    state("OUTCOME", "/outcome"),
    text("WHY", "/reason/detail"),
    text("BY RIGHTS", "/done"),
];
const COUNTS: &[Column] =
    &[text("ENDPOINT", "/endpoint"), state("OUTCOME", "/outcome"), text("WHY", "/code"), count("EVENTS", "/events")];
const ROWS: &[Column] = &[
    count("OFFSET", "/offset"),
    time("RECORDED", "/recordedAt"),
    text("TYPE", "/type"),
    text("ENDPOINT", "/endpoint"),
    state("OUTCOME", "/outcome"),
    text("WHY", "/reason/detail"),
];
