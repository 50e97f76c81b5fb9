//! Jobs that live as long as the process: started, listed, looked at, ended.
//!
//! Not what they do. What such a job changes is durable by itself, or it changes nothing; so it is kept in memory
//! alone and is gone with the process. The oldest that has ended is forgotten first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::accounts::JobState;
use crate::model::{AccountId, Timestamp, Who};

/// One job: what is to be done, and how far it has got.
#[derive(Debug)]
pub struct Job<P, R> {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// What is to be done.
    pub plan: P,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Who asked for it.
    pub created_by: Who,
    progress: Mutex<Progress<R>>,
}

/// How far a job has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<R> {
    /// How it stands.
    pub state: JobState,
    /// When it began to run.
    pub started_at: Option<Timestamp>,
    /// Why it failed.
    pub problem: Option<String>,
    /// What has come of it so far.
    pub result: R,
}

/// More wait than may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{QUEUED_MAX} such jobs wait already")]
pub struct TooMany;

/// All jobs of one kind.
#[derive(Debug)]
pub(super) struct Jobs<P, R> {
    /// How ids begin.
    letter: char,
    jobs: Mutex<VecDeque<Arc<Job<P, R>>>>,
    numbers: AtomicU64,
}

impl<P, R: Clone + Default> Job<P, R> {
    /// Returns how far it has got.
    #[must_use]
    pub fn progress(&self) -> Progress<R> {
        self.lock().clone()
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Progress<R>) -> T) -> T {
        change(&mut self.lock())
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().state.is_over()
    }

    /// Ends it; says whether it had not ended before.
    pub fn cancel(&self) -> bool {
        self.go_to(JobState::Cancelled)
    }

    pub(super) fn begin(&self, now: Timestamp) {
        if self.go_to(JobState::Running) {
            self.change(|progress| progress.started_at = Some(now));
        }
    }

    pub(super) fn end(&self, ended: Result<(), String>) {
        let (state, problem) = match ended {
            Ok(()) => (JobState::Completed, None),
            Err(problem) => (JobState::Failed, Some(problem)),
        };
        if self.go_to(state) {
            self.change(|progress| progress.problem = problem);
        }
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

    fn lock(&self) -> MutexGuard<'_, Progress<R>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P, R: Clone + Default> Jobs<P, R> {
    pub(super) fn new(letter: char) -> Self {
        Self { letter, jobs: Mutex::default(), numbers: AtomicU64::new(0) }
    }

    /// Makes a job.
    pub(super) fn add(&self, account: AccountId, plan: P, who: Who, now: Timestamp) -> Result<Arc<Job<P, R>>, TooMany> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let progress = Progress { state: JobState::Queued, started_at: None, problem: None, result: R::default() };
        // The instant in it keeps the ids of two starts of the process apart.
        let id = format!("{}{:x}-{number}", self.letter, now.0);
        let job = Arc::new(Job { id, account, plan, created_at: now, created_by: who, progress: Mutex::new(progress) });
        let mut jobs = self.lock();
        if jobs.iter().filter(|job| !job.is_over()).count() >= QUEUED_MAX {
            return Err(TooMany);
        }
        if jobs.len() >= KEPT_MAX
            && let Some(oldest) = jobs.iter().position(|job| job.is_over())
        {
            jobs.remove(oldest);
        }
        jobs.push_back(Arc::clone(&job));
        Ok(job)
    }

    /// Returns the jobs of an account, the newest first.
    pub(super) fn list(&self, account: AccountId) -> Vec<Arc<Job<P, R>>> {
        self.lock().iter().rev().filter(|job| job.account == account).map(Arc::clone).collect()
    }

    /// Returns a job of an account.
    pub(super) fn get(&self, account: AccountId, id: &str) -> Option<Arc<Job<P, R>>> {
        self.lock().iter().find(|job| job.id == id && job.account == account).map(Arc::clone)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Job<P, R>>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Jobs of a kind that have not ended, of all accounts.
const QUEUED_MAX: usize = 32;
/// Jobs of a kind that are remembered.
const KEPT_MAX: usize = 200;
