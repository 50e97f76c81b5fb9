//! `hooklog delivery`: what became of an event at an endpoint.

use clap::Subcommand;
use serde_json::{Value, json};

use super::address::{AccountOrEndpoint, DeliveryAddress};
use super::client::{Client, Request};
use super::column::{Column, count, ms, state, text, time};
use super::connection::ConnectionArguments;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::range::{Direction, Portion, Range};
use super::writing::{Agreement, Rehearsal};

/// List deliveries, look at one, have it redelivered or discarded
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog delivery list acme/crm --outcome dead_letter
  hooklog delivery get acme/crm/41
  hooklog delivery redeliver acme/crm/41")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List deliveries, the newest first
    #[command(after_help = "Examples:
  hooklog delivery list acme --since 2h
  hooklog delivery list acme/crm --outcome delivered --from 41 --to 80
  hooklog delivery list acme/crm --from-sequence 5 --to-sequence 8     what became of numbers 5 to 7
  hooklog delivery list acme/crm --error timeout -o csv")]
    List {
        /// The account, or one of its endpoints
        #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
        address: AccountOrEndpoint,
        /// Only deliveries with this outcome, such as delivered, filtered, waiting, held, parked, dead_letter, expired
        #[arg(long)]
        outcome: Option<String>,
        /// Only deliveries whose last attempt failed with this, such as timeout or http_status
        #[arg(long)]
        error: Option<String>,
        /// Which end comes first
        #[arg(long, value_enum)]
        direction: Option<Direction>,
        /// From this sequence number on (included); needs an endpoint
        #[arg(long, value_name = "N")]
        from_sequence: Option<u64>,
        /// Up to this sequence number (not included); needs an endpoint
        #[arg(long, value_name = "N")]
        to_sequence: Option<u64>,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        portion: Portion,
    },
    /// Show one delivery with its attempts
    #[command(after_help = "Examples:
  hooklog delivery get acme/crm/41 -o json
  hooklog delivery get acme/crm/41 --bodies     what exactly was sent, proven by its hash")]
    Get {
        /// The delivery: ACCOUNT/ENDPOINT/OFFSET
        delivery: DeliveryAddress,
        /// Show every body as it was sent; needs the permission `payloads`
        #[arg(long)]
        bodies: bool,
    },
    /// Have an event delivered after all that was given up, or at once where it waits for its next try
    #[command(after_help = "Examples:
  hooklog delivery redeliver acme/crm/41
  hooklog replay start acme/crm --from 41 --to 42     where it was delivered, and is to be sent again")]
    Redeliver {
        /// The delivery: ACCOUNT/ENDPOINT/OFFSET
        delivery: DeliveryAddress,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
    /// Give an event up that waits, is held, or is a dead letter; its lane goes on
    #[command(after_help = "Examples:\n  hooklog delivery discard acme/crm/41 --yes")]
    Discard {
        /// The delivery: ACCOUNT/ENDPOINT/OFFSET
        delivery: DeliveryAddress,
        #[command(flatten)]
        agreement: Agreement,
        #[command(flatten)]
        rehearsal: Rehearsal,
    },
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let mut client = Client::new(&self.connection.resolve(&context.environment)?, context.tasks.clone())?;
        match self.verb {
            Verb::List { address, outcome, error, direction, from_sequence, to_sequence, range, portion } => {
                let request = Request::get(format!("/accounts/{}/deliveries", address.account))
                    .query_where("endpoint", address.endpoint)
                    .query_where("outcome", outcome)
                    .query_where("error", error)
                    .query_where("fromSequence", from_sequence)
                    .query_where("toSequence", to_sequence)
                    .query(range.query(context.now()))
                    .query(direction.map(Direction::query));
                client.print(context, &request, &portion, COLUMNS).await?;
            }
            Verb::Get { delivery, bodies } => {
                let found = client.send(&Request::get(path(&delivery))).await?;
                context.console.item(COLUMNS, &found)?;
                let attempts = found.get("attempts").and_then(Value::as_array).filter(|attempts| !attempts.is_empty());
                if let (Format::Table, Some(attempts)) = (context.console.format(), attempts) {
                    context.console.line("")?;
                    context.console.items(ATTEMPTS, attempts)?;
                    for attempt in attempts.iter().filter(|_| bodies) {
                        context.console.line("")?;
                        context.console.line(&body(attempt))?;
                    }
                }
            }
            Verb::Redeliver { delivery, rehearsal } => {
                let request = Request::post(format!("{}/redeliver", path(&delivery)), json!({}));
                return settle(&mut client, context, rehearsal, &request).await;
            }
            Verb::Discard { delivery, agreement, rehearsal } => {
                if !rehearsal.dry_run {
                    context.console.confirm(&format!("discard {delivery}"), agreement.yes)?;
                }
                let request = Request::post(format!("{}/discard", path(&delivery)), json!({}));
                return settle(&mut client, context, rehearsal, &request).await;
            }
        }
        Ok(Exit::Done)
    }
}

async fn settle(
    client: &mut Client,
    context: &mut Context,
    rehearsal: Rehearsal,
    request: &Request,
) -> Result<Exit, Failure> {
    let written = rehearsal.write(client, context, request).await?;
    written.then(|delivery| Ok(context.console.item(COLUMNS, &delivery).map(|()| Exit::Done)?))
}

fn path(DeliveryAddress { endpoint, offset }: &DeliveryAddress) -> String {
    format!("/accounts/{}/deliveries/{}/{offset}", endpoint.account, endpoint.endpoint)
}

/// Shows the body of an attempt, or says why there is none to show.
fn body(attempt: &Value) -> String {
    let text = |name: &str| attempt.get(name).and_then(Value::as_str);
    let number = attempt.get("attempt").and_then(Value::as_u64).unwrap_or_default();
    match (text("body"), text("bodyProblem")) {
        (Some(body), _) => format!("attempt {number}, as it was sent:\n{}", super::console::plain(body)),
        (None, Some(problem)) => format!("attempt {number}: its body cannot be shown: {problem}"),
        (None, None) => format!("attempt {number}: this token may not see payloads"),
    }
}

pub(super) const COLUMNS: &[Column] = &[
    text("ENDPOINT", "/endpoint"),
    count("OFFSET", "/offset"),
    count("SEQUENCE", "/sequence"),
    text("TYPE", "/type"),
    state("OUTCOME", "/outcome"),
    count("ATTEMPTS", "/attemptCount"),
    text("ERROR", "/error"),
    text("STATUS", "/status"),
    time("LAST ATTEMPT", "/lastAttemptAt"),
    time("NEXT ATTEMPT", "/nextAttemptAt"),
    text("ID", "/id"),
];
const ATTEMPTS: &[Column] = &[
    count("ATTEMPT", "/attempt"),
    time("AT", "/at"),
    text("STATUS", "/status"),
    ms("TOOK", "/durationMs"),
    text("ERROR", "/error"),
    text("DETAIL", "/detail"),
    text("REPLAY", "/replay"),
    text("ANSWER", "/answer"),
];
