//! Backtests as jobs: candidate rights over a stretch of the past, compared with the present ones. Nothing is sent.
//!
//! One runs at a time, the others wait: live work has first choice of the sandbox. A backtest changes nothing, so it is
//! kept in memory alone and is gone with the process. Both sides are asked of the same component as a delivery is.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::comparison::{Compared, Comparison};
use super::jobs::{Job, Jobs, Progress, TooMany};
use crate::accounts::{Account, Table};
use crate::dispatch::Dispatch;
use crate::log;
use crate::model::{AccountId, Event, EventType, Offset, Timestamp, Who};
use crate::runtime::{Clock, Shutdown, Tasks, blocking};

/// What backtests are made of.
#[derive(Clone)]
pub struct Parts {
    /// Where events are.
    pub log: log::Handle,
    /// Who asks the rights component.
    pub dispatch: Dispatch,
    /// What time it is.
    pub clock: Clock,
    /// Where they run.
    pub tasks: Tasks,
    /// When to end.
    pub shutdown: Shutdown,
}

/// All backtests of this start. Cheap to clone.
#[derive(Clone)]
pub struct Backtests(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// Whoever holds it runs.
    turn: Semaphore,
    jobs: Jobs<Plan, ComparedSoFar>,
}

/// What is to be compared with what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose events.
    pub account: Arc<Account>,
    /// What holds now.
    pub before: Arc<Table>,
    /// What would hold.
    pub after: Arc<Table>,
    /// The fields whose names may be told.
    pub known_fields: HashSet<String>,
    /// The first offset.
    pub from: Offset,
    /// The offset behind the last.
    pub to: Offset,
}

/// One backtest.
pub type Backtest = Job<Plan, ComparedSoFar>;

/// How far a backtest has got.
pub type BacktestProgress = Progress<ComparedSoFar>;

/// What a backtest has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComparedSoFar {
    /// How many offsets were gone through.
    pub done: u64,
    /// What was found.
    pub comparison: Comparison,
}

impl Backtests {
    /// Makes the place for backtests.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let inner = Inner { parts, turn: Semaphore::new(1), jobs: Jobs::new('b') };
        Self(Arc::new(inner))
    }

    /// Starts a backtest, or lets it wait for its turn.
    ///
    /// # Errors
    /// Where too many wait.
    pub fn start(&self, plan: Plan, who: Who) -> Result<Arc<Backtest>, TooMany> {
        let job = self.0.jobs.add(plan.account.id, plan, who, self.now())?;
        let (backtests, running) = (self.clone(), Arc::clone(&job));
        self.0.parts.tasks.spawn(async move { backtests.run(&running).await });
        Ok(job)
    }

    /// Returns the backtests of an account, the newest first.
    #[must_use]
    pub fn list(&self, account: AccountId) -> Vec<Arc<Backtest>> {
        self.0.jobs.list(account)
    }

    /// Returns a backtest of an account.
    #[must_use]
    pub fn get(&self, account: AccountId, id: &str) -> Option<Arc<Backtest>> {
        self.0.jobs.get(account, id)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.0.parts.clock.wall_ms())
    }

    async fn run(&self, job: &Backtest) {
        let mut shutdown = self.0.parts.shutdown.clone();
        let compared = tokio::select! {
            compared = self.compare(job) => compared,
            () = shutdown.given() => Err("the process ended".to_owned()),
        };
        job.end(compared);
    }

    /// Goes through the stretch, until it is at its end or somebody has ended it.
    async fn compare(&self, job: &Backtest) -> Result<(), String> {
        let Ok(_turn) = self.0.turn.acquire().await else { return Ok(()) };
        job.begin(self.now());
        let mut next = job.plan.from;
        while next < job.plan.to && !job.is_over() {
            let read = self.read(job, next).await.map_err(|problem| problem.to_string())?;
            // Where nothing is left up to the end, retention has taken it.
            next = read.offsets.last().map_or(job.plan.to, |last| last.next());
            self.add(job, &read).await;
            job.change(|progress| progress.result.done = next.0.saturating_sub(job.plan.from.0));
        }
        Ok(())
    }

    /// Reads events from an offset on.
    async fn read(&self, job: &Backtest, from: Offset) -> Result<Read, log::Error> {
        let (log, account, to) = (self.0.parts.log.clone(), job.plan.account.id, job.plan.to);
        blocking(move || {
            let stretch = log.read_account(account, from, BATCH_EVENTS_MAX, BATCH_BYTES_MAX)?;
            let mut read = Read::default();
            for record in stretch.records.into_iter().filter(|record| record.header.offset < to) {
                read.events.push(log.event(&record)?);
                read.offsets.push(record.header.offset);
            }
            Ok(read)
        })
        .await
    }

    async fn add(&self, job: &Backtest, Read { offsets, events }: &Read) {
        let Plan { account, before, after, known_fields, .. } = &job.plan;
        let dispatch = &self.0.parts.dispatch;
        let (before, after) =
            tokio::join!(dispatch.preview(account, before, events), dispatch.preview(account, after, events));
        job.change(|progress| {
            let read = offsets.iter().zip(events);
            for ((offset, (event_type, event)), (before, after)) in read.zip(before.iter().zip(&after)) {
                let compared = Compared { offset: *offset, event_type, event, before, after };
                progress.result.comparison.add(compared, |path| known_fields.contains(path));
            }
        });
    }
}

/// Events, and where each stands.
#[derive(Debug, Default)]
struct Read {
    offsets: Vec<Offset>,
    events: Vec<(EventType, Event)>,
}

const BATCH_EVENTS_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 4 << 20;
