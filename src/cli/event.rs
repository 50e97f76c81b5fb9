//! `hooklog event`: what INO said. Listed, shown and explained through the API, sent through ingest.

use bytes::Bytes;
use clap::Subcommand;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

use super::assignment::read_input;
use super::client::{Client, Request};
use super::column::{Column, count, text, time};
use super::connection::ConnectionArguments;
use super::console::pretty;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::explain::Explain;
use super::ingest::{Ingest, IngestArguments, Media};
use super::listen::{self, What};
use super::problem::Problem;
use super::range::{Direction, Portion, Range};
use super::writing::Rehearsal;
use crate::cli::address::{AccountOrEndpoint, EventAddress};
use crate::model::{AccountName, EventId, EventType, Timestamp};

/// Send events, list them, look at one and explain what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog event send acme --type call.ended --data '{\"interaction\": {\"id\": \"i_1\"}}'
  hooklog event list acme --type 'call.*' --since 2h
  hooklog event get acme/@41
  hooklog event explain acme/@41")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Post events to the ingest listener, from a file, from stdin or from flags
    #[command(after_help = "Examples:
  hooklog event send acme --type call.ended --data '{\"interaction\": {\"id\": \"i_1\"}}'
  hooklog event send acme events.ndjson
  cat event.json | hooklog event send acme -")]
    Send(Send),
    /// List events, the newest first
    #[command(after_help = "Examples:
  hooklog event list acme --since 2h
  hooklog event list acme --type 'call.*' --key i_7730912 --direction oldest
  hooklog event list acme --from 41 --to 80 --all -o ndjson")]
    List {
        /// The account
        account: AccountName,
        /// Only events of this type; call.* for all of a family
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Only events of this key, such as an interaction's id
        #[arg(long)]
        key: Option<String>,
        /// Which end comes first
        #[arg(long, value_enum)]
        direction: Option<Direction>,
        #[command(flatten)]
        range: Range,
        #[command(flatten)]
        portion: Portion,
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Show one event with its data
    #[command(after_help = "Examples:
  hooklog event get acme/evt_01JNB4Z6Q8     by its id
  hooklog event get acme/@41                by its offset")]
    Get {
        /// The event: ACCOUNT/ID or ACCOUNT/@OFFSET
        event: EventAddress,
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    /// Print events as they come in, as rights leave them; hooklog listen keeps its place and can post them on
    #[command(after_help = "Examples:
  hooklog event tail acme
  hooklog event tail acme/crm --type 'call.*' --bodies
  hooklog event tail acme --since 10m -o ndjson")]
    Tail {
        /// The account, or one of its endpoints
        #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
        address: AccountOrEndpoint,
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        connection: ConnectionArguments,
    },
    #[command(after_help = "Examples:
  hooklog event explain acme/evt_01JNB4Z6Q8       who got it, who did not, and why
  hooklog event explain acme --since 2h --type 'call.*'
  hooklog event explain acme --key i_7730912      why did we not get this call?")]
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
struct Send {
    /// The account
    account: AccountName,
    /// One event, an array of events, or one event a line; - for stdin
    #[arg(required_unless_present = "kind", conflicts_with = "kind")]
    file: Option<String>,
    /// Make one event of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventType>,
    /// Its data, a JSON object
    #[arg(long, value_name = "JSON", requires = "kind", default_value = "{}")]
    data: String,
    /// Its id; without one hooklog makes one, and a repeat is another event
    #[arg(long, requires = "kind")]
    id: Option<EventId>,
    /// The key of its lane
    #[arg(long, requires = "kind")]
    key: Option<String>,
    /// When it happened; without it, now
    #[arg(long, value_name = "INSTANT", requires = "kind", value_parser = Timestamp::parse)]
    occurred_at: Option<Timestamp>,
    /// Where an id is taken by other content, keep the first and take the rest
    #[arg(long)]
    keep_first: bool,
    #[command(flatten)]
    ingest: IngestArguments,
    #[command(flatten)]
    rehearsal: Rehearsal,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = |context: &Context, connection: &ConnectionArguments| {
            Client::new(&connection.resolve(&context.environment)?, context.tasks.clone())
        };
        match self.verb {
            Verb::Send(send) => send.run(context).await,
            Verb::List { account, kind, key, direction, range, portion, connection } => {
                let request = Request::get(format!("/accounts/{account}/events"))
                    .query_where("type", kind)
                    .query_where("key", key)
                    .query(range.query(context.now()))
                    .query(direction.map(Direction::query));
                client(context, &connection)?.print(context, &request, &portion, COLUMNS).await?;
                Ok(Exit::Done)
            }
            Verb::Tail { address, what, connection } => {
                listen::tail(client(context, &connection)?, address, what, context).await
            }
            Verb::Explain(explain) => explain.run(context).await,
            Verb::Get { event, connection } => {
                let path = format!("/accounts/{}/events/{}", event.account, event.event);
                let found = client(context, &connection)?.send(&Request::get(path)).await?;
                context.console.item(WHOLE, &found)?;
                if context.console.format() == super::console::Format::Table {
                    context.console.line("")?;
                    context.console.line(&pretty(found.get("data").unwrap_or(&Value::Null)))?;
                }
                Ok(Exit::Done)
            }
        }
    }
}

impl Send {
    async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (media, body) = self.body()?;
        let query = if self.keep_first { "?onConflict=keep_first" } else { "" };
        let path = format!("/v1/accounts/{}/events{query}", self.account);
        if self.rehearsal.dry_run {
            context.console.bytes(&body)?;
            context.console.line("")?;
            return Ok(Exit::Done);
        }
        let listener = self.ingest.resolve(&context.environment)?;
        let mut ingest = Ingest::new(&listener.url, listener.authorization, context.tasks.clone())?;
        let target = ingest.target(&path)?;
        let answer = ingest.post(&target, media, body).await.map_err(|failure| {
            let advice = "is `hooklog serve` running, and is --ingest its ingest listener?";
            Failure::failed(format!("{:#}; {advice}", anyhow::Error::from(failure)))
        })?;
        if !answer.status.is_success() {
            return Err(Failure::Problem(Problem::read(answer.status.as_u16(), &answer.body)));
        }
        let taken: Value = serde_json::from_slice(&answer.body)
            .map_err(|reason| Failure::Failed(anyhow::Error::from(reason).context("the answer is no JSON")))?;
        print_taken(context, &taken)?;
        Ok(Exit::Done)
    }

    fn body(&self) -> Result<(Media, Bytes), Failure> {
        if let Some(file) = &self.file {
            let bytes = read_input(file)?;
            return Ok((
                media_of(&bytes).map_err(|refusal| Failure::usage(format!("{file} {refusal}")))?,
                bytes.into(),
            ));
        }
        let data: Map<String, Value> = serde_json::from_str(&self.data)
            .map_err(|reason| Failure::usage(format!("--data must be a JSON object: {reason}")))?;
        let said = [
            ("type", self.kind.as_ref().map(|kind| json!(kind))),
            ("id", self.id.as_ref().map(|id| json!(id))),
            ("key", self.key.as_ref().map(|key| json!(key))),
            ("occurredAt", self.occurred_at.map(|instant| json!(instant))),
            ("data", Some(Value::Object(data))),
        ];
        let members: Map<_, _> = said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Ok((Media::Json, Value::Object(members).to_string().into()))
    }
}

/// Tells one JSON text from one a line. The bytes go out as they are: what is wrong in an event is for the
/// server to say, with its place.
fn media_of(bytes: &[u8]) -> Result<Media, String> {
    let whole = match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(IgnoredAny) => return Ok(Media::Json),
        Err(reason) => reason,
    };
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let is_text = |line: &[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
    match (lines.next().is_some_and(is_text), lines.next()) {
        (true, Some(_)) => Ok(Media::Ndjson),
        _ => Err(format!("is neither one JSON text nor one a line: {whole}")),
    }
}

fn print_taken(context: &mut Context, taken: &Value) -> Result<(), Failure> {
    use super::console::Format;
    match (context.console.format(), taken.get("results").and_then(Value::as_array)) {
        (Format::Table | Format::Csv, Some(results)) => {
            context.console.items(RESULTS, results)?;
            let number = |name| taken.get(name).and_then(Value::as_u64).unwrap_or_default();
            let conflicts = results.iter().filter(|result| result.get("conflict") == Some(&Value::Bool(true))).count();
            let mut told = format!("{} accepted, {} duplicates", number("accepted"), number("duplicates"));
            if conflicts > 0 {
                told.push_str(&format!(", {conflicts} not taken: their ids are there with other content"));
            }
            context.console.flush()?;
            context.console.note(&told);
        }
        (Format::Table | Format::Csv | Format::Json | Format::Ndjson, _) => context.console.item(RESULTS, taken)?,
    }
    Ok(())
}

const COLUMNS: &[Column] = &[
    count("OFFSET", "/offset"),
    time("RECORDED", "/recordedAt"),
    time("OCCURRED", "/occurredAt"),
    text("TYPE", "/type"),
    text("KEY", "/key"),
    text("ID", "/id"),
];
const WHOLE: &[Column] = &[
    count("OFFSET", "/offset"),
    time("RECORDED", "/recordedAt"),
    time("OCCURRED", "/occurredAt"),
    text("TYPE", "/type"),
    count("VERSION", "/version"),
    text("KEY", "/key"),
    text("ID", "/id"),
    text("ACTOR", "/actor"),
];
const RESULTS: &[Column] =
    &[text("ID", "/id"), count("OFFSET", "/offset"), text("DUPLICATE", "/duplicate"), text("CONFLICT", "/conflict")];

#[cfg(test)]
mod tests {
    use super::{Media, media_of};

    #[test]
    fn one_text_is_json_and_one_a_line_is_ndjson() {
        for text in ["{}", "[{}, {}]", "{\n \"type\": \"a\"\n}\n", " {} "] {
            assert_eq!(media_of(text.as_bytes()), Ok(Media::Json), "{text}");
        }
        for text in ["{}\n{}", "{}\n\n{}\n", "{}\r\n{}\r\n", "{}\n{\"broken\":"] {
            assert_eq!(media_of(text.as_bytes()), Ok(Media::Ndjson), "{text}");
        }
        for text in ["", "{", "nonsense\n{}", "{} {}"] {
            assert!(media_of(text.as_bytes()).is_err(), "{text}");
        }
    }
}
