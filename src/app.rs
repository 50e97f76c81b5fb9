//! The only place that wires: build, run, drain.
//!
//! Not a part with rules of its own. Every part is built from its checked options, handed its neighbours
//! through handles and ports, and run with the one shutdown signal. Listeners are bound here and passed in.
//!
//! ```text
//! log ─▶ accounts ─▶ dispatch ─▶ deliver ─▶ listeners ─▶ (signal, failure, panic) ─▶ drain ─▶ close
//! ```

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::accounts::{self, Accounts, KeySource};
use crate::api::{self, Api};
use crate::deliver::{self, send};
use crate::dispatch::{self, Dispatch};
use crate::filter;
use crate::ingest::{self, Ingest};
use crate::log::{self, Log};
use crate::model::{AccountName, Timestamp, Who};
use crate::replay::{self, Backtests, ClearingParts, Clearings, DryRunParts, DryRuns};
use crate::runtime::{Clock, Random, Shutdown, ShutdownTrigger, Tasks, blocking, boot_id, shutdown};
use crate::security::{AddressRules, ApiToken, Hex, TokenHash, TokenKind};
use crate::settings::{FilterSettings, ListenerSettings, MasterKeySource, STORE_DESCRIPTORS, Settings};
use crate::telemetry::Metrics;
use crate::web::{self, Listener, Problem, Surroundings, TlsConfig};

/// Why a process could not start or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The accounts.
    #[error(transparent)]
    Accounts(#[from] accounts::Error),
    /// The host of filters.
    #[error(transparent)]
    Filter(#[from] filter::Error),
    /// The built-in rights component.
    #[error("the built-in rights component cannot be used: {0}")]
    RightsComponent(filter::LoadError),
    /// A listener's certificate.
    #[error(transparent)]
    Tls(#[from] web::TlsError),
    /// An address is taken, or not ours.
    #[error("cannot listen on {address}: {problem}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        problem: io::Error,
    },
    /// A file of the catalogue cannot be read.
    #[error("the catalogue's file {} (catalog.files) cannot be read: {problem}", .path.display())]
    CatalogFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// The operator's token cannot be read or made.
    #[error("the operator's token {} cannot be read or made: {problem}", .path.display())]
    OperatorToken {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// The machine.
    #[error("the machine does not give what is needed: {0}")]
    Machine(#[from] io::Error),
    /// A part has panicked: a bug in hooklog.
    #[error("a part of the program has panicked; the log lines before say where")]
    Panicked,
}

/// A process that is ready: everything is open and bound, nothing is answered yet.
pub struct App {
    log: Log,
    tasks: Tasks,
    /// Given first: nothing new begins.
    trigger: ShutdownTrigger,
    /// Given last: what is still under way is cut off.
    last_trigger: ShutdownTrigger,
    shutdown: Shutdown,
    clock: Clock,
    random: Random,
    metrics: Metrics,
    dispatch: Dispatch,
    deliver: deliver::Handle,
    accounts: Accounts,
    ingest: Option<TcpListener>,
    admin: Option<TcpListener>,
    addresses: (SocketAddr, SocketAddr),
    settings: Settings,
    health: api::Health,
    signals: Signals,
}

impl std::fmt::Debug for App {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Opens the log and everything above it, and binds both listeners.
    ///
    /// # Errors
    /// Whatever keeps the process from starting, in words that say what to do.
    pub async fn build(settings: Settings) -> Result<Self, Error> {
        let signals = Signals::listen()?;
        raise_descriptors();
        let clock = Clock::system();
        let mut random = Random::from_machine()?;
        let metrics = Metrics::new();
        let tasks = Tasks::new();
        let (trigger, shutdown) = shutdown();
        let (last_trigger, stop) = crate::runtime::shutdown();
        let boot = boot_id(&mut random);

        let ingest = bind(settings.ingest.listener.address).await?;
        let admin = bind(settings.admin.address).await?;
        let addresses = (ingest.local_addr()?, admin.local_addr()?);
        let log = Log::open(&settings.log_options(), clock.clone(), &mut random, metrics.log.clone())?;
        let rules = AddressRules::new(settings.deliver.allow_addresses.clone());
        let accounts = open_accounts(&settings, &rules, &log, &clock, &mut random).await?;
        let host = filter::Host::start(filter_options(&settings, &accounts), clock.clone(), metrics.filter.clone())?;
        let rights = host.load(Bytes::from_static(filter::BUILT_IN_RIGHTS)).await.map_err(Error::RightsComponent)?;
        let build = accounts::Build {
            hooklog: env!("CARGO_PKG_VERSION").to_owned(),
            catalog: String::new(),
            rights: Hex(&rights.digest).to_string(),
            formats: deliver::format::FORMATS_VERSION,
            engine: host.description().to_owned(),
        };
        if accounts.settle_build(build).await? {
            tracing::info!("what decides what receivers get is another than at the last start; it is noted in the log");
        }
        tasks.spawn(host.clone().run(stop.clone()));
        let dispatch = Dispatch::new(dispatch::Parts {
            log: log.handle(),
            accounts: accounts.clone(),
            host,
            rights,
            tasks: tasks.clone(),
            clock: clock.clone(),
        });
        let sender = send::Sender::start(
            sender_options(&settings, rules),
            clock.clone(),
            &metrics.deliver,
            &tasks,
            stop.clone(),
        );
        let parts = deliver::Parts {
            log: log.handle(),
            accounts: accounts.clone(),
            source: Arc::new(dispatch.clone()),
            sender,
            clock: clock.clone(),
            tasks: tasks.clone(),
            shutdown: shutdown.clone(),
            metrics: metrics.deliver.clone(),
        };
        let deliver = deliver::Handle::new(deliver_options(&settings), parts, boot, random.split());
        accounts.observe(Arc::new(deliver.clone()));
        let health = api::Health::new();
        Ok(Self {
            log,
            tasks,
            trigger,
            last_trigger,
            shutdown,
            clock,
            random,
            metrics,
            dispatch,
            deliver,
            accounts,
            ingest: Some(ingest),
            admin: Some(admin),
            addresses,
            settings,
            health,
            signals,
        })
    }

    /// Returns the addresses of the ingest and the admin listener.
    #[must_use]
    pub const fn addresses(&self) -> (SocketAddr, SocketAddr) {
        self.addresses
    }

    /// Runs until a signal, a failed log or a panic; then stops taking in, finishes what is in flight and closes.
    ///
    /// # Errors
    /// What ended it, unless it was a signal.
    pub async fn run(mut self) -> Result<(), Error> {
        let log = self.log.handle();
        // Followed from before the endpoints read their heads, so that no event falls between the two.
        self.start_dispatch();
        self.deliver.start().await?;
        self.start_retention();
        let listeners = Tasks::new();
        // Before anything is answered: who connects to a bound listener waits until then.
        self.health.set_ready();
        self.start_listeners(&listeners)?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), head = %log.head(), "ready");

        let ended = tokio::select! {
            () = self.signals.any() => Ok(()),
            problem = log.failed() => Err(Error::Log(problem)),
            () = self.tasks.a_panic() => Err(Error::Panicked),
            () = self.deliver.a_panic() => Err(Error::Panicked),
            () = listeners.a_panic() => Err(Error::Panicked),
        };
        self.health.set_draining();
        tracing::info!("stopping: nothing is taken in any more, what is in flight is finished");
        self.trigger.give();
        self.drain(&listeners, if ended.is_ok() { self.settings.shutdown_timeout } else { FAILED_DRAIN }).await;
        let closed = self.log.close().await.map_err(Error::Log);
        ended.and(closed)
    }

    /// Waits for what is under way, and cuts off what takes too long: it is done again at the next start.
    async fn drain(&self, listeners: &Tasks, wait: Duration) {
        let answered = async {
            listeners.all_ended().await;
            self.deliver.all_ended().await;
        };
        if tokio::time::timeout(wait, answered).await.is_err() {
            tracing::warn!(deliveries = self.deliver.running(), "some work is cut off; it is done again after a start");
        }
        self.last_trigger.give();
        if tokio::time::timeout(CUT_OFF, self.tasks.all_ended()).await.is_err() {
            tracing::warn!(running = self.tasks.running(), "some tasks did not end");
        }
    }

    fn start_dispatch(&self) {
        let (dispatch, deliver, shutdown) = (self.dispatch.clone(), self.deliver.clone(), self.shutdown.clone());
        self.tasks.spawn(dispatch::follow(dispatch, deliver, shutdown));
    }

    fn start_retention(&self) {
        let (log, deliver, clock) = (self.log.handle(), self.deliver.clone(), self.clock.clone());
        let mut shutdown = self.shutdown.clone();
        let capture_age_max = self.settings.ingest.capture_age_max;
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(RETENTION_EVERY) => {}
                    () = shutdown.given() => return,
                }
                let needs = deliver.clone();
                match blocking(move || needs.needs_from()).await {
                    Ok(lowest) => log.hold(lowest),
                    Err(problem) => {
                        tracing::error!(%problem, "nothing is removed, because what is still needed cannot be told");
                        continue;
                    }
                }
                let now = Timestamp(clock.wall_ms());
                if let Err(problem) = log.retain(now).await {
                    tracing::error!(%problem, "old events cannot be removed");
                }
                if let Err(problem) = log.expire_captures(now.minus(capture_age_max)).await {
                    tracing::error!(%problem, "old captures cannot be removed");
                }
            }
        });
    }

    fn start_listeners(&mut self, listeners: &Tasks) -> Result<(), Error> {
        let options = ingest::Options {
            body_bytes_max: self.settings.ingest.body_bytes_max,
            event_bytes_max: self.settings.ingest.event_bytes_max,
            body_timeout: BODY_TIMEOUT,
        };
        let parts = ingest::Parts {
            log: self.log.handle(),
            accounts: self.accounts.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.ingest.clone(),
            admission: Senders::of(&self.settings),
            report: Arc::new(Reports { health: self.health.clone(), clock: self.clock.clone() }),
        };
        let ingest = Ingest::new(options, parts, self.random.split());
        let is_admin_loopback = self.settings.admin.is_loopback();
        let router = api::router(Api {
            accounts: self.accounts.clone(),
            log: self.log.handle(),
            deliver: self.deliver.clone(),
            dispatch: self.dispatch.clone(),
            backtests: Backtests::new(replay::Parts {
                log: self.log.handle(),
                dispatch: self.dispatch.clone(),
                clock: self.clock.clone(),
                tasks: self.tasks.clone(),
                shutdown: self.shutdown.clone(),
            }),
            clearings: Clearings::new(ClearingParts {
                log: self.log.handle(),
                deliver: self.deliver.clone(),
                clock: self.clock.clone(),
                tasks: self.tasks.clone(),
                shutdown: self.shutdown.clone(),
            }),
            dry_runs: DryRuns::start(DryRunParts {
                log: self.log.handle(),
                accounts: self.accounts.clone(),
                dispatch: self.dispatch.clone(),
                clock: self.clock.clone(),
                tasks: self.tasks.clone(),
                shutdown: self.shutdown.clone(),
            }),
            streams: api::Streams::new(self.shutdown.clone(), self.metrics.api.clone(), connections_max() / 2),
            tasks: self.tasks.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            health: self.health.clone(),
            tokens: Arc::new(Tokens(self.accounts.clone())),
            options: api::Options {
                body: web::BodyLimits { bytes_max: API_BODY_BYTES_MAX, timeout: BODY_TIMEOUT },
                capture_age_max: self.settings.ingest.capture_age_max,
                metrics_need_token: !is_admin_loopback,
            },
        });
        let (ingest_socket, admin_socket) = (self.ingest.take(), self.admin.take());
        let (ingest_settings, admin_settings) = (self.settings.ingest.listener.clone(), self.settings.admin.clone());
        if let (Some(ingest_socket), Some(admin_socket)) = (ingest_socket, admin_socket) {
            let options = listener_options(self.settings.shutdown_timeout);
            // A sender may close its side behind its events; who reads a stream and closes has left.
            self.listen(
                listeners,
                ingest_socket,
                &ingest_settings,
                web::Options { half_close: true, ..options },
                ingest,
            )?;
            self.listen(listeners, admin_socket, &admin_settings, options, web::tower(router))?;
        }
        Ok(())
    }

    fn listen<S, B>(
        &mut self,
        listeners: &Tasks,
        socket: TcpListener,
        settings: &ListenerSettings,
        options: web::Options,
        service: S,
    ) -> Result<(), Error>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<Problem>>,
        S: Clone + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin + Send + 'static,
    {
        let surroundings =
            Surroundings { clock: self.clock.clone(), random: self.random.split(), tasks: listeners.clone() };
        let mut listener = Listener::new(socket, service, options, surroundings);
        if let Some(files) = &settings.tls {
            listener = listener.with_tls(TlsConfig::from_files(&files.certificate, &files.key)?);
        }
        let shutdown = self.shutdown.clone();
        listeners.spawn(async move {
            if let Err(problem) = listener.run(shutdown).await {
                tracing::warn!(%problem, "a listener did not end well");
            }
        });
        Ok(())
    }
}

/// Says which tokens may post events: the port of `ingest`, answered by the settings.
struct Senders(Vec<TokenHash>);

impl Senders {
    fn of(settings: &Settings) -> Option<Arc<dyn ingest::Admit>> {
        let tokens = &settings.ingest.tokens;
        let hashes = tokens.iter().map(|token| TokenHash::of(token.expose())).collect();
        (!tokens.is_empty()).then(|| Arc::new(Self(hashes)) as Arc<dyn ingest::Admit>)
    }
}

impl ingest::Admit for Senders {
    fn admits(&self, token: &str) -> bool {
        let token = TokenHash::of(token);
        // All are compared, whichever fits: the time says nothing.
        self.0.iter().fold(false, |fits, known| fits | (*known == token))
    }
}

/// Notes what a sender ought to put right: the port of `ingest`, shown by `api`.
struct Reports {
    health: api::Health,
    clock: Clock,
}

impl ingest::Report for Reports {
    fn id_conflict(&self, account: &AccountName, id: &str) {
        let trouble = api::Trouble {
            code: "id_conflict".to_owned(),
            title: "One id was posted for different events".to_owned(),
            detail: format!(
                "the id {id:?} came to /hooks again with other content; it was taken under an id of its own. Let the \
                 sender give every event an id of its own, and repeat an event unchanged"
            ),
            account: Some(account.to_string()),
            endpoint: None,
        };
        self.health.raise(trouble, self.clock.monotonic());
    }
}

/// Says who a token is: the port of `web`, answered by `accounts`.
struct Tokens(Accounts);

impl web::Identify for Tokens {
    fn identify(&self, token: &str) -> Option<web::Identity> {
        self.0.identify(token).map(|identity| match identity {
            accounts::Identity::Operator { who, expires_at } => web::Identity::Operator(match who {
                Who::Token { id, name } => Some(Arc::new(web::TokenInfo { id, name, expires_at })),
                Who::Operator | Who::System => None,
            }),
            accounts::Identity::Account { account, name, permissions, who, expires_at } => {
                let (id, token_name) = match who {
                    Who::Token { id, name } => (id, name),
                    Who::Operator | Who::System => (String::new(), String::new()),
                };
                web::Identity::Account(Arc::new(web::AccountToken {
                    account,
                    account_name: name,
                    permissions,
                    info: web::TokenInfo { id, name: token_name, expires_at },
                }))
            }
        })
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|problem| Error::Bind { address, problem })
}

async fn open_accounts(
    settings: &Settings,
    rules: &AddressRules,
    log: &Log,
    clock: &Clock,
    random: &mut Random,
) -> Result<Accounts, Error> {
    let operator_token = match &settings.operator_token {
        Some(token) => TokenHash::of(token.expose()),
        None => operator_token(&settings.data, random)?,
    };
    let options = accounts::Options {
        directory: settings.data.clone(),
        key: match &settings.master_key {
            MasterKeySource::File(path) => KeySource::File(path.clone()),
            MasterKeySource::Given(key) => KeySource::Given(key.clone()),
        },
        operator_token,
        https_only: settings.deliver.is_https_only,
        address_rules: rules.clone(),
        catalog_files: settings.catalog_files.iter().map(|path| catalog_file(path)).collect::<Result<_, _>>()?,
    };
    Ok(Accounts::open(options, log.handle(), clock.clone(), random.split()).await?)
}

/// What asks the process to end. Listened to from the first moment on: whoever asks during the start is heard after it.
#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn filter_options(settings: &Settings, accounts: &Accounts) -> filter::Options {
    let processors = std::thread::available_parallelism().map_or(1, |count| u16::try_from(count.get()).unwrap_or(1));
    filter::Options {
        limits: filter_limits(&settings.filter, settings.ingest.event_bytes_max),
        threads: settings.filter.threads.unwrap_or_else(|| processors.clamp(1, FILTER_THREADS_AUTO_MAX)),
        cache_directory: Some(settings.data.join("components")),
        cache_key: accounts.component_key(),
    }
}

fn filter_limits(settings: &FilterSettings, event_bytes_max: usize) -> filter::Limits {
    let FilterSettings { fuel_per_event, memory_bytes_max, component_bytes_max, .. } = *settings;
    // Rights answer for whatever ingest takes: the item `1,` of an array becomes a pseudonym of 29 bytes, and the text
    // that is built doubles as it grows.
    let output_bytes_max = event_bytes_max.saturating_mul(15).saturating_add(FILTER_OUTPUT_BYTES_MIN);
    let needed = output_bytes_max.saturating_mul(3).saturating_add(FILTER_MEMORY_BYTES_MIN);
    filter::Limits {
        fuel_per_event,
        fuel_per_byte: FUEL_PER_BYTE,
        memory_bytes_max: memory_bytes_max.max(needed),
        output_bytes_max,
        component_bytes_max,
        configuration_bytes_max: FILTER_CONFIGURATION_BYTES_MAX,
        wall_per_call: FILTER_WALL,
    }
}

fn catalog_file(path: &Path) -> Result<accounts::OwnFile, Error> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|problem| Error::CatalogFile { path: path.to_owned(), problem })?;
    Ok(accounts::OwnFile { name: path.display().to_string(), text })
}

/// Reads the operator's token, or makes one at the first start.
fn operator_token(directory: &Path, random: &mut Random) -> Result<TokenHash, Error> {
    let path = directory.join(OPERATOR_TOKEN_FILE);
    let failed = |problem| Error::OperatorToken { path: path.clone(), problem };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(TokenHash::of(text.trim())),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            let token = ApiToken::make(TokenKind::Operator, random);
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
            let written = file.write_all(format!("{}\n", token.expose()).as_bytes()).and_then(|()| file.sync_all());
            written.map_err(failed)?;
            Ok(token.hash())
        }
        Err(problem) => Err(failed(problem)),
    }
}

fn sender_options(settings: &Settings, rules: AddressRules) -> send::Options {
    send::Options {
        rules,
        trust: send::Trust::of_this_machine(),
        connect_timeout: settings.deliver.connect_timeout,
        idle: idle_limits(descriptors_max(), connections_max()),
    }
}

fn deliver_options(settings: &Settings) -> deliver::Options {
    let in_flight_max = settings.deliver.in_flight_max.resolve(descriptors_max());
    deliver::Options {
        retry_schedule: settings.deliver.retry_schedule.iter().copied().collect(),
        lane_hold: settings.deliver.lane_hold,
        timeout: settings.deliver.timeout,
        in_flight_max: usize::try_from(in_flight_max).unwrap_or(usize::MAX),
        refusals_in_a_row_max: settings.deliver.refusals_in_a_row,
    }
}

fn listener_options(drain_timeout: Duration) -> web::Options {
    web::Options {
        connections_max: connections_max(),
        head_bytes_max: 32 << 10,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        write_timeout: Duration::from_secs(30),
        drain_timeout,
        half_close: false,
    }
}

/// Descriptors that the process may open; what the system does not tell counts as few.
fn descriptors_max() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Takes as many descriptors as the machine lets the process have without asking.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(problem) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%problem, "the limit of descriptors stays as it is");
    }
}

/// Connections that one listener takes: an eighth of all descriptors, so that nobody who connects can take those that
/// the store needs.
fn connections_max() -> u32 {
    u32::try_from(descriptors_max().saturating_sub(STORE_DESCRIPTORS) / 8).unwrap_or(u32::MAX).clamp(64, 10_000)
}

/// Sockets to receivers get what is left of the descriptors when the store and both listeners have theirs, and at least
/// as many as a listener takes.
fn idle_limits(descriptors_max: u64, connections_max: u32) -> send::IdleLimits {
    let taken = STORE_DESCRIPTORS + SPARE_DESCRIPTORS + 2 * u64::from(connections_max);
    let left = descriptors_max.saturating_sub(taken).max(connections_max.into());
    let sockets_max = usize::try_from(left).unwrap_or(usize::MAX);
    send::IdleLimits { max: IDLE_MAX, sockets_max, age_max: IDLE_TIMEOUT }
}

/// Fuel that each byte of an event adds: a pseudonym of a one-letter value costs rights less than 20,000.
const FUEL_PER_BYTE: u64 = 10_000;
const FILTER_OUTPUT_BYTES_MIN: usize = 1 << 20;
const FILTER_MEMORY_BYTES_MIN: usize = 16 << 20;
/// Bytes of a configuration: the largest table of rights, with an index of names of a letter or two.
const FILTER_CONFIGURATION_BYTES_MAX: usize = 4 << 20;
/// The safety net: far longer than the fuel of the largest event lasts.
const FILTER_WALL: Duration = Duration::from_secs(5);
const FILTER_THREADS_AUTO_MAX: u16 = 16;

const OPERATOR_TOKEN_FILE: &str = "operator.token";
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const API_BODY_BYTES_MAX: usize = 1 << 20;
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// A kilobyte or two each, with TLS ten: up to 160 MiB, for as long as so many are in use.
const IDLE_MAX: usize = 16_384;
/// For 32 Tests with eight sockets each, names that are looked up, and what the store opens beside its tables.
const SPARE_DESCRIPTORS: u64 = 512;
const RETENTION_EVERY: Duration = Duration::from_secs(60);
/// What running deliveries get after the log has failed.
const FAILED_DRAIN: Duration = Duration::from_secs(5);
/// What tasks get to notice that they are cut off.
const CUT_OFF: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{FILTER_MEMORY_BYTES_MIN, FilterSettings, filter_limits, idle_limits};
    use crate::filter::{BUILT_IN_RIGHTS, Event, Host, Options, Verdict};
    use crate::model::{AccountName, EventId, EventType, Timestamp};
    use crate::runtime::Clock;
    use crate::security::Secret;
    use crate::telemetry::Metrics;

    #[test]
    fn rights_answer_for_the_event_that_grows_most() {
        let event_bytes_max = 256 << 10;
        let (fuel_per_event, component_bytes_max) = (100_000_000, 16 << 20);
        let settings = FilterSettings {
            fuel_per_event,
            memory_bytes_max: FILTER_MEMORY_BYTES_MIN,
            component_bytes_max,
            threads: Some(1),
        };
        let limits = filter_limits(&settings, event_bytes_max);
        let (cache_directory, cache_key) = (None, Secret::new([0; 32]));
        let options = Options { limits, threads: 1, cache_directory, cache_key };
        let host = Host::start(options, Clock::system(), Metrics::new().filter).unwrap();
        let rights = host.load_blocking(Bytes::from_static(BUILT_IN_RIGHTS)).unwrap();
        let table = hooklog_rights::prepare(&format!("rights/1 {:064}\ntypes 0 +\nfields * 0 p\n", 0)).unwrap();
        let head = r#"{"data":{"a":["#;
        let items = (event_bytes_max - head.len() - "1]}}".len()) / "1,".len();
        let event = Event {
            id: EventId::parse("e").unwrap(),
            event_type: EventType::parse("a.b").unwrap(),
            version: 1,
            occurred_at: Timestamp(0),
            account: AccountName::parse("a").unwrap(),
            payload: format!("{head}{}1]}}}}", "1,".repeat(items)).into(),
            attributes: Vec::new(),
        };
        let answers = host.evaluate_blocking(&rights, std::sync::Arc::<str>::from(table), vec![event]);
        let answer = answers.first().unwrap();
        assert!(matches!(answer.result, Ok(Verdict::Rewrite(_))), "{}", answer.word());
    }

    #[test]
    fn receivers_get_the_descriptors_that_nobody_else_may_take() {
        let cases =
            [(1_024, 64, 64), (4_096, 448, 2_176), (20_000, 2_436, 14_104), (u64::MAX, 10_000, usize::MAX - 21_024)];
        for (descriptors, listener, expected) in cases {
            assert_eq!(idle_limits(descriptors, listener).sockets_max, expected, "{descriptors}");
        }
    }
}
