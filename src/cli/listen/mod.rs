//! `hooklog listen`: what an account or an endpoint would get, here and now; printed, and posted on if wanted.
//!
//! Not a delivery: it pulls, and the server keeps nothing of it. Where it was is kept on this machine, so it goes on
//! there; and whenever what it shows is not what happens at this moment, it says so.

mod forward;
mod kept;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use url::Url;

use self::forward::Forward;
use self::kept::Kept;
use super::address::AccountOrEndpoint;
use super::assignment::TextOrFile;
use super::client::{Client, NoLines, Request};
use super::column::{Column, count, state, text, time};
use super::connection::ConnectionArguments;
use super::console::{Format, plain};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::problem::Problem;
use super::range::Start;
use super::span::Span;
use crate::model::{EventId, Offset, Timestamp};
use crate::runtime::{Monotonic, Shutdown};

/// Show what an account or an endpoint would get, as it happens, and post it to a URL of yours
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog listen acme/crm                                             what the endpoint would get
  hooklog listen acme/crm --forward-to http://localhost:3000/hooks    the same, posted to your own machine
  hooklog listen acme --type 'call.*' --from earliest -o ndjson
  hooklog listen acme/crm --since 2h --count 100 --bodies

What is posted has the headers of a delivery, but for the sequence, and is signed with a secret of
its own, which is made the first time and kept with the position. With --from or --since the position
that is kept stays where it is. A receiver that cannot be reached
is waited for; one that answers with another status than 2xx is told of and not asked again.
Exit code 3: an event was posted and not taken.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: ConnectionArguments,
    /// The account, or one of its endpoints, whose rights and types then narrow it
    #[arg(value_name = "ACCOUNT[/ENDPOINT]")]
    address: AccountOrEndpoint,
    #[command(flatten)]
    what: What,
    /// Post every event to this URL
    #[arg(long, value_name = "URL")]
    forward_to: Option<Url>,
    /// Sign with this key, whsec_…, whsk_… or @FILE, and not with the one that was made here
    #[arg(long, value_name = "KEY", requires = "forward_to")]
    secret: Option<TextOrFile>,
    /// Where position and secret are kept [default: a file below XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// Which events, and how many.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct What {
    /// Only events of these types; call.* for all of a family; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    #[command(flatten)]
    start: Start,
    /// Stop after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this long
    #[arg(long, value_name = "SPAN")]
    duration: Option<Span>,
    /// Print the bodies, too
    #[arg(long)]
    bodies: bool,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let connection = self.connection.resolve(&context.environment)?;
        let mut kept = match &self.state {
            Some(path) => Kept::at(path.clone())?,
            None => Kept::of(&context.environment, &connection.url, &self.address)?,
        };
        let forward = match &self.forward_to {
            None => None,
            Some(url) => {
                let key = self.secret.as_ref().map(TextOrFile::read).transpose()?;
                let signer = kept.signer(key.as_deref())?;
                Some(Forward::new(url, &self.address, signer, context.tasks.clone())?)
            }
        };
        if let Some(forward) = &forward {
            context.console.note(&forward.announcement(self.secret.is_some()));
        }
        let client = Client::new(&connection, context.tasks.clone())?;
        Listening::new(client, self.address, self.what, Some(kept), forward).run(context).await
    }
}

/// Prints what an account gets, and keeps nothing.
pub(in crate::cli) async fn tail(
    client: Client,
    address: AccountOrEndpoint,
    what: What,
    context: &mut Context,
) -> Result<Exit, Failure> {
    Listening::new(client, address, what, None, None).run(context).await
}

/// One that listens.
struct Listening {
    client: Client,
    address: AccountOrEndpoint,
    what: What,
    kept: Option<Kept>,
    forward: Option<Forward>,
    /// Where to go on; none before that is known.
    next: Option<Offset>,
    standing: Standing,
    shown: u64,
    /// What was posted and not taken.
    refused: Vec<Offset>,
    saved_at: Monotonic,
}

/// Whether what is shown is what happens at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unknown,
    Live,
    Behind,
    /// There is more, and nothing of it comes.
    Still,
    Lost,
}

/// An event as the stream brings it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    offset: Offset,
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    version: u32,
    occurred_at: Timestamp,
    key: Option<String>,
    traceparent: Option<String>,
    rights: String,
    content_type: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The last line of an answer.
#[derive(Debug, Clone, Copy, Deserialize)]
struct End {
    next: Offset,
    head: Offset,
}

impl Listening {
    fn new(
        client: Client,
        address: AccountOrEndpoint,
        what: What,
        kept: Option<Kept>,
        forward: Option<Forward>,
    ) -> Self {
        let next = kept.as_ref().and_then(Kept::next).filter(|_| what.start.is_open());
        // A look at another place does not move the one that is kept.
        let kept = kept.filter(|kept| what.start.is_open() || kept.next().is_none());
        let (standing, saved_at) = (Standing::Unknown, Monotonic(0));
        Self { client, address, what, kept, forward, next, standing, shown: 0, refused: Vec::new(), saved_at }
    }

    async fn run(mut self, context: &mut Context) -> Result<Exit, Failure> {
        let (hand, mut stop) = context.interruption();
        if let Some(Span(duration)) = self.what.duration {
            context.tasks.spawn(async move {
                tokio::time::sleep(duration).await;
                hand.give();
            });
        }
        if context.console.format() == Format::Csv {
            context.console.items(COLUMNS, &[])?;
        }
        let ended = self.listen(context, &mut stop).await;
        self.save(None)?;
        ended?;
        self.sum_up(context)
    }

    /// Listens until there were enough events, or somebody says so. What is being posted then is not cut off.
    async fn listen(&mut self, context: &mut Context, stop: &mut Shutdown) -> Result<(), Failure> {
        let mut pause = AGAIN_FIRST;
        while !stop.is_given() && self.what.count.is_none_or(|count| self.shown < count) {
            match self.read(context, stop).await {
                Ok(()) => pause = AGAIN_FIRST,
                Err(Trouble::Passing(why)) => {
                    if self.standing != Standing::Lost {
                        self.standing = Standing::Lost;
                        context.console.warn(&format!("not live: {why}; trying again"));
                    }
                    tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.given() => {} }
                    pause = (pause * 2).min(AGAIN_LONGEST);
                }
                Err(Trouble::Final(failure)) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Asks once, and takes what comes.
    async fn read(&mut self, context: &mut Context, stop: &mut Shutdown) -> Result<(), Trouble> {
        let request = self.request(context);
        let opened =
            tokio::select! { opened = self.client.lines(&request) => opened, () = stop.given() => return Ok(()) };
        let mut lines = match opened {
            Err(NoLines::Refused(problem)) if matches!(problem.code(), "range_expired" | "invalid_parameter") => {
                return Err(Trouble::Final(self.cannot_go_on(problem)));
            }
            lines => lines?,
        };
        loop {
            let passing = |why: &str| Trouble::Passing(why.to_owned());
            let line = tokio::select! {
                line = tokio::time::timeout(LINE_WITHIN, lines.next()) => line,
                () = stop.given() => return Ok(()),
            };
            let line = line.map_err(|_| passing("the server is silent"))?;
            let line = line.map_err(|failure| Trouble::Passing(format!("{:#}", anyhow::Error::from(failure))))?;
            let line = line.ok_or_else(|| passing("the server has ended the stream"))?;
            if let Ok(end) = serde_json::from_slice::<End>(&line) {
                self.ended(end, context)?;
                return Ok(());
            }
            self.take(&line, context, stop).await?;
            if stop.is_given() || self.what.count.is_some_and(|count| self.shown >= count) {
                return Ok(());
            }
        }
    }

    /// Says what to do where the place that was kept is none any more.
    fn cannot_go_on(&self, problem: Problem) -> Failure {
        match (self.kept.as_ref().and_then(Kept::path), self.shown) {
            (Some(path), 0) if self.what.start.is_open() => Failure::failed(format!(
                "{}; the place was kept in {}: say where to go on with --from earliest, --from now or --since 2h, and \
                 remove the file",
                problem.sentence(),
                path.display()
            )),
            _ => Failure::Problem(problem),
        }
    }

    fn request(&self, context: &Context) -> Request {
        // Until it has caught up nothing is waited for: so it is known how far it is behind.
        let wait = if matches!(self.standing, Standing::Live | Standing::Still) { WAIT } else { Duration::ZERO };
        let request = Request::get(format!("/accounts/{}/stream", self.address.account))
            .query_where("endpoint", self.address.endpoint.as_ref())
            .query(self.address.endpoint.iter().map(|_| ("format", "endpoint".to_owned())))
            .query_where("types", (!self.what.kinds.is_empty()).then(|| self.what.kinds.join(",")))
            .query([("waitMs", wait.as_millis().to_string())]);
        match self.next {
            Some(next) => request.query([("from", next.to_string())]),
            None => request.query(self.what.start.query(context.now())),
        }
    }

    /// Takes one event: prints it, posts it, keeps the place behind it.
    async fn take(&mut self, line: &Bytes, context: &mut Context, stop: &mut Shutdown) -> Result<(), Failure> {
        let event: Event<'_> = serde_json::from_slice(line)
            .map_err(|reason| Failure::failed(format!("the stream brought what is no event: {reason}")))?;
        let posted = match &mut self.forward {
            None => None,
            Some(forward) => match forward.post(&event, context, stop).await? {
                Some(posted) => Some(posted),
                // It waits where it is until the next time.
                None => return Ok(()),
            },
        };
        if posted.is_some_and(|posted| !posted.is_taken()) {
            self.refused.push(event.offset);
        }
        self.print(&event, line, posted, context)?;
        self.shown += 1;
        self.next = Some(event.offset.next());
        self.save(Some(context.clock.monotonic()))
    }

    fn print(
        &self,
        event: &Event<'_>,
        line: &Bytes,
        posted: Option<forward::Posted>,
        context: &mut Context,
    ) -> Result<(), Failure> {
        let now = context.now();
        let console = &mut context.console;
        match console.format() {
            Format::Table => {
                let now = now.to_string();
                let time_of_day = now.get(11..23).unwrap_or(&now);
                let key = event.key.as_deref().unwrap_or("-");
                let told = format!("{time_of_day}  {:<28}  offset {:<8} {key}", event.event_type, event.offset);
                let became = posted.map(|posted| posted.in_words(console.is_colourful())).unwrap_or_default();
                console.line(&format!("{}{became}", plain(&told)))?;
                if self.what.bodies {
                    console.line(&plain(event.body.get()))?;
                }
            }
            Format::Json | Format::Ndjson => {
                // As it came, byte by byte, and what became of it behind it.
                let text = std::str::from_utf8(line).unwrap_or_default();
                let (Some(posted), Some(open)) = (posted, text.strip_suffix('}')) else {
                    console.line(text)?;
                    return Ok(console.flush()?);
                };
                console.line(&format!("{open},\"posted\":{}}}", posted.json()))?;
            }
            Format::Csv => console.csv_row(
                COLUMNS,
                &json!({
                    "offset": event.offset, "type": event.event_type, "id": event.id, "key": event.key,
                    "occurredAt": event.occurred_at, "status": posted.map(forward::Posted::status),
                }),
            )?,
        }
        Ok(console.flush()?)
    }

    fn ended(&mut self, End { next, head }: End, context: &mut Context) -> Result<(), Failure> {
        let before = self.next.replace(next);
        let behind = (head.0 + 1).saturating_sub(next.0);
        let standing = match behind {
            0 => Standing::Live,
            _ if before == Some(next) => Standing::Still,
            _ => Standing::Behind,
        };
        if standing != self.standing {
            self.standing = standing;
            context.console.note(&match standing {
                Standing::Live => format!("live: everything up to offset {head} has been here"),
                Standing::Still => format!(
                    "not live: {} events wait and none comes: is the account switched off, or do rights fail? (hooklog \
                     account get {}, hooklog status)",
                    super::column::show_count(behind),
                    self.address.account
                ),
                Standing::Behind | Standing::Unknown | Standing::Lost => {
                    format!("not live: {} events behind, catching up", super::column::show_count(behind))
                }
            });
        }
        self.save(Some(context.clock.monotonic()))
    }

    /// Keeps where it is; now and then, or at once where no time is given.
    fn save(&mut self, now: Option<Monotonic>) -> Result<(), Failure> {
        let (Some(kept), Some(next)) = (&mut self.kept, self.next) else { return Ok(()) };
        if now.is_some_and(|now| now.since(self.saved_at) < SAVE_EVERY) {
            return Ok(());
        }
        self.saved_at = now.unwrap_or(self.saved_at);
        kept.save(next)
    }

    fn sum_up(&self, context: &mut Context) -> Result<Exit, Failure> {
        context.console.flush()?;
        let place = self.next.map(|next| format!("; the next one is offset {next}")).unwrap_or_default();
        context.console.note(&format!("{} events{place}", super::column::show_count(self.shown)));
        if let Some(first) = self.refused.first() {
            let count = super::column::show_count(u64::try_from(self.refused.len()).unwrap_or(u64::MAX));
            context.console.warn(&format!("not taken: {count}; --from {first} sends them again, and all behind"));
        }
        Ok(Exit::answer(self.refused.is_empty()))
    }
}

/// Why nothing comes.
enum Trouble {
    /// It may be over soon.
    Passing(String),
    /// It stays until somebody does something.
    Final(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<NoLines> for Trouble {
    fn from(none: NoLines) -> Self {
        match none {
            NoLines::Impossible(failure) => Self::Final(failure),
            NoLines::Unreachable(why) => Self::Passing(why),
            NoLines::Refused(problem) if matches!(problem.status(), 429 | 500..) => {
                Self::Passing(problem.lines().swap_remove(0))
            }
            NoLines::Refused(problem) => Self::Final(Failure::Problem(problem)),
        }
    }
}

const COLUMNS: &[Column] = &[
    count("OFFSET", "/offset"),
    text("TYPE", "/type"),
    text("ID", "/id"),
    text("KEY", "/key"),
    time("OCCURRED", "/occurredAt"),
    state("STATUS", "/status"),
];
/// How long an answer of a live stream is.
const WAIT: Duration = Duration::from_secs(20);
/// After this much more silence than that the server is not there any more.
const LINE_WITHIN: Duration = Duration::from_secs(40);
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_LONGEST: Duration = Duration::from_secs(10);
const SAVE_EVERY: Duration = Duration::from_millis(200);
