//! The API as a client meets it: the real router behind a real listener, a real log, real delivery.

mod dead_letters;
mod document;
mod endpoint_test;
mod going_on;
mod seeking;
mod history;
mod manners;
mod permissions;
mod replays;
mod rights;
mod settings;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{Api, Health, Options, Streams, Trouble, router};
use crate::accounts::{self, Accounts};
use crate::deliver::send::{self, IdleLimits, Sender, Trust};
use crate::deliver::{self, Handle, Parts};
use crate::dispatch::{Dispatch, follow};
use crate::filter;
use crate::log::{self, Durability, Log, Retention};
use crate::model::{AccountName, EventDraft, EventId, EventType, Timestamp};
use crate::replay::{self, Backtests, ClearingParts, Clearings, DryRunParts, DryRuns};
use crate::runtime::{Clock, Random, ShutdownTrigger, Tasks, shutdown};
use crate::security::{AddressRules, TokenHash};
use crate::telemetry::Metrics;
use crate::web::{
    AccountToken, BodyLimits, Identify, Identity, Listener, Problem, Surroundings, TokenInfo, read_body, tower,
};

/// A process with an API, as `app` wires it.
struct Server {
    log: Log,
    accounts: Accounts,
    health: Health,
    address: SocketAddr,
    tasks: Tasks,
    random: Random,
    _trigger: ShutdownTrigger,
    _directory: tempfile::TempDir,
}

/// Says who a token is, as `app` wires it.
struct Tokens(Accounts);

impl Identify for Tokens {
    fn identify(&self, token: &str) -> Option<Identity> {
        let info = |who, expires_at| match who {
            crate::model::Who::Token { id, name } => Some(TokenInfo { id, name, expires_at }),
            crate::model::Who::Operator | crate::model::Who::System => None,
        };
        Some(match self.0.identify(token)? {
            accounts::Identity::Operator { who, expires_at } => Identity::Operator(info(who, expires_at).map(Arc::new)),
            accounts::Identity::Account { account, name, permissions, who, expires_at } => {
                let info = info(who, expires_at)?;
                Identity::Account(Arc::new(AccountToken { info, account, account_name: name, permissions }))
            }
        })
    }
}

const OPERATOR: &str = "hlo_operator";

async fn start() -> Server {
    start_with(false, Clock::system()).await
}

async fn start_with(metrics_need_token: bool, clock: Clock) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let (metrics, mut random) = (Metrics::new(), Random::from_machine().unwrap());
    let options = log::Options {
        directory: directory.path().to_owned(),
        durability: Durability::Os,
        queue_bytes_max: 16 << 20,
        tail_bytes_max: 1 << 20,
        write_buffer_bytes: 8 << 20,
        cache_bytes: 1 << 20,
        disk_reserve_bytes: 0,
        retention: Retention { max_age: Duration::from_secs(3600), max_bytes: None, hard_max_bytes: None },
    };
    let log = Log::open(&options, clock.clone(), &mut random, metrics.log.clone()).unwrap();
    let rules = AddressRules::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let options = accounts::Options {
        directory: directory.path().to_owned(),
        key: accounts::KeySource::File(directory.path().join("master.key")),
        operator_token: TokenHash::of(OPERATOR),
        https_only: false,
        address_rules: rules.clone(),
        catalog_files: Vec::new(),
    };
    let accounts = Accounts::open(options, log.handle(), clock.clone(), random.split()).await.unwrap();
    let (trigger, signal) = shutdown();
    let tasks = Tasks::new();
    let (deliver, dispatch) = deliver(&log, &accounts, rules, &clock, &tasks, &signal, &metrics, &mut random).await;
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let health = Health::new();
    health.set_ready();
    let api = Api {
        accounts: accounts.clone(),
        log: log.handle(),
        dry_runs: DryRuns::start(DryRunParts {
            log: log.handle(),
            accounts: accounts.clone(),
            dispatch: dispatch.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            shutdown: signal.clone(),
        }),
        clearings: Clearings::new(ClearingParts {
            log: log.handle(),
            deliver: deliver.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            shutdown: signal.clone(),
        }),
        deliver,
        backtests: Backtests::new(replay::Parts {
            log: log.handle(),
            dispatch: dispatch.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            shutdown: signal.clone(),
        }),
        dispatch,
        streams: Streams::new(signal.clone(), metrics.api.clone(), 64),
        metrics,
        tasks: tasks.clone(),
        clock: clock.clone(),
        health: health.clone(),
        tokens: Arc::new(Tokens(accounts.clone())),
        options: Options { body: BODY, capture_age_max: Duration::from_secs(3600), metrics_need_token },
    };
    let surroundings = Surroundings { clock, random: random.split(), tasks: tasks.clone() };
    let listener = Listener::new(socket, tower(router(api)), listening(), surroundings);
    let address = listener.address().unwrap();
    tasks.spawn(async move { listener.run(signal).await.unwrap() });
    Server { log, accounts, health, address, tasks, random, _trigger: trigger, _directory: directory }
}

#[expect(clippy::too_many_arguments, reason = "they are the parts that app joins")]
async fn deliver(
    log: &Log,
    accounts: &Accounts,
    rules: AddressRules,
    clock: &Clock,
    tasks: &Tasks,
    signal: &crate::runtime::Shutdown,
    metrics: &Metrics,
    random: &mut Random,
) -> (Handle, Dispatch) {
    let options = send::Options {
        rules,
        trust: Trust::of([]),
        connect_timeout: Duration::from_secs(3),
        idle: IdleLimits { max: 64, sockets_max: 64, age_max: Duration::from_secs(30) },
    };
    let sender = Sender::start(options, clock.clone(), &metrics.deliver, tasks, signal.clone());
    let dispatch = dispatch(log, accounts, clock, tasks, metrics).await;
    let parts = Parts {
        log: log.handle(),
        accounts: accounts.clone(),
        source: Arc::new(dispatch.clone()),
        sender,
        clock: clock.clone(),
        tasks: tasks.clone(),
        shutdown: signal.clone(),
        metrics: metrics.deliver.clone(),
    };
    let options = deliver::Options {
        retry_schedule: Arc::from([Duration::from_secs(3600)]),
        lane_hold: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        in_flight_max: 64,
        refusals_in_a_row_max: 10,
    };
    let handle = Handle::new(options, parts, [7; 16], random.split());
    accounts.observe(Arc::new(handle.clone()));
    handle.start().await.unwrap();
    let (followed, signal) = (handle.clone(), signal.clone());
    tasks.spawn(follow(dispatch.clone(), followed, signal));
    (handle, dispatch)
}

async fn dispatch(log: &Log, accounts: &Accounts, clock: &Clock, tasks: &Tasks, metrics: &Metrics) -> Dispatch {
    let options = filter::Options {
        limits: filter::Limits {
            fuel_per_event: 100_000_000,
            fuel_per_byte: 10_000,
            memory_bytes_max: 32 << 20,
            output_bytes_max: 4 << 20,
            component_bytes_max: 4 << 20,
            configuration_bytes_max: 1 << 20,
            wall_per_call: Duration::from_secs(5),
        },
        threads: 1,
        cache_directory: None,
        cache_key: accounts.component_key(),
    };
    let host = filter::Host::start(options, clock.clone(), metrics.filter.clone()).unwrap();
    let rights = host.load(Bytes::from_static(filter::BUILT_IN_RIGHTS)).await.unwrap();
    let (log, accounts, tasks) = (log.handle(), accounts.clone(), tasks.clone());
    Dispatch::new(crate::dispatch::Parts { log, accounts, host, rights, tasks, clock: clock.clone() })
}

fn listening() -> crate::web::Options {
    crate::web::Options {
        connections_max: 256,
        head_bytes_max: 16 * 1024,
        head_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(30),
        drain_timeout: Duration::from_secs(5),
        half_close: false,
    }
}

const BODY: BodyLimits = BodyLimits { bytes_max: 64 * 1024, timeout: Duration::from_secs(10) };

/// A connection to the API, with a token or none.
struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    token: Option<String>,
}

/// What the API answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|problem| panic!("{problem}: {self:?}"))
    }

    /// Returns the code, after checking that this is a whole problem document; empty where it is none.
    fn code(&self) -> String {
        if self.status.as_u16() < 400 {
            return String::new();
        }
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(document["instance"], self.headers["x-request-id"].to_str().unwrap());
        let code = document["code"].as_str().unwrap();
        assert_eq!(document["type"], format!("/problems/{code}"));
        code.to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Expects a status and returns the body.
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Expects a problem and returns it.
    fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{self:?}");
        self.json()
    }
}

impl Client {
    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, &[], Some(body)).await
    }

    async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, &[], Some(body)).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "api");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Bytes::from(body.map(|body| body.to_string()).unwrap_or_default());
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let limits = BodyLimits { bytes_max: 64 << 20, timeout: Duration::from_secs(30) };
        let body = read_body(body, limits).await.unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Reads a list to its end, in pages of `limit`, and returns all items.
    async fn list(&mut self, path: &str, limit: usize) -> Vec<Value> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{separator}limit={limit}{after}")).await.expect(200);
            let some = page["items"].as_array().unwrap();
            assert!(some.len() <= limit);
            items.extend(some.iter().cloned());
            match page["next"].as_str() {
                None => return items,
                Some(next) => after = format!("&after={next}"),
            }
        }
    }
}

impl Server {
    async fn client(&self, token: Option<&str>) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        Client { sender, token: token.map(str::to_owned) }
    }

    async fn operator(&self) -> Client {
        self.client(Some(OPERATOR)).await
    }

    /// Makes an account that receives everything, and a token of it with these permissions.
    async fn account(&self, name: &str, permissions: &[&str]) -> Client {
        let client = self.account_as_made(name, permissions).await;
        let everything = json!({ "types": { "*": true }, "fields": { "*": "keep" } });
        self.operator().await.put(&format!("/api/v1/accounts/{name}/rights"), everything).await.expect(200);
        client
    }

    /// Makes an account with the rights that every new one has, and a token of it with these permissions.
    async fn account_as_made(&self, name: &str, permissions: &[&str]) -> Client {
        let mut operator = self.operator().await;
        operator.put(&format!("/api/v1/accounts/{name}"), json!({})).await;
        let path = format!("/api/v1/accounts/{name}/tokens");
        let token = operator.post(&path, json!({ "name": "test", "permissions": permissions })).await.expect(201);
        self.client(token["token"].as_str()).await
    }

    /// Appends events of a type, with ids `e1`, `e2` … counted on, and returns once they are on disk.
    async fn append(&mut self, account: &str, event_type: &str, count: usize) {
        for _ in 0..count {
            let id = self.accounts.account(&AccountName::parse(account).unwrap()).unwrap().id;
            let number = self.log.handle().account_head(id).0 + 1;
            let draft = draft(&format!("e{number}"), event_type, Some(&format!("k{}", number % 3)), number);
            self.append_draft(account, draft).await;
        }
    }

    async fn append_draft(&mut self, account: &str, draft: EventDraft) {
        let account = self.accounts.account(&AccountName::parse(account).unwrap()).unwrap().id;
        let log = self.log.handle();
        let event = log.prepare(account, &draft, &mut self.random);
        let reservation = log.reserve(4096).unwrap();
        log.append(account, vec![event], log::OnConflict::Refuse, reservation).await.unwrap();
    }
}

fn draft(id: &str, event_type: &str, key: Option<&str>, number: u64) -> EventDraft {
    EventDraft {
        id: EventId::parse(id).unwrap(),
        id_is_made: false,
        source_id: None,
        event_type: EventType::parse(event_type).unwrap(),
        version: 1,
        occurred_at: Some(Timestamp(1_772_442_847_512)),
        received_at: Timestamp(1_772_442_847_512),
        key: key.map(Into::into),
        actor: Some(Bytes::from_static(br#"{"kind":"USER", "userId":"u_1"}"#)),
        attributes: Vec::new(),
        data: Bytes::from(format!(r#"{{"n": {number}, "big": 12345678901234567890.50}}"#)),
    }
}

/// A receiver that answers as told and remembers what it got.
#[derive(Clone)]
struct Receiver {
    url: String,
    status: Arc<Mutex<u16>>,
    /// What it says in `webhook-delivery`, if anything.
    wish: Arc<Mutex<Option<&'static str>>>,
    got: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Receiver {
    async fn start(server: &Server) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in?key=s3cret", socket.local_addr().unwrap());
        let receiver = Self { url, status: Arc::new(Mutex::new(200)), wish: Arc::default(), got: Arc::default() };
        let Self { got, status, wish, .. } = receiver.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            got.lock().unwrap().push(request.headers().clone());
            let mut response = http::Response::new(Full::new(Bytes::from_static(b"no thanks")));
            *response.status_mut() = StatusCode::from_u16(*status.lock().unwrap()).unwrap();
            // With a type of its own the listener takes the answer for a deliberate one.
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/x-receiver"));
            if let Some(wish) = *wish.lock().unwrap() {
                response.headers_mut().insert("webhook-delivery", http::HeaderValue::from_static(wish));
            }
            std::future::ready(Ok::<_, Problem>(response))
        });
        let surroundings =
            Surroundings { clock: Clock::system(), random: Random::from_seed(1), tasks: server.tasks.clone() };
        let listener = Listener::new(socket, service, listening(), surroundings);
        let (trigger, signal) = shutdown();
        server.tasks.spawn(async move {
            let trigger = trigger;
            listener.run(signal).await.ok();
            drop(trigger);
        });
        receiver
    }

    fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
        *self.wish.lock().unwrap() = None;
    }

    /// Refuses from now on, and says what it wants.
    fn refuse(&self, wish: &'static str) {
        *self.status.lock().unwrap() = 422;
        *self.wish.lock().unwrap() = Some(wish);
    }
}

/// Asks until the answer is as wanted; the last one is shown where it never is.
async fn until(client: &mut Client, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let wait = async {
        loop {
            last = client.get(path).await.expect(200);
            if is_wanted(&last) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok();
    assert!(in_time, "{path} is never as wanted: {last}");
    last
}
