//! All endpoints that are loaded: started, told of changes, asked how they do.
//!
//! Not their work: each has a loop of its own. What is here is the way to their mailboxes. A mailbox is
//! bounded; an offer that does not fit is left out, because the head alone makes the loop read what it missed.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::desk::{Granted, Wanted, Wish};
use super::endpoint::{Loaded, Message, run};
use super::endpoint_test::{self, TestError, TestReport, TestRequest};
use super::machine::{Decision, InHand, Outage, Outlook, Whereabouts};
use super::outcome::Failure;
use super::places::Places;
use super::send::Sender;
use super::source::Source;
use super::status::EndpointStatus;
use crate::accounts::{Accounts, Change, Endpoint, Observer, ReplaySettings, ReplayStanding, Suspension};
use crate::log;
use crate::model::{AccountId, EndpointId, EventId, Offset, Position, Timestamp};
use crate::runtime::{Clock, Random, Shutdown, Tasks, blocking};
use crate::security::Target;
use crate::telemetry::DeliverMetrics;

/// The checked values that delivery runs with.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long to wait after the first, second, … refusal of an event.
    pub retry_schedule: Arc<[Duration]>,
    /// How long the events behind a refused one wait for it.
    pub lane_hold: Duration,
    /// How long a receiver may take to answer, where its endpoint does not say.
    pub timeout: Duration,
    /// Requests under way at once over all endpoints.
    pub in_flight_max: usize,
    /// How many different events refused in a row are the endpoint's trouble.
    pub refusals_in_a_row_max: u32,
}

/// What delivery is made of.
#[derive(Clone)]
pub struct Parts {
    /// Where progress is written.
    pub log: log::Handle,
    /// Whose endpoints.
    pub accounts: Accounts,
    /// Who decides and makes bodies.
    pub source: Arc<dyn Source>,
    /// Who sends.
    pub sender: Sender,
    /// What time it is.
    pub clock: Clock,
    /// Where loops are started.
    pub tasks: Tasks,
    /// When they end.
    pub shutdown: Shutdown,
    /// What is counted.
    pub metrics: DeliverMetrics,
}

/// What all loops share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) parts: Parts,
    pub(super) boot: [u8; 16],
    pub(super) places: Places,
    /// Endpoints that may read their past at once.
    pub(super) readers: Arc<Semaphore>,
    /// Tests that may run at once.
    tests: Semaphore,
    random: std::sync::Mutex<Random>,
    loops: Tasks,
    loaded: RwLock<Registry>,
}

#[derive(Default)]
struct Registry {
    by_id: HashMap<EndpointId, Arc<Mailbox>>,
    by_account: HashMap<AccountId, Vec<Arc<Mailbox>>>,
}

/// The way to one loop.
pub(super) struct Mailbox {
    pub(super) endpoint: EndpointId,
    pub(super) account: AccountId,
    pub(super) sender: mpsc::Sender<Message>,
    pub(super) head: AtomicU64,
    pub(super) head_moved: Notify,
    /// The lowest offset that the loop still needs.
    pub(super) needs_from: AtomicU64,
}

/// The way to all loops; cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("deliver::Handle").finish_non_exhaustive()
    }
}

impl Handle {
    /// Makes ready to load endpoints.
    #[must_use]
    pub fn new(options: Options, parts: Parts, boot: [u8; 16], random: Random) -> Self {
        let places = Places::new(options.in_flight_max, parts.metrics.waiting.clone());
        Self(Arc::new(Shared {
            options,
            parts,
            boot,
            places,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            tests: Semaphore::new(TESTS_MAX),
            random: std::sync::Mutex::new(random),
            loops: Tasks::new(),
            loaded: RwLock::default(),
        }))
    }

    /// Loads every endpoint and starts its loop.
    ///
    /// # Errors
    /// Where the log does not say how far one has got.
    pub async fn start(&self) -> Result<(), log::Error> {
        let mut after = None;
        loop {
            let accounts = self.0.parts.accounts.accounts("", after.as_ref(), 1_000);
            let Some(last) = accounts.last() else { return Ok(()) };
            after = Some(last.name.clone());
            for endpoint in accounts.iter().flat_map(|account| account.endpoints.values()) {
                self.load(Arc::clone(endpoint)).await?;
            }
        }
    }

    /// Hands decided live events of an account to its endpoints.
    ///
    /// # Shape
    /// `events` are those from `from` on, without a hole, with their positions.
    pub fn offer(&self, endpoint: EndpointId, from: Offset, events: &Arc<[(Position, Decision)]>) {
        let Some(mailbox) = self.mailbox(endpoint) else { return };
        let count = u64::try_from(events.len()).unwrap_or(0);
        let head = from.0.saturating_add(count).saturating_sub(1);
        let message = Message::Offered { from, events: Arc::clone(events) };
        if mailbox.sender.try_send(message).is_err() {
            mailbox.head.fetch_max(head, Ordering::AcqRel);
            mailbox.head_moved.notify_one();
        }
    }

    /// Tells every endpoint how far its account has got, so that it reads what it was not offered.
    pub fn catch_up(&self) {
        let loaded = self.0.loaded.read().unwrap_or_else(PoisonError::into_inner);
        for mailbox in loaded.by_id.values() {
            mailbox.head.fetch_max(self.0.parts.log.account_head(mailbox.account).0, Ordering::AcqRel);
            mailbox.head_moved.notify_one();
        }
    }

    /// Says how an endpoint does; none where it is not loaded.
    pub async fn status(&self, endpoint: EndpointId) -> Option<EndpointStatus> {
        let mut status = self.ask(endpoint, Message::Status).await?;
        if status.lag.events > 0 {
            let account = self.mailbox(endpoint)?.account;
            let (log, next) = (self.0.parts.log.clone(), status.waits_from);
            let oldest_at = blocking(move || log.recorded_at(account, next)).await.ok().flatten();
            let now = Timestamp(self.0.parts.clock.wall_ms());
            status.lag.ms = oldest_at.map_or(0, |at| u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX));
            status.lag.oldest_at = oldest_at;
        }
        Some(status)
    }

    /// Sends one request of an endpoint at once; says whether the endpoint is loaded.
    pub async fn retry(&self, endpoint: EndpointId) -> bool {
        match self.mailbox(endpoint) {
            Some(mailbox) => mailbox.sender.send(Message::Retry).await.is_ok(),
            None => false,
        }
    }

    /// Carries a wish for some events of an endpoint out, and answers for each of them once that is on disk.
    ///
    /// None where the endpoint is not loaded, or where its rows cannot be read.
    pub async fn wish(&self, endpoint: EndpointId, wish: Wish, offsets: Vec<Offset>) -> Option<Vec<Granted>> {
        self.ask(endpoint, |reply| Message::Wish(Box::new(Wanted { wish, offsets, reply, is_second_look: false })))
            .await
    }

    /// Says what a seek to an event would do; none where the endpoint is not loaded.
    pub async fn outlook(&self, endpoint: EndpointId, first: Offset) -> Option<Outlook> {
        self.ask(endpoint, |reply| Message::Outlook { first, reply }).await
    }

    /// Says where events of an endpoint are, one answer for each; none where it is not loaded.
    pub async fn whereabouts(&self, endpoint: EndpointId, offsets: Vec<Offset>) -> Option<Vec<Whereabouts>> {
        self.ask(endpoint, |reply| Message::Whereabouts { offsets, reply }).await
    }

    /// Says what an endpoint knows of its events that is not on disk, or is about to be; none where it is not loaded.
    pub async fn in_hand(&self, endpoint: EndpointId) -> Option<InHand> {
        self.ask(endpoint, Message::InHand).await
    }

    /// Sends a test, outside lanes and ledger, and says stage by stage what happened.
    ///
    /// History keeps it with the endpoint it is `of`, where there is one.
    ///
    /// # Errors
    /// `Busy` where too many tests run; `Route` where a header or the path cannot be sent at all.
    pub async fn test(&self, request: TestRequest, of: Option<EndpointId>) -> Result<TestReport, TestError> {
        let Shared { parts, options, random, tests, .. } = &*self.0;
        let Ok(_slot) = tests.try_acquire() else { return Err(TestError::Busy) };
        let random = random.lock().unwrap_or_else(PoisonError::into_inner).bytes();
        let id = EventId::made(Timestamp(parts.clock.wall_ms()), random);
        let tested = endpoint_test::run(&parts.sender, &parts.clock, request, id, options.timeout).await?;
        if let Some(mailbox) = of.and_then(|endpoint| self.mailbox(endpoint)) {
            // One that is just being deleted has no History any more.
            drop(mailbox.sender.send(Message::Tested(Box::new(tested.record))).await);
        }
        Ok(tested.report)
    }

    /// Looks where requests to a receiver would go now.
    ///
    /// # Errors
    /// `forbidden_address` where every present address is refused; `dns_error` or `timeout` where there is none now.
    pub async fn judge(&self, target: Target) -> Result<(), Failure> {
        self.0.parts.sender.judge(target).await
    }

    /// Returns how many loops run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.loops.running()
    }

    /// Waits until every loop has ended, as they do after the shutdown signal.
    pub async fn all_ended(&self) {
        self.0.loops.all_ended().await;
    }

    /// Waits until a loop has panicked.
    pub async fn a_panic(&self) {
        self.0.loops.a_panic().await;
    }

    /// Returns the lowest position of the log that some endpoint still needs; none where none does.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn needs_from(&self) -> Result<Option<Position>, log::Error> {
        let mailboxes: Vec<Arc<Mailbox>> = {
            let loaded = self.0.loaded.read().unwrap_or_else(PoisonError::into_inner);
            loaded.by_id.values().map(Arc::clone).collect()
        };
        let mut lowest = None;
        for mailbox in mailboxes {
            let log = &self.0.parts.log;
            // What retention took already is needed no more; what is behind it still is.
            let needed = Offset(mailbox.needs_from.load(Ordering::Acquire)).max(log.oldest_offset(mailbox.account)?);
            let row = log.index_at(mailbox.account, needed)?;
            lowest = match (lowest, row.map(|row| row.position)) {
                (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
                (one, other) => one.or(other),
            };
        }
        Ok(lowest)
    }

    async fn ask<T>(&self, endpoint: EndpointId, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.mailbox(endpoint)?.sender.send(message(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Tells a loop something and waits for its nod; one that is not loaded need not be told.
    async fn tell(&self, endpoint: EndpointId, message: impl FnOnce(oneshot::Sender<()>) -> Message) {
        self.ask(endpoint, message).await.unwrap_or_default();
    }

    fn mailbox(&self, endpoint: EndpointId) -> Option<Arc<Mailbox>> {
        self.0.loaded.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&endpoint).map(Arc::clone)
    }

    async fn load(&self, endpoint: Arc<Endpoint>) -> Result<(), log::Error> {
        let (sender, receiver) = mpsc::channel(MAILBOX_MESSAGES_MAX);
        let shared = Arc::clone(&self.0);
        let random = self.0.random.lock().unwrap_or_else(PoisonError::into_inner).split();
        let (id, account) = (endpoint.id, endpoint.account);
        let loaded = blocking(move || Loaded::new(shared, endpoint, random)).await?;
        let mailbox = Arc::new(Mailbox {
            endpoint: id,
            account,
            sender,
            head: AtomicU64::new(0),
            head_moved: Notify::new(),
            needs_from: AtomicU64::new(loaded.needs_from().0),
        });
        {
            let mut registry = self.0.loaded.write().unwrap_or_else(PoisonError::into_inner);
            registry.by_id.insert(id, Arc::clone(&mailbox));
            registry.by_account.entry(account).or_default().push(Arc::clone(&mailbox));
        }
        // The head may have moved between reading it and being told of it.
        mailbox.head.fetch_max(self.0.parts.log.account_head(account).0, Ordering::AcqRel);
        mailbox.head_moved.notify_one();
        // In a box of its own: what a task holds is moved into it more than once, and takes room each time.
        self.0.loops.spawn(run(Box::new(loaded), mailbox, receiver));
        Ok(())
    }

    fn forget(&self, endpoint: EndpointId) -> Option<Arc<Mailbox>> {
        let mut registry = self.0.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let mailbox = registry.by_id.remove(&endpoint)?;
        if let Some(of_account) = registry.by_account.get_mut(&mailbox.account) {
            of_account.retain(|other| other.endpoint != endpoint);
            if of_account.is_empty() {
                registry.by_account.remove(&mailbox.account);
            }
        }
        Some(mailbox)
    }

    async fn endpoint_changed(&self, account: AccountId, name: &crate::model::EndpointName, id: EndpointId) {
        let account = self.0.parts.accounts.account_by_id(account);
        let endpoint = account.and_then(|account| account.endpoints.get(name).map(Arc::clone));
        match (endpoint.filter(|endpoint| endpoint.id == id), self.mailbox(id)) {
            (Some(endpoint), Some(_)) => self.tell(id, |nod| Message::Settings { endpoint, nod }).await,
            (Some(endpoint), None) => {
                if let Err(problem) = self.load(endpoint).await {
                    tracing::error!(endpoint = %id, %problem, "an endpoint cannot be loaded");
                }
            }
            (None, _) => {
                if let Some(mailbox) = self.forget(id) {
                    let (nod, nodded) = oneshot::channel();
                    if mailbox.sender.send(Message::Stop { nod }).await.is_ok() {
                        drop(nodded.await);
                    }
                }
            }
        }
    }

    async fn account_changed(&self, account: AccountId) {
        for id in self.endpoints(account) {
            self.tell(id, |nod| Message::AccountChanged { nod }).await;
        }
    }

    /// Returns the endpoints of an account that are loaded: that would take an offer.
    #[must_use]
    pub fn endpoints(&self, account: AccountId) -> Vec<EndpointId> {
        let loaded = self.0.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.by_account.get(&account).into_iter().flatten().map(|mailbox| mailbox.endpoint).collect()
    }
}

impl Observer for Handle {
    fn changed(&self, change: Change) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            match change {
                Change::Account(account) => self.account_changed(account).await,
                Change::Endpoint { account, name, id } => self.endpoint_changed(account, &name, id).await,
                Change::Replay { account, endpoint, id } => {
                    let replay = self.0.parts.accounts.account_by_id(account);
                    let replay = replay.and_then(|account| account.replays.get(&id).cloned());
                    let is_over = replay.is_some_and(|replay| replay.value.standing.state.is_over());
                    let message =
                        |nod| if is_over { Message::StopReplay { id, nod } } else { Message::Replays { nod } };
                    self.tell(endpoint, message).await;
                }
                Change::Rights(account) => {
                    for id in self.endpoints(account) {
                        self.tell(id, |nod| Message::RightsChanged { nod }).await;
                    }
                }
                Change::Token | Change::Catalog | Change::Build => {}
            }
        })
    }
}

impl Shared {
    /// The next replay of an endpoint that is not over, if there is one: one runs, others queue.
    pub(super) fn next_replay(&self, endpoint: &Endpoint) -> Option<ReplaySettings> {
        let account = self.parts.accounts.account_by_id(endpoint.account)?;
        account.replays.values().map(|replay| &replay.value).find(|replay| is_to_send(replay, endpoint)).cloned()
    }

    /// Whether a replay of an endpoint is not over.
    pub(super) fn is_replay_open(&self, endpoint: &Endpoint, id: u64) -> bool {
        let account = self.parts.accounts.account_by_id(endpoint.account);
        account.is_some_and(|account| account.replays.get(&id).is_some_and(|one| is_to_send(&one.value, endpoint)))
    }

    /// Records how a replay stands, outside the loop: the command waits for the loop's own nod.
    pub(super) fn record_replay(self: &Arc<Self>, account: AccountId, id: u64, standing: ReplayStanding) {
        let accounts = self.parts.accounts.clone();
        self.parts.tasks.spawn(async move {
            let who = crate::model::Who::System;
            if let Err(problem) = accounts.set_replay(account, id, standing, &who).await {
                tracing::error!(replay = id, %problem, "the state of a replay could not be recorded");
            }
        });
    }

    /// Tells an account that one of its endpoints took nothing for a while, and takes events again, outside the loop.
    pub(super) fn tell_suspended(self: &Arc<Self>, endpoint: &Endpoint, outage: Outage, last_status: Option<u16>) {
        let (accounts, account, name) = (self.parts.accounts.clone(), endpoint.account, endpoint.name.clone());
        let now = self.now();
        let since = now.wall.minus(now.monotonic.since(outage.since));
        let suspension = Suspension { failed_attempts: outage.requests, since, last_status };
        self.parts.tasks.spawn(async move { accounts.tell_delivery_suspended(account, &name, suspension).await });
    }

    /// Switches an endpoint off because its receiver wants nothing any more, outside the loop.
    pub(super) fn switch_off(self: &Arc<Self>, endpoint: &Endpoint) {
        let (accounts, account, name) =
            (self.parts.accounts.clone(), endpoint.account_name.clone(), endpoint.name.clone());
        self.parts.tasks.spawn(async move {
            let who = crate::model::Who::System;
            let halted = accounts.halt_endpoint(&account, &name, crate::accounts::Halt::Gone, &who).await;
            if let Err(problem) = halted {
                tracing::error!(%account, endpoint = %name, %problem, "an endpoint could not be switched off");
            }
        });
    }
}

/// Whether a replay is this endpoint's, sends, and is not over.
fn is_to_send(replay: &ReplaySettings, endpoint: &Endpoint) -> bool {
    replay.endpoint == endpoint.id && !replay.is_dry_run && !replay.standing.state.is_over()
}

/// Each may hold a few megabytes; whoever waits for its turn is served in the order of coming.
const READERS_MAX: usize = 64;
/// Each test may hold eight sockets while it connects.
const TESTS_MAX: usize = 32;
/// Messages that may wait for one loop.
const MAILBOX_MESSAGES_MAX: usize = 64;
