//! `hooklog endpoint`: where an account's events are sent to, and how that goes.
//!
//! Not the settings themselves (see `setting`) nor their secrets (see `secret`).

mod secret;
mod seek;
mod setting;

use clap::Subcommand;
use http::Method;
use serde_json::{Map, Value, json};

use self::setting::{Set, Settings};
use super::address::{AccountOrEndpoint, EndpointAddress};
use super::client::{Client, Request};
use super::column::{Column, count, ms, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::Portion;
use super::writing::{Agreement, Rehearsal};
use crate::model::{AccountName, EventType};

/// List, change, test, pause and resume endpoints
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog endpoint set acme/crm https://crm.example.com/hooks
  hooklog endpoint test acme/crm
  hooklog endpoint status acme/crm
  hooklog endpoint secret acme/crm --bare")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

/// Where an endpoint goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ResumeFrom {
    /// Where it stopped: everything that waits is sent, in order
    Cursor,
    /// With what comes in from now on: what waits is skipped
    Now,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the endpoints of an account, or of all accounts with their states
    #[command(after_help = "Examples:
  hooklog endpoint list acme
  hooklog endpoint list --state backing_off --sort lag     of all accounts, for operators")]
    List {
        /// The account; without it, all endpoints
        account: Option<AccountName>,
        /// Of all endpoints, only those in this state
        #[arg(long, conflicts_with = "account")]
        state: Option<String>,
        /// Of all endpoints, those with the most of this first
        #[arg(long, value_name = "lag", conflicts_with = "account")]
        sort: Option<String>,
        #[command(flatten)]
        portion: Portion,
    },
    /// Show the settings of one endpoint
    #[command(after_help = "Examples:\n  hooklog endpoint get acme/crm -o json")]
    Get {
        /// The endpoint
        endpoint: EndpointAddress,
    },
    Set(Set),
    /// Delete an endpoint; what waits for it is not sent any more
    #[command(after_help = "Examples:\n  hooklog endpoint delete acme/crm\n  hooklog endpoint delete acme/crm --yes")]
    Delete {
        /// The endpoint
        endpoint: EndpointAddress,
        #[command(flatten)]
        agreement: Agreement,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Send a test the true way, and say stage by stage what happened; exit code 3 where it failed
    #[command(after_help = "Examples:
  hooklog endpoint test acme/crm
  hooklog endpoint test acme/crm --auth bearer:@new-token    as if this were saved
  hooklog endpoint test acme https://crm.example.com/hooks")]
    Test {
        /// The endpoint; or the account, with settings that are not saved
        #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
        address: AccountOrEndpoint,
        /// Send an example of this type instead of webhook.test
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<EventType>,
        #[command(flatten)]
        settings: Settings,
    },
    /// List the tests that were made of an endpoint, the newest first
    #[command(after_help = "Examples:\n  hooklog endpoint tests acme/crm")]
    Tests {
        /// The endpoint
        endpoint: EndpointAddress,
        #[command(flatten)]
        portion: Portion,
    },
    /// Show how an endpoint is doing: its state, what waits, its ledger
    #[command(
        after_help = "Examples:\n  hooklog endpoint status acme/crm\n  hooklog endpoint status acme/crm -o json | jq .ledger"
    )]
    Status {
        /// The endpoint
        endpoint: EndpointAddress,
    },
    /// Stop sending; events wait, nothing is lost
    #[command(after_help = "Examples:\n  hooklog endpoint pause acme/crm")]
    Pause {
        /// The endpoint
        endpoint: EndpointAddress,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Go on sending where it stopped, or with what comes in from now on
    #[command(after_help = "Examples:
  hooklog endpoint resume acme/crm
  hooklog endpoint resume acme/crm --from now      skip what waits")]
    Resume {
        /// The endpoint
        endpoint: EndpointAddress,
        /// Where to go on; must be said where something has waited for more than an hour
        #[arg(long, value_enum)]
        from: Option<ResumeFrom>,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    Seek(seek::Seek),
    /// Send one request at once to an endpoint in trouble, instead of waiting for its next probe
    #[command(after_help = "Examples:\n  hooklog endpoint retry acme/crm")]
    Retry {
        /// The endpoint
        endpoint: EndpointAddress,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    Secret(secret::Show),
    Rotate(secret::Rotate),
}

impl Arguments {
    pub(crate) async fn run(self: Box<Self>, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::List { account: Some(account), portion, .. } => {
                let request = Request::get(format!("/accounts/{account}/endpoints"));
                client.print(context, &request, &portion, SETTINGS).await?;
                Ok(Exit::Done)
            }
            Verb::List { account: None, state, sort, portion } => {
                let request = Request::get("/endpoints").query_where("state", state).query_where("sort", sort);
                client.print(context, &request, &portion, STATES).await?;
                Ok(Exit::Done)
            }
            Verb::Get { endpoint } => {
                let found = client.send(&Request::get(endpoint.path())).await?;
                context.console.item(WHOLE, &found)?;
                Ok(Exit::Done)
            }
            Verb::Set(set) => set.run(&mut client, context).await,
            Verb::Delete { endpoint, agreement, rehearsal } => {
                if !rehearsal.dry_run {
                    let what = format!("This deletes the endpoint {endpoint}; what waits for it is not sent");
                    context.console.confirm(&what, agreement.yes)?;
                }
                let request = Request::new(Method::DELETE, endpoint.path());
                change(&mut client, context, rehearsal, request, &format!("{endpoint} is deleted")).await
            }
            Verb::Test { address, kind, settings } => test(&mut client, context, &address, kind, &settings).await,
            Verb::Tests { endpoint, portion } => {
                let request = Request::get(format!("{}/tests", endpoint.path()));
                client.print(context, &request, &portion, TESTS).await?;
                Ok(Exit::Done)
            }
            Verb::Status { endpoint } => {
                let found = client.send(&Request::get(format!("{}/status", endpoint.path()))).await?;
                context.console.item(STATUS, &found)?;
                Ok(Exit::Done)
            }
            Verb::Pause { endpoint, rehearsal } => {
                let request = Request::post(format!("{}/pause", endpoint.path()), json!({}));
                change(&mut client, context, rehearsal, request, &format!("{endpoint} is paused")).await
            }
            Verb::Resume { endpoint, from, rehearsal } => {
                let (body, told) = match from {
                    None => (json!({}), "goes on where it stopped"),
                    Some(ResumeFrom::Cursor) => (json!({"from": "cursor"}), "goes on where it stopped"),
                    Some(ResumeFrom::Now) => (json!({"from": "now"}), "goes on with what comes in from now on"),
                };
                let request = Request::post(format!("{}/resume", endpoint.path()), body);
                change(&mut client, context, rehearsal, request, &format!("{endpoint} {told}")).await
            }
            Verb::Seek(seek) => seek.run(&mut client, context).await,
            Verb::Retry { endpoint, rehearsal } => {
                let request = Request::post(format!("{}/retry", endpoint.path()), json!({}));
                change(&mut client, context, rehearsal, request, &format!("{endpoint} is tried at once")).await
            }
            Verb::Secret(show) => show.run(&mut client, context).await,
            Verb::Rotate(rotate) => rotate.run(&mut client, context).await,
        }
    }
}

/// Makes a change whose answer says no more than that it was made.
async fn change(
    client: &mut Client,
    context: &mut Context,
    rehearsal: Rehearsal,
    request: Request,
    told: &str,
) -> Result<Exit, Failure> {
    rehearsal.write(client, context, &request).await?.then(|answer| {
        if context.console.format() != Format::Table && !answer.is_null() {
            context.console.item(STATUS, &answer)?;
        }
        // Whoever asked it to go on is told where it does not.
        match (answer.get("state").and_then(Value::as_str), told) {
            (Some("disabled"), _) => context.console.warn("it is switched off: hooklog endpoint set … --enabled"),
            (Some("paused"), told) if !told.ends_with("is paused") => {
                context.console.warn("it is paused: hooklog endpoint resume …");
            }
            (_, told) => context.console.note(told),
        }
        Ok(Exit::Done)
    })
}

async fn test(
    client: &mut Client,
    context: &mut Context,
    address: &AccountOrEndpoint,
    kind: Option<EventType>,
    settings: &Settings,
) -> Result<Exit, Failure> {
    let unsaved = settings.members()?;
    let path = match &address.endpoint {
        Some(endpoint) => format!("/accounts/{}/endpoints/{endpoint}/test", address.account),
        None if unsaved.contains_key("url") => format!("/accounts/{}/endpoints/test", address.account),
        None => return Err(Failure::usage("name an endpoint such as acme/crm, or an account and the URL to try")),
    };
    let mut body = Map::new();
    if !unsaved.is_empty() {
        body.insert("endpoint".to_owned(), Value::Object(unsaved));
    }
    body.extend(kind.map(|kind| ("type".to_owned(), json!(kind))));
    let result = client.send(&Request::post(path, Value::Object(body))).await?;
    context.console.item(TEST, &result)?;
    let stages = result.get("stages").and_then(Value::as_array).filter(|stages| !stages.is_empty());
    if let (Format::Table, Some(stages)) = (context.console.format(), stages) {
        context.console.line("")?;
        context.console.items(STAGES, stages)?;
    }
    Ok(Exit::answer(result.get("ok").and_then(Value::as_bool).unwrap_or(false)))
}

const SETTINGS: &[Column] = &[
    text("NAME", "/name"),
    text("URL", "/url"),
    state("ENABLED", "/enabled"),
    text("AUTH", "/auth/type"),
    text("SIGNING", "/signing"),
    text("ORDER", "/order"),
    text("FORMAT", "/format"),
    count("IN FLIGHT", "/maxInFlight"),
    count("RATE/S", "/ratePerSecond"),
    ms("TIMEOUT", "/timeoutMs"),
    time("UPDATED", "/updatedAt"),
    text("BY", "/updatedBy"),
    text("REVISION", "/revision"),
];
/// All that is set of one endpoint; what is not set is left out for people.
const WHOLE: &[Column] = &[
    text("NAME", "/name"),
    text("URL", "/url"),
    state("ENABLED", "/enabled"),
    text("AUTH", "/auth/type"),
    text("USER", "/auth/username"),
    text("HEADER", "/auth/name"),
    text("HEADERS", "/headers"),
    text("SIGNING", "/signing"),
    text("ORDER", "/order"),
    text("FORMAT", "/format"),
    text("TYPES", "/types"),
    text("OWN RIGHTS", "/rights"),
    count("IN FLIGHT", "/maxInFlight"),
    count("RATE/S", "/ratePerSecond"),
    ms("TIMEOUT", "/timeoutMs"),
    ms("MAX AGE", "/maxAgeMs"),
    text("MAX AGE OF", "/maxAgeByType"),
    text("ON FAULT", "/onFilterError"),
    time("UPDATED", "/updatedAt"),
    text("BY", "/updatedBy"),
    text("REVISION", "/revision"),
];
const STATES: &[Column] = &[
    text("ACCOUNT", "/account"),
    text("ENDPOINT", "/endpoint"),
    state("STATE", "/state"),
    time("SINCE", "/since"),
    count("WAITING", "/lag/events"),
    ms("LAG", "/lag/ms"),
    text("PROBLEM", "/problem/title"),
];
const STATUS: &[Column] = &[
    state("STATE", "/state"),
    time("SINCE", "/since"),
    text("PROBLEM", "/problem/title"),
    text("DETAIL", "/problem/detail"),
    time("LAST SUCCESS", "/lastSuccessAt"),
    time("LAST FAILURE", "/lastFailure/at"),
    text("LAST ERROR", "/lastFailure/error"),
    text("LAST STATUS", "/lastFailure/status"),
    time("NEXT ATTEMPT", "/nextAttemptAt"),
    count("CURSOR", "/cursor"),
    count("WAITING", "/lag/events"),
    ms("LAG", "/lag/ms"),
    time("OLDEST WAITING", "/lag/oldestAt"),
    count("IN FLIGHT", "/inFlight"),
    count("HELD", "/held"),
    count("PARKED", "/parked"),
    count("ACCEPTED", "/ledger/accepted"),
    count("= DELIVERED", "/ledger/delivered"),
    count("+ FILTERED", "/ledger/filtered"),
    count("+ WAITING", "/ledger/waiting"),
    count("+ GIVEN UP", "/ledger/givenUp"),
    count("+ EXPIRED", "/ledger/expired"),
    count("+ SKIPPED", "/ledger/skipped"),
];
const TESTS: &[Column] = &[
    count("NUMBER", "/number"),
    time("AT", "/at"),
    state("OK", "/ok"),
    text("STATUS", "/status"),
    ms("TOOK", "/durationMs"),
    text("ERROR", "/error"),
    text("DETAIL", "/detail"),
];
const TEST: &[Column] =
    &[state("OK", "/ok"), text("STATUS", "/status"), ms("TOOK", "/durationMs"), text("ANSWER", "/answer")];
const STAGES: &[Column] = &[
    text("STAGE", "/name"),
    state("OK", "/ok"),
    ms("TOOK", "/ms"),
    text("CODE", "/code"),
    text("WHAT", "/title"),
    text("DETAIL", "/detail"),
];
