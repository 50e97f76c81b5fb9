//! Backtests as jobs: candidate rights over a stretch of the past, compared with the present ones. Nothing is sent.
//!
//! One runs at a time, the others wait: live work has first choice of the sandbox. A backtest changes nothing, so it is
//! kept in memory alone and is gone with the process. Both sides are asked of the same component as a delivery is.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::comparison::{Compared, Comparison};
use crate::accounts::{Account, JobState, Table};
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
    jobs: Mutex<VecDeque<Arc<Backtest>>>,
    numbers: AtomicU64,
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
    /// Who asks.
    pub by: Who,
}

/// One backtest.
#[derive(Debug)]
pub struct Backtest {
    /// Its id.
    pub id: String,
    /// What is compared.
    pub plan: Plan,
    /// When it was asked for.
    pub created_at: Timestamp,
    progress: Mutex<Progress>,
}

/// How far a backtest has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How it stands.
    pub state: JobState,
    /// The offset behind the last that was looked at.
    pub next: Offset,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// Why it failed.
    pub problem: Option<String>,
    /// What was found.
    pub comparison: Comparison,
}

/// More wait than may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{QUEUED_MAX} backtests wait already")]
pub struct TooMany;

impl Backtest {
    /// Returns how far it has got.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves on to a state, unless it has ended; says whether it did.
    fn go_to(&self, state: JobState) -> bool {
        self.change(|progress| {
            let is_open = !progress.state.is_over();
            if is_open {
                progress.state = state;
            }
            is_open
        })
    }

    fn is_over(&self) -> bool {
        self.change(|progress| progress.state.is_over())
    }
}

impl Backtests {
    /// Makes the place for backtests.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let inner = Inner { parts, turn: Semaphore::new(1), jobs: Mutex::default(), numbers: AtomicU64::new(0) };
        Self(Arc::new(inner))
    }

    /// Starts a backtest, or lets it wait for its turn.
    ///
    /// # Errors
    /// Where too many wait.
    pub fn start(&self, plan: Plan) -> Result<Arc<Backtest>, TooMany> {
        let now = Timestamp(self.0.parts.clock.wall_ms());
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let progress = Progress {
            state: JobState::Queued,
            next: plan.from,
            started_at: None,
            problem: None,
            comparison: Comparison::default(),
        };
        // The instant in it keeps the ids of two starts of the process apart.
        let id = format!("b{:x}-{number}", now.0);
        let job = Arc::new(Backtest { id, plan, created_at: now, progress: Mutex::new(progress) });
        let mut jobs = self.jobs();
        if jobs.iter().filter(|job| !job.is_over()).count() >= QUEUED_MAX {
            return Err(TooMany);
        }
        if jobs.len() >= KEPT_MAX
            && let Some(oldest) = jobs.iter().position(|job| job.is_over())
        {
            jobs.remove(oldest);
        }
        jobs.push_back(Arc::clone(&job));
        drop(jobs);
        let (backtests, running) = (self.clone(), Arc::clone(&job));
        self.0.parts.tasks.spawn(async move { backtests.run(&running).await });
        Ok(job)
    }

    /// Returns the backtests of an account, the newest first.
    #[must_use]
    pub fn list(&self, account: AccountId) -> Vec<Arc<Backtest>> {
        self.jobs().iter().rev().filter(|job| job.plan.account.id == account).map(Arc::clone).collect()
    }

    /// Returns a backtest of an account.
    #[must_use]
    pub fn get(&self, account: AccountId, id: &str) -> Option<Arc<Backtest>> {
        self.jobs().iter().find(|job| job.id == id && job.plan.account.id == account).map(Arc::clone)
    }

    /// Ends a backtest; says whether it had not ended before.
    #[must_use]
    pub fn cancel(&self, job: &Backtest) -> bool {
        job.go_to(JobState::Cancelled)
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Backtest>>> {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, job: &Backtest) {
        let mut shutdown = self.0.parts.shutdown.clone();
        let compared = tokio::select! {
            compared = self.compare(job) => compared,
            () = shutdown.given() => Err("the process ended".to_owned()),
        };
        let (state, problem) = match compared {
            Ok(()) => (JobState::Completed, None),
            Err(problem) => (JobState::Failed, Some(problem)),
        };
        if job.go_to(state) {
            job.change(|progress| progress.problem = problem);
        }
    }

    /// Goes through the stretch, until it is at its end or somebody has ended it.
    async fn compare(&self, job: &Backtest) -> Result<(), String> {
        let Ok(_turn) = self.0.turn.acquire().await else { return Ok(()) };
        job.go_to(JobState::Running);
        job.change(|progress| progress.started_at = Some(Timestamp(self.0.parts.clock.wall_ms())));
        let mut next = job.plan.from;
        while next < job.plan.to && !job.is_over() {
            let read = self.read(job, next).await.map_err(|problem| problem.to_string())?;
            // Where nothing is left up to the end, retention has taken it.
            next = read.offsets.last().map_or(job.plan.to, |last| last.next());
            self.add(job, &read).await;
            job.change(|progress| progress.next = next);
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
                progress.comparison.add(compared, |path| known_fields.contains(path));
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
/// Backtests that have not ended, of all accounts.
const QUEUED_MAX: usize = 32;
/// Backtests that are remembered; the oldest that has ended is forgotten first.
const KEPT_MAX: usize = 200;
