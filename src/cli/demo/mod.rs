//! `hooklog demo`: all of it at work, in a minute, with the books compared at the end.
//!
//! Not a simulation of hooklog: a real `hooklog serve` on a directory of its own, a simulated INO that posts to it,
//! a receiver that verifies every signature and sequence. The scenes are what happens in a week: a receiver that is
//! down, an event that it never takes, a field that is unticked, a process that is killed, a stretch that is wanted
//! again.

mod board;
mod books;
mod poison;
mod replay;
mod server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::board::Board;
use self::books::{Books, Line, Poison, Replayed, Unticked};
use self::server::Server;
use super::client::{Client, Request};
use super::column::{Column, count, state, text};
use super::connection::Connection;
use super::console::Format;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::receive::{Gap, Options, Receiver};
use super::simulate::{CallCentre, Plan, Tally, Until, send};
use super::span::Span;
use crate::model::{AccountName, Sequence};
use crate::runtime::{Clock, Shutdown, ShutdownTrigger, Tasks, shutdown};
use crate::security::{Secret, Verifier};

/// See all of it at work: an outage, a poison event, a right changed, a kill -9, a replay, the books compared
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hooklog demo                       eight scenes, then it goes on until Ctrl-C
  hooklog demo --once                ends after the scenes: 0 where the books agree, else 1
  hooklog demo --rate 2000 --scene 10s
  hooklog demo --once -o json        the books for programs

It starts `hooklog serve` on a directory of its own and on free ports, and leaves nothing behind
unless --directory says where.")]
pub(crate) struct Arguments {
    /// End after the last scene
    #[arg(long)]
    once: bool,
    /// Events a second over all accounts
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    rate: u32,
    /// How long each scene lasts at least
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    scene: Span,
    /// Which traffic: the same number gives the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep log, keys and the server's own log lines in this directory
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Arguments {
    pub(crate) async fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let (_trigger, mut interrupted) = context.interruption();
        let temporary = tempfile::tempdir().map_err(|reason| Failure::Failed(reason.into()))?;
        let directory = match &self.directory {
            Some(directory) => std::path::absolute(directory).map_err(|reason| Failure::Failed(reason.into()))?,
            None => temporary.path().to_owned(),
        };
        std::fs::create_dir_all(&directory)
            .map_err(|reason| Failure::failed(format!("cannot make {}: {reason}", directory.display())))?;
        let mut show = Show::set_up(context, &directory).await?;
        let played = tokio::select! {
            played = show.play(&self, context) => played,
            () = interrupted.given() => Err(Failure::failed("interrupted before the books were compared")),
        };
        show.board.close();
        let all_hold = played?;
        if !self.once {
            show.goes_on(&self, context, &directory, &mut interrupted).await?;
        }
        show.end().await;
        Ok(if all_hold { Exit::Done } else { Exit::Failed })
    }
}

/// Everything on stage.
struct Show {
    /// None only while it is killed.
    server: Option<Server>,
    client: Client,
    receiver: Receiver,
    address: SocketAddr,
    /// Given, the receiver goes down.
    open: Option<ShutdownTrigger>,
    accounts: Vec<AccountName>,
    tally: Arc<Tally>,
    lines: Vec<Line>,
    gaps: Vec<Gap>,
    own: u64,
    unticked: Unticked,
    poison: Poison,
    replay: Replayed,
    board: Board,
    clock: Clock,
    tasks: Tasks,
}

/// A simulated INO at work.
struct Ino {
    stop: ShutdownTrigger,
    ended: oneshot::Receiver<Result<(), Failure>>,
}

impl Show {
    /// Starts the server, makes accounts with their endpoints, and opens the receiver.
    async fn set_up(context: &Context, directory: &Path) -> Result<Self, Failure> {
        let server = Server::start(directory).await?;
        let connection = Connection { url: server.admin.clone(), token: Some(Secret::new(server.token()?)) };
        let mut client = Client::new(&connection, context.tasks.clone())?;
        let listener = listen("127.0.0.1:0".parse().expect("this is an address")).await?;
        let address = listener.local_addr().map_err(|reason| Failure::Failed(reason.into()))?;
        let accounts = ACCOUNTS.map(|name| AccountName::parse(name).expect("these are names")).to_vec();
        let mut secrets = Vec::new();
        for (account, rights) in accounts.iter().zip(rights()) {
            let path = format!("/accounts/{account}");
            client.send(&Request::new(Method::PUT, path.clone()).body(json!({}))).await?;
            client.send(&Request::new(Method::PUT, format!("{path}/rights")).body(rights)).await?;
            let endpoint = json!({ "url": format!("http://{address}/{account}") });
            client.send(&Request::new(Method::PUT, format!("{path}/endpoints/crm")).body(endpoint)).await?;
            let keys = client.send(&Request::get(format!("{path}/endpoints/crm/secret"))).await?;
            let secret = keys.pointer("/keys/0/secret").and_then(Value::as_str).unwrap_or_default();
            secrets.push(Verifier::parse(secret).map_err(|refusal| Failure::failed(refusal.to_string()))?);
        }
        let options = Options {
            secrets,
            first_sequence: Some(Sequence(1)),
            mischief: vec![poison::mischief()],
            ..Options::default()
        };
        let mut show = Self {
            server: Some(server),
            client,
            receiver: Receiver::new(options, context.clock.clone()),
            address,
            open: None,
            accounts,
            tally: Arc::default(),
            lines: Vec::new(),
            gaps: Vec::new(),
            own: 0,
            unticked: Unticked::default(),
            poison: Poison::default(),
            replay: Replayed::default(),
            board: Board::new(context),
            clock: context.clock.clone(),
            tasks: context.tasks.clone(),
        };
        show.open_receiver(listener);
        Ok(show)
    }

    /// Plays all scenes, and says whether the books agree.
    async fn play(&mut self, arguments: &Arguments, context: &mut Context) -> Result<bool, Failure> {
        let scene = arguments.scene.0;
        let ino = self.start_ino(arguments, arguments.seed)?;

        let (title, what) = (
            "The day begins",
            "Three accounts post events. Each is on disk before it is acknowledged, then delivered, signed and in order. \
             acme receives what is recommended, globex no mail and no messages, initech pseudonyms of its agents.",
        );
        self.board.scene(context, title, what);
        self.watch(context, scene, |_| false).await;

        let (title, what) =
            ("The receiver goes down", "Events are taken in as before. They wait; nobody has to do anything.");
        self.board.scene(context, title, what);
        if let Some(open) = self.open.take() {
            open.give();
        }
        self.watch(context, scene, |_| false).await;

        self.board.scene(
            context,
            "It comes back",
            "A probe finds it, and everything goes on from where it stopped, in order.",
        );
        let listener = listen(self.address).await?;
        self.open_receiver(listener);
        self.expect(context, "the receiver has caught up", |books| {
            books.lines.iter().all(|line| line.state == "live" && line.waiting < 50)
        })
        .await?;

        let (title, what) = (
            "One event is poison",
            "acme's receiver refuses it, now and for ever. Its lane goes on without it; it is tried again, then given \
             up and kept. The receiver is mended, and somebody redelivers it.",
        );
        self.board.scene(context, title, what);
        self.poison_one(context).await?;

        let (title, what) = (
            "A right is changed",
            "acme unticks the name of the queue. From the answer on no request begins with it, whatever waits.",
        );
        self.board.scene(context, title, what);
        self.untick(context, scene).await?;

        let (title, what) = (
            "hooklog is killed with -9",
            "In the middle of it. It starts again on the same directory; INO repeats what was not acknowledged, with the same ids.",
        );
        self.board.scene(context, title, what);
        self.kill_and_start().await?;
        self.watch(context, scene, |_| false).await;

        let (title, what) = (
            "The past again",
            "A stretch of acme's events is wanted once more: first only told what it would be, then sent. The ledger and \
             the sequence do not move.",
        );
        self.board.scene(context, title, what);
        self.replay_a_stretch(context).await?;

        let (title, what) = (
            "The day ends",
            "INO stops. What waits is delivered, and the books of sender, log and receiver are compared.",
        );
        self.board.scene(context, title, what);
        ino.stop.give();
        ino.ended.await.unwrap_or(Ok(()))?;
        self.expect(context, "everything is delivered", Books::is_settled).await?;
        self.gaps = self.receiver.settled(SETTLE_WITHIN).await;
        self.conclude(context)
    }

    /// Prints the books and what they come to.
    fn conclude(&self, context: &mut Context) -> Result<bool, Failure> {
        self.board.close();
        let books = self.books();
        let checks = books.checks();
        let json = books.json();
        match context.console.format() {
            Format::Table => {
                context.console.line("")?;
                let lines = json.get("endpoints").and_then(Value::as_array).cloned().unwrap_or_default();
                context.console.items(COLUMNS, &lines)?;
                context.console.line("")?;
                for check in &checks {
                    context.console.line(&format!("{}  {}", if check.holds { "✓" } else { "✗" }, check.what))?;
                }
            }
            Format::Json | Format::Ndjson | Format::Csv => context.console.item(COLUMNS, &json)?,
        }
        context.console.flush()?;
        if let Some(problem) = self.tally.first_problem() {
            context.console.complain(&problem);
        }
        Ok(checks.iter().all(|check| check.holds))
    }

    /// Goes on with another day until somebody interrupts.
    async fn goes_on(
        &mut self,
        arguments: &Arguments,
        context: &mut Context,
        directory: &Path,
        interrupted: &mut Shutdown,
    ) -> Result<(), Failure> {
        let ino = self.start_ino(arguments, arguments.seed.wrapping_add(1))?;
        let url = self.server.as_ref().map(|server| server.admin.to_string()).unwrap_or_default();
        context.console.note(&format!(
            "\nIt goes on until Ctrl-C. Look around from another terminal:\n
  export HOOKLOG_URL={url} HOOKLOG_DATA={}
  hooklog status
  hooklog endpoint status acme/crm
  hooklog event explain globex --since 1m
  hooklog endpoint pause acme/crm      and then: resume",
            directory.join("data").display()
        ));
        self.board = Board::new(context);
        tokio::select! {
            () = self.watch(context, Duration::MAX, |_| false) => {}
            () = interrupted.given() => {}
        }
        self.board.close();
        ino.stop.give();
        Ok(())
    }

    async fn end(mut self) {
        if let Some(server) = self.server.take() {
            // Whether it ended well is no part of the show.
            server.end().await;
        }
    }

    fn start_ino(&self, arguments: &Arguments, seed: u64) -> Result<Ino, Failure> {
        let server = self.server.as_ref().ok_or_else(|| Failure::failed("the server is not there"))?;
        let (stop, signal) = shutdown();
        let (tell, ended) = oneshot::channel();
        let plan = Plan {
            ingest: server.ingest.clone(),
            authorization: None,
            accounts: self.accounts.clone(),
            rate: arguments.rate,
            until: Until { count: None, duration: None },
            batch: 1,
            connections: 8,
            is_raw: false,
            patience: PATIENCE,
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
        };
        let centre = CallCentre::new(seed, &self.accounts, AGENTS);
        let tally = Arc::clone(&self.tally);
        self.tasks.spawn(async move {
            // Whoever waited may have been interrupted.
            drop(tell.send(send(plan, centre, tally, signal).await));
        });
        Ok(Ino { stop, ended })
    }

    fn open_receiver(&mut self, listener: TcpListener) {
        let (trigger, signal) = shutdown();
        let receiver = self.receiver.clone();
        self.tasks.spawn(async move { receiver.serve(listener, signal).await });
        self.open = Some(trigger);
    }

    async fn kill_and_start(&mut self) -> Result<(), Failure> {
        let server = self.server.take().ok_or_else(|| Failure::failed("the server is not there"))?;
        let killed = server.kill().await?;
        self.server = Some(killed.start().await?);
        Ok(())
    }

    /// Unticks a field of the first account's, and looks at bodies from before and after.
    async fn untick(&mut self, context: &mut Context, scene: Duration) -> Result<(), Failure> {
        let Some(account) = self.accounts.first().cloned() else { return Ok(()) };
        let path = format!("/accounts/{account}");
        let change = json!({ "fields": { UNTICKED: "remove" } });
        self.client.send(&Request::new(Method::PATCH, format!("{path}/rights")).body(change)).await?;
        self.own += 1;
        let newest = self.client.send(&Request::get(format!("{path}/events")).query_where("limit", Some(1))).await?;
        let newest = newest.pointer("/items/0/offset").and_then(Value::as_u64).unwrap_or_default();
        self.watch(context, scene, |_| false).await;
        let (before, _) = self.bodies_with_it(&path, "toOffset", newest).await?;
        let (after, looked_at) = self.bodies_with_it(&path, "fromOffset", newest + 1).await?;
        self.unticked = Unticked { before, after, looked_at };
        let told = format!(
            "{before} of the first bodies had it; of {looked_at} bodies since, proven by their hashes, {after} have"
        );
        self.board.say(context, &told);
        Ok(())
    }

    /// Counts bodies, as they were sent, that have the field that is unticked; also how many were looked at.
    async fn bodies_with_it(&mut self, path: &str, edge: &'static str, offset: u64) -> Result<(u64, u64), Failure> {
        let request = Request::get(format!("{path}/deliveries"))
            .query_where("endpoint", Some("crm"))
            .query_where("outcome", Some("delivered"))
            .query_where("direction", Some("oldest"))
            .query_where("limit", Some(LOOKED_AT))
            .query_where(edge, Some(offset));
        let listed = self.client.send(&request).await?;
        let (mut with_it, mut looked_at) = (0, 0);
        for delivery in listed.pointer("/items").and_then(Value::as_array).into_iter().flatten() {
            let offset = delivery.pointer("/offset").and_then(Value::as_u64).unwrap_or_default();
            let whole = self.client.send(&Request::get(format!("{path}/deliveries/crm/{offset}"))).await?;
            let attempts = whole.pointer("/attempts").and_then(Value::as_array);
            let bodies = attempts.into_iter().flatten().filter_map(|attempt| attempt.pointer("/body")?.as_str());
            let bodies: Vec<Value> = bodies.filter_map(|body| serde_json::from_str(body).ok()).collect();
            looked_at += u64::from(!bodies.is_empty());
            with_it += u64::from(bodies.iter().any(|body| body.pointer("/data/queue/name").is_some()));
        }
        Ok((with_it, looked_at))
    }

    /// Asks for something until it says what is wanted, and fails where it never does; the figures are drawn meanwhile.
    async fn until(&mut self, path: &str, pointer: &str, wanted: &str) -> Result<Value, Failure> {
        let began = self.clock.monotonic();
        loop {
            let answer = self.client.send(&Request::get(path)).await?;
            self.refresh().await;
            self.board.show(&self.books());
            if answer.pointer(pointer).and_then(Value::as_str) == Some(wanted) {
                return Ok(answer);
            }
            if self.clock.monotonic().since(began) > PATIENCE {
                return Err(Failure::failed(format!("{path} never says {wanted}: {answer}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Watches until something is so, and fails where it never is.
    async fn expect(
        &mut self,
        context: &mut Context,
        what: &str,
        is_so: impl Fn(&Books) -> bool,
    ) -> Result<(), Failure> {
        self.watch(context, PATIENCE, &is_so).await;
        let books = self.books();
        if is_so(&books) {
            return Ok(());
        }
        Err(Failure::failed(format!("it is not so that {what}: {}", books.json())))
    }

    /// Draws the figures again and again, until something is so or the time is over.
    async fn watch(&mut self, context: &mut Context, at_most: Duration, is_over: impl Fn(&Books) -> bool) {
        let began = self.clock.monotonic();
        loop {
            self.refresh().await;
            let books = self.books();
            self.board.show(&books);
            if is_over(&books) || self.clock.monotonic().since(began) >= at_most {
                self.board.end_scene(context, &books);
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks every endpoint how it does; what cannot be asked keeps its last figures.
    async fn refresh(&mut self) {
        let mut lines = Vec::with_capacity(self.accounts.len());
        for (place, account) in self.accounts.iter().enumerate() {
            let asked = self.client.send(&Request::get(format!("/accounts/{account}/endpoints/crm/status"))).await;
            lines.push(match asked {
                Ok(status) => Line::of(account.as_str(), &status),
                Err(_) => Line { state: "away".to_owned(), ..self.lines.get(place).cloned().unwrap_or_default() },
            });
        }
        self.lines = lines;
    }

    fn books(&self) -> Books {
        Books {
            lines: self.lines.clone(),
            received: self.receiver.tally(),
            gaps: self.gaps.iter().map(Gap::to_string).collect(),
            sent: self.tally.sent(),
            is_all_taken: self.tally.is_all_taken(),
            own: self.own,
            unticked: self.unticked,
            poison: self.poison,
            replay: self.replay,
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|reason| Failure::failed(format!("the receiver cannot listen on {address}: {reason}")))
}

/// What each account receives: no two the same.
fn rights() -> [Value; ACCOUNTS.len()] {
    [
        json!({}),
        json!({ "types": { "email.*": false, "messaging.*": false } }),
        json!({ "fields": { "agent.id": "pseudonymize", "actor.userId": "pseudonymize" } }),
    ]
}

const COLUMNS: &[Column] = &[
    text("ACCOUNT", "/account"),
    count("ACCEPTED", "/accepted"),
    count("= DELIVERED", "/delivered"),
    count("+ WAITING", "/waiting"),
    count("+ THE REST", "/others"),
    state("STATE", "/state"),
];
const ACCOUNTS: [&str; 3] = ["acme", "globex", "initech"];
const UNTICKED: &str = "queue.name";
/// Bodies that are looked at before and after.
const LOOKED_AT: usize = 40;
const AGENTS: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long something that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the end waits for numbers that are still under way in other lanes.
const SETTLE_WITHIN: Duration = Duration::from_secs(5);
