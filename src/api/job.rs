//! What all jobs have in common as they are read.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::query::{List, Page};
use crate::accounts::JobState;
use crate::model::{Offset, Timestamp};
use crate::replay::{self, TooMany};
use crate::web::{Code, Problem};

/// A kind of job.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JobKind {
    /// A stretch of the past is delivered again.
    Replay,
    /// Candidate rights are compared with the present ones over a stretch of the past.
    Backtest,
    /// Dead letters are redelivered.
    Redelivery,
    /// Dead letters are discarded.
    Discard,
}

/// What every job says of itself.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobView<C> {
    /// Its id, unique in the account.
    pub(super) id: String,
    /// What kind of job it is.
    pub(super) kind: JobKind,
    /// How it stands.
    pub(super) state: JobState,
    /// How much of it is done, 0 to 1.
    pub(super) progress: f64,
    /// In numbers.
    pub(super) counts: C,
    /// Who asked for it.
    pub(super) created_by: String,
    /// When.
    pub(super) created_at: Timestamp,
    /// How long it will still take at the present pace; null where that cannot be said.
    pub(super) eta_ms: Option<u64>,
    /// Why it failed; null where it did not.
    pub(super) problem: Option<JobProblem>,
}

/// How much of a job is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) done: u64,
    pub(super) all: u64,
}

impl<C> JobView<C> {
    /// Shows a job that is kept in memory; `failed` is the code and title of its failure.
    pub(super) fn of<P, R: Clone + Default>(
        job: &replay::Job<P, R>,
        progress: &replay::Progress<R>,
        kind: JobKind,
        counts: C,
        done: Done,
        now: Timestamp,
    ) -> Self {
        let state = progress.state;
        let elapsed = progress.started_at.filter(|_| state == JobState::Running).map(|started| now.since(started));
        let (code, title) = kind.failed();
        Self {
            id: job.id.clone(),
            kind,
            state,
            progress: done.share(state),
            counts,
            created_by: job.created_by.label(),
            created_at: job.created_at,
            eta_ms: elapsed.and_then(|elapsed| done.eta_ms(elapsed)),
            problem: progress.problem.clone().map(|detail| JobProblem { code, title, detail }),
        }
    }
}

impl JobKind {
    /// Code and title of the problem of one that failed.
    pub(super) const fn failed(&self) -> (&'static str, &'static str) {
        match self {
            Self::Replay => ("replay_failed", "The replay could not be done"),
            Self::Backtest => ("backtest_failed", "The backtest could not be done"),
            Self::Redelivery => ("redelivery_failed", "Not all dead letters could be redelivered"),
            Self::Discard => ("discard_failed", "Not all dead letters could be discarded"),
        }
    }
}

/// A place in the account's log.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "OffsetPlace")]
pub(super) struct Place {
    /// The offset.
    pub(super) offset: Offset,
}

/// Why a job failed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct JobProblem {
    /// Stable text for programs.
    pub(super) code: &'static str,
    /// What went wrong.
    pub(super) title: &'static str,
    /// What exactly.
    pub(super) detail: String,
}

impl Done {
    /// Returns which part of all is done, 0 where there is nothing to do.
    pub(super) fn share(self, state: JobState) -> f64 {
        if state == JobState::Completed {
            return 1.0;
        }
        if self.all == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for people needs no more than 53 bits")]
        let share = self.done as f64 / self.all as f64;
        share
    }

    /// Returns how long the rest will take if it goes on as it has gone.
    pub(super) fn eta_ms(self, elapsed: Duration) -> Option<u64> {
        let left = self.all.saturating_sub(self.done);
        let ms = elapsed.as_millis().checked_mul(u128::from(left))?.checked_div(u128::from(self.done))?;
        u64::try_from(ms).ok()
    }
}

/// Returns a page of jobs that are kept in memory, the newest first.
pub(super) fn page_of<P, R, V>(
    jobs: &[Arc<replay::Job<P, R>>],
    page: &Page,
    view: impl Fn(&replay::Job<P, R>) -> V,
) -> Result<List<V>, Problem> {
    let after = page.read_after(|after| jobs.iter().position(|job| job.id == after))?;
    let rest = jobs.get(after.map_or(0, |index| index + 1)..).unwrap_or_default();
    let shown = rest.get(..page.limit()).unwrap_or(rest);
    let next = shown.last().filter(|_| shown.len() < rest.len()).map(|last| last.id.clone());
    Ok(List { items: shown.iter().map(|job| view(job)).collect(), next })
}

/// Says that too many jobs of a kind wait.
pub(super) fn too_many(too_many: TooMany) -> Problem {
    Problem::new(Code::LimitReached).detail(format!("{too_many}: try again when one has ended, or cancel one"))
}

/// Says that a job has ended already.
pub(super) fn not_cancellable(state: JobState) -> Problem {
    let word = match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Paused => "paused",
        JobState::Completed => "completed",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
    };
    Problem::new(Code::JobNotCancellable).with("state", word)
}

#[cfg(test)]
mod tests {
    use super::{Done, Duration, JobState};

    #[test]
    fn the_rest_takes_as_long_as_what_is_done_did() {
        let eta_ms = |elapsed, done, all| Done { done, all }.eta_ms(elapsed);
        assert_eq!(eta_ms(Duration::from_secs(10), 100, 150), Some(5_000));
        assert_eq!(eta_ms(Duration::from_secs(10), 0, 50), None);
        assert_eq!(eta_ms(Duration::MAX, 1, u64::MAX), None);
        let share = |done, all, state| Done { done, all }.share(state);
        assert!((share(1, 4, JobState::Running) - 0.25).abs() < f64::EPSILON);
        assert!(share(0, 0, JobState::Running).abs() < f64::EPSILON);
        assert!((share(0, 0, JobState::Completed) - 1.0).abs() < f64::EPSILON);
    }
}
